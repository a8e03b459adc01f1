//! Whether a unit can be started at all.

use std::path::Path;

use async_trait::async_trait;
use runbook::host::FileKind;
use runbook::{Context, Description, Diff, Error, Resource, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::unit_file::UNITS;
use super::{FileState, Unit, commands, facts};

/// Makes it impossible to start a unit, for people and for other units. It is not stopped now.
///
/// The mask takes the place of a file in `/etc/systemd/system`. A unit whose own file lies there cannot be masked, and is
/// refused.
pub fn mask(unit: impl Into<Unit>) -> Mask {
    Mask { unit: unit.into(), wanted: true }
}

/// Makes it possible again to start a unit.
pub fn unmask(unit: impl Into<Unit>) -> Mask {
    Mask { unit: unit.into(), wanted: false }
}

/// The step of [`mask`] and [`unmask`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct Mask {
    unit: Unit,
    wanted: bool,
}

/// Whether a unit is masked, as systemd says it afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Masking {
    /// Its name.
    pub unit: Unit,
    /// Whether it is masked.
    pub masked: bool,
}

impl Mask {
    fn reached(&self) -> Masking {
        Masking { unit: self.unit.clone(), masked: self.wanted }
    }

    async fn is_masked(&self, cx: &Context) -> Result<bool> {
        Ok(facts::status(cx, &self.unit).await?.file == Some(FileState::Masked))
    }

    async fn set(&self, cx: &Context, masked: bool) -> Result<()> {
        if self.is_masked(cx).await? != masked {
            commands::ask(cx, &commands::act(verb(masked), &self.unit)).await?;
        }
        Ok(())
    }

    async fn require_room(&self, cx: &Context) -> Result<()> {
        let place = Path::new(UNITS).join(self.unit.as_str());
        match cx.files().stat(&place).await? {
            Some(stat) if stat.kind == FileKind::File => {
                let what = format!(
                    "cannot mask `{}`: its own file `{}` is in the place of a mask",
                    self.unit,
                    place.display()
                );
                Err(Error::refused(what).hint("disable and stop it instead, or remove its file"))
            }
            _ => Ok(()),
        }
    }
}

fn verb(masked: bool) -> &'static str {
    if masked { "mask" } else { "unmask" }
}

#[async_trait]
impl Step for Mask {
    type Before = bool;
    type Output = Masking;

    fn describe(&self) -> Description {
        let (unit, verb, undo) = (&self.unit, verb(self.wanted), verb(!self.wanted));
        Description::new(format!("systemd.{verb}"), unit.as_str())
            .summary(format!("{verb} {unit}"))
            .command(format!("systemctl {verb} {unit}"))
            .undo_command(format!("systemctl {undo} {unit}"))
            .reads(unit.resource())
            .writes(unit.resource())
            .writes(Resource::path(Path::new(UNITS).join(unit.as_str())))
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<bool, Masking>> {
        let now = facts::status(cx, &self.unit).await?;
        now.require_known()?;
        let masked = now.file == Some(FileState::Masked);
        if masked == self.wanted {
            return Ok(Survey::Already(self.reached()));
        }
        if self.wanted {
            self.require_room(cx).await?;
        }
        let word = |masked| if masked { "masked" } else { "not masked" };
        Ok(Survey::predict(masked, Diff::turn(self.unit.as_str(), word(masked), word(self.wanted)), self.reached()))
    }

    async fn apply(&self, cx: &Context, _before: &bool) -> Result<Masking> {
        self.set(cx, self.wanted).await?;
        if self.is_masked(cx).await? != self.wanted {
            let verb = verb(self.wanted);
            return Err(Error::new(format!("`{}` is as it was after `systemctl {verb}`", self.unit)));
        }
        Ok(self.reached())
    }

    fn predict(&self) -> Option<Masking> {
        Some(self.reached())
    }
}

#[async_trait]
impl Rollback for Mask {
    async fn rollback(&self, cx: &Context, before: &bool) -> Result<()> {
        self.set(cx, *before).await
    }
}
