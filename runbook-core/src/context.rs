//! What a step or a check works with: the host it acts on, the clock, a voice.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::command::{Output, Pipeline, StageOutput};
use crate::event::{Voice, What};
use crate::host::{Files, Host, Local};
use crate::{Clock, Command, Error, ErrorKind, Key, Result, SystemClock};

mod capture;
mod intake;
mod pipe;
mod secret_file;

/// What a step or a check works with. Its conventional name is `cx`.
#[derive(Clone)]
pub struct Context {
    host: Arc<dyn Host>,
    world: Arc<World>,
    key: Key,
    cancel: CancellationToken,
}

/// What all contexts of a run share.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) voice: Voice,
    pub(crate) ports: Ports,
}

impl Context {
    /// A context on this machine that nobody listens to, for using a step or a check outside a run.
    pub fn local() -> Self {
        Self::on(Arc::new(Local::new()))
    }

    /// The same on another host.
    pub fn on(host: Arc<dyn Host>) -> Self {
        let world = World { clock: Arc::new(SystemClock), voice: Voice::default(), ports: Ports::default() };
        Self::new(host, Arc::new(world), Key::root(), CancellationToken::new())
    }

    /// The same context on another host, for a step that acts on several.
    pub fn at(&self, host: &Arc<dyn Host>) -> Self {
        Self { host: host.clone(), ..self.clone() }
    }

    pub(crate) fn new(host: Arc<dyn Host>, world: Arc<World>, key: Key, cancel: CancellationToken) -> Self {
        Self { host, world, key, cancel }
    }

    /// The same context with one more port, like an HTTP client of one's own.
    pub fn with_port<T: Any + Send + Sync>(mut self, port: T) -> Self {
        let world = World {
            clock: self.world.clock.clone(),
            voice: Voice::default(),
            ports: self.world.ports.clone().with(port),
        };
        self.world = Arc::new(world);
        self
    }

    /// Where commands run and files lie.
    pub fn host(&self) -> &Arc<dyn Host> {
        &self.host
    }

    /// The files of the host.
    pub fn files(&self) -> &dyn Files {
        self.host.files()
    }

    /// The resource that is this path on this host.
    pub fn path(&self, path: impl AsRef<Path>) -> crate::Resource {
        crate::Resource::path(path)
    }

    /// Runs a command to its end. An exit code it does not [expect](Command::expect) is an error with its last lines.
    pub async fn run(&self, command: &Command) -> Result<Output> {
        let output = self.output(command).await?;
        if output.code.is_some_and(|code| command.accepts(code)) {
            return Ok(output);
        }
        let error = Error::new(format!("`{command}` on {} {}", self.host.name(), output.ending()));
        Err(error.details(output.tail(10)))
    }

    /// Runs a command to its end, whatever its exit code.
    ///
    /// Output is redacted, sent on line by line as events, and kept in bounded memory. A deadline or a stop of the run
    /// ends the whole process group.
    pub async fn output(&self, command: &Command) -> Result<Output> {
        capture::run(self, command).await
    }

    /// Runs a pipeline to its end, and gives what its last stage printed and how every stage ended. Any stage that
    /// ends badly is an error.
    pub async fn pipe(&self, pipeline: &Pipeline) -> Result<Vec<StageOutput>> {
        pipe::run(self, pipeline).await
    }

    /// The time now. For a value that a procedure branches on, use `run.now()`, which is remembered.
    pub fn now(&self) -> Timestamp {
        self.world.clock.now()
    }

    /// Waits before looking again. Ends early, with an error, when the run is stopped.
    pub async fn pause(&self, duration: Duration) -> Result<()> {
        tokio::select! {
            () = tokio::time::sleep(duration) => Ok(()),
            () = self.cancel.cancelled() => Err(stopped()),
        }
    }

    /// Ends when the run wants this step or check to stop.
    pub async fn cancelled(&self) {
        self.cancel.cancelled().await;
    }

    /// Whether the run wants this step or check to stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Says something about the progress of this step or check.
    pub fn say(&self, text: impl Into<String>) {
        self.emit(What::Said { key: self.key.clone(), text: text.into() });
    }

    /// Warns of something that fails nothing.
    pub fn warn(&self, text: impl Into<String>) {
        self.emit(What::Warned { key: self.key.clone(), text: text.into() });
    }

    /// A port the program was given, like an HTTP client.
    pub fn port<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.world.ports.get()
    }

    /// The same context, and how to stop it.
    #[cfg(test)]
    pub(crate) fn stoppable(&self) -> (Self, CancellationToken) {
        let cancel = CancellationToken::new();
        (Self { cancel: cancel.clone(), ..self.clone() }, cancel)
    }

    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    pub(crate) fn emit(&self, what: What) {
        self.world.voice.say(self.world.clock.now(), what);
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("host", &self.host.name()).field("key", &self.key).finish_non_exhaustive()
    }
}

/// The error of something that ended because the run is stopping.
pub(crate) fn stopped() -> Error {
    Error::of(ErrorKind::Stopped, "stopped, because the run is stopping")
}

/// Things a program hands to its steps, by type.
#[derive(Clone, Default)]
pub(crate) struct Ports(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

impl Ports {
    pub(crate) fn with<T: Any + Send + Sync>(mut self, port: T) -> Self {
        self.0.insert(TypeId::of::<T>(), Arc::new(port));
        self
    }

    fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.0.get(&TypeId::of::<T>())?.clone().downcast().ok()
    }
}

impl fmt::Debug for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ports", self.0.len())
    }
}

#[cfg(test)]
mod tests;
