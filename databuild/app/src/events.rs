//! The event log, for reading: parts of it, single events, and events as they come.

mod about;
mod data;
mod filter;

use super::context::Context;
use super::words::{limit, order, Room};
use super::AppError;
use crate::api::{EventActor, EventCause, EventPage, EventRow, EventsQuery, ListOrder};
use crate::store::{Events, History, MAX_ROWS};
use about::{about, RunSubject, Subjects, Targets};
use databuild_core::event::{AttemptLeased, Event, Record, WantCreated};
use databuild_core::ids::{RunId, Seq, WantId};
use std::collections::hash_map::{Entry, HashMap};

pub use filter::{Filter, Matcher, KINDS};

/// Events that one answer looks at, at most, where not all are asked for.
const MOST_LOOKED_AT: usize = 50_000;
/// Bytes of events that are read at once for a part of the log, and one event.
const READ: usize = 1 << 20;
/// Runs whose jobs are remembered.
const REMEMBERED: usize = 10_000;

/// Events of a part of the log, in the order that is asked for.
///
/// # Errors
/// The events are archived, or the query is bad.
pub async fn list(context: &impl Context, query: EventsQuery) -> Result<EventPage, AppError> {
    let limit = limit(query.limit)?;
    let order = order(query.sort.as_deref())?.unwrap_or(ListOrder::Oldest);
    let listed = context.slow(move |backend, reader| {
        let filter = Filter::parse(&query, backend, reader)?;
        let state = backend.engine.snapshot();
        let part = Part { after: query.after.map(Seq), before: query.before.map(Seq), limit };
        match order {
            ListOrder::Oldest => page(reader, part, &filter, &filter.at(&state.state)),
            ListOrder::Newest => newest(reader, part, &filter, &filter.at(&state.state)),
        }
    });
    listed.await
}

/// One event, be it archived or not.
///
/// # Errors
/// There is none of this number, or its archive is not there.
pub async fn get(context: &impl Context, seq: &str) -> Result<EventRow, AppError> {
    let unknown = || AppError::not_found("event_not_found", "event", seq);
    let number = seq.parse().ok().map(Seq).filter(|number| number.to_string() == seq).ok_or_else(unknown)?;
    let found = context.quick(move |backend, reader| {
        let Some(record) = reader.event(number)?.value else { return Ok(None) };
        let of = Runs::default().of(reader, &record)?;
        let filter = Filter::for_audience(&backend.audience);
        let is_seen = filter.at(&backend.engine.snapshot().state).fits(&record, &of);
        Ok(is_seen.then(|| row(number, &record, &of.runs)))
    });
    found.await?.ok_or_else(unknown)
}

/// All events that whoever asks may see.
pub fn all(context: &impl Context) -> Filter {
    Filter::for_audience(&context.backend().audience)
}

/// What a query for a stream of events asks for.
///
/// # Errors
/// The query is bad.
pub async fn filter(context: &impl Context, query: EventsQuery) -> Result<Filter, AppError> {
    // What is not there may have been long ago.
    if query.job.is_some() || query.dataset.is_some() || query.reference.is_some() {
        return context.slow(move |backend, reader| Filter::parse(&query, backend, reader)).await;
    }
    context.quick(move |backend, reader| Filter::parse(&query, backend, reader)).await
}

/// An event with what it speaks of.
#[derive(Debug, Clone)]
pub struct Told {
    /// Its position.
    pub seq: Seq,
    record: Record,
    of: Subjects,
}

impl Told {
    /// What happened.
    #[must_use]
    pub fn event(&self) -> &Event {
        &self.record.event
    }

    /// As the API says it.
    #[must_use]
    pub fn row(&self) -> EventRow {
        row(self.seq, &self.record, &self.of.runs)
    }

    /// Whether somebody asks for it.
    #[must_use]
    pub fn fits(&self, matcher: &Matcher<'_>) -> bool {
        matcher.fits(&self.record, &self.of)
    }
}

/// Bytes of events that are read at once to be told, and one event: a graph or a comment may be long.
const LONG: usize = 256 << 10;

/// At most so many events after one, up to `until`, and the last one that is archived: of those nothing is told. Fewer where they are
/// long.
///
/// # Errors
/// The log cannot be read.
pub fn told(
    reader: &dyn History,
    runs: &mut Runs,
    after: Seq,
    until: Seq,
    limit: usize,
) -> Result<(Seq, Vec<Told>), AppError> {
    let archived = reader.events(None, 0)?.value.archived;
    let records = reader.events_within(Some(after.max(archived)), limit, LONG)?.value.records;
    let known = records.into_iter().take_while(|(seq, _)| *seq <= until);
    let told = known.map(|(seq, record)| {
        let of = runs.of(reader, &record)?;
        Ok(Told { seq, record, of })
    });
    Ok((archived, told.collect::<Result<_, AppError>>()?))
}

/// A part of the log.
#[derive(Debug, Clone, Copy, Default)]
struct Part {
    /// Begins after this event.
    after: Option<Seq>,
    /// Ends before this one.
    before: Option<Seq>,
    /// Rows, at most.
    limit: usize,
}

