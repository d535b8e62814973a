//! Which arguments of its job changed since a partition was made.

use crate::arguments::{of_inherited, of_job};
use crate::held::held;
use crate::store::{History, StoreError};
use databuild_core::graph::file::GraphFile;
use databuild_core::graph::{parse_file, DatasetIx, JobIx, Renames};
use databuild_core::ids::GraphId;
use databuild_core::partition_set::PartitionKey;
use databuild_core::state::State;
use databuild_core::text::first_of;

/// Changes that are told.
const SHOWN: usize = 3;

/// What changed, for people after "because"; none if that is not known, as of what was adopted or accepted.
///
/// # Errors
/// The history cannot be read.
pub(super) fn arguments_changed(
    state: &State,
    reader: &dyn History,
    (job, ix, key): (JobIx, DatasetIx, &PartitionKey),
) -> Result<Option<String>, StoreError> {
    let facts = state.dataset(ix);
    // By an acceptance it counts as made by another graph than that of its run.
    if facts.counts_as(key) != facts.maker_of(key) {
        return Ok(None);
    }
    let made = held(state, reader, ix, key)?;
    let Some((made, run)) = made.and_then(|made| made.run.map(|run| (made, run))) else { return Ok(None) };
    let Some(run) = reader.run(run)?.value.map(|found| found.run) else { return Ok(None) };
    let now_id = &state.registered().id;
    let (Some(then), Some(now)) = (file(reader, &run.graph)?, file(reader, now_id)?) else { return Ok(None) };
    let label = &state.graph().job(job).label;
    let before = then.jobs.iter().find(|entry| entry.label == run.job);
    let (Some(before), Some(entry)) = (before, now.jobs.iter().find(|entry| entry.label == *label)) else {
        return Ok(None);
    };
    let mut found = of_job(&Renames::of(&now).job(before), entry);
    let registered = (reader.graph_before(&run.graph, made.seq)?.value, reader.graph(now_id)?.value);
    if let (Some(then), Some(now)) = registered {
        let both = before.program.env_inherit.iter().filter(|name| entry.program.env_inherit.contains(name));
        let names: Vec<String> = both.cloned().collect();
        found.extend(of_inherited(&names, &then.inherited, &now.inherited));
    }
    let changes = first_of(found.iter().cloned(), SHOWN);
    Ok((!found.is_empty()).then(|| format!("the arguments of {label} changed: {changes}")))
}

/// A graph file that was registered; none if this program cannot read it any more.
fn file(reader: &dyn History, id: &GraphId) -> Result<Option<GraphFile>, StoreError> {
    let Some(bytes) = reader.content(&id.0)? else { return Ok(None) };
    Ok(String::from_utf8(bytes).ok().and_then(|content| parse_file(&content).ok()))
}
