//! A breach: evidence first, then isolation, then new keys.

use clap::Args;
use runbook::prelude::*;
use runbook::steps::{env, incident, notify};
use serde::{Deserialize, Serialize};

use crate::sentinal::{INSTANCES, Sentinal};
use crate::updates::roll;

/// A service that somebody may have broken into.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Breach {
    #[command(flatten)]
    pub sentinal: Sentinal,
    /// The service.
    #[arg(default_value = "api-1")]
    pub service: String,
    /// Slack's incoming webhook of #sentinal-security.
    #[arg(long, default_value = "env:SLACK_WEBHOOK_URL")]
    pub slack: Secret,
    /// Where evidence is kept on the server.
    #[arg(long, default_value = "/var/incidents/sentinal")]
    pub evidence: std::path::PathBuf,
}

/// Suspected breach.
///
/// What is there is kept before anything is stopped. The service gets no requests and is stopped; the keys that sign tokens are
/// new on every instance, so that no stolen token is worth anything; the security team is told.
#[procedure(target = breach.sentinal.on)]
pub async fn suspected_breach(run: &Run, breach: &Breach) -> Result<()> {
    let (sentinal, server, service) = (&breach.sentinal, breach.sentinal.server(run), &breach.service);
    let team = notify::slack(&breach.slack);
    run.step("Tell the security team", team.say(format!("{service} may have been broken into"))).await?;
    let container = format!("{}-{service}-1", sentinal.project);
    let evidence = incident::evidence(&breach.evidence)
        .command("processes", cmd!("docker top {container}"))
        .command("changed-files", cmd!("docker diff {container}"))
        .command("log", cmd!("docker logs --timestamps {container}"));
    let kept = server.irreversible("evidence stays", "Keep evidence", evidence).await?;
    if INSTANCES.contains(&service.as_str()) {
        let balancer = run.on(&sentinal.inside("nginx"));
        let drain = Sentinal::balancer().drain(format!("{service}:8000"));
        balancer.step("Give it no requests", drain).await?;
    }
    server.step("Isolate it", sentinal.compose().stop([service.as_str()])).await?;
    let keys = env::set(sentinal.settings()).rotate("JWT_SECRET_KEY", 48).rotate("JWT_REFRESH_SECRET_KEY", 48);
    server.step("New keys", keys).await?;
    roll(run, sentinal).await?;
    server.check("The evidence is whole", kept.is_intact()).await?;
    run.checklist("Now", ["Access logs were reviewed", "The firewall lets nobody in who should not be"]).await
}
