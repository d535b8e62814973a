//! Printing: data, as tables for people or JSON for programs, to stdout; talk to stderr.
//!
//! Names, keys and messages come from jobs, files and requests. None reaches a terminal as a command to it: what people
//! read is [`shown`].

use super::error::{CliError, Kind};
use serde::Serialize;
use std::borrow::Cow;
use std::io::Write as _;

/// Prints `value` as one JSON document.
///
/// # Errors
/// A bug: it cannot be JSON.
pub fn json<T: Serialize>(value: &T) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| CliError::new(Kind::Bug, "bad_output", error.to_string()))?;
    write(&text);
    Ok(())
}

/// Prints `value` as one line of JSON.
///
/// # Errors
/// As [`json`].
pub fn json_line<T: Serialize>(value: &T) -> Result<(), CliError> {
    let text = serde_json::to_string(value)
        .map_err(|error| CliError::new(Kind::Bug, "bad_output", error.to_string()))?;
    write(&text);
    Ok(())
}

/// Prints a line for people.
pub fn line(text: &str) {
    write(&shown(text));
}

/// Says something beside the data, on stderr. That nobody listens is no error.
pub fn talk(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", shown(text));
}

/// A text as it can be shown: what would move the cursor, color, ring or turn the direction of writing is spelled out,
/// as `\u{1b}`. Line ends and tabs stay.
pub fn shown(text: &str) -> Cow<'_, str> {
    let harmful = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(harmful) {
        return Cow::Borrowed(text);
    }
    let spell = |c: char| if harmful(c) { c.escape_unicode().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(spell).collect())
}

/// Prints a line as it is, for programs. A reader that went away (`| head`) is no error.
fn write(text: &str) {
    let mut stdout = std::io::stdout().lock();
    if writeln!(stdout, "{text}").is_err() {
        std::process::exit(i32::from(super::exit_code::OK));
    }
}

/// Characters of the last column that are shown. It is the one that has long texts; `--json` has all of them.
const WIDEST: usize = 100;

/// Columns of text, as wide as they must be.
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these column heads.
    pub fn new(head: &[&str]) -> Table {
        Table { rows: vec![head.iter().map(|text| (*text).to_owned()).collect()] }
    }

    /// Adds a row. What has several lines is shown in one.
    pub fn row(&mut self, cells: Vec<String>) {
        let columns = self.rows[0].len();
        let one_line = |text: String| shown(&text).replace('\n', "\\n").replace('\t', "\\t");
        let mut cells: Vec<String> = cells.into_iter().map(one_line).collect();
        if let Some(last) = cells.get_mut(columns - 1) {
            if let Some((at, _)) = last.char_indices().nth(WIDEST) {
                last.truncate(at);
                last.push('…');
            }
        }
        self.rows.push(cells);
    }

    /// Prints it; numbers are aligned right.
    pub fn print(&self) {
        self.lines().iter().for_each(|text| write(text));
    }

    fn lines(&self) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let numeric = |column: usize| {
            self.rows.len() > 1
                && self.rows[1..]
                    .iter()
                    .filter_map(|row| row.get(column))
                    .all(|cell| cell.parse::<u64>().is_ok())
        };
        let right: Vec<bool> = (0..columns).map(numeric).collect();
        let line = |row: &Vec<String>| {
            let mut text = String::new();
            for (column, cell) in row.iter().enumerate() {
                let width = widths[column];
                if column > 0 {
                    text.push_str("  ");
                }
                if right[column] {
                    text.push_str(&format!("{cell:>width$}"));
                } else {
                    text.push_str(&format!("{cell:<width$}"));
                }
            }
            text.trim_end().to_owned()
        };
        self.rows.iter().map(line).collect()
    }
}

/// `1.2 s`, `350 ms`, `2 min 5 s`.
pub fn duration(ms: u64) -> String {
    match ms {
        0..=999 => format!("{ms} ms"),
        1000..=59_999 => format!("{:.1} s", ms as f64 / 1000.0),
        _ => format!("{} min {} s", ms / 60_000, ms / 1000 % 60),
    }
}

/// `512 MiB`, `1.5 GiB`; with one digit after the point at most.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut amount = bytes as f64;
    while amount >= 1024.0 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    let text = format!("{amount:.1}");
    format!("{} {}", text.strip_suffix(".0").unwrap_or(&text), UNITS[unit])
}

/// `1 partition`, `2 partitions`.
pub fn count(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// The verb that goes with a count.
pub fn are(count: u64) -> &'static str {
    if count == 1 {
        "is"
    } else {
        "are"
    }
}

/// A time of day for a table, in UTC and to the second.
pub fn time(text: &str) -> String {
    text.get(..19).map_or_else(|| text.to_owned(), |head| format!("{}Z", head.replace('T', " ")))
}

/// Percent-encodes a value of a query.
pub fn encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                out.push(byte as char)
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// The same for one segment of a path, such as an id that somebody typed: a slash in it parts nothing.
pub fn segment(text: &str) -> String {
    encode(text).replace('/', "%2F")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_in_an_id_parts_no_path() {
        assert_eq!((segment("a/b"), encode("a/b c")), ("a%2Fb".to_owned(), "a/b%20c".to_owned()));
    }

    #[test]
    fn small_formats() {
        assert_eq!(duration(350), "350 ms");
        assert_eq!(duration(1250), "1.2 s");
        assert_eq!(duration(125_000), "2 min 5 s");
        assert_eq!((bytes(0), bytes(1536 << 20)), ("0 B".to_owned(), "1.5 GiB".to_owned()));
        assert_eq!(time("2026-01-02T03:04:05.678Z"), "2026-01-02 03:04:05Z");
        assert_eq!(encode("a/b=c d+é"), "a/b%3Dc%20d%2B%C3%A9");
    }

    #[test]
    fn nothing_that_is_shown_commands_the_terminal() {
        assert_eq!(shown("é 日本\n\tplain"), "é 日本\n\tplain");
        let hostile = "\x1b[2J\x1b]0;title\x07a\rb\u{202e}c\u{9b}31m";
        assert_eq!(shown(hostile), r"\u{1b}[2J\u{1b}]0;title\u{7}a\u{d}b\u{202e}c\u{9b}31m");
    }

    #[test]
    fn a_row_is_a_line_and_its_last_cell_has_an_end() {
        let mut table = Table::new(&["N", "KEY", "MESSAGE"]);
        table.row(vec!["7".into(), "\x1b[31mred".into(), "one\ntwo".into()]);
        table.row(vec!["10".into(), "k".repeat(120), "é".repeat(101)]);
        let lines = table.lines();
        assert_eq!(lines.len(), 3);
        assert!(
            lines[1].starts_with(r" 7  \u{1b}[31mred ") && lines[1].ends_with(r"  one\ntwo"),
            "{lines:?}"
        );
        assert_eq!(lines[2], format!("10  {}  {}…", "k".repeat(120), "é".repeat(100)));
    }
}
