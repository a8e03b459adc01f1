//! Updates: one instance after the other, while the others serve.

use clap::Args;
use runbook::prelude::*;
use runbook::steps::{git, rollout};
use serde::{Deserialize, Serialize};

use crate::data::back_up;
use crate::sentinal::{INSTANCES, Sentinal};
use crate::verification::verify;

/// Another release.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Release {
    #[command(flatten)]
    pub sentinal: Sentinal,
    /// The release: a tag, a branch or a commit.
    #[arg(long)]
    pub revision: String,
}

/// Zero-downtime update.
///
/// Each instance is drained in nginx, made anew, and gets requests again when it is healthy. At the first that is not, it is
/// put back, and the others are never touched.
#[procedure(target = to.sentinal.on)]
pub async fn update(run: &Run, to: &Release) -> Result<git::Release> {
    let sentinal = &to.sentinal;
    run.require("Healthy before we begin", sentinal.is_healthy()).await?;
    let release = sentinal
        .watched(run, async |run| {
            let release = bring(run, to).await?;
            roll(run, sentinal).await?;
            Ok(release)
        })
        .await?;
    verify(run, sentinal).await?;
    Ok(release)
}

/// Get the release, and make its images.
#[part]
pub async fn bring(run: &Run, to: &Release) -> Result<git::Release> {
    let (sentinal, server) = (&to.sentinal, to.sentinal.server(run));
    server.step("Get what is new", git::fetch(&sentinal.root)).await?;
    let code = server.step("Check out the release", git::checkout(&sentinal.root, &to.revision)).await?;
    server.step("Build the images", sentinal.compose().build().services(INSTANCES)).await?;
    Ok(code.release())
}

/// Replace one instance after the other.
#[part]
pub async fn roll(run: &Run, sentinal: &Sentinal) -> Result<()> {
    let (all, balancer) = (sentinal.clone(), sentinal.inside("nginx"));
    let rolling = rollout::rolling(INSTANCES, move |instance| {
        rollout::replace(instance, all.compose().up().services([instance]).no_deps().within(all.patience()))
            .drained_by(Sentinal::balancer().drain(format!("{instance}:8000")), &balancer)
            .until(all.instance_is_healthy(instance), all.patience())
    });
    rolling.go(&sentinal.server(run)).await?;
    Ok(())
}

/// A maintenance, and when it may be.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Maintenance {
    #[command(flatten)]
    pub to: Release,
    /// When it may be done.
    #[arg(long, default_value = "daily 02:00-04:00 UTC")]
    pub window: Window,
}

/// Planned maintenance.
///
/// In its window, with users told and a backup made; then the update.
#[procedure(target = planned.to.sentinal.on)]
pub async fn planned_maintenance(run: &Run, planned: &Maintenance) -> Result<git::Release> {
    run.window(&planned.window).await?;
    run.checklist("Before", ["Users know since 24 hours", "It was tested in staging", "The way back is known"]).await?;
    back_up(run, &planned.to.sentinal).await?;
    update(run, &planned.to).await
}
