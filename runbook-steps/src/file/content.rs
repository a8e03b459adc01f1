//! The content of a file: reading it in bounded memory, its checksum, its form in a journal.

use std::fmt::Write as _;
use std::path::Path;

use runbook_core::host::Stat;
use runbook_core::{Context, Error, Explain as _, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The biggest file that is read into memory: 64 MiB.
const MOST: u64 = 64 * 1024 * 1024;

/// Bytes in a journal: as text when they are text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bytes {
    Text(String),
    Hex(String),
}

impl Bytes {
    pub(crate) fn of(content: &[u8]) -> Self {
        match std::str::from_utf8(content) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Hex(hex(content)),
        }
    }

    pub(crate) fn bytes(&self) -> Result<Vec<u8>> {
        match self {
            Self::Text(text) => Ok(text.clone().into_bytes()),
            Self::Hex(text) => unhex(text).context("the journal holds a file content that is no hexadecimal text"),
        }
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}

/// The SHA-256 checksum, in hexadecimal digits.
pub(crate) fn sha256(content: &[u8]) -> String {
    hex(&Sha256::digest(content))
}

/// Reads a file that was looked at, unless it is too big for that.
pub(crate) async fn read(cx: &Context, path: &Path, stat: &Stat) -> Result<Vec<u8>> {
    if stat.size > MOST {
        let error = Error::new(format!("`{}` has {} bytes; file steps read at most 64 MiB", path.display(), stat.size));
        return Err(error.hint("move it aside with `file::remove`, or run a program with `command::run`"));
    }
    cx.files().read(path).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_come_back_from_the_journal() {
        for content in [&b""[..], b"text\n", &[0, 255, 128, 7]] {
            let json = serde_json::to_string(&Bytes::of(content)).expect("serialises");
            let back: Bytes = serde_json::from_str(&json).expect("parses");
            assert_eq!(back.bytes().expect("bytes"), content);
        }
        assert!(Bytes::Hex("zz".into()).bytes().is_err());
    }
}
