//! Incidents: logs and evidence, kept before anything is stopped.
//!
//! ```no_run
//! # extern crate runbook_core as runbook;
//! # use runbook_core::{Result, Run};
//! # use runbook_macros::cmd;
//! # use runbook_steps::incident;
//! # fn main() {}
//! # async fn breach(run: &Run) -> Result<()> {
//! let evidence = incident::evidence("/var/incidents/2026-11-21")
//!     .command("processes", cmd!("ps auxf"))
//!     .command("connections", cmd!("ss -tunap"))
//!     .command("api logs", cmd!("docker compose --project-name sentinal logs --no-color --timestamps api-1"))
//!     .file("/var/log/nginx/access.log")
//!     .file("/opt/sentinal/docker-compose.yml");
//! let kept = run.irreversible("evidence stays", "Keep evidence", evidence).await?;
//! let kept = kept.all_there()?;
//! // Now, and not before: stop it, take it out of the load balancer.
//!
//! run.check("The evidence is whole", kept.is_intact()).await
//! # }
//! ```
//!
//! - The directory is 0700 and its files are 0600. `SHA256SUMS` has the checksum of each, for `sha256sum -c`;
//!   `manifest.json` says what each is, when it was taken, and how its command ended.
//! - What cannot be had does not keep the rest from being had: it is named, in the manifest and in the output. A command that
//!   does not end is ended after a minute, and what it said is kept.
//! - Nothing is held in memory, and nothing is cut. Known secrets are taken out; the manifest says where that happened.
//! - Nobody undoes it. What was kept before a runner died is not taken again: the earlier state is the better one.

mod collect;
mod evidence;
mod intact;
mod item;

#[cfg(all(test, feature = "testing"))]
mod tests;

pub use self::evidence::{Collect, Preserved, evidence};
pub use self::intact::Intact;
pub use self::item::{Item, Origin};
