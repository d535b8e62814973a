//! Looking at all files of datasets: for what is missing or altered, and for what can be adopted.

use super::handle::Handle;
use super::looks::blanks::Blanks;
use super::looks::files;
use super::message::CommandError;
use crate::publish;
use databuild_core::decide::{AdoptRequest, Core, FoundFile, Input, Refusal, Reply, Sighting, Sightings};
use databuild_core::digest::hash64;
use databuild_core::event::Refresh;
use databuild_core::graph::DatasetIx;
use databuild_core::observation::{Blind, Look};
use databuild_core::partition_set::{size, PartitionSet};
use databuild_core::planner::Unseen;
use databuild_core::state::State;
use std::collections::BTreeMap;

/// What a look at some files found, as references.
#[derive(Debug, Default)]
pub struct Scanned {
    /// Partitions looked at.
    pub looked: u64,
    /// Partitions that a whole scan looks at.
    pub total: u64,
    /// Files that were there and are gone, whether or not that was known.
    pub missing: Found,
    /// Published files with other bytes, whether or not that was known.
    pub altered: Found,
    /// External files that are new or have other bytes than were seen.
    pub changed: Found,
    /// How many of `missing` and `altered` an earlier look had found.
    pub known: u64,
    /// Partitions that could not be looked at, with the reason.
    pub unseen: Vec<(Found, Blind)>,
}

/// A set of partitions, counted.
#[derive(Debug, Default)]
pub struct Found {
    /// How many.
    pub count: u64,
    /// They, as references.
    pub partitions: Vec<String>,
}

/// What came of an adoption, or would.
#[derive(Debug)]
pub struct AdoptedFiles {
    /// Partitions that hold what was found.
    pub adopted: Vec<String>,
    /// Partitions without a file.
    pub missing: Found,
    /// Partitions that were recorded already.
    pub recorded: Found,
    /// Sets that a run is making.
    pub being_made: Vec<String>,
    /// Partitions whose files could not be looked at, with the reason.
    pub unseen: Vec<(Found, Blind)>,
}

fn found(state: &State, sets: &BTreeMap<DatasetIx, PartitionSet>) -> Found {
    Found {
        count: sets.values().map(PartitionSet::len).sum(),
        partitions: sets.iter().flat_map(|(ix, set)| state.set_text(*ix, set)).collect(),
    }
}

/// The size of a set, and of it `room` partitions after the first `skip`.
fn part(set: &PartitionSet, skip: u64, room: u64) -> (u64, PartitionSet) {
    (set.len(), set.subtract(&set.take_first(skip)).take_first(room))
}

fn add(
    sets: &mut BTreeMap<DatasetIx, PartitionSet>,
    ix: DatasetIx,
    key: &databuild_core::partition_set::PartitionKey,
    state: &State,
) {
    let shape = state.graph().dataset(ix).shape;
    sets.entry(ix).or_insert_with(|| PartitionSet::empty(shape)).insert(key);
}

fn unseen(state: &State, look: &Unseen) -> (Found, Blind) {
    let partitions = state.set_text(look.dataset, &look.set);
    (Found { count: look.set.len(), partitions }, Blind { kind: look.kind, message: look.message.clone() })
}

/// What a look for an adoption found.
pub(super) struct ToAdopt {
    pub(super) files: Vec<FoundFile>,
    pub(super) missing: Found,
    pub(super) recorded: Found,
    pub(super) unseen: Vec<(Found, Blind)>,
    look: files::FileLook,
}

impl Handle {
    /// Looks at the files of `limit` partitions after the first `skip` of those named (all, if none are),
    /// and records what it finds. Waits for the disk.
    ///
    /// # Errors
    /// A reference that cannot be resolved; what was seen cannot be recorded.
    pub async fn scan(
        &self,
        targets: Vec<String>,
        deep: bool,
        skip: u64,
        limit: u64,
    ) -> Result<Scanned, CommandError> {
        let look = move |handle: &Handle| {
            handle.look_at_some(&targets, deep, skip, limit).map(|(scanned, seen)| (seen, scanned))
        };
        let (_, scanned) = self.submit_seen(look, |seen, _| Input::Sightings(seen)).await?;
        Ok(scanned)
    }

