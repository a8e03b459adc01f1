//! Updates: other code, and the packages and the schema that go with it.

use clap::Args;
use runbook::prelude::*;
use runbook::steps::alembic::{self, Migrated};
use runbook::steps::backup::{Dump, VerifiedBackup};
use runbook::steps::git::{self, Release};
use runbook::steps::{journald, nginx, postgres, python};
use serde::{Deserialize, Serialize};

use crate::backups::proven_backup;
use crate::health::comprehensive_health;
use crate::marb::{API, Marb, SITE, restart, start, stop};

/// Another release.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct To {
    #[command(flatten)]
    pub marb: Marb,
    /// The release: a tag, a branch or a commit.
    #[arg(long, default_value = "main")]
    pub revision: String,
    /// Watch the log for errors this long at the end, in seconds.
    #[arg(long, default_value_t = 10)]
    pub watch: u64,
    /// When the schema cannot be taken back, restore the backup: what was written meanwhile is lost.
    #[arg(long)]
    pub may_restore: bool,
}

/// Standard update.
///
/// Code, and what it needs: packages when the requirements changed, migrations when there are new ones, a proven backup
/// before those. A restart that serves, and a log without errors. When any of it fails, the old commit, the old packages, the
/// old schema and processes on them are back, and healthy.
#[procedure(target = to.marb.on)]
pub async fn standard_update(run: &Run, to: &To) -> Result<Release> {
    let marb = &to.marb;
    run.require("Healthy before we begin", marb.is_healthy()).await?;
    marb.watched(run, async |run| {
        let code = bring(run, marb, &to.revision).await?;
        if !pending(run, marb).await?.is_empty() {
            let dump = proven_backup(run, marb).await?;
            migrate(run, to, &dump).await?;
        }
        restart_and_watch(run, to).await?;
        Ok(code.release())
    })
    .await
}

/// Update, code only.
///
/// For a release with the same packages and the same schema; one that changes either is refused before any service notices.
/// Puts the old code and the old processes back by itself when a service does not stay up or the site is not healthy.
#[procedure(target = to.marb.on)]
pub async fn update_code(run: &Run, to: &To) -> Result<Release> {
    let marb = &to.marb;
    run.require("Healthy before we begin", marb.is_healthy()).await?;
    marb.watched(run, async |run| {
        let release = change_code(run, marb, &to.revision).await?;
        run.check("Healthy", marb.is_healthy()).await?;
        Ok(release)
    })
    .await
}

/// Update with database schema changes.
///
/// As the standard update, and every migration is tried first on a copy that is restored from the backup of this very hour:
/// how long it takes, that it loses no row, and that it can be taken back.
#[procedure(target = to.marb.on)]
pub async fn update_schema(run: &Run, to: &To) -> Result<Release> {
    let marb = &to.marb;
    run.require("Healthy before we begin", marb.is_healthy()).await?;
    let dump = proven_backup(run, marb).await?;
    marb.watched(run, async |run| {
        let code = bring(run, marb, &to.revision).await?;
        if !pending(run, marb).await?.is_empty() {
            let rehearsal = alembic::rehearse(&marb.alembic(), &dump);
            let rehearsed = marb.server(run).step("Rehearse the migrations", rehearsal).await?;
            let back = if rehearsed.is_reversible() { "and can be taken back" } else { "and cannot be taken back" };
            run.say(format!("on a copy it takes {:.1} s, {back}", rehearsed.took.as_secs_f64()));
            migrate(run, to, &dump).await?;
        }
        restart_and_watch(run, to).await?;
        Ok(code.release())
    })
    .await
}

/// A release that breaks clients, and when.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Breaking {
    #[command(flatten)]
    pub to: To,
    /// When it may be done: `Sat 02:00-06:00 Europe/Berlin`.
    #[arg(long, default_value = "Sat 02:00-06:00 UTC")]
    pub window: Window,
}

