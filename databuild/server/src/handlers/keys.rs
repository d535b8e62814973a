//! Dynamic keys.

use super::super::extract::{Body, Query};
use super::Answer;
use crate::api::{KeyRow, KeySpaceRow, KeysQuery, KeysReply, KeysRequest, Page};
use crate::app::keys;
use crate::state::App;
use axum::extract::{DefaultBodyLimit, Path};
use axum::routing::{get, post};
use axum::{Json, Router};

/// A million keys.
const LIMIT: usize = 64 << 20;

/// The routes of this noun.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/keys", get(spaces))
        .route("/keys/{space}", get(list).post(add))
        .route("/keys/{space}/retire", post(retire))
        .layer(DefaultBodyLimit::max(LIMIT))
}

async fn spaces(app: App) -> Answer<Page<KeySpaceRow>> {
    Ok(Json(keys::spaces(&app)?))
}

async fn list(app: App, Path(space): Path<String>, Query(query): Query<KeysQuery>) -> Answer<Page<KeyRow>> {
    Ok(Json(keys::list(&app, space, &query)?))
}

async fn add(app: App, Path(space): Path<String>, Body(body): Body<KeysRequest>) -> Answer<KeysReply> {
    Ok(Json(keys::add(&app, space, body).await?))
}

async fn retire(app: App, Path(space): Path<String>, Body(body): Body<KeysRequest>) -> Answer<KeysReply> {
    Ok(Json(keys::retire(&app, space, body).await?))
}
