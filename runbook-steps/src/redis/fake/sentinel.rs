//! A simulated Redis with Sentinel, for simulated hosts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use runbook::command::Output;
use runbook::testing::{Call, Program, SimClock, SimHost};
use runbook::{Clock as _, Command, Context, Resource, Result, async_trait};
use serde::{Deserialize, Serialize};

use super::{Database, Fake, Said};
use crate::redis::Power;

mod files;
mod life;
mod say;

use self::life::{Life, Moment};

/// A master, replicas and sentinels that are asked through `redis-cli`, as the steps of this library ask them. They take
/// their time, if less of it than the real ones: what is asked for is not done at once, and a master that is down longer
/// than the sentinels wait is replaced. They are held to the real ones by one suite that runs against both.
///
/// ```
/// use runbook_core::testing::SimHost;
/// use runbook_steps::redis::FakeSentinels;
///
/// let redis = FakeSentinels::new("mymaster").password("hunter2").text("greeting", "hello");
/// let host = redis.on(SimHost::new("ops-1"));
/// ```
///
/// The servers are at `10.0.0.1:6379` and so on, the first one is the master; the sentinels at `10.0.0.1:26379` and so
/// on. Their files lie on the same simulated host, below `/data`. The program `redis-power start|stop ADDRESS` is their
/// service manager.
#[derive(Debug, Clone)]
pub struct FakeSentinels {
    master: String,
    password: Option<String>,
    world: World,
    data: Fake,
    clock: Arc<OnceLock<SimClock>>,
    /// What goes wrong.
    faults: BTreeSet<Fault>,
}

/// What can go wrong with simulated servers and sentinels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Replicas never come to follow a new master.
    ReplicasStay,
    /// A new master refuses writes.
    RefusesWrites,
    /// `BGSAVE` fails.
    SaveFails,
    /// The last sentinel takes no settings over, and says `OK`.
    DeafSentinel,
    /// The master loads nothing of what it is started on.
    LoadsNothing,
    /// A sentinel reaches a master that starts at the last address of a replica that is down.
    OldAddresses,
}

/// What lasts: part of every snapshot of the host.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct World {
    servers: BTreeMap<String, Server>,
    sentinels: BTreeMap<String, Sentinel>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Server {
    up: bool,
    follows: Option<String>,
    priority: u64,
    dir: PathBuf,
    /// Whether it uses an append-only file.
    log: bool,
    databases: BTreeMap<u32, Database>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Sentinel {
    up: bool,
    master: String,
    /// The replicas it knows.
    replicas: BTreeSet<String>,
    settings: BTreeMap<String, u64>,
}

/// The master at first.
const FIRST: &str = "10.0.0.1:6379";

const SETTINGS: [(&str, u64); 4] =
    [("down-after-milliseconds", 2000), ("failover-timeout", 10_000), ("parallel-syncs", 1), ("quorum", 2)];

impl FakeSentinels {
    /// A master, two replicas and three sentinels, without a password, and without data.
    pub fn new(master: &str) -> Self {
        let data = Fake::new();
        let fresh = Self {
            master: master.to_owned(),
            password: None,
            world: World::default(),
            clock: data.clock.clone(),
            data,
            faults: BTreeSet::new(),
        };
        (1..=3)
            .fold(fresh.server("10.0.0.1", None), |all, n| all.sentinel(&format!("10.0.0.{n}")))
            .server("10.0.0.2", Some(FIRST))
            .server("10.0.0.3", Some(FIRST))
    }

    /// The addresses of its sentinels.
    pub fn sentinels(&self) -> Vec<String> {
        self.world.sentinels.keys().cloned().collect()
    }

    /// The servers want this password; the sentinels want none.
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// With a server at this host, that stands alone.
    pub fn lone_server(self, host: &str) -> Self {
        self.server(host, None)
    }

    /// With this text in the first database of the master, and of its replicas.
    pub fn text(mut self, key: &str, text: &str) -> Self {
        let is_ours = |address: &str, server: &Server| server.follows.is_some() || address == FIRST;
        for (_, server) in self.world.servers.iter_mut().filter(|(address, server)| is_ours(address, server)) {
            let entry = super::Entry { value: super::Value::String(text.to_owned()), expires_at: None };
            server.databases.entry(0).or_default().insert(key.to_owned(), entry);
        }
        self
    }

    /// Whose servers use an append-only file.
    pub fn append_only(mut self) -> Self {
        self.world.servers.values_mut().for_each(|server| server.log = true);
        self
    }

    /// With this priority of a server.
    pub fn priority(mut self, address: &str, priority: u64) -> Self {
        if let Some(server) = self.world.servers.get_mut(address) {
            server.priority = priority;
        }
        self
    }

    /// With a sentinel or server that does not answer.
    pub fn down(mut self, address: &str) -> Self {
        if let Some(server) = self.world.servers.get_mut(address) {
            server.up = false;
        }
        if let Some(sentinel) = self.world.sentinels.get_mut(address) {
            sentinel.up = false;
        }
        self
    }

    /// With a sentinel that holds another one for the master.
    pub fn believes(mut self, sentinel: &str, master: &str) -> Self {
        if let Some(sentinel) = self.world.sentinels.get_mut(sentinel) {
            master.clone_into(&mut sentinel.master);
        }
        self
    }

    /// In which this goes wrong.
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.insert(fault);
        self
    }

    fn server(mut self, host: &str, follows: Option<&str>) -> Self {
        let server = Server {
            up: true,
            follows: follows.map(str::to_owned),
            priority: 100,
            dir: format!("/data/{host}").into(),
            log: false,
            databases: BTreeMap::new(),
        };
        let address = format!("{host}:6379");
        if follows.is_some() {
            self.world.sentinels.values_mut().for_each(|sentinel| {
                sentinel.replicas.insert(address.clone());
            });
        }
        self.world.servers.insert(address, server);
        self
    }

    fn sentinel(mut self, host: &str) -> Self {
        let sentinel = Sentinel {
            up: true,
            master: FIRST.to_owned(),
            replicas: BTreeSet::new(),
            settings: SETTINGS.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect(),
        };
        self.world.sentinels.insert(format!("{host}:26379"), sentinel);
        self
    }

    /// The host, with all of them in its reach.
    pub fn on(&self, host: SimHost) -> SimHost {
        let host = host.with_state(&self.lasting(), &self.world).ignoring_state("redis-life");
        let host = self.world.servers.values().fold(host, |host, server| {
            let host = host.dir(&server.dir);
            files::at_first(server).into_iter().fold(host, |host, (path, content)| host.file(path, content))
        });
        host.program("redis-cli", self.clone())
            .program("redis-power", Switch(self.clone()))
            .program("redis-check-rdb", files::check_rdb)
    }

    fn lasting(&self) -> Resource {
        Resource::new("redis-sentinel", &self.master)
    }

    fn passing(&self) -> Resource {
        Resource::new("redis-life", &self.master)
    }

    fn now(&self) -> i64 {
        self.clock.get_or_init(SimClock::default).now().as_millisecond()
    }

    /// Does something with all of them, after what has happened by itself meanwhile.
    fn with<T>(&self, call: &mut Call<'_>, act: impl FnOnce(&Self, &mut Moment, &mut Call<'_>) -> T) -> T {
        let (world, life): (World, Life) = (call.state(&self.lasting()), call.state(&self.passing()));
        let mut moment = Moment { world: world.clone(), life: life.clone(), now: self.now() };
        moment.goes_on(self, call);
        let done = act(self, &mut moment, call);
        // First what does not last: one that is a master by now has to know whose data it holds.
        if moment.life != life {
            call.set_state(&self.passing(), &moment.life);
        }
        if moment.world != world {
            call.set_state(&self.lasting(), &moment.world);
        }
        done
    }
}

