//! Runs whose wait is over are tried again.

use crate::decide::changes::ends::{end_run, give_up};
use crate::decide::changes::replan::replan_all;
use crate::decide::follow::start::start;
use crate::decide::out::Out;
use crate::decide::queries::limits::{Capacity, Gate};
use crate::decide::queries::needed::lacking_inputs;
use crate::event::{AttemptLeased, Cause, Event};
use crate::graph::JobIx;
use crate::ids::AttemptId;
use crate::state::{Run, State};
use jiff::Timestamp;
use std::sync::Arc;

/// Leases the next attempt of runs whose wait is over, the oldest first, as far as they may begin.
pub(crate) fn retry(out: &mut Out, capacity: Capacity) {
    let due = |out: &Out| Gate::new(out.state, capacity, out.now).due_retries();
    let lacking: Vec<_> = due(out)
        .iter()
        .filter_map(|run| {
            let job = out.state.current_job(run)?;
            Some((job, lacking_inputs(out.state, job, &run.set)))
        })
        .filter(|(_, set)| !set.is_empty())
        .collect();
    if !lacking.is_empty() {
        // They went while the attempt before ran: they are made anew first, if that can be done.
        replan_all(out, &lacking);
    }
    for run in due(out) {
        let job = out.state.current_job(&run);
        let as_of = job.map_or(run.as_of, |job| retry_as_of(out.state, job, &run));
        let Some(run) = give_up_lacking(out, run, as_of) else { continue };
        let id = run.id;
        let attempt = AttemptId { run: id, number: run.attempt + 1 };
        let inputs = out.state.inputs_digests_of(&run, as_of);
        let event = AttemptLeased {
            attempt,
            job: run.graph.graph.job(run.job).label.clone(),
            partition: run.graph.graph.home(run.job).batch_text(&run.set, out.state.symbols()),
            graph: run.graph.id.clone(),
            as_of,
            inputs,
            params: run.params.clone(),
            trial: run.trial,
        };
        out.event_because(Some(Cause::Run(id)), Event::AttemptLeased(event));
        start(out, id);
    }
}

/// What is left of a run without that which can never have its inputs.
fn give_up_lacking(out: &mut Out, run: Arc<Run>, as_of: Timestamp) -> Option<Arc<Run>> {
    let lacking = match out.state.current_job(&run) {
        Some(job) => out.state.at(as_of, |state| lacking_inputs(state, job, &run.set)),
        None => return Some(run),
    };
    if lacking.is_empty() {
        return Some(run);
    }
    let message = "its inputs are not there and cannot be made".to_owned();
    if lacking == run.set {
        end_run(out, &run, false, message);
        return None;
    }
    give_up(out, &run, &lacking, message);
    out.state.runs().get(&run.id).cloned()
}

/// The instant for which a run's next attempt reads key spaces. Partitions of a batch for which wants look
/// at different instants stay with the one they were planned for together.
fn retry_as_of(state: &State, job: JobIx, run: &Run) -> Timestamp {
    let mut instants = run.set.iter().map(|key| state.as_of_for(job, &key).max(run.as_of));
    let first = instants.next().unwrap_or(run.as_of);
    if instants.all(|as_of| as_of == first) {
        first
    } else {
        run.as_of
    }
}
