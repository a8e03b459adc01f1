//! What came of it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::tally::{SILENCE, UNSENT};

/// What a load came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What was asked.
    pub target: String,
    /// How many requests there were, answered or not.
    pub requests: u64,
    /// How many of them went wrong, by what went wrong: `503`, `no answer`.
    #[serde(default)]
    pub errors: BTreeMap<String, u64>,
    /// How long it took.
    pub took: Duration,
    /// How long answers took, bad ones included.
    pub latency: Percentiles,
    /// How many requests were due while all connections were busy.
    #[serde(default)]
    pub late: u64,
    /// How many bytes of bodies came.
    #[serde(default)]
    pub bytes: u64,
}

/// How long it took for how many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "their names are what they are")]
pub struct Percentiles {
    pub p50: Duration,
    pub p90: Duration,
    pub p95: Duration,
    pub p99: Duration,
    pub max: Duration,
}

impl Report {
    /// How many requests were answered in a second.
    pub fn rate(&self) -> f64 {
        let seconds = self.took.as_secs_f64();
        if seconds > 0.0 { self.answered() as f64 / seconds } else { 0.0 }
    }

    /// How many went wrong.
    pub fn failed(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Which share of them went wrong, from 0 to 1.
    pub fn error_rate(&self) -> f64 {
        if self.requests == 0 { 0.0 } else { self.failed() as f64 / self.requests as f64 }
    }

    /// How many were answered at all.
    pub fn answered(&self) -> u64 {
        let without = [SILENCE, UNSENT].iter().filter_map(|kind| self.errors.get(*kind)).sum();
        self.requests.saturating_sub(without)
    }

    /// As a file keeps it, to be compared with later.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).map_or_else(|error| error.to_string(), |text| text + "\n")
    }

    /// `no errors`, `3 errors (503 3)`.
    fn trouble(&self) -> String {
        if self.failed() == 0 {
            return "no errors".to_owned();
        }
        let kinds: Vec<String> = self.errors.iter().map(|(kind, count)| format!("{kind} × {count}")).collect();
        format!("{:.2} % errors ({})", self.error_rate() * 100.0, kinds.join(", "))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests, took, latency, .. } = self;
        let (rate, seconds) = (self.rate(), took.as_secs_f64());
        let [p50, p95, p99] = [latency.p50, latency.p95, latency.p99].map(Took);
        write!(f, "{requests} requests in {seconds:.1} s, {rate:.0} a second, ")?;
        write!(f, "p50 {p50}, p95 {p95}, p99 {p99}, {}", self.trouble())
    }
}

/// A short time, for people: `1.24 ms`.
pub(super) struct Took(pub(super) Duration);

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        match seconds {
            1.0.. => write!(f, "{seconds:.2} s"),
            0.01.. => write!(f, "{:.0} ms", seconds * 1e3),
            _ => write!(f, "{:.2} ms", seconds * 1e3),
        }
    }
}
