//! How a journal is read.

use runbook::command::Output;
use runbook::{Command, Context, Error, Explain as _, Result};

use super::commands::{From, Query};
use super::{Entry, commands};
use crate::systemd::{self, LoadState, Unit};

/// The last entries of a unit, its own and those systemd wrote about it, oldest first. Source: `journalctl`.
pub async fn tail(cx: &Context, unit: impl Into<Unit>, lines: u32) -> Result<Vec<Entry>> {
    let unit = unit.into();
    unit.require_name()?;
    read(cx, &Query { unit: &unit, from: None, priority: None, pattern: None, most: lines }).await
}

/// The entries a query asks for, oldest first.
pub(super) async fn read(cx: &Context, query: &Query<'_>) -> Result<Vec<Entry>> {
    let command = query.command();
    let output = cx.output(&command).await?;
    // With a pattern, nothing found is an exit code of its own.
    let none = query.pattern.is_some() && output.code == Some(1) && output.stdout.is_empty();
    if !output.stderr.is_empty() || !(output.success() || none) {
        return Err(unreadable(cx, &command, &output));
    }
    entries(&output)
}

/// journalctl shows what it can read, says on its error output what it cannot, and exits with 0.
fn unreadable(cx: &Context, command: &Command, output: &Output) -> Error {
    let said = String::from_utf8_lossy(&output.stderr);
    let error = Error::unknown(format!("the journal of {} cannot be read whole", cx.host().name()));
    let error = error.details(std::iter::once(format!("$ {command}")).chain(output.tail(10)));
    if said.contains("insufficient permissions") || said.contains("not seeing messages") {
        return error.hint("it takes root, or the group `systemd-journal`");
    }
    if said.contains("No journal files were found") {
        return error.hint("is systemd-journald running, with Storage=persistent or auto?");
    }
    if said.contains("pattern matching support") {
        return error.hint("this journalctl was built without PCRE2: `.by_priority_alone()`");
    }
    error
}

fn entries(output: &Output) -> Result<Vec<Entry>> {
    // Too much to be kept is too much to be judged.
    let text = output.text().map_err(|error| error.kind_of(runbook::ErrorKind::Unknown))?;
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with("-- "));
    lines.map(Entry::parse).collect::<Result<_>>().map_err(|error| error.kind_of(runbook::ErrorKind::Unknown))
}

/// Where the life of a unit begins in the journal; of one that is down, its last.
pub(super) async fn beginning(cx: &Context, unit: &Unit) -> Result<From> {
    let now = systemd::status(cx, unit).await?;
    if now.load == LoadState::NotFound {
        return Err(Error::unknown(format!("the unit `{unit}` does not exist")));
    }
    let life = now
        .invocation
        .with_context(|| format!("`{unit}` was not started since systemd remembers"))
        .map_err(|error| error.kind_of(runbook::ErrorKind::Unknown).hint("say from when: `.since(10.minutes())`"))?;
    let Some(began) = first(cx, &commands::life(&life)).await? else {
        return Err(Error::unknown(format!("the journal does not say when `{unit}` was started"))
            .hint("it is not kept for long enough, or not readable; or say from when: `.since(10.minutes())`"));
    };
    // A process can be faster than systemd, and have said why it fails before systemd says that it was started.
    let said = first(cx, &commands::first_words(&life, began.at)).await?;
    Ok(From::At(said.filter(|said| said.at < began.at).unwrap_or(began).cursor))
}

/// The first entry a command gives.
async fn first(cx: &Context, command: &Command) -> Result<Option<Entry>> {
    let output = cx.output(command).await?;
    if !output.success() || !output.stderr.is_empty() {
        return Err(unreadable(cx, command, &output));
    }
    Ok(entries(&output)?.into_iter().next())
}

/// The last entry of a unit now, to go on from.
pub(super) async fn end(cx: &Context, unit: &Unit) -> Result<Option<From>> {
    Ok(tail(cx, unit, 1).await?.pop().map(|last| From::After(last.cursor)))
}
