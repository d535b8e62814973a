//! SHA-256 digests by what they are digests of, so that one is never passed for the other.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that is not 64 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a SHA-256 digest (64 lower-case hex digits)")]
pub struct BadDigest(pub String);

macro_rules! digest_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name([u8; 32]);

        impl $name {
            /// Wraps the raw digest.
            #[must_use]
            pub fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = BadDigest;

            fn from_str(text: &str) -> Result<Self, BadDigest> {
                parse_hex(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadDigest;

            fn try_from(text: String) -> Result<Self, BadDigest> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(digest: $name) -> Self {
                digest.to_string()
            }
        }
    };
}

digest_type! {
    /// Names a code manifest, and so one exact set of executable and runfiles: the SHA-256 of the
    /// manifest file's bytes (`code` in graph.json).
    CodeDigest
}

digest_type! {
    /// SHA-256 of one file's content.
    FileDigest
}

fn write_hex(bytes: &[u8; 32], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

fn parse_hex(text: &str) -> Result<[u8; 32], BadDigest> {
    let nibble = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    let bad = || BadDigest(text.to_owned());
    let text_bytes = text.as_bytes();
    if text_bytes.len() != 64 {
        return Err(bad());
    }
    let mut out = [0; 32];
    for (byte, pair) in out.iter_mut().zip(text_bytes.chunks_exact(2)) {
        let high = nibble(pair[0]).ok_or_else(bad)?;
        let low = nibble(pair[1]).ok_or_else(bad)?;
        *byte = high << 4 | low;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_round_trip_as_lower_case_hex_and_nothing_else_parses() {
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex.parse::<CodeDigest>().unwrap().to_string(), hex);
        assert_eq!(serde_json::to_string(&hex.parse::<FileDigest>().unwrap()).unwrap(), format!("\"{hex}\""));
        for bad in [&hex[1..], &hex.to_uppercase(), &format!("{}g", &hex[1..]), ""] {
            assert_eq!(bad.parse::<CodeDigest>(), Err(BadDigest(bad.to_owned())));
        }
    }
}
