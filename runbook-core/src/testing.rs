//! The testing kit: runbooks are tested without the machines they are for.
//!
//! A [`SimHost`] is a machine in memory; a [`Rig`] runs a procedure on it and ends in a verb that says how it should
//! have gone; [`explore`] runs it once for every way in which it can go wrong.

mod alarm;
mod builtin;
mod clock;
mod cuts;
mod drill;
mod explore;
mod host;
mod inspector;
mod machine;
mod people;
mod process;
mod program;
mod ran;
mod rig;
mod sha256;
mod store;
#[cfg(test)]
mod tests;
mod transcript;
mod tree;
mod world;

pub use self::clock::SimClock;
pub use self::cuts::{Cuts, cuts};
pub use self::explore::{Breach, Cell, Law, Report, explore};
pub use self::host::SimHost;
pub(crate) use self::inspector::Inspector;
pub use self::program::{Call, Program};
pub use self::ran::Ran;
pub use self::rig::Rig;
pub use self::tree::Tree;
pub use self::world::{Difference, Place, Thing, World};

/// Things, one a line.
pub(crate) fn lines(all: &[impl std::fmt::Display]) -> String {
    all.iter().fold(String::new(), |text, one| text + &format!("  {one}\n"))
}
