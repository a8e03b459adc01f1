//! Monitoring: that it watches, that it tells, and how fast the service was when all was well.

use runbook::prelude::*;
use runbook::steps::{alertmanager, file, grafana, jaeger, load, prometheus};

use crate::sentinal::Sentinal;

/// Monitoring setup.
///
/// What the document looks at in four browsers: dashboards with data, traces of this very run, targets and rules, and an
/// alert that reaches somebody.
#[procedure(target = sentinal.on)]
pub async fn monitoring(run: &Run, sentinal: &Sentinal) -> Result<()> {
    let since = run.now().await?;
    // Few services trace how often they are asked whether they are alive.
    run.check("A request to be seen", sentinal.get("/health/ready")).await?;

    let metrics = prometheus::at(&sentinal.prometheus);
    run.check("All targets are up", metrics.targets().within(60.seconds())).await?;
    run.check("The rules are loaded", metrics.rules()).await?;
    run.check("It knows its Alertmanager", metrics.alertmanagers()).await?;

    let grafana = grafana::at(&sentinal.grafana).basic("admin", &sentinal.grafana_password);
    run.check("Grafana is healthy", grafana.is_healthy().within(30.seconds())).await?;
    run.check("Its data sources answer", grafana.datasources()).await?;

    let traces = jaeger::at(&sentinal.jaeger).traces("sentinal-api").since(since);
    run.check("Traces arrive", traces.within(60.seconds())).await?;

    let alerts = alertmanager::at(&sentinal.alertmanager);
    run.check("Alertmanager is configured", alerts.status()).await?;
    let test = alerts.alert("RunbookTest").label("severity", "warning").annotation("summary", "a test, nothing to do");
    test.reaches(run, "slack", 60.seconds()).await
}

/// Where the measure of a good day is kept on the server.
fn measure(sentinal: &Sentinal) -> std::path::PathBuf {
    sentinal.root.join("baseline.json")
}

/// Requests as the document makes them, for half a minute.
fn requests(sentinal: &Sentinal) -> load::Load {
    load::request(sentinal.get("/health")).connections(20).during(30.seconds())
}

/// Performance baseline.
///
/// Measured now, within the limits of the document, and kept to compare with.
#[procedure(target = sentinal.on)]
pub async fn baseline(run: &Run, sentinal: &Sentinal) -> Result<()> {
    let limits = requests(sentinal).p95_below(200.millis()).errors_below(0.01).rate_above(100.0);
    run.check("Within the limits", limits).await?;
    let report = run.look(async |cx| requests(sentinal).measure(cx).await).await?;
    sentinal.server(run).step("Keep the baseline", file::write(measure(sentinal), report.json())).await?;
    Ok(())
}

/// Performance, compared with the baseline.
#[procedure(target = sentinal.on)]
pub async fn performance(run: &Run, sentinal: &Sentinal) -> Result<()> {
    let limits = requests(sentinal).p95_below(200.millis()).errors_below(0.01).rate_above(100.0);
    run.check("No worse than the baseline", limits.no_worse_than(measure(sentinal), 20.percent())).await
}
