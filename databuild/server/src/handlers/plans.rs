//! Plans: what would happen, and having exactly that done.

use super::super::error::ApiError;
use super::super::keyed::Keyed;
use super::{created, wants, Answer};
use crate::api::{ApplyPlan, Page, PlanRequest, PlanSummary, PlanView};
use crate::app::plans;
use crate::state::App;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};

/// The routes of this noun.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/plans", get(list).post(create))
        .route("/plans/{id}", get(one))
        .route("/plans/{id}/apply", post(apply))
}

async fn create(app: App, Keyed { key, body }: Keyed<PlanRequest>) -> Result<Response, ApiError> {
    let plan = plans::create(&app, body, key).await?;
    Ok(match plan.made.id.clone() {
        Some(id) => created("plans", &id, plan),
        None => Json(plan.made).into_response(),
    })
}

async fn list(app: App) -> Json<Page<PlanSummary>> {
    Json(plans::list(&app))
}

async fn one(app: App, Path(id): Path<String>) -> Answer<PlanView> {
    Ok(Json(plans::get(&app, plans::parse(&id)?).await?))
}

async fn apply(
    app: App,
    Path(id): Path<String>,
    Keyed { key, body }: Keyed<ApplyPlan>,
) -> Result<Response, ApiError> {
    let plan = plans::parse(&id)?;
    let made = plans::apply(&app, plan, body, key).await;
    let made = made.map_err(|error| ApiError::from(error).with("plan_id", plan))?;
    Ok(wants::created(made))
}
