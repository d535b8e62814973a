//! What is remembered of each materialized partition, in little memory.
//!
//! Invariant: entries are kept in pages of at most [`PAGE`] neighbouring keys behind an [`Arc`], so a
//! clone of a million entries copies some ten thousand pointers and a write copies one page.

use crate::ids::Seq;
use crate::partition_set::{PartitionKey, PartitionSet, Shape, Tuple};
use crate::range_set::{Key, RangeSet};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Keys per page; a power of two.
const PAGE: Key = 128;

/// What staleness needs to know of one materialized partition. Everything else is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// [`crate::digest::hash64`] of the data version.
    pub version: u64,
    /// Combined digest of the exact inputs it was made from; 0 for observed partitions.
    pub inputs: u64,
    /// Cheap fingerprint of its file; 0 = none.
    pub mark: u64,
    /// The event at which the history has this data: who made it, and what was said of it.
    pub seq: Seq,
}

/// Neighbouring keys with their entries, by key divided by [`PAGE`].
type Pages = BTreeMap<Key, Arc<Vec<(Key, Entry)>>>;

/// A sorted map from partition to [`Entry`].
#[derive(Debug, Clone)]
pub struct Entries {
    shape: Shape,
    rows: BTreeMap<Tuple, Pages>,
    len: u64,
}

impl Entries {
    /// No entries.
    #[must_use]
    pub fn new(shape: Shape) -> Entries {
        Entries { shape, rows: BTreeMap::new(), len: 0 }
    }

    /// How keys are laid out.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The entry of one partition.
    #[must_use]
    pub fn get(&self, key: &PartitionKey) -> Option<Entry> {
        let (tuple, long) = self.shape.split(key);
        let page = self.rows.get(&tuple)?.get(&(long / PAGE))?;
        let at = page.binary_search_by_key(&long, |(key, _)| *key).ok()?;
        Some(page[at].1)
    }

    /// The entries of some long keys in one row, in order: those that are there.
    pub fn of_row<'a>(
        &'a self,
        tuple: &Tuple,
        longs: &'a RangeSet,
    ) -> impl Iterator<Item = &'a (Key, Entry)> + 'a {
        let pages = self.rows.get(tuple);
        longs.ranges().flat_map(move |(first, last)| {
            let pages = pages.into_iter().flat_map(move |pages| pages.range(first / PAGE..=last / PAGE));
            pages.flat_map(move |(_, page)| {
                let begin = page.partition_point(|(key, _)| *key < first);
                let end = page.partition_point(|(key, _)| *key <= last);
                &page[begin..end]
            })
        })
    }

    /// Sets one partition's entry and returns the one before.
    pub fn insert(&mut self, key: &PartitionKey, entry: Entry) -> Option<Entry> {
        let (tuple, long) = self.shape.split(key);
        let page = Arc::make_mut(self.rows.entry(tuple).or_default().entry(long / PAGE).or_default());
        match page.binary_search_by_key(&long, |(key, _)| *key) {
            Ok(at) => Some(std::mem::replace(&mut page[at].1, entry)),
            Err(at) => {
                page.insert(at, (long, entry));
                self.len += 1;
                None
            }
        }
    }

    /// Adds a row after all others, with its entries in key order.
    pub(super) fn append_row(&mut self, tuple: Tuple, entries: impl Iterator<Item = (Key, Entry)>) {
        let mut pages = Pages::new();
        // Most pages are full, so the next one is made where this one was, and copied out at its exact length.
        let mut page: Vec<(Key, Entry)> = Vec::with_capacity(PAGE as usize);
        for (key, entry) in entries {
            if let Some((first, _)) = page.first().filter(|(first, _)| first / PAGE != key / PAGE) {
                pages.insert(first / PAGE, Arc::new(page.clone()));
                page.clear();
            }
            page.push((key, entry));
            self.len += 1;
        }
        if let Some((first, _)) = page.first() {
            pages.insert(first / PAGE, Arc::new(page.clone()));
            self.rows.insert(tuple, pages);
        }
    }

    /// All rows in order: a tuple and the entries of its long keys.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&Tuple, impl Iterator<Item = &(Key, Entry)>)> {
        self.rows.iter().map(|(tuple, pages)| (tuple, pages.values().flat_map(|page| page.iter())))
    }

    /// The partitions that have one.
    #[must_use]
    pub fn partitions(&self) -> PartitionSet {
        let mut all = PartitionSet::empty(self.shape);
        for (tuple, entries) in self.rows() {
            all.insert_row(tuple.clone(), entries.map(|(key, _)| *key).collect());
        }
        all
    }

    /// All entries in key order.
    pub fn iter(&self) -> impl Iterator<Item = (PartitionKey, Entry)> + '_ {
        self.rows.iter().flat_map(move |(tuple, pages)| {
            pages.values().flat_map(move |page| {
                page.iter().map(move |(long, entry)| (self.shape.join(tuple, *long), *entry))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_gives_the_entries_of_just_the_keys_asked_for() {
        let mut entries = Entries::new(Shape::with_long(1, 0));
        let entry = |long: Key| Entry { version: u64::from(long), inputs: 0, mark: 0, seq: Seq(1) };
        let there: Vec<Key> = (0..1000).filter(|long| long % 3 != 0).collect();
        for long in &there {
            entries.insert(&PartitionKey::new([*long]), entry(*long));
        }
        let (tuple, _) = entries.shape().split(&PartitionKey::new([0]));
        for ranges in [
            vec![],
            vec![(0, 0)],
            vec![(1, 1)],
            vec![(127, 128)],
            vec![(5, 700), (800, 5000)],
            vec![(2000, 3000)],
        ] {
            let longs = RangeSet::from_ranges(ranges.iter().copied());
            let found: Vec<(Key, Entry)> = entries.of_row(&tuple, &longs).copied().collect();
            let expected: Vec<_> = there
                .iter()
                .filter(|long| longs.contains(**long))
                .map(|long| (*long, entry(*long)))
                .collect();
            assert_eq!(found, expected, "{ranges:?}");
        }
    }
}
