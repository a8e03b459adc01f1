//! The commands, as values. What is asked of the journal is one [`Query`].

use std::time::Duration;

use jiff::Timestamp;
use runbook::Command;

use super::{Entry, Priority};
use crate::systemd::{Invocation, Unit};

/// Where in the journal to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum From {
    /// This long ago, by the clock of the host.
    Ago(Duration),
    /// With this entry.
    At(String),
    /// After this entry.
    After(String),
}

/// Entries of a unit, its own and those systemd wrote about it.
#[derive(Debug, Clone)]
pub(super) struct Query<'a> {
    pub(super) unit: &'a Unit,
    pub(super) from: Option<&'a From>,
    /// This bad or worse.
    pub(super) priority: Option<Priority>,
    /// Whose text matches this regular expression; case counts.
    pub(super) pattern: Option<&'a str>,
    /// At most this many, or all of a pattern after a cursor.
    pub(super) most: u32,
}

fn journalctl() -> Command {
    let fields = format!("--output-fields={}", Entry::FIELDS);
    Command::new("journalctl").args(["--no-pager", "--output=json", &fields]).env("LC_ALL", "C")
}

impl Query<'_> {
    pub(super) fn command(&self) -> Command {
        let mut command = journalctl().arg(format!("--unit={}", self.unit));
        // With a pattern, a number of lines means the last ones: from a cursor on, journalctl would go backwards.
        if self.pattern.is_none() || !matches!(self.from, Some(From::At(_) | From::After(_))) {
            command = command.arg(format!("--lines={}", self.most));
        }
        command = match self.from {
            None => command,
            Some(From::Ago(time)) => command.arg(format!("--since=-{}s", time.as_secs().max(1))),
            Some(From::At(cursor)) => command.arg(format!("--cursor={cursor}")),
            Some(From::After(cursor)) => command.arg(format!("--after-cursor={cursor}")),
        };
        if let Some(priority) = self.priority {
            command = command.arg(format!("--priority={}", priority.number()));
        }
        match self.pattern {
            Some(pattern) => command.arg(format!("--grep={pattern}")).arg("--case-sensitive=yes"),
            None => command,
        }
    }
}

/// What systemd itself wrote about one life of a unit; that it began comes first.
pub(super) fn life(invocation: &Invocation) -> Command {
    journalctl().args(["_PID=1", &format!("INVOCATION_ID={invocation}")])
}

/// What the processes of a life wrote up to a second after this moment.
pub(super) fn first_words(invocation: &Invocation, moment: Timestamp) -> Command {
    let until = format!("--until=@{}", moment.as_second() + 1);
    journalctl().args([until, format!("_SYSTEMD_INVOCATION_ID={invocation}")])
}
