//! The events of a run as text, so that a failed test can be understood.

use std::fmt;

use crate::Event;
use crate::event::What;

/// The events of a run, one a line.
pub(crate) struct Transcript<'a>(pub(crate) &'a [Event]);

impl fmt::Display for Transcript<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|event| writeln!(f, "  {}  {}", event.at.strftime("%H:%M:%S"), Line(&event.what)))
    }
}

/// One event in words.
pub(crate) struct Line<'a>(pub(crate) &'a What);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            What::RunBegan(began) => {
                let verb = if began.resumed { "resumed" } else { "began" };
                write!(f, "run of `{}` {verb}, inputs {}", began.procedure, began.inputs.json())
            }
            What::ScopeBegan { key, title, .. } => write!(f, "[{key}] {title}"),
            What::ScopeEnded { key, error: None } => write!(f, "[{key}] ended"),
            What::ScopeEnded { key, error: Some(error) } => write!(f, "[{key}] failed: {error:#}"),
            What::StepBegan { key, title, host, .. } => write!(f, "[{key}] step `{title}` on {host}"),
            What::StepSurveyed { key, changes } => {
                let changes: Vec<_> = changes.iter().map(ToString::to_string).collect();
                write!(f, "[{key}]   will change: {}", changes.join("; "))
            }
            What::StepEnded { key, how, output, .. } => {
                write!(f, "[{key}]   {}, output {}", format!("{how:?}").to_lowercase(), output.json())
            }
            What::StepRetried { key, attempt, after, error } => {
                write!(f, "[{key}]   attempt {attempt} failed, again in {after:?}: {error:#}")
            }
            What::StepFailed { key, error } => write!(f, "[{key}]   failed: {error:#}"),
            What::CommandBegan { key, command } => write!(f, "[{key}]   $ {command}"),
            What::Line { key, line, .. } => write!(f, "[{key}]   | {line}"),
            What::CheckBegan { key, title, .. } => write!(f, "[{key}] check `{title}`"),
            What::CheckEnded { key, finding, .. } => {
                write!(f, "[{key}]   {}: {}", finding.word(), finding.evidence().summary)
            }
            What::Asked { key, title, .. } => write!(f, "[{key}] asked: {title}"),
            What::Answered { key, title, evidence } => write!(f, "[{key}] answered `{title}`: {}", evidence.summary),
            What::Warned { key, text } => write!(f, "[{key}] warning: {text}"),
            What::Said { key, text } => write!(f, "[{key}] {text}"),
            What::Watched { key, of, outage } => write!(f, "[{key}] {of}: {outage}"),
            What::Triggered { key, title, evidence } => write!(f, "[{key}] trigger `{title}`: {}", evidence.summary),
            What::PointOfNoReturn { key, why } => write!(f, "[{key}] point of no return: {why}"),
            What::RollbackBegan { key, cause } => write!(f, "[{key}] rolling back: {cause:#}"),
            What::UndoBegan { key, title, settling: false } => write!(f, "[{key}] undo `{title}`"),
            What::UndoBegan { key, title, settling: true } => write!(f, "[{key}] settle `{title}`"),
            What::UndoEnded { key, .. } => write!(f, "[{key}]   undone"),
            What::Left(left) => write!(f, "[{}] LEFT `{}`: {:?}", left.key, left.title, left.why),
            What::RollbackEnded { key } => write!(f, "[{key}] rolled back"),
            What::Interrupted { .. } => f.write_str("interrupted"),
            What::RunEnded(ended) => {
                write!(f, "run ended: {}", ended.outcome.words())?;
                ended.error.as_ref().map_or(Ok(()), |error| write!(f, ": {error:#}"))
            }
        }
    }
}
