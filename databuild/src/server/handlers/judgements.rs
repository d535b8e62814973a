//! What people say of data and code.

use super::super::app::App;
use super::super::error::ApiError;
use crate::api::{AcceptReply, AcceptRequest, AcceptedChange, Digests, TaintReply, TaintRequest};
use crate::app::lineage::files_changed_since;
use crate::app::views::shortened;
use axum::extract::rejection::JsonRejection;
use axum::Json;
use databuild_core::decide::{self, Input, Judgement, Refusal, Reply};
use databuild_core::graph::JobDigests;

fn judgement(body: TaintRequest) -> Judgement {
    let TaintRequest { targets, reason } = body;
    Judgement { targets, reason }
}

fn reply(app: &App, reply: &Reply) -> Json<TaintReply> {
    let (partitions, followers) = match reply {
        Reply::Judged { partitions, followers } => (*partitions, *followers),
        _ => (0, 0),
    };
    Json(TaintReply { partitions, followers, seq: app.engine.snapshot().state.seq.0 })
}

/// `POST /taint`.
///
/// # Errors
/// A bad body, a reference that cannot be resolved, no reason, nothing there.
pub async fn taint(
    app: App,
    body: Result<Json<TaintRequest>, JsonRejection>,
) -> Result<Json<TaintReply>, ApiError> {
    let Json(body) = body?;
    let done = app.engine.taint(judgement(body)).await?;
    Ok(reply(&app, &done))
}

/// `POST /untaint`.
///
/// # Errors
/// A bad body, a reference that cannot be resolved, nothing tainted.
pub async fn untaint(
    app: App,
    body: Result<Json<TaintRequest>, JsonRejection>,
) -> Result<Json<TaintReply>, ApiError> {
    let Json(body) = body?;
    let done = app.engine.submit(Input::Untaint(judgement(body))).await?;
    Ok(reply(&app, &done))
}

/// `POST /accept`.
///
/// # Errors
/// A bad body, a reference or label that leads nowhere, no reason, no change.
pub async fn accept(
    app: App,
    body: Result<Json<AcceptRequest>, JsonRejection>,
) -> Result<Json<AcceptReply>, ApiError> {
    let Json(body) = body?;
    let dry_run = body.dry_run;
    let request = decide::AcceptRequest {
        targets: body.targets,
        job: body.job,
        reason: body.reason,
        evidence: body.evidence.unwrap_or_default(),
    };
    let asked = request.clone();
    // What is shown is what the next step accepts, unless something changes in between.
    let changes = app
        .slow(move |app, reader| {
            let state = app.engine.snapshot().state.clone();
            let refused = |refusal: Refusal| ApiError::from(crate::engine::CommandError::Refused(refusal));
            let found = decide::acceptable(&state, &asked, crate::os::now()).map_err(refused)?;
            let mut changes = Vec::new();
            for of in found {
                let to = state.registered().digests_of(of.job);
                for (from, set) in &of.from {
                    changes.push(AcceptedChange {
                        job: state.graph().job(of.job).label.clone(),
                        from: digests(from),
                        to: digests(to),
                        count: set.len(),
                        partitions: shortened(state.work_text(of.job, set)),
                        files: files_changed_since(&state, reader, of.job, &from.code)?,
                    });
                }
            }
            Ok(changes)
        })
        .await?;
    let partitions = if dry_run {
        changes.iter().map(|change| change.count).sum()
    } else {
        match app.engine.submit(Input::Accept(request)).await? {
            Reply::Judged { partitions, .. } => partitions,
            _ => 0,
        }
    };
    let seq = app.engine.snapshot().state.seq.0;
    Ok(Json(AcceptReply { dry_run, changes, partitions, seq }))
}

fn digests(of: &JobDigests) -> Digests {
    Digests { code: of.code.clone(), args: of.args.clone() }
}
