//! Redis with Sentinel: the steps against simulated servers, and those against the real ones, which
//! `tests/services/redis-sentinel` starts.

use runbook::NoInput;

use super::*;
use crate::backup;
use crate::redis::{Fault, Setting, sentinels};
use crate::taking::{before, change, take};

mod conformance;

fn simulated() -> FakeSentinels {
    FakeSentinels::new("mymaster").text("greeting", "hello")
}

fn ours() -> Sentinels {
    sentinels("mymaster").at(simulated().sentinels())
}

const FIRST: &str = "10.0.0.1:6379";
const SECOND: &str = "10.0.0.2:6379";

fn cx_of(fake: &FakeSentinels) -> Context {
    Context::on(Arc::new(fake.on(SimHost::new("ops-1"))))
}

/// What servers that run write to their disks meanwhile is not of the steps.
fn rig_of(fake: &FakeSentinels) -> Rig {
    Rig::new().host(&fake.on(SimHost::new("ops-1").dir("/backups")).ignoring("/data"))
}

fn server(n: u8) -> Node {
    let address = format!("10.0.0.{n}:6379");
    node(Redis::at(format!("redis://{address}"))).power(FakePower::of(&address)).data_at(format!("/data/10.0.0.{n}"))
}

fn servers() -> Servers {
    ours().servers((1..=3).map(server))
}

#[procedure]
async fn fail_over(run: &Run) -> Result<()> {
    let moved = run.step("Fail over", ours().failover()).await?;
    assert!(moved.to.is_empty() || moved.to != moved.from);
    Ok(())
}

#[procedure]
async fn fail_over_to(run: &Run) -> Result<()> {
    run.step("Fail over", ours().failover().to("10.0.0.3:6379")).await?;
    Ok(())
}

#[procedure]
async fn set(run: &Run) -> Result<()> {
    run.step("Set", ours().set(Setting::ParallelSyncs(2)).and(Setting::Quorum(3))).await?;
    Ok(())
}

#[procedure]
async fn add(run: &Run) -> Result<()> {
    run.step("Add", ours().add_replica(&Redis::at("redis://10.0.0.9:6379"))).await?;
    Ok(())
}

#[procedure]
async fn back_up(run: &Run) -> Result<()> {
    run.step("Back up", servers().back_up().into_dir("/backups/redis")).await?;
    Ok(())
}

#[procedure]
async fn restore(run: &Run) -> Result<()> {
    let snapshot = run.step("Find the backup", backup::latest("/backups").snapshot()).await?;
    run.step("Restore", servers().restore(&snapshot)).await?;
    Ok(())
}

#[tokio::test]
#[ignore = "takes a minute: tests/all runs it"]
async fn another_one_takes_over_or_none() {
    explore::<fail_over>(|| rig_of(&simulated()), NoInput {}).await.is_sound();
    explore::<fail_over_to>(|| rig_of(&simulated()), NoInput {}).await.is_sound();
}

#[tokio::test]
async fn every_sentinel_is_set_or_none() {
    explore::<set>(|| rig_of(&simulated()), NoInput {}).await.is_sound();
}

#[tokio::test]
#[ignore = "takes a minute: tests/all runs it"]
async fn a_server_becomes_a_replica_or_stays_what_it_was() {
    explore::<add>(|| rig_of(&simulated().lone_server("10.0.0.9")), NoInput {}).await.is_sound();
}

#[tokio::test]
#[ignore = "takes a minute: tests/all runs it"]
async fn a_backup_is_made_or_not() {
    explore::<back_up>(|| rig_of(&simulated()), NoInput {}).await.is_sound();
}

/// A backup of other data than the servers hold.
async fn an_older_one() -> (String, String) {
    let older = FakeSentinels::new("mymaster").text("greeting", "hello").text("older", "words");
    let host = older.on(SimHost::new("ops-1").dir("/backups"));
    let cx = Context::on(Arc::new(host.clone()));
    let made = take(&cx, &servers().back_up().into_dir("/backups")).await.expect("is backed up");
    (host.read(made.path.join("redis.json")), host.read(made.dump()))
}

