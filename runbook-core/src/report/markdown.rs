//! The deployment log: what people fill in by hand after a deployment, filled in by itself.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::Summary;
use super::log::{
    Answer, DeploymentLog, Deviation, Downtime, Issue, Line, Phase, Point, PutBack, Remains, Rollback, clock,
};
use super::versions::Version;
use super::words::{one_line, took};

/// The deployment log of a run, in Markdown. All times are UTC.
pub fn log(summary: &Summary) -> String {
    let log = DeploymentLog::of(summary);
    let mut text = String::new();
    let _ = writeln!(text, "# Deployment log: {}\n", escaped(&log.title));
    head(&mut text, &log);
    section(&mut text, "Pre-deployment checks", &log.before, ticked, "none");
    section(&mut text, "Deployment steps", &log.phases, phase, "none");
    section(&mut text, "Each step", &log.steps, line, "none");
    section(&mut text, "Verification results", &log.verification, verified, "nothing was verified");
    section(&mut text, "Issues and notes", &log.issues, issue, "none");
    section(&mut text, "Deviations", &log.deviations, deviation, "none");
    let _ = writeln!(text, "## Rollback\n");
    rollback(&mut text, &log.rollback);
    text
}

fn section<T>(text: &mut String, title: &str, items: &[T], line: fn(&T) -> String, none: &str) {
    let _ = writeln!(text, "## {title}\n");
    for item in items {
        let _ = writeln!(text, "{}", line(item));
    }
    if items.is_empty() {
        let _ = writeln!(text, "- {none}");
    }
    text.push('\n');
}

/// The table at the top.
fn head(text: &mut String, log: &DeploymentLog) {
    let rows = [
        ("Deployer", log.deployers.join(", then ")),
        ("Environment", log.environment.clone()),
        ("Procedure", log.procedure.clone()),
        ("Run", [&*log.run, &*log.host].join(" on ")),
        ("Inputs", log.inputs.clone()),
        ("Git tag", log.tag.clone().unwrap_or_default()),
    ];
    let outcome = log.took.map_or_else(|| log.outcome.clone(), |span| format!("{} after {}", log.outcome, took(span)));
    let last = [("Result", log.result.clone()), ("Outcome", outcome), ("Downtime", downtime(&log.downtime))];
    // A table needs a head and a rule; the date makes a good one.
    let _ = writeln!(text, "| Date | {} |\n|---|---|", log.date.map(date).unwrap_or_default());
    let rows = rows.map(|(name, value)| (name.to_owned(), value)).into_iter();
    let rows = rows.chain(log.versions.iter().flat_map(version)).chain(last.map(|(name, value)| (name.into(), value)));
    for (name, value) in rows.filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(text, "| {} | {} |", escaped(&name), escaped(&value));
    }
    text.push('\n');
}

/// What is there, and what was there before.
fn version(version: &Version) -> [(String, String); 2] {
    let Version { name, before, after, step, back } = version;
    let back = if *back { ", put back" } else { "" };
    let after = after.as_ref().map(|after| format!("{after} ({step}{back})")).unwrap_or_default();
    [(name.clone(), after), (format!("{name} before"), before.clone().unwrap_or_default())]
}

fn downtime(all: &[Downtime]) -> String {
    let each: Vec<_> = all.iter().map(|downtime| format!("{}: {}", downtime.of, downtime.words)).collect();
    if each.is_empty() { "not measured".to_owned() } else { each.join("; ") }
}

fn ticked(point: &Point) -> String {
    let mark = if point.answer == Answer::Pass { 'x' } else { ' ' };
    let label = point.point.filter(|label| !point.what.contains(label)).map(|label| format!("{label}: "));
    let waits = if point.answer == Answer::Open && point.at.is_some() { " (waits for an answer)" } else { "" };
    let at = point.at.map(|at| format!(" ({})", clock(at))).unwrap_or_default();
    let (label, what, evidence) = (label.unwrap_or_default(), escaped(&point.what), evidence(&point.evidence));
    format!("- [{mark}] {label}{what}{evidence}{waits}{at}")
}

fn evidence(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {}", escaped(&one_line(said))) }
}

fn phase(phase: &Phase) -> String {
    let note = match &*phase.note {
        "" => String::new(),
        by if by.starts_with("by ") => format!(" {}", escaped(by)),
        note => format!(" ({})", escaped(note)),
    };
    format!("- {}: {}{note}", phase.name, clock(phase.at))
}

fn line(line: &Line) -> String {
    let Line { depth, title, at, host, is_elsewhere, how, evidence } = line;
    let place = if *is_elsewhere { format!(" on {}", escaped(host)) } else { String::new() };
    let how = if how.is_empty() { String::new() } else { format!(" ({})", escaped(how)) };
    let evidence = if evidence.is_empty() { String::new() } else { format!(" `{}`", evidence.replace('`', "'")) };
    format!("{}- {}: {}{place}{how}{evidence}", "  ".repeat(*depth), escaped(title), clock(*at))
}

