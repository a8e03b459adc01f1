//! A commit by its full id, and a release: one commit after another.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A commit, by its full id. It means the same today and tomorrow, which a branch does not.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(String);

impl Revision {
    /// The revision with this id, when it is a full one: 40 or 64 hexadecimal digits.
    pub fn full(id: &str) -> Option<Self> {
        let full = matches!(id.len(), 40 | 64) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        full.then(|| Self(id.to_ascii_lowercase()))
    }

    /// The full id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first ten digits, for people.
    pub fn short(&self) -> &str {
        &self.0[..10]
    }
}

impl AsRef<str> for Revision {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a deployment brought: the code that is there now, and the code that was there before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The code that is there now.
    pub revision: Revision,
    /// The code that was there before; `None` when nobody knows.
    pub previous: Option<Revision>,
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.revision)?;
        match &self.previous {
            Some(previous) => write!(f, " (after {})", previous.short()),
            None => Ok(()),
        }
    }
}
