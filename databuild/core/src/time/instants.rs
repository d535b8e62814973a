//! Instants as whole seconds since the calendar's first day, and back.

use jiff::Timestamp;

/// Seconds from 0001-01-01T00Z to 1970-01-01T00Z.
pub(super) const EPOCH: i64 = 719_162 * 86_400;

/// The instant so many seconds after 0001-01-01T00Z; none beyond the calendar.
pub(crate) fn instant_of(seconds: i64) -> Option<Timestamp> {
    Timestamp::from_second(seconds.checked_sub(EPOCH)?).ok()
}

/// Seconds since 0001-01-01T00Z, rounded down.
pub(crate) fn seconds_of(instant: Timestamp) -> i64 {
    let below = i64::from(instant.subsec_nanosecond() < 0);
    instant.as_second() - below + EPOCH
}
