//! What a command left behind.

use std::borrow::Cow;

use crate::{Error, Result};

/// How a command ended, and what it printed. Memory is bounded: of a long output the beginning and the end are
/// kept, and [`omitted`](Output::omitted) says how much is missing between.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Its standard output, redacted.
    pub stdout: Vec<u8>,
    /// Its standard error, redacted.
    pub stderr: Vec<u8>,
    /// How many bytes of its standard output were not kept.
    pub omitted: u64,
}

impl Output {
    /// An output with exit code 0 that printed this.
    pub fn ok(stdout: impl Into<Vec<u8>>) -> Self {
        Self { code: Some(0), stdout: stdout.into(), ..Self::default() }
    }

    /// An output with this exit code that printed this on its standard error.
    pub fn failed(code: i32, stderr: impl Into<Vec<u8>>) -> Self {
        Self { code: Some(code), stderr: stderr.into(), ..Self::default() }
    }

    /// Whether it exited with 0.
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }

    /// Its standard output as text, without the last newline. Output that is not UTF-8 is an error.
    pub fn text(&self) -> Result<&str> {
        if self.omitted > 0 {
            return Err(Error::new(format!("the output is too long to be read: {} bytes were left out", self.omitted)));
        }
        let text = std::str::from_utf8(&self.stdout)
            .map_err(|error| Error::new(format!("the output is not UTF-8 text from byte {}", error.valid_up_to())))?;
        Ok(text.trim_end_matches(['\n', '\r']))
    }

    /// Its standard output for people, whatever its bytes.
    pub fn lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stdout)
    }

    /// The last lines it printed, of its standard error when there are any.
    pub fn tail(&self, lines: usize) -> Vec<String> {
        let bytes = if self.stderr.is_empty() { &self.stdout } else { &self.stderr };
        let text = String::from_utf8_lossy(bytes);
        let all: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        all[all.len().saturating_sub(lines)..].iter().map(|line| (*line).to_owned()).collect()
    }

    /// `exited with 2`, `was killed by signal 9`.
    pub fn ending(&self) -> String {
        match (self.code, self.signal) {
            (Some(code), _) => format!("exited with {code}"),
            (None, Some(0)) => "was killed by a signal".to_owned(),
            (None, Some(signal)) => format!("was killed by signal {signal}"),
            (None, None) => "ended without a status".to_owned(),
        }
    }
}
