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
        write!(f, "{}", quote_program(&self.program))?;
        for arg in &self.args {
            write!(f, " {}", quote(arg))?;
        }
        match self.detached.as_ref().map(|detached| detached.output.as_deref()) {
            None => Ok(()),
            Some(None) => f.write_str(" >/dev/null 2>&1 &"),
            Some(Some(log)) => write!(f, " >>{} 2>&1 &", quote(log.as_os_str())),
        }
    }
}

/// Words that a shell takes for its own where a program stands (POSIX, and bash's additions).
const RESERVED: &[&str] = &[
    "case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "in", "select", "then",
    "time", "until", "while",
];

/// The first word: there, a word with `=` would be an assignment.
fn quote_program(program: &OsStr) -> Cow<'_, str> {
    match quote(program) {
        Cow::Borrowed(bare) if bare.contains('=') || RESERVED.contains(&bare) => Cow::Owned(format!("'{bare}'")),
        quoted => quoted,
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
    use proptest::prelude::*;

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
        assert_eq!(Command::new("a=b").arg("c=d").to_string(), "'a=b' c=d");
        assert_eq!(Command::new("time").to_string(), "'time'");
        assert_eq!(
            Command::new("blogd").detached_into("/var/log/blog d").to_string(),
            "blogd >>'/var/log/blog d' 2>&1 &"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn a_shell_reads_back_what_was_rendered(
            args in prop::collection::vec("[^\\x00]{0,12}|[ -~]{0,12}", 1..20),
            value in "[^\\x00]{0,12}",
        ) {
            let command = Command::new("printf").arg(r"%s\0").args(&args);
            let script = format!("{command}; {}", Command::new("sh").args(["-c", r#"printf %s "$V""#]).env("V", &value));
            let output = std::process::Command::new("sh").args(["-c", &script]).output().expect("runs");
            let expected: String = args.iter().flat_map(|arg| [arg.as_str(), "\0"]).chain([value.as_str()]).collect();
            prop_assert_eq!(String::from_utf8(output.stdout).expect("is text"), expected, "{}", script);
        }
    }
}
