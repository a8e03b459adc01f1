//! Whether dashboards are there.

use async_trait::async_trait;
use runbook::{Check, Context, Description, Finding, Result};

use super::Grafana;

/// The check of [`Grafana::dashboards`].
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct Dashboards {
    grafana: Grafana,
    wanted: Vec<String>,
}

impl Grafana {
    /// Asks whether these dashboards are there, by their titles or their uids.
    pub fn dashboards(&self, wanted: impl IntoIterator<Item = impl Into<String>>) -> Dashboards {
        Dashboards { grafana: self.clone(), wanted: wanted.into_iter().map(Into::into).collect() }
    }
}

#[async_trait]
impl Check for Dashboards {
    fn describe(&self) -> Description {
        let api = &self.grafana.api;
        Description::new("grafana.dashboards", api.url())
            .summary(format!("{} has the dashboards {}", api.url(), self.wanted.join(", ")))
            .command(api.by_hand("/api/search?type=dash-db"))
            .reads(api.resource())
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let found = self.grafana.found(cx).await?;
        let there = |wanted: &str| found.iter().any(|one| one.title == wanted || one.uid == wanted);
        let missing: Vec<&str> = self.wanted.iter().map(String::as_str).filter(|wanted| !there(wanted)).collect();
        let titles: Vec<&str> = found.iter().map(|one| one.title.as_str()).collect();
        let all =
            if titles.is_empty() { "there are none".to_owned() } else { format!("there are {}", titles.join(", ")) };
        Ok(match missing[..] {
            [] => Finding::of(!found.is_empty(), all),
            _ => Finding::fail(format!("no dashboard {}; {all}", missing.join(", "))),
        })
    }
}
