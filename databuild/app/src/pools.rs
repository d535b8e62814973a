//! Pools and what the machine has, with who holds how much.

use super::context::{Backend, Context};
use super::AppError;
use crate::api::{MachineRow, PoolHolder, PoolList, PoolRow, ResizePool};
use databuild_core::decide::limits::{holders, pools, PoolUse};
use databuild_core::decide::{Input, PoolRequest};
use databuild_core::graph::Resource;
use databuild_core::ids::RunId;
use databuild_core::state::Phase;

/// Gives a pool another size.
///
/// # Errors
/// No such pool.
pub async fn resize(context: &impl Context, body: ResizePool) -> Result<PoolList, AppError> {
    let ResizePool { pool, slots } = body;
    context.backend().engine.submit(Input::ResizePool(PoolRequest { pool, slots })).await?;
    Ok(list(context))
}

/// All pools.
pub fn list(context: &impl Context) -> PoolList {
    let Backend { engine, audience, .. } = context.backend();
    let snapshot = engine.snapshot();
    let (state, capacity) = (&snapshot.state, snapshot.capacity());
    let is_seen = |run: &RunId| state.runs().get(run).is_none_or(|run| audience.sees_run(state, run));
    let graph = state.followed().map(|registered| &registered.graph);
    let sees_job = |job| graph.is_some_and(|graph| audience.sees_job(graph, job));
    let amounts = |resource| {
        let (mut asked, mut started) = (0, 0);
        for (run, amount) in holders(state, capacity, &resource) {
            asked += amount;
            let is_started = state.runs().get(&run).is_some_and(|run| run.phase == Phase::Running);
            started += if is_started { amount } else { 0 };
        }
        (asked, started)
    };
    let places = ("places", Some(capacity.slots as u64), amounts(Resource::Places));
    let memory = ("memory", capacity.memory, amounts(Resource::Memory));
    let machine = [places, memory]
        .into_iter()
        .filter_map(|(name, size, amounts)| Some(machine_row(name, size?, amounts)));
    let row = |pool: PoolUse| PoolRow {
        name: pool.name,
        label: pool.label,
        slots: pool.slots,
        declared: pool.declared,
        used: pool.holders.iter().map(|(_, slots)| slots).sum(),
        holders: pool
            .holders
            .iter()
            .filter(|(run, _)| is_seen(run))
            .map(|(run, slots)| PoolHolder {
                run: run.to_string(),
                partition: state.runs().get(run).map(|run| run.partition.clone()).unwrap_or_default(),
                slots: *slots,
            })
            .collect(),
        waiting: pool.waiting.into_iter().filter(|(job, _)| sees_job(*job)).map(|(_, ready)| ready).sum(),
        too_small_for: pool.too_small_for.into_iter().filter(|job| audience.sees_label(state, job)).collect(),
    };
    PoolList {
        data: pools(state, capacity).into_iter().map(row).collect(),
        machine: machine.collect(),
        seq: state.seq().0,
    }
}

/// `asked` is what all live attempts take, `started` what those of them take that are known to have started. Short attempts
/// are handed to the runner ahead: those beyond the size wait there.
fn machine_row(name: &str, size: u64, (asked, started): (u64, u64)) -> MachineRow {
    let used = asked.min(size).max(started);
    MachineRow { name: name.to_owned(), size, used, queued: asked - used }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_that_wait_at_the_runner_take_no_place() {
        let of = |size, asked, started| {
            let row = machine_row("places", size, (asked, started));
            (row.used, row.queued)
        };
        assert_eq!((of(2, 1, 1), of(2, 2, 0), of(2, 16, 1)), ((1, 0), (2, 0), (2, 14)));
        // Somebody set fewer places while runs go on.
        assert_eq!(of(1, 3, 3), (3, 0));
    }
}
