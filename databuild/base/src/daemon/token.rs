//! The secret that every request to the server carries.

use super::state_dir::StateDir;
use crate::os::{read_left, replace_file};
use base16ct::lower;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;
use std::os::unix::fs::PermissionsExt as _;

/// Bytes of the shortest token that somebody may choose.
const SHORTEST: usize = 32;
/// Bytes of the longest.
const LONGEST: u64 = 256;

/// A bearer token: 32 random bytes as 64 hexadecimal digits. `Debug` hides it,
/// and there is no `Display`, so that it does not end in a log by accident.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(String);

impl Token {
    /// A new token from the kernel's random source.
    pub fn generate() -> io::Result<Self> {
        let mut bytes = [0u8; 32];
        let mut filled = 0;
        while filled < bytes.len() {
            filled += rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty())?;
        }
        Ok(Token(lower::encode_string(&bytes)))
    }

    /// The owner's token of a state folder, which outlives its servers. A new one is made if there is none, or none that could be
    /// one.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn of_owner(state: &StateDir) -> io::Result<Self> {
        let path = state.token();
        if let Some(bytes) = read_left(&path, LONGEST)? {
            if let Some(token) = std::str::from_utf8(&bytes).ok().and_then(Self::parse) {
                // It may have come by a copy that opened it to others.
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
                return Ok(token);
            }
            tracing::warn!(path = %path.display(), "this is no token; a new one is made");
        }
        let token = Self::generate()?;
        replace_file(&path, format!("{}\n", token.0).as_bytes())?;
        Ok(token)
    }

    /// A token as a file has it: printable ASCII without blanks, long enough not to be guessed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits = (SHORTEST..=LONGEST as usize).contains(&text.len());
        (fits && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| Token(text.to_owned()))
    }

    /// The digits, to put into a header.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether two secrets are the same, in a time that depends only on their lengths.
    #[must_use]
    pub fn is_same(one: &str, other: &str) -> bool {
        constant_time_eq(one.as_bytes(), other.as_bytes())
    }

    /// Compares with what a request brought, in a time that depends only on the
    /// length of the request's text.
    pub fn matches(&self, candidate: &str) -> bool {
        constant_time_eq(self.0.as_bytes(), candidate.as_bytes())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Equality without an early exit, so that timing does not tell how much of a
/// guess was right. Lengths are no secret.
pub(super) fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let difference = a.iter().zip(b).fold(0u8, |acc, (x, y)| acc | (x ^ y));
    std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_and_differ() {
        let (a, b) = (Token::generate().expect("a"), Token::generate().expect("b"));
        assert_eq!(a.expose().len(), 64);
        assert!(a.expose().bytes().all(|c| c.is_ascii_hexdigit()));
        assert_ne!(a.expose(), b.expose());
    }

    #[test]
    fn only_the_whole_token_matches() {
        let token = Token("00ff".to_owned());
        for (candidate, expected) in
            [("00ff", true), ("00fe", false), ("10ff", false), ("00f", false), ("00ff0", false), ("", false)]
        {
            assert_eq!(token.matches(candidate), expected, "{candidate:?}");
        }
    }

    #[test]
    fn debug_hides_the_token() {
        let token = Token("00ff".to_owned());
        assert!(!format!("{token:?}").contains("00ff"));
    }
}
