//! Events of runs and their attempts, both ways.

use super::form::{read_all, read_some, store_all, store_some, value, Stored};
use super::parts::{attempt, read_instant, store_instant};
use super::ConvertError;
use databuild_core::event::{
    AttemptEnded, AttemptLeased, AttemptOutcome, AttemptStarted, Materialized, PartitionsFailed,
    PublishIntended, RunCancelRequested, RunEnded, RunSuspended,
};
use databuild_core::ids::{AttemptId, GraphId, RunId, WantId};
use databuild_core::word::Numbered as _;
use databuild_proto::v1 as stored;

impl Stored for AttemptLeased {
    type Message = stored::AttemptLeased;
    const WHAT: &'static str = "an attempt's lease";

    fn store(&self) -> stored::AttemptLeased {
        let AttemptLeased {
            attempt: AttemptId { run, number },
            job,
            partition,
            graph,
            as_of,
            inputs,
            params,
            trial,
        } = self;
        let (one, several) = match inputs.as_slice() {
            [one] => (*one, Vec::new()),
            several => (0, several.to_vec()),
        };
        stored::AttemptLeased {
            run: run.0,
            attempt: *number,
            job: job.clone(),
            partition: partition.clone(),
            graph: graph.0.clone(),
            as_of: store_instant(*as_of),
            inputs: one,
            inputs_of: several,
            params: params.clone(),
            trial: store_some(trial.as_ref()),
            ..Default::default()
        }
    }

    fn of_known(message: stored::AttemptLeased) -> Result<AttemptLeased, ConvertError> {
        let stored::AttemptLeased {
            run,
            attempt: number,
            job,
            partition,
            graph,
            as_of,
            inputs,
            inputs_of,
            params,
            trial,
            special_fields: _,
        } = message;
        Ok(AttemptLeased {
            attempt: attempt(run, number),
            job,
            partition,
            graph: GraphId(graph),
            as_of: read_instant(as_of)?,
            inputs: if inputs_of.is_empty() { vec![inputs] } else { inputs_of },
            params,
            trial: read_some(trial)?,
        })
    }
}

impl Stored for AttemptStarted {
    type Message = stored::AttemptStarted;
    const WHAT: &'static str = "an attempt's start";

    fn store(&self) -> stored::AttemptStarted {
        let AttemptStarted { attempt: AttemptId { run, number }, pid } = self;
        stored::AttemptStarted { run: run.0, attempt: *number, pid: *pid, ..Default::default() }
    }

    fn of_known(message: stored::AttemptStarted) -> Result<AttemptStarted, ConvertError> {
        let stored::AttemptStarted { run, attempt: number, pid, special_fields: _ } = message;
        Ok(AttemptStarted { attempt: attempt(run, number), pid })
    }
}

impl Stored for AttemptEnded {
    type Message = stored::AttemptEnded;
    const WHAT: &'static str = "an attempt's end";

    fn store(&self) -> stored::AttemptEnded {
        let AttemptEnded {
            attempt: AttemptId { run, number },
            outcome,
            message,
            exit_code,
            wall_ms,
            cpu_ms,
            max_rss_kb,
            retry_at,
            done,
            returned,
        } = self;
        stored::AttemptEnded {
            run: run.0,
            attempt: *number,
            outcome: outcome.kind().number(),
            missing: match outcome {
                AttemptOutcome::MissingInput { partitions } => partitions.clone(),
                _ => Vec::new(),
            },
            message: message.clone(),
            exit_code: *exit_code,
            wall_ms: *wall_ms,
            cpu_ms: *cpu_ms,
            max_rss_kb: *max_rss_kb,
            retry_at: store_some(retry_at.as_ref()),
            done: *done,
            returned: returned.clone(),
            ..Default::default()
        }
    }

    fn of_known(message: stored::AttemptEnded) -> Result<AttemptEnded, ConvertError> {
        let stored::AttemptEnded {
            run,
            attempt: number,
            outcome,
            message,
            exit_code,
            wall_ms,
            cpu_ms,
            max_rss_kb,
            retry_at,
            done,
            missing,
            returned,
            special_fields: _,
        } = message;
        Ok(AttemptEnded {
            attempt: attempt(run, number),
            outcome: AttemptOutcome::of_kind(value(outcome)?, missing),
            message,
            exit_code,
            wall_ms,
            cpu_ms,
            max_rss_kb,
            retry_at: read_some(retry_at)?,
            done,
            returned,
        })
    }
}

