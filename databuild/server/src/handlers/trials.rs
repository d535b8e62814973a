//! Trials.

use super::super::error::ApiError;
use super::super::extract::Query;
use super::super::keyed::Keyed;
use super::{created, Answer};
use crate::api::{CreateTrial, Page, TrialDetail, TrialQuery, TrialRow};
use crate::app::trials;
use crate::state::App;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};

/// The routes of this noun.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/trials", get(list).post(create)).route("/trials/{id}", get(one).delete(cancel))
}

async fn create(app: App, Keyed { key, body }: Keyed<CreateTrial>) -> Result<Response, ApiError> {
    let trial = trials::create(&app, body, key).await?;
    let id = trial.made.trial.id.clone();
    Ok(created("trials", &id, trial))
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
