//! Stored form to events; refuses what it does not know.

use super::super::time::join;
use super::parts::{known, malformed, read_instant, read_optional_instant, read_output, value};
use super::{checked, dynamic, judged, limited, origin, trials, ConvertError};
use databuild_core::event::{
    AttemptEnded, AttemptLeased, AttemptOutcome, AttemptStarted, Blocked, DatasetGround, Event, FilesAltered,
    FilesVanished, GraphRegistered, Grounds, JobGround, Materialized, Observed, PartitionsFailed,
    PlanCreated, PlanRow, PlansDropped, PublishIntended, Record, RequestKey, RunCancelRequested, RunEnded,
    SeenPartition, WantCreated, WantEnded, WantPaused, WantReplanned, WantReprioritized, WantResumed,
    WorkAbandoned, WorkCutOff,
};
use databuild_core::ids::{AttemptId, GraphId, PlanId, RunId, WantId};
use databuild_proto::protobuf::Message;
use databuild_proto::v1 as stored;
use databuild_proto::v1::record::Event as StoredEvent;
use std::sync::Arc;

/// The record of stored bytes. `content` finds a graph's content, which is stored apart.
pub(in super::super) fn decode<E: From<ConvertError>>(
    bytes: &[u8],
    mut content: impl FnMut(&GraphId) -> Result<Arc<str>, E>,
) -> Result<Record, E> {
    let message =
        stored::Record::parse_from_bytes(bytes).map_err(|e| malformed(format!("does not decode ({e})")))?;
    // An event of an unknown kind is an unknown field of the record, so this comes first.
    known(&message, "a record")?;
    let at = join(message.at_us, message.at_ns).ok_or_else(|| malformed("has a time that does not exist"))?;
    let Some(stored) = message.event else { return Err(malformed("says nothing").into()) };
    let origin = origin::read(message.actor, message.cause, &stored)?;
    let event = match stored {
        StoredEvent::GraphRegistered(e) => {
            known(&e, "a graph registration")?;
            let stored::GraphRegistered { graph, inherited, sources, special_fields: _ } = e;
            let graph = GraphId(graph);
            let content = content(&graph)?;
            Event::GraphRegistered(GraphRegistered { graph, content, inherited, sources })
        }
        StoredEvent::TrialCreated(e) => Event::TrialCreated(trials::read_trial_created(e, content)?),
        other => event(other)?,
    };
    Ok(Record { at, origin, event })
}

