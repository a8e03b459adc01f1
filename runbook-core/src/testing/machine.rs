//! The inside of a simulated host: its files, the states of its programs, and the programs themselves.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::command::Output;
use crate::{Command, Error, Resource, Result};

use super::program::{Call, Program};
use super::tree::Tree;
use super::world::{Place, Thing, World};

/// What a simulated host holds.
pub(crate) struct Machine {
    name: Arc<str>,
    tree: Tree,
    states: BTreeMap<Resource, Value>,
    /// The states when changes ceased to reach the disk.
    frozen: Option<BTreeMap<Resource, Value>>,
    ignored: Vec<Resource>,
}

impl Machine {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.into(), tree: Tree::default(), states: BTreeMap::new(), frozen: None, ignored: Vec::new() }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn tree(&mut self) -> &mut Tree {
        &mut self.tree
    }

    pub(crate) fn state<T: DeserializeOwned + Default>(&self, resource: &Resource) -> T {
        let state = self.states.get(resource);
        state.and_then(|state| T::deserialize(state).ok()).unwrap_or_default()
    }

    pub(crate) fn set_state<T: Serialize + ?Sized>(&mut self, resource: &Resource, state: &T) {
        let state = serde_json::to_value(state).unwrap_or_default();
        if self.states.get(resource) != Some(&state) {
            self.change();
            self.states.insert(resource.clone(), state);
        }
    }

    pub(crate) fn forget(&mut self, resource: &Resource) {
        if self.states.contains_key(resource) {
            self.change();
            self.states.remove(resource);
        }
    }

    /// Counts a change of a state that is about to be made.
    fn change(&mut self) {
        self.tree.change();
        if self.tree.is_frozen() {
            self.frozen.get_or_insert_with(|| self.states.clone());
        }
    }

    /// Works with changes that reach the disk only up to a point, and counts them.
    pub(crate) fn cut_after<T>(&mut self, changes: Option<u64>, work: impl FnOnce(&mut Self) -> T) -> (T, u64) {
        let before = self.tree.changes();
        self.tree.cut_after(changes);
        let result = work(self);
        self.tree.cut_after(None);
        if let Some(frozen) = self.frozen.take() {
            self.states = frozen;
        }
        (result, self.tree.changes() - before)
    }

    pub(crate) fn ignore(&mut self, resource: Resource) {
        self.ignored.push(resource);
    }

    pub(crate) fn snapshot(&self) -> World {
        let mut world = World::empty();
        let files = self.tree.things().map(|(path, thing)| (Resource::path(path), thing.clone()));
        let states = self.states.iter().map(|(resource, state)| (resource.clone(), Thing::State(state.clone())));
        for (resource, thing) in files.chain(states).filter(|(resource, _)| !ignored(&self.ignored, resource)) {
            world.put(Place { host: self.name.clone(), resource }, thing);
        }
        world
    }

    pub(crate) fn restore(&mut self, world: &World) {
        let mine = world.iter().filter(|(place, _)| place.host == self.name);
        let (mut files, mut states) = (Vec::new(), BTreeMap::new());
        for (place, thing) in mine.filter(|(place, _)| !ignored(&self.ignored, &place.resource)) {
            match thing {
                Thing::State(value) => drop(states.insert(place.resource.clone(), value.clone())),
                thing => files.push((place.resource.name.clone().into(), thing.clone())),
            }
        }
        let stays = |resource: &Resource| ignored(&self.ignored, resource);
        self.states.retain(|resource, _| stays(resource));
        self.states.extend(states);
        self.tree.replace(|path| !stays(&Resource::path(path)), files);
    }
}

/// Whether a resource is left out of snapshots: it lies in one that is, or its whole kind is.
fn ignored(all: &[Resource], resource: &Resource) -> bool {
    let covers = |outer: &Resource| {
        outer.kind == resource.kind && (outer.name.is_empty() || Path::new(&resource.name).starts_with(&outer.name))
    };
    all.iter().any(covers)
}

/// The programs of a simulated host, by the words that call them.
#[derive(Clone, Default)]
pub(crate) struct Programs(BTreeMap<Vec<String>, Arc<dyn Program>>);

impl Programs {
    /// Adds a program that is called by these words, like `git` or `docker compose`.
    pub(crate) fn add(&mut self, words: &str, program: Arc<dyn Program>) {
        self.0.insert(words.split_whitespace().map(str::to_owned).collect(), program);
    }

    /// The program a command calls, and its arguments; a program that does not exist is an error that names it.
    pub(crate) fn find(&self, command: &Command) -> Result<(Arc<dyn Program>, Vec<String>)> {
        let mut words = words(command);
        let found = self.longest(&words).or_else(|| {
            let name = Path::new(&words[0]).file_name()?.to_string_lossy().into_owned();
            words[0] = name;
            self.longest(&words)
        });
        let (program, length) = found.ok_or_else(|| not_found(command))?;
        Ok((program, words.split_off(length)))
    }

    pub(crate) fn run(&self, command: &Command, input: &[u8], machine: &mut Machine) -> Result<(Output, Duration)> {
        let (program, args) = self.find(command)?;
        let mut call = Call::new(command, &args, input, machine, self);
        let output = program.run(&mut call);
        Ok((output, call.duration()))
    }

    fn longest(&self, words: &[String]) -> Option<(Arc<dyn Program>, usize)> {
        (1..=words.len()).rev().find_map(|length| Some((self.0.get(&words[..length])?.clone(), length)))
    }
}

fn words(command: &Command) -> Vec<String> {
    let all = std::iter::once(command.program()).chain(command.arguments().iter().map(std::ffi::OsString::as_os_str));
    all.map(|word| word.to_string_lossy().into_owned()).collect()
}

fn not_found(command: &Command) -> Error {
    Error::new(format!("program `{}` not found", command.program().to_string_lossy()))
}
