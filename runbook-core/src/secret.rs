//! Secrets: values that reach a program, and nothing else.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Explain, Result, redact};

/// A secret, held as the name of where it comes from: `env:DB_PASSWORD` or `file:/run/secrets/db`.
///
/// It cannot become an argument of a command: by type it reaches a program only through its
/// environment, its input or a file of mode 0600. `Debug`, `Display` and the serialised form show where it comes
/// from, never what it is.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Secret(Source);

/// Where a secret comes from.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Source {
    Env(String),
    File(PathBuf),
}

impl Secret {
    /// The secret in this environment variable of the runner.
    pub fn env(name: impl Into<String>) -> Self {
        Self(Source::Env(name.into()))
    }

    /// The secret in this file on the runner's machine; a last newline is not part of it.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Source::File(path.into()))
    }

    /// The value itself, for handing it to a client that needs it. From here on, everything the run
    /// prints or keeps passes a redactor that knows it.
    pub fn expose(&self) -> Result<String> {
        let value = match &self.0 {
            Source::Env(name) => std::env::var(name)
                .map_err(Error::from)
                .context(format!("read the secret in environment variable `{name}`")),
            Source::File(path) => std::fs::read_to_string(path)
                .map(|text| text.trim_end_matches(['\n', '\r']).to_owned())
                .map_err(Error::from)
                .context(format!("read the secret in file `{}`", path.display())),
        }?;
        if value.is_empty() {
            return Err(Error::new(format!("the secret {self} is empty")));
        }
        redact::learn(&value);
        Ok(value)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Env(name) => write!(f, "env:{name}"),
            Source::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({self})")
    }
}

impl FromStr for Secret {
    type Err = SecretSyntax;

    fn from_str(text: &str) -> Result<Self, SecretSyntax> {
        match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() => Ok(Self::env(name)),
            Some(("file", path)) if !path.is_empty() => Ok(Self::file(path)),
            _ => Err(SecretSyntax),
        }
    }
}

impl TryFrom<String> for Secret {
    type Error = SecretSyntax;

    fn try_from(text: String) -> Result<Self, SecretSyntax> {
        text.parse()
    }
}

impl From<Secret> for String {
    fn from(secret: Secret) -> Self {
        secret.to_string()
    }
}

/// A secret was written out instead of named. The message does not repeat what was written.
#[derive(Debug, Clone, Copy)]
pub struct SecretSyntax;

impl fmt::Display for SecretSyntax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret is named by where it comes from: `env:NAME` or `file:PATH`, never written out")
    }
}

impl std::error::Error for SecretSyntax {}
