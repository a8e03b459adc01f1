//! A simulated container engine with Compose, for simulated hosts.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use runbook::Clock as _;
use runbook::command::Output;
use runbook::testing::{Call, Program, SimClock, SimHost};
use serde::{Deserialize, Serialize};

use self::engine::Engine;
use super::Reference;

mod behaviour;
mod cli;
mod compose;
mod engine;
mod exec;
mod ground;
mod helper;
mod life;
mod project;

pub use self::behaviour::Behaviour;

/// A container engine with Compose v2. Compose files are read from the host, with `.env`; images are built from the files
/// of their context, so that the same files are the same image. What a container does is said by its [`Behaviour`].
///
/// ```
/// use runbook_core::{Units as _, testing::SimHost};
/// use runbook_steps::docker::{self, Behaviour};
///
/// let docker = docker::Fake::new()
///     .image("postgres:15")
///     .decides("api", |image| match image.text("VERSION") {
///         "broken" => Behaviour::dies_after(300.millis(), 1).says("no database"),
///         _ => Behaviour::healthy_after(2.seconds()),
///     });
/// let files = "services:\n  api: {build: .}\n  db: {image: 'postgres:15'}\n";
/// let host = docker.on(SimHost::new("web-1").file("/opt/app/compose.yaml", files).file("/opt/app/VERSION", "1"));
/// ```
///
/// It knows what the steps of this library ask of `docker` and `docker compose`, and refuses everything else. It is held to
/// the real ones by one suite that runs against both. Time goes as tokio's clock does. Of a snapshot of the host, tags and
/// what runs of each service, on which image, are part; ids, times, logs, and images without a tag are not. A command that
/// is run in a service (`docker compose exec`) runs on the host itself.
#[derive(Clone, Default)]
pub struct Fake(Arc<Inner>);

#[derive(Default)]
struct Inner {
    decisions: Mutex<BTreeMap<String, Decide>>,
    images: Mutex<Vec<(Reference, Content)>>,
    registry: Mutex<BTreeMap<Reference, Content>>,
    running: Mutex<Vec<(String, PathBuf)>>,
    volumes: Mutex<Vec<(String, BTreeMap<String, String>)>>,
    clock: OnceLock<SimClock>,
    standalone: OnceLock<()>,
}

/// What a container does this time: it depends on its image.
type Decide = Arc<dyn Fn(&Content) -> Behaviour + Send + Sync>;

/// What is in a simulated image: the files it was built from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    pub(super) files: BTreeMap<PathBuf, String>,
}

impl Content {
    /// A file it was built from, without blanks around it; empty when there is none.
    pub fn text(&self, path: impl Into<PathBuf>) -> &str {
        self.files.get(&path.into()).map_or("", |text| text.trim())
    }

    /// What a registry or an earlier build left: something that is told from others by this name.
    fn named(name: &str) -> Self {
        Self { files: [(PathBuf::from("NAME"), name.to_owned())].into() }
    }
}

impl Fake {
    /// An engine without any images and containers.
    pub fn new() -> Self {
        Self::default()
    }

    /// With this image on the host.
    pub fn image(self, reference: impl Into<Reference>) -> Self {
        let reference = reference.into();
        let content = Content::named(reference.as_str());
        locked(&self.0.images).push((reference, content));
        self
    }

    /// With this image in its registry, built from one file: `VERSION`. From now on too, as when somebody pushes.
    pub fn pushed(self, reference: impl Into<Reference>, version: &str) -> Self {
        let content = Content { files: [(PathBuf::from("VERSION"), version.to_owned())].into() };
        locked(&self.0.registry).insert(reference.into(), content);
        self
    }

    /// What the containers of a service do whenever they are started, from now on too. Without, they stay up.
    pub fn behaves(self, service: impl Into<String>, behaviour: Behaviour) -> Self {
        self.decides(service, move |_| behaviour.clone())
    }

    /// What the containers of a service do when they are started of this image.
    pub fn decides(
        self,
        service: impl Into<String>,
        decide: impl Fn(&Content) -> Behaviour + Send + Sync + 'static,
    ) -> Self {
        locked(&self.0.decisions).insert(service.into(), Arc::new(decide));
        self
    }

    /// With the project of this name up from the beginning, its images built, as the files in this directory say.
    pub fn running(self, project: impl Into<String>, directory: impl Into<PathBuf>) -> Self {
        locked(&self.0.running).push((project.into(), directory.into()));
        self
    }

    /// With a volume that holds these files.
    pub fn volume<'a>(self, name: impl Into<String>, files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let files = files.into_iter().map(|(path, text)| (path.to_owned(), text.to_owned())).collect();
        locked(&self.0.volumes).push((name.into(), files));
        self
    }

    /// With the program `docker-compose`, and without `docker compose`.
    pub fn standalone(self) -> Self {
        let _ = self.0.standalone.set(());
        self
    }

    /// The host, with this engine on it.
    pub fn on(&self, host: SimHost) -> SimHost {
        let home = |call: &mut Call<'_>| match call.args()[..] {
            ["HOME"] => Output::ok("/root\n"),
            _ => Output::failed(1, ""),
        };
        let host = host.ignoring_state(engine::HIDDEN).program("printenv", home);
        let host = host.program("docker", Tool(self.clone(), cli::docker));
        let mut host = match self.0.standalone.get() {
            Some(()) => host.program("docker-compose", Tool(self.clone(), compose::compose)),
            None => host.program("docker compose", Tool(self.clone(), compose::compose)),
        };
        Engine::new(self, &mut host, BEGINNING).begin();
        host
    }

    /// The time of the simulation, in milliseconds.
    fn now(&self) -> u64 {
        let clock = self.0.clock.get_or_init(SimClock::default);
        u64::try_from(clock.now().as_millisecond()).unwrap_or_default()
    }

    fn decide(&self, service: &str, content: &Content) -> Behaviour {
        let decide = locked(&self.0.decisions).get(service).cloned();
        decide.map_or_else(Behaviour::stays_up, |decide| decide(content))
    }

    fn pulled(&self, reference: &Reference) -> Option<Content> {
        locked(&self.0.registry).get(reference).cloned()
    }
}

impl std::fmt::Debug for Fake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fake").finish_non_exhaustive()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One of its programs.
struct Tool(Fake, fn(&mut Engine<'_, Call<'_>>, &[&str]) -> Output);

/// When the clock of a simulated host begins, in milliseconds.
const BEGINNING: u64 = 1_752_573_600_000;

impl Program for Tool {
    fn run(&self, call: &mut Call<'_>) -> Output {
        let args = call.args();
        let mut engine = Engine::new(&self.0, call, self.0.now());
        engine.catch_up();
        let output = (self.1)(&mut engine, &args);
        engine.remember();
        output
    }
}

fn unknown(program: &str, args: &[&str]) -> Output {
    Output::failed(64, format!("the simulated {program} does not know `{}`\n", args.join(" ")))
}

/// What the tags of a simulated host point at.
#[cfg(test)]
pub(crate) fn tags(host: &SimHost) -> BTreeMap<String, String> {
    let (fake, mut host) = (Fake::new(), host.clone());
    let tags = Engine::new(&fake, &mut host, BEGINNING).tags;
    tags.into_iter().map(|(reference, id)| (reference.to_string(), id)).collect()
}
