//! The set itself.

use super::shape::{PartitionKey, Shape, Tuple};
use crate::range_set::{Key, RangeSet};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// Most rows of a set that is made of all combinations of some keys. A row takes some hundred bytes, and several copies of
/// a set are made.
pub const MOST_ROWS: u64 = 1 << 20;

/// A set of partitions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PartitionSet {
    shape: Shape,
    rows: BTreeMap<Tuple, RangeSet>,
}

impl PartitionSet {
    /// No partitions.
    #[must_use]
    pub fn empty(shape: Shape) -> PartitionSet {
        PartitionSet { shape, rows: BTreeMap::new() }
    }

    /// All combinations of keys, given one set for each dimension in order.
    #[must_use]
    pub fn full(shape: Shape, sets: &[RangeSet]) -> PartitionSet {
        let mut all = PartitionSet::empty(shape);
        all.insert_box(sets);
        all
    }

    /// Of all combinations of keys, `n` in the order of [`PartitionSet::iter`], after the first `skip`; the others are not
    /// made.
    #[must_use]
    pub fn part_of_full(shape: Shape, sets: &[RangeSet], skip: u64, n: u64) -> PartitionSet {
        let mut part = PartitionSet::empty(shape);
        let longs = shape.long().map_or_else(|| RangeSet::single(0), |long| sets[long].clone());
        let end = skip.saturating_add(n).min(size(sets));
        let mut at = skip;
        while at < end {
            let (mut row, from) = (at / longs.len(), at % longs.len());
            let taken = (longs.len() - from).min(end - at);
            let mut tuple: Vec<Key> = Vec::new();
            for dim in shape.short_dims().rev() {
                let keys = &sets[dim];
                tuple.extend(keys.nth(row % keys.len()));
                row /= keys.len();
            }
            tuple.reverse();
            let row = longs.subtract(&longs.take_first(from)).take_first(taken);
            part.insert_row(tuple.into(), row);
            at += taken;
        }
        part
    }

    /// One partition.
    #[must_use]
    pub fn single(shape: Shape, key: &PartitionKey) -> PartitionSet {
        let mut set = PartitionSet::empty(shape);
        set.insert(key);
        set
    }

