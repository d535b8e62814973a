//! Sets and entries as a few long columns of numbers, which is small and quick to write and to read.

use crate::ids::Seq;
use crate::partition_set::{PartitionSet, Shape, Tuple};
use crate::range_set::{Key, RangeSet};
use crate::state::{Entries, Entry};
use serde::{Deserialize, Serialize};

/// A set of partitions, row by row.
///
/// ```text
///                    tuples   counts   runs (skipped, further)
/// oslo: 5..=7, 9     0        2        5 2  1 0
/// rome: 0..=9        1        1        0 9
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetColumns {
    /// The rows' tuples, one after another.
    pub tuples: Vec<Key>,
    /// For each row, how many runs of consecutive keys it has.
    pub counts: Vec<u32>,
    /// For each run, how many keys are skipped since the run before it in its row (since key 0 by the
    /// first), and how many keys follow its first.
    pub runs: Vec<u32>,
}

/// Entries, in the order of their keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryColumns {
    /// Which partitions.
    pub keys: SetColumns,
    /// Hashes of their data versions.
    #[serde(with = "packed")]
    pub versions: Vec<u64>,
    /// Digests of their inputs; none at all if each is 0.
    #[serde(with = "packed")]
    pub inputs: Vec<u64>,
    /// Fingerprints of their files; none at all if each is 0.
    #[serde(with = "packed")]
    pub marks: Vec<u64>,
    /// Their events, each as its distance from that of the entry before: mostly small numbers.
    pub seqs: Vec<i64>,
}

/// Hashes as bytes: they are as long as numbers of any length written for size, and are read at once.
mod packed {
    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};
    use std::fmt;

    /// Bytes of a number.
    const WIDTH: usize = size_of::<u64>();

    pub(super) fn serialize<S: Serializer>(numbers: &[u64], to: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        to.serialize_bytes(&bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u64>, D::Error> {
        struct Numbers;

        impl Visitor<'_> for Numbers {
            type Value = Vec<u64>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "bytes, {WIDTH} for each number")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u64>, E> {
                let (numbers, []) = bytes.as_chunks::<WIDTH>() else {
                    return Err(E::invalid_length(bytes.len(), &self));
                };
                Ok(numbers.iter().map(|number| u64::from_le_bytes(*number)).collect())
            }
        }

        from.deserialize_bytes(Numbers)
    }
}

/// Columns that no set or entries were written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// Columns of different lengths.
    #[error("columns of different lengths")]
    Lengths,
    /// Rows out of order.
    #[error("rows out of order")]
    Order,
    /// A key that cannot be.
    #[error("a key out of range")]
    Range,
}

impl SetColumns {
    /// The columns of a set.
    #[must_use]
    pub fn of(set: &PartitionSet) -> SetColumns {
        let mut columns = SetColumns::default();
        for (tuple, longs) in set.rows() {
            columns.begin_row(tuple);
            for (lo, hi) in longs.ranges() {
                columns.push_run(lo, hi);
            }
        }
        columns.finish();
        columns
    }

    /// While rows are added, runs are kept as first and last key.
    fn begin_row(&mut self, tuple: &[Key]) {
        self.tuples.extend_from_slice(tuple);
        self.counts.push(0);
    }

    fn push_run(&mut self, lo: Key, hi: Key) {
        self.runs.extend([lo, hi]);
        if let Some(count) = self.counts.last_mut() {
            *count += 1;
        }
    }

    /// The same for a key after all others of its row.
    fn push_key(&mut self, key: Key) {
        let in_row = self.counts.last().is_some_and(|count| *count > 0);
        match self.runs.last_mut() {
            Some(last) if in_row && last.checked_add(1) == Some(key) => *last = key,
            _ => self.push_run(key, key),
        }
    }

    /// Turns first and last keys into distances, which are small numbers.
    fn finish(&mut self) {
        let mut runs = self.runs.chunks_exact_mut(2);
        for count in &self.counts {
            let mut next = 0;
            for run in runs.by_ref().take(*count as usize) {
                let (lo, hi) = (run[0], run[1]);
                run[0] = lo - next;
                run[1] = hi - lo;
                // After the last possible key comes no other run.
                next = hi.saturating_add(1);
            }
        }
    }

    /// The set again.
    ///
    /// # Errors
    /// These are not the columns of a set of this shape.
    pub fn set(&self, shape: Shape) -> Result<PartitionSet, Misfit> {
        let mut set = PartitionSet::empty(shape);
        self.each_row(shape, |tuple, runs| {
            set.insert_row(tuple, RangeSet::from_ranges(runs.iter().copied()));
            Ok(())
        })?;
        Ok(set)
    }

