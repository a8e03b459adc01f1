//! For programs: events as JSON lines, one event a line, each written out before the next; and the deployment log as one
//! document.

use std::io::Write;
use std::sync::{Arc, OnceLock};

use super::{DeploymentLog, Summary};
use crate::{Event, Reader};

/// The deployment log of a run, as one JSON document.
pub fn log(summary: &Summary) -> String {
    // Its fields are text and numbers, which are JSON whatever they hold.
    serde_json::to_string_pretty(&DeploymentLog::of(summary)).unwrap_or_default() + "\n"
}

/// Writes every event as one line of JSON, and flushes it, so that a reader of the file is never behind.
#[derive(Debug)]
pub struct JsonLines<W> {
    out: W,
    trouble: Trouble,
}

/// What kept a reader from writing, if anything did. The run does not depend on its readers; whoever started it can ask
/// afterwards.
#[derive(Debug, Clone, Default)]
pub struct Trouble(Arc<OnceLock<String>>);

impl Trouble {
    /// The first thing that went wrong.
    pub fn first(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }

    fn note(&self, error: &dyn std::fmt::Display) {
        // Only the first one counts: the rest follows from it.
        let _ = self.0.set(error.to_string());
    }
}

impl<W: Write + Send> JsonLines<W> {
    /// Writing here.
    pub fn new(out: W) -> Self {
        Self { out, trouble: Trouble::default() }
    }

    /// What kept it from writing, to be asked later.
    pub fn trouble(&self) -> Trouble {
        self.trouble.clone()
    }

    fn write(&mut self, event: &Event) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        self.out.write_all(&line)?;
        self.out.flush()
    }
}

impl<W: Write + Send> Reader for JsonLines<W> {
    fn read(&mut self, event: &Event) {
        if self.trouble.first().is_some() {
            return;
        }
        if let Err(error) = self.write(event) {
            self.trouble.note(&error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Key;
    use crate::event::What;

    fn event(seq: u64) -> Event {
        Event {
            seq,
            at: jiff::Timestamp::UNIX_EPOCH,
            what: What::Said { key: Key::from("0"), text: "two\nlines".into() },
        }
    }

    #[test]
    fn every_event_is_one_line_that_parses_back() {
        let mut out = Vec::new();
        let mut reader = JsonLines::new(&mut out);
        reader.read(&event(0));
        reader.read(&event(1));
        let text = String::from_utf8(out).expect("text");
        let back: Vec<Event> = text.lines().map(|line| serde_json::from_str(line).expect("an event")).collect();
        assert_eq!(back, [event(0), event(1)]);
    }

    #[test]
    fn a_full_disk_is_told_to_whoever_asks_and_stops_nothing() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::Error::other("no space left on device"))
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let mut reader = JsonLines::new(Full);
        let trouble = reader.trouble();
        reader.read(&event(0));
        reader.read(&event(1));
        assert_eq!(trouble.first(), Some("no space left on device"));
    }
}
