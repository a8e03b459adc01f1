//! The redactor: knows every secret that was exposed in this process, and takes it out of text.
//!
//! It is one for the process, on purpose. A secret that one run exposed must not show in the output
//! of another, and a redactor that has to be handed around is one that gets forgotten.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, PoisonError, RwLock, RwLockReadGuard};

use self::known::Known;
pub(crate) use self::stream::Stream;

mod forms;
mod known;
mod stream;

/// What stands in the place of a secret.
pub const REDACTED: &str = "[redacted]";

static KNOWN: LazyLock<RwLock<Known>> = LazyLock::new(RwLock::default);
static ANY: AtomicBool = AtomicBool::new(false);

/// Remembers a secret, and the forms it takes inside JSON, URLs, shells and base64. A [`Secret`](crate::Secret) that is
/// exposed is learned by itself; this is for one that was just made. One of blanks alone is none: it would take all words
/// apart.
pub fn learn(secret: &str) {
    if secret.trim().is_empty() || known().is_some_and(|known| known.has(secret)) {
        return;
    }
    KNOWN.write().unwrap_or_else(PoisonError::into_inner).learn(secret);
    ANY.store(true, Ordering::Release);
}

/// The text without any known secret.
pub fn text(text: &str) -> Cow<'_, str> {
    let found = known().map(|known| known.find(text.as_bytes())).unwrap_or_default();
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

fn known() -> Option<RwLockReadGuard<'static, Known>> {
    is_needed().then(|| KNOWN.read().unwrap_or_else(PoisonError::into_inner))
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
