//! Ticks of a cron: its local times as instants of a zone.
//!
//! Instants are seconds since 0001-01-01T00Z, local times what a clock shows in the same unit. A fixed local time happens at
//! the first instant at which its clock shows it, or more, for the first time: that is one formula for gaps, for local times
//! that come twice and for days left out, and it keeps the order. So ticks are found and counted by what a clock showed most
//! at an instant, and only in gaps do several local times share one.

use super::days::{FIRST_YEAR, LAST_YEAR};
use super::pattern::Pattern;
use crate::time::{first_day, Granularity, Stretch, Zone};

/// A cron in a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cron {
    pub pattern: Pattern,
    pub zone: Zone,
    /// Whether each local time happens once.
    pub fixed: bool,
}

const DAY: i64 = 86_400;
/// More than the offsets of a zone differ from UTC and among each other.
const APART: i64 = 2 * DAY;

/// All ticks lie between the instants, as do those at which any clock shows one of their local times.
fn bounded(instant: i64) -> i64 {
    let year = |year: u32| i64::from(first_day(Granularity::Year, year - 1)) * DAY;
    instant.clamp(year(FIRST_YEAR) - APART, year(LAST_YEAR + 1) + APART)
}

impl Cron {
    /// The first tick after an instant.
    pub(super) fn next(&self, after: i64) -> Option<i64> {
        let after = bounded(after);
        if self.fixed {
            return self.pattern.at_least(self.most_shown(after) + 1).map(|local| self.happens(local));
        }
        // The local time that was found is that of later stretches too, unless clocks were set back behind where it was
        // looked for.
        let mut found: Option<(i64, Option<i64>)> = None;
        for stretch in self.zone.stretches(after + 1, i64::MAX) {
            let begin = stretch.from.max(after + 1) + stretch.offset;
            let local = match found {
                Some((from, local)) if from <= begin && local.is_none_or(|local| begin <= local) => local,
                _ => {
                    let local = self.pattern.at_least(begin);
                    found = Some((begin, local));
                    local
                }
            };
            let tick = local.map(|local| local - stretch.offset).filter(|tick| *tick < stretch.until);
            if tick.is_some() {
                return tick;
            }
        }
        None
    }

    /// The last tick after `after` and up to `at`.
    pub(super) fn last(&self, at: i64, after: i64) -> Option<i64> {
        let (at, after) = (bounded(at), bounded(after));
        if at <= after {
            return None;
        }
        if self.fixed {
            let local = self.pattern.below(self.most_shown(at) + 1)?;
            return Some(self.happens(local)).filter(|tick| *tick > after);
        }
        self.stretches(after, at).rev().find_map(|stretch| {
            let local = self.pattern.below(stretch.until + stretch.offset)?;
            (local >= stretch.from + stretch.offset).then(|| local - stretch.offset)
        })
    }

    /// How many ticks there are after `after` and up to `until`.
    pub(super) fn count(&self, after: i64, until: i64) -> u64 {
        let (after, until) = (bounded(after), bounded(until));
        if until <= after {
            return 0;
        }
        if !self.fixed {
            let of = |stretch: Stretch| {
                self.pattern.count(stretch.from + stretch.offset, stretch.until + stretch.offset)
            };
            return self.stretches(after, until).map(of).sum();
        }
        let happened = self.pattern.count(self.most_shown(after) + 1, self.most_shown(until) + 1);
        let together = |stretch: Stretch| {
            let (before, set) = (self.most_shown(stretch.from - 1), self.most_shown(stretch.from));
            self.pattern.count(before + 1, set + 1).saturating_sub(1)
        };
        happened - self.stretches(after, until).map(together).sum::<u64>()
    }

    /// The stretches of constant offset after `after` and up to `until`, with what is outside cut off.
    fn stretches(&self, after: i64, until: i64) -> impl DoubleEndedIterator<Item = Stretch> + '_ {
        self.zone.stretches(after + 1, until).map(move |stretch| Stretch {
            from: stretch.from.max(after + 1),
            until: stretch.until.min(until + 1),
            offset: stretch.offset,
        })
    }

    /// The most that the clock showed up to an instant.
    fn most_shown(&self, at: i64) -> i64 {
        let shown = self.stretches(at - APART, at).map(|stretch| stretch.until - 1 + stretch.offset);
        // There is a stretch at every instant.
        shown.max().unwrap_or(at)
    }

    /// When a local time happens, if it happens once.
    fn happens(&self, local: i64) -> i64 {
        let tick = self.zone.stretches(local - APART, local + APART).find_map(|stretch| {
            let tick = stretch.from.max(local - stretch.offset);
            (tick < stretch.until).then_some(tick)
        });
        // The last stretch has no end, or ends when clocks have long shown the time.
        tick.unwrap_or(local)
    }
}
