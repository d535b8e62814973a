//! What runs, what begins next, what waits.

use super::answer::Answer;
use super::viewer::Viewer;
use crate::app::queue;
use crate::state::App;
use crate::veiled::seen;
use axum::routing::get;
use axum::Router;
use databuild_ui::pages;

/// The routes of this noun.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/queue", get(page))
}

async fn page(app: App, viewer: Viewer) -> Answer {
    let queue = seen(&app, queue::get(&app).await?).await?;
    Ok(viewer.shown(&pages::queue::page(&queue, viewer.now)))
}
