//! The life of a simulated container. Times are in milliseconds.

use serde::{Deserialize, Serialize};

use super::Behaviour;
use super::behaviour::Turn;

/// A state as `docker inspect` says it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    #[default]
    Created,
    Running,
    Restarting,
    Exited,
}

/// What a health check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Health {
    Starting,
    Healthy,
    Unhealthy,
}

/// A simulated container.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Life {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) image: String,
    pub(super) reference: String,
    pub(super) project: String,
    pub(super) service: String,
    pub(super) number: u32,
    pub(super) config: String,
    pub(super) policy: String,
    pub(super) volumes: Vec<String>,
    pub(super) status: Status,
    pub(super) health: Option<Health>,
    pub(super) exit_code: i32,
    pub(super) out_of_memory: bool,
    pub(super) created: u64,
    pub(super) started: Option<u64>,
    pub(super) finished: Option<u64>,
    pub(super) restarts: u32,
    pub(super) dies_at: Option<(u64, i32)>,
    pub(super) kills_memory: bool,
    pub(super) turns_at: Option<(u64, Health)>,
    pub(super) restarts_at: Option<u64>,
    pub(super) says: Vec<(u64, String)>,
    pub(super) log: Vec<(u64, String)>,
    pub(super) memory: u64,
    pub(super) cpu: f64,
}

/// What happens to a container by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Happens {
    Says(String),
    Turns(Health),
    Dies(i32),
    Restarts,
}

impl Life {
    pub(super) fn is_up(&self) -> bool {
        matches!(self.status, Status::Running | Status::Restarting)
    }

    /// The next thing that happens, and when.
    pub(super) fn next(&self) -> Option<(u64, Happens)> {
        let says = self.says.first().map(|(at, line)| (*at, Happens::Says(line.clone())));
        let turns = self.turns_at.map(|(at, health)| (at, Happens::Turns(health)));
        let dies = self.dies_at.map(|(at, code)| (at, Happens::Dies(code)));
        let restarts = self.restarts_at.map(|at| (at, Happens::Restarts));
        [says, turns, dies, restarts].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// It begins a life.
    pub(super) fn begin(&mut self, behaviour: &Behaviour, at: u64) {
        let after = |time: std::time::Duration| at + u64::try_from(time.as_millis()).unwrap_or(u64::MAX / 2);
        self.end();
        self.status = Status::Running;
        self.restarts = 0;
        // Two lives never begin at once.
        self.started = Some(self.started.map_or(at, |last| at.max(last + 1)));
        self.exit_code = 0;
        self.out_of_memory = false;
        self.dies_at = behaviour.dies.map(|(time, code)| (after(time), code));
        self.kills_memory = behaviour.out_of_memory;
        self.health = behaviour.health.map(|_| Health::Starting);
        self.turns_at = match behaviour.health {
            Some(Turn::Healthy(time)) => Some((after(time), Health::Healthy)),
            Some(Turn::Unhealthy(time)) => Some((after(time), Health::Unhealthy)),
            _ => None,
        };
        self.says = behaviour.says.iter().map(|(time, line)| (after(*time), line.clone())).collect();
        self.memory = behaviour.memory.0;
        self.cpu = behaviour.cpu;
    }

    /// It has been up for a while: its health check has passed, if it ever does.
    pub(super) fn has_been_up(&mut self) {
        if let Some((_, Health::Healthy)) = self.turns_at.take_if(|(_, health)| *health == Health::Healthy) {
            self.health = Some(Health::Healthy);
        }
    }

    /// What it was about to do is not done.
    pub(super) fn end(&mut self) {
        self.dies_at = None;
        self.turns_at = None;
        self.restarts_at = None;
        self.says.clear();
    }

    /// Somebody stops it.
    pub(super) fn stop(&mut self, code: i32, at: u64) {
        if self.is_up() {
            self.end();
            self.status = Status::Exited;
            self.exit_code = code;
            self.finished = Some(at);
        }
    }

    /// It ends by itself; the engine may start it again, every time later.
    pub(super) fn dies(&mut self, code: i32, at: u64) {
        self.end();
        self.exit_code = if self.kills_memory { 137 } else { code };
        self.out_of_memory = self.kills_memory;
        self.finished = Some(at);
        self.health = self.health.map(|_| Health::Unhealthy);
        let again = match self.policy.as_str() {
            "always" | "unless-stopped" => true,
            "on-failure" => self.exit_code != 0,
            _ => false,
        };
        self.status = if again { Status::Restarting } else { Status::Exited };
        self.restarts_at = again.then(|| at + (100_u64 << self.restarts.min(9)).min(60_000));
    }
}
