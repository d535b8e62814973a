//! Wants.

use super::super::error::ApiError;
use super::super::extract::{Body, Query};
use super::super::keyed::{Kept, Keyed};
use super::Answer;
use crate::api::{
    Canceled, CreateWant, CreateWants, CreatedWants, InvokeJob, Page, PrioritizeWant, ProgressAnswer,
    ProgressQuery, WantDetail, WantHistory, WantOrError, WantRow, WantsQuery, WhyWork,
};
use crate::app::{want_history, wants};
use crate::engine::Created;
use crate::state::App;
use axum::extract::Path;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this noun.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(create_all))
        .routes(routes!(one, cancel))
        .routes(routes!(progress))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(prioritize))
        .routes(routes!(why))
        .routes(routes!(history))
        .routes(routes!(invoke))
}

/// Those of the first plan for this API, below `/api`.
pub(crate) fn seed_routes() -> Router<App> {
    Router::new().route("/wants", get(list).post(create)).route("/wants/{id}", get(one).delete(cancel))
}

/// Asks for partitions.
#[utoipa::path(
    post,
    path = "/wants",
    tag = "Wants",
    operation_id = "wants_create",
    request_body = CreateWant,
    responses(
        (status = 201, description = "The want.", body = WantDetail),
        (status = 200, description = "The want that an earlier request with the same key made.", body = WantDetail),
        (status = "default", description = "REFERENCE no_graph no_targets bad_class bad_refresh bad_time graph_changed not_observed text_too_long WRITE"),
    )
)]
async fn create(app: App, Keyed { key, body }: Keyed<CreateWant>) -> Result<Response, ApiError> {
    Ok(created(wants::create(&app, body, key).await?))
}

/// Asks for several things at once.
///
/// At most 100. Each is made or refused by itself, so look at `error` of each. With an `Idempotency-Key` a repeated
/// request makes those that are not made yet.
#[utoipa::path(
    post,
    path = "/wants/batch",
    tag = "Wants",
    operation_id = "wants_create_all",
    request_body = CreateWants,
    responses(
        (status = 200, body = CreatedWants),
        (status = "default", description = "bad_class bad_refresh bad_time text_too_long"),
    )
)]
async fn create_all(app: App, Keyed { key, body }: Keyed<CreateWants>) -> Result<Response, ApiError> {
    let of = |result| match result {
        Ok(want) => WantOrError { want: Some(want), error: None },
        Err(error) => WantOrError { want: None, error: Some(ApiError::from(error).body) },
    };
    let data: Vec<WantOrError> = wants::create_all(&app, body, key).await?.into_iter().map(of).collect();
    let made = || data.iter().filter_map(|one| one.want.as_ref());
    let answer = CreatedWants {
        made: made().count(),
        ready: made().filter_map(|want| want.progress.as_ref()).map(|progress| progress.ready).sum(),
        seq: app.backend.engine.snapshot().state.seq().0,
        data,
    };
    // Who sends it again gets those that were not made the first time.
    Ok((Extension(Kept::Nothing), Json(answer)).into_response())
}

/// Has a job make partitions, whatever their state.
///
/// Creates a want, as `POST /wants` does.
#[utoipa::path(
    post,
    path = "/jobs/invoke",
    tag = "Wants",
    operation_id = "wants_invoke",
    request_body = InvokeJob,
    responses(
        (status = 201, description = "The want.", body = WantDetail),
        (status = 200, description = "The want that an earlier request with the same key made.", body = WantDetail),
        (status = "default", description = "REFERENCE JOB no_graph no_targets bad_class bad_time unknown_param bad_param not_of_job graph_changed not_observed text_too_long WRITE"),
    )
)]
async fn invoke(app: App, Keyed { key, body }: Keyed<InvokeJob>) -> Result<Response, ApiError> {
    Ok(created(wants::invoke(&app, body, key).await?))
}

/// The answer to a request that makes a want.
pub(super) fn created(want: Created<WantDetail>) -> Response {
    let id = want.made.want.id.clone();
    super::created("wants", &id, want)
}

/// Wants, newest first.
///
/// `by` is who asked, `source` the program.
#[utoipa::path(
    get,
    path = "/wants",
    tag = "Wants",
    operation_id = "wants_list",
    params(WantsQuery),
    responses(
        (status = 200, body = Page<WantRow>),
        (status = "default", description = "LIST bad_state bad_sort"),
    )
)]
async fn list(app: App, Query(query): Query<WantsQuery>) -> Answer<Page<WantRow>> {
    Ok(Json(wants::list(&app, query).await?))
}

/// A want.
///
/// It has `progress`, also once it is over, `graph` while it is open, `causes`, at most ten, if something failed, `left_out` once it
/// is over, `plan` if it carries one out, `params` if values were given for it, and `archive`, a file name, if it
/// is [archived](operations.md#old-events).
#[utoipa::path(
    get,
    path = "/wants/{id}",
    tag = "Wants",
    operation_id = "wants_one",
    params(("id" = String, Path, description = "The want.", example = "w3")),
    responses(
        (status = 200, body = WantDetail),
        (status = "default", description = "want_not_found archive_missing"),
    )
)]
async fn one(app: App, Path(id): Path<String>) -> Answer<WantDetail> {
    Ok(Json(wants::get(&app, wants::parse(&id)?).await?))
}

