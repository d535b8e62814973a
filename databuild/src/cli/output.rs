//! Printing: data, as tables for people or JSON for programs, to stdout; messages to stderr.
//!
//! Everything that a command prints goes through this module. A command whose reader has left ends quietly, with one exit
//! code for all commands; one that cannot write its data says why and ends; one whose reader is slow waits, even on a pipe
//! that does not block. While bars are drawn, all lines appear above them.
//!
//! Names, keys and messages come from jobs, files and requests. None reaches a terminal as a command to it: what people
//! read is [`shown`].

use super::error::CliError;
use super::exit_code;
use crate::errors::{exit_code_of, Kind};
use databuild_core::text::is_invisible;
use indicatif::MultiProgress;
use rustix::event::{poll, PollFd, PollFlags};
use rustix::io::Errno;
use serde::Serialize;
use std::borrow::Cow;
use std::io::IsTerminal as _;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Mutex, PoisonError};
use unicode_width::UnicodeWidthStr as _;

pub use databuild_core::amounts::{are, bytes, clock, count, duration, number};

/// Bars that are on the terminal now.
static BARS: Mutex<Option<MultiProgress>> = Mutex::new(None);

/// How far something is: `412 of 1,095 partitions done`.
pub fn done(done: u64, total: u64) -> String {
    let partitions = if total == 1 { "partition" } else { "partitions" };
    format!("{} of {} {partitions} done", number(done), number(total))
}

/// Prints `value` as one JSON document.
///
/// # Errors
/// A bug: it cannot be JSON.
pub fn json<T: Serialize>(value: &T) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| CliError::new("bad_output", error.to_string()))?;
    write(&text);
    Ok(())
}

/// Prints `value` as one line of JSON.
///
/// # Errors
/// As [`json`].
pub fn json_line<T: Serialize>(value: &T) -> Result<(), CliError> {
    let text =
        serde_json::to_string(value).map_err(|error| CliError::new("bad_output", error.to_string()))?;
    write(&text);
    Ok(())
}

/// Tells the user of an error; with `json` on stdout, where a program reads.
pub fn error(error: &CliError, json: bool) {
    if json {
        let body =
            serde_json::json!({"error": error.code(), "message": error.message(), "hints": error.hints()});
        raw(format!("{body}\n").as_bytes());
        return;
    }
    talk(&headline(error));
    for hint in error.hints() {
        talk(&format!("  hint: {hint}"));
    }
}

/// The first line of an error as people read it; scripts look for the code in it.
fn headline(error: &CliError) -> String {
    format!("error[{}]: {}", error.code(), error.message())
}

/// Prints a line for people.
pub fn line(text: &str) {
    write(&shown(text));
}

/// Prints data as it is.
pub fn raw(bytes: &[u8]) {
    let stdout = std::io::stdout();
    // One writer at a time; nothing is kept in the lock's buffer.
    let lock = stdout.lock();
    data(lock.as_fd(), "standard output", bytes);
}

/// Prints data as it is, to stderr.
pub fn raw_to_stderr(bytes: &[u8]) {
    let stderr = std::io::stderr();
    let lock = stderr.lock();
    data(lock.as_fd(), "standard error", bytes);
}

/// Writes data. What cannot be written, or nobody reads, ends the process.
fn data(to: BorrowedFd<'_>, name: &str, bytes: &[u8]) {
    let Err(error) = above_bars(|| put(to, bytes)) else { return };
    draw(None);
    if error == Errno::PIPE {
        std::process::exit(i32::from(exit_code::READER_LEFT));
    }
    let text =
        format!("error[output_unwritable]: {name} cannot be written: {}\n", std::io::Error::from(error));
    let _ = put(rustix::stdio::stderr(), text.as_bytes());
    std::process::exit(i32::from(exit_code_of(Kind::Configuration)));
}

/// Says something beside the data, on stderr. That nobody listens is no error.
pub fn talk(text: &str) {
    mutter(format!("{}\n", shown(text)));
}

/// Writes to stderr as it is, such as what moves the cursor.
pub fn mutter(text: impl AsRef<[u8]>) {
    let stderr = std::io::stderr();
    let lock = stderr.lock();
    above_bars(|| {
        let _ = put(lock.as_fd(), text.as_ref());
    });
}

/// From now on lines are printed above these bars; none takes them off the terminal.
pub fn draw(bars: Option<MultiProgress>) {
    let before = std::mem::replace(&mut *BARS.lock().unwrap_or_else(PoisonError::into_inner), bars);
    if let Some(before) = before {
        let _ = before.clear();
    }
}

fn above_bars<T>(print: impl FnOnce() -> T) -> T {
    match BARS.lock().unwrap_or_else(PoisonError::into_inner).clone() {
        Some(bars) => bars.suspend(print),
        None => print(),
    }
}

