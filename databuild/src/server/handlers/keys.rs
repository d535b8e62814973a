//! Dynamic keys.

use super::super::app::App;
use super::super::error::ApiError;
use super::{cursor, limit};
use crate::api::{KeyRow, KeySpaceRow, KeysReply, KeysRequest, Page};
use crate::engine::CommandError;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query};
use axum::Json;
use databuild_core::decide::{self, Input, KeyCounts, KeyRequest, Reply};
use databuild_core::range_set::Key;
use serde::Deserialize;

/// `GET /keys`.
///
/// # Errors
/// No graph.
pub async fn spaces(app: App) -> Result<Json<Page<KeySpaceRow>>, ApiError> {
    let state = &app.engine.snapshot().state;
    let Some(registered) = &state.graph else {
        return Err(ApiError::new("no_graph", "no graph is registered yet"));
    };
    let graph = &registered.graph;
    let row = |(space, holders): (&str, Vec<_>)| {
        let own = state.symbols.dynamic(space);
        let dimension = |(ix, dim): (_, usize)| {
            let dataset = graph.dataset(ix);
            format!("{}/{}", dataset.name, dataset.dims[dim])
        };
        KeySpaceRow {
            space: space.to_owned(),
            keys: own.current.len(),
            retired: own.retired.len(),
            dimensions: holders.into_iter().map(dimension).collect(),
        }
    };
    let data = graph.dynamic_spaces().into_iter().map(row).collect();
    Ok(Json(Page { data, next: None, seq: state.seq.0 }))
}

/// Query of [`list`].
#[derive(Debug, Deserialize)]
pub struct ListQuery {
    #[serde(default)]
    retired: bool,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// `GET /keys/{space}`, in the order in which keys came.
///
/// # Errors
/// No such key space, or a bad query.
pub async fn list(
    app: App,
    Path(space): Path<String>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Page<KeyRow>>, ApiError> {
    let Query(query) = query?;
    let state = &app.engine.snapshot().state;
    // Nothing to add tells only whether there is such a key space.
    let nothing = KeyRequest { space: space.clone(), keys: Vec::new() };
    decide::preview_added(state, &nothing).map_err(CommandError::from)?;
    // Keys keep their places when others are retired.
    let from: usize = cursor(query.cursor.as_deref())?.unwrap_or(0);
    let limit = limit(query.limit);
    let own = state.symbols.dynamic(&space);
    let listed = |(_, key): &(usize, Key)| query.retired || own.current.contains(*key);
    let mut places = own.in_order().enumerate().skip(from).filter(listed);
    let row = |(_, key): (usize, Key)| KeyRow {
        key: state.symbols.text(key).to_owned(),
        retired: own.retired.contains(key),
    };
    let data = places.by_ref().take(limit).map(row).collect();
    let next = places.next().map(|(place, _)| place.to_string());
    Ok(Json(Page { data, next, seq: state.seq.0 }))
}

/// `POST /keys/{space}`.
///
/// # Errors
/// A bad body, no such key space, a text that cannot be a key.
pub async fn add(
    app: App,
    Path(space): Path<String>,
    body: Result<Json<KeysRequest>, JsonRejection>,
) -> Result<Json<KeysReply>, ApiError> {
    let Json(body) = body?;
    change(app, space, body, Input::AddKeys, decide::preview_added).await
}

/// `POST /keys/{space}/retire`.
///
/// # Errors
/// A bad body, no such key space, a key that was never there.
pub async fn retire(
    app: App,
    Path(space): Path<String>,
    body: Result<Json<KeysRequest>, JsonRejection>,
) -> Result<Json<KeysReply>, ApiError> {
    let Json(body) = body?;
    change(app, space, body, Input::RetireKeys, decide::preview_retired).await
}

type Preview = fn(
    &databuild_core::state::State,
    &KeyRequest,
) -> Result<(KeyCounts, Vec<String>), databuild_core::decide::Refusal>;

async fn change(
    app: App,
    space: String,
    body: KeysRequest,
    input: fn(KeyRequest) -> Input,
    preview: Preview,
) -> Result<Json<KeysReply>, ApiError> {
    let KeysRequest { keys, dry_run } = body;
    let request = KeyRequest { space: space.clone(), keys };
    let counts = if dry_run {
        let counts = app.slow(move |app, _| {
            let (counts, _) = preview(&app.engine.snapshot().state, &request).map_err(CommandError::from)?;
            Ok(counts)
        });
        counts.await?
    } else {
        match app.engine.submit(input(request)).await? {
            Reply::Keys(counts) => counts,
            _ => KeyCounts::default(),
        }
    };
    let KeyCounts { new, back, retired, unchanged } = counts;
    let seq = app.engine.snapshot().state.seq.0;
    Ok(Json(KeysReply { space, new, back, retired, unchanged, dry_run, seq }))
}
