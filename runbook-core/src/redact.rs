//! The redactor: knows every secret that was exposed in this process, and takes it out of text.
//!
//! It is one for the process, on purpose. A secret that one run exposed must not show in the output
//! of another, and a redactor that has to be handed around is one that gets forgotten.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use memchr::memmem::Finder;

pub(crate) use self::stream::Stream;

mod forms;
mod stream;

/// What stands in the place of a secret.
pub const REDACTED: &str = "[redacted]";

static KNOWN: RwLock<Option<Arc<Known>>> = RwLock::new(None);
static ANY: AtomicBool = AtomicBool::new(false);

/// Every form of every secret that was exposed.
#[derive(Default, Clone)]
struct Known {
    secrets: Vec<String>,
    finders: Vec<Finder<'static>>,
}

/// Remembers a secret, and the forms it takes inside JSON, URLs, shells and base64. A [`Secret`](crate::Secret) that is
/// exposed is learned by itself; this is for one that was just made. One of blanks alone is none: it would take all words
/// apart.
pub fn learn(secret: &str) {
    if secret.trim().is_empty() || known().is_some_and(|known| known.secrets.iter().any(|known| known == secret)) {
        return;
    }
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    let mut more = known.as_deref().cloned().unwrap_or_default();
    more.secrets.push(secret.to_owned());
    for form in forms::of(secret) {
        if more.finders.iter().all(|finder| finder.needle() != form.as_bytes()) {
            more.finders.push(Finder::new(form.as_bytes()).into_owned());
        }
    }
    *known = Some(Arc::new(more));
    ANY.store(true, Ordering::Release);
}

/// The text without any known secret.
pub fn text(text: &str) -> Cow<'_, str> {
    let Some(known) = known() else { return Cow::Borrowed(text) };
    let found = known.find(text.as_bytes());
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    let mut from = 0;
    for secret in found {
        // A secret is text, so it begins and ends between two characters.
        clean.push_str(&text[from..secret.start]);
        clean.push_str(REDACTED);
        from = secret.end;
    }
    clean.push_str(&text[from..]);
    Cow::Owned(clean)
}

/// Whether any secret is known; asking is cheaper than redacting.
pub(crate) fn is_needed() -> bool {
    ANY.load(Ordering::Acquire)
}

fn known() -> Option<Arc<Known>> {
    is_needed().then(|| KNOWN.read().unwrap_or_else(PoisonError::into_inner).clone())?
}

impl Known {
    /// Where secrets are, in order. Secrets that overlap are one place, so that no part of either is left.
    fn find(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        for finder in &self.finders {
            found.extend(finder.find_iter(bytes).map(|at| at..at + finder.needle().len()));
        }
        found.sort_by_key(|range| range.start);
        found.dedup_by(|next, range| {
            let overlap = next.start < range.end;
            if overlap {
                range.end = range.end.max(next.end);
            }
            overlap
        });
        found
    }

    /// How many bytes at the end may be the beginning of a secret.
    fn begun(&self, bytes: &[u8]) -> usize {
        let begun = |needle: &[u8]| {
            let longest = (needle.len() - 1).min(bytes.len());
            (1..=longest).rev().find(|&length| bytes.ends_with(&needle[..length]))
        };
        self.finders.iter().filter_map(|finder| begun(finder.needle())).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_taken_out_whatever_form_it_takes() {
        learn("p4ss \"w'örd\"/é1");
        let shown = [
            "p4ss \"w'örd\"/é1",
            r#"p4ss \"w'örd\"/é1"#,
            r#"p4ss \"w'\u00f6rd\"/\u00e91"#,
            "p4ss%20%22w%27%C3%B6rd%22%2F%C3%A91",
            "p4ss%20%22w%27%c3%b6rd%22%2f%c3%a91",
            "p4ss+%22w%27%C3%B6rd%22%2F%C3%A91",
            r#"p4ss "w'\''örd"/é1"#,
        ];
        for form in shown {
            assert_eq!(text(&format!("<{form}>")), "<[redacted]>", "{form}");
        }
    }

    #[test]
    fn a_secret_of_blanks_takes_no_words_apart() {
        for blank in ["", " ", " \n"] {
            learn(blank);
        }
        assert_eq!(text("one two \n three"), "one two \n three");
    }

    #[test]
    fn a_secret_inside_base64_is_taken_out_wherever_it_stands() {
        learn("correct horse battery");
        for before in ["", "a", "ab", "user:"] {
            let encoded = forms::base64(format!("{before}correct horse battery and more").as_bytes(), false);
            assert!(text(&encoded).contains(REDACTED), "{before}: {encoded}");
            assert!(!text(&encoded).contains("IGhvcnNl"), "{before}: {encoded}");
        }
    }

    #[test]
    fn secrets_that_overlap_leave_nothing_behind() {
        learn("overlap-one-two");
        learn("two-three-overlap");
        assert_eq!(text("a overlap-one-two-three-overlap b"), "a [redacted] b");
    }

    #[test]
    fn the_lines_of_a_secret_are_secrets_too() {
        learn("-----BEGIN-----\nfirst-line-of-key\nxy\n-----END-----\n");
        assert_eq!(text("> first-line-of-key <"), "> [redacted] <");
        assert_eq!(text("> xy <"), "> xy <");
    }
}
