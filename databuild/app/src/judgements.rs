//! What people say of data and code: taint, accept.

use super::audience::Audience;
use super::context::Context;
use super::lineage::files_changed_since;
use super::once::Told;
use super::partitions::shortened;
use super::words::said;
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
    let engine = &context.backend().engine;
    let judgement = judgement(context, body)?;
    let told = judged(&context.backend().audience, &judgement);
    let done = engine.taint(judgement, told.kept()).await?;
    told.answer(engine, &done)
}

/// Takes that back.
///
/// # Errors
/// A reference that cannot be resolved, nothing tainted.
pub async fn untaint(context: &impl Context, body: TaintRequest) -> Result<TaintReply, AppError> {
    let judgement = judgement(context, body)?;
    judged(&context.backend().audience, &judgement)
        .submit(&context.backend().engine, Input::Untaint(judgement))
        .await
}

/// What is judged, by the keys of this instant: files are looked at before the engine decides.
fn judgement(context: &impl Context, body: TaintRequest) -> Result<Judgement, AppError> {
    let TaintRequest { targets, reason } = body;
    Ok(Judgement { targets: in_exact_keys(context, &targets)?, reason: said("reason", reason)? })
}

/// References with the keys that relative ones mean now.
fn in_exact_keys(context: &impl Context, texts: &[String]) -> Result<Vec<String>, AppError> {
    let (snapshot, now) = (context.backend().engine.snapshot(), crate::os::now());
    texts.iter().map(|text| Ok(snapshot.state.in_exact_keys(text, now)?)).collect()
}

fn judged(audience: &Audience, judgement: &Judgement) -> Told<TaintReply> {
    let (audience, targets) = (audience.clone(), judgement.targets.clone());
    Told::by(move |reply, seq| match reply {
        Reply::Judged { partitions, followers } => {
            let seen = followers.iter().filter(|(dataset, _)| audience.sees_name(dataset));
            let followers = seen.map(|(_, count)| count).sum();
            Ok(TaintReply { targets: targets.clone(), partitions: *partitions, followers, seq: seq.0 })
        }
        _ => Err(CommandError::wrong_reply(reply)),
    })
}

/// Judges changes of code and arguments harmless, or shows which these would be.
///
/// # Errors
/// A reference or label that leads nowhere, no reason, no change.
pub async fn accept(context: &impl Context, body: AcceptRequest) -> Result<AcceptReply, AppError> {
    let AcceptRequest { targets, job, reason, evidence, dry_run } = body;
    let (reason, evidence) = (said("reason", reason)?, said("evidence", evidence.unwrap_or_default())?);
    let targets = in_exact_keys(context, &targets)?;
    let request = decide::AcceptRequest { targets, job, reason, evidence };
    // What is shown is what the next step accepts, unless something changes in between.
    let changes = acceptable(context, request.clone()).await?;
    let engine = &context.backend().engine;
    if dry_run {
        let partitions = changes.iter().map(|change| change.count).sum();
        let seq = engine.snapshot().state.seq().0;
        return Ok(AcceptReply { dry_run, changes, partitions, seq });
    }
    let told = Told::by(move |reply, seq| match *reply {
        Reply::Judged { partitions, .. } => {
            Ok(AcceptReply { dry_run, changes: changes.clone(), partitions, seq: seq.0 })
        }
        _ => Err(CommandError::wrong_reply(reply)),
    });
    told.submit(engine, Input::Accept(request)).await
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
