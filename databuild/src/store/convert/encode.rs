//! Events to stored form; cannot fail.

use super::super::time::split;
use super::parts::{instant, optional_instant, output};
use super::{checked, dynamic, judged, limited, origin, trials};
use databuild_core::event::{
    AttemptEnded, AttemptLeased, AttemptOutcome, AttemptStarted, Blocked, DatasetGround, Event, FilesAltered,
    FilesVanished, GraphRegistered, Grounds, JobGround, Materialized, Observed, PartitionsFailed,
    PlanCreated, PlanRow, PlansDropped, PublishIntended, Record, RunCancelRequested, RunEnded, SeenPartition,
    WantCreated, WantEnded, WantPaused, WantReplanned, WantReprioritized, WantResumed, WorkAbandoned,
    WorkCutOff,
};
use databuild_core::ids::AttemptId;
use databuild_core::word::Numbered as _;
use databuild_proto::protobuf::Message;
use databuild_proto::v1 as stored;
use databuild_proto::v1::record::Event as StoredEvent;

/// The stored bytes of a record; without a graph's content, which is a blob of its own.
pub(in super::super) fn encode(record: &Record) -> Vec<u8> {
    let (at_us, at_ns) = split(record.at);
    let message = stored::Record {
        at_us,
        at_ns,
        actor: origin::actor(&record.origin.actor),
        cause: origin::cause(record.origin.cause.as_ref()),
        event: Some(event(&record.event)),
        ..Default::default()
    };
    message
        .write_to_bytes()
        // Writing to memory fails only for required fields left out, and proto3 has none.
        .unwrap_or_else(|e| unreachable!("a message always encodes: {e}"))
}

