//! Lines of both logs of an attempt, each with its time and stream.
//!
//! A line is told when it is whole, and its time is that of its last byte. So what is told never changes, whether it is
//! asked for while the job runs or later. The end of an attempt makes its last lines whole. A longer line than
//! [`LONGEST`] is told in pieces.

use crate::api::LogLine;
use crate::executor::{Stream, Woven};
use jiff::Timestamp;
use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// Bytes of a line that is told at once, at most.
pub(super) const LONGEST: usize = 64 << 10;

/// A place between lines: how much of stdout and of stderr is before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place(pub [u64; 2]);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.0[0], self.0[1])
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Place, ()> {
        let (stdout, stderr) = text.split_once('-').ok_or(())?;
        let number = |text: &str| text.parse().map_err(|_| ());
        Ok(Place([number(stdout)?, number(stderr)?]))
    }
}

/// A line, or a piece of a long one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// When its last byte came, in microseconds since the Unix epoch.
    at: Option<u64>,
    stream: Stream,
    /// Without its end.
    bytes: Vec<u8>,
    /// The next one of the same stream continues it.
    continues: bool,
    /// The place behind it.
    pub(super) next: Place,
}

/// What is said of a part of both logs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Lines {
    /// In the order in which they became whole.
    pub(super) lines: Vec<Line>,
    /// Where to go on.
    pub(super) next: Place,
    /// Nothing follows.
    pub(super) ended: bool,
}

/// Those of some lines that have a text in them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Searched {
    pub(super) lines: Vec<Line>,
    /// There were any lines to look at.
    pub(super) any: bool,
    /// Where to go on.
    pub(super) next: Place,
    /// Nothing follows.
    pub(super) ended: bool,
}

impl Line {
    /// Whether it has a text in it, which is in lower case, whatever its own case. Bytes that are no UTF-8 stand between texts.
    fn has(&self, sought: &str) -> bool {
        String::from_utf8_lossy(&self.bytes).to_lowercase().contains(sought)
    }

    /// As the API tells it.
    pub(super) fn row(&self) -> LogLine {
        let (text, hex) = match std::str::from_utf8(&self.bytes) {
            Ok(text) => (Some(text.to_owned()), None),
            Err(_) => (None, Some(base16ct::lower::encode_string(&self.bytes))),
        };
        LogLine {
            at: self.at.and_then(told),
            stream: self.stream.name().to_owned(),
            text,
            hex,
            continues: self.continues,
        }
    }

    /// Writes it as what [`Line::row`] tells is written, without a copy of its text: a log may have millions of lines.
    fn write(&self, at: Option<&str>, bytes: &mut Vec<u8>) {
        #[derive(Serialize)]
        struct Row<'l> {
            at: Option<&'l str>,
            stream: &'static str,
            text: &'l str,
            #[serde(skip_serializing_if = "std::ops::Not::not")]
            continues: bool,
        }
        let stream = self.stream.name();
        // Texts and hex digits are always JSON.
        let _ = match std::str::from_utf8(&self.bytes) {
            Ok(text) => serde_json::to_writer(bytes, &Row { at, stream, text, continues: self.continues }),
            Err(_) => serde_json::to_writer(bytes, &self.row()),
        };
    }
}

/// How lines are written out one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// For people: `TIME STREAM TEXT`, and the text is as the job wrote it.
    Text,
    /// For programs: a JSON object a line.
    Json,
}

/// Lines that are written out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Printout {
    /// All of them, each with its end.
    pub(super) bytes: Vec<u8>,
    /// When the last one became whole, as the API tells it.
    pub(super) at: Option<String>,
    /// Where to go on.
    pub(super) next: Place,
    /// Nothing follows.
    pub(super) ended: bool,
}

/// As the API tells a time.
fn told(at: u64) -> Option<String> {
    let at = Timestamp::from_microsecond(i64::try_from(at).ok()?).ok()?;
    Some(format!("{at:.3}"))
}

impl Lines {
    /// Those that have a text in them, which is in lower case.
    pub(super) fn having(self, sought: &str) -> Searched {
        let Lines { lines, next, ended } = self;
        let any = !lines.is_empty();
        let lines = lines.into_iter().filter(|line| line.has(sought)).collect();
        Searched { lines, any, next, ended }
    }

