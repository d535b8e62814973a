//! The job's report: JSON lines it appends to `DATABUILD_REPORT` while it runs.
//!
//! A report is data from a process nobody trusts: it is limited in size, every line must be understood,
//! and it may only speak of the run's own outputs and of what the job declares. One bad line makes the
//! attempt fail, with the line's number, since what it was meant to say is not known.
//! Of several lines about one output the first that fails it counts, else the last: nothing is published
//! of which the job itself says that it could not be made.

use crate::base64;
use crate::keys::new_key_fault;
use crate::text::first_of;
use crate::text::shown;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};

/// Longest report that is read, in bytes.
pub const MAX_BYTES: usize = 16 << 20;
/// Most lines that are read.
pub const MAX_LINES: usize = 100_000;

/// Most bytes that a job may return.
pub const MOST_RETURNED: usize = 64 << 10;

/// One output a run was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Its dataset.
    pub dataset: String,
    /// Its partition.
    pub partition: String,
}

/// What a job said of one output.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Said {
    /// Nothing: exit code 0 means done.
    #[default]
    Nothing,
    /// It is there.
    Done {
        /// Its data version, if the job names one.
        version: Option<String>,
        /// Anything it says of it.
        metadata: Map<String, Value>,
    },
    /// There was nothing to produce.
    Empty {
        /// Anything it says of it.
        metadata: Map<String, Value>,
    },
    /// It could not be made.
    Failed {
        /// Why.
        message: String,
        /// Trying again is useless.
        permanent: bool,
    },
}

/// A whole report.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// One for each expected output, in that order.
    pub outputs: Vec<Said>,
    /// The job says that the run as a whole failed: why, and whether for good.
    pub failure: Option<(String, bool)>,
    /// Partitions that it found it needs.
    pub missing: Vec<String>,
    /// Dynamic keys that it found, by key space.
    pub keys: BTreeMap<String, Vec<String>>,
    /// What it returned, which means nothing to DataBuild; empty if nothing.
    pub returned: Vec<u8>,
}

/// Why a report is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// Too large.
    #[error("the report is longer than {MAX_BYTES} bytes or {MAX_LINES} lines; report totals, not rows")]
    TooLong,
    /// Not text.
    #[error("line {line} of the report is not UTF-8")]
    NotText {
        /// From 1.
        line: usize,
    },
    /// Not JSON.
    #[error("line {line} of the report is no JSON; write one JSON object on each line")]
    NoJson {
        /// Counted from 1.
        line: usize,
    },
    /// Not a JSON object of a known type.
    #[error("line {line} of the report cannot be read: {problem}")]
    Malformed {
        /// From 1.
        line: usize,
        /// What serde says.
        problem: String,
    },
    /// Neither partition nor dataset, though there are several outputs.
    #[error("line {line} of the report does not say which output it means; name `partition`, or `dataset` if the run makes one partition")]
    Ambiguous {
        /// From 1.
        line: usize,
    },
    /// Something this run was not asked for.
    #[error(
        "line {line} of the report speaks of `{what}`, which this run does not make; it makes {outputs}"
    )]
    NotMine {
        /// From 1.
        line: usize,
        /// The partition or dataset named.
        what: String,
        /// What would be right.
        outputs: String,
    },
    /// A key of a key space that the job does not declare.
    #[error("line {line} of the report {}; the job's `adds_keys` has {}", adds(.space), listed(.declared))]
    NotMySpace {
        /// From 1.
        line: usize,
        /// The key space, escaped; none if none is named and not one alone could be meant.
        space: Option<String>,
        /// What the job declares.
        declared: Vec<String>,
    },
    /// Too many bytes, or none that could be read.
    #[error("line {line} of the report returns {fault}; return `text` or `base64`, of at most {MOST_RETURNED} bytes")]
    BadReturn {
        /// From 1.
        line: usize,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// A text that cannot be a key.
    #[error("line {line} of the report: `{key}` cannot be a key: {fault}")]
    BadKey {
        /// From 1.
        line: usize,
        /// It, escaped.
        key: String,
        /// What is wrong with it.
        fault: &'static str,
    },
}

fn adds(space: &Option<String>) -> String {
    match space {
        Some(space) => format!("adds a key to `{space}`"),
        None => "adds a key and does not say to which `space`".to_owned(),
    }
}

