//! Schedules on simulated hosts, and on the systemd of the lab.

use std::sync::Arc;

use runbook_core::host::Container;
use runbook_core::testing::{Rig, SimHost, explore};
use runbook_core::{Context, Error, Host as _, Result, Rollback as _, Run, Step as _, Survey};
use runbook_macros::procedure;

use super::{Schedule, Scheduled};
use crate::{backup, machine, systemd};

fn nightly() -> Schedule {
    backup::schedule("rb-backup").runs(["/bin/true", "a b", "50%"]).daily_at("02:30")
}

fn cx(host: SimHost) -> Context {
    Context::on(Arc::new(host))
}

/// A host that systemd runs.
fn booted() -> SimHost {
    systemd::Fake::new().on(SimHost::new("web-1").dir("/etc/cron.d").dir("/lib/systemd/system"))
}

/// A host with a cron.
fn small() -> SimHost {
    machine::Fake::new().process(7, "root", "/usr/sbin/cron -f", None).on(SimHost::new("web-1").dir("/etc/cron.d"))
}

async fn refusal(step: &Schedule, cx: &Context) -> Error {
    step.survey(cx).await.expect_err("is refused")
}

/// Takes a step that has something to change, and sees that a second run has not.
async fn take(step: &Schedule, cx: &Context) -> (super::ScheduleBefore, Scheduled) {
    let Survey::Change { before, .. } = step.survey(cx).await.expect("is surveyed") else { panic!("has to change") };
    let done = step.apply(cx, &before).await.expect("is applied");
    assert_eq!(step.apply(cx, &before).await.expect("is applied twice"), done);
    let Survey::Already(again) = step.survey(cx).await.expect("is surveyed") else { panic!("nothing is left to do") };
    assert_eq!(again, done);
    (before, done)
}