    /// Writes them out.
    pub(super) fn print(&self, form: Form) -> Printout {
        let mut printout = Printout { next: self.next, ended: self.ended, ..Printout::default() };
        let bytes = &mut printout.bytes;
        // Many lines come in one millisecond, and writing a time takes longer than the line.
        let mut last: Option<(u64, Option<String>)> = None;
        for line in &self.lines {
            let millisecond = line.at.map(|at| at / 1_000);
            if let Some(now) = millisecond.filter(|now| last.as_ref().is_none_or(|(then, _)| then != now)) {
                last = Some((now, told(now * 1_000)));
            }
            let at = millisecond.and(last.as_ref()).and_then(|(_, at)| at.as_deref());
            match form {
                Form::Json => line.write(at, bytes),
                Form::Text => {
                    for part in [at.unwrap_or("-"), " ", line.stream.name(), " "] {
                        bytes.extend_from_slice(part.as_bytes());
                    }
                    bytes.extend_from_slice(&line.bytes);
                }
            }
            bytes.push(b'\n');
        }
        printout.at = self.lines.last().and_then(|line| told(line.at?));
        printout
    }
}

/// Takes lines from parts of both logs, at most so many. `over` says that nothing will be added to the logs.
pub(super) fn lines(woven: &Woven, over: bool, most: usize) -> Lines {
    let mut cutter = Cutter::new(woven);
    for piece in &woven.pieces {
        cutter.take(piece.stream, piece.length, piece.at, most);
        if cutter.lines.len() >= most {
            break;
        }
    }
    let all = over && !woven.more && cutter.lines.len() < most;
    if all {
        cutter.take_rest();
    }
    let next = cutter.place();
    Lines { lines: cutter.lines, next, ended: all }
}

struct Cutter<'a> {
    woven: &'a Woven,
    /// Where the line that is not whole begins in its part.
    begin: [usize; 2],
    /// How much of the part has been looked at.
    seen: [usize; 2],
    /// When the last piece came.
    at: [Option<u64>; 2],
    lines: Vec<Line>,
}

impl Cutter<'_> {
    fn new(woven: &Woven) -> Cutter<'_> {
        Cutter { woven, begin: [0; 2], seen: [0; 2], at: [None; 2], lines: Vec::new() }
    }

    /// The place before the lines that are not whole.
    fn place(&self) -> Place {
        Place([0, 1].map(|stream| self.woven.parts[stream].offset + self.begin[stream] as u64))
    }

    /// The next piece of a stream.
    fn take(&mut self, stream: Stream, length: usize, at: Option<u64>, most: usize) {
        let of = stream as usize;
        let bytes = &self.woven.parts[of].bytes;
        self.at[of] = at;
        let end = (self.seen[of] + length).min(bytes.len());
        while self.lines.len() < most {
            let open = &bytes[self.begin[of]..end];
            let seen = self.seen[of].saturating_sub(self.begin[of]);
            let line_end = open[seen..].iter().position(|byte| *byte == b'\n').map(|at| seen + at);
            if line_end.unwrap_or(open.len()) > LONGEST {
                let cut = whole_characters(&open[..LONGEST]);
                self.tell(stream, cut, cut, true);
            } else if let Some(length) = line_end {
                self.tell(stream, length, length + 1, false);
            } else {
                break;
            }
            self.seen[of] = self.begin[of];
        }
        self.seen[of] = end;
    }

    /// Lines without an end, in the order in which they came.
    fn take_rest(&mut self) {
        let mut rest = Stream::BOTH;
        rest.sort_by_key(|stream| self.at[*stream as usize]);
        for stream in rest {
            let of = stream as usize;
            let length = self.woven.parts[of].bytes.len() - self.begin[of];
            if length > 0 {
                self.tell(stream, length, length, false);
            }
        }
    }

    /// Tells a line of so many bytes, which takes so much of its log.
    fn tell(&mut self, stream: Stream, length: usize, takes: usize, continues: bool) {
        let of = stream as usize;
        let begin = self.begin[of];
        let bytes = self.woven.parts[of].bytes[begin..begin + length].to_vec();
        self.begin[of] += takes;
        self.lines.push(Line { at: self.at[of], stream, bytes, continues, next: self.place() });
    }
}

