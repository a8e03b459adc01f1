//! The name of a host, as people type it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

#[cfg(feature = "ssh")]
use super::Ssh;
use super::{Container, Host, Local};

/// The name of a host, as people type it: an input of a procedure that can run anywhere.
///
/// ```
/// use runbook_core::host::{Host as _, Place};
///
/// let place: Place = "container:web".parse()?;
/// assert_eq!(place.host().name(), "container web");
/// # Ok::<(), runbook_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Place {
    /// `local`: the machine the runner is on.
    #[default]
    Local,
    /// `ssh:NAME`, as the ssh configuration knows it, or `ssh:USER@HOST`.
    #[cfg(feature = "ssh")]
    Ssh(String),
    /// `container:NAME`, on this machine.
    Container(String),
}

impl Place {
    /// The host.
    pub fn host(&self) -> Arc<dyn Host> {
        match self {
            Self::Local => Local::new().shared(),
            #[cfg(feature = "ssh")]
            Self::Ssh(destination) => Ssh::to(destination).shared(),
            Self::Container(name) => Container::named(name).shared(),
        }
    }
}

/// A text that names no place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoPlace(String);

impl fmt::Display for NoPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no place: write {}", self.0, KINDS)
    }
}

impl std::error::Error for NoPlace {}

#[cfg(feature = "ssh")]
const KINDS: &str = "`local`, `ssh:NAME` or `container:NAME`";
#[cfg(not(feature = "ssh"))]
const KINDS: &str = "`local` or `container:NAME`; `ssh:NAME` takes the feature `ssh`";

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        match text.split_once(':') {
            None if text == "local" => Ok(Self::Local),
            #[cfg(feature = "ssh")]
            Some(("ssh", destination)) if !destination.is_empty() => Ok(Self::Ssh(destination.to_owned())),
            Some(("container", name)) if !name.is_empty() => Ok(Self::Container(name.to_owned())),
            _ => Err(NoPlace(text.to_owned())),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("local"),
            #[cfg(feature = "ssh")]
            Self::Ssh(destination) => write!(f, "ssh:{destination}"),
            Self::Container(name) => write!(f, "container:{name}"),
        }
    }
}

impl TryFrom<String> for Place {
    type Error = NoPlace;

    fn try_from(text: String) -> Result<Self, NoPlace> {
        text.parse()
    }
}

impl From<Place> for String {
    fn from(place: Place) -> Self {
        place.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn a_place_is_written_as_it_is_read_and_what_is_none_is_named() {
        for text in ["local", "container:web"] {
            assert_eq!(text.parse::<Place>().expect("a place").to_string(), text);
        }
        #[cfg(feature = "ssh")]
        assert_eq!("ssh:deploy@web-1".parse::<Place>().expect("a place").to_string(), "ssh:deploy@web-1");
        for text in ["", "web", "container:", "moon:base"] {
            let error = text.parse::<Place>().expect_err("no place");
            assert!(error.to_string().contains(&format!("`{text}` is no place")), "{error}");
        }
    }
}
