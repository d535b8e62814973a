//! The request of a check: what it is told about the outputs of the attempt that it looks at.

use super::request::{OutputFile, Request};
use databuild_core::graph::Check;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Version of the request format, told to checks.
const FORMAT: u32 = 1;
/// What a check is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CheckRequest {
    /// Always [`FORMAT`].
    format: u32,
    /// The check's label.
    pub(crate) check: String,
    /// What it does not pass is not published.
    pub(crate) blocking: bool,
    /// The run.
    run: String,
    /// The attempt's number.
    attempt: u32,
    /// The label of the job that made it.
    pub(crate) job: String,
    /// For which instant key spaces were read.
    as_of: String,
    /// Partitions of its dataset that the attempt was to make.
    pub(crate) outputs: Vec<OutputFile>,
    /// The job's report; there may be none.
    job_report: PathBuf,
}

impl CheckRequest {
    /// The request of a check of the dataset with this name.
    pub(crate) fn new(check: &Check, dataset: &str, request: &Request, job_report: PathBuf) -> CheckRequest {
        let outputs = request.outputs.iter().filter(|output| output.dataset == dataset).cloned().collect();
        CheckRequest {
            format: FORMAT,
            check: check.label.clone(),
            blocking: check.blocking,
            run: request.run.clone(),
            attempt: request.attempt,
            job: request.job.clone(),
            as_of: request.as_of.clone(),
            outputs,
            job_report,
        }
    }

    /// The arguments of the check with its templates filled in.
    ///
    /// # Errors
    /// A hole that cannot be filled, which the graph's check does not let through.
    pub(crate) fn arguments(&self, check: &Check) -> Result<Vec<String>, String> {
        let first = self.outputs.first();
        let hole = |name: &str, _: Option<&str>| match name {
            "path" => Some(first?.path.as_ref()?.to_string_lossy().into_owned().into()),
            dim => Some(first?.keys.get(dim)?.clone().into()),
        };
        let rendered = check.program.args.iter().map(|template| template.render(hole));
        rendered.map(|text| text.map_err(|hole| format!("{}: {hole} in `args`", check.label))).collect()
    }
}
