//! The axis of time: when something was under way, and the idle time between, which is drawn short.

use jiff::Timestamp;

/// Busy pieces, at most.
const MOST: usize = 24;
/// Idle time that is kept is at least so much of the busy time: shorter pauses are drawn as they are.
const LEAST_SHARE: i64 = 40;
/// And at least so many milliseconds.
const LEAST_MS: i64 = 2_000;

/// See the module. Milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Axis {
    /// Disjoint, first to last, none empty.
    busy: Vec<(i64, i64)>,
}

impl Axis {
    /// That of some spans, cut to a time.
    pub(super) fn of(
        spans: Vec<(Timestamp, Timestamp)>,
        from: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Axis {
        let from = from.map_or(i64::MIN, Timestamp::as_millisecond);
        let until = until.map_or(i64::MAX, Timestamp::as_millisecond);
        let cut = spans.into_iter().filter_map(|(begin, end)| {
            let (begin, end) = (begin.as_millisecond(), end.as_millisecond());
            // What took no millisecond was there all the same; a clock may have been set back.
            let (begin, end) = (begin.max(from), end.max(begin + 1).min(until));
            (begin < end).then_some((begin, end))
        });
        let mut spans: Vec<(i64, i64)> = cut.collect();
        spans.sort_unstable();
        let busy = joined(&spans, 0);
        let total: i64 = busy.iter().map(|(begin, end)| end - begin).sum();
        let busy = joined(&busy, LEAST_MS.max(total / LEAST_SHARE));
        let mut pauses: Vec<i64> = busy.windows(2).map(|pair| pair[1].0 - pair[0].1).collect();
        pauses.sort_unstable();
        match pauses.len().checked_sub(MOST) {
            Some(over) => Axis { busy: joined(&busy, pauses[over]) },
            None => Axis { busy },
        }
    }

    /// All pieces, first to last; true for idle ones.
    pub(super) fn pieces(&self) -> Vec<(Timestamp, Timestamp, bool)> {
        let mut pieces = Vec::new();
        for (at, (begin, end)) in self.busy.iter().enumerate() {
            if let Some((_, before)) = at.checked_sub(1).and_then(|before| self.busy.get(before)) {
                pieces.push((instant(*before), instant(*begin), true));
            }
            pieces.push((instant(*begin), instant(*end), false));
        }
        pieces
    }

    /// Busy milliseconds in all.
    pub(super) fn length(&self) -> i64 {
        self.busy.iter().map(|(begin, end)| end - begin).sum()
    }

    /// How many busy milliseconds there are before an instant.
    pub(super) fn offset(&self, at: Timestamp) -> i64 {
        let at = at.as_millisecond();
        self.busy.iter().map(|(begin, end)| at.clamp(*begin, *end) - begin).sum()
    }

    /// The instant that has so many busy milliseconds before it. Of a pause that lies there, its end.
    pub(super) fn at(&self, offset: i64) -> Timestamp {
        let mut left = offset.max(0);
        for (begin, end) in &self.busy {
            if left < end - begin {
                return instant(begin + left);
            }
            left -= end - begin;
        }
        instant(self.busy.last().map_or(0, |(_, end)| *end))
    }
}

/// Spans that are in order, joined where the pause between two is not longer than `pause`.
fn joined(spans: &[(i64, i64)], pause: i64) -> Vec<(i64, i64)> {
    let mut joined: Vec<(i64, i64)> = Vec::new();
    for (begin, end) in spans {
        match joined.last_mut().filter(|last| begin - last.1 <= pause) {
            Some(last) => last.1 = last.1.max(*end),
            None => joined.push((*begin, *end)),
        }
    }
    joined
}

fn instant(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(spans: &[(i64, i64)]) -> Axis {
        let second = |at: i64| Timestamp::from_second(at).unwrap();
        Axis::of(spans.iter().map(|(from, to)| (second(*from), second(*to))).collect(), None, None)
    }

    #[test]
    fn what_overlaps_is_one_piece_and_long_pauses_are_pieces_of_their_own() {
        let found = axis(&[(100, 200), (150, 260), (261, 300), (5_000, 5_100)]);
        let said: Vec<_> =
            found.pieces().iter().map(|(a, b, idle)| (a.as_second(), b.as_second(), *idle)).collect();
        assert_eq!(said, [(100, 300, false), (300, 5_000, true), (5_000, 5_100, false)]);
        assert_eq!(found.length(), 300_000);
        for (at, offset) in [(100, 0), (200, 100_000), (4_000, 200_000), (5_050, 250_000), (9_000, 300_000)] {
            assert_eq!(found.offset(Timestamp::from_second(at).unwrap()), offset, "{at}");
        }
        assert_eq!(found.at(200_000).as_second(), 5_000);
        assert_eq!(found.at(found.offset(Timestamp::from_second(150).unwrap())).as_second(), 150);
    }

    #[test]
    fn there_are_few_pieces_however_many_pauses() {
        let many: Vec<(i64, i64)> = (0..1_000).map(|n| (n * 10_000 + n, n * 10_000 + n + 10)).collect();
        let found = axis(&many);
        assert!(found.busy.len() <= MOST, "{}", found.busy.len());
        assert_eq!((found.busy[0].0, found.busy.last().unwrap().1), (0, (999 * 10_000 + 999 + 10) * 1_000));
        assert!(axis(&[]).pieces().is_empty());
    }

    #[test]
    fn it_ends_where_the_time_does_that_was_asked_for() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let found = Axis::of(vec![(at(0), at(100)), (at(50), at(50))], Some(at(40)), Some(at(60)));
        assert_eq!(found.busy, [(40_000, 60_000)]);
        assert_eq!(Axis::of(vec![(at(5), at(5))], None, None).length(), 1);
    }
}
