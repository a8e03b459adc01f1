//! Secrets made here.

use runbook_core::{Error, Result, redact};

/// What a secret is made of: 64 characters that need no quoting in env files, URLs and shells (RFC 4648, section 5).
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// So many random characters, from the system's source of randomness. From now on they are redacted everywhere.
pub(super) fn text(characters: usize) -> Result<String> {
    let mut bytes = vec![0; characters];
    getrandom::fill(&mut bytes).map_err(|error| Error::new(format!("the system gives no random bytes: {error}")))?;
    let text: String = bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 64)])).collect();
    redact::learn(&text);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn every_secret_is_another_and_as_long_as_wanted() {
        let (a, b) = (text(32).expect("random"), text(32).expect("random"));
        assert_eq!((a.len(), b.len()), (32, 32));
        assert_ne!(a, b);
        assert_eq!(runbook_core::redact::text(&format!("key={a}")), "key=[redacted]");
    }
}
