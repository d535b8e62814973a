//! What people say of data and code.

use super::super::extract::Body;
use super::Answer;
use crate::api::{AcceptReply, AcceptRequest, TaintReply, TaintRequest};
use crate::app::judgements;
use crate::state::App;
use axum::Json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this noun.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(taint)).routes(routes!(untaint)).routes(routes!(accept))
}

/// Declares data bad.
///
/// `followers` is how many more were made from the named partitions.
#[utoipa::path(
    post,
    path = "/taint",
    tag = "Judgements",
    operation_id = "judgements_taint",
    request_body = TaintRequest,
    responses(
        (status = 200, body = TaintReply),
        (status = "default", description = "REFERENCE no_graph no_targets no_reason nothing_to_taint text_too_long WRITE"),
    )
)]
async fn taint(app: App, Body(body): Body<TaintRequest>) -> Answer<TaintReply> {
    Ok(Json(judgements::taint(&app, body).await?))
}

/// Takes a taint back.
///
/// `reason` may be left out.
#[utoipa::path(
    post,
    path = "/untaint",
    tag = "Judgements",
    operation_id = "judgements_untaint",
    request_body = TaintRequest,
    responses(
        (status = 200, body = TaintReply),
        (status = "default", description = "REFERENCE no_graph no_targets nothing_to_untaint text_too_long WRITE"),
    )
)]
async fn untaint(app: App, Body(body): Body<TaintRequest>) -> Answer<TaintReply> {
    Ok(Json(judgements::untaint(&app, body).await?))
}

/// Judges changes of code and arguments harmless.
///
/// `targets` or `job` may be left out. `evidence` that is the id of a trial has to hold.
#[utoipa::path(
    post,
    path = "/accept",
    tag = "Judgements",
    operation_id = "judgements_accept",
    request_body = AcceptRequest,
    responses(
        (status = 200, body = AcceptReply),
        (status = "default", description = "REFERENCE JOB no_graph no_targets no_reason nothing_to_accept no_evidence text_too_long trial_not_found WRITE"),
    )
)]
async fn accept(app: App, Body(body): Body<AcceptRequest>) -> Answer<AcceptReply> {
    Ok(Json(judgements::accept(&app, body).await?))
}
