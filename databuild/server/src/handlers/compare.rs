//! What differs between two runs.

use super::super::extract::Query;
use super::Answer;
use crate::api::{CompareQuery, Comparison};
use crate::app::compare;
use crate::state::App;
use axum::Json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this noun.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get))
}

/// What differs between two runs, or between a run and what its job would do now.
///
/// Code with the files to blame, arguments, environment, parameters, inputs with the data that they held, how long it took, and what
/// was made. What is the same is counted. Runs of two jobs can be compared, too; then inputs and outputs of the same name are.
#[utoipa::path(
    get,
    path = "/compare",
    tag = "Runs",
    operation_id = "runs_compare",
    params(CompareQuery),
    responses(
        (status = 200, body = Comparison),
        (status = "default", description = "REFERENCE JOB no_graph not_one_partition run_not_found not_made_by_run query_too_slow"),
    )
)]
async fn get(app: App, Query(query): Query<CompareQuery>) -> Answer<Comparison> {
    Ok(Json(compare::get(&app, query).await?))
}
