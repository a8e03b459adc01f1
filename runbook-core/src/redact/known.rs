//! Every form of every secret that was exposed, and where they are in a text.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::forms;

/// The secrets of a process. A text is read once, however many there are: a program that works for a day learns thousands.
#[derive(Default)]
pub(super) struct Known {
    secrets: HashSet<String>,
    /// Forms by their first three bytes.
    long: HashMap<[u8; 3], Vec<Vec<u8>>>,
    /// Forms of one or two bytes.
    short: Vec<Vec<u8>>,
    /// How forms begin: most places of a text are passed by with a look at this.
    pairs: Pairs,
    longest: usize,
}

/// A set of pairs of bytes.
struct Pairs(Box<[u64; 1024]>);

impl Default for Pairs {
    fn default() -> Self {
        Self(Box::new([0; 1024]))
    }
}

impl Pairs {
    fn place(first: u8, second: u8) -> (usize, u64) {
        let pair = usize::from(first) << 8 | usize::from(second);
        (pair / 64, 1 << (pair % 64))
    }

    fn insert(&mut self, first: u8, second: u8) {
        let (word, bit) = Self::place(first, second);
        self.0[word] |= bit;
    }

    fn holds(&self, first: u8, second: u8) -> bool {
        let (word, bit) = Self::place(first, second);
        self.0[word] & bit != 0
    }
}

impl Known {
    pub(super) fn has(&self, secret: &str) -> bool {
        self.secrets.contains(secret)
    }

    pub(super) fn learn(&mut self, secret: &str) {
        if self.secrets.insert(secret.to_owned()) {
            for form in forms::of(secret) {
                self.add(form.as_bytes());
            }
        }
    }

    fn add(&mut self, form: &[u8]) {
        let alike = match form {
            [] => return,
            [first] => {
                for second in 0..=u8::MAX {
                    self.pairs.insert(*first, second);
                }
                &mut self.short
            }
            [first, second] => {
                self.pairs.insert(*first, *second);
                &mut self.short
            }
            [first, second, third, ..] => {
                self.pairs.insert(*first, *second);
                self.long.entry([*first, *second, *third]).or_default()
            }
        };
        if !alike.iter().any(|known| known == form) {
            alike.push(form.to_owned());
            self.longest = self.longest.max(form.len());
        }
    }

    /// Where secrets are, in order. Secrets that overlap are one place, so that no part of either is left.
    pub(super) fn find(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        for at in 0..bytes.len() {
            let Some(length) = self.longest_at(&bytes[at..]) else { continue };
            match found.last_mut() {
                Some(last) if at < last.end => last.end = last.end.max(at + length),
                _ => found.push(at..at + length),
            }
        }
        found
    }

    /// The length of the longest form that these bytes begin with.
    fn longest_at(&self, bytes: &[u8]) -> Option<usize> {
        let longest = |forms: &[Vec<u8>]| forms.iter().filter(|form| bytes.starts_with(form)).map(Vec::len).max();
        match bytes {
            [first, second, ..] if !self.pairs.holds(*first, *second) => None,
            [first, second, third, ..] => {
                let long = self.long.get(&[*first, *second, *third]).and_then(|forms| longest(forms));
                long.or_else(|| longest(&self.short))
            }
            _ => longest(&self.short),
        }
    }

    /// How many bytes at the end may be the beginning of a secret.
    pub(super) fn begun(&self, bytes: &[u8]) -> usize {
        let longest = self.longest.saturating_sub(1).min(bytes.len());
        (1..=longest).rev().find(|&length| self.goes_on(&bytes[bytes.len() - length..])).unwrap_or(0)
    }

    /// Whether a form begins with these bytes, and has more.
    fn goes_on(&self, bytes: &[u8]) -> bool {
        let longer = |forms: &[Vec<u8>]| forms.iter().any(|form| form.len() > bytes.len() && form.starts_with(bytes));
        match bytes {
            [first, second, ..] if !self.pairs.holds(*first, *second) => false,
            [first, second, third, ..] => self.long.get(&[*first, *second, *third]).is_some_and(|forms| longer(forms)),
            // One byte or two: what goes on from them in a long form is in its key already.
            _ => longer(&self.short) || self.long.keys().any(|key| key.starts_with(bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(secrets: &[&str]) -> Known {
        let mut known = Known::default();
        for secret in secrets {
            known.add(secret.as_bytes());
        }
        known
    }

    /// Where forms begin and end.
    fn places(known: &Known, text: &str) -> Vec<(usize, usize)> {
        known.find(text.as_bytes()).into_iter().map(|place| (place.start, place.end)).collect()
    }

    #[test]
    fn forms_of_any_length_are_found_wherever_they_stand() {
        let known = known(&["x", "yz", "abc", "abcdef", "cdefgh", "zzz"]);
        for (text, expected) in [
            ("", vec![]),
            ("x", vec![(0, 1)]),
            ("yzy", vec![(0, 2)]),
            ("abcde abcdef", vec![(0, 3), (6, 12)]),
            ("abcdefgh", vec![(0, 8)]),
            ("ab-zz-x", vec![(6, 7)]),
            ("zzzz", vec![(0, 4)]),
            ("abcx", vec![(0, 3), (3, 4)]),
        ] {
            assert_eq!(places(&known, text), expected, "{text}");
        }
    }

    #[test]
    fn a_beginning_at_the_end_is_noticed_whatever_its_length() {
        let known = known(&["yz", "abcdef", "cdefgh"]);
        for (text, begun) in
            [("", 0), ("y", 1), ("yz", 0), ("-a", 1), ("-ab", 2), ("-abc", 3), ("-abcde", 5), ("-abcdef", 4), ("q", 0)]
        {
            assert_eq!(known.begun(text.as_bytes()), begun, "{text}");
        }
    }

    #[test]
    fn what_is_found_does_not_depend_on_how_many_are_known() {
        let mut known = Known::default();
        for n in 0..5000 {
            known.learn(&format!("secret-number-{n}-of-many"));
        }
        let text = "postgresql://app@db/app secret-number-4711-of-many secret-number-5001-of-many";
        assert_eq!(places(&known, text), [(24, 50)]);
        assert_eq!(known.begun(b"so secret-number-12"), 16);
    }
}
