//! Removes what nothing refers to any more: code snapshots by reachability, attempts' folders by age,
//! staging that no live attempt owns, and old events if somebody asks. Before that it checks the whole log.

use super::context::{Backend, Context};
use super::AppError;
use crate::api::{Archived, GcReply, GcRequest, HeldBy};
use crate::engine::{self, ArchiveRequest};
use crate::executor::AttemptName;
use crate::snapshot::{CodeDigest, Roots, SnapshotError};
use databuild_core::decide::Input;
use databuild_core::event::GarbageCollected;
use databuild_core::ids::AttemptId;
use jiff::SignedDuration;
use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

/// What was stored so recently may belong to a registration that is under way.
const MIN_AGE: Duration = Duration::from_secs(3600);

/// Tells the store what this workspace may still run.
///
/// # Errors
/// The store cannot be written.
pub fn write_roots(backend: &Backend) -> Result<Roots, SnapshotError> {
    let snapshot = backend.engine.snapshot();
    let state = &snapshot.state;
    let graphs = state.graphs_in_use();
    let codes = graphs.flat_map(|graph| graph.graph.codes().filter_map(|code| code.parse().ok())).collect();
    let roots = Roots { codes, binaries: backend.binary.iter().copied().collect() };
    backend.snapshots.write_roots(&backend.home, &roots)?;
    Ok(roots)
}

/// Collects; with `dry_run` only counts. Nothing is removed if the log is damaged: it says what is needed.
///
/// # Errors
/// The log is damaged, or the code store cannot be swept.
pub async fn collect(context: &impl Context, request: GcRequest) -> Result<GcReply, AppError> {
    let (reply, collected) = context.slow(move |backend, _| sweep(backend, &request)).await?;
    if !reply.dry_run {
        context.backend().engine.submit(Input::GarbageCollected(collected)).await?;
    }
    Ok(reply)
}

/// What is told, and what is recorded.
fn sweep(backend: &Backend, request: &GcRequest) -> Result<(GcReply, GarbageCollected), AppError> {
    let events_checked = backend.engine.check_log()?;
    let roots = write_roots(backend)?;
    let reachable: HashSet<CodeDigest> = roots.codes.into_iter().collect();
    let report = backend.snapshots.collect(&reachable, MIN_AGE, request.dry_run)?;
    let state = std::sync::Arc::clone(&backend.engine.snapshot().state);
    let live: BTreeSet<AttemptId> = state.runs().values().map(|run| run.attempt_id()).collect();
    let is_over =
        |name: &AttemptName| name.as_str().parse().is_ok_and(|attempt: AttemptId| !live.contains(&attempt));
    let asked = request.keep_days.map(|days| Duration::from_secs(u64::from(days) * 24 * 3600));
    let keep = asked.or(backend.keep_logs).unwrap_or(Duration::MAX);
    let older_than =
        crate::os::now().checked_sub(SignedDuration::try_from(keep).unwrap_or(SignedDuration::MAX)).ok();
    let attempts = backend.engine.executor().sweep(&is_over, keep, request.dry_run);
    let in_staging = || {
        let state = std::sync::Arc::clone(&backend.engine.snapshot().state);
        state.runs().values().map(|run| run.attempt_id()).collect()
    };
    let staging = engine::sweep_staging(&backend.staging, in_staging, request.dry_run);
    let archived =
        request.events_older_than_seconds.map(|age| archive(backend, age, request.dry_run)).transpose()?;
    let reply = GcReply {
        dry_run: request.dry_run,
        snapshots_removed: report.snapshots_removed,
        files_removed: report.files_removed,
        bytes_freed: report.bytes,
        attempts_removed: attempts.removed + staging.removed,
        not_removed: attempts.failed.into_iter().chain(staging.failed).collect(),
        events_checked,
        archived,
    };
    let collected = GarbageCollected {
        attempts: attempts.removed,
        older_than: older_than.filter(|_| attempts.removed > 0),
        staged: staging.removed,
        snapshots: reply.snapshots_removed,
        bytes: reply.bytes_freed,
        archived_until: reply.archived.as_ref().map_or(0, |archived| archived.last),
    };
    Ok((reply, collected))
}

fn archive(backend: &Backend, age_seconds: u64, dry_run: bool) -> Result<Archived, AppError> {
    let older_than = SignedDuration::from_secs(i64::try_from(age_seconds).unwrap_or(i64::MAX));
    let engine::Archived { after, until, bytes, file, log_bytes_before, log_bytes_after, held_by } =
        backend.engine.archive(ArchiveRequest { older_than, at_least: 1, dry_run })?;
    let events = until.0.saturating_sub(after.0);
    let (first, last) = if events == 0 { (0, 0) } else { (after.0 + 1, until.0) };
    let file_bytes = file.as_ref().map_or(0, |(_, bytes)| *bytes);
    let file = file.map(|(path, _)| path.display().to_string());
    let held_by = held_by.map(|(live, seq)| HeldBy { id: live.to_string(), seq: seq.0 });
    Ok(Archived { events, first, last, bytes, file, file_bytes, log_bytes_before, log_bytes_after, held_by })
}
