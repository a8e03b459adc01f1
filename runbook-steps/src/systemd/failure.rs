//! What went wrong, with all a person would look up next.

use runbook::command::Output;
use runbook::{Command, Context, Error, ErrorKind};

use super::{ActiveState, Status, Unit, facts};
use crate::journald;

/// How many lines of the journal an error brings with it.
const LINES: u32 = 15;

/// What systemd's tools say when something went wrong, what that means, and what to do about it.
const SAYINGS: &[(&str, ErrorKind, &str)] = &[
    ("Access denied", ErrorKind::Failed, AS_ROOT),
    ("authentication required", ErrorKind::Failed, AS_ROOT),
    ("Permission denied", ErrorKind::Failed, AS_ROOT),
    ("has not been booted with systemd", ErrorKind::Failed, "systemd is not what runs this host"),
    ("Connection reset by peer", ErrorKind::Unknown, "systemd hung up before it answered"),
    ("Connection timed out", ErrorKind::Unknown, "systemd did not answer in time"),
    ("Transport endpoint is not connected", ErrorKind::Unknown, "systemd hung up before it answered"),
    ("to bus", ErrorKind::Transient, "systemd or its D-Bus cannot be reached now"),
];

const AS_ROOT: &str = "it takes root: `run.on(&Become::user(\"root\").on(&host))`, or a rule of polkit";

/// The error of a command that failed.
pub(super) fn of(cx: &Context, command: &Command, output: &Output) -> Error {
    let error = Error::new(format!("`{command}` on {} {}", cx.host().name(), output.ending())).details(output.tail(10));
    match saying(output) {
        Some((kind, hint)) => error.kind_of(kind).hint(hint),
        None => error,
    }
}

/// What a tool said, when it is something known that has nothing to do with the unit.
pub(super) fn saying(output: &Output) -> Option<(ErrorKind, &'static str)> {
    let said = String::from_utf8_lossy(&output.stderr);
    SAYINGS.iter().find(|(words, ..)| said.contains(words)).map(|(_, kind, hint)| (*kind, *hint))
}

pub(super) fn unread(command: &Command, output: &Output) -> Error {
    Error::new(format!("cannot read what `{command}` says")).details(output.tail(10))
}

/// The error of a unit that is not as it should be, with its status and the last lines of its journal.
pub(super) async fn of_unit(cx: &Context, unit: &Unit, what: &str) -> Error {
    let on = cx.host().name();
    match facts::status(cx, unit).await {
        Ok(status) => with_status(cx, &status, what).await,
        Err(why) => {
            Error::new(format!("`{unit}` on {on} {what}")).caused_by(why.context("and its status cannot be read"))
        }
    }
}

/// The same for a status that is known.
pub(super) async fn with_status(cx: &Context, status: &Status, what: &str) -> Error {
    let unit = &status.unit;
    let journal = match journald::tail(cx, unit, LINES).await {
        Ok(entries) => entries,
        Err(why) => {
            let error = Error::new(format!("`{unit}` on {} {what}: {}", cx.host().name(), status.line()));
            return error.details([format!("the journal cannot be read: {why:#}")]);
        }
    };
    let limited = hits_start_limit(status, journal.iter().map(|entry| entry.message.as_str()));
    let limit = if limited { ", and its start limit is hit (start-limit-hit)" } else { "" };
    let error = Error::new(format!("`{unit}` on {} {what}: {}{limit}", cx.host().name(), status.line()));
    let error = error.details(journal.iter().map(ToString::to_string));
    if limited { error.hint(format!("systemd starts it no more until `systemctl reset-failed {unit}`")) } else { error }
}

/// Whether systemd refuses to start it because it was started too often.
///
/// Its result says so only when its last process ended well: the result of one that failed stays (systemd 252). Then
/// the journal alone tells.
fn hits_start_limit<'a>(status: &Status, mut messages: impl DoubleEndedIterator<Item = &'a str>) -> bool {
    status.active == ActiveState::Failed
        && (status.result.as_deref() == Some("start-limit-hit")
            || messages
                .rfind(|message| message.ends_with(TOO_OFTEN) || message.starts_with("Started "))
                .is_some_and(|last| last.ends_with(TOO_OFTEN)))
}

/// What systemd writes into the journal of a unit that was started too often.
const TOO_OFTEN: &str = ": Start request repeated too quickly.";
