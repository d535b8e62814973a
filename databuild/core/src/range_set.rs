//! Sets of keys as sorted ranges: what every statement about partitions is made of.
//!
//! Invariant: runs are sorted, disjoint and not adjacent, so equal sets have equal representations.
//! Set operations cost time in the number of runs, never in the number of keys.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Index of a key within its dimension: the absolute period number of a time key, the symbol of a
/// static one.
pub type Key = u32;

/// Operands with at most this many runs are merged into the other one in place.
const FEW: usize = 4;

/// A set of keys.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "Vec<(Key, Key)>", into = "Vec<(Key, Key)>")]
pub struct RangeSet {
    runs: Vec<(Key, Key)>,
}

impl From<Vec<(Key, Key)>> for RangeSet {
    fn from(ranges: Vec<(Key, Key)>) -> RangeSet {
        RangeSet::from_ranges(ranges)
    }
}

impl From<RangeSet> for Vec<(Key, Key)> {
    fn from(set: RangeSet) -> Vec<(Key, Key)> {
        set.runs
    }
}

impl RangeSet {
    /// The empty set.
    #[must_use]
    pub const fn new() -> RangeSet {
        RangeSet { runs: Vec::new() }
    }

    /// The set of one key.
    #[must_use]
    pub fn single(key: Key) -> RangeSet {
        RangeSet { runs: vec![(key, key)] }
    }

    /// All keys from `lo` to `hi`, both included; empty if `lo > hi`.
    #[must_use]
    pub fn range(lo: Key, hi: Key) -> RangeSet {
        RangeSet { runs: if lo <= hi { vec![(lo, hi)] } else { Vec::new() } }
    }

    /// The union of inclusive ranges in any order; those with `lo > hi` are empty.
    pub fn from_ranges(ranges: impl IntoIterator<Item = (Key, Key)>) -> RangeSet {
        let mut runs: Vec<(Key, Key)> = ranges.into_iter().filter(|(lo, hi)| lo <= hi).collect();
        if !runs.is_sorted() {
            runs.sort_unstable();
        }
        let mut out = RangeSet { runs: Vec::with_capacity(runs.len()) };
        for (lo, hi) in runs {
            out.push(lo, hi);
        }
        out
    }

    /// Appends a range that begins no earlier than the last run.
    fn push(&mut self, lo: Key, hi: Key) {
        match self.runs.last_mut() {
            Some(last) if lo <= last.1.saturating_add(1) => last.1 = last.1.max(hi),
            _ => self.runs.push((lo, hi)),
        }
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The number of keys.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.runs.iter().map(|(lo, hi)| u64::from(hi - lo) + 1).sum()
    }

