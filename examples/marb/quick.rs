//! Quick reference: single commands, each with the care a command does not take.

use clap::Args;
use runbook::prelude::*;
use runbook::steps::{alembic, git, journald, postgres, systemd};
use serde::{Deserialize, Serialize};

use crate::marb::{API, Marb, WORKER};

/// Status of both services.
#[procedure(target = marb.on)]
pub async fn status(run: &Run, marb: &Marb) -> Result<()> {
    for unit in [API, WORKER] {
        /// `systemctl status UNIT`
        let status = marb.server(run).look(async |cx| systemd::status(cx, unit).await).await?;
        run.say(status.line());
    }
    Ok(())
}

/// Whose log, and how much of it.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Log {
    #[command(flatten)]
    pub marb: Marb,
    /// The unit.
    #[arg(long, default_value = API)]
    pub unit: String,
    /// How many lines.
    #[arg(long, default_value_t = 50)]
    pub lines: u32,
}

/// The last lines of a log.
#[procedure(target = log.marb.on)]
pub async fn logs(run: &Run, log: &Log) -> Result<()> {
    let server = log.marb.server(run);
    /// `journalctl --unit UNIT --lines 50`
    let lines = server.look(async |cx| journald::tail(cx, log.unit.as_str(), log.lines).await).await?;
    for line in lines {
        run.say(line.to_string());
    }
    Ok(())
}

/// Restart both services, and wait until they serve.
#[procedure(target = marb.on)]
pub async fn restart_services(run: &Run, marb: &Marb) -> Result<()> {
    crate::marb::restart(run, marb).await
}

/// Stop both services.
#[procedure(target = marb.on)]
pub async fn stop_services(run: &Run, marb: &Marb) -> Result<()> {
    run.confirm("Stop mARB? Users will notice.").await?;
    crate::marb::stop(run, marb).await
}

/// Start both services, and wait until they serve.
#[procedure(target = marb.on)]
pub async fn start_services(run: &Run, marb: &Marb) -> Result<()> {
    crate::marb::start(run, marb).await
}

/// Where the schema is, and what is still to be run.
#[procedure(target = marb.on)]
pub async fn revisions(run: &Run, marb: &Marb) -> Result<()> {
    let app = marb.app(run);
    /// Where the schema is: `alembic current`.
    let current = app.look(async |cx| alembic::current(cx, &marb.alembic()).await).await?;
    /// What is still to be run: `alembic history --indicate-current`.
    let pending = app.look(async |cx| alembic::pending(cx, &marb.alembic()).await).await?;
    run.say(format!("the database is at {}", current.join(", ")));
    for migration in pending {
        run.say(format!("to be run: {migration}"));
    }
    Ok(())
}

/// What is in the database: how many rows, table by table.
///
/// For what a session of `psql` would be opened.
#[procedure(target = marb.on)]
pub async fn tables(run: &Run, marb: &Marb) -> Result<()> {
    let database = marb.database();
    /// `psql "$DATABASE_URL" -c '\dt+'`
    let rows = marb.server(run).look(async |cx| postgres::row_counts(cx, &database).await).await?;
    for (table, rows) in rows {
        run.say(format!("{table}: {rows} rows"));
    }
    Ok(())
}

/// The last lines of the application's own log.
#[procedure(target = log.marb.on)]
pub async fn app_log(run: &Run, log: &Log) -> Result<()> {
    let path = log.marb.root.join("logs/app.log");
    /// `tail -n 50 /opt/marb2.0/logs/app.log`
    let lines = log.marb.server(run).look(async |cx| tail(cx, &path, log.lines).await).await?;
    run.say(lines);
    Ok(())
}

async fn tail(cx: &Context, path: &std::path::Path, lines: u32) -> Result<String> {
    Ok(cx.run(&cmd!("tail -n {lines} {path}")).await?.lossy().into_owned())
}

/// The last commits, newest first.
#[procedure(target = marb.on)]
pub async fn commits(run: &Run, marb: &Marb) -> Result<()> {
    /// `git log --oneline -10`
    let commits = marb.app(run).look(async |cx| git::log(cx, &marb.root, 10).await).await?;
    for commit in commits {
        run.say(commit.to_string());
    }
    Ok(())
}
