//! Git: a deployment tree that is moved from one pinned commit to another, and back.
//!
//! ```no_run
//! # use runbook_core::{Result, Run};
//! # use runbook_steps::git;
//! # async fn update(run: &Run) -> Result<git::Release> {
//! run.step("Get the code", git::clone("https://example.org/app.git", "/srv/app")).await?;
//! let code = run.step("Check out the release", git::checkout("/srv/app", "v2")).await?;
//! if code.changed("requirements.txt") {
//!     // install what is new
//! }
//! # Ok(code.release())
//! # }
//! ```
//!
//! - A branch or a tag becomes a full commit id when the tree is surveyed. What is planned is what is applied,
//!   rolled back and resumed, even if the branch moves meanwhile.
//! - A tree with local changes is refused before anything changes. Untracked and ignored files are never
//!   overwritten.
//! - A checkout that was cut off is found again, because a note in the git directory says from where to where it
//!   went. The next step, or the rollback, mends the tree first.
//! - Nobody is asked for a password: set up a deploy key or a credential helper. Submodules are not touched.

mod facts;

mod commands;
mod locks;
mod revision;
mod target;
mod trail;

mod checkout;
mod clone;
mod fetch;

mod checks;

#[cfg(feature = "testing")]
pub mod fake;

pub use self::checkout::{Checkout, CheckoutBefore, CheckoutStep, checkout};
pub use self::checks::{Clean, HeadIs, clean, head_is};
pub use self::clone::{CloneBefore, CloneStep, Cloned, clone};
pub use self::facts::{Commit, Head, changed_files, head, local_changes, log, previous};
#[cfg(feature = "testing")]
pub use self::fake::Fake;
pub use self::fetch::{FetchBefore, FetchStep, Fetched, RefChange, fetch};
pub use self::revision::{Release, Revision};

#[cfg(test)]
mod tests;
