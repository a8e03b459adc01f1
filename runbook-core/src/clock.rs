//! Time, as a port: a run reads it here, so that a test can hold it.

use std::fmt;

use jiff::Timestamp;

/// Tells the time of day. Waiting goes through tokio, whose clock tests can pause.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// The clock of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
