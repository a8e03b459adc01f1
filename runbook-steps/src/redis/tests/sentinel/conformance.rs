//! One suite for the real Redis with Sentinel and the simulated one.

use runbook::{Command, async_trait};

use super::*;
use crate::conformance::{agree, is_same};

/// Servers and sentinels: a master, two replicas, one that stands alone.
struct World {
    cx: Context,
    sentinels: Sentinels,
    /// Addresses, and what they are called here.
    names: Vec<(String, &'static str)>,
    password: Secret,
    nodes: Vec<Node>,
    backups: std::path::PathBuf,
}

const NAMES: [&str; 4] = ["MASTER", "FIRST", "SECOND", "ALONE"];

impl World {
    fn address(&self, name: &str) -> &str {
        self.names.iter().find(|(_, known)| *known == name).map(|(address, _)| address.as_str()).expect("is known")
    }

    fn server(&self, name: &str) -> Redis {
        Redis::at(format!("redis://{}", self.address(name))).password(&self.password)
    }

    fn servers(&self) -> Servers {
        self.sentinels.servers(self.nodes.clone())
    }

    async fn set(&self, name: &str, key: &str, value: &str) {
        self.server(name).require(&self.cx, ["SET", key, value]).await.expect("is set");
    }

    async fn get(&self, name: &str, key: &str) -> String {
        self.server(name).require(&self.cx, ["GET", key]).await.expect("is read")
    }

    /// What was said, without what differs from one time to the next.
    fn plain(&self, said: &str) -> String {
        let said = self.names.iter().fold(said.to_owned(), |said, (address, name)| said.replace(address, name));
        said.replace(&self.backups.display().to_string(), "BACKUPS").replace("epoch_before", "before")
    }

    async fn told(&self, check: impl Check) -> String {
        match check.check(&self.cx).await {
            Ok(finding) => self.plain(&format!("{} {}", finding.word(), without_epoch(&finding.evidence().summary))),
            Err(error) => self.plain(&format!("{error:#}")),
        }
    }

    async fn is_whole(&self) -> String {
        self.told(self.sentinels.healthy().replicas(2).within(40.seconds())).await
    }

