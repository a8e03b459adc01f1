//! What a command prints, on its way in: redacted, kept in bounded memory, and told line by line.

use std::borrow::Cow;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::Instant;

use super::Context;
use super::capture::Flow;
use crate::event::What;
use crate::redact::{self, Stream};

/// How much of the beginning is kept, and as much of the end: 512 KiB.
const KEEP: usize = 512 * 1024;
/// How long a line may be that is told, in bytes.
const LINE: usize = 4096;
/// How many lines may be told at once, and how many more each second: a reader keeps up with that.
const LINES: f64 = 10_000.0;
const LINES_A_SECOND: f64 = 1_000.0;

/// Takes in one stream of a command.
pub(super) struct Intake<'a> {
    redactor: Stream,
    kept: Kept,
    lines: Lines<'a>,
}

impl<'a> Intake<'a> {
    pub(super) fn new(cx: &'a Context, error: bool) -> Self {
        Self { redactor: Stream::default(), kept: Kept::default(), lines: Lines::new(cx, error) }
    }

    /// Reads to the end. A stream that breaks has ended.
    pub(super) async fn drain(&mut self, stream: Option<Box<dyn AsyncRead + Send + Unpin>>, flow: &Flow) {
        let Some(mut stream) = stream else { return };
        let mut chunk = Vec::with_capacity(8 * 1024);
        while let Ok(1..) = stream.read_buf(&mut chunk).await {
            self.take(&chunk);
            flow.moved();
            // Whoever prints much gets a bigger buffer.
            if chunk.len() == chunk.capacity() && chunk.capacity() < 64 * 1024 {
                chunk.reserve(chunk.capacity() * 2);
            }
            chunk.clear();
        }
    }

    pub(super) fn take(&mut self, bytes: &[u8]) {
        let clean = self.redactor.push(bytes);
        self.kept.push(&clean);
        self.lines.push(&clean);
    }

    /// What was kept, and how much was not.
    pub(super) fn finish(mut self) -> Kept {
        let rest = self.redactor.finish();
        self.kept.push(&rest);
        self.lines.push(&rest);
        self.lines.finish();
        self.kept
    }
}

/// The beginning and the end of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Kept {
    head: Vec<u8>,
    tail: Vec<u8>,
    /// Where the oldest byte of a full tail is: the tail is a ring.
    oldest: usize,
    omitted: u64,
}

impl Kept {
    fn push(&mut self, bytes: &[u8]) {
        let (head, rest) = bytes.split_at(bytes.len().min(KEEP - self.head.len()));
        self.head.extend_from_slice(head);
        self.push_tail(rest);
    }

    fn push_tail(&mut self, bytes: &[u8]) {
        let last = &bytes[bytes.len().saturating_sub(KEEP)..];
        self.omitted += (bytes.len() - last.len()) as u64;
        let (grow, turn) = last.split_at(last.len().min(KEEP - self.tail.len()));
        self.tail.extend_from_slice(grow);
        self.omitted += turn.len() as u64;
        let (until_end, from_start) = turn.split_at(turn.len().min(KEEP - self.oldest));
        self.tail[self.oldest..][..until_end.len()].copy_from_slice(until_end);
        self.tail[..from_start.len()].copy_from_slice(from_start);
        self.oldest = (self.oldest + turn.len()) % KEEP;
    }

    /// How many bytes were not kept.
    pub(super) fn omitted(&self) -> u64 {
        self.omitted
    }

    /// The beginning, and the end behind it.
    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        self.tail.rotate_left(self.oldest);
        self.head.append(&mut self.tail);
        self.head
    }

    /// The same for people: what is missing is said where it is missing.
    pub(super) fn into_bytes_that_say_what_is_missing(mut self) -> Vec<u8> {
        if self.omitted > 0 {
            self.head.extend_from_slice(format!("\n[{} bytes left out]\n", self.omitted).as_bytes());
        }
        self.into_bytes()
    }
}

