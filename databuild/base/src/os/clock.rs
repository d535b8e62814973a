//! What time it is, for those who must not fall over it.

use jiff::Timestamp;
use std::time::SystemTime;

/// The last instant that a clock is believed. The calendar ends a few years later, which leaves room for what is added.
const LATEST: i64 = 253_000_000_000;

/// The current time. A clock that is beyond the calendar is taken to be near its end.
#[must_use]
pub fn now() -> Timestamp {
    believed(SystemTime::now())
}

fn believed(at: SystemTime) -> Timestamp {
    let latest = Timestamp::from_second(LATEST).unwrap_or(Timestamp::MAX);
    Timestamp::try_from(at).map_or(latest, |at| at.min(latest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_clock_beyond_the_calendar_leaves_room() {
        let at = |seconds| believed(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(1_700_000_000).as_second(), 1_700_000_000);
        for beyond in [253_400_000_000, 253_500_000_000, 1 << 40] {
            let latest = at(beyond);
            assert_eq!(latest.strftime("%Y").to_string(), "9987");
            latest.checked_add(Duration::from_secs(3_600 * 24 * 3_650)).unwrap();
        }
    }
}
