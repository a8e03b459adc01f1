//! Load: how fast a service is when many ask at once, with limits, and compared with what it was.
//!
//! ```no_run
//! # use runbook_core::{Result, Run, Units as _};
//! # use runbook_steps::{file, load, sizes::Sizes as _};
//! # async fn baseline(run: &Run) -> Result<()> {
//! let load = load::get("https://localhost/health").connections(20).during(30.seconds());
//! let limits = load.clone().p95_below(200.millis()).errors_below(0.01).rate_above(100.0);
//! run.check("Performance", limits.no_worse_than("/srv/sentinal/baseline.json", 20.percent())).await?;
//!
//! // The first time, and whenever a new measure is wanted:
//! let report = run.look(async |cx| load.measure(cx).await).await?;
//! run.step("Keep the baseline", file::write("/srv/sentinal/baseline.json", report.json())).await?;
//!
//! // A script of k6, where that is installed: the same limits.
//! run.check("Performance", load::k6("tests/load/baseline.js").p95_below(200.millis())).await
//! # }
//! ```
//!
//! - So many [connections](Load::connections), each asking again as soon as it is answered, say how much a service can
//!   bear. A fixed [rate](Load::rate) says how it is for users, who do not wait for each other: there, time counts from when
//!   a request was due, also when none of the connections was free.
//! - Requests go out from the runner's machine, from one thread of their own. What is measured is what that machine sees.
//! - A rate limit answers in the place of the service. Its refusals are errors, and the evidence names them.
//! - Percentiles of a handful of requests say nothing, and no answer at all is no error of the service: both are *unknown*.

mod engine;
mod generator;
mod k6;
mod limits;
mod report;
mod tally;
mod wire;

#[cfg(test)]
mod tests;

pub use self::generator::{Load, get, request};
pub use self::k6::{K6, k6};
pub use self::report::{Percentiles, Report};
