//! What an Alertmanager says, as values.

use std::collections::BTreeMap;

use jiff::Timestamp;
use runbook::{Context, Error, Result};
use serde::{Deserialize, Serialize};

use super::Alertmanager;
use crate::api::{answered, read};

/// `GET /api/v2/status`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Now {
    pub(super) cluster: Cluster,
    pub(super) version_info: VersionInfo,
    pub(super) config: Config,
}

#[derive(Debug, Deserialize)]
pub(super) struct Cluster {
    pub(super) status: String,
    #[serde(default)]
    pub(super) peers: Vec<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct VersionInfo {
    pub(super) version: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Config {
    pub(super) original: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Receiver {
    pub(super) name: String,
}

/// One of `GET /api/v2/alerts`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Seen {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) fingerprint: String,
    pub(super) starts_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) receivers: Vec<Receiver>,
    pub(super) status: SeenStatus,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SeenStatus {
    pub(super) state: String,
    pub(super) silenced_by: Vec<String>,
    pub(super) inhibited_by: Vec<String>,
}

/// One of `GET /api/v2/silences`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SeenSilence {
    pub(super) id: String,
    pub(super) comment: String,
    pub(super) ends_at: Timestamp,
    pub(super) matchers: Vec<Matcher>,
    pub(super) status: SilenceStatus,
}

#[derive(Debug, Deserialize)]
pub(super) struct SilenceStatus {
    pub(super) state: String,
}

/// What a label must be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Matcher {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) is_regex: bool,
    #[serde(default = "yes")]
    pub(super) is_equal: bool,
}

fn yes() -> bool {
    true
}

/// How often each integration (`webhook`, `slack`, `pagerduty`) was asked to take a notification.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deliveries(pub BTreeMap<String, Delivery>);

/// The requests of one integration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// How many there were.
    pub requests: u64,
    /// How many of them failed.
    pub failed: u64,
}

impl Delivery {
    /// How many were answered well.
    pub fn good(&self) -> u64 {
        self.requests.saturating_sub(self.failed)
    }
}

impl Deliveries {
    /// Those of one integration.
    pub fn of(&self, integration: &str) -> Delivery {
        self.0.get(integration).copied().unwrap_or_default()
    }

    /// Out of the metrics of an Alertmanager.
    pub(super) fn parse(metrics: &str) -> Self {
        let mut all = BTreeMap::<String, Delivery>::new();
        for (name, integration, count) in metrics.lines().filter_map(sample) {
            let one = all.entry(integration.to_owned()).or_default();
            match name {
                "alertmanager_notification_requests_total" => one.requests += count,
                "alertmanager_notification_requests_failed_total" => one.failed += count,
                _ => {}
            }
        }
        Self(all)
    }
}

/// The name, the integration and the count of a line like `name{integration="webhook"} 3`.
fn sample(line: &str) -> Option<(&str, &str, u64)> {
    let (name, rest) = line.split_once('{')?;
    let (labels, value) = rest.rsplit_once("} ")?;
    let integration = labels.split(',').find_map(|label| label.trim().strip_prefix("integration=\""))?;
    let count = value.split_whitespace().next()?.parse::<f64>().ok().filter(|count| *count >= 0.0)?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it counts")]
    Some((name, integration.strip_suffix('"')?, count as u64))
}

impl Alertmanager {
    pub(super) async fn now(&self, cx: &Context) -> Result<Now> {
        read(cx, &self.api.get("/api/v2/status")).await
    }

    pub(super) async fn known_receivers(&self, cx: &Context) -> Result<Vec<Receiver>> {
        read(cx, &self.api.get("/api/v2/receivers")).await
    }

    /// The alert with exactly these labels, when it is there. Resolved ones are not.
    pub(super) async fn find(&self, cx: &Context, labels: &BTreeMap<String, String>) -> Result<Option<Seen>> {
        let filter = labels.iter().map(|(name, value)| ("filter", format!("{name}={value:?}")));
        let all: Vec<Seen> = read(cx, &self.api.ask("/api/v2/alerts", filter)).await?;
        Ok(all.into_iter().find(|seen| seen.labels == *labels))
    }

    pub(super) async fn silences(&self, cx: &Context) -> Result<Vec<SeenSilence>> {
        read(cx, &self.api.get("/api/v2/silences")).await
    }

    /// How often each integration was asked to take a notification, since it started.
    pub async fn deliveries(&self, cx: &Context) -> Result<Deliveries> {
        let response = answered(cx, &self.api.get("/metrics")).await?;
        let all = Deliveries::parse(&String::from_utf8_lossy(&response.body));
        if all.0.is_empty() {
            let error = Error::unknown(format!("{} does not count what it delivers", self.api.url()));
            return Err(error.hint("it has to be version 0.22 or newer, and to serve /metrics"));
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_from_metrics() {
        let all = Deliveries::parse(
            "# TYPE alertmanager_notification_requests_total counter\n\
             alertmanager_notification_requests_total{integration=\"webhook\"} 3\n\
             alertmanager_notification_requests_total{integration=\"slack\",receiver_name=\"a\"} 1.2e+01\n\
             alertmanager_notification_requests_total{integration=\"slack\",receiver_name=\"b\"} 1\n\
             alertmanager_notification_requests_failed_total{integration=\"webhook\"} 1\n\
             alertmanager_alerts{state=\"active\"} 4\n",
        );
        assert_eq!((all.of("webhook").good(), all.of("slack").good(), all.of("email").good()), (2, 13, 0));
    }
}
