//! What stands in the URLs of requests.

use percent_encoding::{utf8_percent_encode, AsciiSet, NON_ALPHANUMERIC};

/// Characters that cannot stand in a segment of a path as they are.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// Characters that cannot stand in a value of a query as they are.
const QUERY_VALUE: &AsciiSet = &SEGMENT.remove(b'/');

/// A value of a query.
pub fn query_value(text: &str) -> String {
    utf8_percent_encode(text, QUERY_VALUE).to_string()
}

/// One segment of a path, such as an id that somebody typed: a slash in it parts nothing.
pub fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_in_an_id_parts_no_path() {
        assert_eq!(segment("a/b"), "a%2Fb");
        assert_eq!(query_value("a/b=c d+é"), "a/b%3Dc%20d%2B%C3%A9");
    }
}