fn verified(point: &Point) -> String {
    let evidence = one_line(&point.evidence);
    let evidence = if evidence.is_empty() { String::new() } else { format!(" ({})", escaped(&evidence)) };
    let at = point.at.map(|at| format!(" at {}", clock(at))).unwrap_or_default();
    format!("- {}: {}{evidence}{at}", escaped(&point.what), point.answer.word())
}

/// How many of the last words of a failure are told.
const LAST: usize = 10;

fn issue(issue: &Issue) -> String {
    let Issue { at, kind, text, lines } = issue;
    let mut told = format!("- {} {kind}: {}", clock(*at), escaped(text));
    for line in &lines[lines.len().saturating_sub(LAST)..] {
        let _ = write!(told, "\n  - `{}`", line.replace('`', "'"));
    }
    told
}

fn deviation(deviation: &Deviation) -> String {
    let Deviation { at, kind, text } = deviation;
    let at = at.map(|at| format!("{} ", clock(at))).unwrap_or_default();
    format!("- {at}{kind}: {}", escaped(&one_line(text)))
}

fn rollback(text: &mut String, rollback: &Rollback) {
    let Rollback { required, reason, at, took: long, put_back, left } = rollback;
    let _ = writeln!(text, "- Required: {}", if *required { "YES" } else { "NO" });
    if *required {
        let _ = writeln!(text, "- Reason: {}", escaped(&one_line(reason)));
    }
    if let Some(at) = at {
        let long = long.map(|long| format!(", took {}", took(long))).unwrap_or_default();
        let _ = writeln!(text, "- Began: {}{long}", clock(*at));
    }
    for PutBack { what, at, took: long } in put_back {
        let _ = writeln!(text, "- Put back: {}: {} ({})", escaped(what), clock(*at), took(*long));
    }
    for Remains { what, why, commands } in left {
        let _ = writeln!(text, "- STILL THERE: {}: {}", escaped(what), escaped(why));
        for command in commands {
            let _ = writeln!(text, "  - by hand: `{}`", command.replace('`', "'"));
        }
    }
}

fn date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
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
| Git tag | v2 |
| Git commit | 3c4d (Pull latest code, put back) |
| Revision | v2 (Pull latest code, put back) |
| Outcome | failed and rolled back after 11.0 s |
| Downtime | not measured |

## Pre-deployment checks

- [x] Disk space: 40 GB free (00:00:01)
- [ ] CI passing: nothing in this run says so
- [ ] Backup taken: nothing in this run says so
- [ ] Team notified: nothing in this run says so

## Deployment steps

- Start time: 00:00:00 by anna
- End time: 00:00:11

## Each step

- Pull latest code: 00:00:01 (412 ms, put back) `commit = 3c4d, revision = v2`
- Restart services: 00:00:03 (2.5 s)
  - api / Restart: 00:00:04 (already so) `commit = 3c4d, revision = v2`
- Run migrations: 00:00:06 (FAILED after 1.5 s, put back)

## Verification results

- nothing was verified

## Issues and notes

- 00:00:07 failed: Run migrations: `alembic upgrade head` on db-1 exited with 1: relation \"entries\" \\<already\\> exists
  - `INFO upgrading`
  - `FATAL cannot go on`

## Deviations

- 00:00:07 tried again: Run migrations after attempt 1: connection refused

## Rollback

- Required: YES
- Reason: `alembic upgrade head` on db-1 exited with 1: relation \"entries\" \\<already\\> exists
- Began: 00:00:08, took 1.5 s
- Put back: Run migrations: 00:00:08 (80 ms)
- Put back: Pull latest code: 00:00:09 (80 ms)
";
        let summary: Summary = sample::put_back().iter().collect();
        assert_eq!(log(&summary), expected);
    }

    #[test]
    fn left_behind() {
        let summary: Summary = sample::incomplete().iter().collect();
        let log = log(&summary);
        let expected = "\
## Verification results

- Health: FAIL (503) at 00:00:04

## Issues and notes

- 00:00:04 failed: Health: 503
  - `upstream <down>`

## Deviations

- none

## Rollback

- Required: YES
- Reason: check `Health` failed
- Began: 00:00:04, took 1.0 s
- Put back: Pull latest code: 00:00:05 (80 ms)
- STILL THERE: Tell the team: cannot be undone: a mail cannot be called back
  - by hand: `mail -s 'never mind' team`
";
        assert!(log.ends_with(expected), "{log}");
        assert!(
            log.contains("- Tell the team: 00:00:02 (412 ms, STILL THERE) `commit = 3c4d, revision = v2`"),
            "{log}"
        );
    }
}
