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

/// Partitions of a job read so many partitions of this dataset at once that no set can list them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyInputs {
    /// The dataset.
    pub dataset: DatasetIx,
}

impl Graph {
    /// Those of `set` that `job` does not make as key spaces stand.
    ///
    /// # Errors
    /// That depends on too many partitions of an input.
    pub fn omissions(
        &self,
        extents: &Extents,
        job: JobIx,
        set: &PartitionSet,
    ) -> Result<Omissions, TooManyInputs> {
        let entry = self.job(job);
        let home = self.side(entry.outputs[0], extents);
        let mut failing = PartitionSet::empty(set.shape());
        let mut skipped = PartitionSet::empty(set.shape());
        for input in &entry.inputs {
            let read = self.side(input.dataset, extents);
            if !self.may_omit(input.dataset) {
                let (over, beyond) = input.mapping.over_edges(&home, &read, set);
                failing.union_with(&over);
                skipped.union_with(&beyond);
                continue;
            }
            let inputs = input
                .mapping
                .inputs_of(&home, &read, set)
                .map_err(|_| TooManyInputs { dataset: input.dataset })?;
            failing.union_with(&inputs.failing);
            skipped.union_with(&inputs.skipped);
            let omitted = self.left_out(extents, input.dataset, &inputs.needed)?;
            if omitted.is_empty() {
                continue;
            }
            let readers = input.mapping.dependents_of(&home, &read, &omitted, set);
            match self.rule_for_omitted(input.dataset, &input.mapping) {
                Edge::Clip => {}
                Edge::Skip => skipped.union_with(&readers),
                Edge::Fail => failing.union_with(&readers),
            }
        }
        // An error is told, even where another rule would have been content to leave it out.
        skipped.subtract_with(&failing);
        Ok(Omissions { failing, skipped })
    }

    /// What `set` of `job` reads of its input at `input`, without what is left out there.
    ///
    /// # Errors
    /// That is too much to list.
    pub fn inputs_of(
        &self,
        extents: &Extents,
        job: JobIx,
        input: usize,
        set: &PartitionSet,
    ) -> Result<PartitionSet, TooManyInputs> {
        let entry = self.job(job);
        let home = self.side(entry.outputs[0], extents);
        let input = &entry.inputs[input];
        let read = self.side(input.dataset, extents);
        let mapping = &input.mapping;
        let inputs = match (set.len(), set.first()) {
            (1, Some(key)) => mapping.inputs_of_one(&home, &read, &key),
            _ => mapping.inputs_of(&home, &read, set),
        };
        let mut needed = inputs.map_err(|_| TooManyInputs { dataset: input.dataset })?.needed;
        needed.subtract_with(&self.left_out(extents, input.dataset, &needed)?);
        Ok(needed)
    }

    /// Those of `among` that `set` of `job` reads of its input at `input`, however much else it reads.
    #[must_use]
    pub fn inputs_among(
        &self,
        extents: &Extents,
        job: JobIx,
        input: usize,
        set: &PartitionSet,
        among: &PartitionSet,
    ) -> PartitionSet {
        let entry = self.job(job);
        let home = self.side(entry.outputs[0], extents);
        let input = &entry.inputs[input];
        let read = self.side(input.dataset, extents);
        let mut needed = input.mapping.inputs_among(&home, &read, set, among);
        // Where nobody can list what leaving out depends on, nothing is built, so nothing is left out.
        if let Ok(left_out) = self.left_out(extents, input.dataset, &needed) {
            needed.subtract_with(&left_out);
        }
        needed
    }

    /// Those of `set` that edge rules leave out.
    fn left_out(
        &self,
        extents: &Extents,
        ix: DatasetIx,
        set: &PartitionSet,
    ) -> Result<PartitionSet, TooManyInputs> {
        match self.dataset(ix).producer {
            Some(producer) if self.may_omit(ix) => Ok(self.omissions(extents, producer, set)?.skipped),
            _ => Ok(PartitionSet::empty(set.shape())),
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
