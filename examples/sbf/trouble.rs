//! Common issues: symptom, suspects, cause, remedy, and the proof that it helped.

use std::fmt;

use runbook::prelude::*;
use runbook::steps::backup::NoBackup;
use runbook::steps::diagnosis::{self, Risk};
use runbook::steps::{docker, postgres};

use crate::sbf::Sbf;
use crate::setup::fit_for_production;

/// Why the API does not start.
#[derive(Debug, Clone, Copy)]
enum NoStart {
    Settings,
    Database,
    Redis,
    Itself,
}

/// API not starting.
///
/// Suspects: a setting is missing, the database or Redis is not healthy, or it ends by itself.
#[procedure(target = sbf.on)]
pub async fn api_does_not_start(run: &Run, sbf: &Sbf) -> Result<()> {
    let (server, compose) = (sbf.server(run), sbf.compose());
    keep_the_logs(run, sbf).await?;
    let steady = compose.healthy().services(["api"]).stable_for(3.seconds());
    let found = diagnosis::of("the API is not healthy", steady.clone())
        .suspect(NoStart::Settings, fit_for_production(sbf))
        .suspect(NoStart::Database, compose.healthy().services(["postgres"]))
        .suspect(NoStart::Redis, compose.healthy().services(["redis"]))
        .suspect(NoStart::Itself, steady)
        .ask(&server)
        .await?;
    match found.cause()? {
        None => return Ok(()),
        Some(NoStart::Settings) => bail!("the settings are not fit for production: see above"),
        Some(NoStart::Database) => restart(run, sbf, "postgres").await?,
        Some(NoStart::Redis) => restart(run, sbf, "redis").await?,
        Some(NoStart::Itself) => restart(run, sbf, "api").await?,
    }
    found.cured(&server, sbf.patience()).await
}

/// Why the database cannot be reached.
#[derive(Debug, Clone, Copy)]
enum NoDatabase {
    Down,
    Way,
}

/// Database connection failed.
///
/// Suspects: it does not run, or the API does not get through to it.
#[procedure(target = sbf.on)]
pub async fn no_database(run: &Run, sbf: &Sbf) -> Result<()> {
    let database = sbf.database_host(run);
    let found = diagnosis::of("the API is not ready", sbf.is_ready())
        .suspect(NoDatabase::Down, sbf.compose().healthy().services(["postgres"]))
        .suspect(NoDatabase::Way, sbf.is_ready())
        .ask(&sbf.server(run))
        .await?;
    match found.cause()? {
        None => return Ok(()),
        Some(NoDatabase::Down) => restart(run, sbf, "postgres").await?,
        Some(NoDatabase::Way) => {
            database.check("The database answers a query", postgres::ping(&Sbf::database())).await?;
            restart(run, sbf, "api").await?;
        }
    }
    found.cured(run, sbf.patience()).await
}

/// Redis connection failed.
#[procedure(target = sbf.on)]
pub async fn no_redis(run: &Run, sbf: &Sbf) -> Result<()> {
    let redis = sbf.redis_host(run);
    if !redis.probe("Redis answers", Sbf::redis().ping()).await?.passes() {
        restart(run, sbf, "redis").await?;
        redis.check("Redis answers", Sbf::redis().ping().within(30.seconds())).await?;
    }
    redis.check("It has room", Sbf::redis().memory().at_most(90.percent())).await?;
    run.check("Ready", sbf.is_ready().within(30.seconds())).await
}

/// High memory usage.
///
/// An API that takes too much is restarted, instance by instance as Compose does it. Redis is flushed last: it holds the
/// queue of the workers too, and what is in it is lost.
#[procedure(target = sbf.on)]
pub async fn memory_is_short(run: &Run, sbf: &Sbf) -> Result<()> {
    let server = sbf.server(run);
    /// What the containers take: `docker stats --no-stream`.
    let all = server.look(async |cx| sbf.compose().containers(cx).await).await?;
    let of =
        |service: &str| -> Vec<String> { all.get(service).into_iter().flatten().map(|one| one.name.clone()).collect() };
    if !server.observe("The API takes little", docker::usage(of("api")).memory_at_most(1.gib())).await? {
        restart(run, sbf, "api").await?;
    }
    if !server.observe("Redis takes little", docker::usage(of("redis")).memory_at_most(1.gib())).await? {
        Risk::Destructive("on-call").gate(run, "Flush Redis: cache and queue").await?;
        let flush = Sbf::redis().flush(NoBackup::because("a cache; the queue is filled again by hand"));
        sbf.redis_host(run).irreversible("cache and queue are gone", "Flush Redis", flush).await?;
    }
    run.check("Ready", sbf.is_ready().within(30.seconds())).await
}

/// Slow API responses.
///
/// The slowest queries of the moment, and what the log says of slow ones. Nothing changes.
#[procedure(target = sbf.on)]
pub async fn slow_answers(run: &Run, sbf: &Sbf) -> Result<()> {
    let slow = sbf.compose().logs("api").since(10.minutes()).matching("slow query").max(0);
    sbf.server(run).observe("No slow queries in the log", slow).await?;
    /// What the database does: `pg_stat_activity`, longest first.
    let busy = sbf.database_host(run).look(async |cx| postgres::activity(cx, &Sbf::database()).await).await?;
    let busy: Vec<String> =
        busy.iter().take(10).map(|one| format!("{} {}: {}", one.pid, one.state, one.query)).collect();
    run.say(format!("the database works on:\n{}", busy.join("\n")));
    run.check("An answer within half a second", sbf.is_ready().faster_than(500.millis())).await
}

/// Keep the logs.
///
/// A restart would bury what the containers said last.
#[part]
pub async fn keep_the_logs(run: &Run, sbf: &Sbf) -> Result<()> {
    let logs = sbf.compose().all_logs().tail(100);
    let lines = sbf.server(run).look(async |cx| logs.lines(cx).await).await?;
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    run.say(format!("the last lines, before anything changes:\n{}", lines.join("\n")));
    Ok(())
}

/// Restart a service.
#[part]
pub async fn restart(run: &Run, sbf: &Sbf, service: &str) -> Result<()> {
    Risk::Noticeable.gate(run, &format!("Restart {service}")).await?;
    let restart = sbf.compose().restart([service]).within(sbf.patience());
    sbf.server(run).step(format!("Restart {service}"), restart).await?;
    Ok(())
}

impl fmt::Display for NoStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Settings => "the settings are not fit",
            Self::Database => "the database is not healthy",
            Self::Redis => "Redis is not healthy",
            Self::Itself => "it ends by itself",
        })
    }
}

impl fmt::Display for NoDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Down => "the database is not healthy",
            Self::Way => "the API does not get through to it",
        })
    }
}
