//! Counting answers.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use runbook::{Error, Result};

use super::report::{Percentiles, Report};

/// What stands for no answer among the errors.
pub(super) const SILENCE: &str = "no answer";

/// What stands for requests that were due and never sent.
pub(super) const UNSENT: &str = "not sent";

/// The longest time that is told apart.
const LONGEST: u64 = 3_600_000_000_000;

/// What was counted so far.
pub(super) struct Tally {
    /// In nanoseconds, to three digits.
    took: Histogram<u64>,
    statuses: BTreeMap<u16, u64>,
    silent: u64,
    pub(super) unsent: u64,
    pub(super) late: u64,
    pub(super) bytes: u64,
}

impl Tally {
    pub(super) fn new() -> Result<Self> {
        let took = Histogram::new_with_bounds(1, LONGEST, 3).map_err(|error| Error::new(format!("{error:?}")))?;
        Ok(Self { took, statuses: BTreeMap::new(), silent: 0, unsent: 0, late: 0, bytes: 0 })
    }

    pub(super) fn answer(&mut self, status: u16, took: Duration) {
        *self.statuses.entry(status).or_insert(0) += 1;
        self.took.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(LONGEST));
    }

    pub(super) fn silence(&mut self) {
        self.silent += 1;
    }

    pub(super) fn report(&self, target: String, took: Duration, is_good: impl Fn(u16) -> bool) -> Report {
        let answers: u64 = self.statuses.values().sum();
        let bad = self.statuses.iter().filter(|(status, _)| !is_good(**status));
        let mut errors: BTreeMap<String, u64> = bad.map(|(status, count)| (status.to_string(), *count)).collect();
        let unanswered = [(SILENCE, self.silent), (UNSENT, self.unsent)].into_iter().filter(|(_, count)| *count > 0);
        errors.extend(unanswered.map(|(kind, count)| (kind.to_owned(), count)));
        let at = |quantile: f64| Duration::from_nanos(self.took.value_at_quantile(quantile));
        let max = if self.took.is_empty() { Duration::ZERO } else { Duration::from_nanos(self.took.max()) };
        let latency = Percentiles { p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99), max };
        let (late, bytes) = (self.late, self.bytes);
        Report { target, requests: answers + self.silent + self.unsent, errors, took, latency, late, bytes }
    }
}
