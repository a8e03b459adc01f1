//! HTTP: does a service answer, and does it say what it should?
//!
//! ```no_run
//! # use runbook_core::{CheckExt as _, Result, Run, Units as _};
//! # use runbook_steps::http;
//! # async fn healthy(run: &Run) -> Result<()> {
//! let health = http::get("https://app.example.org/health").json("/status", "healthy").faster_than(500.millis());
//! run.check("Health", health.in_a_row(3).within(60.seconds())).await?;
//! # Ok(())
//! # }
//! ```
//!
//! - The request goes out from the machine the runner is on, unless it is to go out
//!   [from the host](Probe::from_the_host) of the run. Every request makes a connection of its own: a health
//!   check should see what a new client sees.
//! - An answer that is not the wanted one is a *no*. No answer at all (refused, too late, a certificate nobody
//!   trusts) and an answer that cannot be read are *unknown*, which is never *yes*.
//! - Redirects are answers, not followed unless told to. Of a body at most one MiB is read.

mod client;
mod from_host;
mod network;
mod request;
mod response;

mod probe;

#[cfg(any(test, feature = "testing"))]
pub mod fake;

#[cfg(test)]
mod tests;

pub use self::client::{Client, Port, fetch};
#[cfg(any(test, feature = "testing"))]
pub use self::fake::Fake;
pub use self::network::Network;
#[cfg(feature = "load")]
pub(crate) use self::network::prepare;
pub use self::probe::{Probe, get, head, post, probe};
pub use self::request::{Body, HeaderValue, Request, Tls};
pub use self::response::Response;
