//! The job graph.

use super::super::error::ApiError;
use super::super::extract::{Body, Query};
use super::Answer;
use crate::api::{
    DrawingQuery, DrawingView, GraphId, ImpactRequest, RegisterReply, RegisterRequest, SourcesRequest,
    StaleView,
};
use crate::app::{drawing, graphs};
use crate::state::App;
use axum::extract::{DefaultBodyLimit, Path};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use std::collections::BTreeMap;

/// A graph of some ten thousand jobs.
const LIMIT: usize = 64 << 20;

/// The routes of this noun.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/graphs", post(register).layer(DefaultBodyLimit::max(LIMIT)))
        .route("/graphs/impact", post(impact).layer(DefaultBodyLimit::max(LIMIT)))
        .route("/graphs/{id}", get(one))
        .route("/graphs/{id}/sources", post(sources))
        .route("/graph", get(current))
        .route("/graph/id", get(id))
        .route("/graph/drawing", get(draw))
}

async fn register(app: App, Body(body): Body<RegisterRequest>) -> Answer<RegisterReply> {
    Ok(Json(graphs::register(&app, body).await?))
}

async fn current(app: App) -> Result<Response, ApiError> {
    Ok(file(graphs::current(&app).await?))
}

async fn draw(app: App, Query(query): Query<DrawingQuery>) -> Answer<DrawingView> {
    Ok(Json(drawing::draw(&app, query).await?))
}

async fn id(app: App) -> Json<GraphId> {
    Json(graphs::id(&app))
}

async fn one(app: App, Path(id): Path<String>) -> Result<Response, ApiError> {
    Ok(file(graphs::get(&app, id).await?))
}

/// A graph file as it was registered.
fn file(content: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], content).into_response()
}

async fn sources(
    app: App,
    Path(id): Path<String>,
    Body(body): Body<SourcesRequest>,
) -> Answer<BTreeMap<String, String>> {
    Ok(Json(graphs::sources(&app, id, body).await?))
}

async fn impact(app: App, Body(body): Body<ImpactRequest>) -> Answer<StaleView> {
    Ok(Json(graphs::impact(&app, body).await?))
}
