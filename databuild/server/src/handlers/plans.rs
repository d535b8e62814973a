//! Plans: what would happen, and having exactly that done.

use super::super::error::ApiError;
use super::super::extract::Query;
use super::super::keyed::{Kept, Keyed};
use super::{created, wants, Answer};
use crate::api::{ApplyPlan, Page, PlanRequest, PlanSummary, PlanView, PlansQuery, WantDetail};
use crate::app::plans;
use crate::state::App;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this noun.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(one)).routes(routes!(apply))
}

/// What a want would do now.
///
/// It is kept under its `id` until `expires_at`, unless there is nothing to do. With `"save": false` nothing at all
/// is recorded. `groups` are by job and reason, upstream first; `blocked` has what cannot be built, `left_out` what
/// edge rules leave out of what was asked for. A group names at most 20 references.
#[utoipa::path(
    post,
    path = "/plans",
    tag = "Plans",
    operation_id = "plans_create",
    request_body = PlanRequest,
    responses(
        (status = 201, description = "The plan that is kept.", body = PlanView),
        (status = 200, description = "The plan, if it is not kept, or was made by an earlier request with the same key.", body = PlanView),
        (status = "default", description = "REFERENCE no_graph no_targets bad_refresh bad_time bad_expiry plan_not_found not_observed WRITE"),
    )
)]
async fn create(app: App, Keyed { key, body }: Keyed<PlanRequest>) -> Result<Response, ApiError> {
    let saves = body.save.unwrap_or(true);
    let plan = plans::create(&app, body, key).await?;
    Ok(match plan.made.id.clone() {
        Some(id) => created("plans", &id, plan),
        None if !saves => (Extension(Kept::NotAsked), Json(plan.made)).into_response(),
        None => Json(plan.made).into_response(),
    })
}

/// Plans that are kept, newest first.
///
/// `state` is `open`, `outdated` or `expired`.
#[utoipa::path(
    get,
    path = "/plans",
    tag = "Plans",
    operation_id = "plans_list",
    params(PlansQuery),
    responses(
        (status = 200, body = Page<PlanSummary>),
        (status = "default", description = "LIST bad_sort"),
    )
)]
async fn list(app: App, Query(query): Query<PlansQuery>) -> Answer<Page<PlanSummary>> {
    Ok(Json(plans::list(&app, query).await?))
}

/// A plan that is kept, as it was shown.
#[utoipa::path(
    get,
    path = "/plans/{id}",
    tag = "Plans",
    operation_id = "plans_one",
    params(("id" = String, Path, description = "The plan.", example = "p7")),
    responses(
        (status = 200, body = PlanView),
        (status = "default", description = "plan_not_found"),
    )
)]
async fn one(app: App, Path(id): Path<String>) -> Answer<PlanView> {
    Ok(Json(plans::get(&app, plans::parse(&id)?).await?))
}

/// Has done what a plan says, and nothing else.
///
/// Creates a want. The `details` of `plan_outdated` have `changes`.
#[utoipa::path(
    post,
    path = "/plans/{id}/apply",
    tag = "Plans",
    operation_id = "plans_apply",
    params(("id" = String, Path, description = "The plan.", example = "p7")),
    request_body = ApplyPlan,
    responses(
        (status = 201, description = "The want.", body = WantDetail),
        (status = 200, description = "The want that an earlier request with the same key made.", body = WantDetail),
        (status = "default", description = "plan_not_found plan_expired plan_outdated bad_class no_graph not_observed text_too_long WRITE"),
    )
)]
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
