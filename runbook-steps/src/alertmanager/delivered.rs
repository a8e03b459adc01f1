//! Whether somebody took a notification.

use async_trait::async_trait;
use runbook::{Check, Context, Description, Finding, Result};

use super::{Alertmanager, Deliveries};

/// The check of [`Alertmanager::delivers`].
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct Delivers {
    alertmanager: Alertmanager,
    before: Deliveries,
    integration: Option<String>,
}

impl Alertmanager {
    /// Asks whether a notification was delivered since [then](Alertmanager::deliveries).
    pub fn delivers(&self, since: &Deliveries) -> Delivers {
        Delivers { alertmanager: self.clone(), before: since.clone(), integration: None }
    }
}

impl Delivers {
    /// By this integration: `webhook`, `slack`, `pagerduty`, `email`.
    pub fn by(mut self, integration: impl Into<String>) -> Self {
        self.integration = Some(integration.into());
        self
    }

    fn concerns(&self, integration: &str) -> bool {
        self.integration.as_ref().is_none_or(|wanted| wanted == integration)
    }

    fn judge(&self, now: &Deliveries) -> Finding {
        let (mut good, mut failed) = (Vec::new(), Vec::new());
        for (name, now) in now.0.iter().filter(|(name, _)| self.concerns(name)) {
            let before = self.before.of(name);
            let (more, bad) = (now.good().saturating_sub(before.good()), now.failed.saturating_sub(before.failed));
            if more > 0 {
                good.push(format!("{name} took {more}"));
            }
            if bad > 0 {
                failed.push(format!("{name} refused {bad}"));
            }
        }
        let all: Vec<String> = good.iter().chain(&failed).cloned().collect();
        match (good.is_empty(), failed.is_empty()) {
            (false, _) => Finding::pass(all.join(", ")),
            (true, false) => Finding::fail(format!("nothing was delivered: {}", failed.join(", "))),
            (true, true) => Finding::fail("nothing was delivered yet"),
        }
    }
}

#[async_trait]
impl Check for Delivers {
    fn describe(&self) -> Description {
        let api = &self.alertmanager.api;
        let by = self.integration.as_ref().map_or_else(String::new, |integration| format!(" by {integration}"));
        Description::new("alertmanager.delivers", format!("{}{by}", api.url()))
            .summary(format!("{} delivers a notification{by}", api.url()))
            .command(format!("{} | grep ^alertmanager_notification_requests", api.by_hand("/metrics")))
            .reads(api.resource())
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        Ok(self.judge(&self.alertmanager.deliveries(cx).await?))
    }
}
