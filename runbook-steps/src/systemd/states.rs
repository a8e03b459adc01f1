//! The states of units, in systemd's own words.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An enum of words.
macro_rules! states {
    ($(#[$about:meta])* $name:ident { $($(#[$what:meta])* $state:ident = $word:literal,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$what])* #[serde(rename = $word)] $state,)*
        }

        impl $name {
            /// The state this word means.
            pub(super) fn parse(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$state),)*
                    _ => None,
                }
            }

            /// The word systemd has for it.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$state => $word,)*
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

states! {
    /// Whether systemd could read the unit.
    LoadState {
        /// It was read.
        Loaded = "loaded",
        /// There is none of this name.
        NotFound = "not-found",
        /// Its file says something that cannot be.
        BadSetting = "bad-setting",
        /// Its file cannot be read.
        Error = "error",
        /// It cannot be started, because someone masked it.
        Masked = "masked",
        /// It is another name of another unit.
        Merged = "merged",
        /// It is still to be read.
        Stub = "stub",
    }
}

states! {
    /// Whether the unit is up.
    ActiveState {
        /// It is up.
        Active = "active",
        /// It is up, and reads its configuration.
        Reloading = "reloading",
        /// It is down.
        Inactive = "inactive",
        /// It is down, and did not end well.
        Failed = "failed",
        /// It comes up, or waits to be restarted.
        Activating = "activating",
        /// It goes down.
        Deactivating = "deactivating",
        /// It is being checked.
        Maintenance = "maintenance",
    }
}

states! {
    /// What becomes of the unit at boot.
    FileState {
        /// It is started.
        Enabled = "enabled",
        /// It is, until the next boot.
        EnabledRuntime = "enabled-runtime",
        /// Its file lies outside the places of units, and is linked.
        Linked = "linked",
        /// It is linked until the next boot.
        LinkedRuntime = "linked-runtime",
        /// It is another name of another unit.
        Alias = "alias",
        /// It cannot be started.
        Masked = "masked",
        /// It cannot be started until the next boot.
        MaskedRuntime = "masked-runtime",
        /// It has no `[Install]` section, and is started by others.
        Static = "static",
        /// It is not started.
        Disabled = "disabled",
        /// It is not started itself, but enabling it enables others.
        Indirect = "indirect",
        /// It was made by a generator.
        Generated = "generated",
        /// It was made by a program, and is gone with the next boot.
        Transient = "transient",
        /// Its file cannot be read.
        Bad = "bad",
    }
}

impl ActiveState {
    /// Whether it is up.
    pub fn is_up(self) -> bool {
        matches!(self, Self::Active | Self::Reloading)
    }

    /// Whether nothing of it runs or is about to.
    pub fn is_down(self) -> bool {
        matches!(self, Self::Inactive | Self::Failed)
    }
}
