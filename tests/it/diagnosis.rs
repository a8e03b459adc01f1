//! Diagnosis: a symptom is looked for, suspects are asked at once, and the cause decides what is done.

use std::fmt;

use runbook::Finding;
use runbook::prelude::*;
use runbook::steps::diagnosis::{self, Risk};
use runbook::steps::{file, probes};
use runbook::testing::{Rig, SimHost};

#[derive(Debug, Clone, Copy)]
enum Cause {
    Disk,
    Queue,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Whether a file says `ok`. An empty one says nothing.
#[check]
async fn is_ok(cx: &Context, path: &str) -> Result<Finding> {
    let text = String::from_utf8_lossy(&cx.files().read(path.as_ref()).await?).into_owned();
    Ok(if text.is_empty() { Finding::unknown("it says nothing") } else { Finding::of(text == "ok", text) })
}

/// The service does not answer.
#[procedure]
async fn treat(run: &Run) -> Result<String> {
    let found = diagnosis::of("the service does not answer", is_ok("/srv/service"))
        .suspect(Cause::Disk, is_ok("/srv/disk"))
        .suspect(Cause::Queue, is_ok("/srv/queue"))
        .ask(run)
        .await?;
    let Some(cause) = found.cause()? else { return Ok("nothing to do".to_owned()) };
    match cause {
        Cause::Disk => Risk::Harmless.gate(run, "Make room").await?,
        Cause::Queue => Risk::Destructive("lead").gate(run, "Empty the queue").await?,
    }
    run.step("Treat", file::write("/srv/service", "ok")).await?;
    found.cured(run, 5.seconds()).await?;
    Ok(cause.to_string())
}

fn machine(service: &str, disk: &str, queue: &str) -> Rig {
    let host = SimHost::new("web").file("/srv/service", service).file("/srv/disk", disk).file("/srv/queue", queue);
    Rig::new().host(&host)
}

#[tokio::test(start_paused = true)]
async fn without_a_symptom_no_suspect_is_asked_and_nothing_is_done() {
    let ran = machine("ok", "full", "stuck").run::<treat>(NoInput {}).await.succeeds().did([]).world_is_unchanged();
    assert_eq!(ran.output(), "nothing to do");
}

#[tokio::test(start_paused = true)]
async fn the_first_suspect_that_is_not_cleared_is_the_cause_and_an_unknown_one_is_none() {
    let ran = machine("down", "full", "stuck").run::<treat>(NoInput {}).await.succeeds().did(["Treat"]);
    assert_eq!(ran.output(), "Disk");
    let ran = machine("down", "", "stuck").run::<treat>(NoInput {}).await.parks().says("Empty the queue?");
    let ran = ran.approved_by("olga").await.parks().says("approval by lead");
    assert_eq!(ran.approved_by("lead").await.succeeds().output(), "Queue");
}

#[tokio::test(start_paused = true)]
async fn a_symptom_without_a_known_cause_says_what_was_ruled_out() {
    let ran = machine("down", "ok", "").run::<treat>(NoInput {}).await.refuses().says("none of the known causes");
    let lines = ran.error().expect("it failed").lines().to_vec();
    assert_eq!(lines, ["pass     Disk: ok", "unknown  Queue: it says nothing"]);
}

/// Is everything well?
#[procedure]
async fn health(run: &Run) -> Result<probes::Report> {
    probes::of("Health")
        .probe("disk", is_ok("/srv/disk"))
        .probe("queue", is_ok("/srv/queue"))
        .ask(run)
        .await?
        .all_pass()
}

#[tokio::test(start_paused = true)]
async fn probes_make_one_report_and_each_that_does_not_pass_is_named() {
    let report = machine("ok", "ok", "ok").run::<health>(NoInput {}).await.succeeds().output();
    assert!(report.passes() && report.of("disk").is_some_and(Finding::passes));
    let ran = machine("ok", "ok", "stuck").run::<health>(NoInput {}).await.refuses().says("1 of 2 does not pass");
    assert_eq!(ran.error().expect("it failed").lines(), ["fail     queue: stuck"]);
}
