//! Rollbacks: the images of before, the data of a backup, the schema of before.

use clap::Args;
use runbook::prelude::*;
use runbook::steps::{alembic, backup, docker, postgres};
use serde::{Deserialize, Serialize};

use crate::backups::proven_backup;
use crate::deployment::{roll_out, verify};
use crate::sbf::Sbf;

/// Which images to go back to.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Images {
    #[command(flatten)]
    pub sbf: Sbf,
    /// The images to run: `TAG=IMAGE`, as the log of the deployment has them.
    #[arg(long = "image", required = true)]
    pub images: Vec<String>,
}

/// Immediate rollback.
///
/// The tags are back on the images that the log of the deployment names, whose ids are proof that they are those; then new
/// instances of them come up beside the bad ones. No downtime.
#[procedure(target = back.sbf.on)]
pub async fn immediate_rollback(run: &Run, back: &Images) -> Result<()> {
    let (sbf, server) = (&back.sbf, back.sbf.server(run));
    for pair in &back.images {
        let (tag, image) = pair.split_once('=').context("an image is given as `TAG=IMAGE`")?;
        server.check(format!("{image} is there"), docker::is_present(image)).await?;
        server.step(format!("Point {tag} at it"), docker::tag(image, tag)).await?;
    }
    sbf.watched(run, async |run| roll_out(run, sbf).await).await?;
    verify(run, sbf).await
}

/// Database rollback.
///
/// The newest backup, proven first. The API and the workers stand still, the data of now is kept aside, and what is lost is
/// said before anybody agrees to it.
#[procedure(target = sbf.on)]
pub async fn database_rollback(run: &Run, sbf: &Sbf) -> Result<()> {
    let (server, database) = (sbf.server(run), sbf.database_host(run));
    let dump = database.step("Find the newest backup", backup::latest(Sbf::backups()).dump()).await?;
    let dump = database.step("Prove the backup", backup::rehearse(&dump)).await?;
    let when = dump.backup().taken_at.map_or_else(|| "its making".to_owned(), |at| at.to_string());
    run.confirm(format!("Restore? Everything written since {when} is lost.")).await?;
    let rows = dump.backup().contents.rows.get("notebooks").copied().unwrap_or_default();
    sbf.watched(run, async |run| {
        let server = sbf.server(run);
        server.step("Stop the API and the workers", sbf.compose().stop(["api", "workers"])).await?;
        let restore = backup::restore(&dump).to(&Sbf::database());
        sbf.database_host(run).step("Restore the database", restore).await?;
        server.step("Start all services", sbf.compose().up().within(sbf.patience())).await
    })
    .await?;
    let there = postgres::has_rows(&Sbf::database(), "notebooks").at_least(rows);
    database.check("The notebooks of the backup are there", there).await?;
    server.check("All services are healthy", sbf.compose().healthy()).await?;
    verify(run, sbf).await
}

/// To which schema.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Schema {
    #[command(flatten)]
    pub sbf: Sbf,
    /// The revision. Not `-1`: two migrations may have been applied.
    pub revision: String,
}

/// Migration rollback.
///
/// By the code that brought the migrations, with a proven backup of this moment behind it.
#[procedure(target = back.sbf.on)]
pub async fn migration_rollback(run: &Run, back: &Schema) -> Result<()> {
    let sbf = &back.sbf;
    let database = sbf.database_host(run);
    run.confirm(format!("Back to the schema {}? What was written into newer columns is lost.", back.revision)).await?;
    let dump = proven_backup(run, sbf).await?;
    let downgrade = alembic::downgrade(&sbf.alembic()).to(&back.revision).guarded_by(&dump);
    database.step("Take the migrations back", downgrade).await?;
    run.check("Ready", sbf.is_ready().within(sbf.patience())).await
}
