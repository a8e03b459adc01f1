//! The checks against a simulated Prometheus, and the simulated one against the real one, which
//! `tests/services/prometheus` starts.

use runbook::testing::Rig;
use runbook::{Check, Context, ErrorKind, Finding, Gauge as _, Reaction, Result, Run, Trigger, Units as _};
use runbook_macros::procedure;

use super::*;
use crate::http;

mod conformance;

const URL: &str = "http://prometheus:9090";

fn cx(fake: &Fake) -> Context {
    Context::local().with_port(fake.on(http::Fake::new(), URL).port())
}

async fn ask(fake: &Fake, check: impl Check) -> Finding {
    check.check(&cx(fake)).await.expect("is asked")
}

fn says(finding: &Finding, word: &str, words: &str) {
    assert!(finding.word() == word && finding.evidence().summary.contains(words), "{word} {words}: {finding:?}");
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_not_there_is_not_up() {
    let prometheus = at(URL);
    let fake = Fake::new().target("api", "api-1:8000").target("api", "api-2:8000").target("redis", "redis:9121");
    says(&ask(&fake, prometheus.targets().job("api", 2).jobs(["redis"])).await, "pass", "3 targets up: api 2, redis 1");
    says(&ask(&fake, prometheus.targets().job("api", 3)).await, "fail", "job `api` has 2 targets, wanted 3");
    says(&ask(&fake, prometheus.targets().jobs(["node"])).await, "fail", "job `node` has no target");
    says(&ask(&Fake::new(), prometheus.targets()).await, "fail", "no targets");
    let fake = fake.target_down("node", "node:9100", "connection refused");
    says(&ask(&fake, prometheus.targets()).await, "fail", "node node:9100 is down: connection refused");
    says(&ask(&fake, prometheus.targets().job("api", 2).and_no_others()).await, "pass", "2 targets up");
}

#[tokio::test(start_paused = true)]
async fn a_target_that_nobody_scraped_is_unknown() {
    let new = Fake::new().target("api", "api-1:8000").target_new("api", "api-2:8000");
    says(&ask(&new, at(URL).targets()).await, "unknown", "api api-2:8000 was not scraped yet");
    let forgotten = Fake::new().target_forgotten("api", "api-1:8000", 300);
    says(&ask(&forgotten, at(URL).targets()).await, "unknown", "was last scraped 300 s ago");
}

#[tokio::test(start_paused = true)]
async fn no_data_and_no_number_and_no_longer_are_each_unknown() {
    let limit = |expression: &str| at(URL).query(expression).below(0.05);
    let fake = Fake::new().value("ratio", f64::NAN).value("errors", 0.01).value_at("gone", [], |ago| {
        // It stopped half a minute ago.
        (ago >= 25.0).then_some(0.01)
    });
    says(&ask(&fake, limit("errors")).await, "pass", "errors is 0.01, below 0.05");
    says(&ask(&fake, limit("nothing")).await, "unknown", "no data for `nothing`");
    says(&ask(&fake, limit("ratio")).await, "unknown", "ratio is not a number; wanted below 0.05");
    says(&ask(&fake, limit("gone")).await, "unknown", "stale: `gone` had values within the last hour");
    says(&ask(&fake, limit("errors").over(5.minutes())).await, "pass", "errors was 0.01 to 0.01 for 300s");
    says(&ask(&fake, limit("nothing").over(5.minutes())).await, "unknown", "no data");
    says(&ask(&fake, limit("ratio").over(5.minutes())).await, "unknown", "not a number at 21 of 21 times");
    says(&ask(&fake, limit("gone").over(5.minutes())).await, "unknown", "gone is stale: its last value is of 30 s ago");
    let hint = ask(&fake, limit("nothing")).await.evidence().lines.concat();
    assert!(hint.contains("or vector(0)"), "{hint}");
}

#[tokio::test(start_paused = true)]
async fn one_value_beyond_the_limit_is_a_no_whatever_is_missing() {
    let fake = Fake::new()
        .value_at("p95", [("instance", "api-1")], |_| Some(0.1))
        .value_at("p95", [("instance", "api-2")], |ago| Some(if (55.0..85.0).contains(&ago) { 0.9 } else { 0.1 }))
        .value_at("p95", [("instance", "api-3")], |ago| (ago < 50.0).then_some(0.1));
    let p95 = at(URL).query("p95").at_most(0.5);
    says(&ask(&fake, p95.clone()).await, "pass", "{instance=\"api-1\"} is 0.1, at most 0.5; 2 more series hold too");
    let beyond = ask(&fake, p95.clone().over(5.minutes())).await;
    says(&beyond, "fail", "{instance=\"api-2\"} is 0.9 ");
    says(&beyond, "fail", "and beyond at 2 of 21 times; wanted at most 0.5");
    let fake = fake.forgets("p95").value_at("p95", [], |ago| (ago < 50.0).then_some(0.1));
    says(&ask(&fake, p95.over(5.minutes())).await, "unknown", "has no data at 17 of 21 times");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_may_not_be_whole_does_not_pass() {
    let fake = Fake::new().value("errors", 0.01).warns("a store was not reached");
    let finding = ask(&fake, at(URL).query("errors").below(0.05)).await;
    says(&finding, "unknown", "but the server warns");
    assert_eq!(finding.evidence().lines, ["a store was not reached"]);
    says(&ask(&fake, at(URL).query("errors").below(0.001)).await, "fail", "errors is 0.01");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_down_is_unknown_and_a_wrong_expression_an_error() {
    let down = Context::local().with_port(http::Fake::new().port());
    let error = at(URL).query("up").below(1.0).check(&down).await.expect_err("is not asked");
    assert_eq!(error.kind(), ErrorKind::Transient);
    let fake = Fake::new().refuses("rate(", "parse error: unclosed left parenthesis");
    let error = at(URL).query("rate(").below(1.0).check(&cx(&fake)).await.expect_err("is refused");
    assert_eq!(error.kind(), ErrorKind::Failed);
    assert!(error.message().contains("unclosed left parenthesis"), "{error:?}");
    let other = http::Fake::new().answers(URL, http::Response::text(502, "<html>Bad Gateway</html>"));
    let error = at(URL).targets().check(&Context::local().with_port(other.port())).await.expect_err("is a proxy");
    assert!(error.is_transient() && error.message().contains("502"), "{error:?}");
    let other = http::Fake::new().answers(URL, http::Response::text(200, "<html>Welcome</html>"));
    let error = at(URL).targets().check(&Context::local().with_port(other.port())).await.expect_err("is another");
    assert_eq!(error.kind(), ErrorKind::Unknown);
}

#[tokio::test(start_paused = true)]
async fn rules_are_loaded_and_say_which_fire() {
    let prometheus = at(URL);
    let quiet = Fake::new().rule("HighErrorRate", false).rule("InstanceDown", false);
    let named = prometheus.rules().named(["HighErrorRate", "InstanceDown"]);
    says(&ask(&quiet, named.clone().none_fires()).await, "pass", "2 rules are loaded, none fires");
    let fires = Fake::new().rule("HighErrorRate", true).rule("InstanceDown", false);
    says(&ask(&fires, named.clone()).await, "pass", "`HighErrorRate` fires");
    says(&ask(&fires, named.clone().none_fires()).await, "fail", "`HighErrorRate` fires; 2 rules");
    says(&ask(&fires, prometheus.rules().fires(["HighErrorRate"])).await, "pass", "`HighErrorRate` fires");
    says(&ask(&fires, prometheus.rules().fires(["InstanceDown"])).await, "fail", "`InstanceDown` does not fire");
    says(&ask(&fires, prometheus.rules().named(["Other"])).await, "fail", "rule `Other` is not loaded");
    says(&ask(&Fake::new(), prometheus.rules()).await, "fail", "no rules are loaded");
    says(&ask(&fires.rule_new("New"), prometheus.rules()).await, "unknown", "rule `New` was not evaluated yet");
    says(&ask(&quiet.rule_broken("Bad"), prometheus.rules()).await, "fail", "rule `Bad` cannot be evaluated");
}

#[tokio::test(start_paused = true)]
async fn it_has_to_know_an_alertmanager() {
    says(&ask(&Fake::new(), at(URL).alertmanagers()).await, "fail", "sent nowhere");
    let fake = Fake::new().alertmanager("http://alertmanager:9093");
    says(&ask(&fake, at(URL).alertmanagers()).await, "pass", "http://alertmanager:9093/api/v2/alerts");
    says(&ask(&fake, at(URL).alertmanagers().at_least(2)).await, "fail", "wanted 2");
}

#[tokio::test(start_paused = true)]
async fn a_gauge_is_one_number_or_none() {
    let fake = Fake::new().value("one", 2.0).value_at("two", [("n", "1")], |_| Some(1.0));
    let fake = fake.value_at("two", [("n", "2")], |_| Some(1.0));
    let measure = async |expression: &str| at(URL).query(expression).measure(&cx(&fake)).await;
    assert_eq!(measure("one").await.expect("is measured"), Some(2.0));
    assert_eq!(measure("none").await.expect("is measured"), None);
    assert!(measure("two").await.expect_err("is not one").advice().is_some_and(|hint| hint.contains("sum")));
}

#[procedure]
async fn guarded(run: &Run) -> Result<()> {
    let errors = at(URL).query("errors");
    let trigger = Trigger::above("errors", errors, 0.05).window(1.minutes()).no_data(Reaction::Report);
    let body = async |_: &Run| {
        tokio::time::sleep(10.minutes()).await;
        Ok(())
    };
    run.guard([trigger], body).await
}

#[tokio::test(start_paused = true)]
async fn a_guard_watches_a_query() {
    let rig = |fake: &Fake| Rig::new().port(fake.on(http::Fake::new(), URL).port());
    let fine = Fake::new().value("errors", 0.01);
    rig(&fine).run::<guarded>(runbook::NoInput {}).await.succeeds();
    let bad = rig(&Fake::new().value("errors", 0.2)).run::<guarded>(runbook::NoInput {}).await.refuses();
    assert!(bad.error().is_some_and(|error| format!("{error:#}").contains("0.2 is above 0.05")), "{:?}", bad.error());
}

#[test]
fn a_check_describes_itself_from_its_own_fields() {
    let about = at(URL).query("rate(x[5m])").below(0.5).over(5.minutes()).describe();
    assert_eq!(about.kind, "prometheus.threshold");
    assert_eq!(about.line(), "rate(x[5m]) is below 0.5 all through 300s");
    assert_eq!(about.commands, ["curl -sS --data-urlencode 'query=rate(x[5m])' http://prometheus:9090/api/v1/query"]);
    let about = at(URL).targets().job("api", 3).describe();
    assert_eq!(about.line(), "all targets of http://prometheus:9090 are up, among them api 3");
}
