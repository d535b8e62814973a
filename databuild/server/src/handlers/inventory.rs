//! Looking at all files: scan and adopt.

use super::super::extract::Body;
use super::Answer;
use crate::api::{AdoptReply, AdoptRequest, ScanReply, ScanRequest};
use crate::app::inventory;
use crate::state::App;
use axum::routing::post;
use axum::{Json, Router};

/// The routes of this noun.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/scan", post(scan)).route("/adopt", post(adopt))
}

async fn scan(app: App, Body(body): Body<ScanRequest>) -> Answer<ScanReply> {
    Ok(Json(inventory::scan(&app, body).await?))
}

async fn adopt(app: App, Body(body): Body<AdoptRequest>) -> Answer<AdoptReply> {
    Ok(Json(inventory::adopt(&app, body).await?))
}
