//! One suite for the real Redis and the simulated one.

use super::*;
use crate::conformance::{agree, is_same};

/// The servers of the suite: with a password, and a URL with its port.
struct World {
    cx: Context,
    url: String,
    right: Secret,
    wrong: Secret,
}

/// Runs it in databases 3 and 4, which it empties.
async fn suite(world: &World) -> Vec<String> {
    let World { cx, url, right, wrong } = world;
    let mut lines = Vec::new();
    let address = url.trim_start_matches("redis://").split('/').next().expect("an address").to_owned();
    let mut say = |words: String| lines.push(words.replace(&address, "ADDRESS"));
    let at = |database: u32| Redis::at(format!("redis://{address}/{database}"));
    let redis = at(3).password(right);

    for redis in [at(3), at(3).password(wrong), redis.clone(), at(99).password(right)] {
        say(told(redis.ping().check(cx).await));
        say(told(redis.version().at_least("7").check(cx).await).replace("7.0.15", "7"));
        say(told(redis.list_length("celery").max(1).check(cx).await));
        say(format!("{:?}", redis.delete("celery").survey(cx).await.map(|_| ()).map_err(|error| error.to_string())));
    }
    say(told(redis.version().at_least("900").check(cx).await).replace("7.0.15", "7"));
    let memory = redis.memory().at_most(1.gib()).check(cx).await.expect("is asked");
    say(format!("memory {}", memory.word()));
    say(told(redis.list_length("none").check(cx).await));

    let push = async |elements: &[&str]| {
        redis.require(cx, ["LPUSH", "celery"].iter().chain(elements).copied()).await.expect("is pushed");
    };
    let all = async || redis.require(cx, ["LRANGE", "celery", "0", "-1"]).await.expect("is listed").replace('\n', " ");
    push(&["a", "b", "c"]).await;
    redis.require(cx, ["SET", "text", "two words"]).await.expect("is set");
    say(told(redis.list_length("celery").max(2).check(cx).await));
    say(told(redis.list_length("text").max(2).check(cx).await));
    say(told(redis.not_growing("text", 1.millis()).check(cx).await));

    // There and back, twice each; then with what came meanwhile.
    let delete = redis.delete("celery");
    let Ok(Survey::Change { before, diff, .. }) = delete.survey(cx).await else { panic!("is there") };
    say(format!("{diff} {before:?}"));
    for _ in 0..2 {
        say(format!("{:?} {}", delete.apply(cx, &before).await, all().await));
    }
    say(format!("{:?}", delete.survey(cx).await.map(|survey| matches!(survey, Survey::Already(_)))));
    for _ in 0..2 {
        say(format!("{:?} {}", delete.rollback(cx, &before).await, all().await));
    }
    say(format!("expires {}", redis.require(cx, ["PTTL", "celery"]).await.expect("is asked")));
    delete.apply(cx, &before).await.expect("is deleted");
    push(&["d", "e"]).await;
    delete.rollback(cx, &before).await.expect("comes back");
    say(format!("merged {} {:?}", all().await, redis.require(cx, ["EXISTS", &before.kept_as]).await));

    // A text that expires, and one that was written since.
    redis.require(cx, ["PEXPIRE", "text", "100000"]).await.expect("expires");
    let delete = redis.delete("text");
    let Ok(Survey::Change { before, .. }) = delete.survey(cx).await else { panic!("is there") };
    delete.apply(cx, &before).await.expect("is deleted");
    let left = async |key: &str| redis.number(cx, ["PTTL", key]).await.expect("is asked");
    say(format!("kept {}", (90_000..=100_000).contains(&left(&before.kept_as).await)));
    delete.rollback(cx, &before).await.expect("comes back");
    say(format!("back {}", (90_000..=100_000).contains(&left("text").await)));
    delete.apply(cx, &before).await.expect("is deleted");
    redis.require(cx, ["SET", "text", "newer"]).await.expect("is set");
    say(format!("{:?}", delete.rollback(cx, &before).await.map_err(|error| format!("{error:#}"))));
    say(format!("{:?}", redis.require(cx, ["GET", "text"]).await));
    let for_good = redis.delete("text").for_good();
    say(format!("{:?}", for_good.apply(cx, &()).await));
    say(format!("{:?}", for_good.survey(cx).await.map(|survey| matches!(survey, Survey::Already(_)))));

    // One database, and no other.
    let other = at(4).password(right);
    other.require(cx, ["SET", "stays", "here"]).await.expect("is set");
    let flush = redis.flush(NoBackup::because("a test"));
    let Ok(Survey::Change { before, diff, .. }) = flush.survey(cx).await else { panic!("holds something") };
    say(format!("{diff}"));
    for _ in 0..2 {
        say(format!("{:?}", flush.apply(cx, &before).await));
    }
    say(format!("{:?}", flush.survey(cx).await.map(|survey| matches!(survey, Survey::Already(_)))));
    say(format!("{:?}", other.require(cx, ["GET", "stays"]).await));
    other.flush(NoBackup::because("a test")).apply(cx, &before).await.expect("is flushed");
    lines
}

