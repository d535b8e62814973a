//! Trials.

use super::super::error::ApiError;
use super::super::extract::Query;
use super::super::keyed::Keyed;
use super::{created, Answer};
use crate::api::{Canceled, CreateTrial, ListQuery, Page, TrialDetail, TrialQuery, TrialRow};
use crate::app::trials;
use crate::state::App;
use axum::extract::Path;
use axum::response::Response;
use axum::Json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this noun.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(one, cancel))
}

/// Repeats work to compare what comes of it, see [concepts.md](concepts.md#trials).
///
/// `job` may be left out if `targets` say it.
#[utoipa::path(
    post,
    path = "/trials",
    tag = "Trials",
    operation_id = "trials_create",
    request_body = CreateTrial,
    responses(
        (status = 201, description = "The trial.", body = TrialDetail),
        (status = 200, description = "The trial that an earlier request with the same key made.", body = TrialDetail),
        (status = "default", description = "REFERENCE JOB no_graph bad_sample bad_folder not_of_job nothing_to_compare nothing_to_repeat not_repeatable old_code_gone run_not_found run_archived trial_not_found WRITE"),
    )
)]
async fn create(app: App, Keyed { key, body }: Keyed<CreateTrial>) -> Result<Response, ApiError> {
    let trial = trials::create(&app, body, key).await?;
    let id = trial.made.trial.id.clone();
    Ok(created("trials", &id, trial))
}

/// Trials that are kept, newest first.
#[utoipa::path(
    get,
    path = "/trials",
    tag = "Trials",
    operation_id = "trials_list",
    params(ListQuery),
    responses(
        (status = 200, body = Page<TrialRow>),
        (status = "default", description = "LIST"),
    )
)]
async fn list(app: App, Query(query): Query<ListQuery>) -> Answer<Page<TrialRow>> {
    Ok(Json(trials::list(&app, &query)?))
}

/// A trial, at its end if that comes within `wait_ms`.
#[utoipa::path(
    get,
    path = "/trials/{id}",
    tag = "Trials",
    operation_id = "trials_one",
    params(("id" = String, Path, description = "The trial.", example = "t3"), TrialQuery),
    responses(
        (status = 200, body = TrialDetail),
        (status = "default", description = "trial_not_found WAIT"),
    )
)]
async fn one(app: App, Path(id): Path<String>, Query(query): Query<TrialQuery>) -> Answer<TrialDetail> {
    Ok(Json(trials::get(&app, trials::parse(&id)?, &query).await?))
}

/// Gives a trial up, with its runs.
///
/// Asking again is no error: `outcome` says what came of it.
#[utoipa::path(
    delete,
    path = "/trials/{id}",
    tag = "Trials",
    operation_id = "trials_cancel",
    params(("id" = String, Path, description = "The trial.", example = "t3")),
    responses(
        (status = 200, body = Canceled<TrialDetail>),
        (status = "default", description = "trial_not_found WRITE"),
    )
)]
async fn cancel(app: App, Path(id): Path<String>) -> Answer<Canceled<TrialDetail>> {
    Ok(Json(trials::cancel(&app, trials::parse(&id)?).await?))
}
