//! The guard of steps that destroy data.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::VerifiedBackup;

/// What stands behind a step that destroys data: a backup that was proven, or the reason for having none.
///
/// Such a step takes `impl Into<Guard>`: a reference to a [`VerifiedBackup`] or a [`NoBackup`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Guard {
    /// This backup was rehearsed.
    Backup(VerifiedBackup),
    /// This dump of a database was rehearsed.
    #[cfg(feature = "postgres")]
    Dump(Box<VerifiedBackup<super::Dump>>),
    /// There is none.
    NoBackup(NoBackup),
}

/// The reason for having no backup.
///
/// ```
/// # use runbook_steps::backup::{Guard, NoBackup};
/// let guard = Guard::from(NoBackup::because("dev, no data"));
/// assert_eq!(guard.to_string(), "no backup: dev, no data");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NoBackup(String);

impl NoBackup {
    /// There is no backup, for this reason.
    pub fn because(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }

    /// The reason.
    pub fn reason(&self) -> &str {
        &self.0
    }
}

impl From<&VerifiedBackup> for Guard {
    fn from(backup: &VerifiedBackup) -> Self {
        Self::Backup(backup.clone())
    }
}

#[cfg(feature = "postgres")]
impl From<&VerifiedBackup<super::Dump>> for Guard {
    fn from(dump: &VerifiedBackup<super::Dump>) -> Self {
        Self::Dump(Box::new(dump.clone()))
    }
}

impl From<NoBackup> for Guard {
    fn from(none: NoBackup) -> Self {
        Self::NoBackup(none)
    }
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backup(verified) => write!(f, "backup {}", verified.backup().path.display()),
            #[cfg(feature = "postgres")]
            Self::Dump(verified) => write!(f, "dump {}", verified.backup().path.display()),
            Self::NoBackup(none) => write!(f, "no backup: {}", none.reason()),
        }
    }
}
