//! Redis with Sentinel: who is the master, could another one take over, and letting it.
//!
//! ```no_run
//! # use runbook_core::{Result, Run, Secret, Units as _};
//! # use runbook_steps::redis::{self, Setting};
//! # async fn fail_over(run: &Run) -> Result<()> {
//! let sentinels = redis::sentinels("mymaster")
//!     .at(["10.0.0.1:26379", "10.0.0.2:26379", "10.0.0.3:26379"])
//!     .password(&Secret::env("REDIS_PASSWORD"));
//!
//! run.check("Redis is whole", sentinels.healthy().replicas(2)).await?;
//! run.check("Another one could take over", sentinels.can_fail_over()).await?;
//! let moved = run.step("Fail over", sentinels.failover()).await?;
//! run.say(format!("{} is the master now, after {}", moved.to, moved.from));
//! run.step("Let two replicas sync at once", sentinels.set(Setting::ParallelSyncs(2))).await?;
//! # Ok(())
//! # }
//! ```
//!
//! - The master is who a majority of the sentinels says it is, never a name: after a failover a container called
//!   `redis-master` holds a replica. A majority is counted of all sentinels that are listed or known to one of them.
//! - A failover is over when the sentinels agree on another address, that one takes a write and gives it back, and the
//!   others follow it. `SENTINEL FAILOVER` itself answers `OK` before anything has happened.
//! - The old master is told to follow as soon as there is a new one. Left to the sentinels that takes ten seconds more, in
//!   which it takes writes that are lost.
//! - A setting is one of each sentinel, so it is set on all, or on none.

mod ask;
mod wait;

mod facts;

mod failover;
mod find;
mod priority;
mod replica;
mod set;

mod checks;

use std::sync::Arc;
use std::time::Duration;

use runbook::{Context, Explain as _, Host, Resource, Result, Secret};

use super::Redis;

pub(super) use self::facts::Look;
pub(super) use self::wait::until;

pub use self::checks::{CanFailOver, HasMaster, Healthy};
pub use self::facts::{Master, ReplicaView, View};
pub use self::failover::{FailedOver, Failover, FailoverBefore};
pub use self::find::FindMaster;
pub use self::priority::Member;
pub use self::replica::{AddReplica, AddReplicaBefore, ReplicaAdded};
pub use self::set::{SentinelsSet, Set, SetBefore, Setting};

/// The sentinels that watch the master of this name; [`at`](Sentinels::at) says where they are.
pub fn sentinels(master: impl Into<String>) -> Sentinels {
    Sentinels {
        master: master.into(),
        addresses: Vec::new(),
        password: None,
        own_password: None,
        tls: false,
        timeout: Duration::from_secs(5),
        through: None,
    }
}

/// The sentinels of a Redis, and how they and the servers are reached.
#[derive(Debug, Clone)]
pub struct Sentinels {
    pub(super) master: String,
    addresses: Vec<String>,
    password: Option<Secret>,
    own_password: Option<Secret>,
    tls: bool,
    timeout: Duration,
    through: Option<Arc<dyn Host>>,
}

impl Sentinels {
    /// At these addresses, `HOST:PORT`. All of them belong here: a majority is counted of them.
    pub fn at(mut self, addresses: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.addresses.extend(addresses.into_iter().map(Into::into));
        self
    }

    /// With the password of the servers they watch.
    pub fn password(mut self, password: &Secret) -> Self {
        self.password = Some(password.clone());
        self
    }

    /// With the password that the sentinels themselves want.
    pub fn sentinel_password(mut self, password: &Secret) -> Self {
        self.own_password = Some(password.clone());
        self
    }

    /// With TLS, to the sentinels and the servers.
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Asked from this host, instead of that of the step: from a container, where only that reaches them. One that stays
    /// up when servers are stopped, like that of a sentinel.
    pub fn through(mut self, host: &Arc<dyn Host>) -> Self {
        self.through = Some(host.clone());
        self
    }

    /// Waits this long for each answer, instead of five seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The context of the host that asks.
    pub(super) fn asking(&self, cx: &Context) -> Context {
        self.through.as_ref().map_or_else(|| cx.clone(), |host| cx.at(host))
    }

    /// A server they watch, by its address.
    pub(super) fn server(&self, address: &str) -> Result<Redis> {
        Ok(Redis { password: self.password.clone(), ..self.reach(address)? })
    }

    pub(super) fn sentinel(&self, address: &str) -> Result<Redis> {
        Ok(Redis { password: self.own_password.clone(), ..self.reach(address)? })
    }

    fn reach(&self, address: &str) -> Result<Redis> {
        let (host, port) = split(address)?;
        let scheme = if self.tls { "rediss" } else { "redis" };
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        Ok(Redis::at(format!("{scheme}://{host}:{port}/0")).timeout(self.timeout))
    }

    /// What a person types: the first of them stands for all.
    pub(super) fn by_hand<'a>(&self, words: impl IntoIterator<Item = &'a str> + Clone) -> String {
        let first = self.addresses.first().map(|address| self.sentinel(address));
        match first {
            Some(Ok(sentinel)) => sentinel.by_hand(words),
            _ => format!("redis-cli {}", words.into_iter().collect::<Vec<_>>().join(" ")),
        }
    }

    /// The Redis they watch, as something in the world.
    pub(super) fn resource(&self) -> Resource {
        Resource::new("redis-sentinel", &self.master)
    }
}

/// Host and port of an address.
pub(super) fn split(address: &str) -> Result<(&str, &str)> {
    let wrong = || format!("`{address}` is no address like 10.0.0.1:26379");
    let (host, port) = address.rsplit_once(':').with_context(wrong)?;
    port.parse::<u16>().with_context(wrong)?;
    Ok((host.trim_matches(['[', ']']), port))
}
