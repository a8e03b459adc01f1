//! The checks against a Jaeger that is Rust, simulated and behind a socket.

use jiff::{SignedDuration, Timestamp};
use runbook::{Check, Context, ErrorKind, Finding, Units as _};
use serde_json::json;

use super::*;
use crate::http;
use crate::serving::serve;

const URL: &str = "http://jaeger:16686";

fn cx(fake: &Fake) -> Context {
    Context::local().with_port(fake.on(http::Fake::new(), URL).port())
}

async fn ask(fake: &Fake, check: impl Check) -> Finding {
    check.check(&cx(fake)).await.expect("is asked")
}

fn says(finding: &Finding, word: &str, words: &str) {
    assert!(finding.word() == word && finding.evidence().summary.contains(words), "{word} {words}: {finding:?}");
}

/// So many seconds ago.
fn ago(seconds: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_secs(seconds)
}

fn fake() -> Fake {
    Fake::new()
        .trace("api", "GET /health", ago(600), 20.millis())
        .trace("api", "POST /analyze", ago(10), 1200.millis())
        .trace("web", "GET /", ago(10), 5.millis())
}

#[tokio::test]
async fn a_trace_from_before_the_run_is_none_of_it() {
    let traces = at(URL).traces("api");
    says(
        &ask(&fake(), traces.clone()).await,
        "pass",
        "2 traces of api of the last hour, the longest span 1200.0 ms in api",
    );
    says(&ask(&fake(), traces.clone().since(ago(60))).await, "pass", "1 traces of api since");
    says(&ask(&fake(), traces.clone().since(ago(1))).await, "fail", ", wanted 1");
    says(&ask(&fake(), traces.clone().since(ago(60)).at_least(2)).await, "fail", ", wanted 2");
    says(&ask(&fake(), traces.clone().operation("GET /health")).await, "pass", "1 traces of api GET /health");
    says(&ask(&fake(), traces.operation("GET /health").since(ago(60))).await, "fail", "0 traces");
    says(&ask(&fake(), at(URL).traces("jobs")).await, "fail", "it knows no such service, but api, web");
}

#[tokio::test]
async fn the_slowest_spans_come_first() {
    let spans = at(URL).traces("api").slowest(&cx(&fake()), 1).await.expect("are looked for");
    assert_eq!(spans[0].to_string(), "1200.0 ms in api POST /analyze (trace 0000000000000002)");
    assert_eq!(at(URL).traces("api").slowest(&cx(&fake()), 9).await.expect("are looked for").len(), 2);
}

#[tokio::test]
async fn an_error_in_a_good_answer_is_unknown() {
    let broken = json!({"data": null, "errors": [{"code": 500, "msg": "no storage"}]});
    let web = http::Fake::new().answers(URL, http::Response::json(200, broken));
    let error = at(URL).traces("api").check(&Context::local().with_port(web.port())).await.expect_err("is not known");
    assert_eq!((error.kind(), error.message()), (ErrorKind::Unknown, "http://jaeger:16686: no storage"));
    let other = http::Fake::new().answers(URL, http::Response::text(200, "<html>"));
    let error = at(URL).traces("api").check(&Context::local().with_port(other.port())).await.expect_err("is another");
    assert_eq!(error.kind(), ErrorKind::Unknown);
}

/// A server that heeds no time gives all it has: what is older does not count all the same.
#[tokio::test]
async fn it_is_the_same_over_the_network() {
    let there = fake();
    let url = serve(move |heard| {
        let timeless = heard.path.replace("start=", "x=").replace("end=", "y=");
        there.answer(&format!("{URL}{timeless}"))
    });
    let traces = at(url.await).traces("api");
    let finding = traces.clone().since(ago(60)).check(&Context::local()).await.expect("is asked");
    says(&finding, "pass", "1 traces of api since");
    says(&traces.since(ago(1)).check(&Context::local()).await.expect("is asked"), "fail", "0 traces");
}
