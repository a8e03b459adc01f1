//! This machine.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::group::Group;
use super::leftovers::{Leftovers, Line};
use super::{Control, Exit, Files, Host, Process};
use crate::command::Value;
use crate::{Command, Error, Explain, Result};

pub(super) use self::files::beside;

mod files;
mod refusal;
mod streams;

/// The machine the runner runs on.
#[derive(Debug, Clone, Default)]
pub struct Local {
    leftovers: Option<Arc<Leftovers>>,
}

impl Local {
    /// This machine.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeping a note of what runs in this file, for the next execution to [sweep](Leftovers::sweep) should this one be
    /// killed.
    pub fn leftovers(mut self, path: impl Into<PathBuf>) -> Self {
        self.leftovers = Some(Arc::new(Leftovers::at(path)));
        self
    }
}

#[async_trait]
impl Host for Local {
    fn name(&self) -> &'static str {
        "localhost"
    }

    fn is_here(&self) -> bool {
        true
    }

    async fn start(&self, command: &Command) -> Result<Process> {
        let command = command.launched();
        let mut child = prepare(&command)?.spawn().map_err(|error| refusal::of(&command, &error))?;
        let pid = child.id().context(format!("start `{}`", command.program.display()))?;
        let group = Group::of(pid).context(format!("start `{}`", command.program.display()))?;
        let line = self.leftovers.as_ref().and_then(|leftovers| leftovers.note(pid, &command.program));
        Ok(Process {
            stdin: child.stdin.take().map(|stdin| Box::new(stdin) as _),
            stdout: child.stdout.take().map(|stdout| Box::new(stdout) as _),
            stderr: child.stderr.take().map(|stderr| Box::new(stderr) as _),
            control: Box::new(Running { child, group, exit: None, ending: false, _line: line }),
        })
    }

    fn files(&self) -> &dyn Files {
        self
    }
}

fn prepare(command: &Command) -> Result<tokio::process::Command> {
    let mut ready = tokio::process::Command::new(&command.program);
    ready.args(&command.args).process_group(0);
    ready.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(dir) = &command.dir {
        ready.current_dir(dir);
    }
    for (name, value) in &command.env {
        match value {
            Value::Plain(value) => ready.env(name, value),
            Value::Secret(secret) => ready.env(name, secret.expose()?),
        };
    }
    Ok(ready)
}

/// A process of this machine, and the group it leads.
struct Running {
    child: tokio::process::Child,
    group: Group,
    exit: Option<Exit>,
    ending: bool,
    _line: Option<Line>,
}

#[async_trait]
impl Control for Running {
    async fn wait(&mut self) -> Result<Exit> {
        let exit = if let Some(exit) = self.exit { exit } else { exit_of(self.child.wait().await?)? };
        self.exit = Some(exit);
        while self.ending && self.group.is_alive() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(exit)
    }

    async fn end(&mut self, force: bool) {
        self.ending = true;
        // What may not be signalled runs as another user, and is waited for like anything that does not listen.
        let _ = self.group.end(force);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // What a command that ended by itself left in the background was left there on purpose.
        if self.exit.is_none() || self.ending {
            let _ = self.group.end(true);
        }
    }
}

fn exit_of(status: std::process::ExitStatus) -> Result<Exit> {
    use std::os::unix::process::ExitStatusExt as _;
    let code = status.code().map(Exit::Code).or(status.signal().map(Exit::Signal));
    code.ok_or_else(|| Error::unknown(format!("the system does not say how the process ended: {status}")))
}
