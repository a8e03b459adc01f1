//! The life of a simulated unit.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::config::Config;

/// What a snapshot shows of a unit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shown {
    pub(super) up: bool,
    /// The files it works with, as they were when it began.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) read: BTreeMap<PathBuf, String>,
}

/// A state as `systemctl show` says it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum State {
    #[default]
    Dead,
    Failed,
    Starting,
    Up,
    AutoRestart,
}

impl State {
    /// `ActiveState` and `SubState`.
    pub(super) fn words(self, service: bool) -> (&'static str, &'static str) {
        match self {
            Self::Dead => ("inactive", "dead"),
            Self::Failed => ("failed", "failed"),
            Self::Starting => ("activating", "start"),
            Self::Up if service => ("active", "running"),
            Self::Up => ("active", "waiting"),
            Self::AutoRestart => ("activating", "auto-restart"),
        }
    }
}

/// All that systemd remembers of a unit. Times are in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Life {
    pub(super) state: State,
    pub(super) read: BTreeMap<PathBuf, String>,
    /// Its files as they were read; a unit that is down is read when it is asked for.
    pub(super) config: Option<Config>,
    pub(super) invocation: Option<String>,
    pub(super) pid: u32,
    pub(super) memory: u64,
    pub(super) result: Option<String>,
    pub(super) exit: Option<i32>,
    pub(super) restarts: u32,
    pub(super) starts: Vec<u64>,
    pub(super) changes: u64,
    pub(super) changed_at: u64,
    pub(super) up_at: Option<u64>,
    pub(super) dies_at: Option<(u64, i32)>,
    pub(super) restarts_at: Option<u64>,
    pub(super) says: Vec<(u64, String)>,
}

/// What happens to a unit by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Happens {
    Says(String),
    IsUp,
    Dies(i32),
    Restarts,
}

/// A unit is not started more than this often within ten seconds. Source: systemd-system.conf(5).
const BURST: usize = 5;
const INTERVAL: u64 = 10_000;

impl Life {
    pub(super) fn shown(&self) -> Shown {
        let up = matches!(self.state, State::Up | State::Starting | State::AutoRestart);
        Shown { up, read: self.read.clone() }
    }

    /// The next thing that happens by now, and when.
    pub(super) fn next(&self, now: u64) -> Option<(u64, Happens)> {
        let says = self.says.first().map(|(at, line)| (*at, Happens::Says(line.clone())));
        let up = self.up_at.map(|at| (at, Happens::IsUp));
        let dies = self.dies_at.map(|(at, code)| (at, Happens::Dies(code)));
        let restarts = self.restarts_at.map(|at| (at, Happens::Restarts));
        let all = [says, up, dies, restarts].into_iter().flatten();
        all.min_by_key(|(at, _)| *at).filter(|(at, _)| *at <= now)
    }

    pub(super) fn turn(&mut self, state: State, now: u64) {
        self.state = state;
        self.changes += 1;
        self.changed_at = (now + 1) * 1000 + self.changes;
    }

    /// Whether it may be started once more; if so, that is remembered.
    pub(super) fn may_start(&mut self, now: u64) -> bool {
        self.starts.retain(|at| at + INTERVAL > now);
        let may = self.starts.len() < BURST;
        if may {
            self.starts.push(now);
        }
        may
    }

    /// Nothing of it runs any more.
    pub(super) fn end(&mut self) {
        self.pid = 0;
        self.up_at = None;
        self.dies_at = None;
        self.restarts_at = None;
        self.says.clear();
        self.read.clear();
    }
}
