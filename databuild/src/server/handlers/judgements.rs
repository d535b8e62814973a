//! What people say of data.

use super::super::error::ApiError;
use super::super::routes::App;
use crate::api::{TaintReply, TaintRequest};
use axum::extract::rejection::JsonRejection;
use axum::extract::State;
use axum::Json;
use databuild_core::decide::{Judgement, Reply};

fn judgement(body: TaintRequest) -> Judgement {
    let TaintRequest { targets, reason, by } = body;
    Judgement { targets, reason, by: by.unwrap_or_else(|| "api".to_owned()) }
}

fn reply(app: &App, reply: &Reply) -> Json<TaintReply> {
    let (partitions, followers) = match reply {
        Reply::Judged { partitions, followers } => (*partitions, *followers),
        _ => (0, 0),
    };
    Json(TaintReply { partitions, followers, seq: app.engine.snapshot().state.seq.0 })
}

/// `POST /taint`.
///
/// # Errors
/// A bad body, a reference that cannot be resolved, no reason, nothing there.
pub async fn taint(
    State(app): State<App>,
    body: Result<Json<TaintRequest>, JsonRejection>,
) -> Result<Json<TaintReply>, ApiError> {
    let Json(body) = body?;
    let done = app.engine.taint(judgement(body)).await?;
    Ok(reply(&app, &done))
}

/// `POST /untaint`.
///
/// # Errors
/// A bad body, a reference that cannot be resolved, nothing tainted.
pub async fn untaint(
    State(app): State<App>,
    body: Result<Json<TaintRequest>, JsonRejection>,
) -> Result<Json<TaintReply>, ApiError> {
    let Json(body) = body?;
    let done = app.engine.submit(databuild_core::decide::Input::Untaint(judgement(body))).await?;
    Ok(reply(&app, &done))
}
