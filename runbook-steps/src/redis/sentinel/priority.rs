//! Which replica is promoted: the one with the lowest `replica-priority`.

use std::time::Duration;

use runbook::{Context, Error, Explain as _, Result};
use serde::{Deserialize, Serialize};

use super::{Look, ReplicaView, Sentinels, until};
use crate::redis::Redis;

/// A server that the sentinels watch, master or replica.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its address.
    pub address: String,
    /// Its priority when another one is promoted: the lowest goes first, 0 never.
    pub priority: u64,
}

const PRIORITY: &str = "replica-priority";

/// The priority of one that is to be promoted, for as long as that takes.
const FIRST: u64 = 1;

impl Redis {
    async fn priority(&self, cx: &Context) -> Result<u64> {
        let said = self.parameter(cx, PRIORITY).await?;
        self.read(&said.with_context(|| format!("{} does not tell its {PRIORITY}", self.url))?)
    }

    async fn set_priority(&self, cx: &Context, priority: u64) -> Result<()> {
        self.tell(cx, &["CONFIG", "SET", PRIORITY, &priority.to_string()]).await
    }
}

impl Sentinels {
    /// The master and the replicas that follow it, with their priorities.
    pub(super) async fn members(&self, cx: &Context, look: &Look) -> Result<Vec<Member>> {
        let master = look.master()?.address;
        let replicas = self.replicas_in(cx, look).await?;
        let well = replicas.into_iter().filter(ReplicaView::is_well).map(|replica| replica.address);
        let mut members = Vec::new();
        for address in std::iter::once(master).chain(well) {
            let priority = self.server(&address)?.priority(&self.asking(cx)).await?;
            members.push(Member { address, priority });
        }
        Ok(members)
    }

    /// Sees to it that this replica is the one that is promoted, as far as a sentinel knows, and gives that sentinel.
    pub(super) async fn prefer(
        &self,
        cx: &Context,
        address: &str,
        members: &[Member],
        limit: Duration,
    ) -> Result<String> {
        let asking = self.asking(cx);
        for member in members {
            let wanted = if member.address == address { FIRST } else { preferred_less(member.priority) };
            let server = self.server(&member.address)?;
            if server.priority(&asking).await? != wanted {
                server.set_priority(&asking, wanted).await?;
            }
        }
        // They ask for it every ten seconds.
        until(cx, limit, || self.is_preferred(cx, address, members)).await
    }

    async fn is_preferred(&self, cx: &Context, address: &str, members: &[Member]) -> Result<String> {
        let look = self.look(cx).await?;
        let master = look.settled()?;
        let sentinel = look.agreeing(&master.address).next().context("nobody names the master")?;
        let replicas = self.replicas_of(cx, &sentinel.sentinel).await?;
        let is_ready = |replica: &ReplicaView| match members.iter().find(|member| member.address == replica.address) {
            Some(member) if member.address == address => replica.is_well() && replica.priority == FIRST,
            Some(member) => replica.priority == preferred_less(member.priority),
            None => replica.priority != FIRST,
        };
        let found = replicas.iter().any(|replica| replica.address == address);
        match replicas.iter().find(|replica| !is_ready(replica)) {
            None if found => Ok(sentinel.sentinel.clone()),
            None => Err(Error::transient(format!("sentinel {} knows no replica {address}", sentinel.sentinel))),
            Some(other) => {
                let words = format!("sentinel {} does not yet see that {address} is preferred", sentinel.sentinel);
                let line = format!("{}: {}, priority {}", other.address, other.flags.join(" "), other.priority);
                Err(Error::transient(words).details([line]))
            }
        }
    }

    /// Whether none of these is preferred: by a failover that was cut off, or by its configuration.
    pub(super) fn prefer_none(members: &[Member]) -> bool {
        members.iter().all(|member| member.priority != FIRST)
    }

    /// Gives each its own priority back, in its configuration file too: there the sentinels have written the other. The
    /// preferred one comes last, so that it tells of what is left to do.
    pub(super) async fn prefer_as_before(&self, cx: &Context, members: &[Member]) -> Result<()> {
        let asking = self.asking(cx);
        let mut left = Vec::new();
        for member in members {
            let server = self.server(&member.address)?;
            left.push((server.priority(&asking).await?, member, server));
        }
        left.sort_by_key(|(is, ..)| *is == FIRST);
        for (is, member, server) in left {
            if is != member.priority {
                server.set_priority(&asking, member.priority).await?;
                // One without such a file, or with one that it may not write, has nothing to put right.
                let _ = server.ask(&asking, ["CONFIG", "REWRITE"]).await?;
            }
        }
        Ok(())
    }
}

/// The priority of one that is not to go first.
fn preferred_less(priority: u64) -> u64 {
    if priority == FIRST { FIRST + 1 } else { priority }
}
