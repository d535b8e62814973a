//! The content hash of an output: its data version.

use base16ct::{lower, HexDisplay};
use std::fmt;
use std::str::FromStr;

const PREFIX: &str = "sha256:";

/// `sha256:<64 hex>`. Of a file: the SHA-256 of its bytes. Of a directory: see [`super::inspect`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash([u8; 32]);

/// A text that is not a content hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a content hash (`{PREFIX}` and 64 lower-case hex digits)")]
pub struct BadHash(pub String);

impl ContentHash {
    /// Wraps a SHA-256.
    #[must_use]
    pub fn from_sha256(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{:x}", HexDisplay(&self.0))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ContentHash {
    type Err = BadHash;

    fn from_str(text: &str) -> Result<Self, BadHash> {
        let mut digest = [0; 32];
        let decoded = text.strip_prefix(PREFIX).and_then(|hex| lower::decode(hex, &mut digest).ok());
        decoded.and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or_else(|| BadHash(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_hashes_round_trip_with_their_algorithm_and_nothing_else_parses() {
        let text = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(text.parse::<ContentHash>().unwrap().to_string(), text);
        for bad in [&text[7..], &text[..70], &text.to_uppercase(), "sha256:"] {
            assert_eq!(bad.parse::<ContentHash>(), Err(BadHash(bad.to_owned())));
        }
    }
}