/// Every event but those that need a graph's content from elsewhere.
fn event(event: StoredEvent) -> Result<Event, ConvertError> {
    Ok(match event {
        StoredEvent::GraphRegistered(_) | StoredEvent::TrialCreated(_) => {
            return Err(malformed("is nested in itself"))
        }
        StoredEvent::Observed(e) => {
            known(&e, "an observation")?;
            let stored::Observed { partitions, special_fields: _ } = e;
            let partitions = partitions.into_iter().map(seen).collect::<Result<_, _>>()?;
            Event::Observed(Observed { partitions })
        }
        StoredEvent::FilesVanished(e) => {
            known(&e, "vanished files")?;
            let stored::FilesVanished { partitions, special_fields: _ } = e;
            Event::FilesVanished(FilesVanished { partitions })
        }
        StoredEvent::FilesAltered(e) => {
            known(&e, "altered files")?;
            let stored::FilesAltered { partitions, special_fields: _ } = e;
            Event::FilesAltered(FilesAltered { partitions })
        }
        StoredEvent::WantCreated(e) => Event::WantCreated(want_created(e)?),
        StoredEvent::WantReplanned(e) => Event::WantReplanned(want_replanned(e)?),
        StoredEvent::WantEnded(e) => Event::WantEnded(want_ended(e)?),
        StoredEvent::WantPaused(e) => {
            known(&e, "a want's pause")?;
            let stored::WantPaused { want, special_fields: _ } = e;
            Event::WantPaused(WantPaused { want: WantId(want) })
        }
        StoredEvent::WantResumed(e) => {
            known(&e, "a want's resumption")?;
            let stored::WantResumed { want, special_fields: _ } = e;
            Event::WantResumed(WantResumed { want: WantId(want) })
        }
        StoredEvent::WantReprioritized(e) => {
            known(&e, "a want's new class")?;
            let stored::WantReprioritized { want, class, special_fields: _ } = e;
            let class = value(class)?;
            Event::WantReprioritized(WantReprioritized { want: WantId(want), class })
        }
        StoredEvent::WorkCutOff(e) => {
            known(&e, "work cut off")?;
            let stored::WorkCutOff { partitions, special_fields: _ } = e;
            Event::WorkCutOff(WorkCutOff { partitions })
        }
        StoredEvent::WorkAbandoned(e) => {
            known(&e, "abandoned work")?;
            let stored::WorkAbandoned { partitions, cause, special_fields: _ } = e;
            Event::WorkAbandoned(WorkAbandoned { partitions, cause: RunId(cause) })
        }
        StoredEvent::AttemptLeased(e) => Event::AttemptLeased(attempt_leased(e)?),
        StoredEvent::AttemptStarted(e) => {
            known(&e, "an attempt's start")?;
            let stored::AttemptStarted { run, attempt: number, pid, special_fields: _ } = e;
            Event::AttemptStarted(AttemptStarted { attempt: attempt(run, number), pid })
        }
        StoredEvent::AttemptEnded(e) => Event::AttemptEnded(attempt_ended(e)?),
        StoredEvent::RunCancelRequested(e) => {
            known(&e, "a request to cancel a run")?;
            let stored::RunCancelRequested { run, special_fields: _ } = e;
            Event::RunCancelRequested(RunCancelRequested { run: RunId(run) })
        }
        StoredEvent::PublishIntended(e) => {
            known(&e, "an intent to publish")?;
            let stored::PublishIntended { run, attempt: number, outputs, special_fields: _ } = e;
            let outputs = outputs.into_iter().map(read_output).collect::<Result<_, _>>()?;
            Event::PublishIntended(PublishIntended { attempt: attempt(run, number), outputs })
        }
        StoredEvent::Materialized(e) => {
            known(&e, "a materialization")?;
            let stored::Materialized { run, attempt: number, outputs, goes_on, special_fields: _ } = e;
            let outputs = outputs.into_iter().map(read_output).collect::<Result<_, _>>()?;
            Event::Materialized(Materialized { attempt: attempt(run, number), outputs, goes_on })
        }
        StoredEvent::Tainted(e) => Event::Tainted(judged::read_tainted(e)?),
        StoredEvent::Untainted(e) => Event::Untainted(judged::read_untainted(e)?),
        StoredEvent::PartitionsFailed(e) => {
            known(&e, "failed partitions")?;
            let stored::PartitionsFailed { run, attempt: number, partitions, message, special_fields: _ } = e;
            let attempt = attempt(run, number);
            Event::PartitionsFailed(PartitionsFailed { attempt, partitions, message })
        }
        StoredEvent::Adopted(e) => Event::Adopted(judged::read_adopted(e)?),
        StoredEvent::CodeAccepted(e) => Event::CodeAccepted(judged::read_code_accepted(e)?),
        StoredEvent::RunSuspended(e) => Event::RunSuspended(dynamic::read_run_suspended(e)?),
        StoredEvent::KeysAdded(e) => Event::KeysAdded(dynamic::read_keys_added(e)?),
        StoredEvent::KeysRetired(e) => Event::KeysRetired(dynamic::read_keys_retired(e)?),
        StoredEvent::PoolResized(e) => Event::PoolResized(limited::read_pool_resized(e)?),
        StoredEvent::TrialMade(e) => Event::TrialMade(trials::read_trial_made(e)?),
        StoredEvent::TrialEnded(e) => Event::TrialEnded(trials::read_trial_ended(e)?),
        StoredEvent::Checked(e) => Event::Checked(checked::read_checked(e)?),
        StoredEvent::RunEnded(e) => {
            known(&e, "a run's end")?;
            let stored::RunEnded { run, canceled, message, special_fields: _ } = e;
            Event::RunEnded(RunEnded { run: RunId(run), canceled, message })
        }
        StoredEvent::PlanCreated(e) => Event::PlanCreated(plan_created(e)?),
        StoredEvent::PlansDropped(e) => {
            known(&e, "dropped plans")?;
            let stored::PlansDropped { plans, special_fields: _ } = e;
            Event::PlansDropped(PlansDropped { plans: plans.into_iter().map(PlanId).collect() })
        }
    })
}

fn seen(message: stored::SeenPartition) -> Result<SeenPartition, ConvertError> {
    known(&message, "a looked-at partition")?;
    let stored::SeenPartition { partition, version, mark, special_fields: _ } = message;
    Ok(SeenPartition { partition, version, mark })
}

