//! The part of a log that a run's page shows.

use crate::api::{AttemptRow, RunDetail};
use crate::error::ApiError;
use crate::log_lines::{Line, Place};
use crate::logs::{Printed, SEARCH};
use crate::state::App;
use databuild_core::ids::{AttemptId, RunId};
use databuild_ui::pages::run::Log;
use std::time::Duration;

/// Lines that a page shows.
const SHOWN: usize = 1_000;
/// Of each stream, the end that is looked at for the last lines.
const TAIL: u64 = 128 << 10;
/// Lines with what was searched for that a page shows.
const HITS: usize = 200;
/// Lines that are looked at in one go.
const PART: usize = 10_000;

/// What a page is asked to show of a log.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Of this attempt; of the last one without it.
    pub(super) attempt: Option<u32>,
    /// Lines from this place on; the last ones without it.
    pub(super) from: Option<Place>,
    /// Lines that have this in them.
    pub(super) search: String,
}

/// What an attempt of a run printed.
pub(super) fn printed(app: &App, id: RunId, detail: &RunDetail, number: u32) -> Result<Printed, ApiError> {
    if number == 0 || number > detail.run.attempt_count {
        return Err(ApiError::not_found("attempt_not_found", "attempt", &format!("{id}-{number}")));
    }
    let mut attempts = detail.attempts.iter();
    // What has no exit code had no process, or nobody knows what became of it.
    let ended = attempts.any(|row| row.number == number && row.exit_code.is_some());
    Printed::by(app, AttemptId { run: id, number }, ended)
}

/// The part of a log that is asked for. That there is none is no error of the page.
pub(super) async fn log(app: &App, id: RunId, detail: &RunDetail, asked: Asked) -> Result<Log, ApiError> {
    let attempt = asked.attempt.unwrap_or(detail.run.attempt_count);
    let printed = printed(app, id, detail, attempt)?;
    let search = asked.search.clone();
    let row = detail.attempts.iter().find(|row| row.number == attempt);
    let shown = match asked.search.as_str() {
        "" => lines(app, printed, asked.from).await,
        search => hits(app, printed, asked.from, search).await,
    };
    let log = match shown {
        Ok(Some(log)) => log,
        Ok(None) => Log { absent: row.map(AttemptRow::without_log), ..Log::default() },
        Err(error) if error.body.error == "log_not_found" => {
            let live = row.is_some_and(|row| row.ended_at.is_none());
            Log { absent: Some(absent(&error.body.message, live)), ..Log::default() }
        }
        Err(error) => return Err(error),
    };
    Ok(Log { attempt, search, ..log })
}

fn absent(message: &str, live: bool) -> String {
    if live {
        "It has not printed anything yet.".to_owned()
    } else {
        message.to_owned()
    }
}

/// Lines from a place on, or the last ones; none if nothing is kept of the log.
async fn lines(app: &App, printed: Printed, from: Option<Place>) -> Result<Option<Log>, ApiError> {
    let begin = match from {
        Some(from) => from,
        None => printed.near_end(app, TAIL).await?,
    };
    let log = printed.lines(None);
    let (mut place, mut found, mut ended) = (begin, Vec::new(), false);
    loop {
        let (part, is_kept) = log.more(app, place, PART, Some(Duration::ZERO)).await?;
        if !is_kept {
            return Ok(None);
        }
        let none = part.lines.is_empty();
        (place, ended) = (part.next, ended || part.ended);
        found.extend(part.lines);
        if ended || none || (from.is_some() && found.len() >= SHOWN) {
            break;
        }
    }
    let (over, cut) = (found.len().saturating_sub(SHOWN), found.len() > SHOWN);
    let later = begin != Place::default() || (from.is_none() && cut);
    let next = match from {
        Some(_) => {
            found.truncate(SHOWN);
            // What stands after the last line that is shown, if there is more.
            found.last().filter(|_| cut || !ended).map(|line| line.next)
        }
        None => {
            found.drain(..over);
            (!ended).then_some(place)
        }
    };
    Ok(Some(Log {
        live: from.is_none() && !ended,
        lines: found.iter().map(Line::row).collect(),
        later,
        next: next.map(|place| place.to_string()),
        ..Log::default()
    }))
}

/// Lines from a place on that have a text in them, and how many there are, as far as was searched.
async fn hits(
    app: &App,
    printed: Printed,
    from: Option<Place>,
    search: &str,
) -> Result<Option<Log>, ApiError> {
    let found = printed.lines(None).search(app, from.unwrap_or_default(), search, HITS, SEARCH).await?;
    if !found.kept {
        return Ok(None);
    }
    let is_more = found.incomplete || found.hits.is_some_and(|hits| hits > found.lines.len() as u64);
    Ok(Some(Log {
        hits: found.hits.unwrap_or_default(),
        incomplete: found.incomplete,
        later: from.is_some(),
        next: is_more.then_some(found.next),
        lines: found.lines,
        ..Log::default()
    }))
}
