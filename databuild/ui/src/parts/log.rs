//! Lines that a job printed.

use crate::api::LogLine;
use maud::{html, Markup};

/// Lines as a list, with what was searched for marked.
#[must_use]
pub fn lines(lines: &[LogLine], search: &str) -> Markup {
    html! { @for one in lines { (line(one, search)) } }
}

fn line(line: &LogLine, search: &str) -> Markup {
    let text = match (&line.text, &line.hex) {
        (Some(text), _) => plain(text),
        (None, Some(hex)) => format!("\u{ab}{hex}\u{bb}"),
        (None, None) => String::new(),
    };
    html! {
        li class=[(line.stream == "stderr").then_some("e")] {
            @match &line.at {
                Some(at) => time datetime=(at) title=(at) { (clock(at)) },
                None => span.t { "\u{2013}" },
            }
            span { (marked(&text, search)) }
        }
    }
}

/// The time of day of an instant, to the millisecond.
fn clock(at: &str) -> &str {
    at.split_once('T').map_or(at, |(_, clock)| clock.trim_end_matches('Z'))
}

/// A text without what would move a terminal's cursor or change its colors.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            '\u{1b}' if rest.peek() == Some(&'[') => {
                rest.next();
                // The last character of a sequence is a letter or the like.
                while rest.next().is_some_and(|c| !('@'..='~').contains(&c)) {}
            }
            // What comes after it replaces what stands in the line.
            '\r' if rest.peek().is_some() => plain.clear(),
            '\t' => plain.push('\t'),
            c if c.is_control() => {}
            c => plain.push(c),
        }
    }
    plain
}

/// A text in which what was searched for is marked, whatever its case.
fn marked(text: &str, search: &str) -> Markup {
    if search.is_empty() {
        return html! { (text) };
    }
    let (low, sought) = (text.to_ascii_lowercase(), search.to_ascii_lowercase());
    let mut parts = Vec::new();
    let mut at = 0;
    for (found, _) in low.match_indices(&sought) {
        parts.push((&text[at..found], &text[found..found + sought.len()]));
        at = found + sought.len();
    }
    html! { @for (before, found) in parts { (before) mark { (found) } } (text[at..]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_a_terminal_shows_them() {
        assert_eq!(plain("\u{1b}[31mred\u{1b}[0m \u{7}x"), "red x");
        assert_eq!(plain("10%\r100%"), "100%");
        assert_eq!(plain("open \u{1b}[3"), "open ");
        let marked = marked("An Error: <error>", "error").into_string();
        assert_eq!(marked, "An <mark>Error</mark>: &lt;<mark>error</mark>&gt;");
        // Characters whose case has another length are left alone.
        assert_eq!(super::marked("\u{130}x", "X").into_string(), "\u{130}<mark>x</mark>");
    }
}
