//! Health: the endpoints, and the numbers behind them.

use runbook::prelude::*;
use runbook::steps::{docker, postgres, probes};

use crate::sbf::Sbf;

/// Health check.
///
/// The three endpoints, and every check that the readiness endpoint lists, by name.
#[procedure(target = sbf.on)]
pub async fn health(run: &Run, sbf: &Sbf) -> Result<probes::Report> {
    probes::of("SBF")
        .probe("Healthy", sbf.is_healthy())
        .probe("Alive", sbf.get("/api/v1/health/live").json("/status", "alive"))
        .probe("Ready", sbf.is_ready())
        .probe("All services are healthy", sbf.compose().healthy())
        .ask(&sbf.server(run))
        .await?
        .all_pass()
}

/// Key metrics.
///
/// Response time, processor and memory of the instances, connections of the database: each with the limit that the document
/// calls critical.
#[procedure(target = sbf.on)]
pub async fn key_metrics(run: &Run, sbf: &Sbf) -> Result<()> {
    let server = sbf.server(run);
    run.check("An answer within a second", sbf.is_ready().faster_than(1.seconds())).await?;
    /// The containers of the API: `docker compose ps api`.
    let all = server.look(async |cx| sbf.compose().containers(cx).await).await?;
    let names = all.get("api").into_iter().flatten().map(|one| one.name.clone());
    server.check("Processor and memory", docker::usage(names).cpu_at_most(90.0).memory_at_most(1.gib())).await?;
    sbf.database_host(run).check("Connections of the database", connections(&Sbf::database(), 100)).await
}

/// Whether at most so many connections are open
#[check]
async fn connections(cx: &Context, database: &postgres::Database, most: usize) -> Result<Finding> {
    let open = postgres::activity(cx, database).await?.len();
    Ok(Finding::of(open <= most, format!("{open} connections are open, at most {most} are fine")))
}
