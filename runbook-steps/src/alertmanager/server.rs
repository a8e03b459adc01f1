//! An Alertmanager, and how it is reached.

use jiff::Timestamp;
use runbook::{Context, Explain as _, Result};

use crate::api::{Api, answered, reached};

/// An Alertmanager, by its URL.
#[derive(Debug, Clone, PartialEq)]
pub struct Alertmanager {
    pub(super) api: Api,
}

/// The Alertmanager at this URL: `http://localhost:9093`.
pub fn at(url: impl Into<String>) -> Alertmanager {
    Alertmanager { api: Api::at(url) }
}

reached!(Alertmanager);

impl Alertmanager {
    /// The time on its clock, to the second: what begins and ends there does so by it.
    pub(super) async fn time(&self, cx: &Context) -> Result<Timestamp> {
        let response = answered(cx, &self.api.get("/-/ready")).await?;
        let Some(date) = response.header("date") else { return Ok(cx.now()) };
        let read = jiff::fmt::rfc2822::parse(date);
        let time = read.with_context(|| format!("{} says that it is `{date}`", self.api.url()))?;
        Ok(time.timestamp())
    }
}
