//! Simulated programs: what a command does on a simulated host.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::command::{Input, Output, Value};
use crate::{Command, Error, Resource, Result};

use super::machine::{Machine, Programs};
use super::tree::Tree;

/// A simulated program. A closure is one:
///
/// ```
/// # use runbook_core::{testing::{Call, SimHost}, command::Output};
/// let host = SimHost::new("web-1").program("uname", |call: &mut Call<'_>| match call.args()[..] {
///     ["-n"] => Output::ok("web-1\n"),
///     _ => Output::ok("Linux\n"),
/// });
/// ```
///
/// All it remembers lies on the host, in its [files](Call::files) and [states](Call::state), so that a snapshot of the
/// host is whole and putting one back puts the program back.
pub trait Program: Send + Sync {
    /// Runs to its end.
    fn run(&self, call: &mut Call<'_>) -> Output;
}

impl<F: Fn(&mut Call<'_>) -> Output + Send + Sync> Program for F {
    fn run(&self, call: &mut Call<'_>) -> Output {
        self(call)
    }
}

/// One call of a simulated program: what it was given, and the machine it runs on.
pub struct Call<'a> {
    command: &'a Command,
    args: &'a [String],
    input: &'a [u8],
    machine: &'a mut Machine,
    programs: &'a Programs,
    takes: Duration,
}

impl<'a> Call<'a> {
    pub(crate) fn new(
        command: &'a Command,
        args: &'a [String],
        input: &'a [u8],
        machine: &'a mut Machine,
        programs: &'a Programs,
    ) -> Self {
        Self { command, args, input, machine, programs, takes: Duration::ZERO }
    }

    /// The arguments behind the words the program was registered under.
    pub fn args(&self) -> Vec<&'a str> {
        self.args.iter().map(String::as_str).collect()
    }

    /// The whole command.
    pub fn command(&self) -> &'a Command {
        self.command
    }

    /// A variable of its environment, a secret one in clear.
    pub fn env(&self, name: &str) -> Option<String> {
        let (_, value) = self.command.environment().iter().rev().find(|(known, _)| known == name)?;
        match value {
            Value::Plain(value) => Some(value.to_string_lossy().into_owned()),
            Value::Secret(secret) => secret.expose().ok(),
        }
    }

    /// The directory it runs in; `/` when the command names none.
    pub fn dir(&self) -> &'a Path {
        self.command.directory().unwrap_or(Path::new("/"))
    }

    /// A path as the program sees it: a relative one lies in its directory.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.dir().join(path)
    }

    /// All of its standard input.
    pub fn input(&self) -> &'a [u8] {
        self.input
    }

    /// The name of the host it runs on.
    pub fn host(&self) -> &str {
        self.machine.name()
    }

    /// The files of the host.
    pub fn files(&mut self) -> &mut Tree {
        self.machine.tree()
    }

    /// What the host remembers of this resource, like `Resource::new("unit", "api")`; the default when it remembers
    /// nothing, or something of another shape.
    pub fn state<T: DeserializeOwned + Default>(&self, resource: &Resource) -> T {
        self.machine.state(resource)
    }

    /// Remembers this of a resource. It is part of every snapshot of the host; forget volatile things like process
    /// numbers with [`SimHost::ignoring_state`](super::SimHost::ignoring_state).
    pub fn set_state<T: Serialize + ?Sized>(&mut self, resource: &Resource, state: &T) {
        self.machine.set_state(resource, state);
    }

    /// Forgets what is remembered of a resource.
    pub fn forget(&mut self, resource: &Resource) {
        self.machine.forget(resource);
    }

    /// Makes the command last this long. What it does happens at the beginning, what it prints comes at the end.
    pub fn takes(&mut self, duration: Duration) {
        self.takes += duration;
    }

    /// Runs another command on the same machine, as `sudo` and `env` do.
    pub fn run(&mut self, command: &Command) -> Result<Output> {
        let input = input_of(command)?;
        let (output, takes) = self.programs.run(command, &input, self.machine)?;
        self.takes += takes;
        Ok(output)
    }

    pub(crate) fn duration(&self) -> Duration {
        self.takes
    }
}

/// The bytes a command is given as its input.
fn input_of(command: &Command) -> Result<Cow<'_, [u8]>> {
    Ok(match command.standard_input() {
        Input::Nothing => Cow::Borrowed(&[]),
        Input::Bytes(bytes) => Cow::Borrowed(bytes),
        Input::Secret(secret) => Cow::Owned(secret.expose()?.into_bytes()),
    })
}

/// The output of a program that could not do what it was asked for: `cat: read …`, exit code 1.
pub(crate) fn complaint(program: &str, error: &Error) -> Output {
    Output::failed(1, format!("{program}: {error:#}\n"))
}