fn listed(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    if quoted.is_empty() {
        "none".to_owned()
    } else {
        quoted.join(", ")
    }
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line {
    Done {
        #[serde(flatten)]
        which: Which,
        version: Option<String>,
        rows: Option<u64>,
        bytes: Option<u64>,
        #[serde(default)]
        metadata: Map<String, Value>,
    },
    Empty {
        #[serde(flatten)]
        which: Which,
        #[serde(default)]
        metadata: Map<String, Value>,
    },
    Failed {
        #[serde(flatten)]
        which: Which,
        message: String,
        #[serde(default)]
        permanent: bool,
    },
    Progress {},
    MissingInput {
        partition: String,
    },
    Key {
        space: Option<String>,
        key: String,
    },
    Return {
        text: Option<String>,
        base64: Option<String>,
    },
}

#[derive(Deserialize)]
struct Which {
    partition: Option<String>,
    dataset: Option<String>,
}

/// Reads a report of a job that may add keys to the key spaces in `adds_keys`.
///
/// # Errors
/// The first thing in it that cannot be believed.
pub fn parse(bytes: &[u8], expected: &[Expected], adds_keys: &[String]) -> Result<Report, ReportError> {
    let mut report = Report {
        outputs: vec![Said::Nothing; expected.len()],
        failure: None,
        missing: Vec::new(),
        keys: BTreeMap::new(),
        returned: Vec::new(),
    };
    let places: Places =
        expected.iter().enumerate().map(|(ix, output)| (output.partition.as_str(), ix)).collect();
    let say = |which: &Which, line: usize, said: Said, outputs: &mut [Said]| {
        let output = &mut outputs[find(which, expected, &places, line)?];
        if !matches!(output, Said::Failed { .. }) {
            *output = said;
        }
        Ok::<(), ReportError>(())
    };
    for line in lines(bytes) {
        let (number, text) = line?;
        let line: Line = serde_json::from_str(text).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => {
                ReportError::Malformed { line: number, problem: error.to_string() }
            }
            _ => ReportError::NoJson { line: number },
        })?;
        match line {
            Line::Progress {} => {}
            Line::MissingInput { partition } => report.missing.push(partition),
            Line::Return { text, base64 } => {
                let bad = |fault| ReportError::BadReturn { line: number, fault };
                let bytes = match (text, base64) {
                    (Some(text), None) => text.into_bytes(),
                    (None, Some(text)) => base64::decode(&text).ok_or_else(|| bad("what is no base64"))?,
                    (Some(_), Some(_)) => return Err(bad("two things")),
                    (None, None) => return Err(bad("nothing")),
                };
                if bytes.len() > MOST_RETURNED {
                    return Err(bad("too many bytes"));
                }
                report.returned = bytes;
            }
            Line::Key { space, key } => {
                let space = match (space, adds_keys) {
                    (Some(space), _) if adds_keys.contains(&space) => space,
                    (None, [only]) => only.clone(),
                    (space, _) => {
                        let space = space.map(|space| shown(&space));
                        let declared = adds_keys.to_vec();
                        return Err(ReportError::NotMySpace { line: number, space, declared });
                    }
                };
                if let Some(fault) = new_key_fault(&key) {
                    return Err(ReportError::BadKey { line: number, key: shown(&key), fault });
                }
                report.keys.entry(space).or_default().push(key);
            }
            Line::Failed { which: Which { partition: None, dataset: None }, message, permanent } => {
                report.failure.get_or_insert((message, permanent));
            }
            Line::Failed { which, message, permanent } => {
                say(&which, number, Said::Failed { message, permanent }, &mut report.outputs)?;
            }
            Line::Done { which, version, rows, bytes, mut metadata } => {
                for (name, value) in [("rows", rows), ("bytes", bytes)] {
                    if let Some(value) = value {
                        metadata.insert(name.to_owned(), value.into());
                    }
                }
                say(&which, number, Said::Done { version, metadata }, &mut report.outputs)?;
            }
            Line::Empty { which, metadata } => {
                say(&which, number, Said::Empty { metadata }, &mut report.outputs)?;
            }
        }
    }
    Ok(report)
}

/// Outputs that a message names.
const MOST_NAMED: usize = 10;

fn named(expected: &[Expected]) -> String {
    first_of(expected.iter().map(|output| format!("`{}`", output.partition)), MOST_NAMED)
}

