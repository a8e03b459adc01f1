//! Whether it is there.

use async_trait::async_trait;
use runbook::{Check, Context, Description, Finding, Result};

use super::Grafana;

/// The check of [`Grafana::is_healthy`].
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct Health {
    grafana: Grafana,
}

impl Grafana {
    /// Asks whether it is there, with its database.
    pub fn is_healthy(&self) -> Health {
        Health { grafana: self.clone() }
    }
}

#[async_trait]
impl Check for Health {
    fn describe(&self) -> Description {
        let api = &self.grafana.api;
        Description::new("grafana.health", api.url())
            .summary(format!("{} is healthy", api.url()))
            .command(api.by_hand("/api/health"))
            .reads(api.resource())
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let now = self.grafana.now(cx).await?;
        Ok(Finding::of(now.database == "ok", format!("Grafana {}, database {}", now.version, now.database)))
    }
}
