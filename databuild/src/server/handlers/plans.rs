//! Plans: what would happen, and having exactly that done.

use super::super::app::App;
use super::super::error::ApiError;
use super::super::keyed::Keyed;
use super::wants;
use super::{class, instant, refresh};
use crate::api::{ApplyPlan, Page, PlanRequest, PlanSummary, PlanView};
use crate::app::estimate;
use crate::app::views;
use axum::extract::rejection::JsonRejection;
use axum::extract::Path;
use axum::http::{header, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::Json;
use databuild_core::decide::{self, ApplyRequest};
use databuild_core::event::PlanCreated;
use databuild_core::ids::PlanId;
use databuild_core::state::SavedPlan;
use databuild_core::word::Word as _;
use jiff::Timestamp;
use std::sync::Arc;

/// `POST /plans`.
///
/// # Errors
/// A bad body, a reference that cannot be resolved, no graph, a full disk.
pub async fn create(app: App, body: Result<Json<PlanRequest>, JsonRejection>) -> Result<Response, ApiError> {
    let Json(body) = body?;
    let refresh = refresh(body.refresh.as_deref())?;
    let as_of = instant(body.as_of.as_deref())?;
    if body.expires_seconds == Some(0) {
        return Err(ApiError::new("bad_expiry", "a plan cannot expire after 0 seconds"));
    }
    let (plan, kept) = if body.save.unwrap_or(true) {
        let request = decide::PlanRequest {
            targets: body.targets,
            refresh,
            as_of,
            expires_seconds: body.expires_seconds,
        };
        app.engine.save_plan(request).await?
    } else {
        let plan = app.slow(move |app, _| {
            let now = crate::os::now();
            let as_of = as_of.map_or(now, |as_of| as_of.min(now));
            Ok(app.engine.plan(&body.targets, refresh, as_of)?.shown(refresh))
        });
        (plan.await?, false)
    };
    let id = plan.plan;
    let view = view(&app, plan, kept).await?;
    if kept {
        let location = [(header::LOCATION, format!("/api/v1/plans/{id}"))];
        return Ok((StatusCode::CREATED, location, Json(view)).into_response());
    }
    Ok(Json(view).into_response())
}

async fn view(app: &App, plan: PlanCreated, kept: bool) -> Result<PlanView, ApiError> {
    app.slow(move |app, reader| {
        let snapshot = app.engine.snapshot();
        let estimate = estimate::of(&plan, &snapshot.state, snapshot.capacity(), reader)?;
        Ok(views::plan(plan, kept, estimate, snapshot.state.seq.0))
    })
    .await
}

fn summary(saved: &SavedPlan, now: Timestamp) -> PlanSummary {
    let plan = &saved.plan;
    let (certain, if_changed) = views::plan_counts(plan);
    PlanSummary {
        id: plan.plan.to_string(),
        state: if plan.expires_at <= now { "expired" } else { "open" }.to_owned(),
        targets: plan.targets.clone(),
        refresh: plan.refresh.word().to_owned(),
        certain,
        if_changed,
        graph: plan.graph.to_string(),
        created_at: saved.created_at.to_string(),
        expires_at: plan.expires_at.to_string(),
    }
}

/// `GET /plans`: those that are kept, newest first.
///
/// # Errors
/// None.
pub async fn list(app: App) -> Result<Json<Page<PlanSummary>>, ApiError> {
    let snapshot = app.engine.snapshot();
    let now = crate::os::now();
    let data = snapshot.state.plans.values().rev().map(|saved| summary(saved, now)).collect();
    Ok(Json(Page { data, next: None, seq: snapshot.state.seq.0 }))
}

fn find(app: &App, id: &str) -> Result<Arc<SavedPlan>, ApiError> {
    let unknown = || ApiError::not_found("plan_not_found", "plan", id);
    let number: PlanId = id.parse().map_err(|_| unknown())?;
    app.engine.snapshot().state.plans.get(&number).cloned().ok_or_else(unknown)
}

/// `GET /plans/{id}`.
///
/// # Errors
/// It is not kept.
pub async fn get(app: App, Path(id): Path<String>) -> Result<Json<PlanView>, ApiError> {
    let saved = find(&app, &id)?;
    Ok(Json(view(&app, saved.plan.clone(), true).await?))
}

/// `POST /plans/{id}/apply`.
///
/// # Errors
/// It is not kept, has expired, or does not hold any more.
pub async fn apply(
    app: App,
    Path(id): Path<String>,
    Keyed { key, body }: Keyed<ApplyPlan>,
) -> Result<Response, ApiError> {
    let plan: PlanId = id.parse().map_err(|_| ApiError::not_found("plan_not_found", "plan", &id))?;
    let request = ApplyRequest {
        plan,
        class: class(body.class.as_deref())?,
        ttl_seconds: body.ttl_seconds,
        sla_seconds: body.sla_seconds,
        comment: body.comment,
        key,
    };
    let made = app.engine.apply_plan(request).await;
    wants::created(&app, made.map_err(|error| ApiError::from(error).with("plan_id", plan))?).await
}
