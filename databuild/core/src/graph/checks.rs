//! Checks of a graph: programs that look at what a job made before it is published.
//!
//! Invariant: a check is in no digest. What was published before it came, or was another, stays as good as it was.

use super::file::{CheckEntry, GraphFile};
use super::problem::{GraphProblem, ProblemCode as Code, Problems};
use super::program::Program;
use super::{Check, Dataset, DatasetIx, Graph, Job, JobIx};
use crate::template::Template;
use std::collections::HashMap;

impl Graph {
    /// All checks, by label.
    pub fn checks(&self) -> impl ExactSizeIterator<Item = &Check> {
        self.checks.iter()
    }

    /// The checks of what a job makes, by label.
    pub fn checks_of(&self, job: JobIx) -> impl Iterator<Item = &Check> {
        let outputs = &self.job(job).outputs;
        self.checks.iter().filter(|check| outputs.contains(&check.dataset))
    }
}

/// Checks of the file, without those that cannot be.
pub(super) fn resolve_checks(
    file: &GraphFile,
    datasets: &[Dataset],
    jobs: &[Job],
    by_name: &HashMap<String, DatasetIx>,
    problems: &mut Problems,
) -> Vec<Check> {
    let mut checks: Vec<Check> = Vec::new();
    for entry in &file.checks {
        let about = |code, message: String, help: &str| GraphProblem::new(code, &entry.label, message, help);
        if checks.iter().any(|check| check.label == entry.label) {
            let message = format!("check `{}` is listed twice", entry.label);
            problems.block(about(Code::DuplicateCheck, message, "list it once in the graph"));
            continue;
        }
        let Some(ix) = by_name.get(&entry.dataset).copied() else {
            let message = format!("it checks `{}`, which no job of this graph makes or reads", entry.dataset);
            let help = "add the job that makes it to the graph, or drop the check";
            problems.block(about(Code::UnknownDataset, message, help));
            continue;
        };
        let mut problem = |code, message, help| problems.rule(about(code, message, help));
        let dataset = &datasets[ix.0];
        if dataset.external {
            let message =
                format!("it checks `{}`, which is external: nothing is published there", dataset.name);
            problem(Code::ExternalChecked, message, "check a dataset that is made from it");
        }
        if matches!(entry.program.timeout_ms, None | Some(0)) {
            problem(Code::BadTimeout, "a timeout of 0 stops every check".to_owned(), "write at least 1 ms");
        }
        let batch = jobs.iter().find(|job| job.outputs.contains(&ix)).and_then(|job| job.batch);
        let batch = batch.map(|batch| dataset.dims[batch.dim].as_str());
        let args = templates(entry, dataset, batch, problems);
        checks.push(Check {
            label: entry.label.clone(),
            dataset: ix,
            blocking: entry.blocking,
            program: Program::resolve(&entry.program, args, &entry.label, problems),
        });
    }
    checks
}

/// Arguments may name keys and the staged path, unless one check looks at several partitions: `batch` is the
/// dimension in which they differ.
fn templates(
    entry: &CheckEntry,
    dataset: &Dataset,
    batch: Option<&str>,
    problems: &mut Problems,
) -> Vec<Template> {
    let mut templates = Vec::new();
    for text in &entry.program.args {
        let about = |code, message: String, help: &str| {
            let message = format!("argument `{text}`: {message}");
            GraphProblem::new(code, &entry.label, message, help)
        };
        const HOLES: &str = "holes are {dimension} and {path}; write {{ and }} for braces";
        let template = match Template::parse(text) {
            Ok(template) => template,
            Err(error) => {
                problems.block(about(Code::BadTemplate, error.to_string(), HOLES));
                continue;
            }
        };
        let mut problem = |code, message, help| problems.rule(about(code, message, help));
        for (name, argument) in template.holes() {
            let in_batch = batch.is_some_and(|dim| name == "path" || name == dim);
            let message = match (name, argument) {
                (name, None) if in_batch => {
                    problem(
                        Code::BadBatch,
                        format!("`{{{name}}}` is not the same for all partitions of a batch"),
                        "read keys and paths from the request, the file that DATABUILD_REQUEST names",
                    );
                    continue;
                }
                ("path", None) if dataset.path.is_some() => continue,
                ("path", None) => format!("`{}` has no path", dataset.name),
                (dim, None) if dataset.dims.iter().any(|known| known == dim) => continue,
                (other, _) => format!("nothing is known for `{other}`"),
            };
            problem(Code::BadTemplate, message, HOLES);
        }
        templates.push(template);
    }
    templates
}
