//! Scheduled maintenance.

use clap::Args;
use runbook::prelude::*;
use runbook::steps::git::Release;
use runbook::steps::nginx;
use serde::{Deserialize, Serialize};

use crate::backups::proven_backup;
use crate::health::comprehensive_health;
use crate::marb::{SITE, start, stop};
use crate::updates::{To, bring, migrate, no_new_errors, pending};

/// What is done in it, and when.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Maintenance {
    #[command(flatten)]
    pub to: To,
    /// When: `Sat 02:00-06:00 Europe/Berlin`.
    #[arg(long, default_value = "Sat 02:00-06:00 UTC")]
    pub window: Window,
}

/// Scheduled maintenance.
///
/// Users were told; the window is open; a backup of this moment is proven. Then, behind a maintenance page, the services stop,
/// the release comes with its packages and migrations, and the services start. The page goes when they serve, or when the
/// old release does. Half an hour of watching afterwards; someone else watches the day after.
#[procedure(target = maintenance.to.marb.on)]
pub async fn scheduled_maintenance(run: &Run, maintenance: &Maintenance) -> Result<Release> {
    let (to, marb) = (&maintenance.to, &maintenance.to.marb);
    run.checklist("Before maintenance", BEFORE).await?;
    run.window(&maintenance.window).await?;
    let dump = proven_backup(run, marb).await?;
    let server = marb.server(run);
    let release = server.hold("Maintenance page", nginx::maintenance(SITE), async |run| {
        stop(run, marb).await?;
        let code = bring(run, marb, &to.revision).await?;
        if !pending(run, marb).await?.is_empty() {
            migrate(run, to, &dump).await?;
        }
        start(run, marb).await?;
        Ok(code.release())
    });
    let release = release.await?;
    comprehensive_health(run, marb).await?;
    no_new_errors(run, to).await?;
    run.checklist("After maintenance", AFTER).await?;
    Ok(release)
}

/// What nobody but a person knows, before.
const BEFORE: [&str; 3] =
    ["Users were told 24 to 48 hours ago", "The way back is known to all", "New settings of the release are in `.env`"];

/// And after.
const AFTER: [&str; 3] =
    ["What matters most was tried by a person", "Users know that it is over", "Someone watches for a day, and who"];
