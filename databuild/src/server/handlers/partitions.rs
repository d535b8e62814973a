//! Datasets and partitions.

use super::super::app::App;
use super::super::error::ApiError;
use super::{cursor, limit, word};
use crate::api::{DatasetSummary, Page, PartitionRow, PartitionState, Why};
use crate::app::{views, why};
use crate::engine::Planned;
use axum::extract::rejection::QueryRejection;
use axum::extract::Query;
use axum::Json;
use databuild_core::state::State as BuildState;
use serde::Deserialize;

/// The state as of now, to be settled at will.
pub(super) fn state_now(app: &App) -> Result<BuildState, ApiError> {
    let mut state = BuildState::clone(&app.engine.snapshot().state);
    if state.graph.is_none() {
        return Err(ApiError::new("no_graph", "no graph is registered yet"));
    }
    state.advance(crate::os::now());
    Ok(state)
}

/// `GET /datasets`.
///
/// # Errors
/// No graph.
pub async fn datasets(app: App) -> Result<Json<Page<DatasetSummary>>, ApiError> {
    let mut state = state_now(&app)?;
    let seq = state.seq.0;
    let data = app.slow(move |_, _| Ok(views::summaries(&mut state))).await?;
    Ok(Json(Page { data, next: None, seq }))
}

/// Query of [`list`].
#[derive(Debug, Deserialize)]
pub struct ListQuery {
    #[serde(rename = "ref")]
    reference: Option<String>,
    state: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// `GET /partitions`.
///
/// # Errors
/// No reference, or one that cannot be resolved.
pub async fn list(
    app: App,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Page<PartitionRow>>, ApiError> {
    let Query(query) = query?;
    let mut state = state_now(&app)?;
    let reference = query.reference.ok_or_else(|| {
        ApiError::new("no_reference", "name a dataset: ?ref=DATASET; counts of all are at /api/v1/datasets")
    })?;
    let wanted: Option<PartitionState> = word("bad_state", query.state.as_deref())?;
    let skip: usize = cursor(query.cursor.as_deref())?.unwrap_or(0);
    let limit = limit(query.limit);
    let (ix, set) = state.resolve_readable(&reference)?;
    let seq = state.seq.0;
    let (data, more) = app
        .slow(move |_, reader| {
            let (mut rows, more) = views::rows(&mut state, ix, &set, wanted, skip, limit);
            let there: Vec<&mut PartitionRow> = rows
                .iter_mut()
                .filter(|row| !matches!(row.state, PartitionState::Missing | PartitionState::LeftOut))
                .collect();
            let names: Vec<&str> = there.iter().map(|row| row.partition.as_str()).collect();
            let warnings = reader.warnings(&names)?.value;
            there.into_iter().zip(warnings).for_each(|(row, warnings)| row.warnings = warnings);
            Ok((rows, more))
        })
        .await?;
    Ok(Json(Page { data, next: more.then(|| (skip + limit).to_string()), seq }))
}

/// Query of [`why`].
#[derive(Debug, Deserialize)]
pub struct WhyQuery {
    partition: String,
}

/// `GET /why`.
///
/// # Errors
/// A reference that is not exactly one partition.
pub async fn why(app: App, query: Result<Query<WhyQuery>, QueryRejection>) -> Result<Json<Why>, ApiError> {
    let Query(query) = query?;
    let answer = app
        .slow(move |app, reader| {
            // Its file, and those it depends on, may have changed behind our back.
            let planned = app.engine.plan(
                std::slice::from_ref(&query.partition),
                databuild_core::event::Refresh::Stale,
                crate::os::now(),
            )?;
            let Planned { mut state, plan, sightings, .. } = planned;
            let (ix, key) = state.resolve_one(&query.partition)?;
            Ok(why::why(&mut state, reader, (&plan, &sightings), ix, &key)?)
        })
        .await?;
    Ok(Json(answer))
}
