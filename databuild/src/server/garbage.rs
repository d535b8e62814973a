//! Removes what nothing refers to any more: code snapshots by reachability, attempts' folders by age,
//! staging that no live attempt owns, and old events if somebody asks. Before that it checks the whole log.

use super::app::App;
use super::error::ApiError;
use crate::api::{Archived, GcReply, GcRequest, HeldBy};
use crate::engine::{self, ArchiveRequest, Swept};
use crate::snapshot::{CodeDigest, Roots, SnapshotError};
use jiff::SignedDuration;
use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// What was stored so recently may belong to a registration that is under way.
const MIN_AGE: Duration = Duration::from_secs(3600);

/// Tells the store what this workspace may still run.
///
/// # Errors
/// The store cannot be written.
pub fn write_roots(app: &App) -> Result<Roots, SnapshotError> {
    let snapshot = app.engine.snapshot();
    let state = &snapshot.state;
    let graphs = state.graphs_in_use();
    let codes = graphs.flat_map(|graph| graph.graph.codes().filter_map(|code| code.parse().ok())).collect();
    let roots = Roots { codes, binaries: app.binary.iter().copied().collect() };
    app.snapshots.write_roots(app.engine.workspace(), &roots)?;
    Ok(roots)
}

/// Collects; with `dry_run` only counts. Nothing is removed if the log is damaged: it says what is needed.
pub(super) fn collect(app: &App, request: &GcRequest) -> Result<GcReply, ApiError> {
    let failed = |error: SnapshotError| ApiError::new(error.code(), error.to_string());
    let events_checked = app.engine.check_log()?;
    let roots = write_roots(app).map_err(failed)?;
    let reachable: HashSet<CodeDigest> = roots.codes.into_iter().collect();
    let report = app.snapshots.collect(&reachable, MIN_AGE, request.dry_run).map_err(failed)?;
    let state = std::sync::Arc::clone(&app.engine.snapshot().state);
    let live: BTreeSet<String> = state.runs.values().map(|run| run.attempt_id().to_string()).collect();
    let keep = Duration::from_secs(u64::from(request.keep_days.unwrap_or(30)) * 24 * 3600);
    let attempts = sweep(app.engine.spool(), &live, keep, request.dry_run);
    let in_staging = || {
        let state = std::sync::Arc::clone(&app.engine.snapshot().state);
        state.runs.values().map(|run| run.attempt_id()).collect()
    };
    let staging = engine::sweep_staging(&app.staging, in_staging, request.dry_run);
    let archived =
        request.events_older_than_seconds.map(|age| archive(app, age, request.dry_run)).transpose()?;
    Ok(GcReply {
        dry_run: request.dry_run,
        snapshots_removed: report.snapshots_removed,
        files_removed: report.files_removed,
        bytes_freed: report.bytes,
        attempts_removed: attempts.removed + staging.removed,
        not_removed: attempts.failed.into_iter().chain(staging.failed).collect(),
        events_checked,
        archived,
    })
}

fn archive(app: &App, age_seconds: u64, dry_run: bool) -> Result<Archived, ApiError> {
    let older_than = SignedDuration::from_secs(i64::try_from(age_seconds).unwrap_or(i64::MAX));
    let engine::Archived { after, until, bytes, file, log_bytes_before, log_bytes_after, held_by } =
        app.engine.archive(ArchiveRequest { older_than, at_least: 1, dry_run })?;
    let events = until.0.saturating_sub(after.0);
    let (first, last) = if events == 0 { (0, 0) } else { (after.0 + 1, until.0) };
    let file_bytes = file.as_ref().map_or(0, |(_, bytes)| *bytes);
    let file = file.map(|(path, _)| path.display().to_string());
    let held_by = held_by.map(|(live, seq)| HeldBy { id: live.to_string(), seq: seq.0 });
    Ok(Archived { events, first, last, bytes, file, file_bytes, log_bytes_before, log_bytes_after, held_by })
}

/// Removes folders named after attempts that are not live and older than `keep`.
fn sweep(dir: &Path, live: &BTreeSet<String>, keep: Duration, dry_run: bool) -> Swept {
    let mut swept = Swept::default();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_attempt = name.parse::<databuild_core::ids::AttemptId>().is_ok();
        let old = entry
            .metadata()
            .and_then(|meta| meta.modified())
            .is_ok_and(|at| SystemTime::now().duration_since(at).unwrap_or_default() >= keep);
        if !is_attempt || !old || live.contains(&name) {
            continue;
        }
        swept.add(if dry_run { Ok(()) } else { crate::publish::remove(&entry.path()) });
    }
    swept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_that_are_over_go_and_nothing_else_does() {
        let spool = tempfile::tempdir().unwrap();
        for name in ["r1-1", "r2-1", "r3-1", "r4-1", "runner.lock"] {
            std::fs::create_dir(spool.path().join(name)).unwrap();
        }
        let live = BTreeSet::from(["r4-1".to_owned()]);
        let sweep = |dry_run| sweep(spool.path(), &live, Duration::ZERO, dry_run);
        assert_eq!(sweep(true), Swept { removed: 3, failed: Vec::new() });
        assert_eq!(sweep(false), Swept { removed: 3, failed: Vec::new() });
        assert_eq!(sweep(false), Swept::default());
    }
}
