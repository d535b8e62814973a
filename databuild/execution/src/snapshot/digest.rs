//! SHA-256 digests by what they are digests of, so that one is never passed for the other.

use std::fmt;
use std::str::FromStr;

use base16ct::{lower, HexDisplay};
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
    write!(f, "{:x}", HexDisplay(bytes))
}

fn parse_hex(text: &str) -> Result<[u8; 32], BadDigest> {
    let decoded = lower::decode(text, &mut [0; 32]).ok().and_then(|bytes| bytes.try_into().ok());
    decoded.ok_or_else(|| BadDigest(text.to_owned()))
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
