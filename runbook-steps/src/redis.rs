//! Redis: does it answer to us, and how long are its lists?
//!
//! ```no_run
//! # use runbook_core::{Result, Run, Secret};
//! # use runbook_steps::redis::Redis;
//! # async fn healthy(run: &Run) -> Result<()> {
//! let broker = Redis::at("redis://127.0.0.1:6379/0").password(&Secret::env("REDIS_PASSWORD"));
//! run.check("Redis answers", broker.ping()).await?;
//! run.check("The queue is short", broker.list_length("celery").max(1000)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! - A server that wants a password, or another one, is a *no* that says so: `redis-cli ping` prints `NOAUTH` and exits
//!   with 0. No answer is *unknown*.
//! - The connection goes out from the machine the runner is on, and is made anew for every question.

mod checks;
mod server;
#[cfg(test)]
mod tests;

pub use self::checks::{ListLength, Ping};
pub use self::server::Redis;
