//! Commands are values: built without running anything, rendered in one place, run by a host.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use self::detached::Detached;
use crate::Secret;

pub use self::arg::CommandArg;
pub use self::output::Output;
pub use self::pipeline::{Pipeline, Sink, Source, StageOutput};

mod arg;
mod detached;
mod output;
mod pipeline;
mod render;

/// A program with its arguments, environment, directory and input. No shell is involved.
///
/// ```
/// # use runbook_core::Command;
/// let command = Command::new("git").args(["log", "-1", "--format=%an: %s"]).dir("/srv/app");
/// assert_eq!(command.to_string(), "git log -1 '--format=%an: %s'");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a command does nothing until a host runs it: `cx.run(&command).await?`"]
pub struct Command {
    pub(crate) program: OsString,
    pub(crate) args: Vec<OsString>,
    pub(crate) env: Vec<(String, Value)>,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) input: Input,
    pub(crate) expect: Vec<i32>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) detached: Option<Detached>,
}

/// The value of an environment variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Anyone may see it.
    Plain(OsString),
    /// Nobody may.
    Secret(Secret),
}

/// What a command reads from its standard input.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Input {
    /// Nothing: the input is at its end.
    #[default]
    Nothing,
    /// These bytes.
    Bytes(Vec<u8>),
    /// This secret, and nothing after it.
    Secret(Secret),
}

impl Command {
    /// A command that runs `program` without arguments.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            dir: None,
            input: Input::Nothing,
            expect: vec![0],
            deadline: None,
            detached: None,
        }
    }

    /// With one more argument.
    pub fn arg(mut self, arg: impl CommandArg) -> Self {
        let mut argument = OsString::new();
        arg.append_to(&mut argument);
        self.args.push(argument);
        self
    }

    /// With more arguments.
    pub fn args(self, args: impl IntoIterator<Item = impl CommandArg>) -> Self {
        args.into_iter().fold(self, Self::arg)
    }

    /// With an environment variable, beside those of the runner.
    pub fn env(mut self, name: impl Into<String>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.into(), Value::Plain(value.as_ref().to_owned())));
        self
    }

    /// With a secret in its environment.
    pub fn secret_env(mut self, name: impl Into<String>, secret: &Secret) -> Self {
        self.env.push((name.into(), Value::Secret(secret.clone())));
        self
    }

    /// In this directory.
    pub fn dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.dir = Some(dir.as_ref().to_owned());
        self
    }

    /// With these bytes as its input.
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = Input::Bytes(input.into());
        self
    }

    /// With a secret as its input.
    pub fn secret_input(mut self, secret: &Secret) -> Self {
        self.input = Input::Secret(secret.clone());
        self
    }

    /// Exit codes that are fine, instead of 0 alone.
    pub fn expect(mut self, codes: impl IntoIterator<Item = i32>) -> Self {
        self.expect = codes.into_iter().collect();
        self
    }

    /// Ended with its whole process group when it runs longer than this.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// The program.
    pub fn program(&self) -> &OsStr {
        &self.program
    }

    /// The arguments, without the program.
    pub fn arguments(&self) -> &[OsString] {
        &self.args
    }

    /// The environment variables set for it.
    pub fn environment(&self) -> &[(String, Value)] {
        &self.env
    }

    /// The directory it runs in.
    pub fn directory(&self) -> Option<&Path> {
        self.dir.as_deref()
    }

    /// What it reads.
    pub fn standard_input(&self) -> &Input {
        &self.input
    }

    /// Whether this exit code is fine.
    pub fn accepts(&self, code: i32) -> bool {
        self.expect.contains(&code)
    }

    /// How long it may run.
    pub fn time_limit(&self) -> Option<Duration> {
        self.deadline
    }
}
