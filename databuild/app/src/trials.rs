//! Trials: work repeated to compare what comes of it.

mod code;
mod rerun;
mod sample;

use super::context::{Backend, Context};
use super::words::{canceled, part};
use super::{garbage, AppError};
use crate::api::{
    Canceled, CreateTrial, Digests, ListQuery, Page, TrialArm, TrialDetail, TrialQuery, TrialResult, TrialRow,
};
use crate::engine::Created;
use databuild_core::decide::{Input, TrialRequest};
use databuild_core::event::{self, RequestKey, TrialKind, TrialOutcome};
use databuild_core::ids::TrialId;
use databuild_core::state::{Arm, State, Trial};
use databuild_core::word::Word as _;
use std::time::Duration;

/// Longest wait for a trial's end.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The id of a trial as people write it.
pub fn parse(id: &str) -> Result<TrialId, AppError> {
    id.parse().map_err(|_| AppError::not_found("trial_not_found", "trial", id))
}

/// Begins a trial.
///
/// # Errors
/// There is nothing to repeat, or the code of then is gone.
pub async fn create(
    context: &impl Context,
    asked: CreateTrial,
    key: Option<RequestKey>,
) -> Result<Created<TrialDetail>, AppError> {
    let engine = &context.backend().engine;
    if let Some(Created { made, repeated }) = engine.repeated_trial(key.as_ref())? {
        return Ok(Created { made: get_now(context, made)?, repeated });
    }
    let request = match asked {
        CreateTrial::Compare(asked) => sample::sampled(context, TrialKind::Compare, asked).await?,
        CreateTrial::Verify(asked) => sample::sampled(context, TrialKind::Verify, asked).await?,
        CreateTrial::Rerun(asked) => rerun::rerun(context, asked).await?,
    };
    let Created { made, repeated } = engine.trial(TrialRequest { key, ..request }).await?;
    // From here on another workspace's collector spares the code of then. Until then its age did; what is gone
    // nevertheless makes the run fail, which says so.
    let marked = context.quick(|backend, _| Ok(garbage::write_roots(backend)?));
    if let Err(error) = marked.await {
        tracing::warn!(%error, "the code that a trial needs could not be marked as needed");
    }
    Ok(Created { made: get_now(context, made)?, repeated })
}

/// Trials that are kept, newest first.
///
/// # Errors
/// A bad query.
pub fn list(context: &impl Context, query: &ListQuery) -> Result<Page<TrialRow>, AppError> {
    let Backend { engine, audience, .. } = context.backend();
    let state = &engine.snapshot().state;
    let seen = state.trials().values().rev().filter(|trial| audience.sees_label(state, &trial.spec.job));
    let rows = seen.map(|trial| row(trial));
    part(rows, query.limit, query.cursor.as_deref(), state.seq().0)
}

/// A trial, at its end if that comes as soon as the query says.
///
/// # Errors
/// There is no such trial.
pub async fn get(context: &impl Context, id: TrialId, query: &TrialQuery) -> Result<TrialDetail, AppError> {
    let engine = &context.backend().engine;
    let wait = Duration::from_millis(query.wait_ms.unwrap_or(0)).min(LONGEST_WAIT);
    let mut seq = engine.watch();
    let live = || engine.snapshot().state.trials().get(&id).is_some_and(|trial| trial.is_live());
    let _ = tokio::time::timeout(wait, seq.wait_for(|_| !live())).await;
    get_now(context, id)
}

/// Gives a trial up, with its runs. That it is over is no error.
///
/// # Errors
/// There is no such trial.
pub async fn cancel(context: &impl Context, id: TrialId) -> Result<Canceled<TrialDetail>, AppError> {
    let done = context.backend().engine.submit(Input::CancelTrial(id)).await;
    let found = || Ok(get_now(context, id)?.trial.state == TrialOutcome::Canceled.word());
    let outcome = canceled(done.map(|_| ()), found)?;
    Ok(Canceled { outcome, of: get_now(context, id)? })
}

fn get_now(context: &impl Context, id: TrialId) -> Result<TrialDetail, AppError> {
    let state = context.backend().engine.snapshot().state.clone();
    let trial = state.trials().get(&id).ok_or_else(|| AppError::not_found("trial_not_found", "trial", id))?;
    Ok(detail(&state, trial))
}

fn detail(state: &State, trial: &Trial) -> TrialDetail {
    let spec = &trial.spec;
    let mut arms: Vec<TrialArm> = Vec::new();
    for sample in &spec.samples {
        for (at, arm) in sample.arms.iter().enumerate() {
            let arm = TrialArm {
                graph: arm.graph.to_string(),
                params: arm.params.clone(),
                which: if at == 0 { "then" } else { "now" }.to_owned(),
                digests: Digests { code: arm.digests.code.clone(), args: arm.digests.args.clone() },
            };
            if !arms.contains(&arm) {
                arms.push(arm);
            }
        }
    }
    let results = trial.ended.iter().flat_map(|(_, ended)| &ended.results).map(result).collect();
    TrialDetail {
        trial: row(trial),
        arms,
        results,
        changed_inputs: spec.samples.iter().flat_map(|sample| sample.changed_inputs.clone()).collect(),
        keep: spec.keep.clone(),
        seq: state.seq().0,
    }
}

fn row(trial: &Trial) -> TrialRow {
    let spec = &trial.spec;
    let state = trial.ended.as_ref().map_or("running", |(_, ended)| ended.outcome.word());
    let runs = spec.samples.iter().map(|sample| sample.arms.len()).sum();
    let done = trial.arms.values().filter(|arm| !matches!(arm, Arm::Live { .. })).count();
    TrialRow {
        id: spec.trial.to_string(),
        kind: spec.kind.word().to_owned(),
        state: state.to_owned(),
        job: spec.job.clone(),
        run: spec.run.map(|run| run.to_string()),
        partitions: spec.samples.iter().map(|sample| sample.partition.clone()).collect(),
        by: trial.by.clone(),
        created_at: trial.created_at.to_string(),
        ended_at: trial.ended.as_ref().map(|(at, _)| at.to_string()),
        runs,
        done: if trial.is_live() { done } else { runs },
    }
}

fn result(result: &event::TrialResult) -> TrialResult {
    let version = |at: usize| Some(result.versions[at].clone()).filter(|version| !version.is_empty());
    TrialResult {
        partition: result.partition.clone(),
        verdict: result.verdict.word().to_owned(),
        then: version(0),
        now: version(1),
        then_bytes: result.bytes[0],
        now_bytes: result.bytes[1],
        runs: result.runs.iter().map(ToString::to_string).collect(),
        message: result.message.clone(),
    }
}
