//! All routes: those of each noun, where they are mounted, and what each request passes.

use super::error::ApiError;
use super::handlers::{
    checks, contents, datasets, errors, events, graphs, inventory, judgements, keys, mcp, metrics, now,
    partitions, plans, pools, runs, server, sessions, tokens, trials, wants,
};
use super::middleware::{guard, with_readable_path};
use super::pages;
use super::requests::noted;
use super::state::App;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, Uri};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use axum::Router;

/// Bodies larger than this are refused, except where a route says otherwise.
const BODY_LIMIT: usize = 1 << 20;

/// Routes below `/api/v1`.
fn v1() -> Router<App> {
    Router::new()
        .merge(checks::routes())
        .merge(contents::routes())
        .merge(datasets::routes())
        .merge(errors::routes())
        .merge(events::routes())
        .merge(graphs::routes())
        .merge(inventory::routes())
        .merge(judgements::routes())
        .merge(keys::routes())
        .merge(now::routes())
        .merge(partitions::routes())
        .merge(plans::routes())
        .merge(pools::routes())
        .merge(runs::routes())
        .merge(server::routes())
        .merge(sessions::routes())
        .merge(tokens::routes())
        .merge(trials::routes())
        .merge(wants::routes())
}

/// The paths of the first plan for this API; the same handlers.
fn seed() -> Router<App> {
    Router::new()
        .merge(partitions::seed_routes())
        .merge(runs::seed_routes())
        .merge(server::seed_routes())
        .merge(wants::seed_routes())
}

/// The whole API, and the pages.
pub fn router(app: App) -> Router {
    Router::new()
        .merge(server::root_routes())
        .merge(metrics::root_routes())
        .merge(mcp::root_routes())
        .nest("/api/v1", v1().route_layer(from_fn(with_readable_path)))
        .nest("/api", seed().route_layer(from_fn(with_readable_path)))
        .merge(pages::routes().route_layer(from_fn(with_readable_path)))
        .fallback(|uri: Uri, headers: HeaderMap| async move {
            pages::told(&uri, &headers, ApiError::new("not_found", "there is no such path"))
        })
        .method_not_allowed_fallback(|uri: Uri, headers: HeaderMap| async move {
            pages::told(&uri, &headers, ApiError::new("method_not_allowed", "this path has no such method"))
        })
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_fn_with_state(app.clone(), guard))
        .layer(from_fn_with_state(app.clone(), noted))
        .with_state(app)
}

/// What a server answers that replays its log: it is well, not ready, and cannot do anything else yet.
pub fn replaying() -> Router {
    let replaying = || async { ApiError::new("replaying", "the server reads its event log; ask again") };
    let health = || async { "OK" };
    let open = ["/health", "/healthz", "/api/health"];
    let router = open.into_iter().fold(Router::new(), |router, path| router.route(path, get(health)));
    router.fallback(replaying)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_route_is_there_twice() {
        // A router with a route twice does not come into being: the server would not start.
        let _: Router<App> = Router::new().nest("/api/v1", v1()).nest("/api", seed()).merge(pages::routes());
    }
}
