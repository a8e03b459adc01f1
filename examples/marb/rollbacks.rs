//! Rollbacks: back to a release that is known to be good.

use clap::Args;
use runbook::prelude::*;
use runbook::steps::alembic::{self, Alembic};
use runbook::steps::git::{self, Release};
use runbook::steps::journald;
use serde::{Deserialize, Serialize};

use crate::backups::proven_backup;
use crate::health::comprehensive_health;
use crate::marb::{API, Marb, WORKER, start, stop};
use crate::updates::{change_code, install};

/// Where to go back to.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Back {
    #[command(flatten)]
    pub marb: Marb,
    /// The good commit; the one that was checked out before when it is not given.
    #[arg(long)]
    pub to: Option<String>,
}

/// Quick rollback: code only, no change of the database.
///
/// Refuses to go where other packages or another schema are needed.
#[procedure(target = back.marb.on)]
pub async fn quick_rollback(run: &Run, back: &Back) -> Result<Release> {
    let marb = &back.marb;
    let good = good_commit(run, back).await?;
    marb.watched(run, async |run| {
        let release = change_code(run, marb, &good).await?;
        run.check("Healthy", marb.is_healthy()).await?;
        let quiet = journald::errors(API).since(1.seconds()).max(0).holds_for(10.seconds()).every(1.seconds());
        marb.server(run).check("No errors in the log", quiet).await?;
        Ok(release)
    })
    .await
}

/// Rollback with database migration.
///
/// Back to a release whose schema is older. What the schema of the good commit is, its own code says. The services stand
/// still meanwhile, a backup of this moment is proven first, and the migrations are taken back by the code that brought them,
/// before the old code comes. When it fails half way, the new release is back and serves.
#[procedure(target = back.marb.on)]
pub async fn rollback_with_migration(run: &Run, back: &Back) -> Result<Release> {
    let marb = &back.marb;
    let app = marb.app(run);
    let good = good_commit(run, back).await?;
    let schema = schema_of(run, marb, &good).await?;
    run.confirm(format!("Back to {good} with the schema {schema}? What was written into newer columns is lost."))
        .await?;
    let dump = proven_backup(run, marb).await?;
    stop(run, marb).await?;
    let downgrade = alembic::downgrade(&marb.alembic()).to(&schema).guarded_by(&dump);
    marb.server(run).step("Take the migrations back", downgrade).await?;
    let code = app.step("Check out the good commit", git::checkout(&marb.root, &good)).await?;
    install(run, marb, &code).await?;
    start(run, marb).await?;
    run.check("Healthy", marb.is_healthy()).await?;
    comprehensive_health(run, marb).await?;
    Ok(code.release())
}

/// Emergency rollback: the service is unavailable.
///
/// Keeps the last lines of the log before anything is restarted, and asks for nothing that would cost time.
#[procedure(target = back.marb.on)]
pub async fn emergency_rollback(run: &Run, back: &Back) -> Result<Release> {
    let marb = &back.marb;
    keep_the_log(run, marb).await?;
    let good = good_commit(run, back).await?;
    let release = change_code(run, marb, &good).await?;
    run.check("Answers again", marb.is_healthy()).await?;
    Ok(release)
}

/// Keep the log.
///
/// A restart would bury what the services said last.
#[part]
pub async fn keep_the_log(run: &Run, marb: &Marb) -> Result<()> {
    for unit in [API, WORKER] {
        /// `journalctl --unit UNIT --lines 30`
        let last = marb.server(run).look(async |cx| journald::tail(cx, unit, 30).await).await?;
        let last: Vec<String> = last.iter().map(ToString::to_string).collect();
        run.say(format!("the last lines of {unit}, before anything changes:\n{}", last.join("\n")));
    }
    Ok(())
}

/// Find the good commit.
///
/// The one that was asked for, or the one before the last checkout.
#[part]
pub async fn good_commit(run: &Run, back: &Back) -> Result<String> {
    if let Some(commit) = &back.to {
        return Ok(commit.clone());
    }
    /// What was checked out before: `git log --oneline -10`, `git reflog`.
    let before = back.marb.app(run).look(async |cx| git::previous(cx, &back.marb.root).await).await?;
    let before = before.and_then(|release| release.previous);
    let unknown = || Error::new("nothing tells what was there before the last checkout").hint("name it: `--to COMMIT`");
    Ok(before.ok_or_else(unknown)?.as_str().to_owned())
}

/// Find the schema of the good commit.
///
/// Its newest migration, as its own code tells it (`alembic heads`): from a copy that is there for the question only.
#[part]
pub async fn schema_of(run: &Run, marb: &Marb, commit: &str) -> Result<String> {
    let root = marb.root.to_string_lossy();
    let aside = format!("{root}/.good-commit");
    let app = marb.app(run);
    let heads = app.hold("Look into the good commit", code_aside(&root, &aside, commit), async |app| {
        let there = Alembic::in_dir(&aside, &marb.database()).venv(marb.venv()).env_file(marb.settings());
        app.look(async |cx| alembic::heads(cx, &there).await).await
    });
    match heads.await?.as_slice() {
        [head] => Ok(head.revision.clone()),
        heads => bail!("`{commit}` has {} newest migrations, so nobody knows which to go back to", heads.len()),
    }
}

/// Put the code of a commit aside
#[step(rollback = remove_aside)]
async fn code_aside(cx: &Context, root: &str, aside: &str, commit: &str) -> Result<()> {
    cx.files().remove(aside.as_ref()).await?;
    cx.run(&cmd!("git clone --quiet --no-checkout {root} {aside}")).await?;
    cx.run(&cmd!("git -C {aside} checkout --quiet --detach {commit}")).await?;
    Ok(())
}

async fn remove_aside(cx: &Context, _root: &str, aside: &str, _commit: &str) -> Result<()> {
    cx.files().remove(aside.as_ref()).await
}
