//! The steps against a simulated Alertmanager, and the simulated one against the real one, which
//! `tests/services/alertmanager` starts.

use runbook::testing::Rig;
use runbook::{Check, CheckExt as _, Context, ErrorKind, Finding, Result, Rollback, Run, Step, Survey, Units as _};
use runbook_macros::procedure;

use super::*;
use crate::http;
use crate::taking::{before, take};

mod conformance;

const URL: &str = "http://alertmanager:9093";

fn port(fake: &Fake) -> http::Port {
    fake.on(http::Fake::new(), URL).port()
}

fn cx(fake: &Fake) -> Context {
    Context::local().with_port(port(fake))
}

fn says(finding: &Finding, word: &str, words: &str) {
    assert!(finding.word() == word && finding.evidence().summary.contains(words), "{word} {words}: {finding:?}");
}

#[procedure]
async fn prove_alerting(run: &Run) -> Result<()> {
    at(URL).alert("RunbookTest").label("severity", "warning").reaches(run, "webhook", 60.seconds()).await
}

#[tokio::test(start_paused = true)]
async fn an_alert_gets_through_and_is_resolved_again() {
    let fake = Fake::new().receiver("team", "webhook");
    Rig::new().port(port(&fake)).run::<prove_alerting>(runbook::NoInput {}).await.succeeds();
    assert_eq!(fake.alerts(), 0, "it is resolved");
}

#[tokio::test(start_paused = true)]
async fn one_that_nobody_takes_fails_and_is_resolved_too() {
    for (fake, words) in [
        (Fake::new().broken_receiver("team", "webhook"), "webhook refused 1"),
        (Fake::new().receiver("team", "slack"), "nothing was delivered yet"),
        (Fake::new().receiver("team", "webhook").deaf(), "is not there"),
    ] {
        let ran = Rig::new().port(port(&fake)).run::<prove_alerting>(runbook::NoInput {}).await;
        let error = ran.error().expect("fails");
        assert!(format!("{error:?}").contains(words), "{words}: {error:?}");
        assert_eq!(fake.alerts(), 0, "it is resolved");
    }
}

#[tokio::test(start_paused = true)]
async fn an_alert_that_is_somebody_elses_stays() {
    let fake = Fake::new().receiver("team", "webhook");
    let (cx, alert) = (cx(&fake), at(URL).alert("Other"));
    take(&cx, &alert).await.expect("is posted");
    assert!(matches!(alert.survey(&cx).await.expect("is seen"), Survey::Already(_)), "there is nothing to undo");
}

#[tokio::test(start_paused = true)]
async fn an_alert_that_is_silenced_reaches_nobody() {
    let fake = Fake::new().receiver("team", "webhook");
    let (cx, alertmanager) = (cx(&fake), at(URL));
    let (alert, silence) = (alertmanager.alert("Noise"), alertmanager.silence([("alertname", "Noise")]));
    before(&cx, &silence).await;
    take(&cx, &silence).await.expect("is kept");
    take(&cx, &alert).await.expect("is posted");
    says(&alert.is_active().check(&cx).await.expect("is asked"), "fail", "silenced or inhibited");
    silence.rollback(&cx, &()).await.expect("ends");
    says(&alert.is_active().check(&cx).await.expect("is asked"), "pass", "Noise is active since 2025-07-15");
    let everything = alertmanager.silence(Vec::<(String, String)>::new()).survey(&cx).await;
    assert!(everything.expect_err("is refused").message().contains("all alerts"));
}

#[procedure]
async fn quietly(run: &Run) -> Result<()> {
    let silence = at(URL).silence([("service", "api")]).lasting(2.hours()).because("planned");
    run.hold("Silence", silence, async |run| run.check("Never", at(URL).alert("none").is_active()).await).await
}

#[tokio::test(start_paused = true)]
async fn a_silence_ends_with_what_it_was_for() {
    let fake = Fake::new();
    let ran = Rig::new().port(port(&fake)).run::<quietly>(runbook::NoInput {}).await.rolls_back();
    assert!(ran.error().is_some_and(|error| error.message().contains("Never")), "{:?}", ran.error());
    assert_eq!(fake.silences(), 0);
}

#[tokio::test(start_paused = true)]
async fn its_status_names_what_it_is_to_have() {
    let fake = Fake::new().receiver("team", "webhook").receiver("pager", "pagerduty");
    let ask = async |check: Status| check.check(&cx(&fake)).await.expect("is asked");
    says(&ask(at(URL).status()).await, "pass", "0.25.0, cluster disabled, receivers pager, team");
    says(&ask(at(URL).status().receivers(["team", "mail"])).await, "fail", "no receiver mail");
    says(&ask(at(URL).status().peers(2)).await, "fail", "0 peers, wanted 2");
    let gone = http::Fake::new().answers(URL, http::Response::text(404, "404 page not found\n"));
    let error = at(URL).status().check(&Context::local().with_port(gone.port())).await.expect_err("is another");
    assert_eq!(error.kind(), ErrorKind::Failed);
}

#[test]
fn they_describe_themselves_from_their_own_fields() {
    let about = at(URL).alert("Test").label("note", "two words").describe();
    assert_eq!(about.line(), "post the alert {alertname=\"Test\",note=\"two words\"} to http://alertmanager:9093");
    assert!(about.commands[0].ends_with("alert add alertname=Test note='two words'"), "{:?}", about.commands);
    let about = at(URL).silence([("service", "api")]).because("moving house").describe();
    assert!(about.commands[0].contains("--duration=60m --comment='moving house' service=api"), "{:?}", about.commands);
}
