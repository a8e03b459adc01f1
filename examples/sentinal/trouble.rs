//! Troubleshooting: symptom, suspects, cause, remedy, and the proof that it helped.

use std::fmt;

use runbook::prelude::*;
use runbook::steps::diagnosis::{self, Risk};
use runbook::steps::{alertmanager, docker, jaeger, prometheus};

use crate::sentinal::{INSTANCES, REDIS, Sentinal};

/// Why the API does not respond.
#[derive(Debug, Clone, Copy)]
enum NoResponse {
    Redis,
    Instances,
    Balancer,
}

/// API not responding.
///
/// Suspects: Redis has no master, no instance is healthy, or nginx.
#[procedure(target = sentinal.on)]
pub async fn api_does_not_respond(run: &Run, sentinal: &Sentinal) -> Result<()> {
    let (server, compose) = (sentinal.server(run), sentinal.compose());
    keep_the_logs(run, sentinal).await?;
    let found = diagnosis::of("the site does not answer", sentinal.is_healthy())
        .suspect(NoResponse::Redis, sentinal.sentinels().has_master())
        .suspect(NoResponse::Instances, compose.healthy().services(INSTANCES))
        .suspect(NoResponse::Balancer, compose.healthy().services(["nginx"]))
        .ask(&server)
        .await?;
    match found.cause()? {
        None => return Ok(()),
        Some(NoResponse::Redis) => restart(run, sentinal, &REDIS).await?,
        Some(NoResponse::Instances) => restart(run, sentinal, &INSTANCES).await?,
        Some(NoResponse::Balancer) => restart(run, sentinal, &["nginx"]).await?,
    }
    found.cured(run, sentinal.patience()).await
}

/// Redis connection issues.
///
/// Who is the master by the sentinels, whether it takes writes, and whether the replicas follow it. A server that is down is
/// started again; the sentinels do the rest.
#[procedure(target = sentinal.on)]
pub async fn no_redis(run: &Run, sentinal: &Sentinal) -> Result<()> {
    let (server, whole) = (sentinal.server(run), sentinal.sentinels().healthy().replicas(2));
    keep_the_logs(run, sentinal).await?;
    if !server.probe("Redis is whole", whole.clone()).await?.passes() {
        let up = sentinal.compose().up().services(REDIS).no_deps().within(sentinal.patience());
        server.step("Start what is down", up).await?;
    }
    server.check("Redis is whole", whole.within(60.seconds())).await
}

/// High latency.
///
/// Where the time goes, by the slowest spans; how many questions Redis answers from its cache; what the containers take.
/// Nothing changes.
#[procedure(target = sentinal.on)]
pub async fn high_latency(run: &Run, sentinal: &Sentinal) -> Result<()> {
    let server = sentinal.server(run);
    let traces = jaeger::at(&sentinal.jaeger).traces("sentinal-api");
    /// The slowest spans, as Jaeger has them.
    let slowest = run.look(async |cx| traces.slowest(cx, 5).await).await?;
    let slowest: Vec<String> = slowest.iter().map(ToString::to_string).collect();
    run.say(format!("the slowest spans:\n{}", slowest.join("\n")));
    let names = INSTANCES.map(|name| format!("{}-{name}-1", sentinal.project));
    server.observe("The instances have room", docker::usage(names).cpu_at_most(80.0)).await?;
    let p95 = "histogram_quantile(0.95, sum(rate(request_duration_seconds_bucket[5m])) by (le))";
    let quick = prometheus::at(&sentinal.prometheus).query(p95).below(0.2);
    run.observe("Nineteen of twenty answers within 200 ms", quick).await?;
    run.check("An answer within a second", sentinal.is_healthy().faster_than(1.seconds())).await
}

/// Alerts not firing.
///
/// Prometheus has its rules and knows its Alertmanager; that is configured, takes an alert, and somebody takes it from there.
/// (Prometheus itself takes none, and the API v1 of the document is gone.)
#[procedure(target = sentinal.on)]
pub async fn alerts_do_not_fire(run: &Run, sentinal: &Sentinal) -> Result<()> {
    let metrics = prometheus::at(&sentinal.prometheus);
    run.check("The rules are loaded", metrics.rules()).await?;
    run.check("Prometheus knows its Alertmanager", metrics.alertmanagers()).await?;
    let alerts = alertmanager::at(&sentinal.alertmanager);
    run.check("Alertmanager is configured", alerts.status()).await?;
    let errors = sentinal.compose().logs("alertmanager").since(10.minutes()).errors().max(0);
    sentinal.server(run).observe("It does not complain", errors).await?;
    alerts.alert("RunbookTest").label("severity", "warning").reaches(run, "slack", 60.seconds()).await
}

/// Keep the logs.
///
/// A restart would bury what the containers said last.
#[part]
pub async fn keep_the_logs(run: &Run, sentinal: &Sentinal) -> Result<()> {
    let logs = sentinal.compose().all_logs().tail(50);
    let lines = sentinal.server(run).look(async |cx| logs.lines(cx).await).await?;
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    run.say(format!("the last lines, before anything changes:\n{}", lines.join("\n")));
    Ok(())
}

/// Restart services.
#[part]
pub async fn restart(run: &Run, sentinal: &Sentinal, services: &[&str]) -> Result<()> {
    Risk::Noticeable.gate(run, &format!("Restart {}", services.join(", "))).await?;
    let up = sentinal.compose().up().services(services.iter().copied()).no_deps().force_recreate();
    sentinal.server(run).step("Start them anew", up.within(sentinal.patience())).await?;
    Ok(())
}

impl fmt::Display for NoResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Redis => "Redis has no master",
            Self::Instances => "not all instances are healthy",
            Self::Balancer => "nginx is not healthy",
        })
    }
}