    /// The shape all operands must share.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Whether there are no partitions.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The number of partitions.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.rows.values().map(RangeSet::len).sum()
    }

    /// The number of runs of consecutive long keys, over all rows: what operations cost.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.rows.values().map(RangeSet::runs).sum()
    }

    /// Whether a partition is in the set.
    #[must_use]
    pub fn contains(&self, key: &PartitionKey) -> bool {
        self.shape.with_split(key, |tuple, long| self.rows.get(tuple).is_some_and(|row| row.contains(long)))
    }

    /// Adds one partition; whether it is new.
    pub fn insert(&mut self, key: &PartitionKey) -> bool {
        let rows = &mut self.rows;
        self.shape.with_split(key, |tuple, long| match rows.get_mut(tuple) {
            Some(row) => row.insert(long),
            None => rows.insert(tuple.into(), RangeSet::single(long)).is_none(),
        })
    }

    /// Removes one partition; whether it was there.
    pub fn remove(&mut self, key: &PartitionKey) -> bool {
        let rows = &mut self.rows;
        self.shape.with_split(key, |tuple, long| {
            let Some(row) = rows.get_mut(tuple) else {
                return false;
            };
            let old = row.remove(long);
            if row.is_empty() {
                rows.remove(tuple);
            }
            old
        })
    }

    /// Adds a row: all partitions of `tuple` with a long key in `longs`.
    pub fn insert_row(&mut self, tuple: Tuple, longs: RangeSet) {
        if longs.is_empty() {
            return;
        }
        match self.rows.get_mut(&tuple) {
            Some(row) => row.union_with(&longs),
            None => {
                self.rows.insert(tuple, longs);
            }
        }
    }

    /// Adds all combinations of keys, given one set for each dimension in order.
    pub fn insert_box(&mut self, sets: &[RangeSet]) {
        debug_assert_eq!(sets.len(), self.shape.dims(), "a box has one set for each dimension");
        let longs = match self.shape.long() {
            None => RangeSet::single(0),
            Some(long) => sets[long].clone(),
        };
        if longs.is_empty() {
            return;
        }
        let shorts: Vec<&RangeSet> = self.shape.short_dims().map(|dim| &sets[dim]).collect();
        for_each_tuple(&shorts, |tuple| match self.rows.get_mut(tuple) {
            Some(row) => row.union_with(&longs),
            None => {
                self.rows.insert(tuple.into(), longs.clone());
            }
        });
    }

    /// Partitions in either set.
    #[must_use]
    pub fn union(&self, other: &PartitionSet) -> PartitionSet {
        let mut all = self.clone();
        all.union_with(other);
        all
    }

    /// Partitions in both sets.
    #[must_use]
    pub fn intersect(&self, other: &PartitionSet) -> PartitionSet {
        let (few, many) = if self.rows.len() <= other.rows.len() { (self, other) } else { (other, self) };
        let rows = few.rows.iter().filter_map(|(tuple, row)| {
            let common = row.intersect(many.rows.get(tuple)?);
            (!common.is_empty()).then(|| (tuple.clone(), common))
        });
        PartitionSet { shape: self.shape, rows: rows.collect() }
    }

    /// Partitions of this set that are not in the other.
    #[must_use]
    pub fn subtract(&self, other: &PartitionSet) -> PartitionSet {
        let rows = self.rows.iter().filter_map(|(tuple, row)| {
            let left = match other.rows.get(tuple) {
                Some(cut) => row.subtract(cut),
                None => row.clone(),
            };
            (!left.is_empty()).then(|| (tuple.clone(), left))
        });
        PartitionSet { shape: self.shape, rows: rows.collect() }
    }

    /// Adds all partitions of the other set.
    pub fn union_with(&mut self, other: &PartitionSet) {
        debug_assert_eq!(self.shape, other.shape, "operands are sets of one dataset");
        if self.rows.is_empty() {
            self.rows.clone_from(&other.rows);
            return;
        }
        for (tuple, row) in &other.rows {
            match self.rows.get_mut(tuple) {
                Some(own) => own.union_with(row),
                None => {
                    self.rows.insert(tuple.clone(), row.clone());
                }
            }
        }
    }

    /// Removes all partitions of the other set.
    pub fn subtract_with(&mut self, other: &PartitionSet) {
        if self.rows.len() < other.rows.len() {
            self.rows.retain(|tuple, row| {
                if let Some(cut) = other.rows.get(tuple) {
                    row.subtract_with(cut);
                }
                !row.is_empty()
            });
            return;
        }
        for (tuple, cut) in &other.rows {
            if let Some(row) = self.rows.get_mut(tuple) {
                row.subtract_with(cut);
                if row.is_empty() {
                    self.rows.remove(tuple);
                }
            }
        }
    }

    /// Whether some partition is in both sets.
    #[must_use]
    pub fn intersects(&self, other: &PartitionSet) -> bool {
        let (few, many) = if self.rows.len() <= other.rows.len() { (self, other) } else { (other, self) };
        few.rows.iter().any(|(tuple, row)| many.rows.get(tuple).is_some_and(|other| row.intersects(other)))
    }

    /// Whether all partitions of this set are in the other.
    #[must_use]
    pub fn is_subset(&self, other: &PartitionSet) -> bool {
        self.rows.iter().all(|(tuple, row)| other.rows.get(tuple).is_some_and(|other| row.is_subset(other)))
    }

    /// Partitions whose keys are in the given sets, one for each dimension in order.
    #[must_use]
    pub fn within(&self, sets: &[RangeSet]) -> PartitionSet {
        let cut = |row: &RangeSet| match self.shape.long() {
            Some(long) => row.intersect(&sets[long]),
            None => row.clone(),
        };
        let mut within = PartitionSet::empty(self.shape);
        if self.shape.rows_of(sets) <= self.rows.len() as u64 {
            let shorts: Vec<&RangeSet> = self.shape.short_dims().map(|dim| &sets[dim]).collect();
            for_each_tuple(&shorts, |tuple| {
                if let Some(row) = self.rows.get(tuple) {
                    within.insert_row(tuple.into(), cut(row));
                }
            });
            return within;
        }
        for (tuple, row) in &self.rows {
            if self.shape.short_dims().zip(tuple).all(|(dim, key)| sets[dim].contains(*key)) {
                within.insert_row(tuple.clone(), cut(row));
            }
        }
        within
    }

    /// Whether the keys of some partition are in the given sets, one for each dimension in order.
    #[must_use]
    pub fn meets(&self, sets: &[RangeSet]) -> bool {
        !self.within(sets).is_empty()
    }

    /// Partitions whose key of one dimension is in `keys`.
    #[must_use]
    pub fn within_dim(&self, dim: usize, keys: &RangeSet) -> PartitionSet {
        let place = self.shape.place(dim);
        let rows = self.rows.iter().filter_map(|(tuple, row)| {
            let row = match place {
                None => row.intersect(keys),
                Some(place) if keys.contains(tuple[place]) => row.clone(),
                Some(_) => return None,
            };
            (!row.is_empty()).then(|| (tuple.clone(), row))
        });
        PartitionSet { shape: self.shape, rows: rows.collect() }
    }

    /// The keys that occur in one dimension.
    #[must_use]
    pub fn keys_of(&self, dim: usize) -> RangeSet {
        match self.shape.place(dim) {
            Some(place) => self.rows.keys().map(|tuple| tuple[place]).collect(),
            None => {
                let mut all = RangeSet::new();
                // Rows are mostly alike, and then this is cheap.
                self.rows.values().for_each(|row| {
                    if !row.is_subset(&all) {
                        all.union_with(row);
                    }
                });
                all
            }
        }
    }

    /// The keys in one dimension of those partitions that are like `of` in all others.
    #[must_use]
    pub fn keys_beside(&self, dim: usize, of: &PartitionKey) -> RangeSet {
        let (own, long) = self.shape.split(of);
        let Some(place) = self.shape.place(dim) else {
            return self.rows.get(&own).cloned().unwrap_or_default();
        };
        let beside = |tuple: &Tuple| {
            let mut others = tuple.iter().zip(&own).enumerate();
            others.all(|(at, (key, own))| at == place || key == own)
        };
        let rows = self.rows.iter().filter(|(tuple, row)| row.contains(long) && beside(tuple));
        rows.map(|(tuple, _)| tuple[place]).collect()
    }

    /// All partitions, row by row (which is the order of [`PartitionKey`] only if the long dimension
    /// is the last).
    pub fn iter(&self) -> impl Iterator<Item = PartitionKey> + '_ {
        self.rows
            .iter()
            .flat_map(move |(tuple, row)| row.iter().map(move |long| self.shape.join(tuple, long)))
    }

    /// The first partition of [`PartitionSet::iter`].
    #[must_use]
    pub fn first(&self) -> Option<PartitionKey> {
        let (tuple, row) = self.rows.first_key_value()?;
        row.first().map(|long| self.shape.join(tuple, long))
    }

    /// The `n` partitions with the largest long keys, the largest first, or all.
    #[must_use]
    pub fn newest(&self, n: usize) -> Vec<PartitionKey> {
        let mut rows: Vec<_> = self.rows.iter().map(|(tuple, row)| (tuple, row.iter().rev())).collect();
        let next = |at: usize, rows: &mut Vec<(&Tuple, _)>| {
            let keys: &mut std::iter::Rev<_> = &mut rows[at].1;
            Iterator::next(keys).map(|key: Key| (key, Reverse(at)))
        };
        let mut heads: BinaryHeap<(Key, Reverse<usize>)> =
            (0..rows.len()).filter_map(|at| next(at, &mut rows)).collect();
        let mut found = Vec::new();
        while let Some((key, Reverse(at))) = heads.pop().filter(|_| found.len() < n) {
            found.push(self.shape.join(rows[at].0, key));
            heads.extend(next(at, &mut rows));
        }
        found
    }

    /// The first `n` partitions of [`PartitionSet::iter`], or all.
    #[must_use]
    pub fn take_first(&self, n: u64) -> PartitionSet {
        let mut left = n;
        let mut rows = BTreeMap::new();
        for (tuple, row) in &self.rows {
            if left == 0 {
                break;
            }
            let row = row.take_first(left);
            left -= row.len();
            rows.insert(tuple.clone(), row);
        }
        PartitionSet { shape: self.shape, rows }
    }

    /// Rows in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = (&Tuple, &RangeSet)> + '_ {
        self.rows.iter()
    }

    /// One box for each row: a set of keys for each dimension, in order. The boxes are disjoint and
    /// together the set.
    pub fn boxes(&self) -> impl ExactSizeIterator<Item = Vec<RangeSet>> + '_ {
        self.rows.iter().map(|(tuple, row)| self.box_of(tuple, row))
    }

    /// The keys of one row, a set for each dimension, in order.
    pub(super) fn box_of(&self, tuple: &Tuple, row: &RangeSet) -> Vec<RangeSet> {
        let mut sets: Vec<RangeSet> = tuple.iter().map(|key| RangeSet::single(*key)).collect();
        if let Some(long) = self.shape.long() {
            sets.insert(long, row.clone());
        }
        sets
    }
}

