//! Schedules.

use super::super::error::ApiError;
use super::super::extract::Query;
use super::super::keyed::Keyed;
use super::wants::created;
use super::Answer;
use crate::api::{ListQuery, Page, RunSchedule, ScheduleDetail, ScheduleQuery, ScheduleRow, WantDetail};
use crate::app::schedules;
use crate::state::App;
use axum::extract::Path;
use axum::response::Response;
use axum::Json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this noun.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(one))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(run))
}

/// Schedules of the graph, by name.
#[utoipa::path(
    get,
    path = "/schedules",
    tag = "Schedules",
    operation_id = "schedules_list",
    params(ListQuery),
    responses(
        (status = 200, body = Page<ScheduleRow>),
        (status = "default", description = "LIST"),
    )
)]
async fn list(app: App, Query(query): Query<ListQuery>) -> Answer<Page<ScheduleRow>> {
    Ok(Json(schedules::list(&app, &query)?))
}

/// A schedule, with its next ticks.
#[utoipa::path(
    get,
    path = "/schedules/{name}",
    tag = "Schedules",
    operation_id = "schedules_one",
    params(
        ("name" = String, Path, description = "Its name. A `/` in it is written `%2F`.", example = "nightly"),
        ScheduleQuery,
    ),
    responses(
        (status = 200, body = ScheduleDetail),
        (status = "default", description = "schedule_not_found"),
    )
)]
async fn one(
    app: App,
    Path(name): Path<String>,
    Query(query): Query<ScheduleQuery>,
) -> Answer<ScheduleDetail> {
    Ok(Json(schedules::get(&app, &name, &query)?))
}

/// Pauses a schedule.
///
/// None of its ticks is fired until it is resumed, also after a restart and under another graph. Asking twice is no error.
#[utoipa::path(
    post,
    path = "/schedules/{name}/pause",
    tag = "Schedules",
    operation_id = "schedules_pause",
    params(("name" = String, Path, description = "Its name. A `/` in it is written `%2F`.", example = "nightly")),
    responses(
        (status = 200, body = ScheduleDetail),
        (status = "default", description = "no_graph schedule_not_found WRITE"),
    )
)]
async fn pause(app: App, Path(name): Path<String>) -> Answer<ScheduleDetail> {
    Ok(Json(schedules::pause(&app, name).await?))
}

/// Resumes a schedule.
///
/// It goes on with its next tick; those of the pause are skipped. Asking twice is no error.
#[utoipa::path(
    post,
    path = "/schedules/{name}/resume",
    tag = "Schedules",
    operation_id = "schedules_resume",
    params(("name" = String, Path, description = "Its name. A `/` in it is written `%2F`.", example = "nightly")),
    responses(
        (status = 200, body = ScheduleDetail),
        (status = "default", description = "no_graph schedule_not_found WRITE"),
    )
)]
async fn resume(app: App, Path(name): Path<String>) -> Answer<ScheduleDetail> {
    Ok(Json(schedules::resume(&app, name).await?))
}

/// Has a schedule fire now, beside its ticks.
///
/// Its targets are read as of now. A paused schedule can be run too.
#[utoipa::path(
    post,
    path = "/schedules/{name}/run",
    tag = "Schedules",
    operation_id = "schedules_run",
    params(("name" = String, Path, description = "Its name. A `/` in it is written `%2F`.", example = "nightly")),
    request_body = RunSchedule,
    responses(
        (status = 201, description = "The want.", body = WantDetail),
        (status = 200, description = "The want that an earlier request with the same key made.", body = WantDetail),
        (status = "default", description = "REFERENCE no_graph schedule_not_found not_observed WRITE"),
    )
)]
async fn run(
    app: App,
    Path(name): Path<String>,
    Keyed { key, body: RunSchedule {} }: Keyed<RunSchedule>,
) -> Result<Response, ApiError> {
    Ok(created(schedules::run(&app, name, key).await?))
}
