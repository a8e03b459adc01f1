//! The name of a unit, and the id of one of its lives.

use std::fmt;
use std::path::Path;

use runbook::{Error, Resource, Result};
use serde::{Deserialize, Serialize};

/// The full name of a unit: `marb2.0.service`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Unit(String);

/// Source: systemd.unit(5).
const SUFFIXES: [&str; 11] =
    ["service", "socket", "target", "timer", "path", "mount", "automount", "swap", "device", "slice", "scope"];

impl Unit {
    /// The unit of this name; one without a suffix is a service.
    pub fn named(name: impl Into<String>) -> Self {
        let name = name.into();
        let suffix = Path::new(&name).extension().and_then(|suffix| suffix.to_str());
        if name.is_empty() || suffix.is_some_and(|suffix| SUFFIXES.contains(&suffix)) {
            return Self(name);
        }
        Self(name + ".service")
    }

    /// Its full name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The unit as something that steps read and write.
    pub fn resource(&self) -> Resource {
        Resource::new("unit", &self.0)
    }

    /// What can be asked about it: of a template, an instance.
    pub(super) fn to_ask(&self) -> Self {
        Self(self.0.replace("@.", "@runbook."))
    }

    /// An error unless it can be the name of exactly one unit. `systemctl` would take others as patterns or options.
    pub(crate) fn require_name(&self) -> Result<()> {
        let fits = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
        if self.0.is_empty() || self.0.len() > 255 || self.0.starts_with(['-', '.']) || !self.0.chars().all(fits) {
            return Err(Error::refused(format!("`{}` is not the name of a unit", self.0)));
        }
        Ok(())
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Unit {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

macro_rules! unit_from {
    ($($ty:ty),*) => {$(
        impl From<$ty> for Unit {
            fn from(name: $ty) -> Self {
                Self::named(name)
            }
        }
    )*};
}

unit_from!(&str, String, &String);

impl From<&Unit> for Unit {
    fn from(unit: &Unit) -> Self {
        unit.clone()
    }
}

/// One life of a unit: the id systemd gives it whenever it is started, by a person or by itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Invocation(String);

impl Invocation {
    /// An id of 32 hexadecimal digits.
    pub(super) fn parse(id: &str) -> Option<Self> {
        (id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| Self(id.to_owned()))
    }

    /// All 32 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Enough of it for people.
    pub fn short(&self) -> &str {
        &self.0[..8]
    }
}

impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
