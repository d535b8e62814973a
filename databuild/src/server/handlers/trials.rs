//! Trials.

use super::super::app::App;
use super::super::error::ApiError;
use super::super::garbage;
use super::super::trials;
use crate::api::{CreateTrial, Digests, Page, TrialArm, TrialDetail, TrialResult, TrialRow};
use crate::engine::CommandError;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query};
use axum::http::{header, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::Json;
use databuild_core::decide::{Input, Reply};
use databuild_core::event::{self, TrialKind};
use databuild_core::ids::TrialId;
use databuild_core::state::{Arm, Trial};
use databuild_core::word::Word as _;
use serde::Deserialize;
use std::time::Duration;

/// Longest wait for a trial's end.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

fn parse(id: &str) -> Result<TrialId, ApiError> {
    id.parse().map_err(|_| ApiError::not_found("trial_not_found", "trial", id))
}

/// `POST /trials`.
///
/// # Errors
/// A bad body; nothing to repeat; the code of then is gone.
pub async fn create(app: App, body: Result<Json<CreateTrial>, JsonRejection>) -> Result<Response, ApiError> {
    let Json(body) = body?;
    let request = match body {
        CreateTrial::Compare(asked) => trials::sampled(&app, TrialKind::Compare, asked).await?,
        CreateTrial::Verify(asked) => trials::sampled(&app, TrialKind::Verify, asked).await?,
        CreateTrial::Rerun(asked) => trials::rerun(&app, asked).await?,
    };
    let id = match app.engine.submit(Input::CreateTrial(Box::new(request))).await? {
        Reply::Trial(id) => id,
        other => return Err(CommandError::wrong_reply(&other).into()),
    };
    // From here on another workspace's collector spares the code of then. Until then its age did; what is gone
    // nevertheless makes the run fail, which says so.
    if let Err(error) = garbage::write_roots(&app) {
        tracing::warn!(%error, "the code that a trial needs could not be marked as needed");
    }
    let location = [(header::LOCATION, format!("/api/v1/trials/{id}"))];
    Ok((StatusCode::CREATED, location, Json(detail(&app, id)?)).into_response())
}

/// `GET /trials`.
///
/// # Errors
/// None.
pub async fn list(app: App) -> Result<Json<Page<TrialRow>>, ApiError> {
    let state = app.engine.snapshot().state.clone();
    let data = state.trials.values().rev().map(|trial| row(trial)).collect();
    Ok(Json(Page { data, next: None, seq: state.seq.0 }))
}

/// Query of [`get`].
#[derive(Debug, Deserialize)]
pub struct GetQuery {
    wait_ms: Option<u64>,
}

/// `GET /trials/{id}`, at its end if that comes soon.
///
/// # Errors
/// No such trial.
pub async fn get(
    app: App,
    Path(id): Path<String>,
    query: Result<Query<GetQuery>, QueryRejection>,
) -> Result<Json<TrialDetail>, ApiError> {
    let Query(query) = query?;
    let id = parse(&id)?;
    let wait = Duration::from_millis(query.wait_ms.unwrap_or(0)).min(LONGEST_WAIT);
    let mut seq = app.engine.watch();
    let live = || app.engine.snapshot().state.trials.get(&id).is_some_and(|trial| trial.is_live());
    let _ = tokio::time::timeout(wait, seq.wait_for(|_| !live())).await;
    Ok(Json(detail(&app, id)?))
}

/// `DELETE /trials/{id}`.
///
/// # Errors
/// No such trial, or it is over.
pub async fn cancel(app: App, Path(id): Path<String>) -> Result<Json<TrialDetail>, ApiError> {
    let id = parse(&id)?;
    app.engine.submit(Input::CancelTrial(id)).await?;
    Ok(Json(detail(&app, id)?))
}

fn detail(app: &App, id: TrialId) -> Result<TrialDetail, ApiError> {
    let state = app.engine.snapshot().state.clone();
    let trial = state.trials.get(&id);
    let trial = trial.ok_or_else(|| ApiError::not_found("trial_not_found", "trial", &id.to_string()))?;
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
    Ok(TrialDetail {
        trial: row(trial),
        arms,
        results,
        changed_inputs: spec.samples.iter().flat_map(|sample| sample.changed_inputs.clone()).collect(),
        keep: spec.keep.clone(),
        seq: state.seq.0,
    })
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
