//! What a look says of a thing; and what an observer says of the partitions it was asked about: JSON lines.
//!
//! Only [`Look::Absent`] means that data is gone. What could not be looked at may be there or not.
//!
//! The lines come from a process nobody trusts: they are limited in size, every line must be understood, and it
//! may only speak of what it was asked, and of each partition with one voice. One bad line makes all of them
//! worthless, since what else is wrong is not known; a partition without a line is not known alone.

use serde::Deserialize;
use std::collections::HashMap;

/// Most bytes that are read of what an observer says.
pub const MAX_BYTES: usize = 16 << 20;
/// Longest data version, in bytes.
pub const MAX_VERSION: usize = 1024;

/// What a look says of one thing: a file, a folder, the files of a pattern, or what somebody else was asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// It is untouched since the mark that is known of it was taken.
    Untouched,
    /// It is there.
    Present {
        /// Its data version.
        version: String,
        /// Equal as long as it is untouched; 0 = none.
        mark: u64,
        /// Of content, where that is known.
        bytes: u64,
    },
    /// It is not there.
    Absent,
    /// Nobody can say.
    Unknown(Blind),
}

/// Why a look did not find out what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blind {
    /// Of what kind the reason is.
    pub kind: Blindness,
    /// For people: what happened, to what, and what to do.
    pub message: String,
}

/// The kinds of reasons why a look does not find out what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blindness {
    /// It may not or cannot be read, or whoever was asked gave no answer.
    Unreadable,
    /// It kept changing while it was read.
    Unstable,
    /// It is something that has no content: a pipe, a socket, a device.
    Foreign,
}

impl Blindness {
    /// Stable name.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Blindness::Unreadable => "unreadable",
            Blindness::Unstable => "unstable",
            Blindness::Foreign => "foreign",
        }
    }
}

/// What an observer says of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It is there, with this data version.
    Version(String),
    /// It is not there.
    Absent,
}

/// Why an observer is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Too large.
    #[error("it says more than {MAX_BYTES} bytes; write one short line for each partition")]
    TooLong,
    /// Not JSON of the expected shape.
    #[error(
        "line {line} of what it says cannot be read ({problem}); write {{\"partition\": …, \"version\": …}} or {{\"partition\": …, \"absent\": true}}"
    )]
    Malformed {
        /// From 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// Something it was not asked about.
    #[error("line {line} of what it says is of `{partition}`, which it was not asked about; take the partitions from the request")]
    NotAsked {
        /// From 1.
        line: usize,
        /// What it names, escaped and shortened.
        partition: String,
    },
    /// Two answers.
    #[error("line {line} of what it says contradicts what it said of `{partition}` before; write one line for each partition")]
    Contradiction {
        /// From 1.
        line: usize,
        /// Of which partition.
        partition: String,
    },
    /// A text that cannot be a data version.
    #[error("line {line} of what it says: the version of `{partition}` {fault}; write a short text that changes with the data")]
    BadVersion {
        /// From 1.
        line: usize,
        /// Of which partition.
        partition: String,
        /// What is wrong with it.
        fault: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    partition: String,
    version: Option<String>,
    #[serde(default)]
    absent: bool,
}

/// Reads what an observer says of the partitions in `asked`: for each of them, in that order, what it says;
/// nothing where it is silent.
///
/// # Errors
/// The first thing in it that cannot be believed.
pub fn parse(bytes: &[u8], asked: &[String]) -> Result<Vec<Option<Said>>, AnswerError> {
    if bytes.len() > MAX_BYTES {
        return Err(AnswerError::TooLong);
    }
    let places: HashMap<&str, usize> =
        asked.iter().enumerate().map(|(ix, partition)| (partition.as_str(), ix)).collect();
    let mut answers: Vec<Option<Said>> = vec![None; asked.len()];
    for (ix, text) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = ix + 1;
        if text.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let malformed = |problem: String| AnswerError::Malformed { line, problem };
        let said: Line = serde_json::from_slice(text).map_err(|error| malformed(error.to_string()))?;
        let Some(at) = places.get(said.partition.as_str()) else {
            return Err(AnswerError::NotAsked { line, partition: shown(&said.partition) });
        };
        let partition = said.partition;
        let answer = match (said.version, said.absent) {
            (Some(version), false) => match version_fault(&version) {
                None => Said::Version(version),
                Some(fault) => return Err(AnswerError::BadVersion { line, partition, fault }),
            },
            (None, true) => Said::Absent,
            (Some(_), true) => {
                return Err(malformed("what is absent has no version".to_owned()));
            }
            (None, false) => return Err(malformed("it has no `version`".to_owned())),
        };
        match &answers[*at] {
            Some(before) if *before != answer => return Err(AnswerError::Contradiction { line, partition }),
            _ => answers[*at] = Some(answer),
        }
    }
    Ok(answers)
}

