//! The server: what it has, does and was told.

use super::answer::Answer;
use super::viewer::Viewer;
use crate::app::{disk, server, tokens};
use crate::state::App;
use axum::routing::get;
use axum::Router;
use databuild_ui::pages;

/// The routes of this noun.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/server", get(page))
}

async fn page(app: App, viewer: Viewer) -> Answer {
    let status = app.status().await?;
    // The folder is walked through only where that is shown.
    let disk = match viewer.asks_for("disk") {
        true => Some(disk::report(&app).await?),
        false => None,
    };
    let shown = pages::server::Server {
        status: &status,
        disk: disk.as_ref(),
        settings: &server::settings(&app).data,
        tokens: &tokens::list(&app).data,
    };
    Ok(viewer.shown(&pages::server::page(&shown, viewer.now)))
}
