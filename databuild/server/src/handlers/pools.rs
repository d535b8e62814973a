//! Pools.

use super::super::extract::Body;
use super::Answer;
use crate::api::{PoolList, ResizePool};
use crate::app::pools;
use crate::state::App;
use axum::routing::get;
use axum::{Json, Router};

/// The routes of this noun.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/pools", get(list).put(resize))
}

async fn list(app: App) -> Json<PoolList> {
    Json(pools::list(&app))
}

async fn resize(app: App, Body(body): Body<ResizePool>) -> Answer<PoolList> {
    Ok(Json(pools::resize(&app, body).await?))
}
