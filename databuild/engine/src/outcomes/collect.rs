//! What a job says that it made, held against what is there.

use crate::attempt::request::{OutputFile, Request, EMPTY_VERSION};
use crate::executor::{Kept, Text};
use crate::publish::{self, PublishError};
use databuild_core::decide::{AttemptReport, Success};
use databuild_core::event::{AttemptOutcome, OutputRecord};
use databuild_core::observation::version_fault;
use databuild_core::report::{self, Expected, Said};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

/// Bytes of an output's metadata. A job that reads the output gets it, with the metadata of all its inputs, in one request.
pub(crate) const MOST_METADATA: usize = 64 << 10;

pub(crate) fn failure<T>(message: String, permanent: bool) -> Result<T, AttemptReport> {
    Err(AttemptReport::new(AttemptOutcome::Failure { permanent }, message))
}

/// Outputs with the files among them that are to be published.
pub(crate) type Outputs = (Vec<OutputRecord>, Vec<PathBuf>);

/// What an attempt brought, with those files.
pub(crate) type Brought = (Success, Vec<PathBuf>);

pub(super) fn expected(request: &Request) -> Vec<Expected> {
    request
        .outputs
        .iter()
        .map(|output| Expected { dataset: output.dataset.clone(), partition: output.partition.clone() })
        .collect()
}

/// Why a report says nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReportFault {
    /// Something else than a file is there, or the disk fails.
    #[error("its report cannot be read: {0}")]
    Unreadable(std::io::Error),
    /// It is not believed.
    #[error(transparent)]
    Wrong(#[from] report::ReportError),
}

impl ReportFault {
    /// Whether another attempt would fail in the same way: deterministic jobs would write the same report again.
    pub(crate) fn is_permanent(&self) -> bool {
        matches!(self, ReportFault::Wrong(_))
    }
}

pub(crate) fn read_report(kept: &Kept, request: &Request) -> Result<report::Report, ReportFault> {
    // One byte more, by which the parser sees that it is too long.
    let bytes = kept.read(Text::Report, report::MAX_BYTES as u64 + 1).map_err(ReportFault::Unreadable)?;
    Ok(report::parse(&bytes.unwrap_or_default(), &expected(request), &request.adds_keys)?)
}

/// The data version of an output that is not a file: the one that the job reports, or the run's name. Fails with what is
/// wrong with it.
pub(crate) fn reported_version(version: Option<String>, run: &str) -> Result<String, &'static str> {
    match version {
        None => Ok(format!("run:{run}")),
        // Readers are told that such a partition is empty, which the version has to tell as well.
        Some(version) if version == EMPTY_VERSION => {
            Err("stands for a partition without data; report `empty`, or name another version")
        }
        Some(version) => version_fault(&version).map_or(Ok(version), Err),
    }
}

/// The record of an output, and its file if there is one; or why there is none, and whether for good.
pub(crate) fn collect_one(
    request: &Request,
    output: &OutputFile,
    said: Said,
    stop: &AtomicBool,
) -> Result<(OutputRecord, Option<PathBuf>), (String, bool)> {
    let (version, metadata) = match said {
        Said::Failed { message, permanent } => {
            return Err((format!("{}: {message}", output.partition), permanent))
        }
        Said::Empty { metadata } => {
            if let Some(path) = &output.path {
                publish::make_ready(path, true).map_err(|error| (error.to_string(), false))?;
            }
            return Ok((record(output, EMPTY_VERSION.to_owned(), true, 0, metadata)?, None));
        }
        Said::Done { version, metadata } => (version, metadata),
        Said::Nothing => (None, serde_json::Map::new()),
    };
    let Some(path) = &output.path else {
        let version = reported_version(version, &request.run).map_err(|fault| {
            (format!("{}: the version that the job reports {fault}", output.partition), true)
        })?;
        return Ok((record(output, version, false, 0, metadata)?, None));
    };
    let inspected =
        publish::inspect_until(path, stop).and_then(|found| publish::make_ready(path, false).map(|()| found));
    match inspected {
        Ok(found) => {
            let record = OutputRecord {
                // Its mark is another one in its place, until when this tells whether somebody writes to it.
                mark: found.body,
                ..record(output, found.hash.to_string(), false, found.bytes, metadata)?
            };
            Ok((record, Some(path.clone())))
        }
        Err(PublishError::OutputMissing { .. }) => {
            let message = format!(
                "it ended without writing {}: write the file at the request's `path` ({}), or report the partition `empty`",
                output.partition,
                path.display()
            );
            Err((message, false))
        }
        Err(error) => Err((error.to_string(), false)),
    }
}

fn record(
    output: &OutputFile,
    version: String,
    empty: bool,
    bytes: u64,
    metadata: serde_json::Map<String, serde_json::Value>,
) -> Result<OutputRecord, (String, bool)> {
    let metadata = serde_json::Value::Object(metadata).to_string();
    if metadata.len() > MOST_METADATA {
        let message = format!(
            "the metadata of {} has {} bytes, and {MOST_METADATA} is the most: write it to an output",
            output.partition,
            metadata.len()
        );
        return Err((message, true));
    }
    Ok(OutputRecord { partition: output.partition.clone(), version, empty, mark: 0, bytes, metadata })
}
