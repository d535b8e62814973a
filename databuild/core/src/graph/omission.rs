//! What edge rules leave out, also at second hand: a partition that reads one which is left out follows
//! the same rule as one that reads over the edge of a key space.

use super::{DatasetIx, Extents, Graph, JobIx};
use crate::mapping::{DimRule, Edge, HoleSide, Over};
use crate::partition_set::{size, PartitionKey, PartitionSet};
use crate::range_set::RangeSet;

/// Combinations of keys that are looked at to count what is left out, at most. The first time dimension does not count.
const MOST_COUNTED: u64 = 1_000_000;

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

/// What keeps a partition from being made: something that it needs of an input and that is not to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// Number of the input among those of the job.
    pub input: usize,
    /// The edge at which it lacks.
    pub side: HoleSide,
    /// What the input's rule for that edge says: to fail or to skip.
    pub rule: Edge,
    /// What there is not.
    pub what: Lacking,
}

/// See [`Lack`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lacking {
    /// Keys of one dimension that the input does not have.
    Keys {
        /// The dimension.
        dim: usize,
        /// The keys.
        keys: RangeSet,
    },
    /// Partitions of the input that are left out themselves.
    LeftOut(PartitionSet),
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
            match input.mapping.edge(self.side_of_omitted(input.dataset)) {
                Edge::Clip => {}
                Edge::Skip => skipped.union_with(&readers),
                Edge::Fail => failing.union_with(&readers),
            }
        }
        // An error is told, even where another rule would have been content to leave it out.
        skipped.subtract_with(&failing);
        Ok(Omissions { failing, skipped })
    }

    /// Why `job` does not make that partition; none if it does. An error comes before what is left out.
    #[must_use]
    pub fn lack(&self, extents: &Extents, job: JobIx, key: &PartitionKey) -> Option<Lack> {
        [Edge::Fail, Edge::Skip].into_iter().find_map(|rule| self.lack_by(extents, job, key, rule))
    }

    fn lack_by(&self, extents: &Extents, job: JobIx, key: &PartitionKey, rule: Edge) -> Option<Lack> {
        let entry = self.job(job);
        let home = self.side(entry.outputs[0], extents);
        entry.inputs.iter().enumerate().find_map(|(number, input)| {
            let read = self.side(input.dataset, extents);
            if let Some(Over { dim, side, keys }) = input.mapping.keys_over_edge(&home, &read, key, rule) {
                return Some(Lack { input: number, side, rule, what: Lacking::Keys { dim, keys } });
            }
            // What nobody can list has a reason of its own.
            let needed = input.mapping.inputs_of_one(&home, &read, key).ok()?.needed;
            let omitted = self.left_out(extents, input.dataset, &needed).ok()?;
            let side = self.side_of_omitted(input.dataset);
            let lacks = !omitted.is_empty() && input.mapping.edge(side) == rule;
            lacks.then_some(Lack { input: number, side, rule, what: Lacking::LeftOut(omitted) })
        })
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

    /// How many partitions of a dataset are left out as key spaces stand. Only combinations of keys that make a
    /// difference are looked at; where these are too many, the answer is 0.
    #[must_use]
    pub fn count_left_out(&self, extents: &Extents, ix: DatasetIx) -> u64 {
        let Some(job) = self.dataset(ix).producer.filter(|_| self.may_omit(ix)) else { return 0 };
        let deciding = self.deciding(extents, job);
        let (mut looked_at, mut alike) = (Vec::new(), 1_u64);
        for (keys, decides) in extents.of(ix).iter().zip(deciding) {
            let Some(first) = keys.first() else { return 0 };
            if decides {
                looked_at.push(keys.clone());
            } else {
                looked_at.push(RangeSet::single(first));
                alike = alike.saturating_mul(keys.len());
            }
        }
        let shape = self.dataset(ix).shape;
        let rows: Vec<RangeSet> = shape.short_dims().map(|dim| looked_at[dim].clone()).collect();
        if size(&rows) > MOST_COUNTED {
            return 0;
        }
        let set = PartitionSet::full(shape, &looked_at);
        // What nobody can list is looked at when it is planned.
        let skipped = self.omissions(extents, job, &set).map_or(0, |omissions| omissions.skipped.len());
        skipped.saturating_mul(alike)
    }

    /// For each dimension of what `job` makes, whether it depends on the key if a partition is made.
    fn deciding(&self, extents: &Extents, job: JobIx) -> Vec<bool> {
        let entry = self.job(job);
        let home = extents.of(entry.outputs[0]);
        let mut decides = vec![false; home.len()];
        for input in &entry.inputs {
            let read = extents.of(input.dataset);
            let upstream = match self.dataset(input.dataset).producer {
                Some(producer) if self.may_omit(input.dataset) => self.deciding(extents, producer),
                _ => vec![false; read.len()],
            };
            for ((rule, read), upstream) in input.mapping.rules.iter().zip(read).zip(upstream) {
                let Some(of) = rule.of() else { continue };
                // The same key that is always there makes no difference.
                let alike = matches!(rule, DimRule::Same { .. }) && home[of].is_subset(read);
                decides[of] |= upstream || !alike;
            }
        }
        decides
    }

    /// Those of `set` of a dataset that edge rules leave out.
    ///
    /// # Errors
    /// What decides that is too much to list.
    pub fn left_out(
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

    /// What a reader lacks of a dataset of which something is left out: its beginning or its end.
    fn side_of_omitted(&self, ix: DatasetIx) -> HoleSide {
        let at_start = self.dataset(ix).producer.is_some_and(|producer| {
            self.job(producer).inputs.iter().any(|input| input.mapping.before_start == Edge::Skip)
        });
        if at_start {
            HoleSide::BeforeStart
        } else {
            HoleSide::AfterEnd
        }
    }
}