/// The lines of a report that say something, with their numbers.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = Result<(usize, &str), ReportError>> {
    let too_long = bytes.len() > MAX_BYTES;
    let bytes = if too_long { &[] } else { bytes };
    let lines = bytes.split(|b| *b == b'\n').zip(1..).map(|(line, number)| match std::str::from_utf8(line) {
        _ if number > MAX_LINES + 1 => Err(ReportError::TooLong),
        Ok(text) => Ok((number, text)),
        Err(_) => Err(ReportError::NotText { line: number }),
    });
    let blank =
        |line: &Result<(usize, &str), _>| line.as_ref().is_ok_and(|(_, text)| text.trim_ascii().is_empty());
    too_long.then_some(Err(ReportError::TooLong)).into_iter().chain(lines.filter(move |line| !blank(line)))
}

/// Where outputs are, by partition; a batch has many.
type Places<'e> = HashMap<&'e str, usize>;

fn find(which: &Which, expected: &[Expected], places: &Places, line: usize) -> Result<usize, ReportError> {
    let place = which.partition.as_deref().and_then(|partition| places.get(partition));
    if let (Some(ix), None) = (place, &which.dataset) {
        return Ok(*ix);
    }
    let fits = |output: &Expected| {
        which.partition.as_ref().is_none_or(|partition| output.partition == *partition)
            && which.dataset.as_ref().is_none_or(|dataset| output.dataset == *dataset)
    };
    let mut found = expected.iter().enumerate().filter(|(_, output)| fits(output)).map(|(ix, _)| ix);
    match (found.next(), found.next()) {
        (Some(ix), None) => Ok(ix),
        (Some(_), Some(_)) => Err(ReportError::Ambiguous { line }),
        (None, _) => Err(ReportError::NotMine {
            line,
            what: which.partition.clone().or_else(|| which.dataset.clone()).unwrap_or_default(),
            outputs: named(expected),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(names: &[&str]) -> Vec<Expected> {
        names.iter().map(|n| Expected { dataset: (*n).into(), partition: format!("{n}/d=1") }).collect()
    }

    #[test]
    fn reads_what_is_said_of_each_output_without_a_final_newline() {
        let text = br#"{"type":"progress","fraction":0.5}

{"type":"done","dataset":"a","rows":3,"metadata":{"k":[1]},"extra":1}
{"type":"empty","partition":"b/d=1"}"#;
        let report = parse(text, &expected(&["a", "b"]), &[]).unwrap();
        let Said::Done { version: None, metadata } = &report.outputs[0] else { panic!("{report:?}") };
        assert_eq!(Value::Object(metadata.clone()), serde_json::json!({"rows": 3, "k": [1]}));
        assert!(matches!(report.outputs[1], Said::Empty { .. }));
    }

    #[test]
    fn a_failure_of_the_whole_run_names_no_output() {
        let report =
            parse(br#"{"type":"failed","message":"no","permanent":true}"#, &expected(&["a"]), &[]).unwrap();
        assert_eq!(report.failure, Some(("no".into(), true)));
        assert_eq!(report.outputs, [Said::Nothing]);
    }

    #[test]
    fn of_several_lines_about_an_output_the_first_that_fails_it_counts_else_the_last() {
        let first = |lines: &[&str]| {
            let outputs = parse(lines.join("\n").as_bytes(), &expected(&["a"]), &[]).unwrap().outputs;
            outputs.into_iter().next().unwrap()
        };
        let (done, empty) = (r#"{"type":"done"}"#, r#"{"type":"empty"}"#);
        let (failed, again) = (
            r#"{"type":"failed","dataset":"a","message":"no","permanent":true}"#,
            r#"{"type":"failed","dataset":"a","message":"again"}"#,
        );
        let no = Said::Failed { message: "no".to_owned(), permanent: true };
        for lines in
            [&[failed, done][..], &[failed, empty], &[done, failed], &[empty, failed, done], &[failed, again]]
        {
            assert_eq!(first(lines), no, "{lines:?}");
        }
        assert!(matches!(first(&[empty, done]), Said::Done { .. }));
        assert!(matches!(first(&[done, empty]), Said::Empty { .. }));
    }

    #[test]
    fn keys_are_of_declared_key_spaces() {
        let one = ["customers".to_owned()];
        let two = ["customers".to_owned(), "regions".to_owned()];
        let read = |text: &str, spaces: &[String]| parse(text.as_bytes(), &expected(&["a"]), spaces);
        let report = read(
            "{\"type\":\"key\",\"key\":\"acme\"}\n{\"type\":\"key\",\"space\":\"customers\",\"key\":\"bolt\"}",
            &one,
        );
        assert_eq!(report.unwrap().keys["customers"], ["acme", "bolt"]);
        for (text, spaces, message) in [
            (
                r#"{"type":"key","key":"x"}"#,
                &two[..],
                "line 1 of the report adds a key and does not say to which `space`; the job's `adds_keys` has `customers`, `regions`",
            ),
            (r#"{"type":"key","space":"c\n","key":"x"}"#, &one[..], "adds a key to `c\\n`"),
            (r#"{"type":"key","space":"customers","key":"x"}"#, &[], "the job's `adds_keys` has none"),
            (r#"{"type":"key","key":"../x"}"#, &one[..], "`../x` cannot be a key: it begins with"),
        ] {
            let error = read(text, spaces).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn what_a_job_returns_is_its_own_affair() {
        let read = |text: &str| {
            parse(text.as_bytes(), &expected(&["a"]), &[])
                .map(|report| report.returned)
                .map_err(|error| error.to_string())
        };
        assert_eq!(read(""), Ok(Vec::new()));
        assert_eq!(read(r#"{"type":"return","text":"{\"rows\": 3}"}"#), Ok(br#"{"rows": 3}"#.to_vec()));
        let twice = "{\"type\":\"return\",\"text\":\"first\"}\n{\"type\":\"return\",\"base64\":\"/wA=\"}";
        assert_eq!(read(twice), Ok(vec![255, 0]), "the last one counts");
        let long = "x".repeat(MOST_RETURNED);
        assert_eq!(read(&format!(r#"{{"type":"return","text":"{long}"}}"#)).unwrap().len(), MOST_RETURNED);
        for (line, fault) in [
            (format!(r#"{{"type":"return","text":"{long}x"}}"#), "too many bytes"),
            (r#"{"type":"return"}"#.to_owned(), "nothing"),
            (r#"{"type":"return","text":"","base64":""}"#.to_owned(), "two things"),
            (r#"{"type":"return","base64":"?"}"#.to_owned(), "what is no base64"),
        ] {
            let error = read(&line).unwrap_err();
            assert!(error.starts_with(&format!("line 1 of the report returns {fault}; ")), "{error}");
        }
    }

    #[test]
    fn refuses_what_it_cannot_believe() {
        let two = expected(&["a", "b"]);
        let cases: [(&[u8], &str); 6] = [
            (b"not json", "line 1 of the report is no JSON; write one JSON object on each line"),
            (b"\n[1]", "line 2 of the report cannot be read"),
            (b"\xff\xfe", "line 1 of the report is not UTF-8"),
            (br#"{"type":"done"}"#, "does not say which output"),
            (
                br#"{"type":"done","partition":"c/d=1"}"#,
                "speaks of `c/d=1`, which this run does not make; it makes `a/d=1`, `b/d=1`",
            ),
            (br#"{"type":"what"}"#, "line 1 of the report cannot be read"),
        ];
        for (text, message) in cases {
            let error = parse(text, &two, &[]).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
        let many: Vec<_> = (0..12).map(|n| format!("a/d={n}")).collect();
        let batch: Vec<_> =
            many.iter().map(|p| Expected { dataset: "a".into(), partition: p.clone() }).collect();
        let found = parse(br#"{"type":"empty","partition":"a/d=7"}"#, &batch, &[]).unwrap();
        assert!(matches!(found.outputs[7], Said::Empty { .. }));
        let error = parse(br#"{"type":"done","dataset":"a"}"#, &batch, &[]).unwrap_err().to_string();
        assert!(error.contains("name `partition`, or `dataset` if the run makes one partition"), "{error}");
        let error = parse(br#"{"type":"done","partition":"a/d=99"}"#, &batch, &[]).unwrap_err().to_string();
        assert!(error.ends_with("`a/d=9` and 2 more"), "{error}");
        let million = b"{}\n".repeat(1_000_000);
        assert!(parse(&million, &two, &[]).is_err());
        assert_eq!(parse(&b"\n".repeat(MAX_LINES + 2), &two, &[]), Err(ReportError::TooLong));
        assert_eq!(parse(&vec![b' '; MAX_BYTES + 1], &two, &[]), Err(ReportError::TooLong));
    }
}
