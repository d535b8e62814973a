//! The job graph.

use super::super::error::ApiError;
use super::super::extract::{Body, Query};
use super::Answer;
use crate::api::{
    DiffQuery, DiffView, DrawingQuery, DrawingView, GraphDetail, GraphId, GraphRow, ImpactRequest, ListQuery,
    Page, RegisterReply, RegisterRequest, SourcesRequest, StaleView,
};
use crate::app::{drawing, graphs};
use crate::state::App;
use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::Json;
use std::collections::BTreeMap;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// A graph of some ten thousand jobs.
pub(crate) const LIMIT: usize = 64 << 20;

/// The routes of this noun.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(register))
        .routes(routes!(impact))
        .routes(routes!(list))
        .routes(routes!(diff))
        .routes(routes!(one))
        .routes(routes!(content))
        .routes(routes!(sources))
        .routes(routes!(current))
        .routes(routes!(id))
        .routes(routes!(draw))
}

/// Registers a graph.
///
/// `sources` names the jobs' source manifests, whose contents were sent before. The code of its jobs must be in the
/// server's code store already; the command line sees to that. A value that is no UTF-8 is `{"hex": "..."}`. The
/// body has at most 64 MiB.
///
/// Without `deploy` it takes the place of a graph that starts no work by itself, unless the server's setting `deploy` is `explicit`;
/// otherwise it is refused, unless it is the graph that new work follows already. With `deploy` somebody [deploys](deploying.md) it.
#[utoipa::path(
    post,
    path = "/graphs",
    tag = "Graphs",
    operation_id = "graphs_register",
    request_body = RegisterRequest,
    responses(
        (status = 200, body = RegisterReply),
        (status = "default", description = "graph_invalid unsupported_format deploy_needed graph_changed graph_replaced sources_missing code_store_differs code_store_damaged code_store_io WRITE"),
    )
)]
async fn register(app: App, Body(body): Body<RegisterRequest>) -> Answer<RegisterReply> {
    Ok(Json(graphs::register(&app, body).await?))
}

/// The graph file that new work follows.
#[utoipa::path(
    get,
    path = "/graph",
    tag = "Graphs",
    operation_id = "graphs_current",
    responses(
        (status = 200, description = "The graph file, as it was registered.", body = serde_json::Value, content_type = "application/json"),
        (status = "default", description = "no_graph"),
    )
)]
async fn current(app: App) -> Result<Response, ApiError> {
    Ok(file(graphs::current(&app).await?))
}

/// What differs between two graphs that were registered.
///
/// It is told as [`databuild diff`](cli.md#diff) tells it, with `files` to blame. Without `head` it is the graph that new work
/// follows, without `base` the one that was registered before the head. If new work follows the head, `stale` says what it made stale.
#[utoipa::path(
    get,
    path = "/graphs/diff",
    tag = "Graphs",
    operation_id = "graphs_diff",
    params(DiffQuery),
    responses(
        (status = 200, body = DiffView),
        (status = "default", description = "no_graph graph_not_found query_too_slow"),
    )
)]
async fn diff(app: App, Query(query): Query<DiffQuery>) -> Answer<DiffView> {
    Ok(Json(graphs::diff(&app, query).await?))
}

/// Which datasets are made from which, and where each stands in a drawing.
///
/// Places and layers are 0 or more; two nodes or bends of a layer are at least 1 apart. With `around`, only what that
/// dataset, job's output or folded package is made from, and what is made from it; `depth` steps away at most. With
/// `fold`, a package stands for its datasets, unless `open` names it. With `most`, packages are folded, into those above
/// them if need be, until there are no more nodes than that.
#[utoipa::path(
    get,
    path = "/graph/drawing",
    tag = "Graphs",
    operation_id = "graphs_drawing",
    params(DrawingQuery),
    responses(
        (status = 200, body = DrawingView),
        (status = "default", description = "no_graph unknown_dataset"),
    )
)]
async fn draw(app: App, Query(query): Query<DrawingQuery>) -> Answer<DrawingView> {
    Ok(Json(drawing::draw(&app, query).await?))
}

/// The digest of the graph that new work follows.
///
/// It is null before the first registration. `only_deploy` says whether only a registration with `deploy` puts another one in its place.
#[utoipa::path(
    get,
    path = "/graph/id",
    tag = "Graphs",
    operation_id = "graphs_id",
    responses(
        (status = 200, body = GraphId),
    )
)]
async fn id(app: App) -> Json<GraphId> {
    Json(graphs::id(&app))
}

/// A graph file that was registered once.
#[utoipa::path(
    get,
    path = "/graphs/{id}/file",
    tag = "Graphs",
    operation_id = "graphs_content",
    params(("id" = String, Path, description = "The graph: at least four digits of its digest, its number, or `latest`.", example = "latest")),
    responses(
        (status = 200, description = "The graph file, as it was registered.", body = serde_json::Value, content_type = "application/json"),
        (status = "default", description = "graph_not_found"),
    )
)]
async fn content(app: App, Path(id): Path<String>) -> Result<Response, ApiError> {
    Ok(file(graphs::get(&app, id).await?))
}

/// Registrations of graphs, newest first.
#[utoipa::path(
    get,
    path = "/graphs",
    tag = "Graphs",
    operation_id = "graphs_list",
    params(ListQuery),
    responses((status = 200, body = Page<GraphRow>), (status = "default", description = "LIST"))
)]
async fn list(app: App, Query(query): Query<ListQuery>) -> Answer<Page<GraphRow>> {
    Ok(Json(graphs::list(&app, query).await?))
}

