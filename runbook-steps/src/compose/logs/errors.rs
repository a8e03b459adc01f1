//! Lines of a log that say something is wrong, or anything else that is looked for.

use async_trait::async_trait;
use runbook::{Check, Context, Description, ErrorKind, Evidence, Finding, Gauge, Resource, Result};

use super::{Line, Logs, compiled};

/// What a line says that is an error: the words of loggers, alone and in JSON, and the beginning of a Python traceback. A
/// regular expression; case counts.
pub const ERROR_WORDS: &str = crate::journald::ERROR_WORDS;

/// How many lines an answer shows.
const SHOWN: usize = 10;

/// Lines of a log that match.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "say how many there may be: `.max(0)`"]
pub struct Errors {
    pub(super) logs: Logs,
    pub(super) pattern: String,
}

impl Errors {
    /// Asks whether there are at most this many.
    pub fn max(self, most: usize) -> ErrorsAtMost {
        ErrorsAtMost { errors: self, most }
    }

    /// The lines themselves, in the order they were written.
    pub async fn list(&self, cx: &Context) -> Result<Vec<Line>> {
        let pattern = compiled(&self.pattern)?;
        let mut lines = self.logs.lines(cx).await?;
        lines.retain(|line| pattern.is_match(&line.text));
        Ok(lines)
    }
}

/// How many lines match; missing data when there is no log.
#[async_trait]
impl Gauge for Errors {
    async fn measure(&self, cx: &Context) -> Result<Option<f64>> {
        match self.list(cx).await {
            Ok(lines) => Ok(Some(lines.len() as f64)),
            Err(error) if error.kind() == ErrorKind::Unknown => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The check of [`Errors::max`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct ErrorsAtMost {
    errors: Errors,
    most: usize,
}

#[async_trait]
impl Check for ErrorsAtMost {
    fn describe(&self) -> Description {
        let Errors { logs, pattern } = &self.errors;
        let what = if pattern == ERROR_WORDS { "errors".to_owned() } else { format!("lines like `{pattern}`") };
        let most = if self.most == 0 { "no".to_owned() } else { format!("at most {}", self.most) };
        logs.project
            .describe("logs", &logs.services)
            .summary(format!("{most} {what} in the log of {}", logs.people_say()))
            .command(format!("{} | grep -E '{pattern}'", logs.typed()))
            .reads(Resource::new("service-log", logs.project.name()))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let found = self.errors.list(cx).await?;
        let last = &found[found.len().saturating_sub(SHOWN)..];
        let summary = format!("{} lines match, at most {} are fine", found.len(), self.most);
        Ok(Finding::of(found.len() <= self.most, Evidence::new(summary).lines(last.iter().map(ToString::to_string))))
    }
}
