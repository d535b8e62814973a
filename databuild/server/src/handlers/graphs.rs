//! The job graph.

use super::super::error::ApiError;
use super::super::extract::{Body, Query};
use super::Answer;
use crate::api::{
    DiffQuery, DiffView, DrawingQuery, DrawingView, GraphId, ImpactRequest, RegisterReply, RegisterRequest,
    SourcesRequest, StaleView,
};
use crate::app::{drawing, graphs};
use crate::state::App;
use axum::extract::{DefaultBodyLimit, Path};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use std::collections::BTreeMap;

/// A graph of some ten thousand jobs.
const LIMIT: usize = 64 << 20;

/// The routes of this noun.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/graphs", post(register).layer(DefaultBodyLimit::max(LIMIT)))
        .route("/graphs/impact", post(impact).layer(DefaultBodyLimit::max(LIMIT)))
        .route("/graphs/diff", get(diff))
        .route("/graphs/{id}", get(one))
        .route("/graphs/{id}/sources", post(sources))
        .route("/graph", get(current))
        .route("/graph/id", get(id))
        .route("/graph/drawing", get(draw))
}

async fn register(app: App, Body(body): Body<RegisterRequest>) -> Answer<RegisterReply> {
    Ok(Json(graphs::register(&app, body).await?))
}

async fn current(app: App) -> Result<Response, ApiError> {
    Ok(file(graphs::current(&app).await?))
}

async fn diff(app: App, Query(query): Query<DiffQuery>) -> Answer<DiffView> {
    Ok(Json(graphs::diff(&app, query).await?))
}

async fn draw(app: App, Query(query): Query<DrawingQuery>) -> Answer<DrawingView> {
    Ok(Json(drawing::draw(&app, query).await?))
}

async fn id(app: App) -> Json<GraphId> {
    Json(graphs::id(&app))
}

async fn one(app: App, Path(id): Path<String>) -> Result<Response, ApiError> {
    Ok(file(graphs::get(&app, id).await?))
}

/// A graph file as it was registered.
fn file(content: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], content).into_response()
}

async fn sources(
    app: App,
    Path(id): Path<String>,
    Body(body): Body<SourcesRequest>,
) -> Answer<BTreeMap<String, String>> {
    Ok(Json(graphs::sources(&app, id, body).await?))
}

async fn impact(app: App, Body(body): Body<ImpactRequest>) -> Answer<StaleView> {
    Ok(Json(graphs::impact(&app, body).await?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Registration;

    /// The graph that tests register, with another argument.
    async fn register_another(app: &App) {
        let content = graphs::current(app).await.unwrap();
        let mut graph: serde_json::Value = serde_json::from_slice(&content).unwrap();
        graph["jobs"][0]["program"]["args"] = serde_json::json!(["--x=2"]);
        let registration =
            Registration { content: graph.to_string(), sources: BTreeMap::new(), inherited: BTreeMap::new() };
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
    async fn a_drawing_is_of_the_graph_that_is_followed() {
        let (app, _running) = crate::fuzz::app_with_graph().await;
        let drawn = drawing::draw(&app, DrawingQuery::default()).await.unwrap();
        assert_eq!(Some(drawn.graph), graphs::id(&app).graph);
        assert!(!drawn.nodes.is_empty());
    }
}
