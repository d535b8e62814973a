//! What data checks say of partitions, and what follows from it.
//!
//! A check is a process that looks at what a job made before it is published. Its report has lines
//! `{"type": "check", "ok": false, "partition": ..., "message": ..., "metadata": {...}}`.
//!
//! | the process | a partition without a line | with lines |
//! |---|---|---|
//! | exits with 0 | passed | failed if one says so, else passed |
//! | exits with 1 | failed, by the last line of stderr | the same; but an error if nothing failed at all |
//! | ends otherwise, or its report cannot be believed | error | error |
//!
//! A check that exits with 1 and reports that all is well is not believed: that is a program that reports, and then
//! runs into an error of its own.

use crate::event::{CheckFindings, CheckOutcome, CheckResult, OutputRecord};
use crate::report::{self, ReportError};
use crate::text::and_more_aside;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Longest message that is kept, in bytes.
const LONGEST_MESSAGE: usize = 1_000;

/// How the process of a check ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckExit {
    /// It exited with this code.
    Code(i32),
    /// It did not come to its end, in words: `killed by signal 9`.
    Cut(String),
}

/// Why the report of a check is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckReportError {
    /// It is no such report.
    #[error(transparent)]
    Line(#[from] ReportError),
    /// Several partitions, and a line that names none.
    #[error("line {line} of the report does not say which `partition` it means")]
    Unnamed {
        /// From 1.
        line: usize,
    },
    /// A partition that it was not asked about.
    #[error("line {line} of the report speaks of `{partition}`, which it was not given")]
    NotGiven {
        /// From 1.
        line: usize,
        /// What it names.
        partition: String,
    },
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line {
    Check {
        partition: Option<String>,
        ok: bool,
        #[serde(default)]
        message: String,
        #[serde(default)]
        metadata: Map<String, Value>,
    },
}

/// What the report says of a partition.
#[derive(Debug, Clone, PartialEq)]
struct Said {
    ok: bool,
    message: String,
    metadata: Map<String, Value>,
}

/// What a check found in each of the partitions that it was given. `last_line` is the last that it wrote to
/// stderr.
#[must_use]
pub fn findings(partitions: &[&str], exit: &CheckExit, report: &[u8], last_line: &str) -> Vec<CheckResult> {
    let error = |message: String| -> Vec<CheckResult> {
        let result = |partition: &&str| result(partition, CheckOutcome::Error, &message, &Map::new());
        partitions.iter().map(result).collect()
    };
    let with_last_line = |text: &str| match last_line.trim() {
        "" => text.to_owned(),
        line => format!("{text}: {line}"),
    };
    let code = match exit {
        CheckExit::Code(code @ (0 | 1)) => *code,
        CheckExit::Code(code) => return error(with_last_line(&format!("exit code {code}"))),
        CheckExit::Cut(how) => return error(with_last_line(how)),
    };
    let said = match parse(report, partitions) {
        Ok(said) => said,
        Err(problem) => return error(problem.to_string()),
    };
    if code == 1 && said.iter().all(|said| said.as_ref().is_some_and(|said| said.ok)) {
        return error(with_last_line("exit code 1 after it had reported that nothing failed"));
    }
    let silent = match last_line.trim() {
        "" => "exit code 1",
        line => line,
    };
    let found = |(partition, said): (&&str, &Option<Said>)| match said {
        Some(Said { ok: true, message, metadata }) => {
            result(partition, CheckOutcome::Passed, message, metadata)
        }
        Some(Said { ok: false, message, metadata }) => {
            let message = if message.is_empty() { "it failed" } else { message };
            result(partition, CheckOutcome::Failed, message, metadata)
        }
        None if code == 0 => result(partition, CheckOutcome::Passed, "", &Map::new()),
        None => result(partition, CheckOutcome::Failed, silent, &Map::new()),
    };
    partitions.iter().zip(&said).map(found).collect()
}

fn result(
    partition: &str,
    outcome: CheckOutcome,
    message: &str,
    metadata: &Map<String, Value>,
) -> CheckResult {
    let mut kept = message.trim().to_owned();
    if kept.len() > LONGEST_MESSAGE {
        let end = (0..=LONGEST_MESSAGE).rev().find(|at| kept.is_char_boundary(*at)).unwrap_or(0);
        kept.truncate(end);
        kept.push('…');
    }
    let metadata = Value::Object(metadata.clone()).to_string();
    CheckResult { partition: partition.to_owned(), outcome, message: kept, metadata }
}

/// What is said of each partition. Of several lines about one the first that fails it counts, else the last.
fn parse(report: &[u8], partitions: &[&str]) -> Result<Vec<Option<Said>>, CheckReportError> {
    let places: HashMap<&str, usize> = partitions.iter().copied().zip(0..).collect();
    let mut all: Vec<Option<Said>> = vec![None; partitions.len()];
    for line in report::lines(report) {
        let (number, text) = line?;
        let Line::Check { partition, ok, message, metadata } = serde_json::from_str(text)
            .map_err(|e| ReportError::Malformed { line: number, problem: e.to_string() })?;
        let place = match (&partition, partitions.len()) {
            (None, 1) => 0,
            (None, _) => return Err(CheckReportError::Unnamed { line: number }),
            (Some(partition), _) => *places.get(partition.as_str()).ok_or_else(|| {
                CheckReportError::NotGiven { line: number, partition: crate::text::shown(partition) }
            })?,
        };
        if all[place].as_ref().is_none_or(|before| before.ok) {
            all[place] = Some(Said { ok, message, metadata });
        }
    }
    Ok(all)
}

/// What checks that only warn found amiss, if anything.
#[must_use]
pub fn warning(checks: &[CheckFindings]) -> Option<String> {
    let warning = |findings: &&CheckFindings| !findings.blocking;
    let all = checks.iter().filter(warning).flat_map(|findings| complaints(findings, "warns of"));
    first_of(all.map(|(_, text)| text))
}

/// What a check found amiss, by partition.
fn complaints<'c>(
    findings: &'c CheckFindings,
    verb: &'c str,
) -> impl Iterator<Item = (&'c str, String)> + 'c {
    let check = &findings.check;
    findings.results.iter().filter_map(move |CheckResult { partition, outcome, message, .. }| {
        let text = match outcome {
            CheckOutcome::Passed => return None,
            CheckOutcome::Failed => format!("check {check} {verb} {partition}: {message}"),
            CheckOutcome::Error => format!("check {check} of {partition} did not work: {message}"),
        };
        Some((partition.as_str(), text))
    })
}

/// The first of some texts, and how many more there are.
fn first_of(mut texts: impl Iterator<Item = String>) -> Option<String> {
    let first = texts.next()?;
    Some(first + &and_more_aside(texts.count()))
}

/// The findings of an attempt's checks, held against what the attempt made.
#[derive(Debug, Clone, Default)]
pub struct Inspection {
    checks: Vec<CheckFindings>,
    /// What blocking checks found amiss, by partition.
    refusals: BTreeMap<String, Vec<String>>,
    made: BTreeSet<String>,
}

impl Inspection {
    /// What checks found, in whatever they were given.
    #[must_use]
    pub fn new(checks: Vec<CheckFindings>) -> Inspection {
        let mut refusals: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for findings in checks.iter().filter(|findings| findings.blocking) {
            for (partition, text) in complaints(findings, "refuses") {
                refusals.entry(partition.to_owned()).or_default().push(text);
            }
        }
        Inspection { checks, refusals, made: BTreeSet::new() }
    }

    /// Notes that these outputs were made, and says why they must not be published, if so. What is empty has no
    /// data that a check could have looked at.
    pub fn refusal(&mut self, outputs: &[OutputRecord]) -> Option<String> {
        let full: Vec<&String> =
            outputs.iter().filter(|output| !output.empty).map(|output| &output.partition).collect();
        if !self.checks.is_empty() {
            self.made.extend(full.iter().map(|partition| (*partition).clone()));
        }
        let refusals = full.iter().filter_map(|partition| self.refusals.get(*partition));
        first_of(refusals.flatten().cloned())
    }

    /// What was found in the outputs that were made; the rest speaks of nothing.
    #[must_use]
    pub fn kept(self) -> Vec<CheckFindings> {
        let Inspection { checks, made, refusals: _ } = self;
        let keep = |mut findings: CheckFindings| {
            findings.results.retain(|result| made.contains(&result.partition));
            (!findings.results.is_empty()).then_some(findings)
        };
        checks.into_iter().filter_map(keep).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAYS: [&str; 2] = ["x/date=1", "x/date=2"];

    /// Outcomes and messages of a check of two partitions.
    fn found(exit: CheckExit, report: &str, last_line: &str) -> Vec<(CheckOutcome, String)> {
        let found = findings(&DAYS, &exit, report.as_bytes(), last_line);
        assert!(found.iter().map(|result| result.partition.as_str()).eq(DAYS));
        found.into_iter().map(|result| (result.outcome, result.message)).collect()
    }

    fn both(outcome: CheckOutcome, message: &str) -> Vec<(CheckOutcome, String)> {
        vec![(outcome, message.to_owned()); 2]
    }

    fn line(day: usize, ok: bool, message: &str) -> String {
        let partition = DAYS[day - 1];
        format!(
            "{}\n",
            serde_json::json!({"type": "check", "partition": partition, "ok": ok, "message": message})
        )
    }

    use CheckOutcome::{Error, Failed, Passed};

    #[test]
    fn the_exit_code_speaks_for_partitions_without_a_line() {
        assert_eq!(found(CheckExit::Code(0), "", "talk"), both(Passed, ""));
        assert_eq!(
            found(CheckExit::Code(1), "", " 3 rows without a price "),
            both(Failed, "3 rows without a price")
        );
        assert_eq!(found(CheckExit::Code(1), "", ""), both(Failed, "exit code 1"));
        let one = [(Failed, "no rows".to_owned()), (Passed, String::new())];
        assert_eq!(found(CheckExit::Code(0), &line(1, false, "no rows"), "talk"), one);
        let rest = [(Passed, "24 rows".to_owned()), (Failed, "talk".to_owned())];
        assert_eq!(found(CheckExit::Code(1), &line(1, true, "24 rows"), "talk"), rest);
    }

    #[test]
    fn the_first_failure_of_several_lines_counts() {
        let report = line(1, true, "a") + &line(1, false, "b") + &line(1, true, "c") + &line(1, false, "d");
        let found = found(CheckExit::Code(0), &(report + &line(2, true, "e") + &line(2, true, "f")), "");
        assert_eq!(found, [(Failed, "b".to_owned()), (Passed, "f".to_owned())]);
    }

    #[test]
    fn whatever_else_happens_is_an_error() {
        let cut = CheckExit::Cut("killed by signal 9".to_owned());
        assert_eq!(found(cut.clone(), &line(1, true, ""), "bye"), both(Error, "killed by signal 9: bye"));
        assert_eq!(found(CheckExit::Code(2), "", ""), both(Error, "exit code 2"));
        assert_eq!(found(CheckExit::Code(-1), "", "usage"), both(Error, "exit code -1: usage"));
        let fine = line(1, true, "") + &line(2, true, "");
        let contradiction = "exit code 1 after it had reported that nothing failed: KeyError";
        assert_eq!(found(CheckExit::Code(1), &fine, "KeyError"), both(Error, contradiction));
    }

    #[test]
    fn a_report_that_cannot_be_believed_is_an_error_with_its_line() {
        let cases = [
            ("\n{\"type\": \"check\"", "line 2 of the report cannot be read"),
            ("{\"type\": \"done\"}", "line 1 of the report cannot be read: unknown variant `done`"),
            ("{\"type\": \"check\", \"ok\": 1}", "line 1 of the report cannot be read"),
            ("{\"type\": \"check\"}", "line 1 of the report cannot be read: missing field `ok`"),
            ("{\"type\": \"check\", \"ok\": true}", "line 1 of the report does not say which `partition`"),
            (
                "{\"type\": \"check\", \"ok\": true, \"partition\": \"y\"}",
                "line 1 of the report speaks of `y`, which it was not given",
            ),
        ];
        for (report, expected) in cases {
            let found = found(CheckExit::Code(0), report, "");
            assert!(
                found.iter().all(|(outcome, text)| *outcome == Error && text.starts_with(expected)),
                "{found:?}"
            );
        }
        assert_eq!(found(CheckExit::Code(0), &"x".repeat(report::MAX_BYTES + 1), "")[0].0, Error);
    }

    #[test]
    fn one_partition_need_not_be_named_and_what_was_measured_is_kept() {
        let report = br#"{"type": "check", "ok": false, "metadata": {"rows": 0}, "new": 1}"#;
        let found = findings(&["x"], &CheckExit::Code(0), report, "");
        let result = CheckResult {
            partition: "x".to_owned(),
            outcome: Failed,
            message: "it failed".to_owned(),
            metadata: "{\"rows\":0}".to_owned(),
        };
        assert_eq!(found, [result]);
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        let found = found(CheckExit::Code(1), "", &"é".repeat(LONGEST_MESSAGE));
        assert_eq!(found[0].1, "é".repeat(LONGEST_MESSAGE / 2) + "…");
    }

    fn output(partition: &str, empty: bool) -> OutputRecord {
        OutputRecord {
            partition: partition.to_owned(),
            version: "v".to_owned(),
            empty,
            mark: 0,
            bytes: 0,
            metadata: "{}".to_owned(),
        }
    }

    fn by(check: &str, blocking: bool, outcomes: [CheckOutcome; 2]) -> CheckFindings {
        let results = DAYS
            .iter()
            .zip(outcomes)
            .map(|(partition, outcome)| result(partition, outcome, "so", &Map::new()));
        CheckFindings { check: check.to_owned(), blocking, results: results.collect() }
    }

    #[test]
    fn only_a_blocking_check_refuses_and_only_what_is_there() {
        let refusal = |checks: &[CheckFindings], empty| {
            Inspection::new(checks.to_vec()).refusal(&[output(DAYS[0], empty)])
        };
        let failed = "check //:c refuses x/date=1: so";
        assert_eq!(refusal(&[by("//:c", true, [Failed, Passed])], false).as_deref(), Some(failed));
        let crashed = "check //:c of x/date=1 did not work: so";
        assert_eq!(refusal(&[by("//:c", true, [Error, Passed])], false).as_deref(), Some(crashed));
        assert_eq!(refusal(&[by("//:c", true, [Failed, Passed])], true), None);
        assert_eq!(refusal(&[by("//:c", true, [Passed, Failed])], false), None);
        assert_eq!(refusal(&[by("//:c", false, [Failed, Error])], false), None);
        let two = [by("//:c", true, [Failed, Passed]), by("//:d", true, [Error, Error])];
        assert_eq!(refusal(&two, false), Some(format!("{failed} (and 1 more)")));
        assert_eq!(refusal(&[], false), None);
    }

    #[test]
    fn a_warning_is_of_checks_that_only_warn() {
        let warned = warning(&[by("//:c", true, [Failed, Failed]), by("//:d", false, [Passed, Failed])]);
        assert_eq!(warned.as_deref(), Some("check //:d warns of x/date=2: so"));
        let crashed = warning(&[by("//:d", false, [Error, Failed])]);
        assert_eq!(crashed.as_deref(), Some("check //:d of x/date=1 did not work: so (and 1 more)"));
        assert_eq!(warning(&[by("//:d", false, [Passed, Passed])]), None);
    }

    #[test]
    fn findings_are_kept_of_what_was_made() {
        let mut inspection =
            Inspection::new(vec![by("//:c", false, [Failed, Passed]), by("//:d", true, [Passed; 2])]);
        assert_eq!(inspection.refusal(&[output(DAYS[1], false), output(DAYS[0], true)]), None);
        let kept: Vec<_> = inspection
            .kept()
            .iter()
            .flat_map(|findings| {
                findings.results.iter().map(|result| (findings.check.clone(), result.partition.clone()))
            })
            .collect();
        let second = |check: &str| (check.to_owned(), DAYS[1].to_owned());
        assert_eq!(kept, [second("//:c"), second("//:d")]);
        assert!(Inspection::new(vec![by("//:c", true, [Failed; 2])]).kept().is_empty());
    }
}
