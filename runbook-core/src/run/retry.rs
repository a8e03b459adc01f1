//! How often something that may pass is tried again.

use std::time::Duration;

/// How often a step is tried when it fails with a transient error, and how long it waits between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    attempts: u32,
    first: Duration,
    longest: Duration,
}

impl Retry {
    /// Once, and not again.
    pub const fn never() -> Self {
        Self::attempts(1)
    }

    /// This many times in all, waiting one second, then two, four and so on up to a minute.
    pub const fn attempts(attempts: u32) -> Self {
        Self { attempts, first: Duration::from_secs(1), longest: Duration::from_secs(60) }
    }

    /// Waiting this long at first, then twice as long each time.
    pub const fn backoff(mut self, first: Duration) -> Self {
        self.first = first;
        self
    }

    /// Never waiting longer than this.
    pub const fn up_to(mut self, longest: Duration) -> Self {
        self.longest = longest;
        self
    }

    /// How long to wait after this attempt, the first being 1; `None` when it was the last.
    pub fn after(&self, attempt: u32) -> Option<Duration> {
        let doubled = self.first.saturating_mul(1 << attempt.saturating_sub(1).min(20));
        (attempt < self.attempts).then(|| doubled.min(self.longest))
    }
}

impl Default for Retry {
    /// Three attempts.
    fn default() -> Self {
        Self::attempts(3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_doubles_up_to_the_longest_and_ends() {
        let retry = Retry::attempts(4).backoff(Duration::from_secs(20)).up_to(Duration::from_secs(30));
        let waits: Vec<_> = (1..=4).map(|attempt| retry.after(attempt).map(|wait| wait.as_secs())).collect();
        assert_eq!(waits, [Some(20), Some(30), Some(30), None]);
    }
}
