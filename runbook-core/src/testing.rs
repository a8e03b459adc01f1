//! The testing kit: runbooks are tested without the machines they are for.

mod builtin;
mod clock;
mod drill;
mod host;
mod inspector;
mod machine;
mod process;
mod program;
mod sha256;
mod tree;
mod world;

pub use self::clock::SimClock;
pub use self::host::SimHost;
pub(crate) use self::inspector::Inspector;
pub use self::program::{Call, Program};
pub use self::tree::Tree;
pub use self::world::{Difference, Place, Thing, World};