impl Stored for RunCancelRequested {
    type Message = stored::RunCancelRequested;
    const WHAT: &'static str = "a request to cancel a run";

    fn store(&self) -> stored::RunCancelRequested {
        let RunCancelRequested { run } = self;
        stored::RunCancelRequested { run: run.0, ..Default::default() }
    }

    fn of_known(message: stored::RunCancelRequested) -> Result<RunCancelRequested, ConvertError> {
        let stored::RunCancelRequested { run, special_fields: _ } = message;
        Ok(RunCancelRequested { run: RunId(run) })
    }
}

impl Stored for PublishIntended {
    type Message = stored::PublishIntended;
    const WHAT: &'static str = "an intent to publish";

    fn store(&self) -> stored::PublishIntended {
        let PublishIntended { attempt: AttemptId { run, number }, outputs } = self;
        stored::PublishIntended {
            run: run.0,
            attempt: *number,
            outputs: store_all(outputs),
            ..Default::default()
        }
    }

    fn of_known(message: stored::PublishIntended) -> Result<PublishIntended, ConvertError> {
        let stored::PublishIntended { run, attempt: number, outputs, special_fields: _ } = message;
        Ok(PublishIntended { attempt: attempt(run, number), outputs: read_all(outputs)? })
    }
}

impl Stored for Materialized {
    type Message = stored::Materialized;
    const WHAT: &'static str = "a materialization";

    fn store(&self) -> stored::Materialized {
        let Materialized { attempt: AttemptId { run, number }, outputs, goes_on } = self;
        stored::Materialized {
            run: run.0,
            attempt: *number,
            outputs: store_all(outputs),
            goes_on: *goes_on,
            ..Default::default()
        }
    }

    fn of_known(message: stored::Materialized) -> Result<Materialized, ConvertError> {
        let stored::Materialized { run, attempt: number, outputs, goes_on, special_fields: _ } = message;
        Ok(Materialized { attempt: attempt(run, number), outputs: read_all(outputs)?, goes_on })
    }
}

impl Stored for PartitionsFailed {
    type Message = stored::PartitionsFailed;
    const WHAT: &'static str = "failed partitions";

    fn store(&self) -> stored::PartitionsFailed {
        let PartitionsFailed { attempt: AttemptId { run, number }, partitions, message } = self;
        stored::PartitionsFailed {
            run: run.0,
            attempt: *number,
            partitions: partitions.clone(),
            message: message.clone(),
            ..Default::default()
        }
    }

    fn of_known(message: stored::PartitionsFailed) -> Result<PartitionsFailed, ConvertError> {
        let stored::PartitionsFailed { run, attempt: number, partitions, message, special_fields: _ } =
            message;
        Ok(PartitionsFailed { attempt: attempt(run, number), partitions, message })
    }
}

impl Stored for RunEnded {
    type Message = stored::RunEnded;
    const WHAT: &'static str = "a run's end";

    fn store(&self) -> stored::RunEnded {
        let RunEnded { run, canceled, message } = self;
        stored::RunEnded { run: run.0, canceled: *canceled, message: message.clone(), ..Default::default() }
    }

    fn of_known(message: stored::RunEnded) -> Result<RunEnded, ConvertError> {
        let stored::RunEnded { run, canceled, message, special_fields: _ } = message;
        Ok(RunEnded { run: RunId(run), canceled, message })
    }
}

impl Stored for RunSuspended {
    type Message = stored::RunSuspended;
    const WHAT: &'static str = "a suspension";

    fn store(&self) -> stored::RunSuspended {
        let RunSuspended { run, want, inputs } = self;
        stored::RunSuspended { run: run.0, want: want.0, inputs: inputs.clone(), ..Default::default() }
    }

    fn of_known(message: stored::RunSuspended) -> Result<RunSuspended, ConvertError> {
        let stored::RunSuspended { run, want, inputs, special_fields: _ } = message;
        Ok(RunSuspended { run: RunId(run), want: WantId(want), inputs })
    }
}