/// A graph, with its jobs and datasets.
///
/// One that was registered more than once is told as it was the last time.
#[utoipa::path(
    get,
    path = "/graphs/{id}",
    tag = "Graphs",
    operation_id = "graphs_one",
    params(("id" = String, Path, description = "The graph: at least four digits of its digest, its number, or `latest`.", example = "latest")),
    responses((status = 200, body = GraphDetail), (status = "default", description = "graph_not_found"))
)]
async fn one(app: App, Path(id): Path<String>) -> Answer<GraphDetail> {
    Ok(Json(graphs::detail(&app, id).await?))
}

/// A graph file as it was registered.
fn file(content: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], content).into_response()
}

/// Source manifests of jobs of a graph, by label.
#[utoipa::path(
    post,
    path = "/graphs/{id}/sources",
    tag = "Graphs",
    operation_id = "graphs_sources",
    params(("id" = String, Path, description = "The graph: at least four digits of its digest, its number, or `latest`.", example = "latest")),
    request_body = SourcesRequest,
    responses(
        (status = 200, description = "`{LABEL: MANIFEST}`.", body = BTreeMap<String, String>),
        (status = "default", description = "graph_not_found"),
    )
)]
async fn sources(
    app: App,
    Path(id): Path<String>,
    Body(body): Body<SourcesRequest>,
) -> Answer<BTreeMap<String, String>> {
    Ok(Json(graphs::sources(&app, id, body).await?))
}

/// What a graph would make stale.
///
/// How many partitions that are current would not be under this graph: for each dataset `stale` and, only if
/// upstream data changes, `downstream`; `already` counts those that are stale now, or behind something that is, and would be under
/// this graph, too; `estimate` is how long building anew takes what is current and would not be; `lost` counts built partitions of which the graph would know nothing, since
/// no dataset takes them over; `deadlines` are open wants that it would make late. It is not registered. The body has at most 64 MiB.
#[utoipa::path(
    post,
    path = "/graphs/impact",
    tag = "Graphs",
    operation_id = "graphs_impact",
    request_body = ImpactRequest,
    responses(
        (status = 200, body = StaleView),
        (status = "default", description = "no_graph graph_invalid unsupported_format"),
    )
)]
async fn impact(app: App, Body(body): Body<ImpactRequest>) -> Answer<StaleView> {
    Ok(Json(graphs::impact(&app, body).await?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Deployment;
    use crate::engine::Registration;

    /// The graph that tests register, with another argument.
    async fn register_another(app: &App) {
        let content = graphs::current(app).await.unwrap();
        let mut graph: serde_json::Value = serde_json::from_slice(&content).unwrap();
        graph["jobs"][0]["program"]["args"] = serde_json::json!(["--x=2"]);
        let registration = Registration {
            content: graph.to_string(),
            sources: BTreeMap::new(),
            inherited: BTreeMap::new(),
            leave: crate::fuzz::leave(),
        };
        app.backend.engine.register(registration).await.unwrap();
    }

    #[tokio::test]
    async fn a_graph_is_compared_with_the_one_before_it() {
        let (app, _running) = crate::fuzz::app_with_graph().await;
        let refused = graphs::diff(&app, DiffQuery::default()).await.unwrap_err();
        assert_eq!(refused.code(), "graph_not_found");
        register_another(&app).await;
        let found = graphs::diff(&app, DiffQuery::default()).await.unwrap();
        assert_eq!((found.jobs.len(), found.jobs[0].what.as_slice()), (1, &["args".to_owned()][..]));
        let back =
            DiffQuery { base: Some(found.head[..8].to_owned()), head: Some(found.base[..8].to_owned()) };
        let back = graphs::diff(&app, back).await.unwrap();
        assert_eq!((back.base, back.head), (found.head, found.base));
    }

    #[tokio::test]
    async fn a_deployment_takes_the_place_of_the_graph_that_was_seen() {
        let (app, _running) = crate::fuzz::app_with_graph().await;
        let now = graphs::id(&app);
        assert!(now.only_deploy, "it has a schedule");
        let content = String::from_utf8(graphs::current(&app).await.unwrap()).unwrap();
        let request = |instead_of: Option<&str>| RegisterRequest {
            content: content.replacen("{date}", "{date}-2", 1),
            sources: BTreeMap::new(),
            inherited: BTreeMap::new(),
            code_store: None,
            deploy: Some(Deployment { instead_of: instead_of.map(str::to_owned) }),
        };
        for other in [None, Some("0123")] {
            let refused = graphs::register(&app, request(other)).await.unwrap_err();
            assert_eq!(refused.code(), "graph_changed");
        }
        assert_eq!(graphs::id(&app), now);
        let deployed = graphs::register(&app, request(now.graph.as_deref())).await.unwrap();
        assert!(deployed.changed);
        // Whoever got no answer asks again.
        let again = graphs::register(&app, request(now.graph.as_deref())).await.unwrap();
        assert_eq!((again.changed, Some(again.graph)), (false, graphs::id(&app).graph));
    }

    #[tokio::test]
    async fn a_drawing_is_of_the_graph_that_is_followed() {
        let (app, _running) = crate::fuzz::app_with_graph().await;
        let drawn = drawing::draw(&app, DrawingQuery::default()).await.unwrap();
        assert_eq!(Some(drawn.graph), graphs::id(&app).graph);
        assert!(!drawn.nodes.is_empty());
    }
}