fn with_backup(fake: &FakeSentinels, (about, dump): &(String, String)) -> SimHost {
    let dir = std::path::Path::new("/backups/mymaster-20250715T100000Z");
    fake.on(SimHost::new("ops-1").file(dir.join("redis.json"), about).file(dir.join("dump.rdb"), dump))
}

#[tokio::test(start_paused = true)]
#[ignore = "takes minutes: tests/all runs it"]
async fn a_restore_ends_with_the_one_data_or_the_other() {
    let older = an_older_one().await;
    for fake in [simulated(), simulated().append_only()] {
        let older = older.clone();
        // The replicas write what they take over when they come to it; that of the master is what is restored.
        let rig = move || {
            let host = with_backup(&fake, &older).ignoring("/data/10.0.0.2").ignoring("/data/10.0.0.3");
            Rig::new().host(&host)
        };
        explore::<restore>(rig, NoInput {}).await.is_sound();
    }
}

async fn word_of(fake: &FakeSentinels, check: impl Check) -> (&'static str, String) {
    let finding = ask(&cx_of(fake), check).await;
    (finding.word(), finding.evidence().summary.clone())
}

#[tokio::test(start_paused = true)]
async fn the_master_is_who_a_majority_names() {
    let one_differs = simulated().believes("10.0.0.3:26379", SECOND);
    let all_differ = one_differs.clone().believes("10.0.0.2:26379", "10.0.0.3:6379");
    let two_down = simulated().down("10.0.0.3:26379").down("10.0.0.2:26379");
    for (fake, master, healthy) in [
        (simulated(), "pass", "pass"),
        (one_differs, "pass", "fail"),
        (all_differ, "fail", "fail"),
        (simulated().down("10.0.0.3:26379"), "pass", "fail"),
        (two_down, "unknown", "unknown"),
        (simulated().down(SECOND), "pass", "fail"),
    ] {
        assert_eq!(word_of(&fake, ours().has_master()).await.0, master, "{fake:?}");
        assert_eq!(word_of(&fake, ours().healthy().replicas(2)).await.0, healthy, "{fake:?}");
    }
    // Who is asked alone knows of the others, and speaks for none of them.
    let alone = sentinels("mymaster").at(["10.0.0.1:26379"]);
    let (word, said) = word_of(&simulated(), alone.has_master()).await;
    assert_eq!((word, said.as_str()), ("unknown", "no 2 of 3 sentinels name one master `mymaster`"));
    let nobody = sentinels("mymaster").has_master().check(&cx_of(&simulated())).await.expect_err("is refused");
    assert!(nobody.advice().is_some_and(|hint| hint.contains(".at(")), "{nobody:?}");
}

#[tokio::test(start_paused = true)]
async fn without_a_replica_that_may_be_promoted_none_takes_over() {
    let never = simulated().priority(SECOND, 0).priority("10.0.0.3:6379", 0);
    let (word, said) = word_of(&never, ours().can_fail_over()).await;
    assert_eq!(word, "fail", "{said}");
    let (_, failed) = change(&cx_of(&never), &ours().failover()).await;
    let error = failed.expect_err("none is promoted");
    assert!(error.to_string().contains("NOGOODSLAVE"), "{error:#}");
    let gone = simulated().down(SECOND).down("10.0.0.3:6379");
    let error = ours().failover().survey(&cx_of(&gone)).await.expect_err("is refused");
    assert!(error.to_string().contains("no replica"), "{error:#}");
    let error = ours().failover().to("10.0.0.7:6379").survey(&cx_of(&simulated())).await.expect_err("is refused");
    assert!(error.to_string().contains("is no replica that follows"), "{error:#}");
}

