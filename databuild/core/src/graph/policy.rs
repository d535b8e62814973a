//! What jobs and datasets say about how their runs are treated: limits, retries, what a change of code means; and whose a
//! dataset is.
//!
//! The rules write a policy among the other fields of a job or a dataset ([`super::file`]), and the graph keeps it as it
//! was read. So an attribute that means something by itself is declared here and nowhere else in this folder: the field is
//! read, written and compared by what is derived, and its bounds stand in the table of numbers below. An attribute that
//! names other parts of the graph is resolved, and so has a field of its own in `file` and `model`.

use super::problem::{GraphProblem, ProblemCode as Code, Problems};
use crate::text::{one_line, shown};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

/// How the runs of a job are treated.
// No `deny_unknown_fields`: the entry around it refuses what neither of the two knows.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct JobPolicy {
    /// What a run takes of pools, by label.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pools: BTreeMap<String, u32>,
    /// Places that a run takes; 1 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<u32>,
    /// Bytes of memory that a run takes; absent if it is not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Most runs of it at once; absent for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_running: Option<u32>,
    /// Bytes that are kept of what an attempt writes to stdout, and as many of stderr; absent for 64 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_limit: Option<u64>,
    /// How many attempts may start in some time; absent for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// Further attempts after the first failure.
    pub retries: u32,
    /// Delay before the first of them; doubles from there.
    #[serde(rename = "backoff_ms", with = "milliseconds")]
    pub backoff: Duration,
    /// Longest delay; at least `backoff` counts, whatever it says.
    #[serde(rename = "backoff_max_ms", with = "milliseconds")]
    pub backoff_max: Duration,
    /// What a code change does to existing partitions.
    pub on_code_change: OnCodeChange,
}

/// How the runs that make a dataset are treated, whichever job they are of, and whose it is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DatasetPolicy {
    /// Most runs that make it at once; absent for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_running: Option<u32>,
    /// Who answers for it, in words for people: a team, an address; absent if nobody is named. Nothing follows from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// How often attempts of a job may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// So many: 1 to 1,000.
    pub count: u32,
    /// In any time of this length: at most 31 days.
    #[serde(rename = "period_ms", with = "milliseconds")]
    pub period: Duration,
}

/// What a change of a job's code does to partitions it made before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnCodeChange {
    /// They are stale.
    #[default]
    Stale,
    /// They stay as good as they were.
    Keep,
}

/// A number of a policy, with those that a new graph may give.
struct Number {
    name: &'static str,
    given: Option<u64>,
    allowed: RangeInclusive<u64>,
    /// What to write instead.
    help: &'static str,
}

const AT_LEAST_1: (RangeInclusive<u64>, &str) =
    (1..=u64::MAX, "write a number of at least 1, or leave it out");
/// Some, and not so much that nobody could read it.
const LOG_LIMITS: (RangeInclusive<u64>, &str) =
    (4 << 10..=16 << 30, "write an amount from \"4k\" to \"16g\", or leave it out");

/// It fits a column of a table.
const LONGEST_OWNER: usize = 100;
/// Starts of one period that are remembered, at most.
const MOST_STARTS: u32 = 1_000;
/// Longest period of a rate.
const LONGEST_PERIOD: Duration = Duration::from_secs(31 * 24 * 3600);

impl JobPolicy {
    fn numbers(&self) -> [Number; 4] {
        // No `..`: a new attribute breaks the build here until its bounds are in the table, or it is said why it has none.
        let JobPolicy {
            // Held against the sizes of pools where they are known.
            pools: _,
            cpus,
            memory,
            max_running,
            log_limit,
            // Two numbers that are told together.
            rate: _,
            // All of their values mean something.
            retries: _,
            backoff: _,
            backoff_max: _,
            on_code_change: _,
        } = self;
        [
            number("cpus", *cpus, AT_LEAST_1),
            number("memory", *memory, AT_LEAST_1),
            number("max_running", *max_running, AT_LEAST_1),
            number("log_limit", *log_limit, LOG_LIMITS),
        ]
    }

