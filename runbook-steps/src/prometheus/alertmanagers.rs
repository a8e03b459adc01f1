//! Where alerts go.

use async_trait::async_trait;
use runbook::{Check, Context, Description, Finding, Result};

use super::Prometheus;

/// The check of [`Prometheus::alertmanagers`].
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct Alertmanagers {
    prometheus: Prometheus,
    at_least: usize,
}

impl Prometheus {
    /// Asks whether it knows an Alertmanager: without one, what fires reaches nobody.
    pub fn alertmanagers(&self) -> Alertmanagers {
        Alertmanagers { prometheus: self.clone(), at_least: 1 }
    }
}

impl Alertmanagers {
    /// Wants so many.
    pub fn at_least(mut self, count: usize) -> Self {
        self.at_least = count;
        self
    }
}

#[async_trait]
impl Check for Alertmanagers {
    fn describe(&self) -> Description {
        let (api, count) = (&self.prometheus.api, self.at_least);
        Description::new("prometheus.alertmanagers", api.url())
            .summary(format!("{} sends its alerts to at least {count}", api.url()))
            .command(api.by_hand("/api/v1/alertmanagers"))
            .reads(api.resource())
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let known = self.prometheus.known_alertmanagers(cx).await?.data;
        let urls: Vec<String> = known.active().iter().map(|one| one.url().to_string()).collect();
        let evidence = match &urls[..] {
            [] => "alerts are sent nowhere".to_owned(),
            urls => format!("alerts are sent to {}", urls.join(", ")),
        };
        let short = if urls.len() < self.at_least { format!(", wanted {}", self.at_least) } else { String::new() };
        Ok(Finding::of(urls.len() >= self.at_least, format!("{evidence}{short}")))
    }
}