    /// Visits the rows with their runs as first and last key.
    fn each_row(
        &self,
        shape: Shape,
        mut visit: impl FnMut(Tuple, &[(Key, Key)]) -> Result<(), Misfit>,
    ) -> Result<(), Misfit> {
        let width = shape.dims().saturating_sub(1);
        let total = self.counts.iter().try_fold(0usize, |sum, count| sum.checked_add(*count as usize));
        let fits = self.counts.len().checked_mul(width) == Some(self.tuples.len())
            && total.and_then(|total| total.checked_mul(2)) == Some(self.runs.len());
        if !fits {
            return Err(Misfit::Lengths);
        }
        let mut pairs = self.runs.chunks_exact(2);
        let mut before: Option<&[Key]> = None;
        let mut runs = Vec::new();
        for (row, count) in self.counts.iter().enumerate() {
            let tuple = &self.tuples[row * width..(row + 1) * width];
            if *count == 0 || before.is_some_and(|before| before >= tuple) {
                return Err(Misfit::Order);
            }
            before = Some(tuple);
            runs.clear();
            let mut next: Option<Key> = Some(0);
            for pair in pairs.by_ref().take(*count as usize) {
                let lo = next.and_then(|next| next.checked_add(pair[0])).ok_or(Misfit::Range)?;
                let hi = lo.checked_add(pair[1]).ok_or(Misfit::Range)?;
                next = hi.checked_add(1);
                runs.push((lo, hi));
            }
            if shape.long().is_none() && runs != [(0, 0)] {
                return Err(Misfit::Range);
            }
            visit(tuple.into(), &runs)?;
        }
        Ok(())
    }
}

impl EntryColumns {
    /// The columns of entries.
    #[must_use]
    pub fn of(entries: &Entries) -> EntryColumns {
        let count = usize::try_from(entries.len()).unwrap_or_default();
        let mut columns = EntryColumns {
            keys: SetColumns::default(),
            versions: Vec::with_capacity(count),
            inputs: Vec::with_capacity(count),
            marks: Vec::with_capacity(count),
            seqs: Vec::with_capacity(count),
        };
        let mut last = Seq(0);
        for (tuple, row) in entries.rows() {
            columns.keys.begin_row(tuple);
            for (key, entry) in row {
                let Entry { version, inputs, mark, seq } = *entry;
                columns.keys.push_key(*key);
                columns.versions.push(version);
                columns.inputs.push(inputs);
                columns.marks.push(mark);
                columns.seqs.push(seq.0.wrapping_sub(last.0) as i64);
                last = seq;
            }
        }
        columns.keys.finish();
        for column in [&mut columns.inputs, &mut columns.marks] {
            if column.iter().all(|word| *word == 0) {
                *column = Vec::new();
            }
        }
        columns
    }

    /// The entries again.
    ///
    /// # Errors
    /// These are not the columns of entries of this shape.
    pub fn entries(&self, shape: Shape) -> Result<Entries, Misfit> {
        let full = |column: &[u64]| column.is_empty() || column.len() == self.versions.len();
        if !full(&self.inputs) || !full(&self.marks) || self.seqs.len() != self.versions.len() {
            return Err(Misfit::Lengths);
        }
        let mut entries = Entries::new(shape);
        let mut at = 0;
        let mut seq = Seq(0);
        let word = |column: &[u64], at: usize| column.get(at).copied().unwrap_or(0);
        self.keys.each_row(shape, |tuple, runs| {
            let count: u64 = runs.iter().map(|(lo, hi)| u64::from(hi - lo) + 1).sum();
            // Before any key is visited: a run may claim four thousand million of them.
            if count > (self.versions.len() - at) as u64 {
                return Err(Misfit::Lengths);
            }
            let row = runs.iter().flat_map(|(lo, hi)| *lo..=*hi).map(|key| {
                seq = Seq(seq.0.wrapping_add(self.seqs[at] as u64));
                let entry = Entry {
                    version: self.versions[at],
                    inputs: word(&self.inputs, at),
                    mark: word(&self.marks, at),
                    seq,
                };
                at += 1;
                (key, entry)
            });
            entries.append_row(tuple, row);
            Ok(())
        })?;
        if at == self.versions.len() {
            Ok(entries)
        } else {
            Err(Misfit::Lengths)
        }
    }
}
