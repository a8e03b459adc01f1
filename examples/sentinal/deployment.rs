//! Deployment: code, settings, images, and services in the order they need each other.

use clap::Args;
use runbook::prelude::*;
use runbook::steps::compose::Made;
use runbook::steps::{env, file, git};
use serde::{Deserialize, Serialize};

use crate::before::{fit_for_production, prerequisites};
use crate::sentinal::{INSTANCES, MONITORING, REDIS, SENTINELS, Sentinal};
use crate::verification::{smoke_tests, verify};

/// A server that is to become a Sentinal.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct To {
    #[command(flatten)]
    pub sentinal: Sentinal,
    /// Where the code comes from.
    #[arg(long, default_value = "https://github.com/your-org/sentinal-fraud-detection.git")]
    pub repository: String,
    /// The release: a tag, a branch or a commit.
    #[arg(long, default_value = "main")]
    pub revision: String,
    /// The integration key of PagerDuty, and Slack's incoming webhook.
    #[arg(long, default_value = "env:PAGERDUTY_SERVICE_KEY")]
    pub pagerduty: Secret,
    #[arg(long, default_value = "env:SLACK_WEBHOOK_URL")]
    pub slack: Secret,
    /// Settings of this server beside those of the example: `NAME=VALUE`.
    #[arg(long = "set")]
    pub set: Vec<String>,
}

/// Deployment.
///
/// From nothing to verified: each group of services starts when what it needs is healthy, and Redis has its replicas before
/// the sentinels look at it. A second run changes nothing; one that fails takes back all it did.
#[procedure(target = to.sentinal.on)]
pub async fn deployment(run: &Run, to: &To) -> Result<Made> {
    let sentinal = &to.sentinal;
    prerequisites(run, sentinal).await?;
    code(run, to).await?;
    settings(run, to).await?;
    let images = images(run, sentinal).await?;
    in_order(run, sentinal).await?;
    verify(run, sentinal).await?;
    smoke_tests(run, sentinal).await?;
    Ok(images)
}

/// 1. The code.
#[part]
pub async fn code(run: &Run, to: &To) -> Result<git::Checkout> {
    let (server, root) = (to.sentinal.server(run), &to.sentinal.root);
    server.step("Clone", git::clone(&to.repository, root)).await?;
    server.step("Get what is new", git::fetch(root)).await?;
    server.step("Check out the release", git::checkout(root, &to.revision)).await
}

/// 2. The settings.
///
/// Keys are made once, and stay: tokens that were signed with them stay good.
#[part]
pub async fn settings(run: &Run, to: &To) -> Result<()> {
    let (sentinal, server, path) = (&to.sentinal, to.sentinal.server(run), to.sentinal.settings());
    let example = sentinal.root.join("python/.env.example");
    server.step("Make the settings", env::from_template(&example, &path).mode(0o600)).await?;
    let set = env::set(&path)
        .generate("JWT_SECRET_KEY", 48)
        .generate("JWT_REFRESH_SECRET_KEY", 48)
        .secret("REDIS_PASSWORD", &sentinal.redis_password)
        .secret("GRAFANA_ADMIN_PASSWORD", &sentinal.grafana_password)
        .secret("PAGERDUTY_SERVICE_KEY", &to.pagerduty)
        .secret("SLACK_WEBHOOK_URL", &to.slack)
        .mode(0o600);
    let pairs = to.set.iter().filter_map(|pair| pair.split_once('='));
    let set = pairs.fold(set, |set, (name, value)| set.key(name, value));
    server.step("Set them", set).await?;
    server.check("They are fit for production", fit_for_production(sentinal)).await?;
    server.check("Nobody else reads them", file::mode_is(&path, 0o600)).await?;
    server.check("Compose accepts its file", sentinal.compose().is_valid()).await
}

/// 3. The images.
#[part]
pub async fn images(run: &Run, sentinal: &Sentinal) -> Result<Made> {
    sentinal.server(run).step("Build the images", sentinal.compose().build()).await
}

/// 4. The services.
#[part]
pub async fn in_order(run: &Run, sentinal: &Sentinal) -> Result<()> {
    let (server, compose) = (sentinal.server(run), sentinal.compose());
    let groups: [(&str, &[&str]); 6] = [
        ("Redis", &REDIS),
        ("the sentinels", &SENTINELS),
        ("monitoring", &MONITORING),
        ("the API", &INSTANCES),
        ("the frontend", &["frontend"]),
        ("the load balancer", &["nginx"]),
    ];
    for (name, services) in groups {
        let up = compose.up().services(services.iter().copied()).no_deps().within(sentinal.patience());
        server.step(format!("Start {name}"), up).await?;
        if name == "the sentinels" {
            let whole = sentinal.sentinels().healthy().replicas(2);
            server.check("Redis has its replicas, and could fail over", whole.within(30.seconds())).await?;
        }
    }
    server.step("Start whatever else is in the file", compose.up().within(sentinal.patience())).await?;
    Ok(())
}
