//! What people say of data and code: taint, accept.

use super::context::Context;
use super::lineage::files_changed_since;
use super::partitions::shortened;
use super::AppError;
use crate::api::{AcceptReply, AcceptRequest, AcceptedChange, Digests, TaintReply, TaintRequest};
use crate::engine::CommandError;
use databuild_core::decide::{self, Input, Judgement, Reply};
use databuild_core::graph::JobDigests;

/// Declares data bad.
///
/// # Errors
/// A reference that cannot be resolved, no reason, nothing there.
pub async fn taint(context: &impl Context, body: TaintRequest) -> Result<TaintReply, AppError> {
    let done = context.backend().engine.taint(judgement(body)).await?;
    reply(context, &done)
}

/// Takes that back.
///
/// # Errors
/// A reference that cannot be resolved, nothing tainted.
pub async fn untaint(context: &impl Context, body: TaintRequest) -> Result<TaintReply, AppError> {
    let done = context.backend().engine.submit(Input::Untaint(judgement(body))).await?;
    reply(context, &done)
}

fn judgement(body: TaintRequest) -> Judgement {
    let TaintRequest { targets, reason } = body;
    Judgement { targets, reason }
}

fn reply(context: &impl Context, reply: &Reply) -> Result<TaintReply, AppError> {
    let Reply::Judged { partitions, followers } = *reply else {
        return Err(CommandError::wrong_reply(reply).into());
    };
    Ok(TaintReply { partitions, followers, seq: context.backend().engine.snapshot().state.seq().0 })
}

/// Judges changes of code and arguments harmless, or shows which these would be.
///
/// # Errors
/// A reference or label that leads nowhere, no reason, no change.
pub async fn accept(context: &impl Context, body: AcceptRequest) -> Result<AcceptReply, AppError> {
    let AcceptRequest { targets, job, reason, evidence, dry_run } = body;
    let request = decide::AcceptRequest { targets, job, reason, evidence: evidence.unwrap_or_default() };
    // What is shown is what the next step accepts, unless something changes in between.
    let changes = acceptable(context, request.clone()).await?;
    let engine = &context.backend().engine;
    let partitions = if dry_run {
        changes.iter().map(|change| change.count).sum()
    } else {
        match engine.submit(Input::Accept(request)).await? {
            Reply::Judged { partitions, .. } => partitions,
            other => return Err(CommandError::wrong_reply(&other).into()),
        }
    };
    let seq = engine.snapshot().state.seq().0;
    Ok(AcceptReply { dry_run, changes, partitions, seq })
}

async fn acceptable(
    context: &impl Context,
    asked: decide::AcceptRequest,
) -> Result<Vec<AcceptedChange>, AppError> {
    let changes = context.slow(move |backend, reader| {
        let state = backend.engine.snapshot().state.clone();
        let mut changes = Vec::new();
        for of in decide::acceptable(&state, &asked, crate::os::now())? {
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
    });
    changes.await
}

fn digests(of: &JobDigests) -> Digests {
    Digests { code: of.code.clone(), args: of.args.clone() }
}
