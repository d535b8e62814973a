//! The server: what it has, does and was told.

use super::answer::Answer;
use super::viewer::Viewer;
use crate::app::{disk, server, tokens};
use crate::state::App;
use crate::veiled::seen;
use axum::routing::get;
use axum::Router;
use databuild_ui::pages;

/// The routes of this noun.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/server", get(page))
}

async fn page(app: App, viewer: Viewer) -> Answer {
    let status = seen(&app, app.status().await?).await?;
    // The folder is walked through only where that is shown.
    let disk = match viewer.asks_for("disk") && viewer.may_read_whole("/api/v1/server/disk") {
        true => Some(disk::report(&app).await?),
        false => None,
    };
    let settings = viewer.may_read_whole("/api/v1/server/settings").then(|| server::settings(&app).data);
    let tokens = viewer.may_read_whole("/api/v1/tokens").then(|| tokens::list(&app).data);
    let shown = pages::server::Server {
        status: &status,
        disk: disk.as_ref(),
        settings: settings.as_deref(),
        tokens: tokens.as_deref(),
    };
    Ok(viewer.shown(&pages::server::page(&shown, viewer.now)))
}