    pub(super) fn look_at_some(
        &self,
        targets: &[String],
        deep: bool,
        skip: u64,
        limit: u64,
    ) -> Result<(Scanned, Sightings), CommandError> {
        let mut state = State::clone(&self.snapshot().state);
        if state.followed().is_none() {
            return Err(Refusal::NoGraph.into());
        }
        state.advance(crate::os::now());
        let mut sets: BTreeMap<DatasetIx, Option<PartitionSet>> = BTreeMap::new();
        for text in targets {
            let (ix, set) = state.resolve(text).map_err(Refusal::from)?;
            match sets.entry(ix).or_insert(None) {
                Some(all) => all.union_with(&set),
                none => *none = Some(set),
            }
        }
        if targets.is_empty() {
            // All that exist.
            sets.extend(state.graph().datasets().map(|(ix, _)| (ix, None)));
        }
        let mut scanned = Scanned::default();
        let mut page = Vec::new();
        let (mut skip, mut room) = (skip, limit);
        for (ix, set) in sets {
            let dataset = state.graph().dataset(ix);
            if dataset.path.is_none() && dataset.observe.is_none() {
                continue;
            }
            // Of external data it is not known what there is; of built data only what is recorded counts.
            let keys = state.extents().of(ix);
            let (total, here) = match (set, dataset.external) {
                (None, true) => (size(keys), PartitionSet::part_of_full(dataset.shape, keys, skip, room)),
                (None, false) => part(&state.dataset(ix).remembered().within(keys), skip, room),
                (Some(set), true) => part(&set, skip, room),
                (Some(set), false) => part(&set.intersect(&state.dataset(ix).remembered()), skip, room),
            };
            scanned.total += total;
            skip -= total.min(skip);
            room -= here.len();
            scanned.looked += here.len();
            page.push((ix, here));
        }
        let sightings = files::look_at(&state, &page, &self.observers, deep);
        let mut missing = BTreeMap::new();
        let mut altered = BTreeMap::new();
        let mut changed = BTreeMap::new();
        for (ix, set) in &page {
            // What was found gone before is not looked at: only a build or an adoption brings it back.
            let vanished = set.intersect(&state.dataset(*ix).vanished);
            if !vanished.is_empty() {
                scanned.known += vanished.len();
                missing.insert(*ix, vanished);
            }
        }
        for sighting in &sightings.seen {
            match sighting {
                Sighting::Gone(ix, key) if state.dataset(*ix).present.contains(key) => {
                    add(&mut missing, *ix, key, &state);
                }
                Sighting::Gone(..) => {}
                Sighting::Content { dataset, key, version, .. } => {
                    let entry = state.dataset(*dataset).entries.get(key);
                    let same = state.dataset(*dataset).present.contains(key)
                        && entry.is_some_and(|entry| entry.version == hash64(version));
                    if same {
                        continue;
                    }
                    let external = state.graph().dataset(*dataset).external;
                    scanned.known += u64::from(!external && state.dataset(*dataset).altered.contains(key));
                    let vanished = missing.get_mut(dataset).filter(|_| external);
                    if let Some(set) = vanished.filter(|set| set.contains(key)) {
                        // Others have brought it back.
                        set.remove(key);
                        scanned.known -= 1;
                    }
                    add(if external { &mut changed } else { &mut altered }, *dataset, key, &state);
                }
            }
        }
        scanned.missing = found(&state, &missing);
        scanned.altered = found(&state, &altered);
        scanned.changed = found(&state, &changed);
        scanned.unseen = sightings.unseen.iter().map(|look| unseen(&state, look)).collect();
        Ok((scanned, sightings))
    }