    /// The number of runs of consecutive keys.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.runs.len()
    }

    /// Whether `key` is in the set.
    #[must_use]
    pub fn contains(&self, key: Key) -> bool {
        let at = self.runs.partition_point(|run| run.1 < key);
        self.runs.get(at).is_some_and(|run| run.0 <= key)
    }

    /// The smallest key.
    #[must_use]
    pub fn first(&self) -> Option<Key> {
        self.runs.first().map(|run| run.0)
    }

    /// The largest key.
    #[must_use]
    pub fn last(&self) -> Option<Key> {
        self.runs.last().map(|run| run.1)
    }

    /// The key that so many smaller ones precede.
    #[must_use]
    pub fn nth(&self, mut before: u64) -> Option<Key> {
        for &(lo, hi) in &self.runs {
            let size = u64::from(hi - lo) + 1;
            if before < size {
                // Exact: it is less than the size of a run of keys.
                return Some(lo + before as Key);
            }
            before -= size;
        }
        None
    }

    /// Adds one key; whether it is new.
    pub fn insert(&mut self, key: Key) -> bool {
        let new = !self.contains(key);
        if new {
            self.insert_range(key, key);
        }
        new
    }

    /// Removes one key; whether it was there.
    pub fn remove(&mut self, key: Key) -> bool {
        let old = self.contains(key);
        if old {
            self.remove_range(key, key);
        }
        old
    }

    /// Adds all keys from `lo` to `hi`, both included; nothing if `lo > hi`.
    pub fn insert_range(&mut self, lo: Key, hi: Key) {
        if lo > hi {
            return;
        }
        // Runs from `from` up to `to` overlap or touch the new range.
        let from = self.runs.partition_point(|run| run.1 < lo.saturating_sub(1));
        let to = self.runs.partition_point(|run| run.0 <= hi.saturating_add(1));
        if from == to {
            self.runs.insert(from, (lo, hi));
        } else {
            let merged = (lo.min(self.runs[from].0), hi.max(self.runs[to - 1].1));
            self.runs[from] = merged;
            self.runs.drain(from + 1..to);
        }
    }

    /// Removes all keys from `lo` to `hi`, both included; nothing if `lo > hi`.
    pub fn remove_range(&mut self, lo: Key, hi: Key) {
        let from = self.runs.partition_point(|run| run.1 < lo);
        let to = self.runs.partition_point(|run| run.0 <= hi);
        if lo > hi || from >= to {
            return;
        }
        let (first, last) = (self.runs[from], self.runs[to - 1]);
        let left = (first.0 < lo).then(|| (first.0, lo - 1));
        let right = (last.1 > hi).then(|| (hi + 1, last.1));
        self.runs.splice(from..to, left.into_iter().chain(right));
    }

    /// Runs of consecutive keys, both ends included, in order.
    pub fn ranges(&self) -> impl DoubleEndedIterator<Item = (Key, Key)> + ExactSizeIterator + '_ {
        self.runs.iter().copied()
    }

    /// All keys in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Key> + '_ {
        self.runs.iter().flat_map(|&(lo, hi)| lo..=hi)
    }

    /// Keys in either set.
    #[must_use]
    pub fn union(&self, other: &RangeSet) -> RangeSet {
        let mut out = RangeSet { runs: Vec::with_capacity(self.runs.len().max(other.runs.len())) };
        let (mut a, mut b) = (self.runs.iter().peekable(), other.runs.iter().peekable());
        loop {
            let next = match (a.peek(), b.peek()) {
                (Some(left), Some(right)) if left <= right => a.next(),
                (_, Some(_)) => b.next(),
                (_, None) => a.next(),
            };
            match next {
                Some(&(lo, hi)) => out.push(lo, hi),
                None => return out,
            }
        }
    }

    /// Keys in both sets.
    #[must_use]
    pub fn intersect(&self, other: &RangeSet) -> RangeSet {
        let mut runs = Vec::new();
        self.overlaps(other, |lo, hi| {
            runs.push((lo, hi));
            true
        });
        RangeSet { runs }
    }

    /// Whether some key is in both sets.
    #[must_use]
    pub fn intersects(&self, other: &RangeSet) -> bool {
        let mut any = false;
        self.overlaps(other, |_, _| {
            any = true;
            false
        });
        any
    }

    /// Visits the ranges common to both sets in order until `visit` returns false.
    fn overlaps(&self, other: &RangeSet, mut visit: impl FnMut(Key, Key) -> bool) {
        let (a, b) = (&self.runs, &other.runs);
        let (mut i, mut j) = (0, 0);
        while i < a.len() && j < b.len() {
            i = gallop(a, i, b[j].0);
            if i == a.len() {
                return;
            }
            j = gallop(b, j, a[i].0);
            if j == b.len() {
                return;
            }
            let (lo, hi) = (a[i].0.max(b[j].0), a[i].1.min(b[j].1));
            if lo <= hi {
                if !visit(lo, hi) {
                    return;
                }
                if a[i].1 == hi {
                    i += 1;
                } else {
                    j += 1;
                }
            }
        }
    }

    /// Keys of this set that are not in the other.
    #[must_use]
    pub fn subtract(&self, other: &RangeSet) -> RangeSet {
        let cuts = &other.runs;
        let mut runs = Vec::with_capacity(self.runs.len());
        let mut at = 0;
        'runs: for &(mut lo, hi) in &self.runs {
            at = gallop(cuts, at, lo);
            while let Some(&(cut_lo, cut_hi)) = cuts.get(at).filter(|cut| cut.0 <= hi) {
                if cut_lo > lo {
                    runs.push((lo, cut_lo - 1));
                }
                if cut_hi >= hi {
                    continue 'runs;
                }
                lo = cut_hi + 1;
                at += 1;
            }
            runs.push((lo, hi));
        }
        RangeSet { runs }
    }

    /// Adds all keys of the other set.
    pub fn union_with(&mut self, other: &RangeSet) {
        if self.is_empty() {
            self.clone_from(other);
        } else if other.runs.len() <= FEW {
            other.ranges().for_each(|(lo, hi)| self.insert_range(lo, hi));
        } else {
            *self = self.union(other);
        }
    }

    /// Removes all keys of the other set.
    pub fn subtract_with(&mut self, other: &RangeSet) {
        if other.runs.len() <= FEW {
            other.ranges().for_each(|(lo, hi)| self.remove_range(lo, hi));
        } else {
            *self = self.subtract(other);
        }
    }

    /// Whether all keys of this set are in the other.
    #[must_use]
    pub fn is_subset(&self, other: &RangeSet) -> bool {
        let mut at = 0;
        self.runs.iter().all(|&(lo, hi)| {
            at = gallop(&other.runs, at, lo);
            other.runs.get(at).is_some_and(|run| run.0 <= lo && hi <= run.1)
        })
    }

    /// The set with `by` added to each key; what leaves the range of keys is dropped.
    #[must_use]
    pub fn shift(&self, by: i64) -> RangeSet {
        let moved = self.runs.iter().filter_map(|&(lo, hi)| {
            let (lo, hi) = (i64::from(lo).saturating_add(by), i64::from(hi).saturating_add(by));
            let (lo, hi) = (lo.max(0), hi.min(i64::from(Key::MAX)));
            if lo > hi {
                return None;
            }
            Key::try_from(lo).ok().zip(Key::try_from(hi).ok())
        });
        RangeSet { runs: moved.collect() }
    }

    /// The set with up to `back` keys before and `ahead` keys after each key added.
    #[must_use]
    pub fn dilate(&self, back: u32, ahead: u32) -> RangeSet {
        self.map_ranges(|lo, hi| (lo.saturating_sub(back), hi.saturating_add(ahead)))
    }

    /// The last `n` keys, or all.
    #[must_use]
    pub fn take_last(&self, n: u64) -> RangeSet {
        let mut left = n;
        let mut runs = Vec::new();
        for &(lo, hi) in self.runs.iter().rev() {
            if left == 0 {
                break;
            }
            let size = u64::from(hi - lo) + 1;
            // The cast is exact: where it applies, `left < size`, and a run has at most 2^32 keys.
            let lo = if size <= left { lo } else { hi - (left - 1) as Key };
            runs.push((lo, hi));
            left = left.saturating_sub(size);
        }
        runs.reverse();
        RangeSet { runs }
    }

    /// The first `n` keys, or all.
    #[must_use]
    pub fn take_first(&self, n: u64) -> RangeSet {
        let mut left = n;
        let mut runs = Vec::new();
        for &(lo, hi) in &self.runs {
            if left == 0 {
                break;
            }
            let size = u64::from(hi - lo) + 1;
            // Exact as in `take_last`.
            let hi = if size <= left { hi } else { lo + (left - 1) as Key };
            runs.push((lo, hi));
            left = left.saturating_sub(size);
        }
        RangeSet { runs }
    }

    /// The union of the images of the runs. `image` returns an inclusive range, or none for nothing.
    pub fn map_ranges<R>(&self, mut image: impl FnMut(Key, Key) -> R) -> RangeSet
    where
        R: Into<Option<(Key, Key)>>,
    {
        RangeSet::from_ranges(self.runs.iter().filter_map(|&(lo, hi)| image(lo, hi).into()))
    }
}

