//! Grafana: is it there, do its data sources answer, and is there data in its dashboards?
//!
//! ```no_run
//! # use runbook_core::{CheckExt as _, Result, Run, Secret, Units as _};
//! # use runbook_steps::grafana;
//! # async fn dashboards(run: &Run) -> Result<()> {
//! let grafana = grafana::at("http://localhost:3001").basic("admin", &Secret::env("GRAFANA_ADMIN_PASSWORD"));
//! run.check("Grafana", grafana.is_healthy().within(30.seconds())).await?;
//! run.check("The data sources answer", grafana.datasources().named(["Prometheus"])).await?;
//! run.check("The dashboards are there", grafana.dashboards(["Sentinal overview", "Redis"])).await?;
//!
//! let overview = grafana.dashboard("sentinal-overview").over(15.minutes()).may_be_empty(["Errors"]);
//! run.check("Data is flowing", overview.within(2.minutes())).await
//! # }
//! ```
//!
//! - What a person sees is what is asked: the queries of each panel are put to its data source through Grafana, with the
//!   variables of the dashboard in them. A panel without one value in its window has no data.
//! - A panel whose query fails is a *no*. Panels that ask nothing (rows, texts, lists) are left out; a dashboard of those
//!   alone is a *no*, too.

mod facts;
mod server;

mod dashboard;
mod dashboards;
mod datasources;
mod frames;
mod health;
mod variables;

#[cfg(any(test, feature = "testing"))]
pub mod fake;

#[cfg(test)]
mod tests;

pub use self::dashboard::Dashboard;
pub use self::dashboards::Dashboards;
pub use self::datasources::Datasources;
#[cfg(any(test, feature = "testing"))]
pub use self::fake::Fake;
pub use self::health::Health;
pub use self::server::{Grafana, at};
