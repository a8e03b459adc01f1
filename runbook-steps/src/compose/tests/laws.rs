//! The laws of steps, with everything going wrong that can: before, at and after every single change.

use runbook::testing::{Report, Rig, explore};
use runbook::{NoInput, Result, Run};
use runbook_macros::procedure;

use super::*;
use crate::file;

fn rig() -> Rig {
    Rig::new().host(&host(&engine().running("app", "/opt/app"), "1"))
}

fn sound(report: &Report) {
    report.is_sound();
}

/// New code, with everything down in the middle.
#[procedure]
async fn deploy(run: &Run) -> Result<()> {
    run.step("Code", file::write("/opt/app/VERSION", "2")).await?;
    run.step("Build", app().build()).await?;
    run.step("Down", app().down()).await?;
    run.step("Up", app().up()).await?;
    Ok(())
}

#[tokio::test]
#[ignore = "takes a minute: tests/all runs it"]
async fn a_project_is_all_new_or_all_old() {
    sound(&explore::<deploy>(rig, NoInput {}).await);
}

/// One service after the other, while the others run.
#[procedure]
async fn roll(run: &Run) -> Result<()> {
    run.step("Code", file::write("/opt/app/VERSION", "2")).await?;
    run.step("Build", app().build()).await?;
    run.step("Stop", app().stop(["api"])).await?;
    run.step("Remove", app().remove(["api"])).await?;
    run.step("New", app().up().services(["api"]).no_deps()).await?;
    run.step("Restart", app().restart(["web"])).await?;
    Ok(())
}

#[tokio::test]
#[ignore = "takes a minute: tests/all runs it"]
async fn one_service_is_new_or_old() {
    sound(&explore::<roll>(rig, NoInput {}).await);
}

/// More containers, and fewer.
#[procedure]
async fn scale(run: &Run) -> Result<()> {
    run.step("More", app().scale("web", 3)).await?;
    run.step("Fewer", app().scale("web", 1)).await?;
    Ok(())
}

#[tokio::test]
#[ignore = "takes a minute: tests/all runs it"]
async fn there_are_as_many_as_before_or_as_many_as_wanted() {
    sound(&explore::<scale>(rig, NoInput {}).await);
}

/// Nothing was there.
#[procedure]
async fn begin(run: &Run) -> Result<()> {
    run.step("Build", app().build()).await?;
    run.step("Database", app().up().services(["db"])).await?;
    run.step("All", app().up()).await?;
    Ok(())
}

#[tokio::test]
#[ignore = "takes a minute: tests/all runs it"]
async fn a_first_deployment_is_there_or_is_not() {
    sound(&explore::<begin>(|| Rig::new().host(&host(&engine(), "1")), NoInput {}).await);
}