    /// Adopts the files at the places of the named partitions; `dry_run` only says what it would do. Waits
    /// for the disk.
    ///
    /// # Errors
    /// A reference that cannot be resolved; it cannot be recorded.
    pub async fn adopt(&self, targets: Vec<String>, dry_run: bool) -> Result<AdoptedFiles, CommandError> {
        let adopt = |files: &[FoundFile], seen| Input::Adopt(AdoptRequest { files: files.to_vec() }, seen);
        let (reply, found) = if dry_run {
            let handle = self.clone();
            let looking = move || handle.look_for_adoption(&targets);
            let found = tokio::task::spawn_blocking(looking).await??;
            let mut core = Core::new(0);
            core.state = found.look.state.clone();
            core.held = true;
            let input = adopt(&found.files, found.look.sightings.clone());
            (core.step(input, crate::os::now()).reply?, found)
        } else {
            let look = move |handle: &Handle| {
                handle.look_for_adoption(&targets).map(|found| (found.look.sightings.clone(), found))
            };
            self.submit_seen_once(look, |seen, found| adopt(&found.files, seen), |_, _| None).await?
        };
        match reply {
            Reply::Adopted { adopted, being_made } => {
                let ToAdopt { missing, recorded, unseen, .. } = found;
                Ok(AdoptedFiles { adopted, missing, recorded, being_made, unseen })
            }
            // They are among those that are recorded by now.
            Reply::Repeated(_) => {
                let ToAdopt { missing, recorded, unseen, .. } = found;
                let (adopted, being_made) = Default::default();
                Ok(AdoptedFiles { adopted, missing, recorded, being_made, unseen })
            }
            other => Err(CommandError::wrong_reply(&other)),
        }
    }

    pub(super) fn look_for_adoption(&self, targets: &[String]) -> Result<ToAdopt, CommandError> {
        // What the adopted would be made from is looked at as well: that is what they are held against later.
        let look = self.look(targets, Refresh::Stale, crate::os::now())?;
        let state = &look.state;
        let touched = |ix: DatasetIx, key: &databuild_core::partition_set::PartitionKey| {
            look.sightings.seen.iter().any(|sighting| match sighting {
                Sighting::Gone(of, gone) => *of == ix && gone == key,
                Sighting::Content { dataset, key: of, version, .. } => {
                    let entry = state.dataset(ix).entries.get(key);
                    *dataset == ix && of == key && entry.is_none_or(|entry| entry.version != hash64(version))
                }
            })
        };
        let blind = |ix: DatasetIx, key: &databuild_core::partition_set::PartitionKey| {
            look.sightings.unseen.iter().any(|look| look.dataset == ix && look.set.contains(key))
        };
        let mut files = Vec::new();
        let mut missing = BTreeMap::new();
        let mut recorded = BTreeMap::new();
        let mut blanks = Blanks::default();
        for (ix, set) in &look.targets {
            let dataset = state.graph().dataset(*ix);
            if dataset.external || dataset.path.is_none() {
                return Err(Refusal::NotAdoptable(dataset.name.clone()).into());
            }
            let known = state.recorded(*ix);
            for key in set.iter() {
                // One that is recorded and cannot be looked at now is left alone by the look below.
                if known.contains(&key) && !touched(*ix, &key) && !blind(*ix, &key) {
                    add(&mut recorded, *ix, &key, state);
                    continue;
                }
                let Some(path) = dataset.partition_path(&key, state.symbols()) else { continue };
                match publish::look(&self.workspace.join(path)) {
                    Look::Present { version, mark, bytes } => {
                        files.push(FoundFile { dataset: *ix, key, version, mark, bytes });
                    }
                    Look::Absent => add(&mut missing, *ix, &key, state),
                    Look::Unknown(blind) => blanks.add(state, *ix, &key, blind),
                    // Nobody gave it a mark to be held against.
                    Look::Untouched => {}
                }
            }
        }
        let (missing, recorded) = (found(state, &missing), found(state, &recorded));
        let unseen = blanks.unseen(state).iter().map(|look| unseen(state, look)).collect();
        Ok(ToAdopt { files, missing, recorded, unseen, look })
    }
}