fn told(answer: Result<Finding>) -> String {
    answer.map_or_else(
        |error| format!("{error:#}"),
        |finding| format!("{} {}", finding.word(), finding.evidence().summary),
    )
}

const SAID: &str = include_str!("conformance.txt");

fn simulated(dir: &tempfile::TempDir, host: SimHost) -> World {
    let cx = Context::on(Arc::new(host));
    World {
        cx,
        url: URL.to_owned(),
        right: secret(dir, "right", "the-right-one"),
        wrong: secret(dir, "wrong", "not-it"),
    }
}

fn fake() -> Fake {
    Fake::new().password("the-right-one")
}

#[tokio::test]
async fn the_simulated_redis_says_what_the_real_one_said() {
    let dir = tempfile::tempdir().expect("a directory");
    agree(&suite(&simulated(&dir, fake().on(SimHost::new("sim")))).await, SAID);
}

#[tokio::test]
async fn a_simulated_redis_that_is_wrong_is_noticed() {
    let pong = runbook::command::Output::ok("PONG\n");
    let broken = [
        Fake::new().on(SimHost::new("sim")),
        fake().version("6.0").on(SimHost::new("sim")),
        fake().text("redis://127.0.0.1:6379/3", "none", "x").on(SimHost::new("sim")),
        // What `redis-cli ping` of the document does: no matter what, it ends well.
        fake().on(SimHost::new("sim")).replies("redis-cli", pong),
    ];
    for (n, host) in broken.into_iter().enumerate() {
        let said = tokio::spawn(async move {
            let dir = tempfile::tempdir().expect("a directory");
            suite(&simulated(&dir, host)).await
        });
        let same = said.await.is_ok_and(|said| is_same(&said, SAID));
        assert!(!same, "{n} is broken, and nobody noticed");
    }
}

/// The claim of A3, A12, A13 and A17.2 is among it: `redis-cli ping` to a server that wants a password exits with 0.
#[tokio::test]
#[ignore = "needs Redis: tests/all runs it"]
async fn the_real_redis_says_what_it_said() {
    let url = std::env::var("RUNBOOK_TEST_REDIS").expect("RUNBOOK_TEST_REDIS is a URL: tests/services/redis");
    let mut url = url::Url::parse(&url).expect("a URL");
    let password = url.password().expect("has one").to_owned();
    let error = Redis::at(url.as_str()).ping().check(&Context::local()).await.expect_err("is refused");
    assert!(!format!("{error:?}").contains(&password), "{error:?}");
    url.set_password(None).expect("can be without");

    let by_hand = std::process::Command::new("redis-cli").args(["-u", url.as_str(), "ping"]).output().expect("runs");
    assert!(by_hand.status.success() && String::from_utf8_lossy(&by_hand.stdout).contains("NOAUTH"), "{by_hand:?}");

    let dir = tempfile::tempdir().expect("a directory");
    let (right, wrong) = (secret(&dir, "right", &password), secret(&dir, "wrong", "not-the-password"));
    agree(&suite(&World { cx: Context::local(), url: url.to_string(), right, wrong }).await, SAID);
}
