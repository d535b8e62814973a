//! What the history has of the data that partitions hold, or held.

use crate::store::{History, MaterializationRow, StoreError};
use databuild_core::graph::{DatasetIx, Graph};
use databuild_core::ids::Seq;
use databuild_core::partition_set::PartitionKey;
use databuild_core::state::{Holding, State};

/// What a partition holds, or held until it went.
///
/// # Errors
/// The history cannot be read.
pub fn held(
    state: &State,
    reader: &dyn History,
    ix: DatasetIx,
    key: &PartitionKey,
) -> Result<Option<MaterializationRow>, StoreError> {
    let holding = state.holding(ix, key);
    Ok(holding.map(|holding| reader.held(&holding)).transpose()?.flatten())
}

/// What a partition of a graph, which may be an earlier one, held at a position of the log.
///
/// # Errors
/// The history cannot be read.
pub fn held_at(
    state: &State,
    reader: &dyn History,
    graph: &Graph,
    (ix, key): (DatasetIx, &PartitionKey),
    at: Seq,
) -> Result<Option<MaterializationRow>, StoreError> {
    match state.holding_in(graph, ix, key) {
        // It has held that ever since.
        Some(holding) if holding.entry.seq <= at => reader.held(&holding),
        _ => Ok(reader.materialization_at(&state.texts_in(graph, ix, key), at)?.value),
    }
}

/// How many checks did not pass what each of these partitions holds.
///
/// # Errors
/// The history cannot be read.
pub fn warnings(state: &State, reader: &dyn History, partitions: &[&str]) -> Result<Vec<u64>, StoreError> {
    let holding = |text: &&str| -> Option<Holding> {
        let (ix, key) = state.graph().locate(text, state.symbols())?;
        state.holding(ix, &key)
    };
    let holdings: Vec<Option<Holding>> = partitions.iter().map(holding).collect();
    let known: Vec<Holding> = holdings.iter().flatten().cloned().collect();
    let mut warnings = reader.warnings(&known)?.value.into_iter();
    let count = |holding: &Option<Holding>| match holding {
        Some(_) => warnings.next().unwrap_or_default(),
        None => 0,
    };
    Ok(holdings.iter().map(count).collect())
}
