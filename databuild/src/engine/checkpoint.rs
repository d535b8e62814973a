//! Checkpoints as bytes: what `proto/checkpoint.proto` says, to and from the core's dumps.
//!
//! Structs are taken apart and built field by field, so that a field added on either side breaks the
//! build here until both directions and [`FORMAT`] have been thought of.

mod datasets;
mod trials;

use crate::store::read::{self, known, known_value, malformed};
use crate::store::{write, Checkpoint, ConvertError};
use databuild_core::graph::{JobDigests, Params};
use databuild_core::ids::{GraphId, PlanId, RunId, Seq, TrialId, WantId};
use databuild_core::range_set::{Key, RangeSet};
use databuild_core::state::checkpoint::{
    GraphDump, KeySpaceDump, RestoreError, RunDump, StateDump, WantDump, WorkDump,
};
use databuild_core::state::{Answered, Phase, SavedPlan, State};
use databuild_core::word::Numbered as _;
use databuild_proto::protobuf::{EnumOrUnknown, Message, MessageField};
use databuild_proto::v1 as stored;
use databuild_proto::v1::CheckpointPhase as StoredPhase;
use datasets::{
    dataset_dump, dataset_message, indexed_dump, indexed_message, marked_dump, marked_message, set_dump,
    set_message,
};
use jiff::Timestamp;
use std::sync::Arc;
use trials::{trial_dump, trial_message};

/// The format number of `proto/checkpoint.proto`, which says when it is raised.
pub(super) const FORMAT: u32 = 14;

