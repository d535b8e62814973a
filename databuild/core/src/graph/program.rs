//! Programs that a graph runs: those of jobs, checks and observers.

use super::check::check_env_name;
use super::file::ProgramEntry;
use super::problem::Problems;
use super::Graph;
use crate::template::Template;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Time between TERM and KILL, where nothing is said.
const GRACE: Duration = Duration::from_secs(5);

/// A program with its code, its environment and its limits.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    /// Runfiles path of the executable.
    pub executable: String,
    /// Arguments.
    pub args: Vec<Template>,
    /// Environment.
    pub env: BTreeMap<String, String>,
    /// Names taken from the environment of whoever registers the graph.
    pub env_inherit: Vec<String>,
    /// Time limit of one process; those of checks and observers always have one.
    pub timeout: Option<Duration>,
    /// Time between TERM and KILL.
    pub grace: Duration,
    /// Runfiles path of the code manifest.
    pub manifest: String,
    /// Digest of executable and runfiles; empty in a graph not yet assembled.
    pub code: String,
}

impl Program {
    /// The program of `label`, whose arguments are `args`.
    pub(super) fn resolve(
        entry: &ProgramEntry,
        args: Vec<Template>,
        label: &str,
        problems: &mut Problems,
    ) -> Program {
        for name in entry.env.keys().chain(&entry.env_inherit) {
            check_env_name(name, label, problems);
        }
        Program {
            executable: entry.executable.clone(),
            args,
            env: entry.env.clone(),
            env_inherit: entry.env_inherit.clone(),
            timeout: entry.timeout_ms.map(Duration::from_millis),
            grace: entry.grace_ms.map_or(GRACE, Duration::from_millis),
            manifest: entry.manifest.clone(),
            code: entry.code.clone().unwrap_or_default(),
        }
    }
}

impl Graph {
    /// All programs: those of jobs, of checks and of observers.
    pub fn programs(&self) -> impl Iterator<Item = &Program> {
        let jobs = self.jobs.iter().map(|job| &job.program);
        let checks = self.checks.iter().map(|check| &check.program);
        jobs.chain(checks).chain(self.observers().map(|observer| &observer.program))
    }

    /// Digests of all code that the graph runs.
    pub fn codes(&self) -> impl Iterator<Item = &str> {
        self.programs().map(|program| program.code.as_str())
    }

    /// Names of variables that programs take from the environment of whoever registers the graph.
    #[must_use]
    pub fn inherited_names(&self) -> BTreeSet<&str> {
        self.programs().flat_map(|program| &program.env_inherit).map(String::as_str).collect()
    }
}
