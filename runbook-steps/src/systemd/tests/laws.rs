//! The laws of steps, with everything going wrong that can: before, at and after every single change.

use runbook::testing::{Report, Rig, SimHost, explore};
use runbook::{Result, Run, Units as _};
use runbook_macros::procedure;

use super::super::*;
use crate::file;

const UNIT: &str =
    "[Service]\nExecStart=/opt/app --workers 4\nExecReload=/bin/true\n[Install]\nWantedBy=multi-user.target\n";

/// A host with a service that is up, one that is down, and one that is missing.
fn rig() -> Rig {
    let systemd =
        Fake::new().unit_file("api", UNIT).running("api").service("worker", Behaviour::stays_up().slowly(1.seconds()));
    let host = SimHost::new("web-1").file("/srv/app", "old").file("/lib/systemd/system/spare.service", UNIT);
    Rig::new().host(&systemd.on(host))
}

fn sound(report: &Report) {
    report.is_sound();
}

/// A new unit comes up.
#[procedure]
async fn deploy(run: &Run) -> Result<()> {
    run.step("Install", install("new", UNIT)).await?;
    run.step("Start", start("new")).await?;
    run.step("Enable", enable("new")).await?;
    Ok(())
}

#[tokio::test]
#[ignore = "takes a minute: tests/all runs it"]
async fn a_unit_is_installed_started_and_enabled_or_nothing_is_left_of_it() {
    sound(&explore::<deploy>(rig, runbook::NoInput {}).await);
}

/// New code, and a restart on it.
#[procedure]
async fn update(run: &Run) -> Result<()> {
    run.step("Code", file::write("/srv/app", "new")).await?;
    run.step("Restart", restart("api")).await?;
    run.step("Start the worker", start("worker")).await?;
    Ok(())
}

#[tokio::test]
#[ignore = "takes a minute: tests/all runs it"]
async fn a_restarted_service_is_up_whatever_went_wrong() {
    sound(&explore::<update>(rig, runbook::NoInput {}).await);
}

/// Down for a change.
#[procedure]
async fn maintain(run: &Run) -> Result<()> {
    run.step("Code", file::write("/srv/app", "new")).await?;
    run.step("Stop", stop("api")).await?;
    run.step("Fewer workers", edit("api", "--workers 4", "--workers 2")).await?;
    run.step("Less memory", drop_in("api", "memory").set("Service", "MemoryMax", "1G")).await?;
    run.step("Mask", mask("spare")).await?;
    run.step("Start", start("api")).await?;
    run.step("Reload", reload("api")).await?;
    Ok(())
}

#[tokio::test]
#[ignore = "takes a minute: tests/all runs it"]
async fn a_service_that_was_stopped_is_up_again_on_what_was_there() {
    sound(&explore::<maintain>(rig, runbook::NoInput {}).await);
}