/// A checkpoint that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    /// Its bytes.
    #[error("it does not decode ({0})")]
    Bytes(#[from] databuild_proto::protobuf::Error),
    /// What they say.
    #[error("it {0}")]
    Content(#[from] ConvertError),
    /// How that fits the graphs.
    #[error(transparent)]
    Restore(#[from] RestoreError),
}

/// The checkpoint of a state.
///
/// # Errors
/// It is too large for one message (2 GiB).
pub(super) fn encode(state: &State) -> Result<Checkpoint, databuild_proto::protobuf::Error> {
    let bytes = message(state.dump()).write_to_bytes()?;
    Ok(Checkpoint { seq: state.seq, format: FORMAT, bytes })
}

/// The state of a checkpoint; `content` finds a graph file by its digest.
///
/// # Errors
/// Another program's checkpoint, or none.
pub(super) fn decode(
    checkpoint: &Checkpoint,
    content: impl Fn(&GraphId) -> Option<Arc<str>>,
) -> Result<State, Unusable> {
    let dump = dump(stored::Checkpoint::parse_from_bytes(&checkpoint.bytes)?)?;
    if dump.seq != checkpoint.seq {
        return Err(malformed(format!("is of event {}", dump.seq)).into());
    }
    Ok(State::restore(dump, content)?)
}

fn message(dump: StateDump) -> stored::Checkpoint {
    let StateDump {
        seq,
        as_of,
        last_want,
        last_run,
        attempt_ms,
        symbols,
        graphs,
        provenances,
        datasets,
        retired,
        work,
        wants,
        runs,
        last_plan,
        plans,
        key_spaces,
        pool_sizes,
        starts,
        last_trial,
        trials,
        requests,
    } = dump;
    stored::Checkpoint {
        format: FORMAT,
        seq: seq.0,
        as_of: write::instant(as_of),
        last_want: last_want.0,
        last_run: last_run.0,
        attempt_ms,
        symbols,
        graphs: graphs.into_iter().map(graph_message).collect(),
        provenances: provenances.into_iter().map(provenance_message).collect(),
        datasets: datasets.into_iter().map(dataset_message).collect(),
        retired: retired.into_iter().map(dataset_message).collect(),
        work: work.into_iter().map(work_message).collect(),
        wants: wants.into_iter().map(want_message).collect(),
        runs: runs.into_iter().map(run_message).collect(),
        last_plan: last_plan.0,
        plans: plans.into_iter().map(plan_message).collect(),
        key_spaces: key_spaces.iter().map(key_space_message).collect(),
        pool_sizes: pool_sizes.into_iter().collect(),
        starts: starts.into_iter().map(starts_message).collect(),
        last_trial: last_trial.0,
        trials: trials.into_iter().map(trial_message).collect(),
        requests: requests.into_iter().map(request_message).collect(),
        special_fields: Default::default(),
    }
}

fn dump(message: stored::Checkpoint) -> Result<StateDump, ConvertError> {
    known(&message, "a checkpoint")?;
    let stored::Checkpoint {
        format,
        seq,
        as_of,
        last_want,
        last_run,
        attempt_ms,
        symbols,
        graphs,
        provenances,
        datasets,
        retired,
        work,
        wants,
        runs,
        last_plan,
        plans,
        key_spaces,
        pool_sizes,
        starts,
        last_trial,
        trials,
        requests,
        special_fields: _,
    } = message;
    if format != FORMAT {
        return Err(malformed(format!("says it has format {format}")));
    }
    Ok(StateDump {
        seq: Seq(seq),
        as_of: read::instant(as_of)?,
        last_want: WantId(last_want),
        last_run: RunId(last_run),
        attempt_ms,
        symbols,
        graphs: graphs.into_iter().map(graph_dump).collect::<Result<_, _>>()?,
        provenances: provenances.into_iter().map(provenance_dump).collect::<Result<_, _>>()?,
        datasets: datasets.into_iter().map(dataset_dump).collect::<Result<_, _>>()?,
        retired: retired.into_iter().map(dataset_dump).collect::<Result<_, _>>()?,
        work: work.into_iter().map(work_dump).collect::<Result<_, _>>()?,
        wants: wants.into_iter().map(want_dump).collect::<Result<_, _>>()?,
        runs: runs.into_iter().map(run_dump).collect::<Result<_, _>>()?,
        last_plan: PlanId(last_plan),
        plans: plans.into_iter().map(plan_dump).collect::<Result<_, _>>()?,
        key_spaces: key_spaces.into_iter().map(key_space_dump).collect::<Result<_, _>>()?,
        pool_sizes: pool_sizes.into_iter().collect(),
        starts: starts.into_iter().map(starts_dump).collect::<Result<_, _>>()?,
        last_trial: TrialId(last_trial),
        trials: trials.into_iter().map(trial_dump).collect::<Result<_, _>>()?,
        requests: requests.into_iter().map(request_dump).collect::<Result<_, _>>()?,
    })
}

fn key_space_message((name, order, retired): &KeySpaceDump) -> stored::CheckpointKeySpace {
    stored::CheckpointKeySpace {
        name: name.clone(),
        retired: retired.ranges().flat_map(|(first, last)| [first, last]).collect(),
        order: order.iter().flat_map(|(first, last)| [*first, *last]).collect(),
        special_fields: Default::default(),
    }
}

fn key_space_dump(message: stored::CheckpointKeySpace) -> Result<KeySpaceDump, ConvertError> {
    known(&message, "a key space")?;
    let stored::CheckpointKeySpace { name, retired, order, special_fields: _ } = message;
    let runs = |ends: &[u32]| -> Result<Vec<(Key, Key)>, ConvertError> {
        let runs = ends.chunks(2).map(|run| match run {
            [first, last] if first <= last => Ok((*first, *last)),
            _ => Err(malformed(format!("has a run of keys of `{name}` without an end"))),
        });
        runs.collect()
    };
    let (order, retired) = (runs(&order)?, RangeSet::from_ranges(runs(&retired)?));
    Ok((name, order, retired))
}

fn plan_message(saved: SavedPlan) -> stored::CheckpointPlan {
    let SavedPlan { created_at, plan } = saved;
    stored::CheckpointPlan {
        created_at: write::instant(created_at),
        plan: MessageField::some(write::plan_created(&plan)),
        special_fields: Default::default(),
    }
}

fn plan_dump(message: stored::CheckpointPlan) -> Result<SavedPlan, ConvertError> {
    known(&message, "a plan")?;
    let stored::CheckpointPlan { created_at, plan, special_fields: _ } = message;
    let plan = plan.into_option().ok_or_else(|| malformed("has an empty plan"))?;
    Ok(SavedPlan { created_at: read::instant(created_at)?, plan: read::plan_created(plan)? })
}

fn request_message((key, answered): (String, Answered)) -> stored::CheckpointRequest {
    let Answered { digest, want, at } = answered;
    stored::CheckpointRequest {
        key,
        digest: digest.to_string(),
        want: want.0,
        at: write::instant(at),
        special_fields: Default::default(),
    }
}

fn request_dump(message: stored::CheckpointRequest) -> Result<(String, Answered), ConvertError> {
    known(&message, "a request")?;
    let stored::CheckpointRequest { key, digest, want, at, special_fields: _ } = message;
    Ok((key, Answered { digest: digest.into(), want: WantId(want), at: read::instant(at)? }))
}

fn starts_message((job, at): (String, Vec<Timestamp>)) -> stored::CheckpointStarts {
    let at = at.into_iter().filter_map(|at| write::instant(at).0.map(|at| *at)).collect();
    stored::CheckpointStarts { job, at, special_fields: Default::default() }
}

fn starts_dump(message: stored::CheckpointStarts) -> Result<(String, Vec<Timestamp>), ConvertError> {
    known(&message, "starts of a job")?;
    let stored::CheckpointStarts { job, at, special_fields: _ } = message;
    let at = at.into_iter().map(|at| read::instant(MessageField::some(at)));
    Ok((job, at.collect::<Result<_, _>>()?))
}

fn graph_message(dump: GraphDump) -> stored::CheckpointGraph {
    let GraphDump { id, inherited } = dump;
    stored::CheckpointGraph { graph: id.0, inherited, special_fields: Default::default() }
}

fn graph_dump(message: stored::CheckpointGraph) -> Result<GraphDump, ConvertError> {
    known(&message, "a graph")?;
    let stored::CheckpointGraph { graph, inherited, special_fields: _ } = message;
    Ok(GraphDump { id: GraphId(graph), inherited })
}

fn provenance_message(digests: JobDigests) -> stored::CheckpointProvenance {
    let JobDigests { code, args, template } = digests;
    stored::CheckpointProvenance { code, args, template, special_fields: Default::default() }
}

fn provenance_dump(message: stored::CheckpointProvenance) -> Result<JobDigests, ConvertError> {
    known(&message, "a provenance")?;
    let stored::CheckpointProvenance { code, args, template, special_fields: _ } = message;
    Ok(JobDigests { code, args, template })
}

fn work_message(dump: WorkDump) -> stored::CheckpointWork {
    let WorkDump { job, todo, ready, live, forced, by_hand } = dump;
    stored::CheckpointWork {
        job,
        todo: set_message(todo),
        ready: set_message(ready),
        live: set_message(live),
        forced: set_message(forced),
        by_hand: set_message(by_hand),
        special_fields: Default::default(),
    }
}

fn work_dump(message: stored::CheckpointWork) -> Result<WorkDump, ConvertError> {
    known(&message, "a job's work")?;
    let stored::CheckpointWork { job, todo, ready, live, forced, by_hand, special_fields: _ } = message;
    Ok(WorkDump {
        job,
        todo: set_dump(todo)?,
        ready: set_dump(ready)?,
        live: set_dump(live)?,
        forced: set_dump(forced)?,
        by_hand: set_dump(by_hand)?,
    })
}

fn want_message(dump: WantDump) -> stored::CheckpointWant {
    let WantDump {
        id,
        targets,
        class,
        refresh,
        as_of,
        created_at,
        expires_at,
        remaining,
        total,
        done,
        unchanged,
        failed,
        causes,
        plan,
        paused,
        parent,
        invoked,
        asked,
        planned,
        rounds,
    } = dump;
    stored::CheckpointWant {
        want: id.0,
        targets,
        class: class.number(),
        refresh: refresh.number(),
        as_of: write::instant(as_of),
        created_at: write::instant(created_at),
        expires_at: write::optional_instant(expires_at),
        remaining: remaining.into_iter().map(indexed_message).collect(),
        total,
        done,
        unchanged,
        failed,
        causes,
        plan: plan.map_or(0, |plan| plan.0),
        paused,
        parent: parent.map_or(0, |run| run.0),
        invoked: invoked.map(invocation_message).into(),
        asked,
        planned: planned.0,
        rounds,
        special_fields: Default::default(),
    }
}

fn want_dump(message: stored::CheckpointWant) -> Result<WantDump, ConvertError> {
    known(&message, "a want")?;
    let stored::CheckpointWant {
        want,
        targets,
        class,
        refresh,
        as_of,
        created_at,
        expires_at,
        remaining,
        total,
        done,
        unchanged,
        failed,
        causes,
        plan,
        paused,
        parent,
        invoked,
        asked,
        planned,
        rounds,
        special_fields: _,
    } = message;
    Ok(WantDump {
        id: WantId(want),
        targets,
        class: read::value(class)?,
        refresh: read::value(refresh)?,
        as_of: read::instant(as_of)?,
        created_at: read::instant(created_at)?,
        expires_at: read::optional_instant(expires_at)?,
        remaining: remaining.into_iter().map(indexed_dump).collect::<Result<_, _>>()?,
        total,
        done,
        unchanged,
        failed,
        causes,
        plan: (plan != 0).then_some(PlanId(plan)),
        paused,
        parent: (parent != 0).then_some(RunId(parent)),
        invoked: invoked.into_option().map(invocation_dump).transpose()?,
        asked,
        planned: Seq(planned),
        rounds,
    })
}

/// Index of the job, the values given, the last run before.
type InvocationDump = (u32, Params, RunId);

fn invocation_message((job, params, after): InvocationDump) -> stored::CheckpointInvocation {
    stored::CheckpointInvocation { job, params, after: after.0, special_fields: Default::default() }
}

fn invocation_dump(message: stored::CheckpointInvocation) -> Result<InvocationDump, ConvertError> {
    known(&message, "an invocation")?;
    let stored::CheckpointInvocation { job, params, after, special_fields: _ } = message;
    Ok((job, params, RunId(after)))
}

fn run_message(dump: RunDump) -> stored::CheckpointRun {
    let RunDump {
        id,
        graph,
        job,
        set,
        partition,
        phase,
        attempt,
        failures,
        losses,
        moves,
        inputs,
        as_of,
        params,
        made_by,
        cancel_requested,
        intended,
        rest_due,
        given_up,
        tainted,
        spoiled,
        discovered,
        suspended,
        trial,
    } = dump;
    let (phase, retry_at) = match phase {
        Phase::Leased => (StoredPhase::CHECKPOINT_PHASE_LEASED, None),
        Phase::Running => (StoredPhase::CHECKPOINT_PHASE_RUNNING, None),
        Phase::Publishing => (StoredPhase::CHECKPOINT_PHASE_PUBLISHING, None),
        Phase::RetryWait(at) => (StoredPhase::CHECKPOINT_PHASE_RETRY_WAIT, Some(at)),
    };
    stored::CheckpointRun {
        run: id.0,
        graph,
        job,
        set: set_message(set),
        partition,
        phase: EnumOrUnknown::new(phase),
        retry_at: write::optional_instant(retry_at),
        attempt,
        failures,
        losses,
        moves,
        inputs_of: inputs,
        as_of: write::instant(as_of),
        params,
        made_by,
        cancel_requested,
        intended: intended.iter().map(write::output).collect(),
        rest_due: write::optional_instant(rest_due),
        given_up,
        tainted: tainted.into_iter().map(marked_message).collect(),
        spoiled: set_message(spoiled),
        discovered,
        suspended: suspended.map_or(0, |want| want.0),
        trial: trial.map(write::arm_id).into(),
        special_fields: Default::default(),
    }
}

fn run_dump(message: stored::CheckpointRun) -> Result<RunDump, ConvertError> {
    known(&message, "a run")?;
    let stored::CheckpointRun {
        run,
        graph,
        job,
        set,
        partition,
        phase,
        retry_at,
        attempt,
        failures,
        losses,
        moves,
        inputs_of,
        as_of,
        params,
        made_by,
        cancel_requested,
        intended,
        rest_due,
        given_up,
        tainted,
        spoiled,
        discovered,
        suspended,
        trial,
        special_fields: _,
    } = message;
    let phase = match (known_value(phase, "phase")?, read::optional_instant(retry_at)?) {
        (StoredPhase::CHECKPOINT_PHASE_LEASED, None) => Phase::Leased,
        (StoredPhase::CHECKPOINT_PHASE_RUNNING, None) => Phase::Running,
        (StoredPhase::CHECKPOINT_PHASE_PUBLISHING, None) => Phase::Publishing,
        (StoredPhase::CHECKPOINT_PHASE_RETRY_WAIT, Some(at)) => Phase::RetryWait(at),
        _ => return Err(malformed("has a run without a phase")),
    };
    Ok(RunDump {
        id: RunId(run),
        graph,
        job,
        set: set_dump(set)?,
        partition,
        phase,
        attempt,
        failures,
        losses,
        moves,
        inputs: inputs_of,
        as_of: read::instant(as_of)?,
        params,
        made_by,
        cancel_requested,
        intended: intended.into_iter().map(read::output).collect::<Result<_, _>>()?,
        rest_due: read::optional_instant(rest_due)?,
        given_up,
        tainted: tainted.into_iter().map(marked_dump).collect::<Result<_, _>>()?,
        spoiled: set_dump(spoiled)?,
        discovered,
        suspended: (suspended != 0).then_some(WantId(suspended)),
        trial: trial.into_option().map(read::arm_id).transpose()?,
    })
}

#[cfg(test)]
mod tests;