/// The number of all combinations of keys, given one set for each dimension; none is made to find out.
#[must_use]
pub fn size(sets: &[RangeSet]) -> u64 {
    sets.iter().map(RangeSet::len).fold(1, u64::saturating_mul)
}

/// Visits all combinations of keys, one from each set, in order.
fn for_each_tuple(sets: &[&RangeSet], mut visit: impl FnMut(&[Key])) {
    fn descend(sets: &[&RangeSet], tuple: &mut Vec<Key>, visit: &mut impl FnMut(&[Key])) {
        let Some((first, rest)) = sets.split_first() else {
            return visit(tuple);
        };
        for key in first.iter() {
            tuple.push(key);
            descend(rest, tuple, visit);
            tuple.pop();
        }
    }
    descend(sets, &mut Vec::with_capacity(sets.len()), &mut visit);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dataset_without_dimensions_has_one_partition() {
        let shape = Shape::of(&[]);
        let all = PartitionSet::full(shape, &[]);
        assert_eq!((all.len(), shape.long()), (1, None));
        let key = all.first().unwrap();
        assert_eq!(key, PartitionKey::new([]));
        assert!(all.contains(&key) && all.subtract(&all).is_empty());
    }

    #[test]
    fn many_partitions_take_few_runs() {
        let shape = Shape::with_long(3, 1);
        let sets = [RangeSet::range(0, 99), RangeSet::range(0, 9_999), RangeSet::range(0, 9)];
        let all = PartitionSet::full(shape, &sets);
        assert_eq!((all.len(), all.runs()), (10_000_000, 1_000));
        assert_eq!(all.take_first(10_001).runs(), 2);
    }

    #[test]
    fn more_dimensions_than_fit_on_the_stack() {
        let key = PartitionKey::new((0..12).collect::<Vec<Key>>());
        let shape = Shape::with_long(12, 3);
        let mut set = PartitionSet::single(shape, &key);
        assert_eq!((set.first().as_ref(), set.iter().count()), (Some(&key), 1));
        assert!(set.remove(&key) && set.is_empty());
    }
}
