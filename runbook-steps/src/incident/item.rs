//! One piece of evidence.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One piece of evidence, as the manifest has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// What it is.
    pub origin: Origin,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// What was kept of it.
    pub files: Vec<Kept>,
    /// How its command ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<String>,
    /// Why it is not there, or not whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// Where a piece of evidence is from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// What a command said: its name, and the command with its secrets masked.
    Command {
        /// Its name.
        name: String,
        /// The command.
        command: String,
    },
    /// A file, or a directory with all that is in it.
    File(PathBuf),
}

/// A file in the directory of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Where it is, from the directory.
    pub path: PathBuf,
    /// Its checksum.
    pub sha256: String,
    /// How long it is.
    pub bytes: u64,
    /// Whether a secret was taken out of it.
    #[serde(default)]
    pub redacted: bool,
}

impl Origin {
    /// What people call it.
    pub fn name(&self) -> String {
        match self {
            Self::Command { name, .. } => name.clone(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// The name of its files, from its number and its name.
    pub(super) fn stem(&self, n: usize) -> String {
        let name = match self {
            Self::Command { name, .. } => name.clone(),
            Self::File(path) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        };
        let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
        format!("{:02}-{}", n + 1, name.chars().map(plain).collect::<String>())
    }
}

impl Kept {
    /// Its line in `SHA256SUMS`.
    pub(super) fn line(&self) -> String {
        sum_line(&self.sha256, &self.path)
    }
}

/// As `sha256sum` writes it.
pub(super) fn sum_line(sha256: &str, path: &Path) -> String {
    format!("{sha256}  {}\n", path.display())
}
