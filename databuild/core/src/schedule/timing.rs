//! When ticks are, as those who ask see it.

use super::cron::Cron;
use super::error::TimingError;
use super::parse::parse;
use crate::digest::{hash64, mix};
use crate::time::{instant_of, seconds_of, Zone};
use jiff::Timestamp;
use std::time::Duration;

/// When ticks are. They are whole seconds, and the same for the same declaration whoever asks and whenever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    rule: Rule,
    end: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    Cron(Box<Cron>),
    /// So many seconds apart.
    Every(i64),
}

const LONGEST: Duration = Duration::from_secs(366 * 86_400);

impl Timing {
    /// Ticks at the local times that a cron says: see [`crate::schedule`] for where clocks are set.
    ///
    /// # Errors
    ///
    /// [`TimingError`] if the text is no cron, or one that never fires.
    pub fn cron(text: &str, zone: Zone) -> Result<Timing, TimingError> {
        let (pattern, fixed) = parse(text)?;
        let timing = Timing { rule: Rule::Cron(Box::new(Cron { pattern, zone, fixed })), end: None };
        match timing.next(Timestamp::MIN) {
            Some(_) => Ok(timing),
            None => Err(TimingError::Never { text: text.trim_ascii().to_owned() }),
        }
    }

    /// Ticks at the multiples of a length of time since 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    ///
    /// [`TimingError::BadLength`] if it is not whole seconds, or not from one second to 366 days.
    pub fn every(length: Duration) -> Result<Timing, TimingError> {
        if length.subsec_nanos() != 0 || length.is_zero() || length > LONGEST {
            return Err(TimingError::BadLength { length });
        }
        // 366 days of seconds fit.
        Ok(Timing { rule: Rule::Every(length.as_secs() as i64), end: None })
    }

    /// The same without ticks after `end`.
    #[must_use]
    pub fn until(self, end: Option<Timestamp>) -> Timing {
        Timing { end, ..self }
    }

    /// The first tick after an instant; none if there is none any more.
    #[must_use]
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let from = seconds_of(after);
        let tick = match &self.rule {
            Rule::Cron(cron) => cron.next(from)?,
            Rule::Every(length) => multiple_below(from, *length) + length,
        };
        instant_of(tick).filter(|tick| self.end.is_none_or(|end| *tick <= end))
    }

    /// The last tick after `after` and up to `at`.
    #[must_use]
    pub fn last(&self, at: Timestamp, after: Timestamp) -> Option<Timestamp> {
        let (at, from) = (seconds_of(self.bounded(at)), seconds_of(after));
        let tick = match &self.rule {
            Rule::Cron(cron) => cron.last(at, from),
            Rule::Every(length) => Some(multiple_below(at, *length)).filter(|tick| *tick > from),
        };
        tick.and_then(instant_of)
    }

    /// How many ticks there are after `after` and up to `until`. They are counted without being listed.
    #[must_use]
    pub fn count(&self, after: Timestamp, until: Timestamp) -> u64 {
        let (from, to) = (seconds_of(after), seconds_of(self.bounded(until)));
        match &self.rule {
            Rule::Cron(cron) => cron.count(from, to),
            Rule::Every(length) => {
                let between = multiple_below(to, *length) - multiple_below(from, *length);
                u64::try_from(between / length).unwrap_or(0)
            }
        }
    }

    /// By how much a tick is put off: whole milliseconds, less than `most`, and the same for the same name and tick. Names are
    /// spread evenly, so that schedules of one time don't all begin at once.
    #[must_use]
    pub fn jitter(name: &str, tick: Timestamp, most: Duration) -> Duration {
        let drawn = mix(hash64(name), tick.as_second() as u64);
        let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        // The upper half of the product is below `most`.
        Duration::from_millis(((u128::from(drawn) * u128::from(most)) >> 64) as u64)
    }

    fn bounded(&self, at: Timestamp) -> Timestamp {
        self.end.map_or(at, |end| at.min(end))
    }
}

/// The last multiple of a length since 1970-01-01T00Z that is not after an instant, in seconds since 0001-01-01T00Z.
fn multiple_below(instant: i64, length: i64) -> i64 {
    let epoch = seconds_of(Timestamp::UNIX_EPOCH);
    epoch + (instant - epoch).div_euclid(length) * length
}
