//! How much is written into a log.

use std::time::Duration;

use async_trait::async_trait;
use runbook::{Check, Context, Description, ErrorKind, Finding, Gauge, Resource, Result, Units as _};

use super::{Logs, compiled};

/// How many lines containers write in a minute, over the last five unless [`since`](Logs::since) says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "say how high it may be: `.at_most(100.0)`"]
pub struct Rate {
    pub(super) logs: Logs,
    pub(super) pattern: Option<String>,
}

impl Rate {
    /// Of lines that match this regular expression.
    pub fn matching(mut self, pattern: impl Into<String>) -> Self {
        self.pattern = Some(pattern.into());
        self
    }

    /// Asks whether it is at most this, in lines a minute.
    pub fn at_most(self, most: f64) -> RateAtMost {
        RateAtMost { rate: self, most }
    }

    fn over(&self) -> Duration {
        self.logs.since.unwrap_or(5.minutes())
    }

    async fn per_minute(&self, cx: &Context) -> Result<f64> {
        let pattern = self.pattern.as_deref().map(compiled).transpose()?;
        let mut lines = self.logs.clone().since(self.over()).lines(cx).await?;
        lines.retain(|line| pattern.as_ref().is_none_or(|pattern| pattern.is_match(&line.text)));
        Ok(lines.len() as f64 * 60.0 / self.over().as_secs_f64().max(1.0))
    }
}

#[async_trait]
impl Gauge for Rate {
    async fn measure(&self, cx: &Context) -> Result<Option<f64>> {
        match self.per_minute(cx).await {
            Ok(rate) => Ok(Some(rate)),
            Err(error) if error.kind() == ErrorKind::Unknown => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The check of [`Rate::at_most`].
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct RateAtMost {
    rate: Rate,
    most: f64,
}

#[async_trait]
impl Check for RateAtMost {
    fn describe(&self) -> Description {
        let Rate { logs, .. } = &self.rate;
        let what = logs.project.people_say(&logs.services);
        logs.project
            .describe("logs_rate", &logs.services)
            .summary(format!("{what} writes at most {} lines a minute, over {:?}", self.most, self.rate.over()))
            .command(format!("{} | wc -l", logs.clone().since(self.rate.over()).typed()))
            .reads(Resource::new("service-log", logs.project.name()))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let rate = self.rate.per_minute(cx).await?;
        Ok(Finding::of(rate <= self.most, format!("{rate:.1} lines a minute, at most {} are fine", self.most)))
    }
}