/// What is wrong with a text as a data version that somebody else names.
#[must_use]
pub fn version_fault(version: &str) -> Option<&'static str> {
    if version.is_empty() {
        return Some("is empty");
    }
    if version.len() > MAX_VERSION {
        return Some("is longer than 1024 bytes");
    }
    version.contains(char::is_control).then_some("contains a control character")
}

/// A text of somebody else's, fit for a message.
fn shown(text: &str) -> String {
    const MOST: usize = 100;
    let mut chars = text.chars();
    let mut shown: String = chars.by_ref().take(MOST).flat_map(char::escape_debug).collect();
    if chars.next().is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Vec<String> {
        vec!["raw/city=oslo".to_owned(), "raw/city=rome".to_owned()]
    }

    #[test]
    fn each_partition_gets_what_is_said_of_it_and_silence_is_no_answer() {
        let said = br#"{"partition": "raw/city=rome", "version": "v7"}"#;
        assert_eq!(parse(said, &asked()), Ok(vec![None, Some(Said::Version("v7".to_owned()))]));
        let said = b"\n{\"partition\":\"raw/city=oslo\",\"absent\":true}\r\n \n{\"version\":\"a\",\"partition\":\"raw/city=rome\"}\n";
        assert_eq!(parse(said, &asked()), Ok(vec![Some(Said::Absent), Some(Said::Version("a".to_owned()))]));
        assert_eq!(parse(b"", &asked()), Ok(vec![None, None]));
    }

    #[test]
    fn the_same_again_is_no_contradiction() {
        let line = "{\"partition\":\"raw/city=oslo\",\"version\":\"1\"}\n";
        assert!(parse(line.repeat(2).as_bytes(), &asked()).is_ok());
    }

    #[test]
    fn lies_are_named() {
        let first = r#"{"partition":"raw/city=oslo","version":"1"}"#;
        let long = "v".repeat(MAX_VERSION + 1);
        for (line, part) in [
            ("hello".to_owned(), "line 2 of what it says cannot be read (expected value"),
            ("\"raw/city=oslo\"".to_owned(), "line 2 of what it says cannot be read"),
            (r#"{"partition":"raw/city=rome"}"#.to_owned(), "it has no `version`"),
            (r#"{"version":"1"}"#.to_owned(), "missing field `partition`"),
            (r#"{"partition":"raw/city=rome","version":1}"#.to_owned(), "invalid type: integer"),
            (r#"{"partition":"raw/city=rome","version":"1","etag":"2"}"#.to_owned(), "unknown field `etag`"),
            (
                r#"{"partition":"raw/city=rome","version":"1","absent":true}"#.to_owned(),
                "what is absent has no version",
            ),
            (
                r#"{"partition":"raw/city=paris","version":"1"}"#.to_owned(),
                "`raw/city=paris`, which it was not asked about",
            ),
            (r#"{"partition":"a\nb","version":"1"}"#.to_owned(), r"`a\nb`, which"),
            (
                r#"{"partition":"raw/city=oslo","version":"2"}"#.to_owned(),
                "contradicts what it said of `raw/city=oslo` before",
            ),
            (
                r#"{"partition":"raw/city=oslo","absent":true}"#.to_owned(),
                "contradicts what it said of `raw/city=oslo` before",
            ),
            (
                r#"{"partition":"raw/city=rome","version":""}"#.to_owned(),
                "the version of `raw/city=rome` is empty",
            ),
            (
                r#"{"partition":"raw/city=rome","version":"a\u0000"}"#.to_owned(),
                "contains a control character",
            ),
            (format!(r#"{{"partition":"raw/city=rome","version":"{long}"}}"#), "is longer than 1024 bytes"),
        ] {
            let error = parse(format!("{first}\n{line}\n").as_bytes(), &asked()).unwrap_err().to_string();
            assert!(error.contains(part), "{part:?} is not in {error:?}");
        }
        assert!(parse(b"{\"partition\":\"\xff\"}", &asked()).is_err());
        assert_eq!(parse(&vec![b' '; MAX_BYTES + 1], &asked()), Err(AnswerError::TooLong));
    }
}
