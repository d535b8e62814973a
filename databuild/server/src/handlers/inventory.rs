//! Looking at all files: scan and adopt.

use super::super::extract::Body;
use super::Answer;
use crate::api::{AdoptReply, AdoptRequest, ScanReply, ScanRequest};
use crate::app::inventory;
use crate::state::App;
use axum::Json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this noun.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(scan)).routes(routes!(adopt))
}

/// Looks at files, and records what is missing or altered.
///
/// Everything, without `targets`. A code of `not_observed` is `unreadable` (it may not or cannot be read, or
/// whoever was asked gave no answer), `unstable` (it kept changing) or `foreign` (a pipe, a socket, a device). Pass
/// `next` as `cursor` to go on.
#[utoipa::path(
    post,
    path = "/scan",
    tag = "Files",
    operation_id = "inventory_scan",
    request_body = ScanRequest,
    responses(
        (status = 200, body = ScanReply),
        (status = "default", description = "REFERENCE no_graph bad_cursor bad_query WRITE"),
    )
)]
async fn scan(app: App, Body(body): Body<ScanRequest>) -> Answer<ScanReply> {
    Ok(Json(inventory::scan(&app, body).await?))
}

/// Counts files that exist as built.
#[utoipa::path(
    post,
    path = "/adopt",
    tag = "Files",
    operation_id = "inventory_adopt",
    request_body = AdoptRequest,
    responses(
        (status = 200, body = AdoptReply),
        (status = "default", description = "REFERENCE no_graph no_targets not_adoptable WRITE"),
    )
)]
async fn adopt(app: App, Body(body): Body<AdoptRequest>) -> Answer<AdoptReply> {
    Ok(Json(inventory::adopt(&app, body).await?))
}
