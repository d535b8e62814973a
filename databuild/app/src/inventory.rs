//! Looking at all files: scan and adopt.

use super::context::Context;
use super::words::{cursor, limit_of};
use super::AppError;
use crate::api::{AdoptReply, AdoptRequest, CountedSet, NotObserved, ScanReply, ScanRequest};
use crate::engine::Found;
use databuild_core::observation::{Blind, Blindness};

/// Partitions of one answer, if the request does not say: about a second of looking.
const LOOKS: u64 = 20_000;
/// The same where all is read.
const DEEP_LOOKS: u64 = 500;

/// Looks at files, and records what is missing or altered.
///
/// # Errors
/// A bad cursor, a reference that cannot be resolved, no graph.
pub async fn scan(context: &impl Context, body: ScanRequest) -> Result<ScanReply, AppError> {
    let skip: u64 = cursor(body.cursor.as_deref())?.unwrap_or(0);
    let most = if body.deep { DEEP_LOOKS } else { LOOKS };
    let limit = limit_of("partitions", body.limit, most, LOOKS)?;
    let engine = &context.backend().engine;
    let found = engine.scan(body.targets, body.deep, skip, limit).await?;
    let end = skip + found.looked;
    Ok(ScanReply {
        looked: found.looked,
        total: found.total,
        missing: counted(found.missing),
        altered: counted(found.altered),
        changed: counted(found.changed),
        known: found.known,
        not_observed: not_observed(found.unseen),
        next: (end < found.total && found.looked > 0).then(|| end.to_string()),
        seq: engine.snapshot().state.seq().0,
    })
}

/// Counts files that exist as built.
///
/// # Errors
/// A reference that cannot be resolved, no graph.
pub async fn adopt(context: &impl Context, body: AdoptRequest) -> Result<AdoptReply, AppError> {
    let AdoptRequest { targets, dry_run } = body;
    let engine = &context.backend().engine;
    let done = engine.adopt(targets, dry_run).await?;
    Ok(AdoptReply {
        dry_run,
        adopted: CountedSet { count: done.adopted.len() as u64, partitions: done.adopted },
        missing: counted(done.missing),
        recorded: counted(done.recorded),
        being_made: done.being_made,
        not_observed: not_observed(done.unseen),
        seq: engine.snapshot().state.seq().0,
    })
}

fn counted(found: Found) -> CountedSet {
    CountedSet { count: found.count, partitions: found.partitions }
}

fn not_observed(unseen: Vec<(Found, Blind)>) -> Vec<NotObserved> {
    let row = |(partitions, Blind { kind, message })| NotObserved {
        partitions: counted(partitions),
        code: Blindness::code(kind).to_owned(),
        message,
    };
    unseen.into_iter().map(row).collect()
}
