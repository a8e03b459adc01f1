//! Incidents: who is told, in which order, and what is kept.

use clap::Args;
use runbook::prelude::*;
use runbook::steps::incident;
use runbook::steps::notify::{self, Component, PagerDuty, Severity, StatusPage};
use serde::{Deserialize, Serialize};

use crate::sbf::Sbf;

/// Whom to tell.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Incident {
    #[command(flatten)]
    pub sbf: Sbf,
    /// What happened, in a sentence.
    #[arg(long, default_value = "SBF does not answer")]
    pub what: String,
    /// Slack's incoming webhook of #incidents.
    #[arg(long, default_value = "env:SLACK_WEBHOOK_URL")]
    pub slack: Secret,
    /// The integration key of PagerDuty.
    #[arg(long, default_value = "env:PAGERDUTY_KEY")]
    pub pagerduty: Secret,
    /// Where PagerDuty is, when it is not where it always is.
    #[arg(long)]
    pub pagerduty_at: Option<String>,
    /// The key of the status page, and which page and component of it this is.
    #[arg(long, default_value = "env:STATUSPAGE_KEY")]
    pub status_key: Secret,
    #[arg(long, default_value = "sbf")]
    pub status_page: String,
    #[arg(long, default_value = "api")]
    pub status_component: String,
    #[arg(long)]
    pub status_at: Option<String>,
    /// Where evidence is kept on the server.
    #[arg(long, default_value = "/var/incidents/sbf")]
    pub evidence: std::path::PathBuf,
}

/// SEV-1 response.
///
/// Acknowledge, assess, mitigate, communicate, resolve, review. Evidence is kept before anything is restarted; the status page
/// shows the outage for as long as it lasts; a person decides on a rollback, which is another procedure.
#[procedure(target = incident.sbf.on)]
pub async fn severity_one(run: &Run, incident: &Incident) -> Result<()> {
    let (sbf, server) = (&incident.sbf, incident.sbf.server(run));
    let team = notify::slack(&incident.slack);
    let pager = notify::pagerduty(&incident.pagerduty);
    let pager = incident.pagerduty_at.iter().fold(pager, PagerDuty::at).incident("sbf-down");
    let page = notify::status_page(&incident.status_page, &incident.status_key);
    let page = incident.status_at.iter().fold(page, StatusPage::at);

    run.step("Acknowledge", team.say(format!("SEV-1: {}. Acknowledged.", incident.what))).await?;
    run.step("Page", pager.trigger(&incident.what).severity(Severity::Critical)).await?;
    let (project, root) = (&sbf.project, sbf.root.to_string_lossy());
    let compose = format!("{root}/docker-compose.prod.yml");
    let evidence = incident::evidence(&incident.evidence)
        .command("containers", cmd!("docker ps --all --filter label=com.docker.compose.project={project}"))
        .command("usage", cmd!("docker stats --no-stream"))
        .file(compose);
    server.irreversible("evidence stays", "Keep evidence", evidence).await?;
    let outage = page.component(&incident.status_component, Component::MajorOutage);
    run.hold("Status page", outage, async |run| {
        if !run.probe("Does it answer?", sbf.is_ready()).await?.passes() {
            let restart = sbf.compose().restart(["api"]).within(sbf.patience());
            sbf.server(run).step("Restart the API", restart).await?;
        }
        run.check("It answers", sbf.is_ready().within(sbf.patience())).await
    })
    .await?;
    run.step("It is over", pager.resolve()).await?;
    run.step("Tell the team", team.say(format!("SEV-1 is over: {}", incident.what))).await?;
    run.checklist("Afterwards", ["A post-mortem is scheduled", "The report of this run is attached to it"]).await
}