fn want_created(message: stored::WantCreated) -> Result<WantCreated, ConvertError> {
    known(&message, "a want")?;
    let stored::WantCreated {
        want,
        targets,
        class,
        refresh,
        as_of,
        expires_at,
        due_at,
        comment,
        source: _,
        work,
        forced,
        blocked,
        successors,
        plan,
        parent,
        params,
        request_key,
        request_digest,
        asked,
        special_fields: _,
    } = message;
    Ok(WantCreated {
        want: WantId(want),
        targets,
        class: value(class)?,
        refresh: value(refresh)?,
        as_of: read_instant(as_of)?,
        expires_at: read_optional_instant(expires_at)?,
        due_at: read_optional_instant(due_at)?,
        comment,
        work,
        forced,
        successors,
        blocked: blocked.into_iter().map(blocked_set).collect::<Result<_, _>>()?,
        plan: (plan != 0).then_some(PlanId(plan)),
        parent: (parent != 0).then_some(RunId(parent)),
        params,
        request: (!request_key.is_empty()).then_some(RequestKey { key: request_key, digest: request_digest }),
        asked,
    })
}

pub(super) fn plan_created(message: stored::PlanCreated) -> Result<PlanCreated, ConvertError> {
    known(&message, "a plan")?;
    let stored::PlanCreated {
        plan,
        graph,
        targets,
        refresh,
        as_of,
        expires_at,
        rows,
        current,
        jobs,
        datasets,
        special_fields: _,
    } = message;
    Ok(PlanCreated {
        plan: PlanId(plan),
        graph: GraphId(graph),
        targets,
        refresh: value(refresh)?,
        as_of: read_instant(as_of)?,
        expires_at: read_instant(expires_at)?,
        rows: rows.into_iter().map(plan_row).collect::<Result<_, _>>()?,
        current,
        grounds: Grounds {
            jobs: jobs.into_iter().map(job_ground).collect::<Result<_, _>>()?,
            datasets: datasets.into_iter().map(dataset_ground).collect::<Result<_, _>>()?,
        },
    })
}

fn plan_row(message: stored::PlanRow) -> Result<PlanRow, ConvertError> {
    known(&message, "a row of a plan")?;
    let stored::PlanRow { job, kind, reason, message, count, partitions, special_fields: _ } = message;
    Ok(PlanRow { job, kind: value(kind)?, reason, message, count, partitions })
}

fn job_ground(message: stored::JobGround) -> Result<JobGround, ConvertError> {
    known(&message, "a job of a plan")?;
    let stored::JobGround { job, digest, special_fields: _ } = message;
    Ok(JobGround { job, digest })
}

fn dataset_ground(message: stored::DatasetGround) -> Result<DatasetGround, ConvertError> {
    known(&message, "a dataset of a plan")?;
    let stored::DatasetGround { dataset, partitions, digests, special_fields: _ } = message;
    Ok(DatasetGround { dataset, partitions, digests })
}

fn want_replanned(message: stored::WantReplanned) -> Result<WantReplanned, ConvertError> {
    known(&message, "a want's new plan")?;
    let stored::WantReplanned { want, work, successors, blocked, whole, special_fields: _ } = message;
    Ok(WantReplanned {
        want: WantId(want),
        work,
        successors,
        blocked: blocked.into_iter().map(blocked_set).collect::<Result<_, _>>()?,
        whole,
    })
}

fn blocked_set(message: stored::Blocked) -> Result<Blocked, ConvertError> {
    known(&message, "a blocked set")?;
    let stored::Blocked { partitions, reason, special_fields: _ } = message;
    Ok(Blocked { partitions, reason })
}

fn want_ended(message: stored::WantEnded) -> Result<WantEnded, ConvertError> {
    known(&message, "a want's end")?;
    let stored::WantEnded { want, outcome, causes, special_fields: _ } = message;
    Ok(WantEnded { want: WantId(want), outcome: value(outcome)?, causes })
}

fn attempt_leased(message: stored::AttemptLeased) -> Result<AttemptLeased, ConvertError> {
    known(&message, "an attempt's lease")?;
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
        trial: trial.into_option().map(trials::read_arm_id).transpose()?,
    })
}

fn attempt_ended(message: stored::AttemptEnded) -> Result<AttemptEnded, ConvertError> {
    known(&message, "an attempt's end")?;
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
        retry_at: read_optional_instant(retry_at)?,
        done,
    })
}

fn attempt(run: u64, number: u32) -> AttemptId {
    AttemptId { run: RunId(run), number }
}
