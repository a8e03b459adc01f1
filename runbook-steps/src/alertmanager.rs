//! Alertmanager: is it configured, does an alert get through, and silences for the time of planned work.
//!
//! ```no_run
//! # use runbook_core::{Result, Run, Units as _};
//! # use runbook_steps::alertmanager;
//! # async fn alerting(run: &Run) -> Result<()> {
//! let alerts = alertmanager::at("http://localhost:9093");
//! run.check("It is configured", alerts.status().receivers(["slack", "pagerduty"])).await?;
//!
//! // Posts one, sees it there, sees that somebody took it, and resolves it again.
//! let test = alerts.alert("RunbookTest").label("severity", "warning").annotation("summary", "a test");
//! test.reaches(run, "webhook", 60.seconds()).await?;
//!
//! let silence = alerts.silence([("service", "api")]).lasting(2.hours()).because("planned maintenance");
//! run.hold("Silence", silence, async |run| {
//!     // what would wake people
//!     Ok(())
//! })
//! .await
//! # }
//! ```
//!
//! - It speaks API v2. (The v1 of many documents is gone, and Prometheus itself takes no alerts.)
//! - An alert of ours is resolved on the way back, and by itself after ten minutes. One with the same labels that was there
//!   before is left alone.
//! - That somebody took it is counted by Alertmanager itself: one more request of that integration was answered well.

mod server;

mod facts;

mod alert;
mod silence;

mod delivered;
mod status;

#[cfg(feature = "testing")]
pub mod fake;

#[cfg(all(test, feature = "testing"))]
mod tests;

pub use self::alert::{Alert, IsActive, Posted};
pub use self::delivered::Delivers;
pub use self::facts::{Deliveries, Delivery};
#[cfg(feature = "testing")]
pub use self::fake::Fake;
pub use self::server::{Alertmanager, at};
pub use self::silence::{Silence, Silenced};
pub use self::status::Status;