/// Those that fit, oldest first.
fn page(
    reader: &dyn History,
    Part { after, before, limit }: Part,
    filter: &Filter,
    matcher: &Matcher<'_>,
) -> Result<EventPage, AppError> {
    let Events { archived, .. } = reader.events(after, 0)?.value;
    let first = if filter.is_all() { Seq(0) } else { filter.before_first(reader)? };
    let mut after = after.unwrap_or(archived).max(first);
    let (mut data, mut room, mut runs, mut looked_at) = (Vec::new(), Room::default(), Runs::default(), 0);
    loop {
        let most = if filter.is_all() { limit } else { MAX_ROWS };
        let found = reader.events_within(Some(after), most, READ)?;
        let (records, last) = (found.value.records, found.last_seq);
        let mut is_end = records.last().is_none_or(|(seq, _)| *seq >= last);
        let mut is_full = false;
        looked_at += records.len();
        for (seq, record) in records {
            if before.is_some_and(|before| seq >= before) {
                is_end = true;
                break;
            }
            let of = runs.of(reader, &record)?;
            if matcher.fits(&record, &of) {
                let row = row(seq, &record, &of.runs);
                is_full = !room.has(&row);
                if is_full {
                    break;
                }
                data.push(row);
                is_full = data.len() == limit;
            }
            after = seq;
            if is_full {
                break;
            }
        }
        if is_full || is_end || looked_at >= MOST_LOOKED_AT {
            let next = (is_full || !is_end).then(|| after.to_string());
            return Ok(EventPage { data, next, seq: last.0, first_seq: archived.0 + 1 });
        }
    }
}

/// Those that fit, newest first.
fn newest(
    reader: &dyn History,
    Part { after, before, limit }: Part,
    filter: &Filter,
    matcher: &Matcher<'_>,
) -> Result<EventPage, AppError> {
    let found = reader.events(after, 0)?;
    let (archived, last) = (found.value.archived, found.last_seq);
    let first = if filter.is_all() { Seq(0) } else { filter.before_first(reader)? };
    let first = after.unwrap_or(archived).max(first);
    let mut end = before.unwrap_or(Seq::LATEST).min(last.next());
    let (mut data, mut room, mut runs, mut looked_at) = (Vec::new(), Room::default(), Runs::default(), 0);
    let (mut step, mut is_full) = (if filter.is_all() { limit } else { MAX_ROWS }, false);
    loop {
        let left = end.0.saturating_sub(first.0 + 1);
        if is_full || left == 0 || looked_at >= MOST_LOOKED_AT {
            let next = (left > 0).then(|| end.to_string());
            return Ok(EventPage { data, next, seq: last.0, first_seq: archived.0 + 1 });
        }
        let most = step.min(usize::try_from(left).unwrap_or(MAX_ROWS));
        let records = reader.events_within(Some(Seq(end.0 - 1 - most as u64)), most, READ)?.value.records;
        if records.len() < most && most > 1 {
            // Where events are long, fewer are read at once: they are read forwards, and the last ones are asked for.
            step = most / 2;
            continue;
        }
        step = (2 * step).min(MAX_ROWS);
        looked_at += most;
        for (seq, record) in records.into_iter().rev() {
            let of = runs.of(reader, &record)?;
            if matcher.fits(&record, &of) {
                let row = row(seq, &record, &of.runs);
                is_full = !room.has(&row);
                if is_full {
                    break;
                }
                data.push(row);
                is_full = data.len() == limit;
            }
            end = seq;
            if is_full {
                break;
            }
        }
    }
}

/// What runs and wants are of: most events of a run do not name its job, and most of a want not what it asks for.
#[derive(Debug, Default)]
pub struct Runs {
    runs: HashMap<RunId, Option<RunSubject>>,
    wants: HashMap<WantId, Option<Targets>>,
}

impl Runs {
    /// Those that an event speaks of, as far as anything knows them.
    fn of(&mut self, reader: &dyn History, record: &Record) -> Result<Subjects, AppError> {
        if self.runs.len() + self.wants.len() > REMEMBERED {
            *self = Runs::default();
        }
        if let Event::AttemptLeased(AttemptLeased { attempt, job, partition, .. }) = &record.event {
            let of = RunSubject { job: job.as_str().into(), partition: partition.as_str().into() };
            self.runs.insert(attempt.run, Some(of));
        }
        if let Event::WantCreated(WantCreated { want, targets, asked, .. }) = &record.event {
            let of = if targets.is_empty() { asked } else { targets };
            self.wants.insert(*want, Some(of.as_slice().into()));
        }
        let about = about(&record.event);
        let mut found = Subjects::default();
        for want in about.wants {
            let known = match self.wants.entry(want) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    let row = reader.want(want)?.value;
                    new.insert(row.map(|want| want.targets.as_slice().into()))
                }
            };
            found.wants.push(known.clone());
        }
        for run in about.runs {
            let known = match self.runs.entry(run) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(reader.run(run)?.value.map(|run| RunSubject {
                    job: run.run.job.as_str().into(),
                    partition: run.run.partition.as_str().into(),
                })),
            };
            found.runs.extend(known.clone());
        }
        Ok(found)
    }
}

fn row(seq: Seq, record: &Record, of: &[RunSubject]) -> EventRow {
    let origin = &record.origin;
    EventRow {
        seq: seq.0,
        at: record.at.to_string(),
        kind: record.event.kind().to_owned(),
        text: record.text(),
        actor: EventActor {
            kind: origin.actor.kind().to_owned(),
            name: origin.actor.name().map(str::to_owned),
        },
        cause: origin.cause.as_ref().map(|cause| EventCause {
            kind: cause.kind().to_owned(),
            id: cause.id(),
            client: cause.client().map(str::to_owned),
        }),
        about: about(&record.event).subjects(of),
        data: data::data(&record.event),
    }
}

#[cfg(test)]
mod tests;