/// What holds on every systemd.
async fn by_timer(cx: &Context) {
    let (first, done) = take(&nightly(), cx).await;
    let Scheduled::Timer { timer, next: Some(next) } = done else { panic!("by a timer: {done:?}") };
    assert_eq!(timer.as_str(), "rb-backup.timer");
    assert!(next.contains(" 02:30:00 "), "{next}");

    let later = backup::schedule("rb-backup").runs(["/bin/true"]).daily_at("4:05");
    let (before, done) = take(&later, cx).await;
    let Scheduled::Timer { next: Some(next), .. } = done else { panic!("by a timer: {done:?}") };
    assert!(next.contains(" 04:05:00 "), "the timer that is up fires at the new time: {next}");
    later.rollback(cx, &before).await.expect("is undone");
    assert!(matches!(nightly().survey(cx).await, Ok(Survey::Already(_))), "the earlier schedule is back");

    for _ in 0..2 {
        nightly().rollback(cx, &first).await.expect("is undone");
    }
    for unit in ["rb-backup.timer", "rb-backup.service"] {
        let now = systemd::status(cx, unit).await.expect("is read");
        assert_eq!((now.load, now.active.is_up()), (systemd::LoadState::NotFound, false), "{now:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_timer_says_when_it_fires_and_is_gone_after_the_rollback() {
    let host = booted();
    let before = host.snapshot();
    by_timer(&cx(host.clone())).await;
    assert_eq!(host.snapshot(), before, "{:?}", before.diff(&host.snapshot()));
}

#[tokio::test]
#[ignore = "needs the lab: tests/all runs it"]
async fn the_real_systemd_says_the_same() {
    let name = std::env::var("RUNBOOK_LAB_CONTAINER").expect("names a container that systemd runs");
    by_timer(&Context::on(Container::named(name).shared())).await;
}

#[tokio::test]
async fn without_systemd_it_is_a_file_that_a_running_cron_reads() {
    let host = small();
    let (cx, empty) = (cx(host.clone()), host.snapshot());
    let (before, done) = take(&nightly().as_user("marb"), &cx).await;
    let Scheduled::Cron { path, cron, .. } = done else { panic!("by cron: {done:?}") };
    let text = host.read(&path);
    assert_eq!(text.lines().last(), Some(r"30 2 * * * marb /bin/true 'a b' 50\%"), "{text}");
    assert_eq!(cron, 7);
    nightly().rollback(&cx, &before).await.expect("is undone");
    assert_eq!(host.snapshot(), empty);
}

#[tokio::test]
async fn a_file_that_nobody_reads_is_no_schedule() {
    let host =
        machine::Fake::new().process(7, "root", "nginx: cron", None).on(SimHost::new("web-1").dir("/etc/cron.d"));
    let error = refusal(&nightly(), &cx(host)).await;
    assert!(error.to_string().contains("no cron runs"), "{error:?}");
    let nowhere = machine::Fake::new().process(7, "root", "crond", None).on(SimHost::new("web-1"));
    let error = refusal(&nightly(), &cx(nowhere)).await;
    assert!(error.to_string().contains("`/etc/cron.d` does not exist"), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_made_to_run_twice_a_day() {
    let host = cx(booted().file("/etc/cron.d/rb-backup", "0 1 * * * root /bin/true\n"));
    let error = refusal(&nightly(), &host).await;
    assert!(error.to_string().contains("would run twice a day"), "{error:?}");

    let host = booted();
    take(&nightly(), &cx(host.clone())).await;
    let error = refusal(&nightly().with_cron(), &cx(host)).await;
    assert!(error.to_string().contains("`/etc/systemd/system/rb-backup.timer` is there"), "{error:?}");
}

#[tokio::test]
async fn who_is_forced_is_asked() {
    let host = cx(small().replies(
        "systemctl",
        runbook_core::command::Output::failed(1, "System has not been booted with systemd as init system (PID 1).\n"),
    ));
    let error = refusal(&nightly().with_timer(), &host).await;
    assert!(error.advice().is_some_and(|advice| advice.contains("not what runs")), "{error:?}");
}

#[tokio::test]
async fn a_time_that_is_none_is_refused() {
    for at in ["", "25:00", "2", "02:60", "noon", "02:30\n* * * * * root x"] {
        let error = refusal(&backup::schedule("a").runs(["/bin/true"]).daily_at(at), &cx(small())).await;
        assert!(error.to_string().contains("is not a time of day"), "{error:?}");
    }
}

/// A schedule, and something after it that may go wrong.
#[procedure]
async fn plan_nights(run: &Run) -> Result<()> {
    run.step("Every night", nightly()).await?;
    run.step("A note", crate::file::write("/etc/note", "nightly")).await?;
    Ok(())
}

#[tokio::test]
#[ignore = "takes a minute: tests/all runs it"]
async fn a_timer_is_there_or_nothing_is_left_of_it() {
    Rig::new().host(&booted()).run::<plan_nights>(runbook_core::NoInput {}).await.succeeds();
    explore::<plan_nights>(|| Rig::new().host(&booted()), runbook_core::NoInput {}).await.is_sound();
}

/// Another time for what is there.
#[procedure]
async fn replan_nights(run: &Run) -> Result<()> {
    run.step("Every night", nightly()).await?;
    run.step("Later", backup::schedule("rb-backup").runs(["/bin/true"]).daily_at("05:00")).await?;
    Ok(())
}

#[tokio::test]
#[ignore = "takes a minute: tests/all runs it"]
async fn an_earlier_schedule_is_there_again_whatever_went_wrong() {
    Rig::new().host(&booted()).run::<replan_nights>(runbook_core::NoInput {}).await.succeeds();
    explore::<replan_nights>(|| Rig::new().host(&booted()), runbook_core::NoInput {}).await.is_sound();
}

#[tokio::test]
async fn a_file_of_cron_is_there_or_nothing_is_left_of_it() {
    Rig::new().host(&small()).run::<plan_nights>(runbook_core::NoInput {}).await.succeeds();
    explore::<plan_nights>(|| Rig::new().host(&small()), runbook_core::NoInput {}).await.is_sound();
}
