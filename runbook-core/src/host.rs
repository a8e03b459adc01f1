//! Hosts: where commands and files live.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{Command, Result};

pub use self::becoming::Become;
pub use self::compose::Service;
pub use self::container::Container;
pub use self::leftovers::{Leftover, Leftovers};
pub use self::local::Local;
pub use self::place::{NoPlace, Place};
#[cfg(feature = "ssh")]
pub use self::ssh::Ssh;
use self::whole::Whole;

mod becoming;
mod compose;
mod container;
pub(crate) mod elsewhere;
mod group;
mod leftovers;
mod local;
mod owner;
mod place;
#[cfg(feature = "ssh")]
mod ssh;
mod whole;

/// A place where commands run and files lie: this machine, an SSH host, a container.
///
/// A small port: start a process, and touch files. Everything comfortable (capture, deadlines, redaction,
/// pipelines) is built on it once, in [`Context`](crate::Context).
#[async_trait]
pub trait Host: Send + Sync + fmt::Debug {
    /// The name people know it by.
    fn name(&self) -> &str;

    /// Whether this is the machine, and the user, the runner itself is: what connects from here need not go through it.
    fn is_here(&self) -> bool {
        false
    }

    /// Starts a command in a process group of its own, its three streams open.
    ///
    /// A program that does not exist is an error that names it.
    async fn start(&self, command: &Command) -> Result<Process>;

    /// Its files.
    fn files(&self) -> &dyn Files;

    /// The host as others take it: `run.on(&host)`, `Become::user("deploy").on(&host)`.
    fn shared(self) -> Arc<dyn Host>
    where
        Self: Sized + 'static,
    {
        Arc::new(self)
    }
}

/// A command that is running. Dropping it ends it with its whole process group.
pub struct Process {
    /// Its input; dropping it closes it.
    pub stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    /// Its output.
    pub stdout: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// Its error output.
    pub stderr: Option<Box<dyn AsyncRead + Send + Unpin>>,
    /// Its end.
    pub control: Box<dyn Control>,
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process").finish_non_exhaustive()
    }
}

/// How to wait for a process and how to end it.
#[async_trait]
pub trait Control: Send {
    /// Waits until it ends: its exit code, or the signal that ended it. After [`end`](Control::end) it waits for the
    /// whole process group. Waiting may be given up and begun again.
    async fn wait(&mut self) -> Result<Exit>;

    /// Asks the whole process group to end (SIGTERM), or ends it (SIGKILL).
    async fn end(&mut self, force: bool);
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal; 0 where the way to the host does not say which.
    Signal(i32),
}

/// The files of a host.
#[async_trait]
pub trait Files: Send + Sync {
    /// What is at this path, links not followed; `None` when there is nothing.
    async fn stat(&self, path: &Path) -> Result<Option<Stat>>;

    /// The content of a file. A missing file is an error.
    async fn read(&self, path: &Path) -> Result<Vec<u8>>;

    /// Writes a file beside its place and renames it into it, with these attributes. Missing attributes are those
    /// of the file it replaces, else 0644 and the user's own.
    async fn write(&self, path: &Path, content: &[u8], attributes: &Attributes) -> Result<()>;

    /// The content of a file, piece by piece. A host without streams reads all of it.
    async fn open<'a>(&'a self, path: &Path) -> Result<Box<dyn Reading + 'a>> {
        Ok(Box::new(Whole::of(self.read(path).await?)))
    }

    /// Begins a file beside its place, for content that comes piece by piece; mode and owner are as for
    /// [`write`](Files::write). A host without streams keeps all of it until the end.
    async fn create<'a>(&'a self, path: &Path, attributes: &Attributes) -> Result<Box<dyn Draft + 'a>> {
        Ok(Box::new(Whole::for_file(self, path, attributes)))
    }

    /// Makes a directory and those above it; an existing one is fine.
    async fn make_dir(&self, path: &Path) -> Result<()>;

    /// Removes a file, a link or a directory with all that is in it; nothing there is fine.
    async fn remove(&self, path: &Path) -> Result<()>;

    /// Makes `link` point to `target`, replacing a link or a file atomically.
    async fn symlink(&self, target: &Path, link: &Path) -> Result<()>;

    /// Renames, replacing what is at the new name atomically.
    async fn rename(&self, from: &Path, to: &Path) -> Result<()>;

    /// The names in a directory, sorted.
    async fn list(&self, path: &Path) -> Result<Vec<String>>;

    /// Sets mode and owner of what is at this path.
    async fn set(&self, path: &Path, attributes: &Attributes) -> Result<()>;
}

/// A file that is read piece by piece.
#[async_trait]
pub trait Reading: Send {
    /// The next piece; an empty one is the end. That the content broke off is an error, not the end.
    async fn next(&mut self) -> Result<Vec<u8>>;
}

/// A file that is written beside its place.
#[async_trait]
pub trait Draft: Send {
    /// Adds to its end.
    async fn write(&mut self, bytes: &[u8]) -> Result<()>;

    /// Makes it durable and renames it into its place.
    async fn keep(self: Box<Self>) -> Result<()>;

    /// Removes it.
    async fn discard(self: Box<Self>);
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Stat {
    /// What kind of thing it is.
    pub kind: FileKind,
    /// Its permission bits.
    pub mode: u32,
    /// The user it belongs to, by number.
    pub uid: u32,
    /// The group it belongs to, by number.
    pub gid: u32,
    /// Its size in bytes.
    pub size: u64,
}

/// A kind of thing in a file system.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link to this.
    Symlink(PathBuf),
    /// A socket, a device, a pipe.
    Other,
}

/// Mode and owner of a file; what is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Attributes {
    /// Permission bits, like `0o600`.
    pub mode: Option<u32>,
    /// `user`, `user:group` or `:group`, by name or number.
    pub owner: Option<String>,
}

impl Attributes {
    /// These permission bits, and the owner as it is.
    pub fn mode(mode: u32) -> Self {
        Self { mode: Some(mode), owner: None }
    }
}

#[cfg(test)]
mod tests;