/// Writes all of it, and waits while a pipe that does not block is full.
fn put(to: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(Errno::AGAIN) => match poll(&mut [PollFd::new(&to, PollFlags::OUT)], None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            },
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A text as it can be shown: what would move the cursor, color, ring, turn the direction of writing or show nothing is
/// spelled out, as `\u{1b}`. Line ends and tabs stay.
pub fn shown(text: &str) -> Cow<'_, str> {
    let harmful = |c: char| (c.is_control() && c != '\n' && c != '\t') || is_invisible(c);
    if !text.contains(harmful) {
        return Cow::Borrowed(text);
    }
    let spell = |c: char| if harmful(c) { c.escape_unicode().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(spell).collect())
}

/// Prints a line as it is, for programs.
fn write(text: &str) {
    raw(format!("{text}\n").as_bytes());
}

/// Columns of the terminal that the last column of a table takes at most. It is the one that has long texts; `--json` has
/// all of them.
const WIDEST: usize = 100;

/// Columns of a terminal that does not say how many it has.
const NARROW: usize = 80;
/// Columns of the terminal that a column is cut to at most.
const LEAST: usize = 8;

/// Columns of text, as wide as they must be, or as the terminal lets them be.
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these column heads.
    pub fn new(head: &[&str]) -> Table {
        Table { rows: vec![head.iter().map(|text| (*text).to_owned()).collect()] }
    }

    /// Whether all cells of a column are of [`time`]; half of one says nothing.
    fn is_of_times(&self, column: usize) -> bool {
        let cells = self.rows[1..].iter().filter_map(|row| row.get(column));
        let is_time = |cell: &String| cell.len() == 20 && cell.ends_with('Z') && cell.as_bytes()[4] == b'-';
        !self.rows[1..].is_empty() && cells.clone().all(is_time)
    }

    /// Adds a row. What has several lines is shown in one.
    pub fn row(&mut self, cells: Vec<String>) {
        let columns = self.rows[0].len();
        let one_line = |text: String| shown(&text).replace('\n', "\\n").replace('\t', "\\t");
        let mut cells: Vec<String> = cells.into_iter().map(one_line).collect();
        if let Some(last) = cells.get_mut(columns - 1) {
            if last.width() > WIDEST {
                *last = format!("{}…", beginning(last, WIDEST));
            }
        }
        self.rows.push(cells);
    }

    /// Prints it; numbers are aligned right.
    pub fn print(&self) {
        // A program gets all of it.
        let width = std::io::stdout().is_terminal().then(|| {
            let size = rustix::termios::tcgetwinsize(std::io::stdout());
            size.ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0).unwrap_or(NARROW)
        });
        write(&self.lines(width).join("\n"));
    }

    /// The lines, in `room` columns of a terminal if that can be.
    fn lines(&self, room: Option<usize>) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max().unwrap_or(0)
        };
        let mut widths: Vec<usize> = (0..columns).map(width).collect();
        let numeric = |column: usize| {
            self.rows.len() > 1
                && self.rows[1..]
                    .iter()
                    .filter_map(|row| row.get(column))
                    .all(|cell| cell.parse::<u64>().is_ok())
        };
        let right: Vec<bool> = (0..columns).map(numeric).collect();
        if let Some(room) = room {
            let elastic = |column: usize| !right[column] && column > 0 && !self.is_of_times(column);
            let gaps = 2 * columns.saturating_sub(1);
            while widths.iter().sum::<usize>() + gaps > room {
                let widest = (0..columns).filter(|column| elastic(*column) && widths[*column] > LEAST);
                let Some(widest) = widest.max_by_key(|column| widths[*column]) else { break };
                widths[widest] -= 1;
            }
        }
        let line = |row: &Vec<String>| {
            let mut text = String::new();
            for (column, cell) in row.iter().enumerate() {
                let cell = cut(cell, widths[column], column + 1 < columns);
                let blanks = " ".repeat(widths[column].saturating_sub(cell.width()));
                let (before, after) =
                    if right[column] { (blanks, String::new()) } else { (String::new(), blanks) };
                let gap = if column > 0 { "  " } else { "" };
                text.push_str(&format!("{gap}{before}{cell}{after}"));
            }
            text.trim_end().to_owned()
        };
        self.rows.iter().map(line).collect()
    }
}

/// References in at most 100 columns, outside of a table; the middle of a longer text is left out.
pub fn shortened(references: &str) -> String {
    cut(references, WIDEST, true)
}

/// A cell in so many columns of the terminal. Of a reference both ends say something, of a message the beginning.
fn cut(cell: &str, width: usize, in_the_middle: bool) -> String {
    if cell.width() <= width {
        return cell.to_owned();
    }
    let end = if in_the_middle { width.saturating_sub(1) / 2 } else { 0 };
    let begin = width.saturating_sub(1 + end);
    format!("{}…{}", beginning(cell, begin), ending(cell, end))
}

/// As much of the beginning of a text as so many columns of a terminal show.
fn beginning(text: &str, width: usize) -> &str {
    // Width of a text is not the sum of what its characters have: some change the one before.
    let fits = |at: &usize| text[..*at].width() <= width;
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    &text[..ends.take_while(fits).last().unwrap_or(0)]
}

