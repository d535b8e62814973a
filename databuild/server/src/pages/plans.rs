//! Plans: what would run, before it does.

use super::answer::{to, Answer};
use super::form::Sent;
use super::viewer::Viewer;
use crate::api::{self, ApplyPlan, PlanRequest};
use crate::app::plans;
use crate::extract::Query;
use crate::state::App;
use crate::store::MAX_ROWS;
use crate::veiled::seen;
use axum::extract::Path;
use axum::routing::get;
use axum::Router;
use databuild_ui::links;
use databuild_ui::pages;
use serde::Deserialize;

/// The routes of this noun.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/plans", get(list).post(create)).route("/plans/{id}", get(one).post(apply))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ListQuery {
    targets: String,
}

async fn list(app: App, viewer: Viewer, Query(query): Query<ListQuery>) -> Answer {
    let kept = plans::list(&app, api::PlansQuery { limit: Some(MAX_ROWS), ..Default::default() }).await?;
    let kept = seen(&app, kept).await?;
    Ok(viewer.shown(&pages::plans::page(&kept.data, &query.targets, viewer.may("/plans"), viewer.now)))
}

async fn create(app: App, viewer: Viewer, sent: Sent) -> Answer {
    let request = PlanRequest {
        targets: sent.get("targets").split_whitespace().map(str::to_owned).collect(),
        refresh: None,
        as_of: None,
        expires_seconds: None,
        save: None,
    };
    let plan = seen(&app, plans::create(&app, request, None).await?.made).await?;
    // One with nothing to do is not kept.
    match &plan.id {
        Some(id) => Ok(to(&links::plan(id))),
        None => Ok(viewer.shown(&pages::plan::page(&plan, viewer.may("/plans"), viewer.now))),
    }
}

async fn one(app: App, viewer: Viewer, Path(id): Path<String>) -> Answer {
    let plan = seen(&app, plans::get(&app, plans::parse(&id)?).await?).await?;
    Ok(viewer.shown(&pages::plan::page(&plan, viewer.may("/plans"), viewer.now)))
}

async fn apply(app: App, Path(id): Path<String>, sent: Sent) -> Answer {
    let body = ApplyPlan { class: sent.some("class"), ..ApplyPlan::default() };
    let want = plans::apply(&app, plans::parse(&id)?, body, None).await?;
    Ok(to(&links::want(&want.made.want.id)))
}
