//! Docker Compose: projects that are built, brought up, scaled, taken down, and stay healthy.
//!
//! ```no_run
//! # use runbook_core::{Result, Run, Units as _};
//! # use runbook_steps::compose;
//! # async fn deploy(run: &Run) -> Result<()> {
//! let cleaning = compose::project("cleaning", "/opt/cleaning").file("docker-compose.prod.yml");
//!
//! run.check("The files are valid", cleaning.is_valid()).await?;
//! let images = run.step("Build the images", cleaning.build()).await?;
//! if images.changed() {
//!     run.step("Take everything down", cleaning.down()).await?;
//!     run.step("Start the database", cleaning.up().services(["db"])).await?;
//!     run.step("Start everything", cleaning.up().within(90.seconds())).await?;
//! }
//! run.check("All of it is healthy", cleaning.healthy().stable_for(5.seconds()).within(60.seconds())).await?;
//! # Ok(())
//! # }
//! ```
//!
//! - The name of a project is always given. What runs of it is read from the engine, by the labels of its containers, never
//!   from what is written for people.
//! - Healthy is a service whose containers run, whose health check passes where it has one, and whose containers are the
//!   same and in the same life for a while ([`stable_for`](Up::stable_for)). `docker compose up --wait` ends with 0 on a
//!   crash loop. Slow, unhealthy, crashing and ended are told apart ([`Condition`]), and the last lines of the container
//!   come with the error. That something happened is heard from the engine (`docker events`), so nothing waits for a second
//!   to pass.
//! - Building and pulling move tags. The image a tag pointed at is kept under a tag of its own
//!   (`…:runbook-before-1a2b3c4d5e6f`), which nobody prunes by accident, until [`docker::prune`](crate::docker::prune)
//!   finds that a newer one is kept.
//! - On the way back, what a step brought up goes away in its turn; what ran before comes back once everything before is
//!   put back, on the images it ran, and healthy. Of several steps that change one service, what the first of them found
//!   counts.
//! - Volumes are never removed.

mod bell;
mod condition;
mod config;
mod facts;
mod patience;
mod project;
mod services;
mod was;
mod watch;
mod way_back;

mod end;
mod healthy;
mod images;
mod logs;
mod restart;
mod scale;
mod up;
mod usage;
mod valid;

pub use self::condition::{Condition, Ending};
pub use self::end::{End, Ended};
pub use self::facts::Listed;
pub use self::healthy::Healthy;
pub use self::images::{Images, Made};
pub use self::logs::{ERROR_WORDS, Errors, ErrorsAtMost, Export, Exported, Line, Logs, Rate, RateAtMost};
pub use self::project::{Project, project};
pub use self::restart::Restart;
pub use self::scale::Scale;
pub use self::services::{Instance, Services};
pub use self::up::Up;
pub use self::usage::ProjectUsage;
pub use self::valid::IsValid;
pub use self::was::Was;

#[cfg(test)]
mod tests;
