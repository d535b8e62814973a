//! What edge rules leave out, also at second hand: a partition that reads one which is left out follows
//! the same rule as one that reads over the edge of a key space.

use super::{DatasetIx, Extents, Graph, JobIx};
use crate::mapping::{Edge, Mapping};
use crate::partition_set::PartitionSet;

/// Partitions of a job that are not made.
#[derive(Debug, Clone)]
pub struct Omissions {
    /// They need something that is not there, and that is an error.
    pub failing: PartitionSet,
    /// They are left out, and that is fine.
    pub skipped: PartitionSet,
}

impl Graph {
    /// Those of `set` that `job` does not make as key spaces stand.
    #[must_use]
    pub fn omissions(&self, extents: &Extents, job: JobIx, set: &PartitionSet) -> Omissions {
        let entry = self.job(job);
        let home = self.side(entry.outputs[0], extents);
        let mut failing = PartitionSet::empty(set.shape());
        let mut skipped = PartitionSet::empty(set.shape());
        for input in &entry.inputs {
            let read = self.side(input.dataset, extents);
            let inputs = input.mapping.inputs_of(&home, &read, set);
            failing.union_with(&inputs.failing);
            skipped.union_with(&inputs.skipped);
            let omitted = self.left_out(extents, input.dataset, &inputs.needed);
            if omitted.is_empty() {
                continue;
            }
            let readers = input.mapping.dependents_of(&home, &read, &omitted).intersect(set);
            match self.rule_for_omitted(input.dataset, &input.mapping) {
                Edge::Clip => {}
                Edge::Skip => skipped.union_with(&readers),
                Edge::Fail => failing.union_with(&readers),
            }
        }
        // An error is told, even where another rule would have been content to leave it out.
        skipped.subtract_with(&failing);
        Omissions { failing, skipped }
    }

    /// What `set` of `job` reads of its input at `input`, without what is left out there.
    #[must_use]
    pub fn inputs_of(&self, extents: &Extents, job: JobIx, input: usize, set: &PartitionSet) -> PartitionSet {
        let entry = self.job(job);
        let home = self.side(entry.outputs[0], extents);
        let input = &entry.inputs[input];
        let read = self.side(input.dataset, extents);
        let mapping = &input.mapping;
        let mut needed = match (set.len(), set.first()) {
            (1, Some(key)) => mapping.inputs_of_one(&home, &read, &key).needed,
            _ => mapping.inputs_of(&home, &read, set).needed,
        };
        if self.may_omit(input.dataset) {
            needed.subtract_with(&self.left_out(extents, input.dataset, &needed));
        }
        needed
    }

    /// Those of `set` that edge rules leave out.
    fn left_out(&self, extents: &Extents, ix: DatasetIx, set: &PartitionSet) -> PartitionSet {
        match self.dataset(ix).producer {
            Some(producer) if self.may_omit(ix) => self.omissions(extents, producer, set).skipped,
            _ => PartitionSet::empty(set.shape()),
        }
    }

    /// Whether any rule can leave out partitions of a dataset.
    #[must_use]
    pub fn may_omit(&self, ix: DatasetIx) -> bool {
        self.dataset(ix).producer.is_some_and(|producer| {
            let inputs = &self.job(producer).inputs;
            inputs
                .iter()
                .any(|input| [input.mapping.before_start, input.mapping.after_end].contains(&Edge::Skip))
        })
    }

    /// The reader's rule for what is left out of a dataset: it lacks its beginning or its end.
    fn rule_for_omitted(&self, ix: DatasetIx, reader: &Mapping) -> Edge {
        let at_start = self.dataset(ix).producer.is_some_and(|producer| {
            self.job(producer).inputs.iter().any(|input| input.mapping.before_start == Edge::Skip)
        });
        if at_start {
            reader.before_start
        } else {
            reader.after_end
        }
    }
}
