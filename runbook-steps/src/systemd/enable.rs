//! Whether a unit is started at boot.

use async_trait::async_trait;
use runbook::{Context, Description, Diff, Error, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::{FileState, LoadState, Status, Unit, commands, facts};

/// Has a unit started at boot. It is not started now: do that first, and enable what is known to start.
pub fn enable(unit: impl Into<Unit>) -> Enable {
    Enable { unit: unit.into(), wanted: FileState::Enabled }
}

/// Has a unit no longer started at boot. It is not stopped now.
pub fn disable(unit: impl Into<Unit>) -> Enable {
    Enable { unit: unit.into(), wanted: FileState::Disabled }
}

/// The step of [`enable`] and [`disable`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct Enable {
    unit: Unit,
    wanted: FileState,
}

/// What becomes of a unit at boot, as systemd says it afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enablement {
    /// Its name.
    pub unit: Unit,
    /// What becomes of it.
    pub state: FileState,
}

impl Enable {
    fn verb(&self) -> &'static str {
        verb(self.wanted)
    }

    fn reached(&self) -> Enablement {
        Enablement { unit: self.unit.clone(), state: self.wanted }
    }

    /// The state it is in, when it is one that enabling and disabling change.
    fn changeable(&self, now: &Status) -> Result<FileState> {
        now.require_loaded()?;
        let why = match now.file {
            Some(state @ (FileState::Enabled | FileState::EnabledRuntime | FileState::Disabled)) => return Ok(state),
            Some(FileState::Static) => "its file has no [Install] section".to_owned(),
            Some(FileState::Alias) => "it is another name of another unit: name that".to_owned(),
            Some(state) => format!("its file is {state}"),
            None => "it has no file".to_owned(),
        };
        Err(Error::refused(format!("cannot {} `{}`: {why}", self.verb(), self.unit)))
    }

    async fn state(&self, cx: &Context) -> Result<FileState> {
        self.changeable(&facts::status(cx, &self.unit).await?)
    }
}

fn verb(state: FileState) -> &'static str {
    if state == FileState::Disabled { "disable" } else { "enable" }
}

#[async_trait]
impl Step for Enable {
    type Before = FileState;
    type Output = Enablement;

    fn describe(&self) -> Description {
        let (unit, verb) = (&self.unit, self.verb());
        let (undo, when) =
            if verb == "enable" { ("disable", "started at boot") } else { ("enable", "no longer started at boot") };
        Description::new(format!("systemd.{verb}"), unit.as_str())
            .summary(format!("{verb} {unit}: it is {when}"))
            .command(format!("systemctl {verb} {unit}"))
            .undo_command(format!("systemctl {undo} {unit}"))
            .reads(unit.resource())
            .writes(unit.resource())
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<FileState, Enablement>> {
        let now = self.state(cx).await?;
        if now == self.wanted {
            return Ok(Survey::Already(self.reached()));
        }
        Ok(Survey::predict(now, Diff::turn(self.unit.as_str(), now, self.wanted), self.reached()))
    }

    async fn apply(&self, cx: &Context, _before: &FileState) -> Result<Enablement> {
        if self.state(cx).await? != self.wanted {
            commands::ask(cx, &commands::act(self.verb(), &self.unit)).await?;
        }
        let now = self.state(cx).await?;
        if now != self.wanted {
            return Err(Error::new(format!("`{}` is {now} after `systemctl {}`", self.unit, self.verb())));
        }
        Ok(self.reached())
    }

    fn predict(&self) -> Option<Enablement> {
        Some(self.reached())
    }
}

#[async_trait]
impl Rollback for Enable {
    async fn rollback(&self, cx: &Context, before: &FileState) -> Result<()> {
        let now = facts::status(cx, &self.unit).await?;
        if now.load == LoadState::NotFound && *before == FileState::Disabled {
            // Its file went first; links that are left of it go now. Without any, systemctl says that there is no unit.
            return cx.run(&commands::act("disable", &self.unit).expect([0, 1])).await.map(drop);
        }
        if self.changeable(&now)? == *before {
            return Ok(());
        }
        if *before == FileState::EnabledRuntime {
            commands::ask(cx, &commands::act("disable", &self.unit)).await?;
            commands::ask(cx, &commands::act_for_now("enable", &self.unit)).await?;
        } else {
            commands::ask(cx, &commands::act(verb(*before), &self.unit)).await?;
        }
        Ok(())
    }
}