fn event(event: &Event) -> StoredEvent {
    match event {
        Event::GraphRegistered(e) => StoredEvent::GraphRegistered(graph_registered(e)),
        Event::Observed(Observed { partitions }) => StoredEvent::Observed(stored::Observed {
            partitions: partitions.iter().map(seen).collect(),
            ..Default::default()
        }),
        Event::FilesVanished(FilesVanished { partitions }) => {
            StoredEvent::FilesVanished(stored::FilesVanished {
                partitions: partitions.clone(),
                ..Default::default()
            })
        }
        Event::FilesAltered(FilesAltered { partitions }) => StoredEvent::FilesAltered(stored::FilesAltered {
            partitions: partitions.clone(),
            ..Default::default()
        }),
        Event::WantCreated(e) => StoredEvent::WantCreated(want_created(e)),
        Event::WantReplanned(e) => StoredEvent::WantReplanned(want_replanned(e)),
        Event::WantEnded(e) => StoredEvent::WantEnded(want_ended(e)),
        Event::WantPaused(WantPaused { want }) => {
            StoredEvent::WantPaused(stored::WantPaused { want: want.0, ..Default::default() })
        }
        Event::WantResumed(WantResumed { want }) => {
            StoredEvent::WantResumed(stored::WantResumed { want: want.0, ..Default::default() })
        }
        Event::WantReprioritized(WantReprioritized { want, class }) => {
            StoredEvent::WantReprioritized(stored::WantReprioritized {
                want: want.0,
                class: class.number(),
                ..Default::default()
            })
        }
        Event::WorkCutOff(WorkCutOff { partitions }) => StoredEvent::WorkCutOff(stored::WorkCutOff {
            partitions: partitions.clone(),
            ..Default::default()
        }),
        Event::WorkAbandoned(WorkAbandoned { partitions, cause }) => {
            StoredEvent::WorkAbandoned(stored::WorkAbandoned {
                partitions: partitions.clone(),
                cause: cause.0,
                ..Default::default()
            })
        }
        Event::AttemptLeased(e) => StoredEvent::AttemptLeased(attempt_leased(e)),
        Event::AttemptStarted(AttemptStarted { attempt, pid }) => {
            let AttemptId { run, number } = *attempt;
            StoredEvent::AttemptStarted(stored::AttemptStarted {
                run: run.0,
                attempt: number,
                pid: *pid,
                ..Default::default()
            })
        }
        Event::AttemptEnded(e) => StoredEvent::AttemptEnded(attempt_ended(e)),
        Event::RunCancelRequested(RunCancelRequested { run }) => {
            StoredEvent::RunCancelRequested(stored::RunCancelRequested { run: run.0, ..Default::default() })
        }
        Event::PublishIntended(PublishIntended { attempt, outputs }) => {
            let AttemptId { run, number } = *attempt;
            StoredEvent::PublishIntended(stored::PublishIntended {
                run: run.0,
                attempt: number,
                outputs: outputs.iter().map(output).collect(),
                ..Default::default()
            })
        }
        Event::Materialized(Materialized { attempt, outputs, goes_on }) => {
            let AttemptId { run, number } = *attempt;
            StoredEvent::Materialized(stored::Materialized {
                run: run.0,
                attempt: number,
                outputs: outputs.iter().map(output).collect(),
                goes_on: *goes_on,
                ..Default::default()
            })
        }
        Event::Tainted(e) => StoredEvent::Tainted(judged::tainted(e)),
        Event::Untainted(e) => StoredEvent::Untainted(judged::untainted(e)),
        Event::PartitionsFailed(PartitionsFailed { attempt, partitions, message }) => {
            let AttemptId { run, number } = *attempt;
            StoredEvent::PartitionsFailed(stored::PartitionsFailed {
                run: run.0,
                attempt: number,
                partitions: partitions.clone(),
                message: message.clone(),
                ..Default::default()
            })
        }
        Event::Adopted(e) => StoredEvent::Adopted(judged::adopted(e)),
        Event::CodeAccepted(e) => StoredEvent::CodeAccepted(judged::code_accepted(e)),
        Event::RunSuspended(e) => StoredEvent::RunSuspended(dynamic::run_suspended(e)),
        Event::KeysAdded(e) => StoredEvent::KeysAdded(dynamic::keys_added(e)),
        Event::KeysRetired(e) => StoredEvent::KeysRetired(dynamic::keys_retired(e)),
        Event::PoolResized(e) => StoredEvent::PoolResized(limited::pool_resized(e)),
        Event::Checked(e) => StoredEvent::Checked(checked::checked(e)),
        Event::TrialCreated(e) => StoredEvent::TrialCreated(trials::trial_created(e)),
        Event::TrialMade(e) => StoredEvent::TrialMade(trials::trial_made(e)),
        Event::TrialEnded(e) => StoredEvent::TrialEnded(trials::trial_ended(e)),
        Event::RunEnded(RunEnded { run, canceled, message }) => StoredEvent::RunEnded(stored::RunEnded {
            run: run.0,
            canceled: *canceled,
            message: message.clone(),
            ..Default::default()
        }),
        Event::PlanCreated(e) => StoredEvent::PlanCreated(plan_created(e)),
        Event::PlansDropped(PlansDropped { plans }) => StoredEvent::PlansDropped(stored::PlansDropped {
            plans: plans.iter().map(|plan| plan.0).collect(),
            ..Default::default()
        }),
    }
}

fn graph_registered(event: &GraphRegistered) -> stored::GraphRegistered {
    let GraphRegistered { graph, content: _, inherited, sources } = event;
    stored::GraphRegistered {
        graph: graph.0.clone(),
        inherited: inherited.clone(),
        sources: sources.clone(),
        ..Default::default()
    }
}

fn seen(seen: &SeenPartition) -> stored::SeenPartition {
    let SeenPartition { partition, version, mark } = seen;
    stored::SeenPartition {
        partition: partition.clone(),
        version: version.clone(),
        mark: *mark,
        ..Default::default()
    }
}

fn want_created(event: &WantCreated) -> stored::WantCreated {
    let WantCreated {
        want,
        targets,
        class,
        refresh,
        as_of,
        expires_at,
        due_at,
        comment,
        work,
        forced,
        successors,
        blocked,
        plan,
        parent,
        params,
        request,
        asked,
    } = event;
    let (request_key, request_digest) =
        request.as_ref().map(|request| (request.key.clone(), request.digest.clone())).unwrap_or_default();
    stored::WantCreated {
        want: want.0,
        targets: targets.clone(),
        class: class.number(),
        refresh: refresh.number(),
        as_of: instant(*as_of),
        expires_at: optional_instant(*expires_at),
        due_at: optional_instant(*due_at),
        comment: comment.clone(),
        work: work.clone(),
        forced: forced.clone(),
        successors: successors.clone(),
        blocked: blocked.iter().map(blocked_set).collect(),
        plan: plan.map_or(0, |plan| plan.0),
        parent: parent.map_or(0, |run| run.0),
        params: params.clone(),
        request_key,
        request_digest,
        asked: asked.clone(),
        ..Default::default()
    }
}

