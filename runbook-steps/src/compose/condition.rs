//! How the container of a service is.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::docker::Container;

/// How the container of a service is. A container that runs is well when its health check passes, or it has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It runs, and its health check passes where there is one.
    Up,
    /// It ran once and ended with 0, as it should.
    Done,
    /// It runs once, and has not ended yet.
    Working,
    /// It runs, and its health check has not passed yet: it is slow.
    Starting {
        /// How often the check has failed so far.
        failures: u32,
    },
    /// Its health check fails.
    Unhealthy {
        /// How often in a row.
        failures: u32,
    },
    /// It ends, and is started again by the engine.
    CrashLoop {
        /// How often it was restarted.
        restarts: u32,
        /// How its last life ended; `None` where nobody has seen that, because it runs again.
        end: Option<Ending>,
    },
    /// It has ended.
    Exited(Ending),
    /// It could not be started, for this reason.
    CannotStart(String),
    /// It was never started, is paused, or is being removed.
    Held(String),
    /// There is none.
    Missing,
}

/// How the life of a container ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// Its exit code.
    pub exit_code: i32,
    /// Whether the kernel ended it for want of memory.
    pub out_of_memory: bool,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit code {}{}", self.exit_code, if self.out_of_memory { ", out of memory" } else { "" })
    }
}

impl Condition {
    /// How a container is that had been restarted this often when it was first seen.
    pub(super) fn of(container: &Container, restarts_before: u32, is_job: bool) -> Self {
        let state = &container.state;
        let end = Ending { exit_code: state.exit_code, out_of_memory: state.out_of_memory };
        let restarts = container.restarts;
        match state.status.as_str() {
            "restarting" => Self::CrashLoop { restarts, end: Some(end) },
            // Docker forgets how the last life ended as soon as there is another.
            "running" if restarts > restarts_before => Self::CrashLoop { restarts, end: None },
            "running" if is_job => Self::Working,
            "running" => match &state.health {
                Some(health) if health.status == "starting" => Self::Starting { failures: health.failures },
                Some(health) if health.status == "unhealthy" => Self::Unhealthy { failures: health.failures },
                _ => Self::Up,
            },
            "exited" if is_job && state.exit_code == 0 => Self::Done,
            _ if !state.error.is_empty() => Self::CannotStart(state.error.clone()),
            "exited" | "dead" => Self::Exited(end),
            other => Self::Held(other.to_owned()),
        }
    }

    /// Whether it is as it should be.
    pub fn is_well(&self) -> bool {
        matches!(self, Self::Up | Self::Done)
    }

    /// Whether waiting helps no more.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Self::Unhealthy { .. } | Self::Exited(_) | Self::CannotStart(_) => true,
            Self::CrashLoop { restarts, .. } => *restarts >= ENOUGH,
            _ => false,
        }
    }
}

/// A container that was restarted this often is not waited for any more: one that ends once because its database is not
/// there yet may come up.
const ENOUGH: u32 = 3;

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up => f.write_str("is up"),
            Self::Done => f.write_str("has done its work"),
            Self::Working => f.write_str("is still at its work"),
            Self::Starting { failures: 0 } => f.write_str("is starting: its health check has not answered yet"),
            Self::Starting { failures } => {
                write!(f, "is starting: its health check has failed {failures} times so far")
            }
            Self::Unhealthy { failures } => {
                write!(f, "is unhealthy: its health check failed {failures} times in a row")
            }
            Self::CrashLoop { restarts, end: None } => write!(f, "is in a crash loop: restarted {restarts} times"),
            Self::CrashLoop { restarts, end: Some(end) } => {
                write!(f, "is in a crash loop: restarted {restarts} times, {end}")
            }
            Self::Exited(end) => write!(f, "has ended: {end}"),
            Self::CannotStart(why) => write!(f, "cannot be started: {}", runbook::redact::text(why)),
            Self::Held(state) => write!(f, "is {state}"),
            Self::Missing => f.write_str("has no container"),
        }
    }
}
