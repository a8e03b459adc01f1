//! Docker: images that are tagged, pulled and kept, and what the engine knows of containers.
//!
//! ```no_run
//! # use runbook_core::{Result, Run};
//! # use runbook_steps::docker;
//! # async fn hotfix(run: &Run) -> Result<()> {
//! run.step("Pull the hotfix", docker::pull("ghcr.io/sbf/api:hotfix-1a2b3c4")).await?;
//! run.step("Make it the latest", docker::tag("ghcr.io/sbf/api:hotfix-1a2b3c4", "ghcr.io/sbf/api:latest")).await?;
//! # Ok(())
//! # }
//! ```
//!
//! - What is there is read as JSON from `docker … inspect`, field by field: the environment of a container never leaves the
//!   engine.
//! - The evidence of a change is the id of an image, which is a digest of what is in it.
//! - An image whose tag moves on is kept under a tag of its own, so that the way back is there.

pub(crate) mod ask;
pub(crate) mod container;
pub(crate) mod failure;
mod image;
mod reference;
pub(crate) mod tagged;

#[cfg(feature = "testing")]
pub mod fake;

mod checks;
mod login;
mod prune;
mod pull;
mod scan;
mod tag;
mod usage;
mod volume;

pub use self::checks::{IsPresent, SizeAtMost, SizeOf, is_present, size};
pub use self::container::{Container, Health, Mount, Probe, State, containers};
#[cfg(feature = "testing")]
pub use self::fake::{Behaviour, Fake};
pub(crate) use self::image::pointed;
pub use self::image::{Image, ImageId, image, images};
pub use self::login::{LoggedIn, Login, login};
pub use self::prune::{Prune, Pruned, prune};
pub use self::pull::{Pull, pull};
pub use self::reference::Reference;
pub use self::scan::{HasNoWeaknesses, has_no_weaknesses};
pub use self::tag::{Pointed, Tag, tag};
pub use self::tagged::Tagged;
pub use self::usage::{Usage, UsageWithin, sample, usage};
pub use self::volume::{Archive, Restore, Restored, VolumeArchive, VolumeBefore, archive, restore};

#[cfg(test)]
mod tests;
