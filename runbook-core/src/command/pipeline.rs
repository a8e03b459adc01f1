//! Pipelines: commands and files joined by streams, also across hosts.

use std::path::PathBuf;
use std::sync::Arc;

use super::Command;
use crate::Host;

/// Commands and files joined by streams, in constant memory, with the status of every stage.
#[derive(Debug, Clone)]
#[must_use = "a pipeline does nothing until it is run: `cx.pipe(&pipeline).await?`"]
pub struct Pipeline {
    pub(crate) source: Option<Source>,
    pub(crate) stages: Vec<(Option<Arc<dyn Host>>, Command)>,
    pub(crate) sink: Sink,
}

/// Where the bytes of a pipeline come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file on the host of the first command.
    File(PathBuf),
    /// These bytes.
    Bytes(Vec<u8>),
}

/// Where the bytes of a pipeline go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sink {
    /// Into the output of the run, bounded.
    Capture,
    /// Into a file on the host of the last command, written beside it and renamed when every stage
    /// succeeded, with this mode.
    File(PathBuf, u32),
}

/// How one stage of a pipeline ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageOutput {
    /// The command, rendered.
    pub command: String,
    /// How it ended.
    pub output: super::Output,
}
