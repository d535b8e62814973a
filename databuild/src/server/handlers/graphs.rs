//! The job graph.

use super::super::app::App;
use super::super::error::ApiError;
use crate::api::{
    DatasetImpact, GraphId, ImpactRequest, RegisterReply, RegisterRequest, SourcesRequest, StaleView,
};
use crate::engine::Registration;
use crate::store::History;
use axum::extract::rejection::JsonRejection;
use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::Json;
use std::collections::BTreeMap;

/// `POST /graphs`.
///
/// # Errors
/// The graph is invalid.
pub async fn register(
    app: App,
    body: Result<Json<RegisterRequest>, JsonRejection>,
) -> Result<Json<RegisterReply>, ApiError> {
    let Json(RegisterRequest { content, sources, inherited, code_store }) = body?;
    if let Some(other) = code_store.filter(|root| !is_ours(&app, root)) {
        return Err(ApiError::new(
"code_store_differs",
            format!(
                "the code was stored in {other}, and the server looks for it in {}: set XDG_CACHE_HOME and HOME as for \
                 the server, or start it anew (databuild stop)",
                app.snapshots.root().display()
            ),
        ));
    }
    let sources = super::contents::all_there(&app, sources).await?;
    let (graph, changed) = app.engine.register(Registration { content, sources, inherited }).await?;
    app.slow(|app, _| {
        // Before anything relies on the new snapshots: another workspace's gc must not take them.
        crate::server::write_roots(app)
            .map(drop)
            .map_err(|error| ApiError::new(error.code(), error.to_string()))
    })
    .await?;
    Ok(Json(RegisterReply { graph: graph.to_string(), changed }))
}

/// Whether a folder is the server's code store, by whatever path.
fn is_ours(app: &App, root: &str) -> bool {
    let ours = app.snapshots.root();
    let real = |path: &std::path::Path| path.canonicalize().ok();
    std::path::Path::new(root) == ours || real(root.as_ref()).is_some_and(|other| Some(other) == real(ours))
}

/// `GET /graph`: the graph file as it was registered.
///
/// # Errors
/// No graph.
pub async fn current(app: App) -> Result<Response, ApiError> {
    let none = || ApiError::new("no_graph", "no graph is registered yet");
    let id = app.engine.snapshot().state.graph.as_ref().map(|graph| graph.id.clone()).ok_or_else(none)?;
    let content = app.quick(move |_, reader| reader.content(&id.0)?.ok_or_else(none)).await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], content).into_response())
}

/// `GET /graph/id`: what a client asks before it stores and registers its own.
pub async fn id(app: App) -> Json<GraphId> {
    let graph = app.engine.snapshot().state.graph.as_ref().map(|graph| graph.id.to_string());
    Json(GraphId { graph })
}

/// A registered graph by the beginning of its digest.
fn find(reader: &dyn History, id: &str) -> Result<crate::store::GraphRow, ApiError> {
    let unknown = || ApiError::not_found("graph_not_found", "graph", id);
    let plausible = id.len() >= 4 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !plausible {
        return Err(unknown());
    }
    reader.graph_beginning(id)?.value.ok_or_else(unknown)
}

/// `GET /graphs/{id}`: a graph file that was registered once, by at least four digits of its digest.
///
/// # Errors
/// No such graph.
pub async fn get(app: App, Path(id): Path<String>) -> Result<Response, ApiError> {
    let content = app.quick(move |_, reader| {
        let content = reader.content(&find(reader, &id)?.id.0)?;
        content.ok_or_else(|| ApiError::not_found("graph_not_found", "graph", &id))
    });
    let content = content.await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], content).into_response())
}

/// `POST /graphs/{id}/sources`: source manifests of some of its jobs, by label.
///
/// # Errors
/// No such graph.
pub async fn sources(
    app: App,
    Path(id): Path<String>,
    body: Result<Json<SourcesRequest>, JsonRejection>,
) -> Result<Json<BTreeMap<String, String>>, ApiError> {
    let Json(SourcesRequest { jobs }) = body?;
    let found = app.slow(move |_, reader| {
        let row = find(reader, &id)?;
        let mut found = BTreeMap::new();
        for job in jobs {
            let Some(digest) = row.sources.get(&job) else { continue };
            if let Some(bytes) = reader.text(digest)? {
                found.insert(job, String::from_utf8_lossy(&bytes).into_owned());
            }
        }
        Ok(found)
    });
    Ok(Json(found.await?))
}

/// `POST /graphs/impact`: what a graph would make stale. It is not registered.
///
/// # Errors
/// The graph is invalid, or none is registered.
pub async fn impact(
    app: App,
    body: Result<Json<ImpactRequest>, JsonRejection>,
) -> Result<Json<StaleView>, ApiError> {
    let Json(ImpactRequest { content, inherited }) = body?;
    let view = app.slow(move |app, _| {
        let (found, seq) = app.engine.impact(content, &inherited)?;
        let datasets: Vec<DatasetImpact> = found
            .into_iter()
            .map(|(dataset, impact)| DatasetImpact {
                dataset,
                stale: impact.stale,
                downstream: impact.downstream,
                lost: impact.lost,
            })
            .collect();
        let partitions = datasets.iter().map(|dataset| dataset.stale + dataset.downstream).sum();
        let lost = datasets.iter().map(|dataset| dataset.lost).sum();
        Ok(StaleView { partitions, lost, datasets, seq })
    });
    Ok(Json(view.await?))
}
