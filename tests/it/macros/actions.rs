// The functions of a step are async and borrow what was before, whatever they do with it.
#![allow(clippy::unused_async, clippy::ref_option)]

use std::path::Path;

use runbook::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Pid(u32);

/// Start the site.
#[step(
    rollback = stop,
    kind = "site.start",
    summary = "start {root} on {port}",
    command = cmd!("site --root {root} --port {port}"),
    undo_command = "pkill -f {root}",
    reads = [Resource::path(root)],
    writes = [Resource::new("port", port.to_string())],
)]
pub(super) async fn start(_cx: &Context, root: &str, port: u16) -> Result<Pid> {
    ensure!(port > 0, "port 0 of `{root}`");
    Ok(Pid(u32::from(port)))
}

async fn stop(_cx: &Context, root: &str, port: u16) -> Result<()> {
    bail!("cannot stop {root} on {port}")
}

/// Install it.
#[step(survey = look, rollback = put_back, settle = put_back)]
pub(super) async fn install(_cx: &Context, host: &str, before: &Option<u32>) -> Result<u32> {
    Ok(before.unwrap_or(0) + u32::try_from(host.len())?)
}

async fn look(_cx: &Context, host: &str) -> Result<Survey<Option<u32>, u32>> {
    if host.is_empty() {
        return Ok(Survey::Already(0));
    }
    Ok(Survey::change(Some(40), Diff::turn(host, 40, 41)))
}

async fn put_back(_cx: &Context, host: &str, before: &Option<u32>) -> Result<()> {
    bail!("put {host} back to {before:?}")
}

#[step]
pub(super) async fn mail(_cx: &Context, to: &str) -> Result<()> {
    ensure!(to.contains('@'), "`{to}` is no address");
    Ok(())
}

/// Whether the site answers.
#[check(subject = "port {port}", command = "curl localhost:{port}")]
pub(super) async fn site_is_up(_cx: &Context, port: u16) -> Result<Finding> {
    Ok(Finding::of(port == 80, "asked"))
}

struct Unshown;

#[step]
async fn tell(_cx: &Context, dir: &Path, who: String, unshown: &std::sync::Arc<Unshown>, times: usize) -> Result<()> {
    let _ = (dir, who, unshown, times);
    Ok(())
}

#[test]
fn a_step_describes_itself_by_its_options() {
    let description = start("/srv/site", 8080).describe();
    assert_eq!((description.kind.as_str(), description.subject.as_str()), ("site.start", "/srv/site 8080"));
    assert_eq!(description.summary, "start /srv/site on 8080");
    assert_eq!(description.commands, ["site --root /srv/site --port 8080"]);
    assert_eq!(description.undo_commands, ["pkill -f /srv/site"]);
    assert_eq!(description.reads, [Resource::path("/srv/site")]);
    assert_eq!(description.writes, [Resource::new("port", "8080")]);
    assert!(description.repeats, "it does not look");
    assert!(!install("web").describe().repeats, "it looks");
}

#[test]
fn what_is_not_said_follows_from_the_function() {
    let description = tell(Path::new("/srv"), "me".to_owned(), &std::sync::Arc::new(Unshown), 3).describe();
    assert_eq!((description.kind.as_str(), description.subject.as_str()), ("tell", "/srv me 3"));
    assert_eq!(description.summary, "Tell /srv me 3");
    assert_eq!(install("web").describe().summary, "Install it");
    let check = site_is_up(80).describe();
    assert_eq!((check.subject.as_str(), check.summary.as_str()), ("port 80", "Whether the site answers"));
}

#[tokio::test]
async fn a_step_without_survey_always_acts() -> Result<()> {
    let (cx, step) = (Context::local(), start("/srv/site", 80));
    let seen = step.survey(&cx).await?;
    assert_eq!(seen, Survey::change((), Diff::note("start /srv/site on 80")));
    assert_eq!(step.apply(&cx, &()).await?, Pid(80));
    let error = step.rollback(&cx, &()).await.expect_err("the rollback is called");
    assert_eq!(error.message(), "cannot stop /srv/site on 80");
    assert_eq!(start("x", 0).apply(&cx, &()).await.expect_err("refused").message(), "port 0 of `x`");
    Ok(())
}

#[tokio::test]
async fn a_step_with_survey_remembers_what_was_before() -> Result<()> {
    let (cx, step) = (Context::local(), install("web"));
    assert_eq!(step.survey(&cx).await?, Survey::change(Some(40), Diff::turn("web", 40, 41)));
    assert_eq!(install("").survey(&cx).await?, Survey::Already(0));
    assert_eq!(step.apply(&cx, &Some(40)).await?, 43);
    for undone in [step.rollback(&cx, &Some(40)).await, step.settle(&cx, &Some(40)).await] {
        assert_eq!(undone.expect_err("it is called").message(), "put web back to Some(40)");
    }
    Ok(())
}

#[tokio::test]
async fn a_check_answers() -> Result<()> {
    let cx = Context::local();
    assert_eq!(site_is_up(80).check(&cx).await?, Finding::pass("asked"));
    assert_eq!(site_is_up(81).check(&cx).await?, Finding::fail("asked"));
    mail("me@example.org").apply(&cx, &()).await
}
