//! The laws of steps, with everything going wrong that can: before, at and after every single change.

use runbook::testing::{Rig, explore};
use runbook::{NoInput, Result, Run};
use runbook_macros::procedure;

use super::*;

fn rig() -> Rig {
    let engine = Fake::new().image("api:v1").image("api:latest").pushed("api:latest", "2").image("tools");
    let engine = engine.volume("data", [("a", "1")]).volume("other", [("b", "2")]);
    Rig::new().host(&engine.on(SimHost::new("web-1").dir("/backups")))
}

/// Tags that move.
#[procedure]
async fn images(run: &Run) -> Result<()> {
    run.step("Keep", tag("api:latest", "api:rollback")).await?;
    run.step("Pull", pull("api:latest")).await?;
    run.step("Tag", tag("api:v1", "api:latest")).await?;
    Ok(())
}

#[tokio::test]
#[ignore = "takes a minute: tests/all runs it"]
async fn tags_point_to_what_they_did_or_to_what_they_should() {
    explore::<images>(rig, NoInput {}).await.is_sound();
}

/// A volume that is put back.
#[procedure]
async fn volumes(run: &Run) -> Result<()> {
    run.step("Keep", archive("data", "/backups/data.tar", "tools")).await?;
    run.step("Restore", restore("other", "/backups/data.tar", "tools")).await?;
    Ok(())
}

#[tokio::test]
#[ignore = "takes a minute: tests/all runs it"]
async fn a_volume_holds_what_it_did_or_what_it_should() {
    explore::<volumes>(rig, NoInput {}).await.is_sound();
}
