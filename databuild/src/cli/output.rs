//! Printing data: tables for people, JSON for programs. Both go to stdout.

use super::error::{CliError, Kind};
use serde::Serialize;
use std::io::Write as _;

/// Prints `value` as one JSON document.
///
/// # Errors
/// A bug: it cannot be JSON.
pub fn json<T: Serialize>(value: &T) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| CliError::new(Kind::Bug, "bad_output", error.to_string()))?;
    line(&text);
    Ok(())
}

/// Prints `value` as one line of JSON.
///
/// # Errors
/// As [`json`].
pub fn json_line<T: Serialize>(value: &T) -> Result<(), CliError> {
    let text = serde_json::to_string(value)
        .map_err(|error| CliError::new(Kind::Bug, "bad_output", error.to_string()))?;
    line(&text);
    Ok(())
}

/// Prints a line. A reader that went away (`| head`) is no error.
pub fn line(text: &str) {
    let mut stdout = std::io::stdout().lock();
    if writeln!(stdout, "{text}").is_err() {
        std::process::exit(i32::from(super::exit_code::OK));
    }
}

/// Columns of text, as wide as they must be.
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these column heads.
    pub fn new(head: &[&str]) -> Table {
        Table { rows: vec![head.iter().map(|text| (*text).to_owned()).collect()] }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Prints it; numbers are aligned right.
    pub fn print(&self) {
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
        for row in &self.rows {
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
            line(text.trim_end());
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_formats() {
        assert_eq!(duration(350), "350 ms");
        assert_eq!(duration(1250), "1.2 s");
        assert_eq!(duration(125_000), "2 min 5 s");
        assert_eq!((bytes(0), bytes(1536 << 20)), ("0 B".to_owned(), "1.5 GiB".to_owned()));
        assert_eq!(time("2026-01-02T03:04:05.678Z"), "2026-01-02 03:04:05Z");
        assert_eq!(encode("a/b=c d+é"), "a/b%3Dc%20d%2B%C3%A9");
    }
}
