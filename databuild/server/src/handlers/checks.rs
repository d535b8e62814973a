//! What checks found.

use super::super::extract::Query;
use super::Answer;
use crate::api::{CheckRow, CheckSummary, ChecksQuery, ListQuery, Page};
use crate::app::checks;
use crate::state::App;
use axum::Json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this noun.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(summary))
}

/// What checks found, newest first.
///
/// For each partition (of a reference, if one is given) the newest result of each check: `passed`, `failed` or
/// `error`. With `failed=true` only what did not pass.
#[utoipa::path(
    get,
    path = "/checks",
    tag = "Checks",
    operation_id = "checks_list",
    params(ChecksQuery),
    responses(
        (status = 200, body = Page<CheckRow>),
        (status = "default", description = "LIST REFERENCE no_graph unknown_check unknown_word"),
    )
)]
async fn list(app: App, Query(query): Query<ChecksQuery>) -> Answer<Page<CheckRow>> {
    Ok(Json(checks::list(&app, query).await?))
}

/// All checks, with how much of what they look at passes them.
///
/// By its last look at each partition. First those that most did not pass, then by label; checks that the graph does not have any
/// more, but found something, are among them without `blocking`.
#[utoipa::path(
    get,
    path = "/checks/summary",
    tag = "Checks",
    operation_id = "checks_summary",
    params(ListQuery),
    responses(
        (status = 200, body = Page<CheckSummary>),
        (status = "default", description = "LIST"),
    )
)]
async fn summary(app: App, Query(query): Query<ListQuery>) -> Answer<Page<CheckSummary>> {
    Ok(Json(checks::summary(&app, query).await?))
}