    /// Rules for the job of that label in a new graph.
    pub(super) fn check(&self, label: &str, problems: &mut Problems) {
        check_numbers(&self.numbers(), label, problems);
        let Some(Rate { count, period }) = self.rate else { return };
        if !(1..=MOST_STARTS).contains(&count) || period.is_zero() || period > LONGEST_PERIOD {
            problems.rule(GraphProblem::new(
                Code::BadLimit,
                label,
                format!("rate: {count} starts in {} ms", period.as_millis()),
                "write 1 to 1000 starts in a period of at most 31 days, such as \"10/1m\"; a higher rate has a shorter period",
            ));
        }
    }
}

impl DatasetPolicy {
    fn numbers(&self) -> [Number; 1] {
        let DatasetPolicy {
            max_running,
            // A text.
            owner: _,
        } = self;
        [number("max_running", *max_running, AT_LEAST_1)]
    }

    /// Rules for the dataset with that target in a new graph.
    pub(super) fn check(&self, label: &str, problems: &mut Problems) {
        check_numbers(&self.numbers(), label, problems);
        let Some(owner) = &self.owner else { return };
        if owner.is_empty()
            || owner.len() > LONGEST_OWNER
            || owner.trim() != owner
            || one_line(owner) != *owner
        {
            problems.rule(GraphProblem::new(
                Code::BadOwner,
                label,
                format!("owner: \"{}\" is not a line of 1 to {LONGEST_OWNER} bytes", shown(owner)),
                "name a team or an address in one line, without spaces around it, or leave it out",
            ));
        }
    }
}

fn number<N: Into<u64>>(
    name: &'static str,
    given: Option<N>,
    (allowed, help): (RangeInclusive<u64>, &'static str),
) -> Number {
    Number { name, given: given.map(Into::into), allowed, help }
}

fn check_numbers(numbers: &[Number], label: &str, problems: &mut Problems) {
    for Number { name, given, allowed, help } in numbers {
        if let Some(given) = given.filter(|given| !allowed.contains(given)) {
            let message = format!("{name} = {given} is not allowed");
            problems.rule(GraphProblem::new(Code::BadLimit, label, message, *help));
        }
    }
}

/// Lengths of time as the file has them: whole milliseconds.
mod milliseconds {
    use super::{Deserialize, Deserializer, Duration, Serializer};

    pub(super) fn serialize<S: Serializer>(length: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(length.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{json, Value};

    /// What is wrong with a policy that has this number, besides what is always in the file.
    fn found(name: &str, given: u64, check: impl Fn(Value, &mut Problems)) -> Vec<(Code, String)> {
        let mut problems = Problems::of_new();
        check(json!({ name: given }), &mut problems);
        let found = problems.none().err().unwrap_or_default();
        found.into_iter().map(|problem| (problem.code, problem.message)).collect()
    }

    fn hold(numbers: &[Number], check: impl Fn(Value, &mut Problems)) {
        for Number { name, allowed, .. } in numbers {
            let (first, last) = (*allowed.start(), *allowed.end());
            assert_eq!(found(name, first, &check), [], "{name}");
            for given in [first.checked_sub(1), last.checked_add(1)].into_iter().flatten() {
                let refused = (Code::BadLimit, format!("{name} = {given} is not allowed"));
                assert_eq!(found(name, given, &check), [refused]);
            }
        }
    }

    #[test]
    fn a_number_beyond_its_bounds_is_refused_by_its_name_in_the_file() {
        let job = JobPolicy::default();
        let said = serde_json::to_value(&job).unwrap();
        hold(&job.numbers(), |number, problems| {
            let mut said = said.clone();
            said.as_object_mut().unwrap().extend(number.as_object().unwrap().clone());
            serde_json::from_value::<JobPolicy>(said).unwrap().check("//:x", problems);
        });
        hold(&DatasetPolicy::default().numbers(), |number, problems| {
            serde_json::from_value::<DatasetPolicy>(number).unwrap().check("//:x", problems);
        });
    }
}
