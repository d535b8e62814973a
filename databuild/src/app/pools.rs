//! Pools and what the machine has, with who holds how much.

use super::context::Context;
use super::AppError;
use crate::api::{MachineRow, PoolHolder, PoolList, PoolRow, ResizePool};
use databuild_core::decide::limits::{holders, pools, PoolUse};
use databuild_core::decide::{Input, PoolRequest};
use databuild_core::graph::Resource;

/// Gives a pool another size.
///
/// # Errors
/// No such pool.
pub(crate) async fn resize(context: &impl Context, body: ResizePool) -> Result<PoolList, AppError> {
    let ResizePool { pool, slots } = body;
    context.backend().engine.submit(Input::ResizePool(PoolRequest { pool, slots })).await?;
    Ok(list(context))
}

/// All pools.
pub(crate) fn list(context: &impl Context) -> PoolList {
    let snapshot = context.backend().engine.snapshot();
    let (state, capacity) = (&snapshot.state, snapshot.capacity());
    let used = |resource| holders(state, capacity, &resource).map(|(_, amount)| amount).sum();
    let places = ("places", Some(capacity.slots as u64), used(Resource::Places));
    let memory = ("memory", capacity.memory, used(Resource::Memory));
    let machine = [places, memory]
        .into_iter()
        .filter_map(|(name, size, used)| Some(MachineRow { name: name.to_owned(), size: size?, used }));
    let row = |pool: PoolUse| PoolRow {
        name: pool.name,
        label: pool.label,
        slots: pool.slots,
        declared: pool.declared,
        used: pool.holders.iter().map(|(_, slots)| slots).sum(),
        holders: pool
            .holders
            .iter()
            .map(|(run, slots)| PoolHolder {
                run: run.to_string(),
                partition: state.runs.get(run).map(|run| run.partition.clone()).unwrap_or_default(),
                slots: *slots,
            })
            .collect(),
        too_small_for: pool.too_small_for,
    };
    PoolList {
        data: pools(state, capacity).into_iter().map(row).collect(),
        machine: machine.collect(),
        seq: state.seq.0,
    }
}
