//! Texts in lines whose fields are parted by blanks, as in the manifests of job code.
//!
//! Invariant: a text is always written in the same way, since digests are taken of what was written.

use std::fmt::Write as _;

/// The text as one field: blanks, control characters and `%` become `%20` and the like.
#[must_use]
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_control() || matches!(c, ' ' | '%') {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{:02X}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// The text that [`encode`] wrote; none if no text is written like this.
#[must_use]
pub fn decode(field: &str) -> Option<String> {
    let mut out = String::with_capacity(field.len());
    let mut rest = field;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let mut digits = after.get(..2)?.chars().map(|digit| digit.to_digit(16));
        let code = digits.next()?? << 4 | digits.next()??;
        out.push(char::from_u32(code).filter(char::is_ascii)?);
        rest = &after[2..];
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_has_no_blanks_and_reads_back() {
        for (text, field) in [("a b%\n", "a%20b%25%0A"), ("é/日", "é/日"), ("", "")] {
            assert_eq!(encode(text), field);
            assert_eq!(decode(field).as_deref(), Some(text));
        }
        for bad in ["%", "%2", "%zz", "%+1", "%é", "%C3%A9"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
