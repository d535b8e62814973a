//! The graph.

use super::answer::Answer;
use super::viewer::Viewer;
use crate::api::NodeKind;
use crate::app::{datasets, drawing};
use crate::extract::Query;
use crate::state::App;
use crate::veiled::seen;
use axum::routing::get;
use axum::Router;
use databuild_ui::pages::graph;
use serde::Deserialize;

/// The routes of this noun.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/graph", get(page))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GraphQuery {
    around: String,
    depth: String,
    fold: String,
    package: String,
}

async fn page(app: App, viewer: Viewer, Query(query): Query<GraphQuery>) -> Answer {
    let GraphQuery { around, depth, fold, package } = query;
    let shown = graph::Shown { around, depth, fold, package };
    let view = seen(&app, drawing::draw(&app, shown.query()).await?).await?;
    let is_middle = |kind: NodeKind, name: &str| kind != NodeKind::Package && name == shown.around;
    let middle = if view.nodes.iter().any(|node| is_middle(node.kind, &node.name)) {
        Some(seen(&app, datasets::get(&app, shown.around.clone()).await?).await?)
    } else {
        None
    };
    Ok(viewer.shown(&graph::page(&view, &shown, middle.as_ref())))
}
