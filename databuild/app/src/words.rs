//! What requests say in words, as values; and parts of lists as pages.

use super::error::AppError;
use crate::api::{Cancel, Page, LONGEST_TEXT};
use crate::engine::CommandError;
use crate::store::{Answer, Listed};
use databuild_core::base64;
use databuild_core::decide::Refusal;
use databuild_core::event::{PriorityClass, Refresh};
use databuild_core::text::{first_of, nearest, shown};
use databuild_core::word::Word;
use jiff::fmt::temporal::Pieces;
use jiff::Timestamp;
use serde::Serialize;
use std::fmt::Display;
use std::io;

/// Rows of a list, if the request does not say.
const DEFAULT_LIMIT: usize = 100;
/// Rows of a list, at most.
const MAX_LIMIT: usize = 1000;
/// Bytes of the rows of an answer, as JSON, at most.
const MOST_BYTES: usize = 1 << 20;
/// Words that a message lists.
const SOME: usize = 8;

/// The bytes that rows of an answer may still have. The first row has room however long it is, so that lists go on.
pub struct Room {
    left: usize,
    is_empty: bool,
}

impl Default for Room {
    fn default() -> Room {
        Room { left: MOST_BYTES, is_empty: true }
    }
}

impl Room {
    /// Whether one more row has room.
    pub fn has(&mut self, row: &impl Serialize) -> bool {
        let mut counted = Counted(0);
        // Nothing that is counted can fail to be written; what is no JSON fails in the answer.
        let _ = serde_json::to_writer(&mut counted, row);
        let fits = counted.0 <= self.left;
        self.left = self.left.saturating_sub(counted.0);
        std::mem::take(&mut self.is_empty) || fits
    }
}

/// Bytes that are written nowhere.
struct Counted(usize);

impl io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A text for people that a request gives in this field.
///
/// # Errors
/// It has more than [`LONGEST_TEXT`] bytes.
pub(super) fn said(field: &'static str, text: String) -> Result<String, AppError> {
    match text.len() {
        0..=LONGEST_TEXT => Ok(text),
        bytes => Err(AppError::TooLong { field, bytes }),
    }
}