/// Update with breaking changes.
///
/// In its window, with the approval of whoever answers for it, behind a maintenance page, with the migrations rehearsed. The
/// page goes when the site is healthy or the old release is back.
#[procedure(target = breaking.to.marb.on)]
pub async fn update_breaking(run: &Run, breaking: &Breaking) -> Result<Release> {
    let to = &breaking.to;
    run.window(&breaking.window).await?;
    run.checklist("Before a breaking change", ["Users know since a day", "The migrations were proven in staging"])
        .await?;
    run.approve("release manager").await?;
    let page = nginx::maintenance(SITE);
    let server = to.marb.server(run);
    let release = server.hold("Maintenance page", page, async |run| {
        let marb = &to.marb;
        stop(run, marb).await?;
        let dump = proven_backup(run, marb).await?;
        let code = bring(run, marb, &to.revision).await?;
        if !pending(run, marb).await?.is_empty() {
            run.step("Rehearse the migrations", alembic::rehearse(&marb.alembic(), &dump)).await?;
            migrate(run, to, &dump).await?;
        }
        start(run, marb).await?;
        Ok(code.release())
    });
    let release = release.await?;
    comprehensive_health(run, &to.marb).await?;
    no_new_errors(run, to).await?;
    Ok(release)
}

/// Get the release.
#[part]
pub async fn fetch(run: &Run, marb: &Marb, revision: &str) -> Result<git::Checkout> {
    let app = marb.app(run);
    app.step("Get what is new", git::fetch(&marb.root)).await?;
    app.step("Check out the release", git::checkout(&marb.root, revision)).await
}

/// Get a release, and the packages it wants.
#[part]
pub async fn bring(run: &Run, marb: &Marb, revision: &str) -> Result<git::Checkout> {
    let code = fetch(run, marb, revision).await?;
    install(run, marb, &code).await?;
    Ok(code)
}

/// Get a release that needs nothing but a restart, and restart.
///
/// One that changes `requirements.txt` or `alembic/versions` is refused.
#[part]
pub async fn change_code(run: &Run, marb: &Marb, revision: &str) -> Result<Release> {
    let code = fetch(run, marb, revision).await?;
    for (what, pattern) in [("packages", "requirements.txt"), ("the schema", "alembic/versions")] {
        ensure!(!code.changed(pattern), "`{revision}` changes {what}: it takes more than other code");
    }
    restart(run, marb).await?;
    Ok(code.release())
}

/// Install its packages.
#[part]
pub async fn install(run: &Run, marb: &Marb, code: &git::Checkout) -> Result<()> {
    if code.changed("requirements.txt") {
        let app = marb.app(run);
        let wanted = python::install(marb.venv()).requirements(marb.root.join("requirements.txt"));
        app.step("Install the requirements", wanted).await?;
        app.check("The packages fit together", python::pip_check(marb.venv())).await?;
    }
    Ok(())
}

/// See which migrations are pending.
///
/// Those that the code has (`alembic heads`) and the database has not (`alembic current`).
#[part]
pub async fn pending(run: &Run, marb: &Marb) -> Result<Vec<alembic::Migration>> {
    marb.app(run).look(async |cx| alembic::pending(cx, &marb.alembic()).await).await
}

/// Migrate the database.
///
/// The rows of before are there afterwards.
#[part]
pub async fn migrate(run: &Run, to: &To, dump: &VerifiedBackup<Dump>) -> Result<Migrated> {
    // By the server's administrator: a copy is made for the rehearsal, and restoring takes PostgreSQL's own user.
    let (marb, server) = (&to.marb, to.marb.server(run));
    let upgrade = alembic::upgrade(&marb.alembic()).guarded_by(dump);
    let upgrade = if to.may_restore { upgrade.may_restore() } else { upgrade };
    let migrated = server.step("Migrate the database", upgrade).await?;
    server.check("The schema is the one of the code", alembic::current_is_head(&marb.alembic())).await?;
    let claims = dump.backup().contents.rows.get("claims").copied().unwrap_or_default();
    server.check("No claim is lost", postgres::has_rows(&marb.database(), "claims").at_least(claims)).await?;
    Ok(migrated)
}

/// Restart, and see that it stays well.
#[part]
pub async fn restart_and_watch(run: &Run, to: &To) -> Result<()> {
    restart(run, &to.marb).await?;
    run.check("Healthy", to.marb.is_healthy()).await?;
    no_new_errors(run, to).await
}

/// See that the log stays without errors for a while.
#[part]
pub async fn no_new_errors(run: &Run, to: &To) -> Result<()> {
    let watch = std::time::Duration::from_secs(to.watch);
    if watch.is_zero() {
        return Ok(());
    }
    let quiet = journald::errors(API).since(1.seconds()).max(0).holds_for(watch).every(1.seconds());
    to.marb.server(run).check("No errors in the log", quiet).await
}
