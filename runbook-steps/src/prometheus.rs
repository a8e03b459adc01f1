//! Prometheus: are its targets up, what do its metrics say, are its rules loaded, and which of them fire?
//!
//! ```no_run
//! # use runbook_core::{CheckExt as _, Result, Run, Trigger, Units as _};
//! # use runbook_steps::prometheus;
//! # async fn watched(run: &Run) -> Result<()> {
//! let metrics = prometheus::at("http://localhost:9090");
//! run.check("Everything is scraped", metrics.targets().job("api", 3).job("redis", 3).within(60.seconds())).await?;
//! run.check("The rules are loaded", metrics.rules().named(["HighErrorRate", "InstanceDown"]).none_fires()).await?;
//! run.check("It knows its Alertmanager", metrics.alertmanagers()).await?;
//!
//! let errors = metrics.query(r#"sum(rate(requests_total{status=~"5.."}[1m])) / sum(rate(requests_total[1m]))"#);
//! run.check("Few errors", errors.clone().below(0.01).over(5.minutes())).await?;
//! run.guard([Trigger::above("errors", errors, 0.05).window(2.minutes())], async |run| {
//!     // what must stop when the errors rise
//!     Ok(())
//! })
//! .await
//! # }
//! ```
//!
//! - A target that is not there is not *up*: name the jobs there must be, and how many targets each has.
//! - No data, a value that is no number (0/0 of a service that nobody asks) and values that stopped coming are each
//!   *unknown*, and say which of them they are. None is ever a *pass*. A rate of something that never happened has no data
//!   either: `… or vector(0)` makes it zero.
//! - A window is one of the server's clock, looked at in twenty steps. One value beyond the limit is a *no*.
//! - Requests go out as those of [`http`](crate::http) do, with its trust and its [`Fake`](crate::http::Fake). The answers
//!   are read with the types of `prometheus-http-query`.

mod server;

mod facts;

mod number;
mod query;
mod series;
mod threshold;

mod alertmanagers;
mod rules;
mod targets;

#[cfg(feature = "testing")]
pub mod fake;

#[cfg(all(test, feature = "testing"))]
mod tests;

pub use self::alertmanagers::Alertmanagers;
#[cfg(feature = "testing")]
pub use self::fake::Fake;
pub use self::query::{HasData, Query};
pub use self::rules::Rules;
pub use self::series::{Labels, Point, Series};
pub use self::server::{Prometheus, at};
pub use self::targets::Targets;
pub use self::threshold::Threshold;
