//! What a load must come to.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use runbook::{Context, Evidence, Finding, Result};

use super::Report;
use super::report::Took;

/// Limits, all of which must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Limits(pub(super) Vec<Limit>);

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Limit {
    /// The name of a percentile, and what it must be below.
    Latency(&'static str, Duration),
    /// The share of errors.
    Errors(f64),
    /// Requests in a second.
    Rate(f64),
    /// The file of a baseline, and how many hundredths worse it may be.
    Baseline(PathBuf, u8),
}

/// How many requests a percentile wants at least: below it, one of them decides.
const ENOUGH: [(&str, u64); 4] = [("p50", 10), ("p90", 50), ("p95", 100), ("p99", 500)];

/// A limit that does not hold, or of which nobody knows.
enum Trouble {
    Beyond(String),
    Unclear(String),
}

impl Limits {
    pub(super) async fn judge(&self, cx: &Context, report: &Report) -> Result<Finding> {
        if report.answered() == 0 {
            return Ok(Finding::unknown(format!("nobody answered: {report}")));
        }
        let mut troubles = Vec::new();
        for limit in &self.0 {
            match limit {
                Limit::Baseline(path, worse) => troubles.extend(against(cx, path, *worse, report).await?),
                limit => troubles.extend(limit.trouble(report)),
            }
        }
        let beyond: Vec<&str> = troubles.iter().filter_map(Trouble::beyond).collect();
        let unclear: Vec<&str> = troubles.iter().filter_map(Trouble::unclear).collect();
        Ok(match (beyond.is_empty(), unclear.is_empty()) {
            (false, _) => Finding::Fail(told(&beyond, report)),
            (true, false) => Finding::Unknown(told(&unclear, report)),
            (true, true) => Finding::Pass(told(&[], report)),
        })
    }
}

fn told(troubles: &[&str], report: &Report) -> Evidence {
    let summary = if troubles.is_empty() { report.to_string() } else { format!("{}: {report}", troubles.join(", ")) };
    let limited = report.errors.get("429").map(|count| {
        format!("{count} answers are of a rate limit, not of the service: ask less, or let it know who asks")
    });
    let late = (report.late > 0)
        .then(|| format!("{} requests had to wait for a connection: allow more, with `.connections(n)`", report.late));
    Evidence::new(summary).lines(limited.into_iter().chain(late))
}

impl Limit {
    fn trouble(&self, report: &Report) -> Option<Trouble> {
        match self {
            Self::Latency(name, limit) => {
                let few = ENOUGH.iter().find(|(known, enough)| known == name && report.requests < *enough);
                if let Some((_, enough)) = few {
                    return Some(Trouble::Unclear(format!("{name} wants at least {enough} requests")));
                }
                let took = percentile(report, name);
                (took >= *limit)
                    .then(|| Trouble::Beyond(format!("{name} is {}, wanted below {}", Took(took), Took(*limit))))
            }
            Self::Errors(limit) => (report.error_rate() >= *limit && report.failed() > 0).then(|| {
                let (is, wanted) = (report.error_rate() * 100.0, limit * 100.0);
                Trouble::Beyond(format!("{is:.2} % errors, wanted below {wanted} %"))
            }),
            Self::Rate(limit) => (report.rate() <= *limit)
                .then(|| Trouble::Beyond(format!("{:.0} requests a second, wanted more than {limit}", report.rate()))),
            Self::Baseline(..) => None,
        }
    }
}

fn percentile(report: &Report, name: &str) -> Duration {
    match name {
        "p50" => report.latency.p50,
        "p90" => report.latency.p90,
        "p95" => report.latency.p95,
        _ => report.latency.p99,
    }
}

/// What is worse than it was: P50, P95, the rate, the errors.
async fn against(cx: &Context, path: &std::path::Path, worse: u8, report: &Report) -> Result<Vec<Trouble>> {
    let unclear = |words: String| Ok(vec![Trouble::Unclear(words)]);
    if cx.files().stat(path).await?.is_none() {
        return unclear(format!("there is no baseline in {}", path.display()));
    }
    let Ok(base) = serde_json::from_slice::<Report>(&cx.files().read(path).await?) else {
        return unclear(format!("{} is no baseline", path.display()));
    };
    if base.target != report.target {
        return unclear(format!("the baseline is of {}", base.target));
    }
    let more = 1.0 + f64::from(worse) / 100.0;
    let mut troubles = Vec::new();
    for name in ["p50", "p95"] {
        let (was, is) = (percentile(&base, name), percentile(report, name));
        // Less than a millisecond is no difference to anybody.
        if is > was.mul_f64(more) && is > was + Duration::from_millis(1) {
            troubles.push(Trouble::Beyond(format!("{name} was {} and is {}", Took(was), Took(is))));
        }
    }
    if report.rate() * more < base.rate() {
        troubles.push(Trouble::Beyond(format!("{:.0} a second were {:.0}", report.rate(), base.rate())));
    }
    if report.error_rate() > base.error_rate() * more + 0.001 {
        let [was, is] = [&base, report].map(|report| report.error_rate() * 100.0);
        troubles.push(Trouble::Beyond(format!("{is:.2} % errors were {was:.2} %")));
    }
    Ok(troubles)
}

impl Trouble {
    fn beyond(&self) -> Option<&str> {
        if let Self::Beyond(words) = self { Some(words) } else { None }
    }

    fn unclear(&self) -> Option<&str> {
        if let Self::Unclear(words) = self { Some(words) } else { None }
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for limit in &self.0 {
            match limit {
                Limit::Latency(name, limit) => write!(f, ", {name} below {}", Took(*limit))?,
                Limit::Errors(limit) => write!(f, ", errors below {} %", limit * 100.0)?,
                Limit::Rate(limit) => write!(f, ", more than {limit} a second")?,
                Limit::Baseline(path, worse) => write!(f, ", at most {worse} % worse than {}", path.display())?,
            }
        }
        Ok(())
    }
}

/// The limits of a load, as methods of what makes it. They are the same for all.
macro_rules! limited {
    ($load:ty) => {
        impl $load {
            /// Wants half of the answers in less than this.
            pub fn p50_below(self, limit: std::time::Duration) -> Self {
                self.limit(crate::load::limits::Limit::Latency("p50", limit))
            }

            /// Wants 95 of 100 answers in less than this.
            pub fn p95_below(self, limit: std::time::Duration) -> Self {
                self.limit(crate::load::limits::Limit::Latency("p95", limit))
            }

            /// Wants 99 of 100 answers in less than this.
            pub fn p99_below(self, limit: std::time::Duration) -> Self {
                self.limit(crate::load::limits::Limit::Latency("p99", limit))
            }

            /// Wants a smaller share of errors than this: `0.01` is one of a hundred.
            pub fn errors_below(self, share: f64) -> Self {
                self.limit(crate::load::limits::Limit::Errors(share))
            }

            /// Wants more requests answered in a second than this.
            pub fn rate_above(self, requests: f64) -> Self {
                self.limit(crate::load::limits::Limit::Rate(requests))
            }

            /// Wants it to be no worse than what this file of the host keeps, but for so much: `20.percent()`.
            pub fn no_worse_than(self, baseline: impl Into<std::path::PathBuf>, but: crate::sizes::Amount) -> Self {
                let but = if let crate::sizes::Amount::Percent(but) = but { but } else { 0 };
                self.limit(crate::load::limits::Limit::Baseline(baseline.into(), but))
            }

            fn limit(mut self, limit: crate::load::limits::Limit) -> Self {
                self.limits.0.push(limit);
                self
            }
        }
    };
}
pub(super) use limited;
