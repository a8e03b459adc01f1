//! The checks against a real Redis, which `tests/services/redis` starts.

use runbook::{Check, Context, Finding, Secret};

use super::*;

async fn ask(check: impl Check) -> Finding {
    check.check(&Context::local()).await.expect("is asked")
}

/// The claim of A3, A12, A13 and A17.2: `redis-cli ping` to a server that wants a password exits with 0.
#[tokio::test]
#[ignore = "needs Redis: tests/all runs it"]
async fn a_ping_without_the_password_fails_and_says_so() {
    let url = std::env::var("RUNBOOK_TEST_REDIS").expect("RUNBOOK_TEST_REDIS is a URL: tests/services/redis");
    let mut url = url::Url::parse(&url).expect("a URL");
    let dir = tempfile::tempdir().expect("a directory");
    let secret = |name: &str, value: &str| {
        std::fs::write(dir.path().join(name), value).expect("is written");
        Secret::file(dir.path().join(name))
    };
    let (right, wrong) = (secret("right", url.password().expect("has one")), secret("wrong", "not-the-password"));
    let error = Redis::at(url.as_str()).ping().check(&Context::local()).await.expect_err("is refused");
    assert!(!format!("{error:?}").contains(url.password().expect("has one")), "{error:?}");
    url.set_password(None).expect("can be without");
    let redis = Redis::at(url.as_str());

    let none = ask(redis.ping()).await;
    assert!(matches!(&none, Finding::Fail(evidence) if evidence.summary.contains("NOAUTH")), "{none:?}");
    let other = ask(redis.clone().password(&wrong).ping()).await;
    assert!(matches!(&other, Finding::Fail(evidence) if evidence.summary.contains("WRONGPASS")), "{other:?}");
    let redis = redis.password(&right);
    assert!(ask(redis.ping()).await.passes());
    assert!(ask(redis.list_length("celery").max(0)).await.passes());
    let length = ask(redis.list_length("no such list")).await;
    assert_eq!(length.evidence().summary, "no such list holds 0");
}

#[tokio::test]
async fn nobody_there_is_unknown() {
    let finding = ask(Redis::at("redis://127.0.0.1:1/0").ping()).await;
    assert!(matches!(finding, Finding::Unknown(_)), "{finding:?}");
}
