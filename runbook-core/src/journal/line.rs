//! The lines of a journal file: a checksum, then the entry as JSON.
//!
//! ```text
//! 5c0e2f6b {"at":"2026-01-06T10:00:00Z","k":"0","p":"survey","m":{"surveyed":{…}}}
//! ```
//!
//! The checksum is a CRC-32 over the line before it and this one, so a line that was changed, dropped or
//! moved is found. The last line may be torn by a crash; it is cut off.

use crate::{Error, ErrorKind, Result};

use super::Entry;

/// The checksum of the lines so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Chain(u32);

impl Chain {
    fn next(self, json: &[u8]) -> Self {
        let mut hasher = crc32fast::Hasher::new_with_initial(self.0);
        hasher.update(json);
        Self(hasher.finalize())
    }

    /// The line of an entry, and the chain after it.
    pub(super) fn encode(self, entry: &Entry) -> Result<(Vec<u8>, Self)> {
        let mut line = b"00000000 ".to_vec();
        serde_json::to_writer(&mut line, entry)?;
        if crate::redact::is_needed() {
            let clean = crate::redact::text(&String::from_utf8_lossy(&line)).into_owned();
            line = clean.into_bytes();
        }
        let next = self.next(&line[9..]);
        line[..8].copy_from_slice(format!("{:08x}", next.0).as_bytes());
        line.push(b'\n');
        Ok((line, next))
    }

    /// The entry in a line without its newline, and the chain after it.
    fn decode(self, line: &[u8]) -> Result<(Entry, Self), &'static str> {
        let (sum, json) = line.split_at_checked(9).ok_or("the line is too short")?;
        let sum =
            std::str::from_utf8(sum).ok().and_then(|sum| sum.strip_suffix(' ')).ok_or("the checksum is missing")?;
        // Only the form that is written counts: a parser that is generous here would overlook a flipped bit.
        let next = self.next(json);
        if sum != format!("{:08x}", next.0) {
            return Err("the checksum is wrong");
        }
        let entry = serde_json::from_slice(json).map_err(|_| "the entry cannot be read")?;
        Ok((entry, next))
    }
}

/// What a journal file holds.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) entries: Vec<Entry>,
    pub(super) chain: Chain,
    /// How many bytes are whole lines; what follows was torn by a crash.
    pub(super) whole: usize,
}

/// Reads a journal file. `name` is for the error.
pub(super) fn read(bytes: &[u8], name: &str) -> Result<Lines> {
    let mut lines = Lines { entries: Vec::new(), chain: Chain::default(), whole: 0 };
    while let Some(end) = bytes[lines.whole..].iter().position(|byte| *byte == b'\n') {
        let line = &bytes[lines.whole..lines.whole + end];
        let decoded = lines.chain.decode(line);
        let (entry, chain) = decoded.map_err(|why| damaged(name, lines.entries.len() + 1, why))?;
        lines.entries.push(entry);
        lines.chain = chain;
        lines.whole += end + 1;
    }
    Ok(lines)
}

/// A journal with a damaged line is not guessed at.
fn damaged(name: &str, line: usize, why: &str) -> Error {
    Error::of(ErrorKind::Journal, format!("journal `{name}` is damaged in line {line}: {why}"))
        .hint("restore the file from a backup, or put things back by hand with what `show` can still tell")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Memo, Part};

    fn journal(entries: usize) -> Vec<u8> {
        let mut chain = Chain::default();
        let mut bytes = Vec::new();
        for n in 0..entries {
            let entry = Entry {
                at: jiff::Timestamp::UNIX_EPOCH,
                key: crate::Key::root().child(u32::try_from(n).expect("small")),
                part: Part::Undo,
                memo: Memo::Undone { took: std::time::Duration::from_millis(7) },
            };
            let (line, next) = chain.encode(&entry).expect("encodes");
            bytes.extend(line);
            chain = next;
        }
        bytes
    }

    #[test]
    fn a_journal_cut_anywhere_reads_as_its_whole_lines() {
        let bytes = journal(3);
        let ends: Vec<_> = bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(n, _)| n + 1).collect();
        for cut in 0..=bytes.len() {
            let lines = read(&bytes[..cut], "test").expect("a cut is no damage");
            assert_eq!(lines.entries.len(), ends.iter().filter(|end| **end <= cut).count());
        }
    }

    #[test]
    fn a_flipped_bit_is_found_unless_it_only_tears_the_last_line() {
        let bytes = journal(3);
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                match read(&flipped, "test") {
                    Ok(lines) => assert!(at + 1 == bytes.len() && lines.entries.len() == 2, "byte {at}, bit {bit}"),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Journal),
                }
            }
        }
    }
}
