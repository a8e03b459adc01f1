//! Any program as a step, and as a question.
//!
//! ```
//! # use runbook_core::{Command, Resource};
//! # use runbook_steps::command;
//! let build = Command::new("make").arg("build").dir("/srv/app");
//! let clean = Command::new("make").arg("clean").dir("/srv/app");
//! let step = command::run(build).creates("/srv/app/dist").undo(clean);
//!
//! let healthy = command::prints(Command::new("appctl").arg("status"), "running");
//! # let _ = (step, healthy);
//! ```
//!
//! An exit code is no evidence that anything happened. Say what the program should leave behind with
//! [`creates`](Program::creates) or [`unless`](Program::unless), or what it should print with
//! [`prints`](Program::prints): then the step converges, and a "success" that is none is an error.

use runbook_core::Command;

pub use self::checks::{Prints, Succeeds};
pub use self::program::{NoUndo, Program, Ran, Undo, WayBack};

mod checks;
mod program;

/// Runs a program. It has no way back until it is given one with [`undo`](Program::undo).
pub fn run(command: Command) -> Program {
    Program::new(command)
}

/// Whether this command ends with an exit code it expects.
pub fn succeeds(command: Command) -> Succeeds {
    Succeeds::new(command)
}

/// Whether this command ends well and its standard output contains this text.
pub fn prints(command: Command, text: impl Into<String>) -> Prints {
    Prints::new(command, text.into())
}

/// The command as a person would type it, its directory included.
pub(crate) fn by_hand(command: &Command) -> String {
    match command.directory() {
        // `cd` through a command, because that is the one place that quotes.
        Some(dir) => format!("({} && {command})", Command::new("cd").arg(dir)),
        None => command.to_string(),
    }
}

/// A path as a person would type it, quoted where it has to be.
pub(crate) fn word(path: &std::path::Path) -> String {
    Command::new(path).to_string()
}