/// The first index from `from` on whose run ends at `key` or later. Costs the logarithm of the distance.
fn gallop(runs: &[(Key, Key)], from: usize, key: Key) -> usize {
    let mut step = 1;
    let mut lo = from;
    let mut hi = from;
    while hi < runs.len() && runs[hi].1 < key {
        lo = hi + 1;
        hi += step;
        step *= 2;
    }
    let hi = hi.min(runs.len());
    lo + runs[lo..hi].partition_point(|run| run.1 < key)
}

impl FromIterator<Key> for RangeSet {
    fn from_iter<I: IntoIterator<Item = Key>>(keys: I) -> RangeSet {
        RangeSet::from_ranges(keys.into_iter().map(|key| (key, key)))
    }
}

impl fmt::Debug for RangeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut set = f.debug_set();
        for (lo, hi) in self.ranges() {
            if lo == hi {
                set.entry(&lo);
            } else {
                set.entry(&(lo..=hi));
            }
        }
        set.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn touching_ranges_become_one_run() {
        let set = RangeSet::from_ranges([(5, 6), (1, 2), (3, 4), (9, 8)]);
        assert_eq!(set.ranges().collect::<Vec<_>>(), [(1, 6)]);
        let mut set = RangeSet::from_ranges([(0, 1), (3, 4)]);
        assert!(set.insert(2));
        assert_eq!(set, RangeSet::range(0, 4));
        assert!(set.remove(2));
        assert_eq!(set.runs(), 2);
    }

    #[test]
    fn the_ends_of_the_key_range_are_ordinary_keys() {
        let all = RangeSet::range(0, Key::MAX);
        assert_eq!(all.len(), 1 << 32);
        let mut inner = all.clone();
        assert!(inner.remove(0) && inner.remove(Key::MAX));
        assert_eq!(inner, RangeSet::range(1, Key::MAX - 1));
        assert_eq!(all.subtract(&inner), RangeSet::from_iter([0, Key::MAX]));
        assert_eq!(inner.dilate(2, 2), all);
        assert_eq!(all.shift(1), RangeSet::range(1, Key::MAX));
        assert_eq!(all.shift(i64::MIN), RangeSet::new());
        assert_eq!(all.take_last(1), RangeSet::single(Key::MAX));
        assert_eq!(all.take_first(u64::MAX), all);
        assert!(inner.insert(Key::MAX));
        assert_eq!(inner.runs(), 1);
    }
}