/// A text of the log as lists tell it: without its end, if it is longer than requests may give it by now.
pub(super) fn cut(mut text: String) -> String {
    if text.len() > LONGEST_TEXT {
        let end = (0..=LONGEST_TEXT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Where a list goes on: the id of the last row of the page before.
pub fn cursor<T: std::str::FromStr>(text: Option<&str>) -> Result<Option<T>, AppError> {
    let ours = || {
        AppError::new(
            "bad_cursor",
            "the server did not give out this cursor; send the `next` of the page before",
        )
    };
    text.map(|text| text.parse().map_err(|_| ours())).transpose()
}

/// A part of a list of the history, as the API has it: as many rows as there is [`Room`] for. `number` is what the list goes on
/// before or after, as `cursor` writes it.
pub(super) fn page<R, T: Serialize, C: ToString>(
    found: Answer<Listed<R>>,
    number: impl Fn(&R) -> u64,
    row: impl Fn(R) -> T,
    cursor: impl Fn(u64) -> C,
) -> Page<T> {
    let Listed { rows, mut next } = found.value;
    let (mut data, mut room, mut last) = (Vec::with_capacity(rows.len()), Room::default(), None);
    for found in rows {
        let number = number(&found);
        let told = row(found);
        if !room.has(&told) {
            next = last;
            break;
        }
        last = Some(number);
        data.push(told);
    }
    Page { data, next: next.map(|number| cursor(number).to_string()), seq: found.last_seq.0 }
}

/// How many rows a list has at most.
///
/// # Errors
/// None are asked for, or too many.
pub(super) fn limit(asked: Option<usize>) -> Result<usize, AppError> {
    match asked.unwrap_or(DEFAULT_LIMIT) {
        rows @ 1..=MAX_LIMIT => Ok(rows),
        rows => Err(bad_rows(rows)),
    }
}

/// What is told who asks for so many rows.
#[must_use]
pub fn bad_rows(rows: impl Display) -> AppError {
    let message = format!("`limit` is {rows}: say how many rows, from 1 to {MAX_LIMIT}");
    AppError::new("invalid_pagination", message)
}

/// How many of something an answer has at most: what was asked for, or else `default`, but no more than `most`.
///
/// # Errors
/// None are asked for.
pub fn limit_of<N: Ord + Default + Display>(
    what: &str,
    asked: Option<N>,
    default: N,
    most: N,
) -> Result<N, AppError> {
    match asked {
        Some(asked) if asked == N::default() => {
            Err(AppError::new("bad_query", format!("`limit` is 0: say how many {what}, at most {most}")))
        }
        asked => Ok(asked.unwrap_or(default).min(most)),
    }
}

/// A part of a list that is at hand, from the row numbered by the cursor on: as many rows as there is [`Room`] for.
///
/// # Errors
/// The cursor or the limit is bad.
pub(super) fn part<T: Serialize>(
    rows: impl Iterator<Item = T>,
    asked: Option<usize>,
    from: Option<&str>,
    seq: u64,
) -> Result<Page<T>, AppError> {
    let (from, limit) = (cursor::<usize>(from)?.unwrap_or(0), limit(asked)?);
    let (mut data, mut room) = (Vec::new(), Room::default());
    for row in rows.skip(from) {
        if data.len() == limit || !room.has(&row) {
            return Ok(Page { next: Some((from + data.len()).to_string()), data, seq });
        }
        data.push(row);
    }
    Ok(Page { data, next: None, seq })
}

/// What came of canceling something. `was_canceled` looks up whether what is over was.
///
/// # Errors
/// The command failed for another reason than that it is over, or there is no such thing.
pub(super) fn canceled(
    done: Result<(), CommandError>,
    was_canceled: impl FnOnce() -> Result<bool, AppError>,
) -> Result<Cancel, AppError> {
    match done {
        Ok(()) => Ok(Cancel::Canceled),
        Err(CommandError::Refused(
            Refusal::UnknownWant(_) | Refusal::UnknownRun(_) | Refusal::TrialEnded(_),
        )) => Ok(if was_canceled()? { Cancel::AlreadyCanceled } else { Cancel::AlreadyTerminal }),
        Err(error) => Err(error.into()),
    }
}

/// What a job returned, as JSON can have it, if it did: a text, or base64 of what is none.
pub(super) fn returned_text(returned: &[u8]) -> (Option<String>, bool) {
    match std::str::from_utf8(returned) {
        _ if returned.is_empty() => (None, false),
        Ok(text) => (Some(text.to_owned()), false),
        Err(_) => (Some(base64::encode(returned)), true),
    }
}

pub(super) fn refresh(text: Option<&str>) -> Result<Refresh, AppError> {
    Ok(word("bad_refresh", text)?.unwrap_or(Refresh::Stale))
}

pub(super) fn class(text: Option<&str>) -> Result<PriorityClass, AppError> {
    Ok(word("bad_class", text)?.unwrap_or(PriorityClass::Interactive))
}

/// By what a list is sorted.
pub(super) fn order<W: Word>(text: Option<&str>) -> Result<Option<W>, AppError> {
    word("bad_sort", text)
}

/// The value of a word that a client sent, if it did.
pub(super) fn word<W: Word>(code: &'static str, text: Option<&str>) -> Result<Option<W>, AppError> {
    let value = |text| W::of_word(text).ok_or_else(|| AppError::new(code, W::unknown(text)));
    text.map(value).transpose()
}

/// One of the few words that a parameter of a query may have.
///
/// # Errors
/// It has another one: which was meant, or which there are.
pub fn one_of<'w>(parameter: &str, text: &str, words: &[&'w str]) -> Result<&'w str, AppError> {
    let unknown = || {
        let near = nearest(text, words.iter().copied());
        let quoted = |word: &str| format!("`{word}`");
        let instead = match near.first() {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", first_of(words.iter().map(|word| quoted(word)), SOME)),
        };
        AppError::new("unknown_word", format!("`{parameter}` cannot be `{}`; {instead}", shown(text)))
    };
    words.iter().copied().find(|word| *word == text).ok_or_else(unknown)
}

pub(super) fn instant(text: Option<&str>) -> Result<Option<Timestamp>, AppError> {
    let value = |text: &str| {
        let bad = || {
            let text = shown(text);
            AppError::new("bad_time", format!("`{text}` is not an instant; write it as 2026-01-31T08:00:00Z"))
        };
        text.parse().ok().or_else(|| end_of_time(text)).ok_or_else(bad)
    };
    text.map(value).transpose()
}

/// The last hours of the year 9999, by which programs mean for ever, are later than any instant that can be worked with.
fn end_of_time(text: &str) -> Option<Timestamp> {
    let said = Pieces::parse(text).ok()?;
    let is_late = said.date().year() == 9999 && said.time().is_some() && said.offset().is_some();
    is_late.then_some(Timestamp::MAX)
}

