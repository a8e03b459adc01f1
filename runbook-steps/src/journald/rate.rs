//! How much a unit writes into the journal.

use std::time::Duration;

use async_trait::async_trait;
use runbook::{Check, Context, Description, ErrorKind, Finding, Gauge, Resource, Result, Units as _};

use super::commands::{From, Query};
use super::{Priority, facts};
use crate::systemd::Unit;

/// More entries than this are not counted.
const ENOUGH: u32 = 10_000;

/// How many entries a unit writes in a minute, over the last five unless told otherwise.
pub fn rate(unit: impl Into<Unit>) -> Rate {
    Rate { unit: unit.into(), over: 5.minutes(), priority: None, pattern: None }
}

/// The rate at which a unit writes; it can be [watched](runbook_core::Trigger::above) in a guard.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "say how high it may be: `.at_most(100.0)`"]
pub struct Rate {
    unit: Unit,
    over: Duration,
    priority: Option<Priority>,
    pattern: Option<String>,
}

impl Rate {
    /// Over this time.
    pub fn over(mut self, time: Duration) -> Self {
        self.over = time;
        self
    }

    /// Of entries of this priority and worse.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Of entries whose text matches this regular expression. Case counts.
    pub fn matching(mut self, pattern: impl Into<String>) -> Self {
        self.pattern = Some(pattern.into());
        self
    }

    /// Asks whether it is at most this, in entries a minute.
    pub fn at_most(self, most: f64) -> RateAtMost {
        RateAtMost { rate: self, most }
    }

    #[allow(clippy::cast_precision_loss, reason = "there are at most ten thousand")]
    async fn per_minute(&self, cx: &Context) -> Result<f64> {
        // A journal that holds nothing of the unit at all is no rate of zero.
        facts::beginning(cx, &self.unit).await?;
        let from = From::Ago(self.over);
        let (priority, pattern) = (self.priority, self.pattern.as_deref());
        let query = Query { unit: &self.unit, from: Some(&from), priority, pattern, most: ENOUGH };
        let count = facts::read(cx, &query).await?.len();
        Ok(count as f64 * 60.0 / self.over.as_secs_f64().max(1.0))
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

/// The check of [`rate`].
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct RateAtMost {
    rate: Rate,
    most: f64,
}

#[async_trait]
impl Check for RateAtMost {
    fn describe(&self) -> Description {
        let Rate { unit, over, .. } = &self.rate;
        Description::new("journald.rate", unit.as_str())
            .summary(format!("{unit} writes at most {} entries a minute, over {over:?}", self.most))
            .command(format!("journalctl --unit={unit} --since=-{}s | wc -l", over.as_secs()))
            .reads(unit.resource())
            .reads(Resource::new("journal", unit.as_str()))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let rate = self.rate.per_minute(cx).await?;
        let unit = &self.rate.unit;
        Ok(Finding::of(
            rate <= self.most,
            format!("{unit} writes {rate:.1} entries a minute, at most {} fine", self.most),
        ))
    }
}
