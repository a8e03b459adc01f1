//! Telling people, against services as their documentation has them.

use runbook::journal::{MemoryStore, Store as _};
use runbook::testing::{Ran, Rig};
use runbook::{Context, Error, Result, Rollback as _, Run, Secret, Step as _, Survey};
use runbook_macros::procedure;
use serde_json::{Value, json};

use super::*;
use crate::http::{self, Response};
use crate::serving::{Heard, serve};
use crate::taking::take;

const HOOKS: &str = "https://hooks.slack.com";
const PATH: &str = "services/T0AB12/B0CD34/notify-secret-4711";
const KEY: &str = "0123456789abcdef0123456789abcdef";

fn hook() -> Secret {
    Secret::found("the test's webhook", format!("{HOOKS}/{PATH}"))
}

fn team() -> Channel {
    slack(&hook())
}

fn pager() -> PagerDuty {
    pagerduty(&Secret::found("the test's key", KEY))
}

fn page() -> StatusPage {
    status_page("kctbh9vrtdwd", &Secret::found("the page's key", "page-key-0815"))
}

fn web(people: &Fake) -> http::Fake {
    ["https://hooks.slack.com", "https://events.pagerduty.com", "https://api.statuspage.io", "https://chat.example.org"]
        .iter()
        .fold(http::Fake::new(), |web, url| people.on(web, url))
}

fn cx(people: &Fake) -> Context {
    Context::local().with_port(web(people).port())
}

fn rig(people: &Fake) -> Rig {
    Rig::new().port(web(people).port())
}

#[tokio::test(start_paused = true)]
async fn slack_hears_words_and_reads_no_markup_in_them() {
    let people = Fake::new();
    let sent = take(&cx(&people), &team().say("<v2> & more")).await.expect("is said");
    assert_eq!((sent.delivered, sent.to.as_str()), (true, "found:the test's webhook"));
    assert_eq!(people.heard(), ["slack: &lt;v2&gt; &amp; more"]);
}

