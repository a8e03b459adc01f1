//! Rollbacks: back to a release that is known to be good. Images of it are there; nothing is built while users wait.

use clap::Args;
use runbook::prelude::*;
use runbook::steps::alembic;
use runbook::steps::backup::{self, Dump, VerifiedBackup};
use runbook::steps::git::{self, Release};
use serde::{Deserialize, Serialize};

use crate::backups::proven_backup;
use crate::cleaning::{APPLICATION, Cleaning};
use crate::deployment::{To, database_up, images, start};
use crate::verification::{quick_checks, smoke_tests};

/// Where to go back to.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Back {
    #[command(flatten)]
    pub from: To,
    /// The good commit; the one that was deployed before when it is not given.
    #[arg(long)]
    pub to: Option<String>,
    /// The revision of its schema; the one that the newest backup was taken at when it is not given.
    #[arg(long)]
    pub schema: Option<String>,
}

/// Quick rollback: code only.
///
/// The old commit and its images, which are still there. Refuses when the old code does not know the schema.
#[procedure(target = back.from.cleaning.on)]
pub async fn quick_rollback(run: &Run, back: &Back) -> Result<Release> {
    let cleaning = &back.from.cleaning;
    let release = old_code(run, back).await?;
    cleaning
        .watched(run, async |run| {
            let database = cleaning.database_host(run);
            database.check("The old code knows the schema", alembic::current_is_known(&cleaning.alembic())).await?;
            start(run, cleaning).await?;
            quick_checks(run, cleaning).await
        })
        .await?;
    smoke_tests(run, &back.from).await?;
    Ok(release)
}

/// Rollback with database migration downgrade.
///
/// The application stands still, a backup of this moment is proven, and the migrations are taken back by the code that
/// brought them, before the old code comes.
#[procedure(target = back.from.cleaning.on)]
pub async fn rollback_with_downgrade(run: &Run, back: &Back) -> Result<Release> {
    let cleaning = &back.from.cleaning;
    let schema = schema_before(run, back).await?;
    run.confirm(format!("Back to the schema {schema}? What was written into newer columns is lost.")).await?;
    let release = cleaning
        .watched(run, async |run| {
            let server = cleaning.server(run);
            server.step("Stop the application", cleaning.compose().stop(APPLICATION)).await?;
            let dump = proven_backup(run, cleaning).await?;
            let downgrade = alembic::downgrade(&cleaning.alembic()).to(&schema).guarded_by(&dump);
            cleaning.database_host(run).step("Take the migrations back", downgrade).await?;
            let release = old_code(run, back).await?;
            start(run, cleaning).await?;
            quick_checks(run, cleaning).await?;
            Ok(release)
        })
        .await?;
    smoke_tests(run, &back.from).await?;
    Ok(release)
}

/// Emergency rollback: restore from a backup.
///
/// The last resort. The backup is proven before anything is given up for it, the database of now is kept aside, and what is
/// lost is said: everything written since.
#[procedure(target = back.from.cleaning.on)]
pub async fn emergency_rollback(run: &Run, back: &Back) -> Result<Release> {
    let cleaning = &back.from.cleaning;
    let database = cleaning.database_host(run);
    database_up(run, cleaning).await?;
    let dump = database.step("Find the newest backup", backup::latest(Cleaning::backups()).dump()).await?;
    let dump = database.step("Prove the backup", backup::rehearse(&dump)).await?;
    let when = dump.backup().taken_at.map_or_else(|| "its making".to_owned(), |at| at.to_string());
    run.confirm(format!("Restore? Everything written since {when} is lost.")).await?;
    let release = cleaning
        .watched(run, async |run| {
            let server = cleaning.server(run);
            server.step("Stop the application", cleaning.compose().stop(APPLICATION)).await?;
            restore(run, cleaning, &dump).await?;
            let release = old_code(run, back).await?;
            start(run, cleaning).await?;
            quick_checks(run, cleaning).await?;
            Ok(release)
        })
        .await?;
    smoke_tests(run, &back.from).await?;
    Ok(release)
}

/// Restore the database.
#[part]
pub async fn restore(run: &Run, cleaning: &Cleaning, dump: &VerifiedBackup<Dump>) -> Result<()> {
    let database = cleaning.database_host(run);
    database.step("Restore the database", backup::restore(dump).to(&Cleaning::database())).await?;
    Ok(())
}

/// Check out the old code, and have its images.
///
/// They are there from its own deployment, with its commit as their tag; only where they are not, they are built.
#[part]
pub async fn old_code(run: &Run, back: &Back) -> Result<Release> {
    let cleaning = &back.from.cleaning;
    let server = cleaning.server(run);
    let good = good_commit(run, back).await?;
    let code = server.step("Check out the good commit", git::checkout(&cleaning.root, &good)).await?;
    images(run, cleaning).await?;
    Ok(code.release())
}

/// Find the good commit.
///
/// The one that was asked for, or the one that was deployed before.
#[part]
pub async fn good_commit(run: &Run, back: &Back) -> Result<String> {
    if let Some(commit) = &back.to {
        return Ok(commit.clone());
    }
    let cleaning = &back.from.cleaning;
    /// What was checked out before: `git log --oneline -10`, `git reflog`.
    let before = cleaning.server(run).look(async |cx| git::previous(cx, &cleaning.root).await).await?;
    let before = before.and_then(|release| release.previous);
    let unknown = || Error::new("nothing tells what was there before the last checkout").hint("name it: `--to COMMIT`");
    Ok(before.ok_or_else(unknown)?.as_str().to_owned())
}

/// Find the schema of before.
///
/// Every deployment takes a backup first, which says what the schema was then.
#[part]
pub async fn schema_before(run: &Run, back: &Back) -> Result<String> {
    if let Some(schema) = &back.schema {
        return Ok(schema.clone());
    }
    let cleaning = &back.from.cleaning;
    let newest = backup::latest(Cleaning::backups()).dump();
    let dump = cleaning.database_host(run).step("Find the newest backup", newest).await?;
    match dump.contents.revisions.as_deref() {
        Some([schema]) => Ok(schema.clone()),
        _ => {
            Err(Error::new("the newest backup does not tell the schema of before").hint("name it: `--schema REVISION`"))
        }
    }
}

/// Post-rollback actions.
///
/// It stays well for a while, and people do what only they can.
#[procedure(target = back.from.cleaning.on)]
pub async fn after_a_rollback(run: &Run, back: &Back) -> Result<()> {
    run.check("It stays ready", back.from.cleaning.is_ready().holds_for(5.minutes()).every(5.seconds())).await?;
    run.checklist("After the rollback", AFTER).await
}

const AFTER: [&str; 4] = [
    "What failed is written down: the report of the failed run is attached",
    "The team knows",
    "A post-mortem is scheduled",
    "Nobody deploys again before it is fixed",
];