    fn survey<S: Step>(&self, survey: &Result<Survey<S::Before, S::Output>>) -> String {
        self.plain(&match survey {
            Ok(Survey::Already(_)) => "already".to_owned(),
            Ok(Survey::Change { diff, .. }) => diff.to_string(),
            Err(error) => format!("{error:#}"),
        })
    }
}

/// `(epoch 3)` counts on.
fn without_epoch(said: &str) -> String {
    let Some((head, rest)) = said.split_once("(epoch ") else { return said.to_owned() };
    let tail = rest.split_once(')').map_or(rest, |(_, tail)| tail);
    format!("{head}(epoch N){tail}")
}

async fn suite(world: &World) -> Vec<String> {
    let World { cx, sentinels: ours, .. } = world;
    let mut lines = Vec::new();
    let mut say = |line: String| lines.push(line);

    // Questions.
    say(world.told(ours.has_master()).await);
    say(world.told(ours.can_fail_over()).await);
    say(world.told(ours.healthy().replicas(2)).await);
    say(world.told(ours.healthy().replicas(3)).await);
    let at =
        |name: &str| sentinels(name).at(world.names[4..].iter().map(|(address, _)| address)).password(&world.password);
    say(world.told(at("nobody").has_master()).await);
    say(world.told(at("mymaster").sentinel_password(&world.password).has_master()).await);
    say(world.told(at("mymaster").at(["127.0.0.1:1"]).has_master()).await);
    say(world.told(at("mymaster").at(["127.0.0.1:1"]).healthy()).await);
    for name in NAMES {
        say(world.told(world.server(name).is_master()).await);
        say(world.told(world.server(name).is_replica().of(world.address("MASTER"))).await);
    }
    say(world.told(world.server("MASTER").is_master().replicas(3)).await);
    say(world.told(world.server("MASTER").is_master().replicas(2).lag_at_most(Bytes(10_000))).await);
    say(world.told(Redis::at(format!("redis://{}", world.address("FIRST"))).is_replica()).await);
    let found = take(cx, &ours.master()).await.expect("is found");
    say(world.plain(&format!("{} {} of {}", found.address, found.agreed, found.sentinels)));
    say(world.plain(&format!("{:?}", take(cx, &world.server("MASTER").takes_writes()).await.map(|probed| probed.url))));
    let refused = take(cx, &world.server("FIRST").takes_writes()).await.map(|probed| probed.url);
    say(world.plain(&format!("{:?}", refused.map_err(|error| format!("{error:#}")))));
    say(world.told(world.server("MASTER").key_count().at_most(0)).await);

    // Settings, there and back, twice each.
    let set = ours.set(Setting::ParallelSyncs(2)).and(Setting::DownAfter(3.seconds()));
    let survey = set.survey(cx).await;
    say(world.survey::<Set>(&survey));
    let old = before(cx, &set).await;
    for _ in 0..2 {
        say(format!("{:?}", set.apply(cx, &old).await.map(|set| (set.sentinels.len(), set.settings))));
    }
    say(world.survey::<Set>(&set.survey(cx).await));
    for _ in 0..2 {
        say(format!("{:?}", set.rollback(cx, &old).await));
    }
    say(world.survey::<Set>(&set.survey(cx).await));

    failover(world, &mut say).await;
    one_more(world, &mut say).await;
    lines
}

async fn failover(world: &World, say: &mut impl FnMut(String)) {
    let World { cx, sentinels: ours, .. } = world;
    let first = world.address("FIRST").to_owned();
    let step = ours.failover().to(&first);
    say(world.survey::<Failover>(&step.survey(cx).await));
    let old = before(cx, &step).await;
    world.set("MASTER", "kept", "over a failover").await;
    for _ in 0..2 {
        let moved = step.apply(cx, &old).await.expect("fails over");
        let more = moved.epoch > moved.epoch_before;
        say(world.plain(&format!("{} -> {} {more} {:?} {}", moved.from, moved.to, moved.agreed, moved.replicas.len())));
    }
    say(world.survey::<Failover>(&step.survey(cx).await));
    for name in ["MASTER", "FIRST", "SECOND"] {
        say(world.told(world.server(name).is_master().replicas(2)).await);
        say(format!("{name} {}", world.get(name, "kept").await));
        let priority = world.server(name).parameter(cx, "replica-priority").await;
        say(format!("{name} {priority:?}"));
    }
    for _ in 0..2 {
        say(format!("{:?}", step.rollback(cx, &old).await));
    }
    say(world.is_whole().await);
    for name in ["MASTER", "FIRST", "SECOND"] {
        say(world.told(world.server(name).is_replica()).await);
    }
    // Whichever the sentinels choose.
    let step = ours.failover();
    let (old, moved) = change(cx, &step).await;
    let moved = moved.expect("fails over");
    say(world.plain(&format!("{} -> another: {}", moved.from, moved.to != moved.from)));
    say(format!("{:?}", step.rollback(cx, &old).await));
    say(world.is_whole().await);
    world.server("MASTER").require(cx, ["UNLINK", "kept"]).await.expect("is removed");
}

async fn one_more(world: &World, say: &mut impl FnMut(String)) {
    let World { cx, sentinels: ours, .. } = world;
    let server = world.server("ALONE");
    let step = ours.add_replica(&server);
    world.set("ALONE", "own", "words").await;
    say(world.survey::<AddReplica>(&step.survey(cx).await));
    server.require(cx, ["UNLINK", "own"]).await.expect("is removed");
    say(world.survey::<AddReplica>(&step.survey(cx).await));
    let old = before(cx, &step).await;
    world.set("MASTER", "copied", "to all").await;
    say(format!("{:?} {:?}", step.rollback(cx, &old).await, old));
    for _ in 0..2 {
        let added = step.apply(cx, &old).await.expect("is added");
        say(world.plain(&format!("{} {} {}", added.url, added.master, added.sentinels)));
    }
    say(world.survey::<AddReplica>(&step.survey(cx).await));
    say(format!("ALONE {}", world.get("ALONE", "copied").await));
    say(world.told(ours.healthy().replicas(3)).await);
    for _ in 0..2 {
        say(format!("{:?}", step.rollback(cx, &old).await));
    }
    say(world.told(server.is_master()).await);
    say(world.told(server.key_count().at_most(0)).await);
    say(world.is_whole().await);
    world.server("MASTER").require(cx, ["UNLINK", "copied"]).await.expect("is removed");
}

/// Backup and restore, for servers with an append-only file and those without.
async fn data(world: &World) -> Vec<String> {
    let World { cx, sentinels: ours, .. } = world;
    let mut lines = Vec::new();
    let mut say = |line: String| lines.push(line);
    world.set("MASTER", "old", "words").await;
    world.set("MASTER", "fades", "soon").await;
    world.server("MASTER").require(cx, ["PEXPIRE", "fades", "1000000"]).await.expect("fades");

    let step = world.servers().back_up().into_dir(&world.backups);
    let old = before(cx, &step).await;
    let made = step.apply(cx, &old).await.expect("is backed up");
    let again = step.apply(cx, &old).await.expect("is backed up once");
    say(world.plain(&format!("{} {} {} {}", made.server, made.keys, made.expires, made == again)));
    let found = take(cx, &backup::latest(&world.backups).snapshot()).await.expect("is found");
    say(format!("{}", found == made));

    world.set("MASTER", "old", "newer words").await;
    world.set("MASTER", "new", "words").await;
    let step = world.servers().restore(&made).within(60.seconds());
    say(world.survey::<RestoreSnapshot>(&step.survey(cx).await));
    let old = before(cx, &step).await;
    say(format!("{:?}", step.rollback(cx, &old).await));
    say(format!("as it was: {}", world.get("MASTER", "new").await));
    for _ in 0..2 {
        let restored = step.apply(cx, &old).await.expect("is restored");
        let Restored { loaded, expired, replicas } = restored.into();
        say(world.plain(&format!("loaded {loaded}, expired {expired}, followed by {replicas:?}")));
    }
    for name in ["MASTER", "FIRST", "SECOND"] {
        say(format!("{name} {} `{}`", world.get(name, "old").await, world.get(name, "new").await));
        say(world.told(world.server(name).key_count().at_least(2).at_most(2)).await);
    }
    say(world.is_whole().await);
    say(world.survey::<Set>(&ours.set(Setting::DownAfter(2.seconds())).survey(cx).await));
    // What was written after it goes as well.
    world.set("MASTER", "even newer", "words").await;
    for _ in 0..2 {
        say(format!("{:?}", step.rollback(cx, &old).await));
    }
    for name in ["MASTER", "FIRST", "SECOND"] {
        say(format!("{name} {} `{}`", world.get(name, "old").await, world.get(name, "new").await));
        say(world.told(world.server(name).key_count().at_least(3).at_most(3)).await);
    }
    say(world.is_whole().await);
    for key in ["old", "new", "fades"] {
        world.server("MASTER").require(cx, ["UNLINK", key]).await.expect("is removed");
    }
    cx.files().remove(&world.backups).await.expect("is removed");
    lines
}

struct Restored {
    loaded: u64,
    expired: u64,
    replicas: Vec<String>,
}

impl From<RestoredSnapshot> for Restored {
    fn from(RestoredSnapshot { loaded, expired, replicas, .. }: RestoredSnapshot) -> Self {
        Self { loaded, expired, replicas }
    }
}

const SAID: &str = include_str!("conformance.txt");
const DATA: &str = include_str!("data.txt");
const PASSWORD: &str = "the-right-one";

fn fake() -> FakeSentinels {
    FakeSentinels::new("mymaster").password(PASSWORD).lone_server("10.0.0.9")
}

fn called(servers: impl IntoIterator<Item = String>, sentinels: &[String]) -> Vec<(String, &'static str)> {
    let watching = ["ONE", "TWO", "THREE"];
    servers.into_iter().zip(NAMES).chain(sentinels.iter().cloned().zip(watching)).collect()
}

fn simulated_world(dir: &tempfile::TempDir, fake: &FakeSentinels) -> World {
    let password = secret(dir, "password", PASSWORD);
    let host = fake.on(SimHost::new("sim"));
    let addresses = ["10.0.0.1:6379", "10.0.0.2:6379", "10.0.0.3:6379", "10.0.0.9:6379"].map(str::to_owned);
    let node = |address: &String| {
        node(Redis::at(format!("redis://{address}")).password(&password)).power(FakePower::of(address))
    };
    World {
        cx: Context::on(Arc::new(host)),
        sentinels: ours().password(&password),
        nodes: addresses[..3].iter().map(node).collect(),
        names: called(addresses, &fake.sentinels()),
        password,
        backups: "/backups".into(),
    }
}

#[tokio::test(start_paused = true)]
async fn the_simulated_sentinels_say_what_the_real_ones_said() {
    let dir = tempfile::tempdir().expect("a directory");
    agree(&suite(&simulated_world(&dir, &fake())).await, SAID);
}

#[tokio::test(start_paused = true)]
async fn the_simulated_servers_restore_as_the_real_ones_did() {
    let dir = tempfile::tempdir().expect("a directory");
    for fake in [fake(), fake().append_only()] {
        agree(&data(&simulated_world(&dir, &fake)).await, DATA);
    }
}

#[tokio::test(start_paused = true)]
#[ignore = "takes a minute: tests/all runs it"]
async fn simulated_sentinels_that_are_wrong_are_noticed() {
    let broken = [
        fake().fault(Fault::ReplicasStay),
        fake().fault(Fault::RefusesWrites),
        fake().fault(Fault::DeafSentinel),
        fake().priority("10.0.0.2:6379", 0),
        fake().text("surprise", "words"),
        fake().believes("10.0.0.3:26379", "10.0.0.2:6379"),
        fake().down("10.0.0.3:6379"),
    ];
    for (n, fake) in broken.into_iter().enumerate() {
        let said = tokio::spawn(async move {
            let dir = tempfile::tempdir().expect("a directory");
            suite(&simulated_world(&dir, &fake)).await
        });
        let same = said.await.is_ok_and(|said| is_same(&said, SAID));
        assert!(!same, "{n} is broken, and nobody noticed");
    }
}

/// The processes of `tests/services/redis-sentinel`, in their directories.
struct Process(std::path::PathBuf);

impl Process {
    fn command(&self, script: &str) -> Command {
        Command::new("sh").args(["-c", script]).dir(&self.0)
    }
}

#[async_trait]
impl Power for Process {
    async fn stop(&self, cx: &Context) -> Result<()> {
        cx.run(&self.command("[ ! -e pid ] || kill $(cat pid); while [ -e pid ]; do sleep 0.05; done")).await.map(drop)
    }

