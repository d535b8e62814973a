//! In which order partitions are shown and handed out.
//!
//! Sets are kept by the numbers of keys. Those of listed and dynamic keys depend on what else was ever listed or added, so that
//! order means nothing to people: listed keys are shown as they were declared, dynamic ones as they were added.

use super::set::PartitionSet;
use super::shape::{PartitionKey, Tuple};
use crate::keys::KeySpace;
use crate::range_set::{Key, RangeSet};
use crate::symbols::Symbols;
use std::collections::HashMap;

/// The places of keys, by dimension.
pub struct Order {
    /// None where keys are in the order of their numbers.
    places: Vec<Option<HashMap<Key, usize>>>,
}

impl Order {
    /// The order of a dataset with these key spaces.
    #[must_use]
    pub fn of(spaces: &[KeySpace], symbols: &Symbols) -> Order {
        let places = |space: &KeySpace| {
            let keys: Vec<Key> = match space {
                KeySpace::Time(_) => return None,
                KeySpace::Static(keys, _) if keys.is_sorted() => return None,
                KeySpace::Static(keys, _) => keys.clone(),
                KeySpace::Dynamic(name) => {
                    let own = symbols.dynamic(name);
                    if own.is_sorted() {
                        return None;
                    }
                    own.in_order().collect()
                }
            };
            Some(keys.into_iter().enumerate().map(|(place, key)| (key, place)).collect())
        };
        Order { places: spaces.iter().map(places).collect() }
    }

    /// What keys of a dimension are sorted by. Keys that the space does not have any more come last.
    fn place(&self, dim: usize, key: Key) -> (usize, Key) {
        let place = self.places[dim].as_ref().map(|places| places.get(&key).copied().unwrap_or(usize::MAX));
        (place.unwrap_or_default(), key)
    }

    /// Keys of a dimension.
    #[must_use]
    pub fn keys(&self, dim: usize, set: &RangeSet) -> Vec<Key> {
        let mut keys: Vec<Key> = set.iter().collect();
        if self.places[dim].is_some() {
            keys.sort_by_key(|key| self.place(dim, *key));
        }
        keys
    }

    /// Rows of a set, by the keys of their tuples.
    #[must_use]
    pub fn rows<'a>(&self, set: &'a PartitionSet) -> Vec<(&'a Tuple, &'a RangeSet)> {
        let shape = set.shape();
        let mut rows: Vec<_> = set.rows().collect();
        if shape.short_dims().any(|dim| self.places[dim].is_some()) {
            let places = |tuple: &Tuple| {
                shape.short_dims().zip(tuple).map(|(dim, key)| self.place(dim, *key)).collect::<Vec<_>>()
            };
            rows.sort_by_cached_key(|(tuple, _)| places(tuple));
        }
        rows
    }

    /// Partitions of a set, row by row.
    pub fn partitions<'a>(&'a self, set: &'a PartitionSet) -> impl Iterator<Item = PartitionKey> + 'a {
        let shape = set.shape();
        self.rows(set).into_iter().flat_map(move |(tuple, row)| {
            let sorted = shape.long().filter(|long| self.places[*long].is_some());
            let longs: Box<dyn Iterator<Item = Key>> = match sorted {
                Some(long) => Box::new(self.keys(long, row).into_iter()),
                None => Box::new(row.iter()),
            };
            longs.map(move |long| shape.join(tuple, long))
        })
    }

    /// Few boxes that are disjoint and together the set: rows that differ in one dimension only are
    /// merged, dimension by dimension. For display and storage, in an order for that.
    #[must_use]
    pub fn compact_boxes(&self, set: &PartitionSet) -> Vec<Vec<RangeSet>> {
        let rows = self.rows(set).into_iter();
        let mut boxes: Vec<Vec<RangeSet>> = rows.map(|(tuple, row)| set.box_of(tuple, row)).collect();
        for dim in set.shape().short_dims().rev() {
            let mut merged: Vec<(Vec<RangeSet>, Vec<RangeSet>)> = Vec::new();
            let mut places: HashMap<Vec<RangeSet>, usize> = HashMap::new();
            for mut sets in boxes {
                let own = std::mem::take(&mut sets[dim]);
                let place = *places.entry(sets).or_insert_with_key(|rest| {
                    merged.push((rest.clone(), Vec::new()));
                    merged.len() - 1
                });
                merged[place].1.push(own);
            }
            boxes = merged
                .into_iter()
                .map(|(mut sets, own)| {
                    sets[dim] = RangeSet::from_ranges(own.iter().flat_map(RangeSet::ranges));
                    sets
                })
                .collect();
        }
        boxes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partition_set::Shape;
    use crate::reference;

    /// What is listed, added or kept elsewhere changes nothing.
    #[test]
    fn order_is_that_of_declaration_and_adding_whatever_came_before() {
        let mut seen = Vec::new();
        for before in [&[][..], &["l", "m", "s"], &["b", "c", "m", "a"]] {
            let mut symbols = Symbols::new();
            before.iter().for_each(|text| _ = symbols.intern(text));
            let sizes = KeySpace::of_static(["s", "m", "l"].map(|text| symbols.intern(text)).to_vec());
            let added = ["z9", "b", "c", "a"].map(|text| symbols.intern(text));
            symbols.add_keys("names", added);
            let spaces = [KeySpace::Dynamic("names".into()), sizes];
            let all: Vec<RangeSet> = spaces.iter().map(|space| space.bounds(&symbols)).collect();
            let mut set = PartitionSet::full(Shape::of(&spaces), &all);
            set.remove(&PartitionKey::new([added[1], symbols.get("l").unwrap()]));
            let dims = ["name", "size"];
            let order = Order::of(&spaces, &symbols);
            let text = |key| reference::format_partition("d", &dims, &spaces, &key, &symbols);
            let texts: Vec<String> = order.partitions(&set).map(text).collect();
            seen.push((texts, reference::format_set("d", &dims, &spaces, &set, &symbols)));
        }
        assert_eq!(
            seen[0].0[..4],
            ["d/name=z9/size=s", "d/name=z9/size=m", "d/name=z9/size=l", "d/name=b/size=s"]
        );
        assert_eq!(seen[0].1, ["d/name=z9+c+a/size=s+m+l", "d/name=b/size=s+m"]);
        assert!(seen.iter().all(|other| *other == seen[0]), "{seen:?}");
    }

    #[test]
    fn boxes_are_as_few_as_can_be() {
        let none = Symbols::new();
        let all = PartitionSet::full(Shape::of(&[]), &[]);
        assert_eq!(Order::of(&[], &none).compact_boxes(&all), vec![Vec::<RangeSet>::new()]);
        let sets = [RangeSet::range(0, 99), RangeSet::range(0, 9_999), RangeSet::range(0, 9)];
        let all = PartitionSet::full(Shape::with_long(3, 1), &sets);
        let spaces = sets.clone().map(|set| KeySpace::of_static(set.iter().collect()));
        assert_eq!(Order::of(&spaces, &none).compact_boxes(&all), vec![sets.to_vec()]);
    }
}
