//! The steps against a simulated Redis, and the simulated one against the real one, which `tests/services/redis` starts.

use std::sync::Arc;

use runbook::testing::{Rig, SimHost, explore};
use runbook::{
    Check, CheckExt as _, Context, ErrorKind, Finding, Result, Rollback, Run, Secret, Step, Survey, Units as _,
};
use runbook_macros::procedure;

use super::*;
use crate::backup::NoBackup;
use crate::sizes::{Bytes, Sizes as _};

mod conformance;
mod sentinel;

const URL: &str = "redis://127.0.0.1:6379/0";

fn cx(fake: &Fake) -> Context {
    Context::on(Arc::new(fake.on(SimHost::new("web-1"))))
}

/// A secret as a file holds it.
fn secret(dir: &tempfile::TempDir, name: &str, value: &str) -> Secret {
    std::fs::write(dir.path().join(name), value).expect("is written");
    Secret::file(dir.path().join(name))
}

async fn ask(cx: &Context, check: impl Check) -> Finding {
    check.check(cx).await.expect("is asked")
}

#[procedure]
async fn clear(run: &Run) -> Result<()> {
    run.step("Delete the queue", Redis::at(URL).delete("celery")).await?;
    run.step("And a text", Redis::at(URL).delete("text")).await?;
    run.step("And nothing", Redis::at(URL).delete("none")).await?;
    Ok(())
}

#[tokio::test]
async fn a_deleted_key_is_gone_or_back() {
    let fake = || Fake::new().list(URL, "celery", ["b", "a"]).text(URL, "text", "words").text(URL, "other", "stays");
    explore::<clear>(move || Rig::new().host(&fake().on(SimHost::new("web-1"))), runbook::NoInput {}).await.is_sound();
}

#[tokio::test]
async fn memory_is_judged_by_its_limit() {
    let redis = Redis::at(URL);
    let full = cx(&Fake::new().memory(9.mib(), 10.mib()));
    let finding = ask(&full, redis.memory().at_most(80.percent())).await;
    assert_eq!(
        finding.evidence().summary,
        "redis://127.0.0.1:6379/0 holds 9 MiB, of at most 10 MiB, noeviction; wanted at most 80%"
    );
    assert!(matches!(finding, Finding::Fail(_)));
    assert!(ask(&full, redis.memory().at_most(95.percent())).await.passes());
    assert!(ask(&cx(&Fake::new().memory(9.mib(), Bytes(0))), redis.memory().at_most(80.percent())).await.passes());
}

#[tokio::test]
async fn an_old_server_fails_and_one_that_is_down_is_unknown() {
    let redis = Redis::at(URL);
    let old = cx(&Fake::new().version("6.2.1"));
    assert!(matches!(ask(&old, redis.version().at_least("7")).await, Finding::Fail(_)));
    assert!(ask(&old, redis.version().at_least("6.2")).await.passes());
    let down = cx(&Fake::new().down());
    let error = redis.not_growing("celery", 1.seconds()).check(&down).await.expect_err("is not known");
    assert_eq!(error.kind(), ErrorKind::Transient);
    for answer in [redis.ping().check(&down).await, redis.version().check(&down).await] {
        assert_eq!(answer.expect("is asked").word(), "unknown");
    }
    let bare = Context::on(Arc::new(SimHost::new("bare")));
    let error = redis.ping().check(&bare).await.expect_err("cannot be asked");
    assert!(error.advice().is_some_and(|hint| hint.contains("redis-tools")), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_grows_is_noticed() {
    let (redis, cx) = (Redis::at(URL), cx(&Fake::new().list(URL, "celery", ["a"])));
    let growing = redis.not_growing("celery", 30.seconds());
    let push = async {
        cx.pause(10.seconds()).await?;
        redis.require(&cx, ["LPUSH", "celery", "b"]).await
    };
    let (finding, pushed) = tokio::join!(growing.check(&cx), push);
    pushed.expect("is pushed");
    let finding = finding.expect("is asked");
    assert_eq!(finding.evidence().summary, "celery went from 1 to 2 in 30s: growing by 2 a minute");
    assert!(matches!(finding, Finding::Fail(_)));
    assert_eq!(ask(&cx, growing).await.evidence().summary, "celery went from 2 to 2 in 30s: steady");
}

/// What `redis-cli -n 99 flushdb` does is to empty database 0, and to exit with 0.
#[tokio::test]
async fn a_database_that_is_not_there_is_no_other() {
    let cx = cx(&Fake::new().text(URL, "precious", "words"));
    let wrong = Redis::at("redis://127.0.0.1:6379/99");
    for error in [
        wrong.flush(NoBackup::because("a test")).survey(&cx).await.map(drop),
        wrong.flush(NoBackup::because("a test")).apply(&cx, &FlushBefore { keys: 1 }).await.map(drop),
        wrong.delete("precious").survey(&cx).await.map(drop),
    ] {
        assert!(error.expect_err("is refused").to_string().contains("out of range"));
    }
    assert!(matches!(ask(&cx, wrong.ping()).await, Finding::Fail(_)));
    assert_eq!(Redis::at(URL).require(&cx, ["GET", "precious"]).await.expect("is there"), "words");
}

#[tokio::test]
async fn nobody_there_is_unknown() {
    let finding = ask(&cx(&Fake::new().down()), Redis::at("redis://127.0.0.1:1/0").ping().within(1.millis())).await;
    assert!(matches!(finding, Finding::Unknown(_)), "{finding:?}");
}
