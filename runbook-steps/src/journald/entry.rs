//! One entry of a journal.

use std::fmt;

use jiff::Timestamp;
use runbook::{Error, Explain as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How bad an entry is, the worst first. Source: syslog(3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// The system is unusable.
    Emergency,
    /// Someone has to act at once.
    Alert,
    /// Critical.
    Critical,
    /// An error.
    Error,
    /// A warning.
    Warning,
    /// Normal, and worth noting.
    Notice,
    /// What programs print, whatever it says.
    Info,
    /// For the people who wrote the program.
    Debug,
}

impl Priority {
    const ALL: [Self; 8] = [
        Self::Emergency,
        Self::Alert,
        Self::Critical,
        Self::Error,
        Self::Warning,
        Self::Notice,
        Self::Info,
        Self::Debug,
    ];

    pub(super) fn parse(number: &str) -> Option<Self> {
        Self::ALL.get(number.parse::<usize>().ok()?).copied()
    }

    /// Its number, 0 to 7.
    pub fn number(self) -> u8 {
        self as u8
    }
}

/// One entry of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When it was received.
    pub at: Timestamp,
    /// How bad it is; `None` when it does not say.
    pub priority: Option<Priority>,
    /// Who wrote it: the name of a program.
    pub by: String,
    /// Its text. Bytes that are not text are shown as well as possible.
    pub message: String,
    /// Its place in the journal.
    pub cursor: String,
}

impl Entry {
    /// The fields of an entry that are read. The others of this kind come unasked.
    pub(super) const FIELDS: &'static str = "MESSAGE,PRIORITY,SYSLOG_IDENTIFIER";

    /// From a line of `journalctl -o json`. Source: systemd's "Journal JSON Format".
    pub(super) fn parse(line: &str) -> Result<Self> {
        let bad = || format!("cannot read the journal entry `{}`", line.chars().take(200).collect::<String>());
        let fields: Value = serde_json::from_str(line).map_err(|error| Error::from(error).context(bad()))?;
        let text = |name: &str| fields.get(name).and_then(text);
        let micros = text("__REALTIME_TIMESTAMP").and_then(|micros| micros.parse().ok());
        Ok(Self {
            at: micros.and_then(|micros| Timestamp::from_microsecond(micros).ok()).with_context(bad)?,
            priority: text("PRIORITY").as_deref().and_then(Priority::parse),
            by: text("SYSLOG_IDENTIFIER").unwrap_or_default(),
            // One that is too long for journalctl is null.
            message: text("MESSAGE").unwrap_or_default(),
            cursor: text("__CURSOR").with_context(bad)?,
        })
    }
}

/// A field: text, bytes as numbers when they are not text, or several of either, of which the first counts.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(bytes) if bytes.iter().all(Value::is_u64) => {
            let bytes: Vec<u8> = bytes.iter().filter_map(|byte| u8::try_from(byte.as_u64()?).ok()).collect();
            Some(String::from_utf8_lossy(&bytes).into_owned())
        }
        Value::Array(several) => several.first().and_then(text),
        _ => None,
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} {}: {}", self.at, self.by, self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(message: &str) -> Result<Entry> {
        Entry::parse(&format!(
            r#"{{"__REALTIME_TIMESTAMP":"1795232898503498","__CURSOR":"s=1;i=2","PRIORITY":"3","MESSAGE":{message},"SYSLOG_IDENTIFIER":"api"}}"#
        ))
    }

    #[test]
    fn messages_come_as_text_as_bytes_and_not_at_all() {
        let plain = entry(r#""ERROR no database""#).expect("is read");
        assert_eq!(plain.priority, Some(Priority::Error));
        assert_eq!(plain.to_string(), "2026-11-21T03:48:18Z api: ERROR no database");
        assert_eq!(entry("[27,91,111,107]").expect("is read").message, "\u{1b}[ok");
        assert_eq!(entry("null").expect("is read").message, "");
        assert_eq!(entry(r#"["first","second"]"#).expect("is read").message, "first");
    }

    #[test]
    fn what_is_no_entry_is_an_error() {
        for line in ["", "-- No entries --", "{}", r#"{"__CURSOR":"s=1","__REALTIME_TIMESTAMP":"soon"}"#] {
            let error = Entry::parse(line).expect_err("is no entry");
            assert!(error.to_string().contains("journal entry"), "{error:?}");
        }
    }

    #[test]
    fn priorities_have_the_numbers_of_syslog() {
        assert_eq!(Priority::parse("3"), Some(Priority::Error));
        assert_eq!((Priority::Emergency.number(), Priority::Debug.number()), (0, 7));
        assert_eq!(Priority::parse("8"), None);
        assert!(Priority::Critical < Priority::Error);
    }
}
