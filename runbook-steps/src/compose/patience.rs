//! How long services may take, and how long they have to stay.

use std::time::Duration;

use runbook::Units as _;

/// How long services may take to be well, and how long they have to stay so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Patience {
    /// How long they have to be well, in the same life.
    pub(super) window: Duration,
    /// How long that may take to begin.
    pub(super) limit: Duration,
}

impl Default for Patience {
    /// What dies of its configuration mostly dies within two seconds. Images that need more than a minute say so.
    fn default() -> Self {
        Self { window: 2.seconds(), limit: 60.seconds() }
    }
}

impl Patience {
    /// To be well for a moment is enough.
    pub(super) fn at_once(self) -> Self {
        Self { window: Duration::ZERO, ..self }
    }

    /// To ask once, without waiting for anything to begin.
    pub(super) fn none(self) -> Self {
        Self { limit: Duration::ZERO, ..self }
    }
}

/// What every step that brings services up has in common.
macro_rules! patient {
    ($($step:ident),*) => {$(
        impl $step {
            /// They have to be well for this long in the same life, instead of two seconds.
            pub fn stable_for(mut self, window: std::time::Duration) -> Self {
                self.patience.window = window;
                self
            }

            /// They may take this long to be well, instead of a minute; on the way back too.
            pub fn within(mut self, limit: std::time::Duration) -> Self {
                self.patience.limit = limit;
                self
            }
        }
    )*};
}
pub(super) use patient;

/// What every step for some services has in common.
macro_rules! for_services {
    ($($step:ident),*) => {$(
        impl $step {
            /// These services alone, instead of all.
            pub fn services(mut self, services: impl IntoIterator<Item = impl Into<String>>) -> Self {
                self.services.extend(services.into_iter().map(Into::into));
                self
            }
        }
    )*};
}
pub(super) use for_services;
