//! Emergencies: what is done first, what is kept, and who decides.

use clap::Args;
use runbook::prelude::*;
use runbook::steps::backup::{self, Dump};
use runbook::steps::{alembic, env, file, machine, postgres, probes, systemd};
use serde::{Deserialize, Serialize};

use crate::health::quick_health;
use crate::marb::{API, Marb, WORKER, restart, start, stop};
use crate::rollbacks::{Back, emergency_rollback, keep_the_log};
use crate::trouble::{POSTGRES, REDIS};

/// What everything else stands on comes first.
const UNITS: [&str; 5] = [POSTGRES, REDIS, "nginx.service", API, WORKER];

/// Service completely down (P0).
///
/// Two minutes to look, five to start what does not run in the order it depends on each other, ten to go back to the release
/// before. What the services said last is kept before anything is restarted.
#[procedure(target = marb.on)]
pub async fn completely_down(run: &Run, marb: &Marb) -> Result<probes::Report> {
    let server = marb.server(run);
    keep_the_log(run, marb).await?;
    let units =
        UNITS.into_iter().fold(probes::of("Services"), |probes, unit| probes.probe(unit, systemd::is_active(unit)));
    let report = units.ask(&server).await?;
    run.say(report.to_string());

    let restarted = run.scope("Quick restart", async |run| {
        let server = marb.server(run);
        for unit in UNITS.into_iter().take(3) {
            server.step(format!("Start {unit}"), systemd::start(unit)).await?;
        }
        restart(run, marb).await?;
        run.check("Answers again", marb.is_healthy().within(marb.patience())).await
    });
    if let Err(error) = restarted.await {
        run.say(format!("a restart did not help: {error:#}"));
        emergency_rollback(run, &Back { marb: marb.clone(), to: None }).await?;
    }
    quick_health(run, marb).await
}

/// Which backup to restore.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Loss {
    #[command(flatten)]
    pub marb: Marb,
    /// The table whose rows tell how much is there.
    #[arg(long, default_value = "claims")]
    pub table: String,
}

/// Database corruption or data loss (P0).
///
/// Stops all writing, saves the damaged database as it is, proves the newest backup, says what restoring it loses, and does
/// it only when someone who answers for the data approves. Then the schema is the code's, the rows are those of the backup, and
/// the services serve.
#[procedure(target = loss.marb.on)]
pub async fn data_loss(run: &Run, loss: &Loss) -> Result<Dump> {
    let marb = &loss.marb;
    let (server, database) = (marb.server(run), marb.database());
    stop(run, marb).await?;
    /// What is there now, table by table: `SELECT count(*) FROM claims`.
    let rows = server.look(async |cx| postgres::row_counts(cx, &database).await).await?;
    run.say(format!("what is there now: {rows:?}"));
    let damaged = marb.backups.join("damaged");
    server.step("Make room for the damaged database", file::directory(&damaged).mode(0o700)).await?;
    server.step("Keep the damaged database", backup::postgres(&database).into_dir(&damaged)).await?;

    let newest = server.step("Find the newest backup", backup::latest(&marb.backups).dump()).await?;
    let proven = server.step("Prove it", backup::rehearse(&newest)).await?;
    let now = run.now().await?;
    let age = newest.taken_at.map(|taken| now.duration_since(taken));
    run.say(format!("restoring loses what was written in the last {:#}", age.unwrap_or_default()));
    run.approve("data owner").await?;
    server.step("Restore the database", backup::restore(&proven).to(&database)).await?;

    let rows = proven.backup().contents.rows.get(&loss.table).copied().unwrap_or_default();
    server.check("The rows of the backup are there", postgres::has_rows(&database, &loss.table).at_least(rows)).await?;
    let schema = marb.alembic();
    marb.app(run).check("The code knows the schema", alembic::current_is_known(&schema)).await?;
    start(run, marb).await?;
    run.check("Healthy", marb.is_healthy()).await?;
    Ok(newest)
}

/// Where the attack came from.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Breach {
    #[command(flatten)]
    pub marb: Marb,
    /// An address to keep out; more than one is possible.
    #[arg(long)]
    pub from: Vec<String>,
}

/// Security breach (P0).
///
/// Keeps the evidence first: logs and a list of processes, where only root reads them. Keeps the attackers out. Then new keys for
/// tokens, and a restart of everything that knows the old ones. The encryption key stays: what is stored could not be read
/// any more.
#[procedure(target = breach.marb.on)]
pub async fn security_breach(run: &Run, breach: &Breach) -> Result<()> {
    let marb = &breach.marb;
    let server = marb.server(run);
    keep_the_log(run, marb).await?;
    /// What runs: `ps aux`.
    let processes = server.look(async |cx| machine::processes(cx).await).await?;
    run.say(format!("{} processes run", processes.len()));
    let evidence = backup::directory(marb.root.join("logs")).into_dir("/var/backups/evidence");
    server.step("A place for evidence", file::directory("/var/backups/evidence").mode(0o700)).await?;
    server.step("Keep the logs", evidence).await?;

    for address in &breach.from {
        server.step(format!("Keep {address} out"), machine::block(address)).await?;
    }
    let keys = env::set(marb.settings()).rotate("JWT_SECRET_KEY", 48);
    marb.app(run).step("New key for tokens", keys).await?;
    restart(run, marb).await?;
    run.check("Healthy", marb.is_healthy()).await?;
    run.checklist("Only a person can", AFTERWARDS).await
}

/// What no program can decide.
const AFTERWARDS: [&str; 8] = [
    "The passwords of the database and of Redis are new, at both ends",
    "Data has been looked through for what was changed",
    "The audit logs that were kept have been read",
    "The access log of nginx has been read for the time of the attack",
    "nginx limits the rate of requests as strictly as users can bear",
    "The security settings have been reviewed",
    "Whoever has to be told by law has been told",
    "ENCRYPTION_KEY: re-encryption is planned, or it is known not to have leaked",
];