/// `SENTINEL FAILOVER` said `OK` each time.
#[tokio::test(start_paused = true)]
async fn a_failover_that_is_none_fails() {
    for (fault, words) in [(Fault::ReplicasStay, "10.0.0."), (Fault::RefusesWrites, "MISCONF")] {
        let cx = cx_of(&simulated().fault(fault));
        let (_, failed) = change(&cx, &ours().failover().within(30.seconds())).await;
        let error = format!("{:#}", failed.expect_err("is not done"));
        assert!(error.contains(words) && error.contains("still so after 30s"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_old_master_is_told_at_once() {
    let cx = cx_of(&simulated());
    let (_, moved) = change(&cx, &ours().failover()).await;
    let moved = moved.expect("fails over");
    assert_eq!((moved.from.as_str(), moved.epoch), (FIRST, moved.epoch_before + 1));
    let old = Redis::at(format!("redis://{FIRST}")).is_replica().of(&moved.to);
    assert!(ask(&cx, old).await.passes());
}

#[tokio::test(start_paused = true)]
async fn an_undo_waits_for_no_master_that_is_gone() {
    let fake = simulated();
    let host = fake.on(SimHost::new("ops-1"));
    let cx = Context::on(Arc::new(host.clone()));
    let (before, moved) = change(&cx, &ours().failover().within(20.seconds())).await;
    let moved = moved.expect("fails over");
    cx.run(&runbook::Command::new("redis-power").args(["stop", FIRST])).await.expect("is stopped");
    let error = ours().failover().within(20.seconds()).rollback(&cx, &before).await.expect_err("cannot go back");
    assert!(error.advice().is_some_and(|hint| hint.contains(&moved.to)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_sentinel_that_takes_nothing_over_is_noticed() {
    let cx = cx_of(&simulated().fault(Fault::DeafSentinel));
    let (_, set) = change(&cx, &ours().set(Setting::ParallelSyncs(2))).await;
    let error = set.expect_err("one is deaf");
    assert_eq!(error.lines(), ["~ parallel-syncs of 10.0.0.3:26379: 1 -> 2"], "{error:?}");
    let down = simulated().down("10.0.0.3:26379");
    let error = ours().set(Setting::ParallelSyncs(2)).survey(&cx_of(&down)).await.expect_err("all, or none");
    assert_eq!(error.kind(), ErrorKind::Transient);
}

#[tokio::test(start_paused = true)]
async fn what_holds_keys_of_its_own_becomes_no_replica() {
    let cx = cx_of(&simulated().lone_server("10.0.0.9"));
    let server = Redis::at("redis://10.0.0.9:6379");
    server.require(&cx, ["SET", "precious", "words"]).await.expect("is set");
    let error = ours().add_replica(&server).survey(&cx).await.expect_err("is refused");
    assert!(error.to_string().contains("holds keys of its own"), "{error:#}");
    let error = ours().add_replica(&Redis::at(format!("redis://{FIRST}"))).survey(&cx).await.expect_err("is refused");
    assert!(error.to_string().contains("is the master itself"), "{error:#}");
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_was_not_written_is_no_backup() {
    let cx = cx_of(&simulated().fault(Fault::SaveFails));
    let (before, failed) = change(&cx, &servers().back_up().into_dir("/backups")).await;
    assert!(failed.expect_err("is not written").to_string().contains("could not write its data"));
    servers().back_up().into_dir("/backups").rollback(&cx, &before).await.expect("is undone");
    assert!(cx.files().stat("/backups".as_ref()).await.expect("is looked at").is_none());
}

/// After a failover, the first one is a replica: its files are not those to back up, whatever it is called.
#[tokio::test(start_paused = true)]
async fn a_backup_is_one_of_the_master() {
    let cx = cx_of(&simulated());
    take(&cx, &ours().failover().to(SECOND)).await.expect("fails over");
    let made = take(&cx, &servers().back_up().into_dir("/backups")).await.expect("is backed up");
    assert_eq!((made.server.as_str(), made.keys), ("redis://10.0.0.2:6379", 1));
    let found = take(&cx, &backup::latest("/backups").of("mymaster").snapshot()).await.expect("is found");
    assert_eq!(found, made);
    assert!(ask(&cx, backup::fresh("/backups", 1.hours()).snapshot()).await.passes());
}

#[tokio::test(start_paused = true)]
async fn a_damaged_backup_stops_nothing() {
    let (about, dump) = an_older_one().await;
    let host = with_backup(&simulated(), &(about, dump.replace("hello", "jello")));
    let cx = Context::on(Arc::new(host.clone()));
    let snapshot = take(&cx, &backup::latest("/backups").snapshot()).await.expect("is found");
    let (before, failed) = change(&cx, &servers().restore(&snapshot)).await;
    assert!(failed.expect_err("is damaged").to_string().contains("checksum"));
    assert!(!host.calls().iter().any(|call| call.contains("redis-power stop")), "{:?}", host.calls());
    servers().restore(&snapshot).rollback(&cx, &before).await.expect("is undone");
    assert!(ask(&cx, ours().healthy().replicas(2)).await.passes());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_loads_something_else_is_noticed() {
    let older = an_older_one().await;
    let cx = Context::on(Arc::new(with_backup(&simulated().fault(Fault::LoadsNothing), &older)));
    let snapshot = take(&cx, &backup::latest("/backups").snapshot()).await.expect("is found");
    let (_, failed) = change(&cx, &servers().restore(&snapshot)).await;
    let error = failed.expect_err("nothing is loaded");
    assert_eq!(error.to_string(), "redis://10.0.0.1:6379 loaded 0 keys, and the snapshot has 2");
}

/// While a replica is down, a sentinel may find the master at its last address, and have it follow itself.
#[tokio::test(start_paused = true)]
async fn a_sentinel_with_an_old_address_does_not_take_the_master_away() {
    let host = with_backup(&simulated().fault(Fault::OldAddresses), &an_older_one().await);
    let cx = Context::on(Arc::new(host.clone()));
    let snapshot = take(&cx, &backup::latest("/backups").snapshot()).await.expect("is found");
    let restored = take(&cx, &servers().restore(&snapshot)).await.expect("is restored");
    assert_eq!((restored.loaded, restored.replicas.len()), (2, 2));
    assert!(host.calls().iter().any(|call| call.contains("CLIENT KILL")), "{:?}", host.calls());
    assert!(ask(&cx, ours().healthy().replicas(2)).await.passes());
}

/// A replica nobody told the step of has newer data, and might be promoted.
#[tokio::test(start_paused = true)]
async fn a_replica_that_was_left_out_is_no_surprise() {
    let cx = Context::on(Arc::new(with_backup(&simulated(), &an_older_one().await)));
    let snapshot = take(&cx, &backup::latest("/backups").snapshot()).await.expect("is found");
    let two = ours().servers([server(1), server(2)]);
    let error = two.restore(&snapshot).survey(&cx).await.expect_err("is refused");
    assert!(error.to_string().contains("10.0.0.3:6379 is none of the servers"), "{error:#}");
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_misses_is_noticed() {
    let redis = Redis::at(URL);
    let cx = cx(&Fake::new().text(URL, "a", "1").text(URL, "b", "2").lookups(90, 10));
    assert!(ask(&cx, redis.hit_rate().at_least(90.percent())).await.passes());
    let finding = ask(&cx, redis.hit_rate().at_least(91.percent())).await;
    let said = "redis://127.0.0.1:6379/0 found 90 of 100 keys since its start, wanted 91%";
    assert_eq!((finding.word(), finding.evidence().summary.as_str()), ("fail", said));
    assert_eq!(ask(&cx, redis.hit_rate().over(1.minutes()).at_least(50.percent())).await.word(), "unknown");
    assert!(ask(&cx, redis.key_count().at_least(2).at_most(2)).await.passes());
    let finding = ask(&cx, redis.key_count().at_least(3)).await;
    assert_eq!(finding.evidence().summary, "redis://127.0.0.1:6379/0 holds 2 keys, wanted at least 3");
    take(&cx, &redis.takes_writes()).await.expect("takes writes");
    assert!(ask(&cx, redis.key_count().at_most(2)).await.passes());
}
