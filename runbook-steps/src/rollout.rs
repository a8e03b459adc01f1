//! Rolling out: a new version on one instance after the other, while the others serve.
//!
//! ```no_run
//! # use runbook_core::{Host as _, Result, Run, Units as _, host::Container};
//! # use runbook_steps::{nginx, port, rollout, systemd};
//! # async fn update(run: &Run) -> Result<()> {
//! let balancer = Container::named("nginx").shared();
//! rollout::rolling(["api-3", "api-2", "api-1"], move |api| {
//!     rollout::replace(api, systemd::restart(format!("{api}.service")))
//!         .drained_by(nginx::upstream("api").drain(format!("{api}:8000")), &balancer)
//!         .until(port::open(api, 8000), 60.seconds())
//! })
//! .go(run)
//! .await?;
//! # Ok(())
//! # }
//! ```
//!
//! Each instance is drained, replaced, asked whether it is well, and only then given requests again. At the first that is
//! not well it stops, and that one is put back, drained as before; so are those that were replaced before it, each in its
//! turn, so that the others serve meanwhile. Instances that were not reached are never touched.

mod at;
mod fleet;
mod replace;

#[cfg(all(test, feature = "testing"))]
mod tests;

pub use self::at::At;
pub use self::fleet::{Rolling, rolling};
pub use self::replace::{Replace, ReplaceBefore, Replaced, Requests, Undrained, replace};