/// As much of the end.
fn ending(text: &str, width: usize) -> &str {
    let fits = |at: &usize| text[*at..].width() <= width;
    let begins = text.char_indices().rev().map(|(at, _)| at);
    &text[begins.take_while(fits).last().unwrap_or(text.len())..]
}

/// A time of day for a table, in UTC and to the second.
pub fn time(text: &str) -> String {
    text.get(..19).map_or_else(|| text.to_owned(), |head| format!("{}Z", head.replace('T', " ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_begin_with_their_code() {
        let error = CliError::new("unknown_job", "there is no job `x`").hint("name another");
        assert_eq!(headline(&error), "error[unknown_job]: there is no job `x`");
    }

    #[test]
    fn a_time_is_shown_to_the_second() {
        assert_eq!(time("2026-01-02T03:04:05.678Z"), "2026-01-02 03:04:05Z");
    }

    #[test]
    fn nothing_that_is_shown_commands_the_terminal() {
        assert_eq!(shown("é 日本\n\tplain"), "é 日本\n\tplain");
        assert_eq!(shown("\u{feff}c"), r"\u{feff}c");
        assert_eq!(
            shown("❤\u{fe0f} \u{646}\u{645}\u{6cc}\u{200c}\u{62e}"),
            "❤\u{fe0f} \u{646}\u{645}\u{6cc}\u{200c}\u{62e}"
        );
        let hostile = "\x1b[2J\x1b]0;title\x07a\rb\u{202e}c\u{9b}31m";
        assert_eq!(shown(hostile), r"\u{1b}[2J\u{1b}]0;title\u{7}a\u{d}b\u{202e}c\u{9b}31m");
    }

    #[test]
    fn a_row_is_a_line_and_its_last_cell_has_an_end() {
        let mut table = Table::new(&["N", "KEY", "MESSAGE"]);
        table.row(vec!["7".into(), "\x1b[31mred".into(), "one\ntwo".into()]);
        table.row(vec!["10".into(), "k".repeat(120), "é".repeat(101)]);
        let lines = table.lines(None);
        assert_eq!(lines.len(), 3);
        assert!(
            lines[1].starts_with(r" 7  \u{1b}[31mred ") && lines[1].ends_with(r"  one\ntwo"),
            "{lines:?}"
        );
        assert_eq!(lines[2], format!("10  {}  {}…", "k".repeat(120), "é".repeat(100)));
    }

    #[test]
    fn of_a_long_reference_both_ends_are_shown() {
        let short = shortened(&format!("out/k={}z", "a+".repeat(3000)));
        assert_eq!(
            (short.width(), short.starts_with("out/k=a+"), short.ends_with("+z")),
            (WIDEST, true, true)
        );
        assert_eq!(shortened("out/k=a"), "out/k=a");
    }

    #[test]
    fn a_table_fits_its_terminal() {
        let mut table = Table::new(&["RUN", "STATE", "TRIES", "CREATED", "JOB", "PARTITION", "MESSAGE"]);
        table.row(
            [
                "r195",
                "completed",
                "1",
                "2026-11-21 00:48:20Z",
                "//warehouse/sales:ingest",
                "warehouse/temps_7d/city=san-francisco/date=2010-06-30",
                "exit code 1: ValueError: no such column",
            ]
            .map(str::to_owned)
            .to_vec(),
        );
        let lines = table.lines(Some(80));
        assert!(lines.iter().all(|line| line.chars().count() <= 80), "{lines:#?}");
        assert_eq!(
            lines[1],
            "r195  completed      1  2026-11-21 00:48:20Z  //war…gest  wareh…6-30  exit code…"
        );
        assert_eq!(table.lines(Some(400)), table.lines(None));
        assert!(table.lines(Some(10))[1].contains("2026-11-21 00:48:20Z"), "what cannot be cut stays");
    }

    #[test]
    fn columns_stand_one_below_the_other_whatever_the_script() {
        let mut table = Table::new(&["KEY", "STATE", "SIZE"]);
        table.row(["city=東京都新宿区", "current", "7"].map(str::to_owned).to_vec());
        table.row(["city=e\u{301}vry", "missing", "12"].map(str::to_owned).to_vec());
        let lines = table.lines(None);
        assert_eq!(lines[1], "city=東京都新宿区  current     7");
        assert_eq!(lines[2], "city=e\u{301}vry          missing    12");
        assert_eq!(cut("city=東京都新宿区", 12, true), "city=…宿区");
        assert_eq!(cut("東京都新宿区", 8, false), "東京都…");
    }

    #[test]
    fn reading_takes_all_that_is_written() {
        let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        rustix::fs::fcntl_setfl(&writer, rustix::fs::OFlags::NONBLOCK).unwrap();
        let many = vec![b'x'; 1 << 20];
        let expected = many.len();
        let read = std::thread::spawn(move || {
            let mut all = Vec::new();
            std::io::Read::read_to_end(&mut std::fs::File::from(reader), &mut all).unwrap();
            all.len()
        });
        put(writer.as_fd(), &many).unwrap();
        drop(writer);
        assert_eq!(read.join().unwrap(), expected);
    }
}
