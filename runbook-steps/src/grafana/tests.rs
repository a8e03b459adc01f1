//! The checks against a Grafana as its documentation has it, simulated and behind a socket.

use runbook::{Check, Context, ErrorKind, Finding, Secret, Units as _};
use serde_json::json;

use super::*;
use crate::http;
use crate::serving::{Heard, serve};

const URL: &str = "http://grafana:3000";

fn token() -> Secret {
    Secret::found("the test's Grafana", "grafana-token-4711")
}

fn grafana() -> Grafana {
    at(URL).bearer(&token())
}

fn cx(fake: &Fake) -> Context {
    Context::local().with_port(fake.on(http::Fake::new(), URL).port())
}

async fn ask(fake: &Fake, check: impl Check) -> Finding {
    check.check(&cx(fake)).await.expect("is asked")
}

fn says(finding: &Finding, word: &str, words: &str) {
    assert!(finding.word() == word && finding.evidence().summary.contains(words), "{word} {words}: {finding:?}");
}

fn overview() -> Fake {
    Fake::new()
        .datasource("prom", "Prometheus", "prometheus")
        .dashboard("overview", "Overview", &[("Requests", "rate(requests[5m])"), ("Errors", "rate(errors[5m])")])
        .data("rate(requests[5m])", 20)
}

#[tokio::test]
async fn it_is_there_with_its_database() {
    says(&ask(&Fake::new(), at(URL).is_healthy()).await, "pass", "Grafana 11.0.0, database ok");
    let error = at(URL).is_healthy().check(&cx(&Fake::new().sick())).await.expect_err("is not well");
    assert!(error.is_transient() && error.message().contains("503"), "{error:?}");
}

#[tokio::test]
async fn dashboards_are_there_by_title_or_uid() {
    let fake = overview();
    says(&ask(&fake, grafana().dashboards(["Overview"])).await, "pass", "there are Overview");
    says(&ask(&fake, grafana().dashboards(["overview", "Redis"])).await, "fail", "no dashboard Redis");
    says(&ask(&Fake::new(), grafana().dashboards(Vec::<String>::new())).await, "fail", "there are none");
}

#[tokio::test]
async fn data_sources_answer_or_say_why_not() {
    let fake = overview();
    says(&ask(&fake, grafana().datasources()).await, "pass", "Prometheus (prometheus) answer");
    says(&ask(&fake, grafana().datasources().named(["Loki"])).await, "fail", "Loki is not there");
    let broken = fake.broken_datasource("loki", "Loki", "connection refused");
    says(&ask(&broken, grafana().datasources()).await, "fail", "Loki: connection refused");
    says(&ask(&broken, grafana().datasources().named(["prom"])).await, "pass", "Prometheus");
    says(&ask(&Fake::new(), grafana().datasources()).await, "fail", "there are no data sources");
}

#[tokio::test]
async fn a_panel_without_a_value_has_no_data() {
    let dashboard = || grafana().dashboard("overview");
    says(&ask(&overview(), dashboard()).await, "fail", "Overview: `Errors` has no data; 1 of 2 panels are fine");
    let may = dashboard().may_be_empty(["Errors"]);
    says(&ask(&overview(), may.clone()).await, "pass", "Overview: 2 panels show 20 values");
    says(&ask(&overview().fails("rate(errors[5m])", "parse error"), may).await, "fail", "`Errors` fails: parse error");
    says(&ask(&overview(), dashboard().panels(["Requests"])).await, "pass", "1 panels show 20 values");
    says(&ask(&overview(), dashboard().panels(["CPU"])).await, "fail", "there is no panel `CPU`");
    says(&ask(&overview(), grafana().dashboard("other")).await, "fail", "there is no dashboard other");
    let texts = json!({"uid": "texts", "title": "Texts", "panels": [{"type": "text", "title": "Read me"}]});
    says(&ask(&overview().dashboard_json(texts), grafana().dashboard("texts")).await, "fail", "no panel asks for data");
}

/// Rows, mixed panels, variables, old names of data sources, hidden queries and those that repeat another panel.
#[tokio::test]
async fn what_is_asked_is_what_a_person_would_see() {
    let dashboard = json!({
        "uid": "all", "title": "All",
        "templating": {"list": [
            {"name": "job", "current": {"value": "api"}},
            {"name": "source", "type": "datasource", "current": {"value": "prom"}},
        ]},
        "panels": [
            {"type": "row", "title": "Row", "panels": [
                {"title": "In a row of $job", "datasource": {"uid": "${source}"}, "targets": [{"refId": "X", "expr": "a{job=\"$job\"}"}]},
            ]},
            {"title": "Mixed", "datasource": {"uid": "-- Mixed --"}, "targets": [
                {"refId": "A", "expr": "b", "datasource": {"uid": "other"}},
                {"refId": "B", "expr": "hidden", "hide": true},
            ]},
            {"title": "Old", "datasource": "Other", "targets": [{"expr": "c"}]},
            {"title": "Again", "datasource": {"uid": "-- Dashboard --"}, "targets": [{"refId": "A", "panelId": 2}]},
            {"title": "Default", "datasource": null, "targets": [{"refId": "A", "expr": "d"}]},
        ],
    });
    let fake = Fake::new().datasource("prom", "Prometheus", "prometheus").datasource("other", "Other", "loki");
    let fake =
        ["a{job=\"web\"}", "b", "c", "d"].iter().fold(fake.dashboard_json(dashboard), |fake, expr| fake.data(expr, 1));
    says(&ask(&fake, grafana().dashboard("all").variable("job", "web")).await, "pass", "All: 4 panels show 4 values");
    let asked: Vec<String> =
        fake.asked().iter().map(|query| format!("{} {}", query["expr"], query["datasource"]["uid"])).collect();
    assert_eq!(asked, [r#""a{job=\"web\"}" "prom""#, r#""b" "other""#, r#""c" "other""#, r#""d" "prom""#]);
}

#[tokio::test]
async fn who_does_not_say_who_asks_is_told_so() {
    let error = at(URL).dashboard("overview").check(&cx(&overview())).await.expect_err("is refused");
    assert_eq!(error.kind(), ErrorKind::Failed);
    assert!(error.advice().is_some_and(|hint| hint.contains(".bearer")), "{error:?}");
    assert!(!format!("{:?} {:?}", grafana(), grafana().is_healthy().describe()).contains("grafana-token-4711"));
}

#[tokio::test]
async fn it_is_the_same_over_the_network() {
    let there = overview();
    let url = serve(move |heard: &Heard| {
        let path = heard.path.split('?').next().unwrap_or_default();
        let authorized = heard.header("authorization") == Some("Bearer grafana-token-4711");
        there.answer(&heard.method, path, &heard.json(), authorized)
    });
    let grafana = at(url.await).bearer(&token());
    let cx = Context::local();
    for check in [
        grafana.dashboard("overview").panels(["Requests"]),
        grafana.dashboard("overview").over(5.minutes()).may_be_empty(["Errors"]),
    ] {
        let finding = check.check(&cx).await.expect("is asked");
        assert!(finding.passes(), "{finding:?}");
    }
    let error = at(grafana.api.url()).datasources().check(&cx).await.expect_err("is refused");
    assert!(error.message().contains("401"), "{error:?}");
}
