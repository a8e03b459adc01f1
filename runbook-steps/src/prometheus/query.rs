//! An expression, and asking for its value.

use std::time::Duration;

use async_trait::async_trait;
use runbook::{Check, Context, Description, Error, Evidence, Finding, Gauge, Result};

use super::number::Number;
use super::threshold::{Side, Threshold};
use super::{Prometheus, Series};

/// An expression of PromQL. It is also a [`Gauge`] for the triggers of a guard.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "an expression asks nothing: say what it must be, `.below(0.01)`"]
pub struct Query {
    pub(super) prometheus: Prometheus,
    pub(super) expression: String,
}

/// The check of [`Query::has_data`].
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct HasData {
    query: Query,
}

impl Prometheus {
    /// An expression of PromQL.
    pub fn query(&self, expression: impl Into<String>) -> Query {
        Query { prometheus: self.clone(), expression: expression.into() }
    }
}

impl Query {
    /// Wants less than this, in every series.
    pub fn below(self, limit: f64) -> Threshold {
        Threshold::new(self, Side::Below, limit)
    }

    /// Wants this or less, in every series.
    pub fn at_most(self, limit: f64) -> Threshold {
        Threshold::new(self, Side::AtMost, limit)
    }

    /// Wants more than this, in every series.
    pub fn above(self, limit: f64) -> Threshold {
        Threshold::new(self, Side::Above, limit)
    }

    /// Wants this or more, in every series.
    pub fn at_least(self, limit: f64) -> Threshold {
        Threshold::new(self, Side::AtLeast, limit)
    }

    /// Wants there to be a value at all. None is a *no* here, because that is the question.
    pub fn has_data(self) -> HasData {
        HasData { query: self }
    }

    /// Its values now.
    pub async fn values(&self, cx: &Context) -> Result<Vec<Series>> {
        Ok(self.prometheus.instant(cx, &self.expression).await?.data)
    }

    /// Its values of the last while, on the clock of the server.
    pub async fn values_over(&self, cx: &Context, window: Duration, every: Duration) -> Result<Vec<Series>> {
        let now = self.prometheus.time(cx).await?;
        let over = (now - window.as_secs_f64(), now, every.as_secs_f64());
        Ok(self.prometheus.range(cx, &self.expression, over).await?.data)
    }

    /// Whether there never was any data within the last hour, or it stopped coming. Only asked when there is none.
    pub(super) async fn why_no_data(&self, cx: &Context) -> Evidence {
        let counted = format!("count_over_time(({})[1h:10s])", self.expression);
        let earlier = self.prometheus.instant(cx, &counted).await;
        let were_there = earlier.is_ok_and(|said| !said.data.is_empty());
        if were_there {
            Evidence::new(format!("stale: `{}` had values within the last hour, and has none now", self.expression))
        } else {
            let hint = "a rate of what never happened has no data either: `… or vector(0)` makes it zero";
            Evidence::new(format!("no data for `{}`", self.expression)).lines([hint])
        }
    }

    pub(super) fn description(&self, kind: &str, wanted: &str) -> Description {
        let (api, expression) = (&self.prometheus.api, &self.expression);
        let quoted = expression.replace('\'', r"'\''");
        Description::new(kind, format!("{} {expression}", api.url()))
            .summary(format!("{expression} {wanted}"))
            .command(format!("curl -sS --data-urlencode 'query={quoted}' {}/api/v1/query", api.url()))
            .reads(api.resource())
    }
}

#[async_trait]
impl Gauge for Query {
    async fn measure(&self, cx: &Context) -> Result<Option<f64>> {
        let values = self.values(cx).await?;
        match &values[..] {
            [] => Ok(None),
            [one] => Ok(one.last().map(|point| point.value)),
            more => Err(Error::new(format!("`{}` has {} series, and a gauge is one", self.expression, more.len()))
                .hint("make one of them: `sum(…)`, `max(…)`")),
        }
    }
}

#[async_trait]
impl Check for HasData {
    fn describe(&self) -> Description {
        self.query.description("prometheus.data", "has a value")
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let values = self.query.values(cx).await?;
        if values.is_empty() {
            return Ok(Finding::Fail(self.query.why_no_data(cx).await));
        }
        let line = |series: &Series| {
            let value = series.last().map_or(f64::NAN, |point| point.value);
            format!("{} {}", series.labels, Number(value)).trim().to_owned()
        };
        let lines: Vec<String> = values.iter().take(10).map(line).collect();
        let count = if values.len() == 1 { "a value".to_owned() } else { format!("{} values", values.len()) };
        let summary =
            format!("`{}` has {count}: {}", self.query.expression, lines.first().cloned().unwrap_or_default());
        Ok(Finding::pass(Evidence::new(summary).lines(lines.into_iter().skip(1))))
    }
}
