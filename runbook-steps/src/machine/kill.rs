//! Ending a process.

use std::time::Duration;

use async_trait::async_trait;
use runbook::{Context, Description, Diff, Error, Explain as _, Resource, Result, Step, Survey, Units as _};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::commands;
use super::processes::{self, ProcessId};

/// Ends a process: SIGTERM, and SIGKILL when it is still there [some time](EndProcess::patience) later. Nothing brings it
/// back, so it takes `run.irreversible`.
///
/// A process of a service of systemd is refused: systemd would start it again, or it is the healthy one. Stop the unit.
pub fn end_process(pid: u32) -> EndProcess {
    EndProcess { pid, command: None, of_service: false, patience: 10.seconds() }
}

/// The step of [`end_process`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.irreversible(\"why\", \"title\", step).await?`"]
pub struct EndProcess {
    pid: u32,
    command: Option<String>,
    of_service: bool,
    patience: Duration,
}

/// What ended a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// It was asked to end, and did.
    Term,
    /// It was ended by force.
    Kill,
    /// It was gone already.
    None,
}

/// A process that is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Its number.
    pub pid: u32,
    /// What it took.
    pub signal: Signal,
}

impl EndProcess {
    /// Refuses when the command of the process does not contain this: it may be another one by now.
    pub fn command(mut self, part: impl Into<String>) -> Self {
        self.command = Some(part.into());
        self
    }

    /// Ends it even though it belongs to a service of systemd.
    pub fn although_of_a_service(mut self) -> Self {
        self.of_service = true;
        self
    }

    /// Waits this long between SIGTERM and SIGKILL, instead of ten seconds.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    async fn lives(&self, cx: &Context, id: &ProcessId) -> Result<bool> {
        Ok(processes::started(cx, id.pid).await? == Some(id.started))
    }

    /// Sends a signal, and waits until the process is gone; `false` when it is not.
    async fn send(&self, cx: &Context, id: &ProcessId, signal: &str, patience: Duration) -> Result<bool> {
        commands::ask(cx, &commands::kill(signal, id.pid)).await?;
        let until = Instant::now() + patience;
        while self.lives(cx, id).await? {
            if Instant::now() >= until {
                return Ok(false);
            }
            cx.pause(100.millis()).await?;
        }
        Ok(true)
    }

    fn gone(&self, signal: Signal) -> Ended {
        Ended { pid: self.pid, signal }
    }
}

#[async_trait]
impl Step for EndProcess {
    type Before = ProcessId;
    type Output = Ended;

    fn describe(&self) -> Description {
        // Nobody knows yet which one it is; and `kill 0` by hand would end the shell and its group.
        let pid = if self.pid == 0 { "PID".to_owned() } else { self.pid.to_string() };
        let process = Resource::new("process", &pid);
        Description::new("machine.end_process", &pid)
            .summary(format!("end process {pid}"))
            .command(format!("kill {pid} || kill -9 {pid}"))
            .reads(process.clone())
            .writes(process)
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<ProcessId, Ended>> {
        if self.pid < 2 {
            return Err(Error::refused(format!("process {} is no process to end", self.pid)));
        }
        let (Some(process), Some(started)) =
            (processes::process(cx, self.pid).await?, processes::started(cx, self.pid).await?)
        else {
            return Ok(Survey::Already(self.gone(Signal::None)));
        };
        if let Some(part) = self.command.as_deref().filter(|part| !process.command.contains(part)) {
            return Err(Error::refused(format!("{process} is no `{part}`")));
        }
        let service = process.unit.as_ref().filter(|unit| unit.as_str().ends_with(".service"));
        if let (Some(unit), false) = (service, self.of_service) {
            let error = Error::refused(format!("{process} is kept by systemd"));
            return Err(error.hint(format!("stop the unit: `systemd::stop(\"{unit}\")`")));
        }
        let before = ProcessId { pid: self.pid, started };
        Ok(Survey::change(before, Diff::none().and_remove(process.to_string())))
    }

    async fn apply(&self, cx: &Context, before: &ProcessId) -> Result<Ended> {
        if !self.lives(cx, before).await? {
            return Ok(self.gone(Signal::None));
        }
        if self.send(cx, before, "TERM", self.patience).await? {
            return Ok(self.gone(Signal::Term));
        }
        cx.warn(format!("process {} does not end by itself: SIGKILL", self.pid));
        let killed = self.send(cx, before, "KILL", 5.seconds()).await?;
        killed.then(|| self.gone(Signal::Kill)).with_context(|| format!("process {} cannot be ended", self.pid))
    }
}
