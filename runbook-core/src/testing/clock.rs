//! A clock that goes as tokio's does, so that a test can pause it.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::Clock;

/// A clock that starts at a given time and goes as tokio's does: in a test with `start_paused = true`, a soak of half
/// an hour takes no time and is half an hour.
#[derive(Debug, Clone, Copy)]
pub struct SimClock {
    start: Timestamp,
    since: Instant,
}

impl SimClock {
    /// A clock that shows this time now.
    pub fn at(start: Timestamp) -> Self {
        Self { start, since: Instant::now() }
    }
}

impl Default for SimClock {
    /// A clock that shows 10:00 UTC on Tuesday, 15 July 2025.
    fn default() -> Self {
        Self::at(Timestamp::constant(1_752_573_600, 0))
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.since.elapsed()).unwrap_or(SignedDuration::MAX);
        self.start.saturating_add(elapsed).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_goes_as_the_paused_clock_does() {
        let clock = SimClock::default();
        assert_eq!(clock.now().to_string(), "2025-07-15T10:00:00Z");
        tokio::time::sleep(Duration::from_secs(1800)).await;
        assert_eq!(clock.now().to_string(), "2025-07-15T10:30:00Z");
    }
}
