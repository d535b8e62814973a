//! All routes of pages.

use super::answer::guarded;
use super::{
    automation, changes, checks, compare, datasets, events, files, graph, live, now, plans, queue, runs,
    server, timeline, wants,
};
use crate::state::App;
use axum::middleware::map_response;
use axum::Router;

/// All of them.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .merge(automation::routes())
        .merge(changes::routes())
        .merge(checks::routes())
        .merge(compare::routes())
        .merge(datasets::routes())
        .merge(events::routes())
        .merge(files::routes())
        .merge(graph::routes())
        .merge(live::routes())
        .merge(now::routes())
        .merge(plans::routes())
        .merge(queue::routes())
        .merge(runs::routes())
        .merge(server::routes())
        .merge(timeline::routes())
        .merge(wants::routes())
        .layer(map_response(guarded))
}
