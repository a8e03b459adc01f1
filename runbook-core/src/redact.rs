//! The redactor: knows every secret that was exposed in this process, and takes it out of text.
//!
//! It is one for the process, on purpose. A secret that one run exposed must not show in the output
//! of another, and a redactor that has to be handed around is one that gets forgotten.

use std::borrow::Cow;
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// What stands in the place of a secret.
pub const REDACTED: &str = "[redacted]";

static KNOWN: RwLock<Vec<String>> = RwLock::new(Vec::new());
static ANY: AtomicBool = AtomicBool::new(false);

/// Remembers a secret, and the forms it takes inside JSON, URLs and base64.
pub(crate) fn learn(secret: &str) {
    let mut known = KNOWN.write().unwrap_or_else(std::sync::PoisonError::into_inner);
    for form in forms(secret) {
        if !form.is_empty() && !known.contains(&form) {
            known.push(form);
        }
    }
    // Longest first, so that a secret that contains another is taken out whole.
    known.sort_by_key(|form| std::cmp::Reverse(form.len()));
    ANY.store(!known.is_empty(), Ordering::Release);
}

/// The text without any known secret.
pub fn text(text: &str) -> Cow<'_, str> {
    if !is_needed() {
        return Cow::Borrowed(text);
    }
    let known = KNOWN.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut clean = Cow::Borrowed(text);
    for form in known.iter() {
        if clean.contains(form.as_str()) {
            clean = Cow::Owned(clean.replace(form.as_str(), REDACTED));
        }
    }
    clean
}

/// Whether any secret is known; asking is cheaper than redacting.
pub(crate) fn is_needed() -> bool {
    ANY.load(Ordering::Acquire)
}

/// The secret, its lines, and each as JSON and URLs write it.
fn forms(secret: &str) -> Vec<String> {
    let lines = secret.lines().filter(|line| line.len() >= 8 && *line != secret);
    let mut all = vec![secret.to_owned()];
    all.extend(lines.map(str::to_owned));
    for plain in all.clone() {
        if let Ok(json) = serde_json::to_string(&plain) {
            all.push(json.trim_matches('"').to_owned());
        }
        all.push(percent(&plain));
    }
    all
}

/// The text as a URL carries it.
fn percent(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}
