//! State of one dataset's partitions.

use super::entries::{Entries, Entry};
use super::Marks;
use crate::graph::{Dataset, DatasetIx};
use crate::ids::Seq;
use crate::partition_set::{Axis, PartitionKey, PartitionSet, Shape};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// References of partitions that a run found it needs; sorted, each once.
pub type Discovered = Arc<[String]>;

/// For each partition that was found: who was made from it.
pub(super) type Readers = BTreeMap<DatasetIx, BTreeMap<PartitionKey, BTreeSet<(DatasetIx, PartitionKey)>>>;

/// A name that a dataset had, with the names of its dimensions, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// The dataset's name.
    pub dataset: String,
    /// Names of its dimensions.
    pub dims: Vec<String>,
}

impl Alias {
    /// What a dataset is named.
    #[must_use]
    pub fn of(dataset: &Dataset) -> Alias {
        Alias { dataset: dataset.name.clone(), dims: dataset.dims.clone() }
    }
}

impl From<(String, Vec<Axis>)> for Alias {
    fn from((dataset, axes): (String, Vec<Axis>)) -> Alias {
        Alias { dataset, dims: axes.into_iter().map(|axis| axis.name).collect() }
    }
}

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
    /// What counts as made by other digests as well, since somebody accepted that; by the event that says so.
    pub accepted: BTreeMap<(Seq, ProvenanceIx), PartitionSet>,
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
    /// The last run for it failed, and as far as is known a run today would do the same again: it would have the
    /// same digests, and none of the inputs has changed since.
    pub failed: PartitionSet,
    /// By which job digests the last run for it failed, whatever the job of today; disjoint.
    pub failed_by: BTreeMap<ProvenanceIx, PartitionSet>,
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
            accepted: BTreeMap::new(),
            suspect: empty(),
            inputs_changed: empty(),
            discovered: Arc::default(),
            altered: empty(),
            vanished: empty(),
            failed: empty(),
            failed_by: BTreeMap::new(),
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
        self.failed_by.retain(|_, set| {
            set.remove(key);
            !set.is_empty()
        });
        self.accepted.retain(|_, set| {
            set.remove(key);
            !set.is_empty()
        });
        self.made_by.iter_mut().filter(|(other, _)| Some(**other) != made_by).for_each(|(_, set)| {
            set.remove(key);
        });
        if let Some(ix) = made_by {
            let shape = self.present.shape();
            self.made_by.entry(ix).or_insert_with(|| PartitionSet::empty(shape)).insert(key);
        }
        !was_sound || old.is_none_or(|old| old.version != entry.version)
    }

    /// What was just made of a dataset that no graph of now has: from which bad data, and from what that was found.
    pub(super) fn remember_lineage(
        &mut self,
        key: &PartitionKey,
        read: &Marks,
        spoiled: bool,
        discovered: &Discovered,
    ) {
        let single = PartitionSet::single(self.present.shape(), key);
        self.tainted.clear(&single);
        self.follows.clear(&single);
        self.spoiled.remove(key);
        for (seq, bad) in read.iter() {
            self.follows.mark(seq, &bad.intersect(&single));
        }
        if spoiled {
            self.spoiled.insert(key);
        }
        if discovered.is_empty() && !self.discovered.contains_key(key) {
            return;
        }
        let all = Arc::make_mut(&mut self.discovered);
        if discovered.is_empty() {
            all.remove(key);
        } else {
            all.insert(key.clone(), Arc::clone(discovered));
        }
    }

    /// An event speaks of it by this name.
    pub(super) fn add_alias(&mut self, alias: Alias) {
        if !self.aliases.contains(&alias) {
            self.aliases.push(alias);
        }
    }

    /// It has another name from now on.
    pub(super) fn rename(&mut self, from: Alias, to: &Dataset) {
        let now = Alias::of(to);
        self.aliases.retain(|alias| *alias != from && *alias != now);
        self.aliases.insert(0, from);
        self.axes = to.axes();
    }

    /// Those that are there and that no job made: they were observed, while the dataset was external.
    #[must_use]
    pub fn observed(&self) -> PartitionSet {
        let mut observed = self.present.clone();
        self.made_by.values().for_each(|made| observed.subtract_with(made));
        observed
    }

    /// The digests by which one partition was made.
    #[must_use]
    pub fn maker_of(&self, key: &PartitionKey) -> Option<ProvenanceIx> {
        self.made_by.iter().find(|(_, set)| set.contains(key)).map(|(ix, _)| *ix)
    }

    /// All digests by which entries were made, or count as made; one entry may have several.
    pub fn counted_as(&self) -> impl Iterator<Item = (ProvenanceIx, &PartitionSet)> {
        let accepted = self.accepted.iter().map(|((_, ix), set)| (*ix, set));
        self.made_by.iter().map(|(ix, set)| (*ix, set)).chain(accepted)
    }

    /// The digests by which one partition was made, or by which it counts as made since the last acceptance.
    #[must_use]
    pub fn counts_as(&self, key: &PartitionKey) -> Option<ProvenanceIx> {
        let accepted = self.accepted.iter().rev().find(|(_, set)| set.contains(key)).map(|((_, ix), _)| *ix);
        accepted.or_else(|| self.maker_of(key))
    }

    /// The last run for `set` failed.
    pub(super) fn fail(&mut self, by: ProvenanceIx, set: &PartitionSet) {
        self.forget_failure(set);
        let shape = set.shape();
        self.failed_by.entry(by).or_insert_with(|| PartitionSet::empty(shape)).union_with(set);
    }

    /// That runs for `set` failed tells nothing any more.
    pub(super) fn forget_failure(&mut self, set: &PartitionSet) {
        if self.failed_by.is_empty() {
            return;
        }
        self.failed.subtract_with(set);
        self.failed_by.values_mut().for_each(|failed| failed.subtract_with(set));
        self.failed_by.retain(|_, failed| !failed.is_empty());
    }

    /// The file of these partitions is gone.
    pub fn vanish(&mut self, set: &PartitionSet) {
        let gone = self.present.intersect(set);
        self.present.subtract_with(&gone);
        self.empty.subtract_with(&gone);
        self.vanished.union_with(&gone);
    }
}
