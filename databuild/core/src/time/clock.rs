//! What a zone's clock showed and will show: when it was set, which days it left out, and where its hours begin.
//!
//! An hour of a clock begins whenever the clock comes to show another hour, and whenever it shows a full hour. So hours tile
//! time: each is 60 minutes long but for those in which the clock was set. Where it was set back by a full hour, two hours
//! have one label. Where it was set by part of an hour, one hour is longer or shorter.
//!
//! Hours are numbered without gaps. Between two settings of the clock the number of an instant is that of full hours since
//! 0001-01-01T00Z, after a shift; the shift changes only where hours are not 60 minutes long. In 1970 it is less than an hour,
//! so that zones which are whole hours from UTC have the numbers of UTC.

use super::instants::{instant_of, seconds_of};
use crate::range_set::Key;
use jiff::tz::TimeZone;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

/// A zone's clock. Two are equal if they always showed, and always will show, the same time.
#[derive(Debug)]
pub(super) struct Clock {
    /// Instants, in seconds since 0001-01-01T00Z, from which on an offset from UTC held. Up to the year 2100: what comes
    /// after repeats what was before.
    offsets: Vec<(i64, i64)>,
    /// Calendar days that never were, in order.
    left_out: Vec<Key>,
    /// In order; the first begins before all time.
    pieces: Vec<Piece>,
}

/// A time in which a clock is ahead of UTC by one offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// Its first instant, in seconds since 0001-01-01T00Z.
    pub from: i64,
    /// The first instant after it.
    pub until: i64,
    /// Seconds from an instant to what the clock shows.
    pub offset: i64,
}

/// A time in which hours are numbered by one formula.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    /// Its first instant.
    from: i64,
    /// What is added to an instant, in seconds, so that full hours of the sum are the number.
    shift: i64,
    /// The lowest number of an hour that begins in it.
    first: i64,
}

impl Piece {
    fn number(&self, instant: i64) -> i64 {
        (instant + self.shift).div_euclid(HOUR)
    }
}

/// 2100-01-01T00Z and ten years before. By then all clocks follow rules that are the same each year.
const SETTLED: i64 = 766_644 * DAY;
const TEN_YEARS: i64 = 3_652 * DAY;
/// 1970-01-01T00Z.
const ANCHOR: i64 = 719_162 * DAY;

impl Clock {
    /// The clock of a zone; it is made out once for each name.
    pub(super) fn of(name: &str, tz: &TimeZone) -> Arc<Clock> {
        static KNOWN: Mutex<BTreeMap<String, Arc<Clock>>> = Mutex::new(BTreeMap::new());
        // A map of finished clocks is whole whatever happened to whoever held it.
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(clock) = known.get(name) {
            return Arc::clone(clock);
        }
        let clock = Arc::new(Clock::new(tz));
        known.insert(name.to_owned(), Arc::clone(&clock));
        clock
    }

    fn new(tz: &TimeZone) -> Clock {
        let mut offset = i64::from(tz.to_offset(Timestamp::MIN).seconds());
        let mut offsets = vec![(i64::MIN, offset)];
        let mut left_out = Vec::new();
        let mut pieces = vec![Piece { from: i64::MIN, shift: offset.rem_euclid(HOUR), first: i64::MIN }];
        for set in tz.following(Timestamp::MIN) {
            let at = seconds_of(set.timestamp());
            let last = pieces[pieces.len() - 1];
            if at > SETTLED && last.from < SETTLED - TEN_YEARS {
                break;
            }
            let before = std::mem::replace(&mut offset, i64::from(set.offset().seconds()));
            if offset == before {
                continue;
            }
            if at < SETTLED {
                offsets.push((at, offset));
            }
            let days = (at + before + DAY - 1).div_euclid(DAY)..(at + offset).div_euclid(DAY);
            left_out.extend(days.filter_map(|day| Key::try_from(day).ok()));

            let shown = (at + offset).rem_euclid(HOUR);
            let other = (at + offset).div_euclid(HOUR) != (at - 1 + before).div_euclid(HOUR);
            let begins = shown == 0 || other;
            let number = last.number(at - 1) + i64::from(begins);
            let shift = number * HOUR - (at - shown);
            if shift != last.shift {
                pieces.push(Piece { from: at, shift, first: number + i64::from(!begins) });
            }
        }
        let mut clock = Clock { offsets, left_out, pieces };
        let whole = clock.piece_at(ANCHOR).shift.div_euclid(HOUR);
        for piece in &mut clock.pieces {
            piece.shift -= whole * HOUR;
            piece.first = piece.first.saturating_sub(whole);
        }
        clock
    }

