//! What is refused, and what errors say, against the simulated systemd.

use std::sync::Arc;

use runbook::command::Output;
use runbook::testing::SimHost;
use runbook::{Check as _, Context, ErrorKind, Rollback as _, Step as _, Units as _};

use super::super::*;
use crate::taking;

fn cx(systemd: &Fake) -> Context {
    Context::on(Arc::new(systemd.on(SimHost::new("web-1"))))
}

#[test]
fn a_name_without_a_suffix_is_that_of_a_service() {
    let names = ["redis", "marb2.0", "backup.timer", "getty@tty1.service"].map(|name| Unit::named(name).to_string());
    assert_eq!(names, ["redis.service", "marb2.0.service", "backup.timer", "getty@tty1.service"]);
}

#[tokio::test]
async fn names_that_are_patterns_or_options_are_refused() {
    let cx = cx(&Fake::new());
    for name in ["", "*", "-f", "a b", "../x", "a\nb"] {
        let error = restart(name).survey(&cx).await.expect_err("is refused");
        assert!(error.to_string().contains("is not the name of a unit"), "{error:?}");
    }
}

#[tokio::test]
async fn what_systemctl_cannot_do_is_told_apart() {
    let said = [
        ("Failed to stop x: Access denied\n", ErrorKind::Failed, "root"),
        ("System has not been booted with systemd as init system (PID 1).\n", ErrorKind::Failed, "not what runs"),
        ("Failed to connect to bus: No such file or directory\n", ErrorKind::Transient, "D-Bus"),
        ("Failed to get properties: Connection reset by peer\n", ErrorKind::Unknown, "hung up"),
    ];
    for (words, kind, hint) in said {
        let host = SimHost::new("web-1").replies("systemctl", Output::failed(1, words));
        let error = status(&Context::on(Arc::new(host)), "x").await.expect_err("fails");
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(error.advice().is_some_and(|advice| advice.contains(hint)), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_knows_anything_of_a_unit_that_does_not_exist() {
    let cx = cx(&Fake::new());
    let answers = [
        is_active("x").check(&cx).await,
        active_and_stable("x", 1.seconds()).check(&cx).await,
        is_enabled("x").check(&cx).await,
        restart_count("x").at_most(9).check(&cx).await,
        memory("x").at_most(crate::sizes::Bytes(u64::MAX)).check(&cx).await,
        timer_active("x").check(&cx).await,
    ];
    for answer in answers {
        assert_eq!(answer.expect("is asked").word(), "unknown");
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_that_takes_too_long_brings_the_status_with_it() {
    let cx = cx(&Fake::new().service("slow", Behaviour::stays_up().slowly(60.seconds())));
    let step = start("slow").within(5.seconds());
    let before = Was { active: ActiveState::Inactive, invocation: None };
    let error = step.apply(&cx, &before).await.expect_err("takes too long");
    assert!(error.to_string().contains("ran longer than 5"), "{error:?}");
    assert!(format!("{error:?}").contains("activating (start)"), "{error:?}");
    step.rollback(&cx, &before).await.expect("is stopped");
    assert_eq!(status(&cx, "slow").await.expect("is read").active, ActiveState::Inactive);
}

#[tokio::test(start_paused = true)]
async fn a_service_works_with_what_it_read_when_it_began() {
    let systemd = Fake::new().service("api", Behaviour::stays_up().reads("/srv/app")).running("api");
    let host = systemd.on(SimHost::new("web-1").file("/srv/app", "old"));
    let cx = Context::on(Arc::new(host.clone()));
    status(&cx, "api").await.expect("is read");
    let old = host.snapshot();
    let step = restart("api");
    let before = taking::before(&cx, &step).await;
    host.edit(|tree| tree.write("/srv/app", "new"));
    step.apply(&cx, &before).await.expect("restarts");
    step.rollback(&cx, &before).await.expect("is left alone");
    host.edit(|tree| tree.write("/srv/app", "old"));
    assert_ne!(host.snapshot(), old, "it still works with the new file");
    step.settle(&cx, &before).await.expect("restarts");
    assert_eq!(host.snapshot(), old, "{:?}", old.diff(&host.snapshot()));
}

#[tokio::test(start_paused = true)]
async fn a_timer_that_will_not_fire_again_is_no_active_timer() {
    let timer = |sub: &str| {
        let text = format!("Id=b.timer\nLoadState=loaded\nActiveState=active\nSubState={sub}\n");
        let more = "NextElapseUSecRealtime=Sun 2026-11-22 03:00:00 UTC\nLastTriggerUSec=\n";
        Context::on(Arc::new(SimHost::new("web-1").replies("systemctl", Output::ok(text + more))))
    };
    let waiting = timer_active("b").check(&timer("waiting")).await.expect("is asked");
    assert!(waiting.passes() && waiting.evidence().summary.contains("2026-11-22"), "{waiting:?}");
    assert_eq!(timer_active("b.timer").check(&timer("elapsed")).await.expect("is asked").word(), "fail");
}
