//! Findings of checks, both ways.

use super::parts::{known, value};
use super::ConvertError;
use databuild_core::event::{CheckFindings, CheckResult, Checked};
use databuild_core::ids::{AttemptId, RunId};
use databuild_core::word::Numbered as _;
use databuild_proto::v1 as stored;

pub(super) fn checked(event: &Checked) -> stored::Checked {
    let Checked { attempt: AttemptId { run, number }, checks } = event;
    stored::Checked {
        run: run.0,
        attempt: *number,
        checks: checks.iter().map(findings).collect(),
        ..Default::default()
    }
}

fn findings(findings: &CheckFindings) -> stored::CheckFindings {
    let CheckFindings { check, blocking, results } = findings;
    stored::CheckFindings {
        check: check.clone(),
        blocking: *blocking,
        results: results.iter().map(result).collect(),
        ..Default::default()
    }
}

fn result(result: &CheckResult) -> stored::CheckResult {
    let CheckResult { partition, outcome, message, metadata } = result;
    stored::CheckResult {
        partition: partition.clone(),
        outcome: outcome.number(),
        message: message.clone(),
        metadata: metadata.clone(),
        ..Default::default()
    }
}

pub(super) fn read_checked(message: stored::Checked) -> Result<Checked, ConvertError> {
    known(&message, "an attempt's checks")?;
    let stored::Checked { run, attempt, checks, special_fields: _ } = message;
    Ok(Checked {
        attempt: AttemptId { run: RunId(run), number: attempt },
        checks: checks.into_iter().map(read_findings).collect::<Result<_, _>>()?,
    })
}

fn read_findings(message: stored::CheckFindings) -> Result<CheckFindings, ConvertError> {
    known(&message, "a check's findings")?;
    let stored::CheckFindings { check, blocking, results, special_fields: _ } = message;
    let results = results.into_iter().map(read_result).collect::<Result<_, _>>()?;
    Ok(CheckFindings { check, blocking, results })
}

fn read_result(message: stored::CheckResult) -> Result<CheckResult, ConvertError> {
    known(&message, "a check's result")?;
    let stored::CheckResult { partition, outcome, message, metadata, special_fields: _ } = message;
    Ok(CheckResult { partition, outcome: value(outcome)?, message, metadata })
}
