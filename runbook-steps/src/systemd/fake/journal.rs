//! The simulated journal, and `journalctl`.

use runbook::command::Output;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::Unit;
use super::manager::{Manager, SYSTEMD};
use super::{BOOT_MS, journal_resource, unknown};

/// One entry. Its place in the journal is its cursor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// In milliseconds.
    pub(super) at: u64,
    pub(super) unit: Unit,
    pub(super) invocation: String,
    pub(super) by: String,
    pub(super) message: String,
}

impl Record {
    fn priority(&self) -> u8 {
        match self.by == SYSTEMD {
            true if self.message.contains(": Failed with result") => 4,
            true if self.message.contains("process exited") => 5,
            _ => 6,
        }
    }

    fn line(&self, place: usize) -> String {
        let micros = (BOOT_MS.unsigned_abs() + self.at) * 1000;
        let entry = json!({
            "__CURSOR": format!("s=sim;i={place}"),
            "__REALTIME_TIMESTAMP": micros.to_string(),
            "PRIORITY": self.priority().to_string(),
            "SYSLOG_IDENTIFIER": self.by,
            "MESSAGE": self.message,
        });
        format!("{entry}\n")
    }
}

/// What is asked for.
#[derive(Default)]
struct Asked<'a> {
    unit: Option<Unit>,
    lines: Option<usize>,
    since: Option<u64>,
    cursor: Option<usize>,
    after: Option<usize>,
    priority: Option<u8>,
    grep: Option<regex_lite::Regex>,
    life: Option<&'a str>,
    own: Option<&'a str>,
    until: Option<u64>,
}

impl<'a> Asked<'a> {
    fn parse(args: &[&'a str], now: u64) -> Option<Self> {
        let place = |cursor: &str| cursor.strip_prefix("s=sim;i=")?.parse().ok();
        let mut asked = Self::default();
        for arg in args {
            match arg.split_once('=') {
                None | Some(("_PID" | "--output" | "--output-fields" | "--case-sensitive", _)) => {}
                Some(("--unit", unit)) => asked.unit = Some(Unit::named(unit)),
                Some(("--lines", lines)) => asked.lines = Some(lines.parse().ok()?),
                Some(("--since", ago)) => {
                    let seconds: u64 = ago.strip_prefix('-')?.strip_suffix('s')?.parse().ok()?;
                    asked.since = Some(now.saturating_sub(seconds * 1000));
                }
                Some(("--cursor", cursor)) => asked.cursor = Some(place(cursor)?),
                Some(("--after-cursor", cursor)) => asked.after = Some(place(cursor)?),
                Some(("--priority", number)) => asked.priority = Some(number.parse().ok()?),
                Some(("--grep", pattern)) => asked.grep = Some(regex_lite::Regex::new(pattern).ok()?),
                Some(("INVOCATION_ID", id)) => asked.life = Some(id),
                Some(("_SYSTEMD_INVOCATION_ID", id)) => asked.own = Some(id),
                Some(("--until", at)) => {
                    let seconds: u64 = at.strip_prefix('@')?.parse().ok()?;
                    asked.until = Some((seconds * 1000).saturating_sub(BOOT_MS.unsigned_abs()));
                }
                Some(_) => return None,
            }
        }
        Some(asked)
    }

    fn wants(&self, place: usize, record: &Record) -> bool {
        self.unit.as_ref().is_none_or(|unit| record.unit == *unit)
            && self.since.is_none_or(|since| record.at >= since)
            && self.cursor.is_none_or(|cursor| place >= cursor)
            && self.after.is_none_or(|after| place > after)
            && self.priority.is_none_or(|priority| record.priority() <= priority)
            && self.grep.as_ref().is_none_or(|grep| grep.is_match(&record.message))
            && self.until.is_none_or(|until| record.at <= until)
            && self.own.is_none_or(|life| record.invocation == life && record.by != SYSTEMD)
            && self.life.is_none_or(|life| record.invocation == life && record.by == SYSTEMD)
    }
}

/// `journalctl` itself.
pub(super) fn journalctl(manager: &mut Manager<'_, '_>, args: &[&str]) -> Output {
    let Some(asked) = Asked::parse(args, manager.now) else { return unknown("journalctl", args) };
    let all: Vec<Record> = manager.call.state(&journal_resource());
    let mut found: Vec<(usize, &Record)> =
        all.iter().enumerate().filter(|(place, record)| asked.wants(*place, record)).collect();
    // With a pattern and a number of lines it goes backwards, from a cursor too.
    if let (Some(cursor), Some(_), Some(grep)) = (asked.cursor.or(asked.after), asked.lines, &asked.grep) {
        found = all.iter().enumerate().take(cursor + 1).filter(|(_, record)| grep.is_match(&record.message)).collect();
    }
    if let Some(lines) = asked.lines {
        // From a cursor on the first ones, else the last.
        if asked.cursor.is_some() || asked.after.is_some() {
            found.truncate(lines);
        } else {
            found.drain(..found.len().saturating_sub(lines));
        }
    }
    if found.is_empty() && asked.grep.is_some() {
        return Output::failed(1, "");
    }
    Output::ok(found.into_iter().map(|(place, record)| record.line(place)).collect::<String>())
}
