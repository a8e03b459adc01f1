//! What a run puts back, against the simulated engine.

use runbook::testing::Rig;
use runbook::{Result, Run};
use runbook_macros::procedure;

use super::*;
use crate::file;

fn rig() -> Rig {
    Rig::new().host(&host(&engine().running("app", "/opt/app"), "1"))
}

/// To which version.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, clap::Args)]
struct To {
    version: String,
}

fn to(version: &str) -> To {
    To { version: version.to_owned() }
}

/// The way of the fourth document: everything is down in the middle.
#[procedure]
async fn update(run: &Run, to: &To) -> Result<()> {
    run.step("Code", file::write("/opt/app/VERSION", to.version.clone())).await?;
    let made = run.step("Build", app().build()).await?;
    if made.changed() {
        run.step("Down", app().down()).await?;
    }
    run.step("Database", app().up().services(["db"])).await?;
    run.step("API", app().up().services(["api"])).await?;
    run.step("All", app().up()).await?;
    run.check("Healthy", app().healthy()).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_good_version_goes_up_and_the_old_image_is_kept() {
    let host = host(&engine().running("app", "/opt/app"), "1");
    let rig = Rig::new().host(&host);
    rig.run::<update>(to("2")).await.succeeds().did(["Build", "Down", "All"]);
    let tags = crate::docker::fake::tags(&host);
    assert_eq!(tags.keys().filter(|tag| tag.starts_with("app-api:runbook-before-")).count(), 1, "{tags:?}");
    let again = host.snapshot();
    Rig::new().host(&host).run::<update>(to("2")).await.succeeds();
    assert_eq!(host.snapshot(), again);
}

#[tokio::test(start_paused = true)]
async fn a_bad_version_is_put_back_whole() {
    for version in ["crashes", "unhealthy", "dead", "does-not-build"] {
        rig().run::<update>(to(version)).await.rolls_back().world_is_unchanged();
    }
}

/// Services that did not run before the run do not run after it, whichever step found them running.
#[procedure]
async fn first_time(run: &Run) -> Result<()> {
    run.step("Build", app().build()).await?;
    run.step("Database", app().up().services(["db"])).await?;
    run.step("All", app().up()).await?;
    run.step("Anew", app().up().services(["db"]).force_recreate()).await?;
    run.step("More", app().scale("web", 3)).await?;
    run.step("Restart", app().restart(["api"])).await?;
    run.step("Fewer", app().scale("web", 1)).await?;
    run.step("Without", app().stop(["web"])).await?;
    runbook::bail!("it is too late")
}

#[tokio::test(start_paused = true)]
async fn a_first_deployment_that_fails_leaves_nothing() {
    let host = host(&engine(), "1");
    let rig = Rig::new().host(&host);
    rig.run::<first_time>(runbook::NoInput {}).await.rolls_back().world_is_unchanged();
}

/// Hotfix of the third document: the tag moves, and one service is made anew.
#[procedure]
async fn hotfix(run: &Run) -> Result<()> {
    run.step("Pull", crate::docker::pull("registry/api:hotfix")).await?;
    run.step("Tag", crate::docker::tag("registry/api:hotfix", "app-api:latest")).await?;
    run.step("Anew", app().up().services(["api"]).no_deps().force_recreate()).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_hotfix_that_is_not_healthy_is_put_back() {
    let engine = || engine().running("app", "/opt/app");
    let good = Rig::new().host(&host(&engine().pushed("registry/api:hotfix", "2"), "1"));
    good.run::<hotfix>(runbook::NoInput {}).await.succeeds();
    let bad = Rig::new().host(&host(&engine().pushed("registry/api:hotfix", "unhealthy"), "1"));
    bad.run::<hotfix>(runbook::NoInput {}).await.rolls_back().says("is unhealthy").world_is_unchanged();
    let none = Rig::new().host(&host(&engine(), "1"));
    none.run::<hotfix>(runbook::NoInput {}).await.rolls_back().says("manifest unknown").world_is_unchanged();
}
