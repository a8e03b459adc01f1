//! Traces of a service.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use runbook::{Check, Context, Description, Error, Finding, Result};
use serde::{Deserialize, Serialize};

use super::Jaeger;
use crate::api::read;

/// The traces of a service; as a check, whether there are any.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct Traces {
    jaeger: Jaeger,
    service: String,
    operation: Option<String>,
    since: Option<Timestamp>,
    at_least: usize,
}

/// A piece of work in a trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The trace it belongs to.
    pub trace: String,
    /// The service that did it.
    pub service: String,
    /// What it did.
    pub operation: String,
    /// When it began.
    pub began: Timestamp,
    /// How long it took.
    pub took: Duration,
}

/// What every answer is wrapped in.
#[derive(Debug, Deserialize)]
struct Answer<T> {
    data: Option<T>,
    #[serde(default)]
    errors: Option<Vec<Complaint>>,
}

#[derive(Debug, Deserialize)]
struct Complaint {
    msg: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Trace {
    #[serde(rename = "traceID")]
    id: String,
    spans: Vec<RawSpan>,
    processes: BTreeMap<String, Process>,
}

/// Times are in microseconds.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawSpan {
    operation_name: String,
    start_time: i64,
    duration: u64,
    #[serde(rename = "processID")]
    process: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Process {
    service_name: String,
}

/// How many traces are looked at.
const LIMIT: usize = 100;
/// How far back it looks without being told.
const HOUR: SignedDuration = SignedDuration::from_hours(1);

impl Jaeger {
    /// The traces that this service took part in.
    pub fn traces(&self, service: impl Into<String>) -> Traces {
        Traces { jaeger: self.clone(), service: service.into(), operation: None, since: None, at_least: 1 }
    }
}

impl Traces {
    /// Of this operation.
    pub fn operation(mut self, operation: impl Into<String>) -> Self {
        self.operation = Some(operation.into());
        self
    }

    /// From this time on, instead of the last hour.
    pub fn since(mut self, time: Timestamp) -> Self {
        self.since = Some(time);
        self
    }

    /// Wants so many of them.
    pub fn at_least(mut self, count: usize) -> Self {
        self.at_least = count;
        self
    }

    /// The spans of its own that took longest, longest first.
    pub async fn slowest(&self, cx: &Context, count: usize) -> Result<Vec<Span>> {
        let mut spans = self.spans(cx).await?;
        spans.sort_by_key(|span| std::cmp::Reverse(span.took));
        spans.truncate(count);
        Ok(spans)
    }

    /// Its spans that began since then. A server may give more than it was asked for.
    async fn spans(&self, cx: &Context) -> Result<Vec<Span>> {
        let since = self.since.map_or_else(|| cx.now().saturating_sub(HOUR), Ok)?;
        let mut query = vec![
            ("service", self.service.clone()),
            ("start", since.as_microsecond().to_string()),
            ("end", cx.now().saturating_add(HOUR)?.as_microsecond().to_string()),
            ("limit", LIMIT.to_string()),
        ];
        query.extend(self.operation.as_ref().map(|operation| ("operation", operation.clone())));
        let answer: Answer<Vec<Trace>> = read(cx, &self.jaeger.api.ask("/api/traces", query)).await?;
        if let Some(complaint) = answer.errors.iter().flatten().next() {
            return Err(Error::unknown(format!("{}: {}", self.jaeger.api.url(), complaint.msg)));
        }
        let spans = answer.data.into_iter().flatten().flat_map(Trace::spans);
        let concerns = |span: &Span| {
            let same = self.operation.as_ref().is_none_or(|operation| *operation == span.operation);
            same && span.service == self.service && span.began >= since
        };
        Ok(spans.filter(concerns).collect())
    }

    async fn services(&self, cx: &Context) -> Result<Vec<String>> {
        let answer: Answer<Vec<String>> = read(cx, &self.jaeger.api.get("/api/services")).await?;
        Ok(answer.data.unwrap_or_default())
    }

    fn what(&self) -> String {
        let operation = self.operation.as_ref().map_or_else(String::new, |operation| format!(" {operation}"));
        format!("{}{operation}", self.service)
    }
}

impl Trace {
    fn spans(self) -> impl Iterator<Item = Span> {
        let Self { id, spans, processes } = self;
        spans.into_iter().filter_map(move |span| {
            Some(Span {
                trace: id.clone(),
                service: processes.get(&span.process)?.service_name.clone(),
                operation: span.operation_name,
                began: Timestamp::from_microsecond(span.start_time).ok()?,
                took: Duration::from_micros(span.duration),
            })
        })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trace, service, operation, took, .. } = self;
        write!(f, "{:.1} ms in {service} {operation} (trace {trace})", took.as_secs_f64() * 1000.0)
    }
}

#[async_trait]
impl Check for Traces {
    fn describe(&self) -> Description {
        let (api, what) = (&self.jaeger.api, self.what());
        let path = format!("/api/traces?service={}&limit={LIMIT}", self.service);
        let count = if self.at_least == 1 { "a trace".to_owned() } else { format!("{} traces", self.at_least) };
        Description::new("jaeger.traces", format!("{} {what}", api.url()))
            .summary(format!("{} has {count} of {what}", api.url()))
            .command(api.by_hand(&path))
            .reads(api.resource())
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let spans = self.spans(cx).await?;
        let mut traces: Vec<&str> = spans.iter().map(|span| span.trace.as_str()).collect();
        traces.sort_unstable();
        traces.dedup();
        let (count, what) = (traces.len(), self.what());
        let since = self.since.map_or_else(|| "of the last hour".to_owned(), |since| format!("since {since}"));
        let summary = format!("{count} traces of {what} {since}");
        if count >= self.at_least {
            let longest = spans.iter().max_by_key(|span| span.took);
            let longest = longest.map_or_else(String::new, |span| format!(", the longest span {span}"));
            return Ok(Finding::pass(format!("{summary}{longest}")));
        }
        let known = self.services(cx).await?;
        Ok(if known.contains(&self.service) {
            Finding::fail(format!("{summary}, wanted {}", self.at_least))
        } else {
            Finding::fail(format!("{summary}: it knows no such service, but {}", known.join(", ")))
        })
    }
}
