//! Wall-clock time for records; timeouts use [`std::time::Instant`], which
//! stands still while a laptop sleeps.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch; 0 for a clock set before it.
pub(super) fn unix_ms() -> u64 {
    unix_us() / 1_000
}

/// The same in microseconds.
pub(super) fn unix_us() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |passed| u64::try_from(passed.as_micros()).unwrap_or(u64::MAX))
}
