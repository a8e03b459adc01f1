//! What a simulated service does when it is started.

use std::path::PathBuf;
use std::time::Duration;

use crate::sizes::Bytes;

/// What a simulated service does when it is started.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Behaviour {
    pub(super) fails: Option<i32>,
    pub(super) slow: Duration,
    pub(super) dies: Option<(Duration, i32)>,
    pub(super) says: Vec<(Duration, String)>,
    pub(super) reads: Vec<PathBuf>,
    pub(super) memory: Bytes,
}

impl Behaviour {
    /// It comes up at once, and stays.
    pub fn stays_up() -> Self {
        let memory = Bytes(50 << 20);
        Self { fails: None, slow: Duration::ZERO, dies: None, says: Vec::new(), reads: Vec::new(), memory }
    }

    /// Its process begins and ends at once with this exit code: `systemctl start` is content.
    pub fn dies_at_start(code: i32) -> Self {
        Self::dies_after(Duration::ZERO, code)
    }

    /// Its process ends after this time with this exit code. With `Restart=` in its file that is a crash loop.
    pub fn dies_after(time: Duration, code: i32) -> Self {
        Self { dies: Some((time, code)), ..Self::stays_up() }
    }

    /// What comes before it (`ExecStartPre=`) fails with this exit code: so does `systemctl start`.
    pub fn cannot_start(code: i32) -> Self {
        Self { fails: Some(code), ..Self::stays_up() }
    }

    /// It takes this long until it says that it is up (`Type=notify`).
    pub fn slowly(mut self, time: Duration) -> Self {
        self.slow = time;
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

    /// It reads this file when it begins, and works with what was in it: a snapshot of the host tells.
    pub fn reads(mut self, path: impl Into<PathBuf>) -> Self {
        self.reads.push(path.into());
        self
    }

    /// It holds this much memory.
    pub fn holds(mut self, memory: Bytes) -> Self {
        self.memory = memory;
        self
    }
}
