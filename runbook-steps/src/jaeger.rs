//! Jaeger: do traces arrive, and where does the time go?
//!
//! ```no_run
//! # use runbook_core::{CheckExt as _, Result, Run, Units as _};
//! # use runbook_steps::{http, jaeger};
//! # async fn tracing(run: &Run) -> Result<()> {
//! let jaeger = jaeger::at("http://localhost:16686");
//! let since = run.now().await?;
//! run.check("A request", http::get("https://localhost/health")).await?;
//! run.check("Its trace arrives", jaeger.traces("sentinal-api").since(since).within(60.seconds())).await?;
//!
//! for span in run.look(async |cx| jaeger.traces("sentinal-api").slowest(cx, 5).await).await? {
//!     run.say(format!("{span}"));
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A trace from before the run proves nothing of what runs now: say [since](Traces::since) when. Times are those of the
//! traced machines.

mod server;
mod traces;

#[cfg(any(test, feature = "testing"))]
pub mod fake;

#[cfg(test)]
mod tests;

#[cfg(any(test, feature = "testing"))]
pub use self::fake::Fake;
pub use self::server::{Jaeger, at};
pub use self::traces::{Span, Traces};
