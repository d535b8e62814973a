//! Parameters of jobs: values that somebody may give when a job is invoked by hand.
//!
//! A job declares each with its default. The values with which something was made are part of its arguments, so
//! what was made with others than the defaults of today is stale.

use super::file::JobEntry;
use super::problem::{GraphProblem, ProblemCode as Code, Problems};
use super::{Graph, Job, JobDigests, JobIx, Params};
use crate::digest::sha256_of_texts;
use std::collections::BTreeMap;

/// Most parameters of one job.
pub const MOST_PARAMS: usize = 32;
/// Longest value in bytes; it has to fit into an argument of a process.
pub const LONGEST_VALUE: usize = 4096;
/// Longest name.
const LONGEST_NAME: usize = 64;

/// What is wrong with a value, if anything.
#[must_use]
pub fn value_fault(value: &str) -> Option<String> {
    if value.len() > LONGEST_VALUE {
        return Some(format!("it has {} bytes, and {LONGEST_VALUE} is the most", value.len()));
    }
    value.contains('\0').then(|| "it has a NUL character".to_owned())
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    let begins = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    begins && name.len() <= LONGEST_NAME && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

pub(super) fn check_params(entry: &JobEntry, problems: &mut Problems) {
    let mut problem = |message: String, help: &str| {
        problems.rule(GraphProblem::new(Code::BadParam, &entry.label, message, help));
    };
    if entry.params.len() > MOST_PARAMS {
        let count = entry.params.len();
        problem(format!("{count} parameters are too many"), "declare at most 32; put more into a file");
    }
    for (name, value) in &entry.params {
        if !is_name(name) {
            let message = format!("`{}` cannot be a parameter", crate::text::shown(name));
            problem(message, "use letters, digits and `_`, at most 64 of them");
        }
        if let Some(fault) = value_fault(value) {
            problem(format!("the default of parameter `{name}`: {fault}"), "give it a shorter text");
        }
    }
}

impl Job {
    /// All parameters with their values: those that were given, else the defaults.
    #[must_use]
    pub fn values(&self, given: &Params) -> Params {
        let mut values = self.params.clone();
        values.extend(given.iter().map(|(name, value)| (name.clone(), value.clone())));
        values
    }

    /// What a materialization by this job records of it, given digests of inherited values and values of
    /// parameters.
    #[must_use]
    pub fn digests(&self, inherited: &BTreeMap<String, String>, given: &Params) -> JobDigests {
        let mut args = self.args_digest.clone();
        if !self.params.is_empty() {
            let values = self.values(given);
            let texts = values.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
            args = sha256_of_texts(["params", args.as_str()].into_iter().chain(texts));
        }
        if !self.program.env_inherit.is_empty() {
            let values = self
                .program
                .env_inherit
                .iter()
                .flat_map(|name| [name.as_str(), inherited.get(name).map_or("unset", String::as_str)]);
            args = sha256_of_texts(std::iter::once(args.as_str()).chain(values));
        }
        JobDigests { code: self.program.code.clone(), args, template: self.template_digest.clone() }
    }
}

impl Graph {
    /// Jobs that people may mean by a text: the one of that label, or those whose label ends with it, such as
    /// `:ingest` and `ingest` for `//:ingest`.
    #[must_use]
    pub fn jobs_called(&self, text: &str) -> Vec<JobIx> {
        if let Some(job) = self.job_labeled(text) {
            return vec![job];
        }
        // As on Bazel's command line, `:x` is in the root package; a name alone may be in any.
        if text.starts_with(':') {
            return self.job_labeled(&format!("//{text}")).into_iter().collect();
        }
        let named = |label: &str| label.rsplit_once(':').is_some_and(|(_, name)| name == text);
        self.jobs().filter(|(_, job)| named(&job.label)).map(|(ix, _)| ix).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_have_bounds() {
        for (name, good) in
            [("full_refresh", true), ("_x9", true), ("", false), ("9x", false), ("a-b", false)]
        {
            assert_eq!(is_name(name), good, "{name}");
        }
        assert!(!is_name(&"a".repeat(65)));
        assert_eq!(value_fault(&"é".repeat(2048)), None);
        assert!(value_fault(&"a".repeat(4097)).unwrap().contains("4097 bytes"));
        assert!(value_fault("a\0b").unwrap().contains("NUL"));
    }
}
