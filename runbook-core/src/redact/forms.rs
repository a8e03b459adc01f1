//! The forms a secret takes inside other texts.

use std::fmt::Write as _;

/// Lines shorter than this say too little to be a secret of their own.
const LINE: usize = 8;
/// Pieces of base64 shorter than this turn up by chance.
const PIECE: usize = 6;

/// The secret and its longer lines, each as JSON, URLs, shells and base64 write it.
pub(super) fn of(secret: &str) -> Vec<String> {
    let lines = secret.lines().filter(|line| line.len() >= LINE && *line != secret);
    let plain = std::iter::once(secret).chain(lines);
    let mut all: Vec<String> = plain.flat_map(written).collect();
    all.retain(|form| !form.is_empty());
    all.sort();
    all.dedup();
    all
}

fn written(plain: &str) -> Vec<String> {
    let json = json(plain);
    let mut all = vec![
        plain.to_owned(),
        ascii(&json),
        // Quoted for a person or a program, inside an event that is JSON itself.
        self::json(&json),
        json,
        percent(plain, "%20", false),
        percent(plain, "%20", true),
        percent(plain, "+", false),
        plain.replace('\'', r"'\''"),
    ];
    for url_safe in [false, true] {
        all.extend((0..3).map(|before| base64_inside(plain, before, url_safe)).filter(|piece| piece.len() >= PIECE));
    }
    all
}

/// As JSON writes it, without the quotes around it.
fn json(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap_or_default();
    quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default().to_owned()
}

/// As JSON in nothing but ASCII writes it, like that of Python.
fn ascii(json: &str) -> String {
    let mut units = [0; 2];
    json.chars().fold(String::new(), |mut out, c| {
        if c.is_ascii() {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
        out
    })
}

/// As a URL or a form carries it.
fn percent(text: &str, blank: &str, lower: bool) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        let _ = match byte {
            b' ' => out.write_str(blank),
            byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => out.write_char(char::from(byte)),
            byte if lower => write!(out, "%{byte:02x}"),
            byte => write!(out, "%{byte:02X}"),
        };
        out
    })
}

/// What base64 makes of it behind `before` bytes of something else (modulo 3), without the characters at both ends
/// that depend on its neighbours.
fn base64_inside(text: &str, before: usize, url_safe: bool) -> String {
    let bytes: Vec<u8> = std::iter::repeat_n(0, before).chain(text.bytes()).collect();
    let first = (before * 8).div_ceil(6);
    let last = bytes.len() * 8 / 6;
    base64(&bytes, url_safe).get(first..last).unwrap_or_default().to_owned()
}

/// Base64 without padding (RFC 4648, sections 4 and 5).
pub(super) fn base64(bytes: &[u8], url_safe: bool) -> String {
    let ends = if url_safe { "-_" } else { "+/" };
    let alphabet: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(ends.chars()).collect();
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte)) << (8 * (3 - group.len()));
        out.extend((0..=group.len()).map(|n| alphabet[bits >> (18 - 6 * n) & 63]));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        assert_eq!(base64(b"foobar", false), "Zm9vYmFy");
        assert_eq!(base64(b"fooba", false), "Zm9vYmE");
        assert_eq!(base64(&[0xfb, 0xff], true), "-_8");
    }
}
