//! Contents that graphs name by their digests.

use super::super::app::App;
use super::super::extract::Body;
use super::Answer;
use crate::api::{KeepContents, KeptContents, MissingContents};
use crate::app::contents;
use axum::extract::DefaultBodyLimit;
use axum::routing::post;
use axum::{Json, Router};

/// Some thousand pieces of source manifests, or digests of them.
const LIMIT: usize = 16 << 20;

/// The routes of this noun.
pub(in crate::server) fn routes() -> Router<App> {
    Router::new()
        .route("/contents", post(keep))
        .route("/contents/missing", post(missing))
        .layer(DefaultBodyLimit::max(LIMIT))
}

async fn missing(app: App, Body(body): Body<MissingContents>) -> Answer<MissingContents> {
    Ok(Json(contents::missing(&app, body).await?))
}

async fn keep(app: App, Body(body): Body<KeepContents>) -> Answer<KeptContents> {
    Ok(Json(contents::keep(&app, body).await?))
}