#[tokio::test(start_paused = true)]
async fn any_webhook_gets_the_body_it_wants() {
    let people = Fake::new();
    let chat = webhook(&Secret::found("the chat", "https://chat.example.org/hook/1"));
    take(&cx(&people), &chat.clone().say("it is \"done\"")).await.expect("is said");
    let shaped = chat.body(json!({"message": {"markdown": "**{text}**", "n": 1}})).and(team());
    take(&cx(&people), &shaped.say("done")).await.expect("is said");
    let markdown = r#"webhook: {"message":{"markdown":"**done**","n":1}}"#;
    assert_eq!(people.heard(), [r#"webhook: {"text":"it is \"done\""}"#, markdown, "slack: done"]);
}

/// What does not go: each says why, and no secret.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_sent_is_a_warning_and_names_no_secret() {
    let wrong = Secret::found("a wrong one", "no-url-but-a-secret");
    for (people, channel, words) in [
        (Fake::new().fails(1, &Response::text(404, "no_team")), team(), "404 Not Found"),
        (Fake::new().fails(1, &Response::text(200, "<html>Log in</html>")), team(), "not in the words of one"),
        (Fake::new().fails(3, &Response::text(503, PATH)), team(), "503 Service Unavailable"),
        (Fake::new(), slack(&Secret::env("RUNBOOK_NO_SUCH_HOOK")), "RUNBOOK_NO_SUCH_HOOK"),
        (Fake::new(), slack(&wrong), "cannot be written to"),
    ] {
        let message = channel.say("words");
        let sent = take(&cx(&people), &message).await.expect("never fails");
        let trouble = sent.trouble.clone().expect("is told");
        assert!(!sent.delivered && trouble.contains(words), "{words}: {trouble}");
        let shown = format!("{sent:?} {message:?} {:?}", message.describe());
        assert!(!shown.contains("notify-secret-4711") && !shown.contains("no-url-but"), "{shown}");
        assert!(people.heard().is_empty());
    }
    let cx = Context::local().with_port(http::Fake::new().port());
    let sent = take(&cx, &team().say("words")).await.expect("never fails");
    let trouble = sent.trouble.expect("is told");
    assert!(trouble.contains("refused") && !trouble.contains("notify-secret"), "{trouble}");
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again() {
    let people = Fake::new().fails(2, &Response::new(429).with_header("retry-after", "3"));
    let began = tokio::time::Instant::now();
    assert!(take(&cx(&people), &team().say("words")).await.expect("is said").delivered);
    assert_eq!(began.elapsed().as_secs(), 6, "it waited as it was told");
}

#[procedure]
async fn deploy(run: &Run) -> Result<()> {
    team().around(run, "Deployment of v2", async |_| Ok(())).await
}

#[procedure]
async fn deploy_badly(run: &Run) -> Result<()> {
    run.step("Tell", team().say("it begins").when_rolled_back("it is put back")).await?;
    let fails = async |_: &Run| Err::<(), _>(Error::new("no room"));
    team().around(run, "Deployment of v2", fails).await
}

#[tokio::test(start_paused = true)]
async fn the_team_hears_how_it_ended() {
    let people = Fake::new();
    rig(&people).run::<deploy>(runbook::NoInput {}).await.succeeds();
    assert_eq!(people.heard(), ["slack: Deployment of v2: begins", "slack: Deployment of v2: done"]);
    let people = Fake::new();
    rig(&people).run::<deploy_badly>(runbook::NoInput {}).await.rolls_back();
    let heard = people.heard();
    assert_eq!(heard.len(), 4, "{heard:?}");
    assert_eq!(heard[2], "slack: Deployment of v2: failed, and was put back: no room");
    assert_eq!(heard[3], "slack: it is put back");
}

/// A run whose messages do not go is done, with warnings. No secret is in its events or its journal.
#[tokio::test(start_paused = true)]
async fn a_run_does_not_fail_of_it_and_keeps_no_secret() {
    let store = MemoryStore::default();
    let broken = Fake::new().fails(9, &Response::text(500, format!("{HOOKS}/{PATH}")));
    let ran = rig(&broken).store(store.clone()).run::<deploy>(runbook::NoInput {}).await.succeeds();
    assert_eq!(ran.ended().map(|ended| ended.warnings), Some(2), "{:?}", ran.ended());
    let events = serde_json::to_string(&ran.events()).expect("serialises");
    let run = store.runs().await.expect("are listed").pop().expect("there is one");
    let journal = format!("{:?}", store.read(&run).await.expect("is read"));
    for shown in [events, journal] {
        assert!(!shown.contains("notify-secret-4711"), "{shown}");
        assert!(shown.contains("the test's webhook"), "{shown}");
    }
}

#[procedure]
async fn tell_and_work(run: &Run) -> Result<()> {
    run.step("Tell", team().say("it begins")).await?;
    run.step("Page", pager().incident("key").trigger("it is down").source("the test")).await?;
    run.confirm("Go on?").await?;
    run.step("Tell again", team().say("it goes on")).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_taken_up_again_does_not_repeat_itself() {
    let people = Fake::new();
    let parked: Ran<tell_and_work> = rig(&people).run::<tell_and_work>(runbook::NoInput {}).await.parks();
    parked.approved_by("somebody").await.succeeds();
    assert_eq!(people.heard(), ["slack: it begins", "pagerduty: trigger key: it is down", "slack: it goes on"]);
}

#[tokio::test(start_paused = true)]
async fn a_plan_says_what_would_be_said_and_says_nothing() {
    let people = Fake::new();
    let plan = rig(&people).says_yes().plan::<tell_and_work>(runbook::NoInput {}).await.expect("is planned");
    assert!(format!("{plan:?}").contains("says: it begins"), "{plan:?}");
    assert!(people.heard().is_empty());
    let Ok(Survey::Change { diff, .. }) = slack(&Secret::env("RUNBOOK_NO_HOOK")).say("x").survey(&cx(&people)).await
    else {
        panic!("a survey never fails")
    };
    assert!(diff.to_string().contains("it will not go"), "{diff}");
}

#[tokio::test(start_paused = true)]
async fn an_incident_is_opened_taken_and_closed_under_one_key() {
    let people = Fake::new();
    let (cx, incident) = (cx(&people), pager().incident("redis"));
    let open = incident.trigger("no master").severity(Severity::Critical).detail("quorum", 2);
    for step in [open.clone(), incident.acknowledge(), incident.resolve()] {
        let sent = take(&cx, &step).await.expect("is sent");
        assert!(sent.delivered, "{sent:?}");
    }
    open.rollback(&cx, &()).await.expect("leaves it open");
    open.resolved_when_rolled_back().rollback(&cx, &()).await.expect("is closed");
    let heard = ["trigger redis: no master", "acknowledge redis", "resolve redis", "resolve redis"];
    assert_eq!(people.heard(), heard.map(|line| format!("pagerduty: {line}")));
    let short = pagerduty(&Secret::found("a short key", "short-key")).incident("redis").resolve();
    let trouble = take(&cx, &short).await.expect("never fails").trouble.expect("is told");
    assert!(trouble.contains("400 Bad Request") && !trouble.contains("short-key"), "{trouble}");
}

#[procedure]
async fn maintain(run: &Run) -> Result<()> {
    run.hold("Status page", page().component("api", Component::UnderMaintenance), async |run| {
        run.step("News", page().incident("Update", Progress::Monitoring, "an hour of work")).await?;
        run.step("More news", page().incident("Update", Progress::Monitoring, "half of it")).await?;
        Err(Error::new("no room"))
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_status_page_shows_what_is_going_on_and_then_what_was() {
    let people = Fake::new().component("api", Component::DegradedPerformance);
    rig(&people).run::<maintain>(runbook::NoInput {}).await.rolls_back();
    assert_eq!(
        people.heard(),
        [
            "component api: under_maintenance",
            "incident Update: monitoring: an hour of work",
            "incident Update: monitoring: half of it",
            "incident Update: resolved",
            "component api: degraded_performance",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_status_page_that_does_not_answer_stops_nobody() {
    let gone = Rig::new().port(http::Fake::new().port()).run::<maintain>(runbook::NoInput {}).await.rolls_back();
    assert!(gone.error().is_some_and(|error| error.message().contains("no room")), "{:?}", gone.error());
    let component = page().component("api", Component::Operational);
    let people = Fake::new().component("api", Component::Operational);
    assert!(matches!(component.survey(&cx(&people)).await.expect("is seen"), Survey::Already(_)));
}

/// Over a socket: what goes out is what the documentation says.
#[tokio::test]
async fn what_goes_over_the_network_is_the_same() {
    let people = Fake::new().component("api", Component::Operational);
    let there = people.clone();
    let url = serve(move |heard: &Heard| {
        let oauth = heard.header("authorization").is_some_and(|value| value == "OAuth page-key-0815");
        assert!(heard.body.is_empty() || heard.header("content-type") == Some("application/json"), "{heard:?}");
        there.answer(&heard.method, &heard.path, &heard.json(), oauth)
    });
    let url = url.await;
    let cx = Context::local();
    let there = slack(&Secret::found("the local hook", format!("{url}/{PATH}")));
    let incident = pager().at(&url).incident("redis");
    assert!(take(&cx, &there.say("words")).await.expect("is said").delivered);
    assert!(take(&cx, &incident.trigger("down").source("here")).await.expect("is sent").delivered);
    assert!(take(&cx, &page().at(&url).component("api", Component::MajorOutage)).await.expect("is shown").delivered);
    let heard = ["slack: words", "pagerduty: trigger redis: down", "component api: major_outage"];
    assert_eq!(people.heard(), heard);
    assert_eq!(Value::Null, Heard::default().json());
}
