//! All routes: those of each noun, where they are mounted, and what each request passes.

use super::document;
use super::error::ApiError;
use super::handlers::openapi::Described;
use super::handlers::{
    checks, compare, contents, datasets, errors, events, graphs, inventory, judgements, keys, mcp, metrics,
    now, openapi, partitions, plans, pools, queue, runs, schedules, server, sessions, timeline, tokens,
    trials, wants,
};
use super::pages;
use super::passage::passed;
use super::state::App;
use super::tag::Given;
use axum::http::{HeaderMap, Uri};
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use axum::{Extension, Router};
use std::sync::Arc;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

/// Routes below `/api/v1`.
fn v1() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(checks::routes())
        .merge(compare::routes())
        .merge(contents::routes())
        .merge(datasets::routes())
        .merge(errors::routes())
        .merge(events::routes())
        .merge(graphs::routes())
        .merge(inventory::routes())
        .merge(judgements::routes())
        .merge(keys::routes())
        .merge(now::routes())
        .merge(openapi::routes())
        .merge(partitions::routes())
        .merge(plans::routes())
        .merge(pools::routes())
        .merge(queue::routes())
        .merge(runs::routes())
        .merge(schedules::routes())
        .merge(server::routes())
        .merge(sessions::routes())
        .merge(timeline::routes())
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

/// All routes of the API, and what stands above their handlers.
fn all() -> (Router<App>, OpenApi) {
    let described = OpenApiRouter::new()
        .merge(server::root_routes())
        .merge(metrics::root_routes())
        .merge(mcp::root_routes())
        .nest("/api/v1", v1());
    let (router, said) = described.split_for_parts();
    (router.nest("/api", seed()), said)
}

/// The API's description of itself, an OpenAPI 3.1 document.
#[must_use]
pub fn description() -> serde_json::Value {
    document::complete(&all().1)
}

/// The whole API, and the pages.
pub fn router(app: App) -> Router {
    let (router, said) = all();
    router
        .layer(Extension(Described::by(move || document::complete(&said))))
        .merge(pages::routes())
        .fallback(|uri: Uri, headers: HeaderMap| async move {
            pages::told(&uri, &headers, ApiError::new("not_found", "there is no such path"))
        })
        .method_not_allowed_fallback(|uri: Uri, headers: HeaderMap| async move {
            pages::told(&uri, &headers, ApiError::new("method_not_allowed", "this path has no such method"))
        })
        .layer(from_fn_with_state((app.clone(), Arc::<Given>::default()), passed))
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
    use std::collections::BTreeSet;

    /// Paths of the router, which axum tells only as text: `RouteId(7): "/api/v1/wants"`.
    fn paths(router: &Router<App>) -> BTreeSet<String> {
        let told = format!("{router:?}");
        let quoted = told.split("RouteId(").filter_map(|part| part.split_once("): \"")?.1.split('"').next());
        let paths = quoted.filter(|path| *path != "/" && !path.contains("__private"));
        paths.map(document::path_of).collect()
    }

    #[test]
    fn no_route_is_there_twice() {
        // A router with a route twice does not come into being: the server would not start.
        let _: Router<App> = all().0.merge(pages::routes());
    }

    #[test]
    fn the_description_has_every_path_and_no_other() {
        let (router, said) = all();
        let description = document::complete(&said);
        let described = description["paths"].as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
        assert!(described.len() > 40, "{described:?}");
        assert_eq!(described, paths(&router));
    }
}
