//! A container, through `docker exec` or a program that takes the same words.

use std::ffi::{OsStr, OsString};
use std::sync::Arc;

use async_trait::async_trait;

use super::elsewhere::{Elsewhere, Way, host_elsewhere};
use super::{Host, Local, Process};
use crate::{Command, Error, Result};

/// A running container. Its image must hold `sh` and the usual small tools.
///
/// ```
/// use runbook_core::host::{Container, Host as _};
///
/// let database = Container::named("db").user("postgres").shared();
/// assert_eq!(database.name(), "container db");
/// ```
#[derive(Debug, Clone)]
pub struct Container {
    way: Exec,
    place: Elsewhere,
}

#[derive(Debug, Clone)]
struct Exec {
    host: Arc<dyn Host>,
    program: OsString,
    container: String,
    user: Option<String>,
    name: String,
}

impl Container {
    /// The container of this name, or with this id, that runs on this machine.
    pub fn named(container: impl Into<String>) -> Self {
        let container = container.into();
        let name = format!("container {container}");
        Self::by(Exec { host: Arc::new(Local::new()), program: "docker".into(), container, user: None, name })
    }

    fn by(way: Exec) -> Self {
        Self { place: Elsewhere::by(way.clone()), way }
    }

    /// That runs on this host.
    pub fn on(self, host: &Arc<dyn Host>) -> Self {
        let name = format!("container {} on {}", self.way.container, host.name());
        Self::by(Exec { host: host.clone(), name, ..self.way })
    }

    /// As this user of the container, by name or number.
    pub fn user(self, user: impl Into<String>) -> Self {
        Self::by(Exec { user: Some(user.into()), ..self.way })
    }

    /// Through this program instead of `docker`, like `podman`.
    pub fn program(self, program: impl Into<OsString>) -> Self {
        Self::by(Exec { program: program.into(), ..self.way })
    }
}

/// These words in a container, through `docker` or a program that takes the same.
pub(super) fn exec(program: impl AsRef<OsStr>, user: Option<&str>, container: &str, words: &[OsString]) -> Command {
    Command::new(program).args(["exec", "--interactive"]).args(as_user(user)).arg(container).args(words)
}

/// The words that name the user of a container.
pub(super) fn as_user(user: Option<&str>) -> impl Iterator<Item = &str> {
    user.into_iter().flat_map(|user| ["--user", user])
}

#[async_trait]
impl Way for Exec {
    fn name(&self) -> &str {
        &self.name
    }

    async fn open(&self, words: &[OsString]) -> Result<Process> {
        // Docker itself would change them, and say nothing.
        if let Some(word) = words.iter().find(|word| word.to_str().is_none()) {
            return Err(Error::new(format!("`{}` is not text, and cannot be named in {}", word.display(), self.name)));
        }
        self.host.start(&exec(&self.program, self.user.as_deref(), &self.container, words)).await
    }
}

host_elsewhere!(Container);
