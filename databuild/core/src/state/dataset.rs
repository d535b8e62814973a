//! State of one dataset's partitions.

use super::entries::{Entries, Entry};
use super::{Alias, Discovered, Marks};
use crate::graph::{Axis, Dataset};
use crate::partition_set::{PartitionKey, PartitionSet, Shape};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Index into the state's table of job digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProvenanceIx(pub u32);

/// What is known of a dataset. Sets speak of stored partitions, whether or not today's key space has them.
#[derive(Debug, Clone)]
pub struct DatasetState {
    /// What the stored keys stand for.
    pub axes: Vec<Axis>,
    /// Materialized (or observed), with what staleness needs.
    pub entries: Entries,
    /// Those of `entries` whose data is there, as far as known.
    pub present: PartitionSet,
    /// Those of `present` that are empty by the job's word.
    pub empty: PartitionSet,
    /// By which job digests each entry was made; the sets are disjoint.
    pub made_by: BTreeMap<ProvenanceIx, PartitionSet>,
    /// Partitions some input of which has changed since it was last compared.
    pub suspect: PartitionSet,
    /// Compared: the inputs are not those it was made from.
    pub inputs_changed: PartitionSet,
    /// What they were made from beside declared inputs; only those that have such inputs.
    pub discovered: Arc<BTreeMap<PartitionKey, Discovered>>,
    /// The file has other bytes than were published.
    pub altered: PartitionSet,
    /// The file was there and is gone; not in `present`.
    pub vanished: PartitionSet,
    /// The last run for it failed.
    pub failed: PartitionSet,
    /// The data is bad, somebody said; by the event that says so.
    pub tainted: Marks,
    /// Made from data that is or was tainted, at any distance; by the event that tainted it.
    pub follows: Marks,
    /// Those of `follows` whose bad inputs are replaced: untainting does not clear them.
    pub spoiled: PartitionSet,
    /// Adopted as they were found, not made by a run.
    pub adopted: PartitionSet,
    /// What it was named before, the latest first.
    pub aliases: Vec<Alias>,
}

impl DatasetState {
    /// Nothing is known.
    #[must_use]
    pub fn new(axes: Vec<Axis>, shape: Shape) -> DatasetState {
        let empty = || PartitionSet::empty(shape);
        DatasetState {
            axes,
            entries: Entries::new(shape),
            present: empty(),
            empty: empty(),
            made_by: BTreeMap::new(),
            suspect: empty(),
            inputs_changed: empty(),
            discovered: Arc::default(),
            altered: empty(),
            vanished: empty(),
            failed: empty(),
            tainted: Marks::default(),
            follows: Marks::default(),
            spoiled: empty(),
            adopted: empty(),
            aliases: Vec::new(),
        }
    }

    /// Partitions that hold data, or did until it went: others were made from it all the same.
    #[must_use]
    pub fn remembered(&self) -> PartitionSet {
        self.present.union(&self.vanished)
    }

    /// Whether that holds for one of them.
    #[must_use]
    pub fn remembers(&self, key: &PartitionKey) -> bool {
        self.present.contains(key) || self.vanished.contains(key)
    }

    /// Records new data of one partition. Returns whether its data version differs from what was
    /// known, or nothing was, or somebody had altered it.
    pub fn set(
        &mut self,
        key: &PartitionKey,
        entry: Entry,
        made_by: Option<ProvenanceIx>,
        empty: bool,
    ) -> bool {
        let was_sound = self.present.contains(key) && !self.altered.contains(key);
        let old = self.entries.insert(key, entry);
        self.present.insert(key);
        self.adopted.remove(key);
        if empty {
            self.empty.insert(key);
        } else {
            self.empty.remove(key);
        }
        for set in [&mut self.inputs_changed, &mut self.altered, &mut self.vanished, &mut self.failed] {
            set.remove(key);
        }
        self.made_by.iter_mut().filter(|(other, _)| Some(**other) != made_by).for_each(|(_, set)| {
            set.remove(key);
        });
        if let Some(ix) = made_by {
            let shape = self.present.shape();
            self.made_by.entry(ix).or_insert_with(|| PartitionSet::empty(shape)).insert(key);
        }
        !was_sound || old.is_none_or(|old| old.version != entry.version)
    }

    /// It has another name from now on.
    pub(super) fn rename(&mut self, from: Alias, to: &Dataset) {
        let now = Alias::of(to);
        self.aliases.retain(|alias| *alias != from && *alias != now);
        self.aliases.insert(0, from);
        self.axes = to.axes();
    }

    /// The digests by which one partition was made.
    #[must_use]
    pub fn maker_of(&self, key: &PartitionKey) -> Option<ProvenanceIx> {
        self.made_by.iter().find(|(_, set)| set.contains(key)).map(|(ix, _)| *ix)
    }

    /// What `from` made of `set` counts as made by `to` from now on.
    pub(super) fn attribute(&mut self, from: ProvenanceIx, to: ProvenanceIx, set: &PartitionSet) {
        if let Some(made) = self.made_by.get_mut(&from) {
            made.subtract_with(set);
        }
        let shape = set.shape();
        self.made_by.entry(to).or_insert_with(|| PartitionSet::empty(shape)).union_with(set);
        self.made_by.retain(|_, made| !made.is_empty());
    }

    /// The file of these partitions is gone.
    pub fn vanish(&mut self, set: &PartitionSet) {
        let gone = self.present.intersect(set);
        self.present.subtract_with(&gone);
        self.empty.subtract_with(&gone);
        self.vanished.union_with(&gone);
    }
}
