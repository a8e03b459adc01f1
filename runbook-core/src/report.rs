//! Readers of events: what people and programs see of a run.
//!
//! [`Summary`] is the one fold over the events; every renderer draws from it. A run that is over, or was cut off, is
//! shown the same way: [`from_journal`] gives the events that its journal still tells of.
//!
//! ```
//! use runbook_core::report::{Summary, markdown};
//! # let events: Vec<runbook_core::Event> = Vec::new();
//! let summary: Summary = events.iter().collect();
//! let log = markdown::log(&summary);
//! # assert!(log.starts_with("# Deployment log"));
//! ```

pub use self::json::{JsonLines, Trouble};
pub use self::log::DeploymentLog;
pub use self::remembered::from_journal;
pub use self::summary::{Act, Beginning, More, Node, Noted, Retried, State, Summary, Undo, Watched, Work};
pub use self::text::{Lines, Paint, Program, Text};
pub use self::versions::Version;

pub mod html;
pub mod json;
pub mod log;
pub mod markdown;
pub mod outline;
pub mod plan;
mod remembered;
mod rows;
#[cfg(test)]
mod sample;
mod skipped;
mod summary;
pub mod text;
mod versions;
pub mod words;
