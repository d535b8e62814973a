//! Says for people what keeps a partition from being made.

use super::closure::{FoundInput, Unreadable};
use super::unseen::Unseen;
use crate::graph::{DatasetIx, JobIx, Lack, Lacking, TooManyInputs};
use crate::mapping::HoleSide;
use crate::partition_set::{PartitionKey, PartitionSet};
use crate::state::State;
use std::sync::Arc;

/// Why nobody can tell what partitions read.
pub(super) fn unreadable_reason(state: &State, job: JobIx, set: &PartitionSet, why: Unreadable) -> String {
    let graph = state.graph();
    let entry = graph.job(job);
    let first = set.first().map(|key| state.partition_text(entry.outputs[0], &key)).unwrap_or_default();
    let rest = set.len().saturating_sub(1);
    if let Unreadable::TooMany(TooManyInputs { dataset }) = why {
        let what = if rest == 0 { first + " reads" } else { format!("{first} and {rest} more read") };
        let name = &graph.dataset(dataset).name;
        return format!(
            "{what} more partitions of `{name}` than DataBuild can plan at once; build fewer partitions at once, or let {} read less of `{name}`",
            entry.label
        );
    }
    failing_reason(state, job, set)
}

/// Says what was not seen, and why.
pub(super) fn unseen_reason(state: &State, look: &Unseen) -> String {
    let partitions = state.set_text(look.dataset, &look.set).join(", ");
    format!("`{partitions}` could not be observed: {}", look.message)
}

/// The same of what rests on it, for people after "rests on".
pub(super) fn unseen_cause(state: &State, look: &Unseen) -> Arc<str> {
    let partitions = state.set_text(look.dataset, &look.set).join(", ");
    format!("`{partitions}`, which could not be observed: {}", look.message).into()
}

/// Says why an input that a run found is not known; `cause` is the look to blame if it was not looked at itself.
pub(super) fn found_reason(state: &State, unseen: &[Unseen], found: &FoundInput, cause: &str) -> String {
    let input = state.partition_text(found.dataset, &found.input);
    let look = unseen.iter().find(|look| look.dataset == found.dataset && look.set.contains(&found.input));
    match look {
        Some(look) => format!("input {}, which its run found that it needs", unseen_reason(state, look)),
        None => format!("input `{input}`, which its run found that it needs, rests on {cause}"),
    }
}

/// Why `set` of an input cannot be read.
pub(super) fn lost_reason(state: &State, ix: DatasetIx, set: &PartitionSet) -> String {
    let facts = state.dataset(ix);
    let text = |set: &PartitionSet| state.set_text(ix, set).join(", ");
    if !state.graph().dataset(ix).external {
        return format!("input `{}` cannot be built", text(set));
    }
    let gone = set.subtract(&facts.present);
    if gone.is_empty() {
        return format!("input `{}` is tainted; untaint it or bring other data", text(set));
    }
    format!("input `{}` is not there{}", text(&gone), path_hint(state, ix, &gone))
}

fn path_hint(state: &State, ix: DatasetIx, set: &PartitionSet) -> String {
    set.first()
        .and_then(|key| state.graph().dataset(ix).partition_path(&key, state.symbols()))
        .map(|path| format!(" (no file `{path}`)"))
        .unwrap_or_default()
}

/// Why `job` fails to make `set`, by its first partition, and what to do.
fn failing_reason(state: &State, job: JobIx, set: &PartitionSet) -> String {
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
            let what = format!("{}={}", dataset.dims[*dim], space.format_set(keys, state.symbols()));
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
