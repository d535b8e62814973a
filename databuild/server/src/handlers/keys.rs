//! Dynamic keys.

use super::super::extract::{Body, Query};
use super::Answer;
use crate::api::{KeyRow, KeySpaceRow, KeysQuery, KeysReply, KeysRequest, ListQuery, Page};
use crate::app::keys;
use crate::state::App;
use axum::extract::Path;
use axum::Json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// A million keys.
pub(crate) const LIMIT: usize = 64 << 20;

/// The routes of this noun.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(spaces)).routes(routes!(list, add)).routes(routes!(retire))
}

/// Dynamic key spaces.
///
/// `keys` and `retired` are counts; `dimensions` are those that have the keys.
#[utoipa::path(
    get,
    path = "/keys",
    tag = "Keys",
    operation_id = "keys_spaces",
    params(ListQuery),
    responses(
        (status = 200, body = Page<KeySpaceRow>),
        (status = "default", description = "LIST no_graph"),
    )
)]
async fn spaces(app: App, Query(query): Query<ListQuery>) -> Answer<Page<KeySpaceRow>> {
    Ok(Json(keys::spaces(&app, &query)?))
}

/// The keys of a space, in the order in which they first came.
///
/// Retired ones only if asked for.
#[utoipa::path(
    get,
    path = "/keys/{space}",
    tag = "Keys",
    operation_id = "keys_list",
    params(("space" = String, Path, description = "The key space. A `/` in its name is written `%2F`.", example = "customers"), KeysQuery),
    responses(
        (status = 200, body = Page<KeyRow>),
        (status = "default", description = "LIST no_graph unknown_key_space"),
    )
)]
async fn list(app: App, Path(space): Path<String>, Query(query): Query<KeysQuery>) -> Answer<Page<KeyRow>> {
    Ok(Json(keys::list(&app, space, &query)?))
}

/// Adds keys.
///
/// All or none, in one event. Counts how many are `new`, come `back` and are `unchanged`. The body has at most 64
/// MiB.
#[utoipa::path(
    post,
    path = "/keys/{space}",
    tag = "Keys",
    operation_id = "keys_add",
    params(("space" = String, Path, description = "The key space. A `/` in its name is written `%2F`.", example = "customers")),
    request_body = KeysRequest,
    responses(
        (status = 200, body = KeysReply),
        (status = "default", description = "no_graph unknown_key_space bad_key no_keys WRITE"),
    )
)]
async fn add(app: App, Path(space): Path<String>, Body(body): Body<KeysRequest>) -> Answer<KeysReply> {
    Ok(Json(keys::add(&app, space, body).await?))
}

/// Retires keys.
///
/// As adding them; counts those that are `retired` now and those that are `unchanged`.
#[utoipa::path(
    post,
    path = "/keys/{space}/retire",
    tag = "Keys",
    operation_id = "keys_retire",
    params(("space" = String, Path, description = "The key space. A `/` in its name is written `%2F`.", example = "customers")),
    request_body = KeysRequest,
    responses(
        (status = 200, body = KeysReply),
        (status = "default", description = "no_graph unknown_key_space unknown_key no_keys WRITE"),
    )
)]
async fn retire(app: App, Path(space): Path<String>, Body(body): Body<KeysRequest>) -> Answer<KeysReply> {
    Ok(Json(keys::retire(&app, space, body).await?))
}