    async fn start(&self, cx: &Context) -> Result<()> {
        cx.run(&self.command("[ -e pid ] || redis-server redis.conf")).await.map(drop)
    }

    fn by_hand(&self) -> (Vec<String>, Vec<String>) {
        Default::default()
    }
}

fn real_world(dir: &tempfile::TempDir) -> World {
    let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name}: tests/services/redis-sentinel"));
    let list = |name: &str| variable(name).split(' ').map(str::to_owned).collect::<Vec<_>>();
    let (servers, watching) = (list("RUNBOOK_TEST_SENTINEL_SERVERS"), list("RUNBOOK_TEST_SENTINELS"));
    let home = std::path::PathBuf::from(variable("RUNBOOK_TEST_SENTINEL_DIR"));
    let password = secret(dir, "password", &variable("RUNBOOK_TEST_SENTINEL_PASSWORD"));
    let node = |address: &String| {
        let (_, port) = address.rsplit_once(':').expect("an address");
        node(Redis::at(format!("redis://{address}")).password(&password)).power(Process(home.join(port)))
    };
    World {
        cx: Context::local(),
        sentinels: sentinels("mymaster").at(&watching).password(&password),
        nodes: servers[..3].iter().map(node).collect(),
        names: called(servers.clone(), &watching),
        backups: dir.path().join("backups"),
        password,
    }
}

/// One after the other, because they are the same servers.
#[tokio::test]
#[ignore = "needs Redis with Sentinel: tests/all runs it"]
async fn the_real_redis_with_sentinel_says_what_it_said() {
    let dir = tempfile::tempdir().expect("a directory");
    let world = real_world(&dir);
    agree(&suite(&world).await, SAID);
    data_agrees(&world).await;
    for name in ["MASTER", "FIRST", "SECOND"] {
        let server = world.server(name);
        server.tell(&world.cx, &["CONFIG", "SET", "appendonly", "yes"]).await.expect("is set");
        server.tell(&world.cx, &["CONFIG", "REWRITE"]).await.expect("is written");
    }
    data_agrees(&world).await;
}

async fn data_agrees(world: &World) {
    let said = data(world).await;
    match std::env::var("RUNBOOK_RECORD") {
        Ok(path) => std::fs::write(path + ".data", said.join("\n") + "\n").expect("is written"),
        Err(_) => agree(&said, DATA),
    }
}
