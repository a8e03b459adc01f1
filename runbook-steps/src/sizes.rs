//! Sizes and shares as people say them: `2.gib()`, `10.percent()`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A number of bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bytes(pub u64);

/// How much there has to be: bytes, or a share of the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Amount {
    /// This many bytes.
    Bytes(Bytes),
    /// This many hundredths of the whole.
    Percent(u8),
}

/// Sizes as people say them.
pub trait Sizes {
    /// This many times 1024 bytes.
    fn kib(self) -> Bytes;
    /// This many times 1024 KiB.
    fn mib(self) -> Bytes;
    /// This many times 1024 MiB.
    fn gib(self) -> Bytes;
    /// This many hundredths of the whole; more than 100 is 100.
    fn percent(self) -> Amount;
}

impl Sizes for u64 {
    fn kib(self) -> Bytes {
        Bytes(self.saturating_mul(1 << 10))
    }

    fn mib(self) -> Bytes {
        Bytes(self.saturating_mul(1 << 20))
    }

    fn gib(self) -> Bytes {
        Bytes(self.saturating_mul(1 << 30))
    }

    fn percent(self) -> Amount {
        Amount::Percent(u8::try_from(self.min(100)).unwrap_or(100))
    }
}

impl Amount {
    /// How many bytes that is of a whole.
    pub fn of(self, whole: Bytes) -> Bytes {
        match self {
            Self::Bytes(bytes) => bytes,
            // Through 128 bits, so that no disk is too large for it.
            Self::Percent(share) => {
                Bytes(u64::try_from(u128::from(whole.0) * u128::from(share) / 100).unwrap_or(u64::MAX))
            }
        }
    }
}

impl From<Bytes> for Amount {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<u64> for Amount {
    fn from(bytes: u64) -> Self {
        Self::Bytes(Bytes(bytes))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit =
            [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)].into_iter().find(|(_, bits)| self.0 >> bits > 0);
        match unit {
            Some((name, bits)) if self.0.is_multiple_of(1 << bits) => write!(f, "{} {name}", self.0 >> bits),
            Some((name, bits)) => write!(f, "{:.1} {name}", self.0 as f64 / (1_u64 << bits) as f64),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => bytes.fmt(f),
            Self::Percent(share) => write!(f, "{share}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_people_write_them() {
        for (bytes, text) in [
            (Bytes(0), "0 bytes"),
            (1.kib(), "1 KiB"),
            (Bytes(1536), "1.5 KiB"),
            (2.gib(), "2 GiB"),
            (4096.gib(), "4 TiB"),
        ] {
            assert_eq!(bytes.to_string(), text);
        }
    }

    #[test]
    fn a_share_is_taken_of_the_whole() {
        assert_eq!(10.percent().of(2.gib()), Bytes(214_748_364));
        assert_eq!(Amount::from(5).of(2.gib()), Bytes(5));
        assert_eq!(100.percent().of(Bytes(u64::MAX)), Bytes(u64::MAX));
    }
}
