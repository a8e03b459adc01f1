//! Health checks: probes at once, one report, an exit code.

use runbook::prelude::*;
use runbook::steps::{alembic, disk, journald, memory, postgres, probes, systemd};

use crate::marb::{API, Marb, QUEUE, WORKER};

/// Quick health check.
///
/// A few seconds: both services run, and the API says through nginx that it is healthy, with its database and its Redis.
#[procedure(target = marb.on)]
pub async fn quick_health(run: &Run, marb: &Marb) -> Result<probes::Report> {
    services(marb).ask(&marb.server(run)).await?.all_pass()
}

/// Comprehensive health check.
///
/// Everything the quick one asks, the pages that have to be there and the one that has to be closed, errors of the last ten
/// minutes, disk and memory. All at once, so it takes as long as its slowest part.
#[procedure(target = marb.on)]
pub async fn comprehensive_health(run: &Run, marb: &Marb) -> Result<probes::Report> {
    services(marb)
        .probe("Documentation is there", marb.get("/docs"))
        .probe("Claims want a login", marb.get("/api/v1/claims").status(401))
        .probe("No errors of the API", journald::errors(API).since(10.minutes()).max(0))
        .probe("No errors of the worker", journald::errors(WORKER).since(10.minutes()).max(0))
        .probe("Database", postgres::ping(&marb.database()))
        .probe("Redis", marb.redis().ping())
        .probe("The queue is short", marb.redis().list_length(QUEUE).max(100))
        .probe("Schema", alembic::current_is_head(&marb.alembic()))
        .probe("Disk", disk::free(&marb.root).at_least(1.gib()))
        .probe("Memory", memory::available().at_least(256.mib()))
        .ask(&marb.server(run))
        .await?
        .all_pass()
}

fn services(marb: &Marb) -> probes::Probes {
    probes::of("mARB")
        .probe("API runs", systemd::is_active(API))
        .probe("Worker runs", systemd::is_active(WORKER))
        .probe("Healthy", marb.is_healthy())
}
