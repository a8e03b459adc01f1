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
    /// Where it was found, and the value, which is never stored.
    Found(String, Option<String>),
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

    /// A secret that was just found, on a host of the run for one, under the name of where. Its value lives as long as this:
    /// what is read back from a journal has the name alone.
    pub fn found(place: impl Into<String>, value: impl Into<String>) -> Self {
        let value = value.into();
        redact::learn(&value);
        Self(Source::Found(place.into(), Some(value)))
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
            Source::Found(_, Some(value)) => Ok(value.clone()),
            Source::Found(place, None) => {
                Err(Error::new(format!("the secret in {place} is not kept in a journal")).hint("look it up again"))
            }
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
            Source::Found(place, _) => write!(f, "found:{place}"),
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
            Some(("found", place)) if !place.is_empty() => Ok(Self(Source::Found(place.to_owned(), None))),
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

/// An argument of a command line is a secret without further ado. Left to itself, `clap` repeats a value it refuses.
#[cfg(feature = "cli")]
mod argument {
    use std::ffi::OsStr;

    use clap::builder::{TypedValueParser, ValueParserFactory};
    use clap::error::ErrorKind;
    use clap::{Arg, Command, Error};

    use super::Secret;

    /// Reads a [`Secret`] from a command line.
    #[derive(Debug, Clone, Copy)]
    pub struct SecretParser;

    impl ValueParserFactory for Secret {
        type Parser = SecretParser;

        fn value_parser() -> SecretParser {
            SecretParser
        }
    }

    impl TypedValueParser for SecretParser {
        type Value = Secret;

        fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<Secret, Error> {
            let secret = value.to_str().and_then(|text| text.parse().ok());
            secret.ok_or_else(|| {
                let name = arg.map_or_else(|| "a secret".to_owned(), |arg| format!("`{arg}`"));
                let message = format!("{name}: {}\n", super::SecretSyntax);
                Error::raw(ErrorKind::ValueValidation, message).with_cmd(command)
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_where_it_comes_from_and_never_what_it_is() {
        let dir = tempfile::tempdir().expect("made");
        let path = dir.path().join("password");
        std::fs::write(&path, "only-in-the-file\n").expect("written");
        let secret = Secret::file(&path);
        assert_eq!(secret.expose().expect("is there"), "only-in-the-file");
        let shown = format!("{secret} {secret:?} {}", serde_json::to_string(&secret).expect("serialises"));
        assert!(!shown.contains("only-in-the-file"), "{shown}");
        assert_eq!(secret.to_string().parse::<Secret>().expect("parses"), secret);
    }

    #[test]
    fn what_was_found_is_kept_by_name_alone() {
        let secret = Secret::found("KEY in /srv/.env on web-1", "only-in-memory-4711");
        assert_eq!(secret.expose().expect("is there"), "only-in-memory-4711");
        let kept = serde_json::to_string(&secret).expect("serialises");
        assert_eq!(kept, r#""found:KEY in /srv/.env on web-1""#);
        let back: Secret = serde_json::from_str(&kept).expect("reads");
        assert!(back.expose().expect_err("is gone").message().contains("KEY in /srv/.env"));
    }

    #[test]
    fn a_secret_that_is_not_there_is_named() {
        let error = Secret::env("RUNBOOK_NO_SUCH_VARIABLE").expose().expect_err("is not set");
        assert_eq!(error.message(), "read the secret in environment variable `RUNBOOK_NO_SUCH_VARIABLE`");
        let error = Secret::file("/no/such/file").expose().expect_err("is not there");
        assert_eq!(error.message(), "read the secret in file `/no/such/file`");
    }

    #[test]
    fn a_secret_that_is_written_out_is_refused_and_not_repeated() {
        let error = "hunter2-written-out".parse::<Secret>().expect_err("is no name");
        assert!(!error.to_string().contains("hunter2"), "{error}");
        let error = serde_json::from_str::<Secret>("\"hunter2-written-out\"").expect_err("is no name");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[cfg(feature = "cli")]
    #[test]
    fn a_command_line_takes_secrets_and_does_not_repeat_one_that_is_written_out() {
        use clap::{Arg, Command, value_parser};
        let command =
            Command::new("book").arg(Arg::new("password").long("password").value_parser(value_parser!(Secret)));
        let found = command.clone().try_get_matches_from(["book", "--password", "env:DB"]).expect("parses");
        assert_eq!(found.get_one::<Secret>("password"), Some(&Secret::env("DB")));
        let error = command.try_get_matches_from(["book", "--password", "hunter2-literal"]).expect_err("is refused");
        let text = format!("{error} {error:?}");
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("--password"), "{text}");
    }
}