/// Cancels a want.
///
/// Asking again is no error: `outcome` says what came of it.
#[utoipa::path(
    delete,
    path = "/wants/{id}",
    tag = "Wants",
    operation_id = "wants_cancel",
    params(("id" = String, Path, description = "The want.", example = "w3")),
    responses(
        (status = 200, body = Canceled<WantDetail>),
        (status = "default", description = "want_not_found archive_missing WRITE"),
    )
)]
async fn cancel(app: App, Path(id): Path<String>) -> Answer<Canceled<WantDetail>> {
    Ok(Json(wants::cancel(&app, wants::parse(&id)?).await?))
}

/// Begins nothing more for a want.
///
/// Asking twice is no error.
#[utoipa::path(
    post,
    path = "/wants/{id}/pause",
    tag = "Wants",
    operation_id = "wants_pause",
    params(("id" = String, Path, description = "The want.", example = "w3")),
    responses(
        (status = 200, body = WantDetail),
        (status = "default", description = "want_not_found want_ended archive_missing WRITE"),
    )
)]
async fn pause(app: App, Path(id): Path<String>) -> Answer<WantDetail> {
    Ok(Json(wants::pause(&app, wants::parse(&id)?).await?))
}

/// Goes on with a paused want.
///
/// Asking twice is no error.
#[utoipa::path(
    post,
    path = "/wants/{id}/resume",
    tag = "Wants",
    operation_id = "wants_resume",
    params(("id" = String, Path, description = "The want.", example = "w3")),
    responses(
        (status = 200, body = WantDetail),
        (status = "default", description = "want_not_found want_ended archive_missing WRITE"),
    )
)]
async fn resume(app: App, Path(id): Path<String>) -> Answer<WantDetail> {
    Ok(Json(wants::resume(&app, wants::parse(&id)?).await?))
}

/// Gives a want its class from now on.
#[utoipa::path(
    post,
    path = "/wants/{id}/priority",
    tag = "Wants",
    operation_id = "wants_prioritize",
    params(("id" = String, Path, description = "The want.", example = "w3")),
    request_body = PrioritizeWant,
    responses(
        (status = 200, body = WantDetail),
        (status = "default", description = "want_not_found want_ended bad_class archive_missing WRITE"),
    )
)]
async fn prioritize(
    app: App,
    Path(id): Path<String>,
    Body(body): Body<PrioritizeWant>,
) -> Answer<WantDetail> {
    Ok(Json(wants::prioritize(&app, wants::parse(&id)?, &body).await?))
}

/// What a want waits for.
///
/// The one thing: `kind`, `message` and what belongs to the kind, as in [cli.md](cli.md#why).
#[utoipa::path(
    get,
    path = "/wants/{id}/why",
    tag = "Wants",
    operation_id = "wants_why",
    params(("id" = String, Path, description = "The want.", example = "w3")),
    responses(
        (status = 200, body = WhyWork),
        (status = "default", description = "want_not_found archive_missing"),
    )
)]
async fn why(app: App, Path(id): Path<String>) -> Answer<WhyWork> {
    Ok(Json(wants::why(&app, wants::parse(&id)?).await?))
}

/// How far a want was when, and what failed.
///
/// `points` are at most 200. `failures` are runs that failed while it was open and make what it waits for, by job and
/// message. Told from the runs, of which the newest 5,000 are looked at.
#[utoipa::path(
    get,
    path = "/wants/{id}/history",
    tag = "Wants",
    operation_id = "wants_history",
    params(("id" = String, Path, description = "The want.", example = "w3")),
    responses(
        (status = 200, body = WantHistory),
        (status = "default", description = "want_not_found archive_missing query_too_slow"),
    )
)]
async fn history(app: App, Path(id): Path<String>) -> Answer<WantHistory> {
    Ok(Json(want_history::get(&app, wants::parse(&id)?).await?))
}

/// How far a want is, as soon as something has happened after `after`.
///
/// Pass `seq` as `after` next time. Each line is about partitions of this want alone: a run or batch that also serves
/// other wants is told with the part that is this want's. `what` is `warning` for what a check that is not blocking
/// found amiss, `keys_back` if the run reported keys that had been retired. At most 500 events are looked at in one
/// answer; with `truncated`, ask again at once. `stalled` is there while the server cannot write its log: what all work
/// waits for, in the form of `why`.
#[utoipa::path(
    get,
    path = "/wants/{id}/progress",
    tag = "Wants",
    operation_id = "wants_progress",
    params(("id" = String, Path, description = "The want.", example = "w3"), ProgressQuery),
    responses(
        (status = 200, body = ProgressAnswer),
        (status = "default", description = "want_not_found archive_missing WAIT"),
    )
)]
async fn progress(
    app: App,
    Path(id): Path<String>,
    Query(query): Query<ProgressQuery>,
) -> Answer<ProgressAnswer> {
    Ok(Json(wants::progress(&app, wants::parse(&id)?, &query).await?))
}
