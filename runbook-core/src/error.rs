//! One error for the whole library: what happened, to what, why, and what to do about it.
//!
//! An error of a run must survive a crash of the runner, because replaying a procedure gives it the
//! same error again. So an [`Error`] is data: it keeps its causes as the words they said.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What an error means for the run: whether trying again can help, and who has to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// Trying again will not help.
    Failed,
    /// Trying again may help: a refused connection, a lock held by someone else.
    Transient,
    /// Nobody knows whether it happened: the connection was lost after the request was sent.
    Unknown,
    /// Refused before anything changed: a lock, a window, a precondition, a plan no longer true.
    Refused,
    /// Waits for a person; the run can be continued.
    Parked,
    /// A person or the system asked the run to stop.
    Interrupted,
    /// Not tried, because the scope it belongs to is already stopping or being rolled back.
    Stopped,
    /// The journal remembers another procedure than the code is.
    Mismatch,
    /// The journal cannot be read or written.
    Journal,
    /// A plan cannot see further than this.
    Horizon,
}

/// An error: what failed, by name, with its causes and a hint.
///
/// Like the errors of `anyhow`, it converts from every [`std::error::Error`] with `?`, and therefore
/// is none itself. `{}` prints the message, `{:#}` the message and its causes on one line, `{:?}` all
/// of it on several lines.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error(Box<Failure>);

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Failure {
    kind: ErrorKind,
    message: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    causes: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    details: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

impl Error {
    /// An error that trying again will not mend. The message fits after "failed to …" or names the
    /// object in backticks.
    pub fn new(message: impl Into<String>) -> Self {
        Self::of(ErrorKind::Failed, message)
    }

    /// An error of the given kind.
    pub fn of(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Failure { kind, message: message.into(), causes: Vec::new(), details: Vec::new(), hint: None }))
    }

    /// An error that may pass when tried again.
    pub fn transient(message: impl Into<String>) -> Self {
        Self::of(ErrorKind::Transient, message)
    }

    /// An outcome nobody knows; the engine looks again until it is known.
    pub fn unknown(message: impl Into<String>) -> Self {
        Self::of(ErrorKind::Unknown, message)
    }

    /// A refusal before anything changed.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::of(ErrorKind::Refused, message)
    }

    /// The same error under a new message; the old message becomes its first cause.
    #[must_use]
    pub fn context(mut self, message: impl Into<String>) -> Self {
        let old = std::mem::replace(&mut self.0.message, message.into());
        self.0.causes.insert(0, old);
        self
    }

    /// The same error with a cause.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Error>) -> Self {
        let cause = cause.into();
        self.0.causes.push(cause.0.message);
        self.0.causes.extend(cause.0.causes);
        self.0.details.extend(cause.0.details);
        self.0.hint = self.0.hint.or(cause.0.hint);
        self
    }

    /// The same error without the message in front, when that is this one.
    pub(crate) fn without(mut self, message: &str) -> Self {
        if self.0.message == message && !self.0.causes.is_empty() {
            self.0.message = self.0.causes.remove(0);
        }
        self
    }

    /// The same error, saying what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// The same error with lines worth reading: the last words of a command, the log of a service.
    #[must_use]
    pub fn details(mut self, lines: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.0.details.extend(lines.into_iter().map(Into::into));
        self
    }

    /// The same error, of another kind.
    #[must_use]
    pub fn kind_of(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// What it means for the run.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The message alone.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The causes, nearest first.
    pub fn causes(&self) -> impl Iterator<Item = &str> {
        self.0.causes.iter().map(String::as_str)
    }

    /// Lines worth reading beside the message.
    pub fn lines(&self) -> &[String] {
        &self.0.details
    }

    /// What to do about it, when that is known.
    pub fn advice(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Whether trying again may help.
    pub fn is_transient(&self) -> bool {
        self.0.kind == ErrorKind::Transient
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if f.alternate() {
            for cause in self.causes() {
                write!(f, ": {cause}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        for cause in self.causes() {
            write!(f, "\n  because: {cause}")?;
        }
        for line in self.lines() {
            write!(f, "\n  | {line}")?;
        }
        if let Some(hint) = self.advice() {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        let causes = std::iter::successors(error.source(), |cause| cause.source());
        let causes = causes.map(ToString::to_string).collect();
        let mut this = Self::new(error.to_string());
        this.0.causes = causes;
        this
    }
}

/// Adds the name of what was being done to an error.
pub trait Explain<T> {
    /// Puts `message` in front of the error.
    fn context(self, message: impl Into<String>) -> Result<T>;
    /// Puts the message in front of the error, made only when there is one.
    fn with_context<M: Into<String>>(self, message: impl FnOnce() -> M) -> Result<T>;
}

impl<T, E: Into<Error>> Explain<T> for Result<T, E> {
    fn context(self, message: impl Into<String>) -> Result<T> {
        self.map_err(|error| error.into().context(message))
    }

    fn with_context<M: Into<String>>(self, message: impl FnOnce() -> M) -> Result<T> {
        self.map_err(|error| error.into().context(message()))
    }
}

impl<T> Explain<T> for Option<T> {
    fn context(self, message: impl Into<String>) -> Result<T> {
        self.ok_or_else(|| Error::new(message))
    }

    fn with_context<M: Into<String>>(self, message: impl FnOnce() -> M) -> Result<T> {
        self.ok_or_else(|| Error::new(message()))
    }
}

/// Returns early with an [`Error`] made like `format!`.
#[macro_export]
macro_rules! bail {
    ($($message:tt)*) => {
        return ::std::result::Result::Err($crate::Error::new(::std::format!($($message)*)))
    };
}

/// Returns early with an [`Error`] made like `format!`, unless the condition holds.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($message:tt)*) => {
        if !$condition {
            $crate::bail!($($message)*);
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_keeps_its_chain_and_survives_the_journal() {
        let io = std::io::Error::other("no space left");
        let error = Error::from(io).context("write `/srv/app`").hint("free some space");
        let json = serde_json::to_string(&error).expect("serialises");
        let back: Error = serde_json::from_str(&json).expect("parses");
        assert_eq!(format!("{back:#}"), "write `/srv/app`: no space left");
        assert_eq!(back, error);
    }
}
