//! The standing rule for old events: they are archived when the server starts, and once a day. The setting `keep_events` says
//! how old, or else the graph.

use crate::engine::{ArchiveRequest, CommandError, Handle};
use databuild_core::decide::Input;
use databuild_core::event::GarbageCollected;
use jiff::SignedDuration;
use std::time::Duration;

/// How often old events are looked for.
const LOOK: Duration = Duration::from_secs(24 * 3600);
/// Fewer are no file of their own: servers start many times a day.
const AT_LEAST: u64 = 1_000;

/// Applies the rule now and then, as long as it is polled. `setting` is stronger than the graph's rule.
pub(super) async fn keep_events(engine: Handle, setting: Option<Option<Duration>>) {
    let mut look = tokio::time::interval(LOOK);
    loop {
        look.tick().await;
        let looking = engine.clone();
        let archived = match tokio::task::spawn_blocking(move || apply(&looking, setting)).await {
            Ok(Ok(Some(archived))) => engine.submit(Input::GarbageCollected(archived)).await.map(|_| ()),
            Ok(done) => done.map(|_| ()),
            Err(_) => return,
        };
        // What fails is tried again the next time; until then the log is only longer.
        match archived {
            Err(CommandError::ShuttingDown) => return,
            Err(error) => tracing::warn!(%error, code = error.code(), "old events could not be archived"),
            Ok(()) => {}
        }
    }
}

/// Archives what is old enough; returns what is to be recorded, if anything went.
fn apply(
    engine: &Handle,
    setting: Option<Option<Duration>>,
) -> Result<Option<GarbageCollected>, CommandError> {
    let of_graph = || engine.snapshot().state.followed().and_then(|registered| registered.graph.keep_events);
    let rule = setting.unwrap_or_else(of_graph);
    let Some(kept) = rule else { return engine.finish_archiving().map(|()| None) };
    let older_than = SignedDuration::try_from(kept).unwrap_or(SignedDuration::MAX);
    let archived = engine.archive(ArchiveRequest { older_than, at_least: AT_LEAST, dry_run: false })?;
    let Some((file, bytes)) = archived.file else { return Ok(None) };
    tracing::info!(until = %archived.until, file = %file.display(), bytes, "old events were archived");
    Ok(Some(GarbageCollected { archived_until: archived.until.0, ..GarbageCollected::default() }))
}
