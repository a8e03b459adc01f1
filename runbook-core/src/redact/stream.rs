//! Redaction of a stream: a secret may be split over any number of reads.

use std::borrow::Cow;

use super::known::Known;
use super::{REDACTED, known};

/// Takes secrets out of bytes that come in pieces. What may be the beginning of a secret is held back until more
/// comes, and never more than that.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    held: Vec<u8>,
    /// How many of the held bytes belong to a secret that was already taken out. They are held because another secret
    /// may begin in them.
    gone: usize,
}

impl Stream {
    /// What may be shown, now that these bytes came.
    pub(crate) fn push<'a>(&mut self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(known) = known() else { return Cow::Borrowed(bytes) };
        if self.held.is_empty() && known.begun(bytes) == 0 && known.find(bytes).is_empty() {
            return Cow::Borrowed(bytes);
        }
        self.held.extend_from_slice(bytes);
        let begun = known.begun(&self.held);
        Cow::Owned(self.release(self.held.len() - begun, Some(&known)))
    }

    /// The rest, now that nothing more comes.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        self.release(self.held.len(), known().as_deref())
    }

    /// Gives out the held bytes before `end`, without secrets.
    fn release(&mut self, end: usize, known: Option<&Known>) -> Vec<u8> {
        let mut out = Vec::with_capacity(end);
        let (mut from, mut gone) = (self.gone.min(end), self.gone.saturating_sub(end));
        for secret in known.map(|known| known.find(&self.held)).unwrap_or_default() {
            if secret.start >= end {
                break;
            }
            if secret.start >= from {
                out.extend_from_slice(&self.held[from..secret.start]);
                out.extend_from_slice(REDACTED.as_bytes());
            }
            from = from.max(secret.end.min(end));
            gone = gone.max(secret.end.saturating_sub(end));
        }
        out.extend_from_slice(&self.held[from..end]);
        self.held.drain(..end);
        self.gone = gone;
        out
    }
}

#[cfg(test)]
mod tests {
    use super::super::learn;
    use super::*;

    fn through(pieces: &[&[u8]]) -> String {
        let mut stream = Stream::default();
        let mut out: Vec<u8> = pieces.iter().flat_map(|piece| stream.push(piece).into_owned()).collect();
        out.extend(stream.finish());
        String::from_utf8(out).expect("is text")
    }

    #[test]
    fn a_secret_split_anywhere_is_taken_out() {
        learn("split-secret-abc");
        let text = b"one split-secret-abc two split-secret-ab three";
        for cut in 0..text.len() {
            for second in cut..text.len() {
                let shown = through(&[&text[..cut], &text[cut..second], &text[second..]]);
                assert_eq!(shown, "one [redacted] two split-secret-ab three", "cut at {cut} and {second}");
            }
        }
    }

    #[test]
    fn a_secret_that_begins_inside_another_is_taken_out_too() {
        learn("stream-left-middle");
        learn("middle-right-stream");
        let text = b"a stream-left-middle-right-stream b";
        for cut in 0..text.len() {
            assert_eq!(through(&[&text[..cut], &text[cut..]]), "a [redacted] b", "cut at {cut}");
        }
    }

    #[test]
    fn what_cannot_be_a_secret_is_not_held_back() {
        learn("held-back-secret");
        let mut stream = Stream::default();
        assert_eq!(&*stream.push(b"a line\n"), b"a line\n");
        assert_eq!(&*stream.push(b"held-back"), b"");
        assert_eq!(&*stream.push(b" not\n"), b"held-back not\n");
    }
}
