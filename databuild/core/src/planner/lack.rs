//! Says for people what keeps a partition from being made.

use crate::graph::{JobIx, Lack, Lacking};
use crate::mapping::HoleSide;
use crate::partition_set::{PartitionKey, PartitionSet};
use crate::state::State;

/// Why `job` fails to make `set`, by its first partition, and what to do.
pub(super) fn failing_reason(state: &State, job: JobIx, set: &PartitionSet) -> String {
    let Some((key, lack)) = first(state, job, set) else { return String::new() };
    let entry = state.graph().job(job);
    let rule = lack.side.rule_name();
    format!(
        "`{}` {}; say {rule} = \"clip\" (use what exists) or {rule} = \"skip\" (leave such outputs out) in the dep of input \
         `{}` of {}",
        state.partition_text(entry.outputs[0], &key),
        needs(state, job, &lack),
        entry.inputs[lack.input].name,
        entry.label
    )
}

/// Why `set` of `job` is left out, by its first partition.
pub(super) fn left_out_reason(state: &State, job: JobIx, set: &PartitionSet) -> String {
    let Some((key, lack)) = first(state, job, set) else { return String::new() };
    let entry = state.graph().job(job);
    format!(
        "`{}` {}, and the dep of input `{}` of {} says {} = \"skip\"",
        state.partition_text(entry.outputs[0], &key),
        needs(state, job, &lack),
        entry.inputs[lack.input].name,
        entry.label,
        lack.side.rule_name()
    )
}

fn first(state: &State, job: JobIx, set: &PartitionSet) -> Option<(PartitionKey, Lack)> {
    let key = set.first()?;
    let lack = state.graph().lack(state.extents(), job, &key)?;
    Some((key, lack))
}

/// `needs date=2026-11-30 of input `raw`, which does not exist yet`.
fn needs(state: &State, job: JobIx, lack: &Lack) -> String {
    let graph = state.graph();
    let input = &graph.job(job).inputs[lack.input];
    let dataset = graph.dataset(input.dataset);
    let (what, count, how) = match &lack.what {
        Lacking::Keys { dim, keys } => {
            let space = &dataset.spaces[*dim];
            let what = format!("{}={}", dataset.dims[*dim], space.format_set(keys, &state.symbols));
            let end = space.time().map(|space| space.end());
            let to_come =
                end.is_some_and(|end| end.is_none_or(|end| keys.first().is_some_and(|key| key <= end)));
            let how = match lack.side {
                HoleSide::BeforeStart => ["is before its first key", "are before its first key"],
                HoleSide::AfterEnd if to_come => ["does not exist yet", "do not exist yet"],
                HoleSide::AfterEnd => ["does not exist", "do not exist"],
            };
            (what, keys.len(), how)
        }
        Lacking::LeftOut(set) => {
            let what = state.set_text(input.dataset, set).join(", ");
            (format!("`{what}`"), set.len(), ["is left out", "are left out"])
        }
    };
    format!("needs {what} of input `{}`, which {}", input.name, how[usize::from(count > 1)])
}
