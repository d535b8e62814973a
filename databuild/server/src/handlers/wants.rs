//! Wants.

use super::super::error::ApiError;
use super::super::extract::{Body, Query};
use super::super::keyed::Keyed;
use super::Answer;
use crate::api::{
    CreateWant, InvokeJob, Page, PrioritizeWant, ProgressAnswer, ProgressQuery, WantDetail, WantHistory,
    WantRow, WantsQuery, WhyWork,
};
use crate::app::{want_history, wants};
use crate::engine::Created;
use crate::state::App;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};

/// The routes of this noun.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/wants", get(list).post(create))
        .route("/wants/{id}", get(one).delete(cancel))
        .route("/wants/{id}/progress", get(progress))
        .route("/wants/{id}/pause", post(pause))
        .route("/wants/{id}/resume", post(resume))
        .route("/wants/{id}/priority", post(prioritize))
        .route("/wants/{id}/why", get(why))
        .route("/wants/{id}/history", get(history))
        .route("/jobs/invoke", post(invoke))
}

/// Those of the first plan for this API, below `/api`.
pub(crate) fn seed_routes() -> Router<App> {
    Router::new().route("/wants", get(list).post(create)).route("/wants/{id}", get(one).delete(cancel))
}

async fn create(app: App, Keyed { key, body }: Keyed<CreateWant>) -> Result<Response, ApiError> {
    Ok(created(wants::create(&app, body, key).await?))
}

async fn invoke(app: App, Keyed { key, body }: Keyed<InvokeJob>) -> Result<Response, ApiError> {
    Ok(created(wants::invoke(&app, body, key).await?))
}

/// The answer to a request that makes a want.
pub(super) fn created(want: Created<WantDetail>) -> Response {
    let id = want.made.want.id.clone();
    super::created("wants", &id, want)
}

async fn list(app: App, Query(query): Query<WantsQuery>) -> Answer<Page<WantRow>> {
    Ok(Json(wants::list(&app, query).await?))
}

async fn one(app: App, Path(id): Path<String>) -> Answer<WantDetail> {
    Ok(Json(wants::get(&app, wants::parse(&id)?).await?))
}

async fn cancel(app: App, Path(id): Path<String>) -> Answer<WantDetail> {
    Ok(Json(wants::cancel(&app, wants::parse(&id)?).await?))
}

async fn pause(app: App, Path(id): Path<String>) -> Answer<WantDetail> {
    Ok(Json(wants::pause(&app, wants::parse(&id)?).await?))
}

async fn resume(app: App, Path(id): Path<String>) -> Answer<WantDetail> {
    Ok(Json(wants::resume(&app, wants::parse(&id)?).await?))
}

async fn prioritize(
    app: App,
    Path(id): Path<String>,
    Body(body): Body<PrioritizeWant>,
) -> Answer<WantDetail> {
    Ok(Json(wants::prioritize(&app, wants::parse(&id)?, &body).await?))
}

async fn why(app: App, Path(id): Path<String>) -> Answer<WhyWork> {
    Ok(Json(wants::why(&app, wants::parse(&id)?).await?))
}

async fn history(app: App, Path(id): Path<String>) -> Answer<WantHistory> {
    Ok(Json(want_history::get(&app, wants::parse(&id)?).await?))
}

async fn progress(
    app: App,
    Path(id): Path<String>,
    Query(query): Query<ProgressQuery>,
) -> Answer<ProgressAnswer> {
    Ok(Json(wants::progress(&app, wants::parse(&id)?, &query).await?))
}
