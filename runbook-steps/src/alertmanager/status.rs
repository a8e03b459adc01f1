//! Whether it is up, configured, and one of its cluster.

use async_trait::async_trait;
use runbook::{Check, Context, Description, Finding, Result};

use super::Alertmanager;

/// The check of [`Alertmanager::status`].
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct Status {
    alertmanager: Alertmanager,
    receivers: Vec<String>,
    peers: usize,
}

impl Alertmanager {
    /// Asks whether it is ready, with a configuration.
    pub fn status(&self) -> Status {
        Status { alertmanager: self.clone(), receivers: Vec::new(), peers: 0 }
    }
}

impl Status {
    /// Wants these receivers in its configuration.
    pub fn receivers(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.receivers.extend(names.into_iter().map(Into::into));
        self
    }

    /// Wants a cluster of at least so many, itself among them.
    pub fn peers(mut self, count: usize) -> Self {
        self.peers = count;
        self
    }
}

#[async_trait]
impl Check for Status {
    fn describe(&self) -> Description {
        let api = &self.alertmanager.api;
        let with =
            if self.receivers.is_empty() { String::new() } else { format!(" with {}", self.receivers.join(", ")) };
        Description::new("alertmanager.status", api.url())
            .summary(format!("{} is ready and configured{with}", api.url()))
            .command(api.by_hand("/api/v2/status"))
            .reads(api.resource())
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let now = self.alertmanager.now(cx).await?;
        let receivers = self.alertmanager.known_receivers(cx).await?;
        let names: Vec<&str> = receivers.iter().map(|receiver| receiver.name.as_str()).collect();
        let missing: Vec<&str> =
            self.receivers.iter().map(String::as_str).filter(|wanted| !names.contains(wanted)).collect();
        let (version, cluster) = (&now.version_info.version, &now.cluster.status);
        let summary = format!("{version}, cluster {cluster}, receivers {}", names.join(", "));
        Ok(if !missing.is_empty() {
            Finding::fail(format!("no receiver {}: {summary}", missing.join(", ")))
        } else if now.config.original.trim().is_empty() {
            Finding::fail(format!("without a configuration: {summary}"))
        } else if now.cluster.peers.len() < self.peers {
            Finding::fail(format!("{} peers, wanted {}: {summary}", now.cluster.peers.len(), self.peers))
        } else if cluster == "settling" {
            Finding::unknown(summary)
        } else {
            // `disabled` is one without peers.
            Finding::of(matches!(cluster.as_str(), "ready" | "disabled"), summary)
        })
    }
}