impl Program for FakeSentinels {
    fn run(&self, call: &mut Call<'_>) -> Output {
        let args = call.args();
        let ["-e", "-h", host, "-p", port, "-n", number, words @ ..] = &args[..] else { return unknown(call) };
        let address = format!("{host}:{port}");
        let said = self.with(call, |fake, moment, call| {
            let is_up = |up: Option<bool>| up.unwrap_or_default();
            let given = call.env("REDISCLI_AUTH");
            if is_up(moment.world.sentinels.get(&address).map(|sentinel| sentinel.up)) {
                return Some(say::login(given, None).unwrap_or_else(|| fake.sentinel_says(moment, &address, words)));
            }
            if !is_up(moment.world.servers.get(&address).map(|server| server.up)) {
                return None;
            }
            let refused = say::login(given, fake.password.as_deref());
            let number = number.parse().unwrap_or_default();
            Some(refused.unwrap_or_else(|| fake.server_says(moment, call, (&address, number), words)))
        });
        match said {
            None => Output::failed(1, format!("Could not connect to Redis at {address}: Connection refused\n")),
            Some(None) => unknown(call),
            Some(Some(Ok(text))) => Output::ok(text + "\n"),
            Some(Some(Err(words))) => Output::failed(1, words + "\n"),
        }
    }
}

/// What one of them says; `None` to what it does not know.
type Answer = Option<Said>;

fn unknown(call: &Call<'_>) -> Output {
    Output::failed(64, format!("the simulated Redis with Sentinel does not know `{}`\n", call.command()))
}

/// `redis-power stop ADDRESS`
struct Switch(FakeSentinels);

impl Program for Switch {
    fn run(&self, call: &mut Call<'_>) -> Output {
        let args = call.args();
        let [what, address] = args[..] else { return unknown(call) };
        self.0.with(call, |fake, moment, call| match what {
            "start" => moment.start(fake, call, address),
            _ => moment.stop(call, address),
        });
        Output::ok("")
    }
}

/// The simulated service manager, for [`Node::power`](crate::redis::Node::power).
#[derive(Debug, Clone)]
pub struct FakePower(String);

impl FakePower {
    /// That of the server at this address.
    pub fn of(address: &str) -> Self {
        Self(address.to_owned())
    }

    fn command(&self, what: &str) -> Command {
        Command::new("redis-power").args([what, &self.0])
    }
}

#[async_trait]
impl Power for FakePower {
    async fn stop(&self, cx: &Context) -> Result<()> {
        cx.run(&self.command("stop")).await.map(drop)
    }

    async fn start(&self, cx: &Context) -> Result<()> {
        cx.run(&self.command("start")).await.map(drop)
    }

    fn by_hand(&self) -> (Vec<String>, Vec<String>) {
        (vec![self.command("stop").to_string()], vec![self.command("start").to_string()])
    }
}
