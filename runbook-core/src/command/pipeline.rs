//! Pipelines: commands and files joined by streams, also across hosts.

use std::fmt;
use std::ops::BitOr;
use std::path::PathBuf;
use std::sync::Arc;

use super::Command;
use super::render::quote;
use crate::Host;

/// Commands and files joined by streams, in constant memory, with the status of every stage.
///
/// ```
/// use runbook_core::Command;
/// use runbook_core::command::Pipeline;
///
/// let dump = Command::new("pg_dump").arg("marb") | Command::new("gzip");
/// let dump = dump.into_file("/backups/marb.gz", 0o600);
/// assert_eq!(dump.to_string(), "pg_dump marb | gzip > /backups/marb.gz");
///
/// let restore = Pipeline::from_file("/backups/marb.gz").through(Command::new("gunzip"));
/// assert_eq!(restore.to_string(), "gunzip < /backups/marb.gz");
/// ```
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

impl Pipeline {
    /// A pipeline that begins with this command.
    pub fn of(command: Command) -> Self {
        Self::from(None).through(command)
    }

    /// A pipeline that begins with the content of this file, on the host of the first command.
    pub fn from_file(path: impl Into<PathBuf>) -> Self {
        Self::from(Some(Source::File(path.into())))
    }

    /// A pipeline that begins with these bytes.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::from(Some(Source::Bytes(bytes.into())))
    }

    fn from(source: Option<Source>) -> Self {
        Self { source, stages: Vec::new(), sink: Sink::Capture }
    }

    /// And through this command, on the host of the step.
    pub fn through(mut self, command: Command) -> Self {
        self.stages.push((None, command));
        self
    }

    /// And through this command, on another host.
    pub fn through_on(mut self, host: &Arc<dyn Host>, command: Command) -> Self {
        self.stages.push((Some(host.clone()), command));
        self
    }

    /// The command given last, on this host instead of that of the step.
    pub fn on(mut self, host: &Arc<dyn Host>) -> Self {
        if let Some((on, _)) = self.stages.last_mut() {
            *on = Some(host.clone());
        }
        self
    }

    /// And into this file with this mode, on the host of the last command. It is there once every stage has ended well,
    /// and replaces what was there in one moment; else nothing changes.
    pub fn into_file(mut self, path: impl Into<PathBuf>, mode: u32) -> Self {
        self.sink = Sink::File(path.into(), mode);
        self
    }

    /// Its commands, in order.
    pub fn commands(&self) -> impl Iterator<Item = &Command> {
        self.stages.iter().map(|(_, command)| command)
    }
}

/// `a | b` is a pipeline, as in a shell.
impl BitOr for Command {
    type Output = Pipeline;

    fn bitor(self, next: Self) -> Pipeline {
        Pipeline::of(self).through(next)
    }
}

/// `a | b | c` is a longer one.
impl BitOr<Command> for Pipeline {
    type Output = Self;

    fn bitor(self, next: Command) -> Self {
        self.through(next)
    }
}

/// As a person would type it.
impl fmt::Display for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.stages.is_empty() {
            f.write_str("cat")?;
        }
        for (n, command) in self.commands().enumerate() {
            let bar = if n > 0 { " | " } else { "" };
            write!(f, "{bar}{command}")?;
            if n == 0 {
                self.show_source(f)?;
            }
        }
        match &self.sink {
            Sink::Capture => Ok(()),
            Sink::File(path, _) => write!(f, " > {}", quote(path.as_os_str())),
        }
    }
}

impl Pipeline {
    fn show_source(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Some(Source::File(path)) => write!(f, " < {}", quote(path.as_os_str())),
            _ => Ok(()),
        }
    }
}
