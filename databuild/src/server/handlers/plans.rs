//! Plans: what would happen.

use super::super::error::ApiError;
use super::super::routes::App;
use super::super::views;
use super::{instant, refresh};
use crate::api::{PlanRequest, PlanView};
use axum::extract::rejection::JsonRejection;
use axum::extract::State;
use axum::Json;
use jiff::Timestamp;

/// `POST /plans`.
///
/// # Errors
/// A bad body, a reference that cannot be resolved, no graph.
pub async fn create(
    State(app): State<App>,
    body: Result<Json<PlanRequest>, JsonRejection>,
) -> Result<Json<PlanView>, ApiError> {
    let Json(body) = body?;
    let refresh = refresh(body.refresh.as_deref())?;
    let as_of = instant(body.as_of.as_deref())?.unwrap_or_else(Timestamp::now);
    let engine = app.engine.clone();
    let view = super::blocking(move || Ok(views::plan(&engine.plan(&body.targets, refresh, as_of)?))).await?;
    Ok(Json(view))
}
