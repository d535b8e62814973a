//! Which versions of jobs made what, or failed to, and for which of them somebody lets it count.

use super::{ProvenanceIx, State};
use crate::event::CodeAccepted;
use crate::graph::{JobDigests, JobIx};
use crate::ids::Seq;
use crate::partition_set::PartitionSet;
use std::sync::Arc;

impl State {
    pub(super) fn accept(&mut self, event: &CodeAccepted, seq: Seq) {
        for (job, set) in self.located_work(&event.partitions) {
            for output in self.graph().job(job).outputs.clone() {
                let accepted: Vec<(ProvenanceIx, PartitionSet)> = self
                    .dataset(output)
                    .counted_as()
                    .filter(|(ix, made)| event.from.contains(self.provenance(*ix)) && made.intersects(&set))
                    .map(|(ix, made)| (ix, made.intersect(&set)))
                    .collect();
                for (from, made) in accepted {
                    // Only code and arguments were judged.
                    let template = self.provenance(from).template.clone();
                    let to = self.intern_digests(JobDigests { template, ..event.to.clone() });
                    let shape = made.shape();
                    let accepted = self.dataset_mut(output).accepted.entry((seq, to));
                    accepted.or_insert_with(|| PartitionSet::empty(shape)).union_with(&made);
                }
            }
        }
    }

    /// What failed last when it was made as the job of today makes it.
    pub(super) fn tell_failed(&mut self, job: JobIx) {
        let registered = Arc::clone(self.registered());
        let now = registered.digests_of(job);
        for output in &registered.graph.job(job).outputs {
            let state = self.dataset(*output);
            if state.failed.is_empty() && state.failed_by.is_empty() {
                continue;
            }
            let by = state.failed_by.iter().find(|(ix, _)| self.provenance(**ix) == now);
            let failed =
                by.map_or_else(|| PartitionSet::empty(state.present.shape()), |(_, set)| set.clone());
            self.dataset_mut(*output).failed = failed;
        }
    }

    pub(super) fn intern(&mut self, job: JobIx) -> ProvenanceIx {
        let digests = self.registered().digests_of(job).clone();
        self.intern_digests(digests)
    }

    pub(super) fn intern_digests(&mut self, digests: JobDigests) -> ProvenanceIx {
        let found = self.provenances.iter().position(|other| *other == digests);
        let ix = found.unwrap_or_else(|| {
            let all = Arc::make_mut(&mut self.provenances);
            all.push(digests);
            all.len() - 1
        });
        ProvenanceIx(u32::try_from(ix).expect("a workspace has fewer than 2^32 versions of its jobs"))
    }
}
