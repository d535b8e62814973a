//! Events of checks, both ways.

use super::form::{read_all, store_all, value, Stored};
use super::parts::attempt;
use super::ConvertError;
use databuild_core::event::{CheckFindings, CheckResult, Checked};
use databuild_core::ids::AttemptId;
use databuild_core::word::Numbered as _;
use databuild_proto::v1 as stored;

impl Stored for Checked {
    type Message = stored::Checked;
    const WHAT: &'static str = "an attempt's checks";

    fn store(&self) -> stored::Checked {
        let Checked { attempt: AttemptId { run, number }, checks } = self;
        stored::Checked { run: run.0, attempt: *number, checks: store_all(checks), ..Default::default() }
    }

    fn of_known(message: stored::Checked) -> Result<Checked, ConvertError> {
        let stored::Checked { run, attempt: number, checks, special_fields: _ } = message;
        Ok(Checked { attempt: attempt(run, number), checks: read_all(checks)? })
    }
}

impl Stored for CheckFindings {
    type Message = stored::CheckFindings;
    const WHAT: &'static str = "a check's findings";

    fn store(&self) -> stored::CheckFindings {
        let CheckFindings { check, blocking, results } = self;
        stored::CheckFindings {
            check: check.clone(),
            blocking: *blocking,
            results: store_all(results),
            ..Default::default()
        }
    }

    fn of_known(message: stored::CheckFindings) -> Result<CheckFindings, ConvertError> {
        let stored::CheckFindings { check, blocking, results, special_fields: _ } = message;
        Ok(CheckFindings { check, blocking, results: read_all(results)? })
    }
}

impl Stored for CheckResult {
    type Message = stored::CheckResult;
    const WHAT: &'static str = "a check's result";

    fn store(&self) -> stored::CheckResult {
        let CheckResult { partition, outcome, message, metadata } = self;
        stored::CheckResult {
            partition: partition.clone(),
            outcome: outcome.number(),
            message: message.clone(),
            metadata: metadata.clone(),
            ..Default::default()
        }
    }

    fn of_known(message: stored::CheckResult) -> Result<CheckResult, ConvertError> {
        let stored::CheckResult { partition, outcome, message, metadata, special_fields: _ } = message;
        Ok(CheckResult { partition, outcome: value(outcome)?, message, metadata })
    }
}
