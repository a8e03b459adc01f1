//! What a simulated container does when it is started.

use std::time::Duration;

use crate::sizes::Bytes;

/// What a simulated container does when it is started.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct Behaviour {
    pub(super) dies: Option<(Duration, i32)>,
    pub(super) out_of_memory: bool,
    pub(super) health: Option<Turn>,
    pub(super) says: Vec<(Duration, String)>,
    pub(super) memory: Bytes,
    pub(super) cpu: f64,
}

/// What a health check says, and when it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Healthy(Duration),
    Unhealthy(Duration),
    Never,
}

impl Behaviour {
    /// It runs, and has no health check.
    pub fn stays_up() -> Self {
        let memory = Bytes(50 << 20);
        Self { dies: None, out_of_memory: false, health: None, says: Vec::new(), memory, cpu: 0.5 }
    }

    /// Its health check passes after this time.
    pub fn healthy_after(time: Duration) -> Self {
        Self { health: Some(Turn::Healthy(time)), ..Self::stays_up() }
    }

    /// Its health check is found to fail after this time.
    pub fn unhealthy_after(time: Duration) -> Self {
        Self { health: Some(Turn::Unhealthy(time)), ..Self::stays_up() }
    }

    /// Its health check never says anything.
    pub fn never_healthy() -> Self {
        Self { health: Some(Turn::Never), ..Self::stays_up() }
    }

    /// Its process ends after this time with this exit code. With `restart:` in its file that is a crash loop.
    pub fn dies_after(time: Duration, code: i32) -> Self {
        Self::stays_up().and_dies_after(time, code)
    }

    /// Its process ends after this time with this exit code, whatever its health check says until then.
    pub fn and_dies_after(mut self, time: Duration, code: i32) -> Self {
        self.dies = Some((time, code));
        self
    }

    /// And it is the kernel that ends it, for want of memory.
    pub fn out_of_memory(mut self) -> Self {
        self.out_of_memory = true;
        self
    }

    /// It prints this line when it begins.
    pub fn says(self, line: impl Into<String>) -> Self {
        self.says_after(Duration::ZERO, line)
    }

    /// It prints this line after this time.
    pub fn says_after(mut self, time: Duration, line: impl Into<String>) -> Self {
        self.says.push((time, line.into()));
        self.says.sort();
        self
    }

    /// It uses this much memory, and this much of one processor in percent.
    pub fn uses(mut self, memory: Bytes, cpu: f64) -> Self {
        self.memory = memory;
        self.cpu = cpu;
        self
    }
}
