//! Questions about units.

use std::time::Duration;

use async_trait::async_trait;
use runbook::{Check, Context, Description, Finding, Result};

use super::timer::elapses;
use super::watch::Seen;
use super::{FileState, LoadState, Status, Unit, facts, watch};
use crate::sizes::Bytes;

/// Asks whether a unit is up now. Whether it stays up is [`active_and_stable`]; whether it works, a check of its own.
pub fn is_active(unit: impl Into<Unit>) -> IsActive {
    IsActive { unit: unit.into() }
}

/// Asks whether a unit is up, and stays up in the same life for this long.
pub fn active_and_stable(unit: impl Into<Unit>, window: Duration) -> ActiveAndStable {
    ActiveAndStable { unit: unit.into(), window }
}

/// Asks whether a unit is started at boot.
pub fn is_enabled(unit: impl Into<Unit>) -> IsEnabled {
    IsEnabled { unit: unit.into() }
}

/// How often systemd restarted a unit by itself since a person started it; say [how often](RestartCount::at_most) is too often.
pub fn restart_count(unit: impl Into<Unit>) -> RestartCount {
    RestartCount { unit: unit.into() }
}

/// The memory of all processes of a unit; say [how much](MemoryOf::at_most) it may be.
pub fn memory(unit: impl Into<Unit>) -> MemoryOf {
    MemoryOf { unit: unit.into() }
}

/// Asks whether a timer is up and will fire again. A name without a suffix is that of a timer.
pub fn timer_active(timer: impl Into<String>) -> TimerActive {
    let timer = timer.into();
    let name = timer.strip_suffix(".timer").unwrap_or(&timer);
    TimerActive { timer: Unit::named(format!("{name}.timer")) }
}

/// The check of [`is_active`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct IsActive {
    unit: Unit,
}

/// The check of [`active_and_stable`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct ActiveAndStable {
    unit: Unit,
    window: Duration,
}

/// The check of [`is_enabled`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct IsEnabled {
    unit: Unit,
}

/// The restarts of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "say how often is too often: `.at_most(0)`"]
pub struct RestartCount {
    unit: Unit,
}

impl RestartCount {
    /// Asks whether it was not more often than this.
    pub fn at_most(self, most: u32) -> RestartsAtMost {
        RestartsAtMost { unit: self.unit, most }
    }
}

/// The check of [`restart_count`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct RestartsAtMost {
    unit: Unit,
    most: u32,
}

/// The memory of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "say how much it may be: `.at_most(512.mib())`"]
pub struct MemoryOf {
    unit: Unit,
}

impl MemoryOf {
    /// Asks whether it is not more than this.
    pub fn at_most(self, most: Bytes) -> MemoryAtMost {
        MemoryAtMost { unit: self.unit, most }
    }
}

/// The check of [`memory`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct MemoryAtMost {
    unit: Unit,
    most: Bytes,
}

/// The check of [`timer_active`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct TimerActive {
    timer: Unit,
}

/// The description of a question about one unit.
fn describe(kind: &str, unit: &Unit, summary: String, command: String) -> Description {
    Description::new(format!("systemd.{kind}"), unit.as_str()).summary(summary).command(command).reads(unit.resource())
}

/// An answer about a unit that exists; about one that does not, nobody knows.
async fn about(cx: &Context, unit: &Unit, answer: impl FnOnce(&Status) -> Finding) -> Result<Finding> {
    let now = facts::status(cx, unit).await?;
    Ok(if now.load == LoadState::NotFound { missing(unit) } else { answer(&now) })
}

fn missing(unit: &Unit) -> Finding {
    Finding::unknown(format!("the unit {unit} does not exist"))
}

#[async_trait]
impl Check for IsActive {
    fn describe(&self) -> Description {
        let unit = &self.unit;
        describe("is_active", unit, format!("{unit} is active"), format!("systemctl is-active {unit}"))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let says = |now: &Status| Finding::of(now.active.is_up(), format!("{} is {}", self.unit, now.line()));
        about(cx, &self.unit, says).await
    }
}

#[async_trait]
impl Check for ActiveAndStable {
    fn describe(&self) -> Description {
        let (unit, window) = (&self.unit, self.window);
        let summary = format!("{unit} is active, and is not restarted within {window:?}");
        let command = format!("systemctl show --property=ActiveState,InvocationID,NRestarts {unit}");
        describe("active_and_stable", unit, summary, command)
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let unit = &self.unit;
        Ok(match watch::watch(cx, unit, self.window).await? {
            Seen::Stable(now) => Finding::pass(format!("{unit} is {}, for {:?} in one life", now.line(), self.window)),
            Seen::Not(now, _) if now.load == LoadState::NotFound => missing(unit),
            Seen::Not(now, why) => Finding::fail(format!("{unit} {why}: {}", now.line())),
        })
    }
}

#[async_trait]
impl Check for IsEnabled {
    fn describe(&self) -> Description {
        let unit = &self.unit;
        describe("is_enabled", unit, format!("{unit} is started at boot"), format!("systemctl is-enabled {unit}"))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let says = |now: &Status| {
            let state = now.file.map_or("without a file", FileState::word);
            Finding::of(now.file == Some(FileState::Enabled), format!("{} is {state}", self.unit))
        };
        about(cx, &self.unit, says).await
    }
}

#[async_trait]
impl Check for RestartsAtMost {
    fn describe(&self) -> Description {
        let (unit, most) = (&self.unit, self.most);
        let summary = format!("{unit} was not restarted by itself more than {most} times");
        describe("restart_count", unit, summary, format!("systemctl show --property=NRestarts {unit}"))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let says = |now: &Status| {
            let evidence = format!("{} was restarted {} times by itself", self.unit, now.restarts);
            Finding::of(now.restarts <= self.most, evidence)
        };
        about(cx, &self.unit, says).await
    }
}

#[async_trait]
impl Check for MemoryAtMost {
    fn describe(&self) -> Description {
        let (unit, most) = (&self.unit, self.most);
        let summary = format!("{unit} holds at most {most} of memory");
        describe("memory", unit, summary, format!("systemctl show --property=MemoryCurrent {unit}"))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let says = |now: &Status| match now.memory {
            Some(memory) if now.active.is_up() => {
                let evidence = format!("{} holds {memory} of memory, at most {} is fine", self.unit, self.most);
                Finding::of(memory <= self.most, evidence)
            }
            _ if !now.active.is_up() => Finding::unknown(format!("{} is {}", self.unit, now.line())),
            _ => Finding::unknown(format!("nobody counts the memory of {}: MemoryAccounting= is off", self.unit)),
        };
        about(cx, &self.unit, says).await
    }
}

#[async_trait]
impl Check for TimerActive {
    fn describe(&self) -> Description {
        let timer = &self.timer;
        describe("timer_active", timer, format!("{timer} will fire"), format!("systemctl list-timers {timer}"))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let timer = &self.timer;
        let now = facts::status(cx, timer).await?;
        if now.load == LoadState::NotFound {
            return Ok(missing(timer));
        }
        // An active timer that is `elapsed` will not fire again.
        let fires = now.active.is_up() && matches!(now.sub.as_str(), "waiting" | "running");
        let elapses = elapses(cx, timer).await?;
        let (next, last) = (elapses.next.as_deref().unwrap_or("unknown"), elapses.last.as_deref().unwrap_or("never"));
        Ok(Finding::of(fires, format!("{timer} is {}, next {next}, last {last}", now.line())))
    }
}
