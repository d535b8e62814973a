//! The value of an environment variable.

use base16ct::lower;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

/// A value of an environment variable, which need not be UTF-8. It may be a secret, so it does not show itself. As JSON
/// it is a string, or `{"hex": "..."}` if it is not UTF-8.
#[derive(Clone, PartialEq, Eq)]
pub struct EnvValue(Vec<u8>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Stored {
    Text(String),
    Bytes { hex: String },
}

impl EnvValue {
    /// As it is in the environment.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for EnvValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EnvValue({} bytes)", self.0.len())
    }
}

impl AsRef<OsStr> for EnvValue {
    fn as_ref(&self) -> &OsStr {
        OsStr::from_bytes(&self.0)
    }
}

impl From<String> for EnvValue {
    fn from(text: String) -> EnvValue {
        EnvValue(text.into_bytes())
    }
}

impl From<&str> for EnvValue {
    fn from(text: &str) -> EnvValue {
        EnvValue(text.as_bytes().to_vec())
    }
}

impl From<OsString> for EnvValue {
    fn from(value: OsString) -> EnvValue {
        EnvValue(value.into_vec())
    }
}

impl Serialize for EnvValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => Stored::Bytes { hex: lower::encode_string(&self.0) }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for EnvValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<EnvValue, D::Error> {
        let hex = match Stored::deserialize(deserializer)? {
            Stored::Text(text) => return Ok(text.into()),
            Stored::Bytes { hex } => hex,
        };
        let bytes = lower::decode_vec(hex);
        bytes.map(EnvValue).map_err(|_| serde::de::Error::custom("not pairs of hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_text_and_other_bytes_come_back_too() {
        let cases: [(&[u8], &str); 4] = [
            (b"", r#""""#),
            ("caf\u{e9}".as_bytes(), "\"caf\u{e9}\""),
            (b"\xff", r#"{"hex":"ff"}"#),
            (b"a\xc3(\x01", r#"{"hex":"61c32801"}"#),
        ];
        for (bytes, json) in cases {
            let value = EnvValue(bytes.to_vec());
            assert_eq!(serde_json::to_string(&value).unwrap(), json);
            assert_eq!(serde_json::from_str::<EnvValue>(json).unwrap(), value);
        }
        for wrong in [r#"{"hex":"f"}"#, r#"{"hex":"xx"}"#, "7", "{}"] {
            assert!(serde_json::from_str::<EnvValue>(wrong).is_err(), "{wrong}");
        }
        assert_eq!(format!("{:?}", EnvValue::from("secret")), "EnvValue(6 bytes)");
    }
}
