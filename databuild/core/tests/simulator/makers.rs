//! Which code made what, so that going back to it makes nothing again.

use super::world::first_text;
use databuild_core::event::{Event, Record, SetText};
use databuild_core::graph::{DatasetIx, JobDigests};
use databuild_core::partition_set::PartitionSet;
use databuild_core::state::{State, Verdict};
use std::collections::BTreeMap;

/// By the first text of a partition: the digests that made what it holds, then those that it was accepted for.
#[derive(Debug, Default)]
pub struct Makers(BTreeMap<String, Vec<JobDigests>>);

impl Makers {
    /// Follows an event; `state` is the fold of those before it.
    pub fn follow(&mut self, record: &Record, state: &State) {
        match &record.event {
            Event::Materialized(made) => {
                let run = &state.runs()[&made.attempt.run];
                let digests = state.provenance(run.made_by);
                for output in &made.outputs {
                    // What is external by now is what is observed there.
                    let (ix, _) =
                        run.graph.graph.locate(&output.partition, state.symbols()).expect("its own");
                    let now = state.successor_of(&run.graph.graph, ix);
                    if now.is_some_and(|now| state.graph().dataset(now).external) {
                        continue;
                    }
                    self.0.insert(first_text(&output.partition), vec![digests.clone()]);
                }
            }
            Event::Adopted(adopted) => {
                for adopted in &adopted.partitions {
                    for (ix, _) in located(state, &vec![adopted.partition.clone()]) {
                        let job = state.graph().dataset(ix).producer.expect("only what is built is adopted");
                        let digests = state.registered().digests_of(job).clone();
                        self.0.insert(first_text(&adopted.partition), vec![digests]);
                    }
                }
            }
            Event::Observed(observed) => {
                for seen in &observed.partitions {
                    for (ix, _) in located(state, &vec![seen.partition.clone()]) {
                        if state.graph().dataset(ix).external {
                            self.0.remove(&first_text(&seen.partition));
                        }
                    }
                }
            }
            Event::CodeAccepted(accepted) => {
                for (ix, set) in located(state, &accepted.partitions) {
                    let Some(job) = state.graph().dataset(ix).producer else { continue };
                    for output in &state.graph().job(job).outputs {
                        for key in set.iter() {
                            let text = first_text(&state.partition_text(*output, &key));
                            let Some(known) = self.0.get_mut(&text) else { continue };
                            if known.iter().any(|known| accepted.from.contains(known)) {
                                let template = known[0].template.clone();
                                known.push(JobDigests { template, ..accepted.to.clone() });
                            }
                        }
                    }
                }
            }
            _ => {}
        }
    }

    /// What the job of today made, or was accepted for, is not stale for its code, its arguments or its path.
    pub fn check(&self, state: &State) -> Result<(), String> {
        let Some(registered) = state.followed() else { return Ok(()) };
        for (ix, job) in registered.graph.jobs() {
            let now = registered.digests_of(ix);
            let set = &state.dataset(job.outputs[0]).present;
            for (verdict, set) in state.outdated(ix, set) {
                let otherwise =
                    matches!(verdict, Verdict::CodeChanged | Verdict::ArgsChanged | Verdict::TemplateChanged);
                for key in set.iter().filter(|_| otherwise) {
                    let so = |output: &DatasetIx| {
                        let made = self.0.get(&first_text(&state.partition_text(*output, &key)));
                        made.is_some_and(|made| made.contains(now))
                    };
                    if job.outputs.iter().all(so) {
                        let text = state.partition_text(job.outputs[0], &key);
                        return Err(format!("{text} is {}, and the job of today made it", verdict.code()));
                    }
                }
            }
        }
        Ok(())
    }
}

fn located(state: &State, texts: &SetText) -> Vec<(DatasetIx, PartitionSet)> {
    texts.iter().filter_map(|text| state.graph().locate_set(text, state.symbols())).collect()
}
