//! Code that trials run: that of today and that of then, from the history and the code store.

use crate::context::{Backend, Context};
use crate::engine::CommandError;
use crate::store::History;
use crate::AppError;
use databuild_core::decide::Refusal;
use databuild_core::event::TrialGraph;
use databuild_core::ids::GraphId;
use databuild_core::state::State;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Whether the code store still has some code.
pub(super) fn stored(backend: &Backend, label: &str, code: &str) -> Result<(), AppError> {
    let found = code.parse().ok().and_then(|code| backend.snapshots.find(&code).ok().flatten());
    if found.is_some() {
        return Ok(());
    }
    let message = format!("the code that {label} had then is gone from the cache (`gc` removed it)");
    Err(AppError::new("old_code_gone", message))
}

pub(super) fn current(backend: &Backend) -> Result<Arc<State>, AppError> {
    let state = Arc::clone(&backend.engine.snapshot().state);
    if state.followed().is_none() {
        return Err(Refusal::NoGraph.into());
    }
    Ok(state)
}

/// Looks at the files that matter for partitions, and records what is not as it was.
pub(super) async fn look(context: &impl Context, partitions: Vec<String>) -> Result<(), AppError> {
    match context.backend().engine.look_and_record(partitions).await {
        // What today's graph does not have any more cannot be looked at.
        Err(CommandError::Refused(_)) => Ok(()),
        result => Ok(result?),
    }
}

/// Graphs by their digests, with contents.
pub(super) fn contents<'g>(
    reader: &dyn History,
    state: &State,
    graphs: impl IntoIterator<Item = &'g GraphId>,
) -> Result<Vec<TrialGraph>, AppError> {
    let distinct: BTreeSet<&GraphId> = graphs.into_iter().collect();
    let inherited = &state.registered().inherited;
    let one = |graph: &GraphId| {
        let content = content_of(reader, graph)?.into();
        // The values that jobs get are those of now.
        Ok(TrialGraph { graph: graph.clone(), content, inherited: inherited.clone() })
    };
    distinct.into_iter().map(one).collect()
}

pub(super) fn content_of(reader: &dyn History, graph: &GraphId) -> Result<String, AppError> {
    let gone = || AppError::new("old_code_gone", format!("the graph {} of then is gone", graph.short()));
    let bytes = reader.content(&graph.0)?.ok_or_else(gone)?;
    String::from_utf8(bytes).map_err(|_| gone())
}
