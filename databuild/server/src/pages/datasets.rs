//! Datasets and their partitions.

use super::answer::{refused, Answer};
use super::viewer::Viewer;
use crate::api::{
    ChecksQuery, PartitionState, PartitionsQuery, RunsQuery, StandingQuery, TilesQuery, WhyQuery,
};
use crate::app::{checks, datasets, partitions, runs, tiles, why};
use crate::extract::Query;
use crate::state::App;
use crate::veiled::seen;
use axum::extract::Path;
use axum::routing::get;
use axum::Router;
use databuild_core::reference::dataset_of;
use databuild_core::word::Word as _;
use databuild_ui::links;
use databuild_ui::pages;
use serde::Deserialize;

/// Rows of lists that are a part of a page.
const ROWS: usize = 50;

/// The routes of this noun.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/datasets", get(list))
        .route("/datasets/{*name}", get(one))
        .route("/partitions", get(of_reference))
        .route("/partition", get(partition))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ListQuery {
    q: String,
    state: String,
    sort: String,
    cursor: Option<usize>,
}

async fn list(app: App, viewer: Viewer, Query(query): Query<ListQuery>) -> Answer {
    let all = seen(&app, partitions::all_datasets(&app).await?).await?;
    let shown = pages::datasets::Shown {
        search: query.q,
        state: query.state,
        sort: query.sort,
        skip: query.cursor.unwrap_or(0),
    };
    Ok(viewer.shown(&pages::datasets::page(&all.data, &shown)))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OneQuery {
    tab: String,
    x: Option<String>,
    y: Option<String>,
    by: Option<String>,
    from: Option<String>,
    to: Option<String>,
    skip: Option<u64>,
    sel: String,
}

async fn one(app: App, viewer: Viewer, Path(name): Path<String>, Query(query): Query<OneQuery>) -> Answer {
    use pages::dataset::Tab;
    let detail = seen(&app, datasets::get(&app, name).await?).await?;
    let name = detail.summary.dataset.clone();
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let url = links::dataset(&name)
        .with("tab", &query.tab)
        .with("x", text(&query.x))
        .with("y", text(&query.y))
        .with("by", text(&query.by))
        .with("from", text(&query.from))
        .with("to", text(&query.to))
        .with("skip", query.skip.map_or_else(String::new, |skip| skip.to_string()))
        .with("sel", &query.sel);
    let shown = |tab: Tab<'_>| {
        let dataset = pages::dataset::Dataset { detail: &detail, tab, url: url.clone() };
        viewer.shown(&pages::dataset::page(&dataset, viewer.may("/plans"), viewer.now))
    };
    Ok(match query.tab.as_str() {
        "history" => {
            let of = RunsQuery { partition: Some(name.clone()), limit: Some(ROWS), ..RunsQuery::default() };
            let rows = seen(&app, runs::list(&app, of).await?).await?;
            shown(Tab::History(&rows))
        }
        "checks" => {
            let of =
                ChecksQuery { reference: Some(name.clone()), limit: Some(ROWS), ..ChecksQuery::default() };
            let rows = seen(&app, checks::list(&app, of).await?).await?;
            shown(Tab::Checks(&rows))
        }
        "code" => shown(Tab::Code),
        _ => {
            let selected = Some(query.sel).filter(|text| !text.is_empty());
            let of = TilesQuery {
                reference: Some(name.clone()),
                x: query.x.filter(|x| !x.is_empty()),
                y: query.y.filter(|y| !y.is_empty()),
                by: query.by,
                from: query.from,
                to: query.to,
                skip: query.skip,
                select: selected.clone(),
            };
            let cells = seen(&app, tiles::get(&app, of).await?).await?;
            let standing = match &selected {
                Some(reference) => {
                    let of = StandingQuery { reference: reference.clone() };
                    Some(seen(&app, datasets::standing(&app, of).await?).await?)
                }
                None => None,
            };
            let selected = selected.as_deref().zip(standing.as_ref());
            shown(Tab::Partitions { tiles: &cells, selected })
        }
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ReferenceQuery {
    #[serde(rename = "ref")]
    reference: String,
    state: String,
    cursor: Option<String>,
}

async fn of_reference(app: App, viewer: Viewer, Query(query): Query<ReferenceQuery>) -> Answer {
    if query.reference.is_empty() {
        return Err(refused("no_reference", "name a dataset: /partitions?ref=DATASET"));
    }
    let query = PartitionsQuery {
        reference: Some(query.reference),
        state: Some(query.state).filter(|state| !state.is_empty()),
        limit: None,
        cursor: query.cursor,
        sort: None,
    };
    let rows = seen(&app, partitions::list(&app, query.clone()).await?).await?;
    let states: Vec<&str> = PartitionState::ALL.iter().map(|state| state.word()).collect();
    let snapshot = app.backend.engine.snapshot();
    let graph = snapshot.state.followed().map(|registered| &registered.graph);
    let name = query.reference.as_deref().map_or("", dataset_of);
    let external =
        graph.and_then(|graph| Some(graph.dataset(graph.dataset_named(name)?).external)).unwrap_or_default();
    Ok(viewer.shown(&pages::partitions::page(&rows, &query, &states, external)))
}

async fn partition(app: App, viewer: Viewer, Query(query): Query<ReferenceQuery>) -> Answer {
    let why = seen(&app, why::partition(&app, WhyQuery { partition: query.reference }).await?).await?;
    let of = RunsQuery { partition: Some(why.partition.clone()), limit: Some(ROWS), ..RunsQuery::default() };
    let made = seen(&app, runs::list(&app, of).await?).await?;
    let of =
        ChecksQuery { reference: Some(why.partition.clone()), limit: Some(ROWS), ..ChecksQuery::default() };
    let found = seen(&app, checks::list(&app, of).await?).await?;
    let compares = viewer.may_read_whole("/api/v1/compare");
    Ok(viewer.shown(&pages::partition::page(&why, &made, &found, compares, viewer.may("/plans"), viewer.now)))
}