pub(super) fn plan_created(event: &PlanCreated) -> stored::PlanCreated {
    let PlanCreated { plan, graph, targets, refresh, as_of, expires_at, rows, current, grounds } = event;
    let Grounds { jobs, datasets } = grounds;
    stored::PlanCreated {
        plan: plan.0,
        graph: graph.0.clone(),
        targets: targets.clone(),
        refresh: refresh.number(),
        as_of: instant(*as_of),
        expires_at: instant(*expires_at),
        rows: rows.iter().map(plan_row).collect(),
        current: *current,
        jobs: jobs.iter().map(job_ground).collect(),
        datasets: datasets.iter().map(dataset_ground).collect(),
        ..Default::default()
    }
}

fn plan_row(row: &PlanRow) -> stored::PlanRow {
    let PlanRow { job, kind, reason, message, count, partitions } = row;
    stored::PlanRow {
        job: job.clone(),
        kind: kind.number(),
        reason: reason.clone(),
        message: message.clone(),
        count: *count,
        partitions: partitions.clone(),
        ..Default::default()
    }
}

fn job_ground(ground: &JobGround) -> stored::JobGround {
    let JobGround { job, digest } = ground;
    stored::JobGround { job: job.clone(), digest: *digest, ..Default::default() }
}

fn dataset_ground(ground: &DatasetGround) -> stored::DatasetGround {
    let DatasetGround { dataset, partitions, digests } = ground;
    stored::DatasetGround {
        dataset: dataset.clone(),
        partitions: *partitions,
        digests: digests.clone(),
        ..Default::default()
    }
}

fn want_replanned(event: &WantReplanned) -> stored::WantReplanned {
    let WantReplanned { want, work, successors, blocked, whole } = event;
    stored::WantReplanned {
        want: want.0,
        work: work.clone(),
        successors: successors.clone(),
        blocked: blocked.iter().map(blocked_set).collect(),
        whole: *whole,
        ..Default::default()
    }
}

fn blocked_set(blocked: &Blocked) -> stored::Blocked {
    let Blocked { partitions, reason } = blocked;
    stored::Blocked { partitions: partitions.clone(), reason: reason.clone(), ..Default::default() }
}

fn want_ended(event: &WantEnded) -> stored::WantEnded {
    let WantEnded { want, outcome, causes } = event;
    stored::WantEnded {
        want: want.0,
        outcome: outcome.number(),
        causes: causes.clone(),
        ..Default::default()
    }
}

fn attempt_leased(event: &AttemptLeased) -> stored::AttemptLeased {
    let AttemptLeased { attempt, job, partition, graph, as_of, inputs, params, trial } = event;
    let AttemptId { run, number } = *attempt;
    let (one, several) = match inputs.as_slice() {
        [one] => (*one, Vec::new()),
        several => (0, several.to_vec()),
    };
    stored::AttemptLeased {
        run: run.0,
        attempt: number,
        job: job.clone(),
        partition: partition.clone(),
        graph: graph.0.clone(),
        as_of: instant(*as_of),
        inputs: one,
        inputs_of: several,
        params: params.clone(),
        trial: trial.map(trials::arm_id).into(),
        ..Default::default()
    }
}

fn attempt_ended(event: &AttemptEnded) -> stored::AttemptEnded {
    let AttemptEnded { attempt, outcome, message, exit_code, wall_ms, cpu_ms, max_rss_kb, retry_at, done } =
        event;
    let AttemptId { run, number } = *attempt;
    stored::AttemptEnded {
        run: run.0,
        attempt: number,
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
        retry_at: optional_instant(*retry_at),
        done: *done,
        ..Default::default()
    }
}
