//! What happens on failure, and on the way back.

use serde::{Deserialize, Serialize};

/// What happens when a step or a check fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// Everything is put back.
    #[default]
    RollBack,
    /// The run pauses for a person, who resumes it.
    Pause,
    /// Someone is asked; when nobody is there, the run pauses.
    Ask,
}

/// How a run is taken up again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Resume {
    /// From where it stopped; a step that failed is tried again.
    #[default]
    Continue,
    /// Backwards: everything is put back.
    RollBack,
}
