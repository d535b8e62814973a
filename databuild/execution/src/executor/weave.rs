//! Both logs of an attempt in one order.
//!
//! Each log alone is in order. Pieces of both are put together by the times at which they came. A piece without a time,
//! as all of older versions are, counts as come with the one before it in its log; at the same time stdout is first.

use crate::runner::{Stream, TimedPiece};

/// A part of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogPart {
    /// Its bytes, as the job wrote them.
    pub bytes: Vec<u8>,
    /// Where it begins.
    pub offset: u64,
    /// The size of the whole log as it is now.
    pub size: u64,
}

/// What is asked of both logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weave {
    /// Where the parts begin: in stdout, in stderr.
    pub from: [u64; 2],
    /// Only this stream.
    pub only: Option<Stream>,
    /// Bytes of each log, at most.
    pub most: u64,
    /// The attempt may still print. Then what has come just now, and whose time is not known yet, is left for later.
    pub live: bool,
}

/// A part of each of both logs, and the order of their pieces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Woven {
    /// Of stdout, of stderr.
    pub parts: [LogPart; 2],
    /// Each follows in its part on the one before it there.
    pub pieces: Vec<Piece>,
    /// More follows: a part does not reach the end of its log.
    pub more: bool,
}

/// What came at once on one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// When it came, in microseconds since the Unix epoch, if that is known.
    pub at: Option<u64>,
    /// Where.
    pub stream: Stream,
    /// Its bytes.
    pub length: usize,
}

/// A log's part, piece by piece.
struct Strand {
    pieces: Vec<Piece>,
    /// The part does not reach the end of its log.
    is_cut: bool,
}

impl Strand {
    fn of(stream: Stream, part: &LogPart, times: &[TimedPiece]) -> Strand {
        let end = part.offset + part.bytes.len() as u64;
        let mut done = part.offset;
        let mut pieces = Vec::with_capacity(times.len() + 1);
        let timed = times.iter().map(|piece| (piece.end, Some(piece.at)));
        for (to, at) in timed.chain([(end, None)]) {
            let to = to.min(end);
            if to > done {
                pieces.push(Piece { at, stream, length: usize::try_from(to - done).unwrap_or(usize::MAX) });
                done = to;
            }
        }
        Strand { pieces, is_cut: end < part.size }
    }
}

/// Puts parts of both logs in order. `times` has the pieces of each that have a time.
pub(super) fn weave(parts: [LogPart; 2], times: &[Vec<TimedPiece>; 2]) -> Woven {
    let strands = Stream::BOTH.map(|stream| {
        let at = stream as usize;
        Strand::of(stream, &parts[at], &times[at])
    });
    let more = strands.iter().any(|strand| strand.is_cut);
    let mut pieces = Vec::new();
    let (mut next, mut came) = ([0, 0], [0, 0]);
    loop {
        let heads = [0, 1].map(|at| strands[at].pieces.get(next[at]));
        // What follows a part that is cut may come before all that is left of the other.
        if [0, 1].iter().any(|at| heads[*at].is_none() && strands[*at].is_cut) {
            break;
        }
        for at in [0, 1] {
            came[at] = heads[at].and_then(|piece| piece.at).unwrap_or_default().max(came[at]);
        }
        let at = match heads {
            [None, None] => break,
            [Some(_), None] => 0,
            [None, Some(_)] => 1,
            [Some(_), Some(_)] => usize::from(came[1] < came[0]),
        };
        pieces.extend(heads[at]);
        next[at] += 1;
    }
    Woven { parts, pieces, more }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn part(text: &str, offset: u64, size: u64) -> LogPart {
        LogPart { bytes: text.into(), offset, size }
    }

    fn timed(pieces: &[(u64, u64)]) -> Vec<TimedPiece> {
        pieces.iter().map(|(end, at)| TimedPiece { end: *end, at: *at }).collect()
    }

    /// The pieces' texts and times, in order.
    fn told(woven: &Woven) -> Vec<(String, Option<u64>)> {
        let mut done = [0, 0];
        let text = |piece: &Piece| {
            let at = piece.stream as usize;
            let bytes = &woven.parts[at].bytes[done[at]..done[at] + piece.length];
            done[at] += piece.length;
            (String::from_utf8(bytes.to_vec()).unwrap(), piece.at)
        };
        woven.pieces.iter().map(text).collect()
    }

    #[test]
    fn pieces_come_in_the_order_of_their_times() {
        let woven = weave(
            [part("ABCDE", 10, 15), part("abcd", 0, 4)],
            &[timed(&[(12, 3), (14, 7)]), timed(&[(1, 2), (2, 3), (4, 8)])],
        );
        let expected =
            [("a", Some(2)), ("AB", Some(3)), ("b", Some(3)), ("CD", Some(7)), ("E", None), ("cd", Some(8))];
        assert_eq!(told(&woven), expected.map(|(text, at)| (text.to_owned(), at)));
        assert!(!woven.more);
    }

    #[test]
    fn logs_without_times_follow_one_another() {
        let woven = weave([part("out", 0, 3), part("err", 0, 3)], &[vec![], vec![]]);
        assert_eq!(told(&woven), [("out".to_owned(), None), ("err".to_owned(), None)]);
        // Not before all of stdout is there.
        let woven = weave([part("out", 0, 9), part("err", 0, 3)], &[vec![], vec![]]);
        assert_eq!(told(&woven), [("out".to_owned(), None)]);
        assert!(woven.more);
    }

    #[test]
    fn a_part_that_is_cut_ends_the_order() {
        let woven = weave(
            [part("AB", 0, 9), part("abc", 0, 3)],
            &[timed(&[(1, 1), (2, 4)]), timed(&[(1, 2), (2, 5), (3, 6)])],
        );
        let expected = [("A", Some(1)), ("a", Some(2)), ("B", Some(4))];
        assert_eq!(told(&woven), expected.map(|(text, at)| (text.to_owned(), at)));
    }

    proptest! {
        #[test]
        fn whatever_the_times_say_each_log_keeps_its_order_and_its_bytes(
            lengths in prop::array::uniform2(0_usize..40),
            times in prop::array::uniform2(prop::collection::vec((0_u64..60, 0_u64..9), 0..20)),
        ) {
            let parts = lengths.map(|length| part(&"x".repeat(length), 5, 5 + length as u64));
            let times = times.map(|pieces| timed(&pieces));
            let woven = weave(parts, &times);
            for stream in Stream::BOTH {
                let of = woven.pieces.iter().filter(|piece| piece.stream == stream);
                prop_assert_eq!(of.map(|piece| piece.length).sum::<usize>(), lengths[stream as usize]);
            }
        }
    }
}
