//! The secret that every request to the server carries.

use base16ct::lower;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;

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

    /// The digits, to put into a header.
    pub fn expose(&self) -> &str {
        &self.0
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
