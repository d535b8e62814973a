//! Trials.

use super::super::app::App;
use super::super::error::ApiError;
use super::super::extract::{Body, Query};
use super::{created, Answer};
use crate::api::{CreateTrial, Page, TrialDetail, TrialQuery, TrialRow};
use crate::app::trials;
use crate::engine::Created;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};

/// The routes of this noun.
pub(in crate::server) fn routes() -> Router<App> {
    Router::new().route("/trials", get(list).post(create)).route("/trials/{id}", get(one).delete(cancel))
}

async fn create(app: App, Body(body): Body<CreateTrial>) -> Result<Response, ApiError> {
    let trial = trials::create(&app, body).await?;
    let id = trial.trial.id.clone();
    Ok(created("trials", &id, Created { made: trial, repeated: false }))
}

async fn list(app: App) -> Json<Page<TrialRow>> {
    Json(trials::list(&app))
}

async fn one(app: App, Path(id): Path<String>, Query(query): Query<TrialQuery>) -> Answer<TrialDetail> {
    Ok(Json(trials::get(&app, trials::parse(&id)?, &query).await?))
}

async fn cancel(app: App, Path(id): Path<String>) -> Answer<TrialDetail> {
    Ok(Json(trials::cancel(&app, trials::parse(&id)?).await?))
}
