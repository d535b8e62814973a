//! Orders to start what was leased.

use crate::decide::lives::attempt;
use crate::decide::messages::report::{AttemptEnd, AttemptReport};
use crate::decide::messages::step::{AttemptSpec, Effect};
use crate::decide::out::Out;
use crate::event::AttemptOutcome;
use crate::graph::{DatasetIx, TooManyInputs};
use crate::ids::RunId;
use crate::partition_set::PartitionKey;
use crate::state::{Run, State};
use std::sync::Arc;

/// Orders the start of a run's current attempt.
pub(crate) fn start(out: &mut Out, id: RunId) {
    let Some(run) = out.state.runs().get(&id) else { return };
    let graph = &run.graph.graph;
    let extents = out.state.extents_of(run);
    let inputs = graph
        .job(run.job)
        .inputs
        .iter()
        .enumerate()
        .map(|(at, input)| {
            let set = graph.inputs_of(&extents, run.job, at, &run.set)?;
            Ok((input.name.clone(), input.dataset, set))
        })
        .collect();
    let inputs = match inputs {
        Ok(inputs) => inputs,
        Err(TooManyInputs { dataset }) => {
            let name = &graph.dataset(dataset).name;
            let message = format!("it reads more partitions of `{name}` at once than can be listed");
            let report = AttemptReport::new(AttemptOutcome::Failure { permanent: true }, message);
            // It is this run's current attempt, so nobody refuses that.
            let _ = attempt::ended(out, run.attempt_id(), AttemptEnd::without_process(report));
            return;
        }
    };
    let wants = out.state.served_by(run).map(|want| want.id).collect();
    let mut spec = AttemptSpec {
        attempt: run.attempt_id(),
        graph: Arc::clone(&run.graph),
        job: run.job,
        set: run.set.clone(),
        partition: run.partition.clone(),
        as_of: run.as_of,
        params: run.params.clone(),
        inputs,
        discovered: discovered(out.state, run),
        held: 0,
        wants,
    };
    spec.held = spec.held(out.state);
    out.effects.push(Effect::Start(Box::new(spec)));
}

/// What a run found that it needs, as its own graph has it.
fn discovered(state: &State, run: &Run) -> Vec<(DatasetIx, PartitionKey)> {
    let graph = &run.graph.graph;
    let own = |text: &String| {
        let (ix, key) = state.located_one(text)?;
        Some((state.graph().counterpart(ix, graph)?, key))
    };
    run.discovered.iter().filter_map(own).collect()
}
