//! Why a text names no key, or no key space.

use crate::range_set::Key;
use crate::text::{known, shell_word, shown};
use crate::time::Granularity;

/// Why a text names no key, no set of keys or no key space.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not written as such keys are.
    #[error("`{text}` is not a key of the kind {granularity}; write it as {}", .granularity.example())]
    BadForm {
        /// What was given.
        text: String,
        /// What it should have been.
        granularity: Granularity,
    },
    /// Written right, but the calendar has no such period.
    #[error("there is no {granularity} `{text}` in the calendar")]
    NotInCalendar {
        /// What was given.
        text: String,
        /// What it should have been.
        granularity: Granularity,
    },
    /// A period outside the space.
    #[error("`{text}` is {side} {limit}")]
    OutOfRange {
        /// What was given.
        text: String,
        /// `before the first key` or `after the last key`.
        side: &'static str,
        /// That key.
        limit: String,
    },
    /// Clocks were set forward over that hour.
    #[error("there is no hour `{text}` in {zone}: clocks were set forward over it")]
    SkippedHour {
        /// What was given.
        text: String,
        /// The zone's name.
        zone: String,
    },
    /// A day that a zone left out when it moved over the date line.
    #[error("there is no day `{text}` in {zone}: the zone moved over the date line and left it out")]
    SkippedDay {
        /// What was given.
        text: String,
        /// The zone's name.
        zone: String,
        /// The next day.
        nearest: String,
    },
    /// Clocks were set back, so that hour came twice.
    #[error("the hour `{text}` comes twice in {zone}; write {}", .candidates.join(" or "))]
    AmbiguousHour {
        /// What was given.
        text: String,
        /// The zone's name.
        zone: String,
        /// What may have been meant.
        candidates: Vec<String>,
    },
    /// An offset from UTC that the zone did not have.
    #[error("`{text}` is no time of {zone}: it had another offset from UTC then")]
    WrongOffset {
        /// What was given.
        text: String,
        /// The zone's name.
        zone: String,
    },
    /// A time that is not a full hour of the zone's clock.
    #[error("`{text}` is not a full hour of the clock in {zone}; did you mean {nearest}?")]
    NotAnHour {
        /// What was given.
        text: String,
        /// The zone's name.
        zone: String,
        /// The hour it lies in.
        nearest: String,
    },
    /// A key that the dimension does not list.
    #[error("`{text}` is no key here; {}", known(.near, .some, *.count))]
    UnknownKey {
        /// What was given.
        text: String,
        /// How many keys there are.
        count: usize,
        /// Up to five that look like it.
        near: Vec<String>,
        /// The first five of them.
        some: Vec<String>,
    },
    /// A dynamic key that was retired.
    #[error("`{text}` is retired in the key space `{space}`; bring it back with `databuild keys add {space} {}`", shell_word(.text))]
    RetiredKey {
        /// What was given.
        text: String,
        /// The name of the key space.
        space: String,
    },
    /// A key that nobody has added to a dynamic key space.
    #[error("`{}` is no key of the key space `{space}`; {}; a key is added with `databuild keys add {space} KEY`", shown(.text), known(.near, .some, *.count))]
    NotAdded {
        /// What was given.
        text: String,
        /// The name of the key space.
        space: String,
        /// How many keys there are.
        count: usize,
        /// Up to five that look like it.
        near: Vec<String>,
        /// The first five of them.
        some: Vec<String>,
    },
    /// A range over listed keys.
    #[error("`{text}` is a range, and these keys have no order; write a+b")]
    RangeOfStatic {
        /// What was given.
        text: String,
    },
    /// A range whose end lies before its start.
    #[error("the range `{text}` ends before it begins")]
    EmptyRange {
        /// What was given.
        text: String,
    },
    /// A key that is told from the latest one in a way that nobody can read.
    #[error("`{text}` is no relative key; write `latest`, or `latest-6` for the key six before it")]
    BadRelative {
        /// What was given.
        text: String,
    },
    /// A key after the latest one.
    #[error("`{text}` comes after the latest key, and no later one exists yet; write `latest`, or the key as it will be called")]
    AfterLatest {
        /// What was given.
        text: String,
    },
    /// So many keys before the latest one that none is there.
    #[error("`{text}` is before the first key {first}, which is `latest-{back}` now; for all keys up to the latest write `..latest`")]
    BeforeFirst {
        /// What was given.
        text: String,
        /// The first key.
        first: String,
        /// How many keys it is before the latest one.
        back: Key,
    },
    /// A relative key where keys are no periods.
    #[error("`{text}` is a relative key, and the keys of this dimension are no periods, so none of them is the latest; name them, joined by +")]
    RelativeOfListed {
        /// What was given.
        text: String,
    },
    /// A key space whose end lies before its start.
    #[error("the end {end} is before the start {start}")]
    EmptySpace {
        /// Its first key.
        start: String,
        /// Its last key.
        end: String,
    },
    /// No such time zone.
    #[error("`{name}` is no time zone of the IANA database")]
    UnknownZone {
        /// What was given.
        name: String,
    },
}

impl KeyError {
    /// Whether a relative key was written that cannot be read, or is not to be had here.
    #[must_use]
    pub fn is_of_relative_keys(&self) -> bool {
        matches!(
            self,
            KeyError::BadRelative { .. } | KeyError::AfterLatest { .. } | KeyError::RelativeOfListed { .. }
        )
    }

    /// A stable name of the error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            KeyError::BadForm { .. } => "bad_time_key",
            KeyError::NotInCalendar { .. } => "not_in_calendar",
            KeyError::OutOfRange { .. } => "key_out_of_range",
            KeyError::SkippedHour { .. } => "skipped_hour",
            KeyError::SkippedDay { .. } => "skipped_day",
            KeyError::AmbiguousHour { .. } => "ambiguous_hour",
            KeyError::WrongOffset { .. } => "wrong_offset",
            KeyError::NotAnHour { .. } => "not_an_hour",
            KeyError::UnknownKey { .. } | KeyError::NotAdded { .. } => "unknown_key",
            KeyError::RetiredKey { .. } => "retired_key",
            KeyError::RangeOfStatic { .. } => "range_of_static_keys",
            KeyError::EmptyRange { .. } => "empty_range",
            KeyError::BadRelative { .. } => "bad_relative_key",
            KeyError::AfterLatest { .. } => "after_latest_key",
            KeyError::BeforeFirst { .. } => "before_first_key",
            KeyError::RelativeOfListed { .. } => "relative_key_of_list",
            KeyError::EmptySpace { .. } => "empty_key_space",
            KeyError::UnknownZone { .. } => "unknown_timezone",
        }
    }
}
