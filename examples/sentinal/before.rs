//! Before anything: what has to be there, and what people have to know.

use runbook::prelude::*;
use runbook::steps::{alertmanager, disk, docker, env, memory, port, probes, tool};

use crate::sentinal::Sentinal;

/// Prerequisites.
///
/// Programs, memory, disk. Nothing changes.
#[procedure(target = sentinal.on)]
pub async fn prerequisites(run: &Run, sentinal: &Sentinal) -> Result<probes::Report> {
    probes::of("Infrastructure")
        .probe("Docker", tool::version("docker").at_least("20.10"))
        .probe("Compose", tool::version("docker").args(["compose", "version"]).at_least("2.0"))
        .probe("git", tool::version("git").at_least("2.0"))
        .probe("Memory", memory::available().at_least(1.gib()))
        .probe("Room", disk::free("/var/lib").at_least(2.gib()))
        .ask(&sentinal.server(run))
        .await?
        .all_pass()
}

/// Pre-deployment checklist.
///
/// Settings, certificate, ports and headers are looked at; what nobody but a person knows is asked.
#[procedure(target = sentinal.on)]
pub async fn checklist(run: &Run, sentinal: &Sentinal) -> Result<()> {
    let server = sentinal.server(run);
    server.check("The settings are fit for production", fit_for_production(sentinal)).await?;
    server.observe("The certificate lasts", sentinal.certificate().valid_for(14.days())).await?;
    for name in ["/health", "/"] {
        let safe = sentinal.get(name).header("Strict-Transport-Security", "max-age=31536000");
        run.observe(format!("HTTPS is enforced for {name}"), safe).await?;
    }
    server.observe("Prometheus can be asked here", port::open("localhost", 9090)).await?;
    server.observe("The alerts are set up", alertmanager::at(&sentinal.alertmanager).status()).await?;
    server
        .observe(
            "No image has a critical weakness",
            docker::has_no_weaknesses(sentinal.image("api-1")).critical_alone(),
        )
        .await?;
    run.checklist("Before the deployment", CHECKLIST).await
}

/// What the document wants of the settings.
pub fn fit_for_production(sentinal: &Sentinal) -> env::Satisfies {
    env::satisfies(sentinal.settings())
        .length("JWT_SECRET_KEY", 32..)
        .length("JWT_REFRESH_SECRET_KEY", 32..)
        .required(["REDIS_PASSWORD", "GRAFANA_ADMIN_PASSWORD", "PAGERDUTY_SERVICE_KEY"])
        .url("SLACK_WEBHOOK_URL", |url| url)
        .no_wildcard("CORS_ORIGINS")
}

const CHECKLIST: [&str; 6] = [
    "The DNS records lead here",
    "The firewall lets 80 and 443 in, and 9090, 9093, 3001 and 16686 for us alone",
    "Backup storage is there",
    "Logs are rotated",
    "The images were scanned, and nothing critical is open",
    "Rate limits are what the business wants",
];
