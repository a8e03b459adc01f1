//! The deployment log: what people fill in by hand after a deployment, filled in by itself.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::text::why_left;
use super::words::{count, fields, fields_line, one_line, took};
use super::{Node, State, Summary, Undo, Work};
use crate::event::{RunBegan, RunEnded};
use crate::{CheckRole, Finding, Outcome, ScopeKind, Stored};

/// The deployment log of a run, in Markdown. All times are UTC.
pub fn log(summary: &Summary) -> String {
    let mut text = String::new();
    let title = summary.began.as_ref().map_or("no run yet", |began| &began.title);
    let _ = writeln!(text, "# Deployment log: {}\n", escaped(title));
    head(&mut text, summary);
    section(&mut text, "Pre-deployment checks", &before(summary), "none");
    section(&mut text, "Deployment steps", &steps(summary), "none");
    section(&mut text, "Verification results", &verification(summary), "nothing was verified");
    section(&mut text, "Issues and notes", &issues(summary), "none");
    section(&mut text, "Rollback", &rollback(summary), "");
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn section(text: &mut String, title: &str, lines: &[String], none: &str) {
    let _ = writeln!(text, "## {title}\n");
    for line in lines {
        let _ = writeln!(text, "{line}");
    }
    if lines.is_empty() {
        let _ = writeln!(text, "- {none}");
    }
    text.push('\n');
}

/// The table at the top.
fn head(text: &mut String, summary: &Summary) {
    let Some(RunBegan { run, book, procedure, target, inputs, host, .. }) = &summary.began else { return };
    let mut row = |name: &str, value: String| {
        if !value.is_empty() {
            let _ = writeln!(text, "| {name} | {} |", escaped(&value));
        }
    };
    row("Date", summary.first().map(date).unwrap_or_default());
    // A table needs a head and a rule; the date makes a good one.
    let _ = writeln!(text, "|---|---|");
    let mut row = |name: &str, value: String| {
        if !value.is_empty() {
            let _ = writeln!(text, "| {name} | {} |", escaped(&value));
        }
    };
    row("Deployer", deployers(summary));
    row("Environment", target.clone());
    row("Procedure", format!("{procedure} of book {book}"));
    row("Run", format!("{run} on {host}"));
    row("Inputs", fields_line(inputs));
    for (name, value) in versions(summary) {
        row(&name, value);
    }
    row("Outcome", outcome(summary));
    row("Downtime", downtime(summary));
    text.push('\n');
}

fn deployers(summary: &Summary) -> String {
    let mut names: Vec<&str> = Vec::new();
    for beginning in &summary.beginnings {
        if !names.contains(&beginning.by.as_str()) {
            names.push(&beginning.by);
        }
    }
    names.join(", then ")
}

fn outcome(summary: &Summary) -> String {
    let span = summary.span().map(|span| format!(" after {}", took(span))).unwrap_or_default();
    match &summary.ended {
        Some(RunEnded { outcome: Outcome::Done, warnings: 1.., .. }) => {
            format!("done with {}{span}", count(summary.warnings.len(), "warning"))
        }
        Some(ended) => format!("{}{span}", ended.outcome.words()),
        None => "not ended: running, or its runner was cut off".to_owned(),
    }
}

/// Names of fields that say what was deployed, and what a log calls them.
const VERSIONS: [(&str, &str); 9] = [
    ("commit", "Git commit"),
    ("sha", "Git commit"),
    ("tag", "Git tag"),
    ("release", "Release"),
    ("version", "Version"),
    ("revision", "Revision"),
    ("digest", "Digest"),
    ("image", "Image"),
    ("checksum", "Checksum"),
];

/// What was deployed, as far as the outputs tell: of each name the last value, and where it came from.
fn versions(summary: &Summary) -> Vec<(String, String)> {
    let result = summary.ended.as_ref().and_then(|ended| ended.output.as_ref());
    let from = |node: &Node| if is_back(node) { format!("{}, put back", node.title) } else { node.title.to_string() };
    let of_steps = summary.steps().filter_map(|node| Some((from(node), node.output.as_ref()?)));
    let outputs: Vec<(String, &Stored)> = of_steps.chain(result.map(|output| ("result".to_owned(), output))).collect();
    let mut found: Vec<(String, String)> = Vec::new();
    for (from, output) in outputs {
        for (field, value) in fields(output) {
            let last = field.rsplit('.').next().unwrap_or(&field);
            let Some((_, name)) = VERSIONS.iter().find(|(key, _)| key.eq_ignore_ascii_case(last)) else { continue };
            let value = format!("{value} ({from})");
            match found.iter_mut().find(|(known, _)| known == name) {
                Some(known) => known.1 = value,
                None => found.push(((*name).to_owned(), value)),
            }
        }
    }
    found
}

/// Whether its change was undone.
fn is_back(node: &Node) -> bool {
    matches!(node.undo, Undo::Undone | Undo::Settled)
}

/// The downtime when an output tells it; else what was held and for how long.
fn downtime(summary: &Summary) -> String {
    let outputs = summary.nodes().iter().filter_map(|node| node.output.as_ref());
    let outputs = outputs.chain(summary.ended.as_ref().and_then(|ended| ended.output.as_ref()));
    let told = outputs.flat_map(fields).rfind(|(name, _)| name.to_ascii_lowercase().contains("downtime"));
    if let Some((name, value)) = told {
        return format!("{value} ({name})");
    }
    let holds = summary.nodes().iter().filter(|node| node.work == Work::Scope(ScopeKind::Hold));
    let held: Vec<_> = holds.filter_map(|node| Some(format!("{} held for {}", node.title, took(node.took?)))).collect();
    if held.is_empty() { "not measured".to_owned() } else { held.join(", ") }
}

/// The time of the first change; what comes before it was asked beforehand.
fn first_change(summary: &Summary) -> Option<usize> {
    let tried = |node: &Node| node.is_step() && node.state != State::Already;
    summary.nodes().iter().position(tried)
}

fn before(summary: &Summary) -> Vec<String> {
    let first = first_change(summary).unwrap_or(summary.nodes().len());
    let asked = summary.nodes()[..first].iter().chain(
        // A precondition is one wherever it stands.
        summary.nodes()[first..].iter().filter(|node| node.work == Work::Check(CheckRole::Require)),
    );
    asked.filter(|node| node.is_check() || node.work == Work::Question).map(|node| ticked(summary, node)).collect()
}

fn ticked(summary: &Summary, node: &Node) -> String {
    let mark = if node.state == State::Good { 'x' } else { ' ' };
    let evidence = node.finding().map(Finding::evidence);
    let evidence = evidence.or_else(|| node.more()?.answer.as_ref());
    let evidence = evidence.map(|evidence| evidence.summary.as_str()).filter(|summary| !summary.is_empty());
    let evidence = evidence.map(|summary| format!(": {}", escaped(&one_line(summary)))).unwrap_or_default();
    let place = escaped(&summary.path(node).join(" / "));
    let waits = if node.state == State::Waiting { " (waits for an answer)" } else { "" };
    format!("- [{mark}] {place}{evidence}{waits} ({})", time(node.at))
}

fn steps(summary: &Summary) -> Vec<String> {
    let mut lines = vec![];
    for beginning in &summary.beginnings {
        let what = if beginning.resumed { "Resumed" } else { "Start time" };
        lines.push(format!("- {what}: {} by {}", time(beginning.at), escaped(&beginning.by)));
    }
    for (depth, node) in summary.tree() {
        let line = match node.work {
            Work::Scope(_) => scope(node),
            Work::Step(_) => step(node),
            Work::Question => question(node),
            Work::Check(_) => continue,
        };
        lines.push(format!("{}- {line}", "  ".repeat(depth)));
    }
    if let Some(ended) = &summary.ended {
        let what = if ended.outcome == Outcome::Paused { "Paused" } else { "End time" };
        lines.push(format!("- {what}: {}", summary.last.map(time).unwrap_or_default()));
    }
    lines
}

fn scope(node: &Node) -> String {
    let took = node.took.map(|time| format!(" ({})", took(time))).unwrap_or_default();
    format!("{}: {}{took}", escaped(&node.title), time(node.at))
}

fn question(node: &Node) -> String {
    let answer = node.more().and_then(|more| more.answer.as_ref());
    let answer = answer.map_or_else(|| "waits for an answer".to_owned(), |answer| escaped(&answer.summary));
    format!("{}: {} ({answer})", escaped(&node.title), time(node.at))
}

fn step(node: &Node) -> String {
    let title = escaped(&node.title);
    let at = time(node.at);
    let took = node.took.map(took).unwrap_or_default();
    let how = match node.state {
        State::Already => "already so".to_owned(),
        State::Changed | State::Good => took,
        State::FoundDone | State::Remembered => format!("{took}, done before an interruption"),
        State::Failed | State::Unknown => format!("FAILED after {took}"),
        State::Going | State::Waiting => "not finished".to_owned(),
    };
    let undo = match node.undo {
        Undo::Not => "",
        Undo::Going => ", undo not finished",
        Undo::Undone | Undo::Settled => ", put back",
        Undo::Left => ", STILL THERE",
    };
    let evidence = node.output.as_ref().map(fields_line).filter(|line| !line.is_empty());
    let evidence = evidence.map(|line| format!(" `{}`", line.replace('`', "'"))).unwrap_or_default();
    format!("{title}: {at} ({how}{undo}){evidence}")
}

fn verification(summary: &Summary) -> Vec<String> {
    let Some(first) = first_change(summary) else { return Vec::new() };
    let after = summary.nodes()[first..].iter();
    let checks = after.filter(|node| matches!(node.work, Work::Check(role) if role != CheckRole::Require));
    checks.map(|node| verified(summary, node)).collect()
}

fn verified(summary: &Summary, node: &Node) -> String {
    let word = match node.state {
        State::Good => "PASS",
        State::Failed => "FAIL",
        State::Unknown => "UNKNOWN",
        _ => "not finished",
    };
    let evidence = node.finding().map(|finding| one_line(&finding.evidence().summary)).unwrap_or_default();
    let evidence = if evidence.is_empty() { String::new() } else { format!(" ({})", escaped(&evidence)) };
    format!("- {}: {word}{evidence}", escaped(&summary.path(node).join(" / ")))
}

fn issues(summary: &Summary) -> Vec<String> {
    let mut lines = Vec::new();
    for node in summary.nodes() {
        let place = escaped(&summary.path(node).join(" / "));
        for error in node.retries() {
            lines.push(format!("- {place}: tried again after: {}", escaped(&one_line(&format!("{error:#}")))));
        }
        if let Some(error) = node.error().filter(|_| !node.is_scope()) {
            lines.push(format!("- {place} failed: {}", escaped(&one_line(&format!("{error:#}")))));
            let last = error.lines();
            lines.extend(
                last[last.len().saturating_sub(5)..].iter().map(|line| format!("  - `{}`", line.replace('`', "'"))),
            );
        }
    }
    let noted = [("warning: ", &summary.warnings), ("trigger: ", &summary.triggers), ("", &summary.notes)];
    for (label, list) in noted {
        for noted in list {
            lines.push(format!("- {} {label}{}", time(noted.at), escaped(&one_line(&noted.text))));
        }
    }
    for noted in &summary.no_return {
        lines.push(format!("- {} point of no return: {}", time(noted.at), escaped(&noted.text)));
    }
    if summary.interrupted {
        lines.push("- someone asked the run to stop".to_owned());
    }
    lines
}

fn rollback(summary: &Summary) -> Vec<String> {
    let undone = summary.steps().filter(|node| node.undo != Undo::Not).count();
    let needed = summary.rollback.is_some() || undone > 0;
    let mut lines = vec![format!("- Required: {}", if needed { "YES" } else { "NO" })];
    let scope = || summary.scope_rollbacks.first().map(|(_, error)| error);
    if let Some(cause) = summary.rollback.as_ref().or_else(scope).filter(|_| needed) {
        lines.push(format!("- Reason: {}", escaped(&one_line(&format!("{cause:#}")))));
    }
    for node in summary.steps().filter(|node| is_back(node)) {
        let time = node.more().and_then(|more| more.undo_took).map(took).unwrap_or_default();
        lines.push(format!("- Put back: {} ({time})", escaped(&summary.path(node).join(" / "))));
    }
    for left in &summary.left {
        lines.push(format!("- STILL THERE: {}: {}", escaped(&left.title), escaped(&why_left(left))));
        lines.extend(left.commands.iter().map(|command| format!("  - by hand: `{}`", command.replace('`', "'"))));
    }
    lines
}

fn date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

fn time(at: Timestamp) -> String {
    at.strftime("%H:%M:%S").to_string()
}

/// The text as Markdown shows it: what stands in backticks stays code, the rest stays plain.
pub(super) fn escaped(text: &str) -> String {
    let text = super::words::printable(text).replace('\n', " ");
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return plain(&text);
    }
    let each =
        parts.iter().enumerate().map(|(n, part)| if n % 2 == 0 { plain(part) } else { part.replace('|', "\\|") });
    each.collect::<Vec<_>>().join("`")
}

fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut last = ' ';
    for (at, c) in text.char_indices() {
        let next = text[at + c.len_utf8()..].chars().next().unwrap_or(' ');
        // An underscore inside a word is just an underscore.
        let inside = c == '_' && last.is_alphanumeric() && next.is_alphanumeric();
        if !inside && matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#') {
            safe.push('\\');
        }
        safe.push(c);
        last = c;
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn put_back() {
        let expected = "\
# Deployment log: Standard update

| Date | 2026-01-01 00:00 UTC |
|---|---|
| Deployer | anna |
| Environment | production |
| Procedure | standard_update of book marb |
| Run | r1 on build-1 |
| Inputs | revision = v2 |
| Git commit | 3c4d (Restart) |
| Revision | v2 (Restart) |
| Outcome | failed and rolled back after 11.0 s |
| Downtime | not measured |

## Pre-deployment checks

- [x] Disk space: 40 GB free (00:00:00)

## Deployment steps

- Start time: 00:00:00 by anna
- Pull latest code: 00:00:01 (412 ms, put back) `commit = 3c4d, revision = v2`
- Restart services: 00:00:03 (2.5 s)
  - api: 00:00:03 (1.5 s)
    - Restart: 00:00:04 (already so) `commit = 3c4d, revision = v2`
- Run migrations: 00:00:06 (FAILED after 1.5 s, put back)
- End time: 00:00:11

## Verification results

- nothing was verified

## Issues and notes

- Run migrations: tried again after: connection refused
- Run migrations failed: `alembic upgrade head` on db-1 exited with 1: relation \"entries\" \\<already\\> exists
  - `INFO upgrading`
  - `FATAL cannot go on`

## Rollback

- Required: YES
- Reason: `alembic upgrade head` on db-1 exited with 1: relation \"entries\" \\<already\\> exists
- Put back: Pull latest code (80 ms)
- Put back: Run migrations (80 ms)
";
        let summary: Summary = sample::put_back().iter().collect();
        assert_eq!(log(&summary), expected);
    }

    #[test]
    fn left_behind() {
        let expected = "\
# Deployment log: Standard update

| Date | 2026-01-01 00:00 UTC |
|---|---|
| Deployer | anna |
| Environment | production |
| Procedure | standard_update of book marb |
| Run | r1 on build-1 |
| Inputs | revision = v2 |
| Git commit | 3c4d (Tell the team) |
| Revision | v2 (Tell the team) |
| Outcome | failed, rollback incomplete after 6.5 s |
| Downtime | not measured |

## Pre-deployment checks

- none

## Deployment steps

- Start time: 00:00:00 by anna
- Pull latest code: 00:00:00 (412 ms, put back) `commit = 3c4d, revision = v2`
- Tell the team: 00:00:02 (412 ms, STILL THERE) `commit = 3c4d, revision = v2`
- End time: 00:00:06

## Verification results

- Health: FAIL (503)

## Issues and notes

- none

## Rollback

- Required: YES
- Reason: check `Health` failed
- Put back: Pull latest code (80 ms)
- STILL THERE: Tell the team: cannot be undone: a mail cannot be called back
  - by hand: `mail -s 'never mind' team`
";
        let summary: Summary = sample::incomplete().iter().collect();
        assert_eq!(log(&summary), expected);
    }
}