/// A time from one instant to another.
///
/// # Errors
/// One of them is no instant, or the first is after the last.
pub(super) fn span(
    from: Option<&str>,
    until: Option<&str>,
) -> Result<(Option<Timestamp>, Option<Timestamp>), AppError> {
    let (from, until) = (instant(from)?, instant(until)?);
    if from.zip(until).is_some_and(|(from, until)| from > until) {
        return Err(AppError::new("bad_time", "the time ends before it begins: `from` is after `until`"));
    }
    Ok((from, until))
}

#[cfg(test)]
mod tests {
    use super::*;
    use databuild_core::ids::Seq;

    #[test]
    fn a_word_that_there_is_not_is_told_with_the_nearest() {
        let words = ["passed", "failed", "error"];
        assert_eq!(one_of("outcome", "failed", &words).unwrap(), "failed");
        let refused = |text: &str| one_of("outcome", text, &words).unwrap_err().to_string();
        assert_eq!(refused("faild"), "`outcome` cannot be `faild`; did you mean `failed`?");
        assert_eq!(refused("nope"), "`outcome` cannot be `nope`; there are `passed`, `failed`, `error`");
        assert_eq!(refused(""), "`outcome` cannot be ``; there are `passed`, `failed`, `error`");
    }

    #[test]
    fn lists_have_room_for_so_many_bytes_and_go_on_where_it_ends() {
        let rows: Vec<(u64, String)> = (1..=5).map(|id| (id, "x".repeat(400 << 10))).collect();
        let listed = |from: usize| {
            let listed = Listed { rows: rows[from..].to_vec(), next: None };
            let found = Answer { value: listed, last_seq: Seq(1) };
            page(found, |row| row.0, |row| row, |id| id)
        };
        let (mut told, mut from) = (Vec::new(), 0);
        loop {
            let of_history = listed(from);
            let at_hand = part(rows.iter(), None, Some(&from.to_string()), 1).unwrap();
            assert!(of_history.data.iter().eq(at_hand.data.iter().copied()), "from {from}");
            assert!((1..=2).contains(&of_history.data.len()), "{}", of_history.data.len());
            assert_eq!(of_history.next, at_hand.next, "here a row's number is how many were told by then");
            told.extend(of_history.data);
            let Some(next) = of_history.next else { break };
            from = next.parse().unwrap();
        }
        assert_eq!(told, rows);
        let long = vec!["x".repeat(2 * MOST_BYTES)];
        assert_eq!(part(long.into_iter(), None, None, 1).unwrap().data.len(), 1, "one is told in any case");
    }

    #[test]
    fn what_is_said_has_so_many_bytes_and_is_refused_or_cut_beyond_them() {
        let longest = "é".repeat(LONGEST_TEXT / 2);
        assert_eq!(said("comment", longest.clone()).unwrap(), longest);
        let error = said("comment", format!("{longest}x")).unwrap_err();
        assert_eq!(error.code(), "text_too_long");
        assert_eq!(error.to_string(), "`comment` has 4097 bytes, and 4096 is the most: shorten it");
        assert_eq!(error.details(), [("field".to_owned(), "comment".to_owned())]);
        assert_eq!(cut(longest.clone()), longest);
        assert_eq!(cut(format!("x{longest}")), format!("x{}…", "é".repeat(LONGEST_TEXT / 2 - 1)));
    }

    #[test]
    fn times_are_instants_in_order() {
        let (early, late) = ("2026-01-31T08:00:00Z", "2026-01-31T09:00:00+00:30");
        for end in ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999-12:00"] {
            assert_eq!(instant(Some(end)).unwrap(), Some(Timestamp::MAX), "{end}");
            assert!(span(Some(early), Some(end)).is_ok());
        }
        for bad in
            ["", "now", "9999-12-31", "9999-13-01T00:00:00Z", "10000-01-01T00:00:00Z", "2026-01-31T08:00:00"]
        {
            assert_eq!(instant(Some(bad)).unwrap_err().code(), "bad_time", "{bad}");
        }
        assert!(span(Some(early), Some(late)).is_ok() && span(Some(early), Some(early)).is_ok());
        assert!(span(None, Some(early)).is_ok() && span(Some(late), None).is_ok());
        assert_eq!(span(Some(late), Some(early)).unwrap_err().code(), "bad_time");
    }
}
