//! The one place where a command becomes text: quoted for a POSIX shell, secrets masked.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt;

use super::{Command, Value};

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.env {
            match value {
                Value::Plain(value) => write!(f, "{name}={} ", quote(value))?,
                Value::Secret(secret) => write!(f, "{name}=[{secret}] ")?,
            }
        }
        write!(f, "{}", quote(&self.program))?;
        for arg in &self.args {
            write!(f, " {}", quote(arg))?;
        }
        Ok(())
    }
}

/// The word as a shell reads it back: bare when it is harmless, else in single quotes.
pub(crate) fn quote(word: &OsStr) -> Cow<'_, str> {
    let text = word.to_string_lossy();
    let harmless = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(harmless) {
        return text;
    }
    Cow::Owned(format!("'{}'", text.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use crate::{Command, Secret};

    #[test]
    fn a_rendered_command_can_be_pasted_and_shows_no_secret() {
        let command = Command::new("psql")
            .args(["-c", "select 'it''s'", ""])
            .env("PGAPPNAME", "run book")
            .secret_env("PGPASSWORD", &Secret::env("DB_PASSWORD"));
        assert_eq!(
            command.to_string(),
            r"PGAPPNAME='run book' PGPASSWORD=[env:DB_PASSWORD] psql -c 'select '\''it'\'''\''s'\''' ''"
        );
    }
}
