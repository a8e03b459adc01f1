//! Maintenance: the window, logs, room.

use clap::Args;
use runbook::prelude::*;
use runbook::steps::docker;
use serde::{Deserialize, Serialize};

use crate::backups::proven_backup;
use crate::deployment::{roll_out, verify};
use crate::sbf::Sbf;

/// A maintenance, and when it may be.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Maintenance {
    #[command(flatten)]
    pub sbf: Sbf,
    /// When it may be done.
    #[arg(long, default_value = "Sat 02:00-04:00 UTC")]
    pub window: Window,
}

/// Scheduled maintenance.
///
/// In its window, after the checklist, with a proven backup; then new images, and the checklist afterwards.
#[procedure(target = planned.sbf.on)]
pub async fn scheduled_maintenance(run: &Run, planned: &Maintenance) -> Result<()> {
    let sbf = &planned.sbf;
    run.window(&planned.window).await?;
    run.checklist("Before", BEFORE).await?;
    proven_backup(run, sbf).await?;
    sbf.server(run).step("Pull the images", sbf.compose().pull()).await?;
    roll_out(run, sbf).await?;
    verify(run, sbf).await?;
    run.checklist("Afterwards", AFTERWARDS).await
}

const BEFORE: [&str; 4] = [
    "Users know since 48 hours, by email",
    "The status page says so",
    "The way back is known: `immediate_rollback`",
    "Somebody is on call",
];
const AFTERWARDS: [&str; 3] =
    ["The status page is up to date", "Users were told that it is over", "What went wrong is written down"];

/// Clean up.
///
/// Never an image that a container uses or that a way back needs; never a volume.
#[procedure(target = sbf.on)]
pub async fn clean_up(run: &Run, sbf: &Sbf) -> Result<docker::Pruned> {
    sbf.server(run).irreversible("images nobody needs are gone", "Remove old images", docker::prune()).await
}

/// Which service.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Service {
    #[command(flatten)]
    pub sbf: Sbf,
    /// Its name.
    pub service: String,
}

/// View logs.
///
/// The last lines of a service, secrets masked. For what no procedure does there is a shell:
/// `docker compose --project-name sbf --file docker-compose.prod.yml exec api /bin/bash`.
#[procedure(target = of.sbf.on)]
pub async fn logs(run: &Run, of: &Service) -> Result<()> {
    let logs = of.sbf.compose().logs(&of.service).tail(500);
    let lines = of.sbf.server(run).look(async |cx| logs.lines(cx).await).await?;
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    run.say(lines.join("\n"));
    Ok(())
}

/// Rebuild: make an image anew, from nothing.
///
/// For development. In production images come from the registry, and containers that are made anew run those.
#[procedure(target = of.sbf.on)]
pub async fn rebuild(run: &Run, of: &Service) -> Result<()> {
    let (sbf, server) = (&of.sbf, of.sbf.server(run));
    let build = sbf.development().build().services([&*of.service]).no_cache();
    server.step("Build the image", build).await?;
    let up = sbf.compose().up().services([&*of.service]).no_deps().force_recreate().within(sbf.patience());
    server.step("Make its containers anew", up).await?;
    Ok(())
}
