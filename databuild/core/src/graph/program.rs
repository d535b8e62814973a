//! Programs that a graph runs: those of jobs, checks and observers.

use super::file::ProgramEntry;
use super::problem::{GraphProblem, ProblemCode as Code, Problems};
use crate::template::Template;
use std::collections::BTreeMap;
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

/// POSIX names of environment variables.
fn check_env_name(name: &str, label: &str, problems: &mut Problems) {
    let good = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !good {
        problems.rule(GraphProblem::new(
            Code::BadEnvName,
            label,
            format!("`{}` is no name of an environment variable", name.escape_debug()),
            "use letters, digits and `_`, not beginning with a digit",
        ));
    }
}