/// Tells a stream line by line.
struct Lines<'a> {
    cx: &'a Context,
    error: bool,
    partial: Vec<u8>,
    /// How many lines may be told now.
    allowance: f64,
    since: Instant,
    skipped: u64,
}

impl<'a> Lines<'a> {
    fn new(cx: &'a Context, error: bool) -> Self {
        Self { cx, error, partial: Vec::new(), allowance: LINES, since: Instant::now(), skipped: 0 }
    }

    fn push(&mut self, mut bytes: &[u8]) {
        self.allow_more();
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            if self.allowance < 1.0 {
                bytes = self.skip(bytes);
                break;
            }
            if self.partial.is_empty() {
                self.tell(&bytes[..end]);
            } else {
                self.add(&bytes[..end]);
                let line = std::mem::take(&mut self.partial);
                self.tell(&line);
            }
            bytes = &bytes[end + 1..];
        }
        self.add(bytes);
    }

    fn allow_more(&mut self) {
        if self.allowance < 1.0 {
            let now = Instant::now();
            self.allowance += (now - self.since).as_secs_f64() * LINES_A_SECOND;
            self.since = now;
        }
    }

    /// Counts whole lines instead of telling them, and gives what is behind the last.
    fn skip<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        self.partial.clear();
        self.skipped += memchr::memchr_iter(b'\n', bytes).count() as u64;
        &bytes[memchr::memrchr(b'\n', bytes).map_or(0, |at| at + 1)..]
    }

    /// Keeps one byte more than is told, to know that there was more.
    fn add(&mut self, bytes: &[u8]) {
        let room = (LINE + 1).saturating_sub(self.partial.len());
        self.partial.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn tell(&mut self, line: &[u8]) {
        self.allowance -= 1.0;
        self.tell_skipped();
        self.emit(shown(line).into_owned());
    }

    fn tell_skipped(&mut self) {
        match std::mem::take(&mut self.skipped) {
            0 => {}
            1 => self.emit("[1 line left out]".into()),
            skipped => self.emit(format!("[{skipped} lines left out]")),
        }
    }

    fn emit(&self, line: String) {
        self.cx.emit(What::Line { key: self.cx.key().clone(), line, error: self.error });
    }

    fn finish(&mut self) {
        let line = std::mem::take(&mut self.partial);
        if !line.is_empty() {
            self.tell(&line);
        }
        self.tell_skipped();
    }
}

/// The line as a terminal would show it in the end: of a progress display that overwrites itself, the last state.
fn shown(line: &[u8]) -> Cow<'_, str> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = &line[memchr::memrchr(b'\r', line).map_or(0, |at| at + 1)..];
    if line.len() <= LINE {
        return String::from_utf8_lossy(line);
    }
    // Cutting may leave a part of a secret that was whole in the line.
    let cut = String::from_utf8_lossy(&line[..LINE]);
    Cow::Owned(format!("{}…", redact::text(&cut)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_stream_the_beginning_and_the_end_are_kept() {
        let all: Vec<u8> = (0..3 * KEEP + 17).map(|n| u8::try_from(n % 251).expect("small")).collect();
        for size in [1000, KEEP - 1, KEEP, 2 * KEEP + 3, all.len()] {
            let mut kept = Kept::default();
            all.chunks(size).for_each(|chunk| kept.push(chunk));
            assert_eq!(kept.omitted(), (KEEP + 17) as u64, "in pieces of {size}");
            let bytes = kept.into_bytes();
            assert!(bytes[..KEEP] == all[..KEEP], "in pieces of {size}");
            assert!(bytes[KEEP..] == all[all.len() - KEEP..], "in pieces of {size}");
        }
    }

    #[test]
    fn a_line_is_shown_as_a_terminal_would() {
        assert_eq!(shown(b"10%\r50%\r100%\r"), "100%");
        assert_eq!(shown(b"caf\xe9"), "caf\u{fffd}");
        assert_eq!(shown(&[b'x'; LINE + 1]).chars().count(), LINE + 1);
    }
}
