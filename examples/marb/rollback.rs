//! Rollbacks: back to a release that is known to be good.

use clap::Args;
use runbook::prelude::*;
use runbook::steps::git::{self, Release};
use runbook::steps::journald;
use serde::{Deserialize, Serialize};

use crate::marb::{API, Marb, WORKER, restart};
use crate::update::check_out;

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
    let code = check_out(run, marb, &good).await?;
    restart(run, marb).await?;
    run.check("Healthy", marb.is_healthy()).await?;
    Ok(code.release())
}

/// Emergency rollback: the service is unavailable.
///
/// Keeps the last lines of the log before anything is restarted, and asks for nothing that would cost time.
#[procedure(target = back.marb.on)]
pub async fn emergency_rollback(run: &Run, back: &Back) -> Result<Release> {
    let marb = &back.marb;
    for unit in [API, WORKER] {
        let last = marb.server(run).look(async |cx| journald::tail(cx, unit, 50).await).await?;
        let last: Vec<String> = last.iter().map(ToString::to_string).collect();
        run.say(format!("the last lines of {unit} before the rollback:\n{}", last.join("\n")));
    }
    let good = good_commit(run, back).await?;
    let code = check_out(run, marb, &good).await?;
    restart(run, marb).await?;
    run.check("Answers again", marb.is_healthy()).await?;
    Ok(code.release())
}

/// The commit that was asked for, or the one before the last checkout.
async fn good_commit(run: &Run, back: &Back) -> Result<String> {
    if let Some(commit) = &back.to {
        return Ok(commit.clone());
    }
    let before = back.marb.app(run).look(async |cx| git::previous(cx, &back.marb.root).await).await?;
    let before = before.and_then(|release| release.previous);
    let unknown = || Error::new("nothing tells what was there before the last checkout").hint("name it: `--to COMMIT`");
    Ok(before.ok_or_else(unknown)?.as_str().to_owned())
}
