//! A backup of a Redis, as later steps know it.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::backup::Kept;

/// The file with the data, in the directory of a backup.
pub(super) const DUMP: &str = "dump.rdb";

/// A snapshot of a Redis that was written to its end, read through, copied and compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The directory that holds it.
    pub path: PathBuf,
    /// The name of the Redis: that of the master by which its sentinels know it, or `redis`.
    pub name: String,
    /// The server it was taken of.
    pub server: String,
    /// The version of that server.
    pub version: String,
    /// The SHA-256 checksum of the file, in hexadecimal digits.
    pub checksum: String,
    /// The size of the file.
    pub bytes: u64,
    /// How many keys are in it, in all databases.
    pub keys: u64,
    /// How many of them go by themselves at some time.
    pub expires: u64,
    /// When it was begun; `None` in a plan.
    pub taken_at: Option<Timestamp>,
}

impl Snapshot {
    /// Its file.
    pub fn dump(&self) -> PathBuf {
        self.path.join(DUMP)
    }
}

impl Kept for Snapshot {
    const ABOUT: &'static str = "redis.json";

    fn found_at(self, path: PathBuf) -> Self {
        Self { path, ..self }
    }

    fn place(&self) -> &Path {
        &self.path
    }

    fn of_what(&self) -> &str {
        &self.name
    }

    fn content(&self) -> (PathBuf, u64) {
        (self.dump(), self.bytes)
    }

    fn begun_at(&self) -> Option<Timestamp> {
        self.taken_at
    }

    fn amount(&self) -> String {
        format!("{} keys, {} bytes", self.keys, self.bytes)
    }
}
