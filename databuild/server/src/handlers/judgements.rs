//! What people say of data and code.

use super::super::extract::Body;
use super::Answer;
use crate::api::{AcceptReply, AcceptRequest, TaintReply, TaintRequest};
use crate::app::judgements;
use crate::state::App;
use axum::routing::post;
use axum::{Json, Router};

/// The routes of this noun.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/taint", post(taint)).route("/untaint", post(untaint)).route("/accept", post(accept))
}

async fn taint(app: App, Body(body): Body<TaintRequest>) -> Answer<TaintReply> {
    Ok(Json(judgements::taint(&app, body).await?))
}

async fn untaint(app: App, Body(body): Body<TaintRequest>) -> Answer<TaintReply> {
    Ok(Json(judgements::untaint(&app, body).await?))
}

async fn accept(app: App, Body(body): Body<AcceptRequest>) -> Answer<AcceptReply> {
    Ok(Json(judgements::accept(&app, body).await?))
}
