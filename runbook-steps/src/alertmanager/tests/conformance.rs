//! One suite for the real Alertmanager and the simulated one.

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::conformance::{agree, is_same};
use crate::serving::serve;

struct World {
    cx: Context,
    alertmanager: Alertmanager,
}

impl World {
    async fn told(&self, check: impl Check) -> String {
        self.told_within(3.seconds(), check).await
    }

    /// What is to pass before long, however busy the machine is.
    async fn comes(&self, check: impl Check) -> String {
        self.told_within(60.seconds(), check).await
    }

    async fn told_within(&self, limit: Duration, check: impl Check) -> String {
        match check.within(limit).every(100.millis()).check(&self.cx).await {
            Ok(finding) => format!("{} {}", finding.word(), clean(&finding.evidence().summary)),
            Err(error) => format!("{:?} {}", error.kind(), clean(&format!("{error:#}"))),
        }
    }

    async fn took<S: Step>(&self, step: &S) -> String
    where
        S::Output: Debug,
    {
        match take(&self.cx, step).await {
            Ok(output) => clean(&format!("{output:?}")),
            Err(error) => clean(&format!("{:?} {error:#}", error.kind())),
        }
    }

    async fn surveyed<S: Step>(&self, step: &S) -> String {
        match step.survey(&self.cx).await {
            Ok(Survey::Already(_)) => "already".to_owned(),
            Ok(Survey::Change { diff, .. }) => diff.to_string(),
            Err(error) => format!("{:?} {error:#}", error.kind()),
        }
    }
}

/// Without what differs from day to day.
fn clean(words: &str) -> String {
    let differing = [
        (r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "TIME"),
        (r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID"),
        (r"\b[0-9a-f]{16}\b", "FINGERPRINT"),
        (r"http://[a-z0-9.:]+", "URL"),
        (r"^pass \S+,", "pass VERSION,"),
    ];
    differing.iter().fold(words.to_owned(), |words, (pattern, short)| {
        regex_lite::Regex::new(pattern).expect("an expression").replace_all(&words, *short).into_owned()
    })
}

async fn suite(world: &World) -> Vec<String> {
    let World { cx, alertmanager } = world;
    let mut lines = vec![
        world.told(alertmanager.status().receivers(["team"])).await.replace("0.25.0", "VERSION"),
        world.told(alertmanager.status().receivers(["nobody"])).await.replace("0.25.0", "VERSION"),
    ];
    let alert = alertmanager.alert("RunbookTest").label("severity", "warning").annotation("summary", "a \"test\"");
    lines.push(world.told(alert.is_active()).await);
    lines.push(world.surveyed(&alert).await);
    let count = alertmanager.deliveries(cx).await.expect("counts");
    lines.push(world.told(alertmanager.delivers(&count).by("webhook")).await);
    for _ in 0..2 {
        lines.push(world.took(&alert).await);
    }
    lines.push(world.surveyed(&alert).await);
    lines.push(world.comes(alert.is_active().routed_to("team")).await);
    lines.push(world.told(alert.is_active().routed_to("nobody")).await);
    lines.push(world.told(alertmanager.alert("RunbookTest").is_active()).await);
    lines.push(world.comes(alertmanager.delivers(&count).by("webhook")).await);
    lines.push(world.told(alertmanager.delivers(&count).by("email")).await);

    let silence = alertmanager.silence([("alertname", "RunbookTest")]).because("a test of the suite");
    lines.push(world.surveyed(&silence).await);
    for _ in 0..2 {
        lines.push(world.took(&silence).await);
    }
    lines.push(world.surveyed(&silence).await);
    // It is noticed when the alert is looked at the next time.
    let hidden = async || alert.is_active().check(cx).await.is_ok_and(|finding| !finding.passes());
    for _ in 0..600 {
        if hidden().await {
            break;
        }
        tokio::time::sleep(100.millis()).await;
    }
    lines.push(world.told(alert.is_active()).await);
    for _ in 0..2 {
        lines.push(format!("{:?}", silence.rollback(cx, &()).await));
    }
    lines.push(world.surveyed(&silence).await);
    lines.push(world.comes(alert.is_active()).await);
    for _ in 0..2 {
        lines.push(format!("{:?}", alert.rollback(cx, &()).await));
    }
    lines.push(world.surveyed(&alert).await);
    lines.push(world.told(alert.is_active()).await);
    lines
}

const SAID: &str = include_str!("conformance.txt");

fn simulated(fake: &Fake) -> World {
    World { cx: cx(fake), alertmanager: at(URL) }
}

#[tokio::test(start_paused = true)]
async fn the_simulated_alertmanager_says_what_the_real_one_said() {
    agree(&suite(&simulated(&Fake::new().receiver("team", "webhook"))).await, SAID);
}

#[tokio::test(start_paused = true)]
async fn a_simulated_alertmanager_that_is_wrong_is_noticed() {
    let good = || Fake::new().receiver("team", "webhook");
    for (n, fake) in
        [good().deaf(), Fake::new().broken_receiver("team", "webhook"), good().receiver("more", "webhook"), Fake::new()]
            .into_iter()
            .enumerate()
    {
        let said = tokio::spawn(async move { suite(&simulated(&fake)).await }).await;
        let same = said.is_ok_and(|said| is_same(&said, SAID));
        assert!(!same, "{n} is broken, and nobody noticed");
    }
}

#[tokio::test]
#[ignore = "needs Alertmanager: tests/all runs it"]
async fn the_real_alertmanager_says_what_it_said() {
    let url =
        std::env::var("RUNBOOK_TEST_ALERTMANAGER").expect("RUNBOOK_TEST_ALERTMANAGER: tests/services/alertmanager");
    let dir = std::env::var("RUNBOOK_TEST_ALERTMANAGER_DIR").expect("RUNBOOK_TEST_ALERTMANAGER_DIR is a directory");
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = heard.clone();
    let receiver = serve(move |request| {
        kept.lock().expect("alone").push(request.body.clone());
        http::Response::new(200)
    });
    let receiver = receiver.await;
    let config = format!(
        "route: {{ receiver: team, group_wait: 0s, group_interval: 1s, group_by: [alertname] }}\n\
         receivers: [{{ name: team, webhook_configs: [{{ url: '{receiver}/', send_resolved: true }}] }}]\n"
    );
    std::fs::write(PathBuf::from(dir).join("alertmanager.yml"), config).expect("is written");
    let cx = Context::local();
    let reload = http::Request::new("POST", format!("{url}/-/reload"));
    assert_eq!(http::fetch(&cx, &reload).await.expect("is told").status, 200);

    agree(&suite(&World { cx, alertmanager: at(url) }).await, SAID);
    // What it counts as delivered is what the receiver heard.
    let heard = heard.lock().expect("alone").concat();
    assert!(heard.contains("RunbookTest") && heard.contains(r#""status":"firing""#), "{heard}");
}
