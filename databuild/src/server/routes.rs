//! All routes in one place.

use super::app::App;
use super::error::ApiError;
use super::handlers::{
    checks, contents, errors, events, graphs, inventory, judgements, keys, metrics, partitions, plans, pools,
    runs, server, trials, wants,
};
use super::middleware::{guard, with_readable_path};
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{delete, get, post, put};
use axum::Router;

/// Bodies larger than this are refused, except a graph's.
const BODY_LIMIT: usize = 1 << 20;
/// A million keys.
const KEYS_LIMIT: usize = 64 << 20;
/// Some thousand pieces of source manifests, or digests of them.
const CONTENTS_LIMIT: usize = 16 << 20;
/// A graph of some ten thousand jobs.
const GRAPH_LIMIT: usize = 64 << 20;

/// Routes below `/api/v1`.
fn v1() -> Router<App> {
    Router::new()
        .route("/server", get(server::status))
        .route("/server/slots", put(server::set_slots))
        .route("/server/shutdown", post(server::shutdown))
        .route("/contents", post(contents::keep).layer(DefaultBodyLimit::max(CONTENTS_LIMIT)))
        .route("/contents/missing", post(contents::missing).layer(DefaultBodyLimit::max(CONTENTS_LIMIT)))
        .route("/graphs", post(graphs::register).layer(DefaultBodyLimit::max(GRAPH_LIMIT)))
        .route("/graphs/impact", post(graphs::impact).layer(DefaultBodyLimit::max(GRAPH_LIMIT)))
        .route("/graphs/{id}", get(graphs::get))
        .route("/graphs/{id}/sources", post(graphs::sources))
        .route("/graph", get(graphs::current))
        .route("/graph/id", get(graphs::id))
        .route("/wants", get(wants::list).post(wants::create))
        .route("/wants/{id}", get(wants::get).delete(wants::cancel))
        .route("/wants/{id}/progress", get(wants::progress))
        .route("/wants/{id}/pause", post(wants::pause))
        .route("/wants/{id}/resume", post(wants::resume))
        .route("/wants/{id}/priority", post(wants::prioritize))
        .route("/wants/{id}/why", get(wants::why))
        .route("/jobs/invoke", post(wants::invoke))
        .route("/trials", get(trials::list).post(trials::create))
        .route("/trials/{id}", get(trials::get).delete(trials::cancel))
        .route("/plans", get(plans::list).post(plans::create))
        .route("/plans/{id}", get(plans::get))
        .route("/plans/{id}/apply", post(plans::apply))
        .route("/checks", get(checks::list))
        .route("/pools", get(pools::list).put(pools::resize))
        .route("/taint", post(judgements::taint))
        .route("/untaint", post(judgements::untaint))
        .route("/accept", post(judgements::accept))
        .route("/scan", post(inventory::scan))
        .route("/adopt", post(inventory::adopt))
        .route("/keys", get(keys::spaces))
        .route("/keys/{space}", get(keys::list).post(keys::add).layer(DefaultBodyLimit::max(KEYS_LIMIT)))
        .route("/keys/{space}/retire", post(keys::retire).layer(DefaultBodyLimit::max(KEYS_LIMIT)))
        .route("/datasets", get(partitions::datasets))
        .route("/partitions", get(partitions::list))
        .route("/why", get(partitions::why))
        .route("/runs", get(runs::list))
        .route("/runs/{id}", get(runs::get).delete(runs::cancel))
        .route("/runs/{id}/why", get(runs::why))
        .route("/runs/{id}/logs/{stream}", get(runs::logs))
        .route("/events", get(events::list))
        .route("/errors", get(errors::list))
        .route("/errors/{code}", get(errors::get))
        .route("/gc", post(server::collect_garbage))
}

/// The paths of the first plan for this API; the same handlers.
fn seed() -> Router<App> {
    Router::new()
        .route("/wants", get(wants::list).post(wants::create))
        .route("/wants/{id}", get(wants::get).delete(wants::cancel))
        .route("/partitions", get(partitions::list))
        .route("/job_runs", get(runs::list))
        .route("/job_runs/{id}", get(runs::get).merge(delete(runs::cancel)))
        .route("/job_runs/{id}/logs/{stream}", get(runs::logs))
}

/// The whole API.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/health", get(server::health))
        .route("/ready", get(server::ready))
        .route("/metrics", get(metrics::metrics))
        .nest("/api/v1", v1().route_layer(from_fn(with_readable_path)))
        .nest("/api", seed().route_layer(from_fn(with_readable_path)))
        .fallback(|| async { ApiError::new("not_found", "there is no such path") })
        .method_not_allowed_fallback(|| async {
            ApiError::new("method_not_allowed", "this path has no such method")
        })
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_fn_with_state(app.clone(), guard))
        .with_state(app)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_route_is_there_twice() {
        // A router with a route twice does not come into being: the server would not start.
        let _: Router<App> = Router::new().nest("/api/v1", v1()).nest("/api", seed());
    }
}