/// How many of these bytes, if a character that is cut off at their end is left out.
fn whole_characters(bytes: &[u8]) -> usize {
    let open = bytes.utf8_chunks().last().map_or(&[][..], |last| last.invalid());
    let is_cut = std::str::from_utf8(open).is_err_and(|error| error.error_len().is_none());
    if is_cut && open.len() < bytes.len() {
        bytes.len() - open.len()
    } else {
        bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::{LogPart, Piece};
    use proptest::prelude::*;

    /// Both logs from a place on, of pieces that came one after the other.
    fn woven(pieces: &[(Stream, Vec<u8>)], from: Place) -> Woven {
        let (mut logs, mut order) = ([Vec::new(), Vec::new()], Vec::new());
        for (at, (stream, bytes)) in pieces.iter().enumerate() {
            let of = *stream as usize;
            let before = logs[of].len();
            logs[of].extend_from_slice(bytes);
            let hidden = usize::try_from(from.0[of]).unwrap().saturating_sub(before).min(bytes.len());
            let length = bytes.len() - hidden;
            order.push(Piece { at: Some(at as u64), stream: *stream, length });
        }
        let parts = [0, 1].map(|of| {
            let (offset, log) = (from.0[of], &logs[of]);
            let bytes = log[usize::try_from(offset).unwrap()..].to_vec();
            LogPart { bytes, offset, size: log.len() as u64 }
        });
        Woven { parts, pieces: order, more: false }
    }

    fn texts(lines: &Lines) -> Vec<(u64, &'static str, String)> {
        let text = |line: &Line| String::from_utf8_lossy(&line.bytes).into_owned();
        lines.lines.iter().map(|line| (line.at.unwrap(), line.stream.name(), text(line))).collect()
    }

    #[test]
    fn a_line_is_told_when_it_is_whole() {
        use Stream::{Stderr, Stdout};
        let pieces =
            [(Stdout, "on"), (Stderr, "a\nb"), (Stdout, "e\ntwo\n\nrest"), (Stderr, "c"), (Stdout, "!")];
        let pieces = pieces.map(|(stream, text)| (stream, text.as_bytes().to_vec()));
        let woven = woven(&pieces, Place::default());
        let mut expected =
            vec![(1, "stderr", "a"), (2, "stdout", "one"), (2, "stdout", "two"), (2, "stdout", "")];
        let live = lines(&woven, false, 99);
        let told = |expected: &[(u64, &'static str, &str)]| -> Vec<_> {
            expected.iter().map(|(at, stream, text)| (*at, *stream, (*text).to_owned())).collect()
        };
        assert_eq!((texts(&live), live.ended), (told(&expected), false));
        assert_eq!(live.next, Place([9, 2]));
        let over = lines(&woven, true, 99);
        expected.extend([(3, "stderr", "bc"), (4, "stdout", "rest!")]);
        assert_eq!((texts(&over), over.ended), (told(&expected), true));
        assert_eq!(over.next, Place([14, 4]));
        let few = lines(&woven, true, 2);
        assert_eq!((texts(&few), few.ended, few.next), (told(&expected[..2]), false, Place([4, 2])));
    }

    #[test]
    fn lines_are_written_out_as_the_job_wrote_them() {
        let line = |at: Option<u64>, bytes: &[u8]| Line {
            at,
            stream: Stream::Stdout,
            bytes: bytes.to_vec(),
            continues: false,
            next: Place::default(),
        };
        let at = 1_767_323_045_678_000;
        let lines = vec![
            line(None, b"a\xff"),
            line(Some(at), b"\x1b[1m a"),
            line(Some(at + 999), b""),
            line(Some(at + 1_000), b"b"),
            Line { continues: true, ..line(None, b"c") },
        ];
        let lines = Lines { lines, next: Place([9, 0]), ended: true };
        let text: &[u8] = b"- stdout a\xff\n\
            2026-01-02T03:04:05.678Z stdout \x1b[1m a\n\
            2026-01-02T03:04:05.678Z stdout \n\
            2026-01-02T03:04:05.679Z stdout b\n\
            - stdout c\n";
        let printout = lines.print(Form::Text);
        assert_eq!((printout.bytes.as_slice(), printout.next, printout.ended), (text, Place([9, 0]), true));
        assert_eq!(printout.at, None);
        let objects = lines.print(Form::Json).bytes;
        let rows: Vec<LogLine> =
            serde_json::Deserializer::from_slice(&objects).into_iter().map(Result::unwrap).collect();
        assert_eq!(rows, lines.lines.iter().map(Line::row).collect::<Vec<_>>());
        let row = |line: &Line| serde_json::to_string(&line.row()).unwrap() + "\n";
        assert_eq!(String::from_utf8(objects).unwrap(), lines.lines.iter().map(row).collect::<String>());
        let known = Lines { lines: vec![line(Some(at + 999), b"")], ..Lines::default() };
        assert_eq!(known.print(Form::Json).at.as_deref(), Some("2026-01-02T03:04:05.678Z"));
    }

    #[test]
    fn a_long_line_is_told_in_pieces_of_whole_characters() {
        let mut long = "\u{e9}".repeat(LONGEST / 2);
        long.insert(0, 'x');
        let pieces = [(Stream::Stdout, format!("{long}\n{}\nz", "y".repeat(LONGEST)).into_bytes())];
        let told = lines(&woven(&pieces, Place::default()), true, 99);
        let lengths: Vec<_> = told.lines.iter().map(|line| (line.bytes.len(), line.continues)).collect();
        assert_eq!(lengths, [(LONGEST - 1, true), (2, false), (LONGEST, false), (1, false)]);
        assert!(told.lines.iter().all(|line| line.row().hex.is_none()));
        // What is no text is cut anywhere.
        assert_eq!(whole_characters(&[0x80; 9]), 9);
        assert_eq!(whole_characters(&[0xe2, 0x82]), 2);
    }

    #[test]
    fn what_is_no_text_comes_as_it_is() {
        let line = |bytes: &[u8], at| Line {
            at,
            stream: Stream::Stderr,
            bytes: bytes.to_vec(),
            continues: false,
            next: Place::default(),
        };
        let row = serde_json::to_value(line(b"a\xff", Some(1_500)).row()).unwrap();
        let expected =
            serde_json::json!({"at": "1970-01-01T00:00:00.001Z", "stream": "stderr", "hex": "61ff"});
        assert_eq!(row, expected);
        let row = serde_json::to_value(line(b"a", None).row()).unwrap();
        assert_eq!(row, serde_json::json!({"at": null, "stream": "stderr", "text": "a"}));
        assert_eq!(line(b"", Some(u64::MAX)).row().at, None);
    }

    #[test]
    fn a_place_is_read_as_it_is_written() {
        for place in [Place([0, 0]), Place([12, u64::MAX])] {
            assert_eq!(place.to_string().parse(), Ok(place));
        }
        for text in ["", "1", "-", "1-", "1-2-3", "a-1", "1-99999999999999999999"] {
            assert_eq!(text.parse::<Place>(), Err(()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn however_output_comes_and_is_read_no_byte_is_lost_and_each_stream_keeps_its_order(
            pieces in prop::collection::vec((prop::bool::ANY, "[ab\n]{1,6}"), 0..12),
            most in 1_usize..4,
        ) {
            let of = |is_err: bool| Stream::BOTH[usize::from(is_err)];
            let pieces: Vec<_> =
                pieces.into_iter().map(|(is_err, text)| (of(is_err), text.into_bytes())).collect();
            let whole = lines(&woven(&pieces, Place::default()), true, usize::MAX);
            // Page by page it is the same.
            let (mut place, mut paged) = (Place::default(), Vec::new());
            loop {
                let page = lines(&woven(&pieces, place), true, most);
                place = page.next;
                paged.extend(page.lines);
                if page.ended {
                    break;
                }
            }
            prop_assert_eq!(&paged, &whole.lines);
            let mut without_end = 0;
            for stream in Stream::BOTH {
                let printed: Vec<u8> =
                    pieces.iter().filter(|(of, _)| *of == stream).flat_map(|(_, bytes)| bytes.clone()).collect();
                let own = paged.iter().filter(|line| line.stream == stream);
                let mut told = own.flat_map(|line| [line.bytes.clone(), b"\n".to_vec()].concat()).collect::<Vec<u8>>();
                if !printed.ends_with(b"\n") {
                    without_end += usize::from(told.pop().is_some());
                }
                prop_assert_eq!(told, printed);
            }
            prop_assert!(paged[..paged.len() - without_end].is_sorted_by_key(|line| line.at));
        }
    }
}
