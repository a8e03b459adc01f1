//! journald: what units wrote into the journal of their host.
//!
//! ```
//! use runbook_core::{CheckExt as _, Units as _};
//! use runbook_steps::journald;
//!
//! let quiet = journald::errors("marb2.0.service").max(0).holds_for(5.minutes());
//! let mostly = journald::errors("marb2.0-celery.service").since(10.minutes()).max(3);
//! let calm = journald::rate("marb2.0.service").over(5.minutes()).at_most(100.0);
//! let started = journald::follow("marb2.0.service", 30.seconds()).until("startup complete");
//! ```
//!
//! - Entries are read as `journalctl -o json` prints them.
//! - An error is an entry of priority *err* or worse, or one whose text says so ([`ERROR_WORDS`]): what a program prints
//!   comes into the journal with priority *info*, whatever it says.
//! - A journal that cannot be read, or holds nothing of a unit's life, is *unknown* and never *no errors*.

mod commands;
mod entry;
mod facts;

mod errors;
mod follow;
mod rate;

pub use self::entry::{Entry, Priority};
pub use self::errors::{ERROR_WORDS, Errors, ErrorsAtMost, ErrorsHold, errors};
pub use self::facts::tail;
pub use self::follow::{Follow, follow};
pub use self::rate::{Rate, RateAtMost, rate};

#[cfg(test)]
mod tests;
