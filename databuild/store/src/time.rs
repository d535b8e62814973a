//! Points in time as the log stores them: microseconds, and the nanoseconds beyond them.
//!
//! Microseconds fit 64 bits over all of [`Timestamp`]'s range, nanoseconds do not.

use jiff::Timestamp;

/// Microseconds since 1970, rounded down, and the 0 to 999 nanoseconds beyond.
pub(super) fn split(at: Timestamp) -> (i64, u32) {
    let nanos = at.as_nanosecond();
    // Both fit: the range of a timestamp is within ±4 * 10^17 microseconds.
    (nanos.div_euclid(1000) as i64, nanos.rem_euclid(1000) as u32)
}

/// Microseconds since 1970, rounded down.
pub(super) fn micros(at: Timestamp) -> i64 {
    split(at).0
}

/// The reverse of [`split`]; `None` if no timestamp is split so.
pub(super) fn join(us: i64, ns: u32) -> Option<Timestamp> {
    if ns > 999 {
        return None;
    }
    Timestamp::from_nanosecond(i128::from(us) * 1000 + i128::from(ns)).ok()
}

/// The point in time of microseconds that the log has.
///
/// # Panics
/// If they are those of no point in time; [`micros`] gave none of these.
pub(super) fn instant(us: i64) -> Timestamp {
    join(us, 0).unwrap_or_else(|| unreachable!("{us} microseconds are an instant"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_back_to_the_nanosecond() {
        for text in [
            "2024-03-14T01:02:03.123456789Z",
            "1970-01-01T00:00:00Z",
            "1969-12-31T23:59:59.999999999Z",
            "0001-01-01T00:00:00.000000001Z",
        ] {
            let at: Timestamp = text.parse().unwrap();
            let (us, ns) = split(at);
            assert_eq!(join(us, ns), Some(at), "{text}");
        }
        for at in [Timestamp::MIN, Timestamp::MAX] {
            let (us, ns) = split(at);
            assert_eq!(join(us, ns), Some(at));
        }
        assert_eq!(split("1969-12-31T23:59:59.999999999Z".parse().unwrap()), (-1, 999));
        assert_eq!(join(0, 1000), None);
        assert_eq!(join(i64::MAX, 0), None);
    }
}