    /// Whether it is the clock of UTC.
    pub(super) fn is_utc(&self) -> bool {
        matches!(self.offsets[..], [(_, 0)])
    }

    /// The stretches from the one with the instant `first` to the one with `last`, in order.
    pub(super) fn stretches(&self, first: i64, last: i64) -> impl DoubleEndedIterator<Item = Stretch> + '_ {
        let begun = |instant: i64| self.offsets.partition_point(|(from, _)| *from <= instant);
        (begun(first).max(1) - 1..begun(last)).map(|ix| Stretch {
            from: self.offsets[ix].0,
            until: self.offsets.get(ix + 1).map_or(i64::MAX, |next| next.0),
            offset: self.offsets[ix].1,
        })
    }

    fn piece_at(&self, instant: i64) -> Piece {
        let after = self.pieces.partition_point(|piece| piece.from <= instant);
        self.pieces[after.max(1) - 1]
    }

    /// The number of the hour in which an instant lies.
    pub(super) fn hour_at(&self, instant: i64) -> Key {
        clamped(self.piece_at(instant).number(instant))
    }

    /// The first instant of an hour.
    pub(super) fn begin_of(&self, hour: Key) -> i64 {
        let hour = i64::from(hour);
        let after = self.pieces.partition_point(|piece| piece.first <= hour);
        let piece = self.pieces[after.max(1) - 1];
        (hour * HOUR - piece.shift).max(piece.from)
    }

    /// The number of a calendar day; of one that was left out, that of the next.
    pub(super) fn number_of_day(&self, day: Key) -> Key {
        day - self.left_out.partition_point(|out| *out < day) as Key
    }

    /// The calendar day with a number.
    pub(super) fn day_of_number(&self, number: Key) -> Key {
        let next = |day: Key, out: &Key| if *out <= day { day.saturating_add(1) } else { day };
        self.left_out.iter().fold(number, next)
    }

    /// Whether a calendar day never was.
    pub(super) fn leaves_out(&self, day: Key) -> bool {
        self.left_out.binary_search(&day).is_ok()
    }
}

fn clamped(number: i64) -> Key {
    Key::try_from(number.max(0)).unwrap_or(Key::MAX)
}

/// The hours, in order, during which a clock shows some hour of some day, and its offsets from UTC as it does. `label` is the
/// beginning of that hour in seconds since 0001-01-01T00 of the clock.
pub(super) fn showing(clock: &Clock, tz: &TimeZone, label: i64) -> Vec<(Key, i64)> {
    // No clock is a whole day from UTC.
    let (mut from, end) = (label - DAY, label + HOUR + DAY);
    let bounded = |instant: i64| match instant_of(instant) {
        Some(instant) => instant,
        None if instant < 0 => Timestamp::MIN,
        None => Timestamp::MAX,
    };
    let mut offset = i64::from(tz.to_offset(bounded(from)).seconds());
    let mut found = Vec::new();
    let mut add = |from: i64, until: i64, offset: i64| {
        let first = from.max(label - offset);
        if first < until.min(label + HOUR - offset) {
            found.push((clock.hour_at(first), offset));
        }
    };
    for set in tz.following(bounded(from)) {
        let at = seconds_of(set.timestamp());
        if at >= end {
            break;
        }
        add(from, at, offset);
        (from, offset) = (at, i64::from(set.offset().seconds()));
    }
    add(from, end, offset);
    found
}

impl PartialEq for Clock {
    fn eq(&self, other: &Clock) -> bool {
        self.offsets == other.offsets
    }
}

impl Eq for Clock {}

impl PartialOrd for Clock {
    fn partial_cmp(&self, other: &Clock) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Clock {
    fn cmp(&self, other: &Clock) -> std::cmp::Ordering {
        self.offsets.cmp(&other.offsets)
    }
}

impl std::hash::Hash for Clock {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.offsets.hash(state);
    }
}
