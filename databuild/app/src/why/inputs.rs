//! What a partition was made from, held against what it would be made from now.
//!
//! Recorded is a digest of all inputs. Which ones they were is worked out anew: from the lease's graph and instant,
//! and from the keys that there were then.

use super::seen::Seen;
use crate::api::InputUsed;
use crate::held::{held, held_at};
use crate::store::{History, MaterializationRow, StoreError};
use databuild_core::decide::{Sighting, Sightings};
use databuild_core::event::Event;
use databuild_core::graph::{DatasetIx, Graph, JobIx};
use databuild_core::ids::Seq;
use databuild_core::partition_set::{PartitionKey, PartitionSet};
use databuild_core::range_set::RangeSet;
use databuild_core::state::{State, Verdict};
use databuild_core::symbols::Symbols;
use databuild_core::text::and_more_aside;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Inputs of one partition.
#[derive(Debug, Default)]
pub(super) struct Used {
    /// Those of now, with those that are none any more.
    pub(super) inputs: Vec<InputUsed>,
    /// How many there were then, if that is known.
    then: Option<u64>,
    /// How many there are now.
    now: u64,
    /// The job declares them otherwise than then.
    declared_otherwise: bool,
    /// There are others, which whoever asks may not see.
    hidden: bool,
}

impl Used {
    /// Those that make it stale.
    pub(super) fn changed(&self) -> impl Iterator<Item = &InputUsed> {
        self.inputs.iter().filter(|input| input.then != input.now)
    }

    /// Why it is not made from what it would be made from, for people after "because".
    pub(super) fn what_changed(&self) -> String {
        let changed: Vec<&InputUsed> = self.changed().collect();
        let among = |keep: fn(&InputUsed) -> bool| {
            let found: Vec<&InputUsed> = changed.iter().copied().filter(|input| keep(input)).collect();
            let first = *found.first()?;
            Some((first, found.len() - 1))
        };
        let name = |(first, more): (&InputUsed, usize)| {
            let more = and_more_aside(more);
            match first.kind.as_deref() {
                Some("discovered") => {
                    format!("input {}{more}, found by its run,", first.partition)
                }
                _ => format!("input {}{more}", first.partition),
            }
        };
        let parts = [
            among(|input| input.then.is_some() && input.now.is_some()).map(|(first, more)| {
                let version = |version: &Option<String>| short(version.as_deref().unwrap_or_default());
                let (then, now) = (version(&first.then), version(&first.now));
                format!("{} changed ({then} then, {now} now)", name((first, more)))
            }),
            among(|input| input.then.is_none()).map(|found| format!("{} was added", name(found))),
            among(|input| input.now.is_none() && input.kind.as_deref() != Some("removed"))
                .map(|found| format!("{} is gone", name(found))),
            among(|input| input.kind.as_deref() == Some("removed"))
                .map(|found| format!("{} is no longer read", name(found))),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        match (parts.as_slice(), self.then) {
            ([], _) if self.hidden => Verdict::InputsChanged.phrase().to_owned(),
            ([], _) if self.declared_otherwise => "its job declares other inputs now".to_owned(),
            ([], Some(then)) => {
                format!("its job reads other inputs now: {} instead of {then}", self.now)
            }
            ([], None) => "its job reads other inputs now than when it was built".to_owned(),
            _ => parts.join("; "),
        }
    }
}

/// The inputs of `key`, which `made` says how it was made. Which ones they were then matters only if it is stale
/// for its inputs.
///
/// # Errors
/// The history cannot be read.
pub(super) fn inputs_used(
    state: &State,
    reader: &dyn History,
    seen: Seen<'_>,
    (job, ix, key): (JobIx, DatasetIx, &PartitionKey),
    made: &MaterializationRow,
    verdict: Verdict,
) -> Result<Used, StoreError> {
    let read_at = read_at(reader, made)?;
    let then = match read_at.filter(|_| verdict == Verdict::InputsChanged) {
        // What cannot be read explains nothing; the rest can still be told.
        Some(at) => inputs_then(state, reader, (job, ix, key), made, at).ok().flatten(),
        None => None,
    };
    let versions = Versions { state, reader, seen: seen.looks, read_at };
    let (mut then, mut now) = (then, inputs_of(state.graph(), state.extents(), job, key));
    let is_seen = |dataset: &DatasetIx| seen.audience.sees_dataset(state.graph(), *dataset);
    let hidden = !now.iter().all(|(dataset, _)| is_seen(dataset));
    now.retain(|(dataset, _)| is_seen(dataset));
    if let Some(then) = &mut then {
        then.sets.retain(|dataset, _| is_seen(dataset));
    }
    let mut used = Used {
        hidden,
        then: then.as_ref().map(|then| then.sets.values().map(PartitionSet::len).sum()),
        now: now.iter().map(|(_, set)| set.len()).sum(),
        declared_otherwise: then.as_ref().is_some_and(|then| then.declared_otherwise),
        ..Used::default()
    };
    for (dataset, set) in &now {
        let before = then.as_ref().map(|then| then.sets.get(dataset));
        for key in state.in_order(*dataset, set) {
            // Whatever data it had then, nobody read it.
            let added = before.is_some_and(|before| before.is_none_or(|before| !before.contains(&key)));
            let read = if added { None } else { versions.then(*dataset, &key)? };
            used.inputs.push(InputUsed {
                partition: state.partition_text(*dataset, &key),
                then: read,
                now: versions.now(*dataset, &key)?,
                kind: added.then(|| "added".to_owned()),
            });
        }
    }
    for (dataset, before) in then.iter().flat_map(|then| &then.sets) {
        let still = now.iter().find(|(other, _)| other == dataset).map(|(_, set)| set);
        let removed = still.map_or_else(|| before.clone(), |still| before.subtract(still));
        for key in state.in_order(*dataset, &removed) {
            // What was not there was not read either.
            let Some(version) = versions.then(*dataset, &key)? else { continue };
            used.inputs.push(InputUsed {
                partition: state.partition_text(*dataset, &key),
                then: Some(version),
                now: None,
                kind: Some("removed".to_owned()),
            });
        }
    }
    for text in state.discovered(ix, key).iter().filter(|text| seen.audience.sees_text(state, text)) {
        let (partition, then, now) = match state.graph().locate(text, state.symbols()) {
            Some((dataset, key)) => {
                let partition = state.partition_text(dataset, &key);
                (partition, versions.then(dataset, &key)?, versions.now(dataset, &key)?)
            }
            None => (text.clone(), versions.named(text)?, None),
        };
        used.inputs.push(InputUsed { partition, then, now, kind: Some("discovered".to_owned()) });
    }
    Ok(used)
}

/// What `key` of `job` reads, by dataset, in the order of its inputs.
fn inputs_of(
    graph: &Graph,
    extents: &databuild_core::graph::Extents,
    job: JobIx,
    key: &PartitionKey,
) -> Vec<(DatasetIx, PartitionSet)> {
    let one = PartitionSet::single(graph.home(job).shape, key);
    let mut found: Vec<(DatasetIx, PartitionSet)> = Vec::new();
    for (number, input) in graph.job(job).inputs.iter().enumerate() {
        // What nobody can list no run has read.
        let Ok(needed) = graph.inputs_of(extents, job, number, &one) else { continue };
        match found.iter_mut().find(|(dataset, _)| *dataset == input.dataset) {
            Some((_, all)) => all.union_with(&needed),
            None => found.push((input.dataset, needed)),
        }
    }
    found
}

/// The position at which the inputs of a materialization were read: that of its run's lease, or of its adoption.
fn read_at(reader: &dyn History, made: &MaterializationRow) -> Result<Option<Seq>, StoreError> {
    let Some(run) = made.run else { return Ok(Some(made.seq)) };
    let Some(found) = reader.run(run)?.value else { return Ok(None) };
    // A batch may have had further attempts after the one that made this partition.
    let leases = found.attempts.iter().map(|attempt| attempt.lease_seq);
    Ok(leases.filter(|lease| *lease < made.seq).max())
}

/// What a partition was made from, in the datasets of today.
struct Then {
    sets: BTreeMap<DatasetIx, PartitionSet>,
    declared_otherwise: bool,
}

/// Works out what was read at `at`; none if the history does not tell.
fn inputs_then(
    state: &State,
    reader: &dyn History,
    (job, ix, key): (JobIx, DatasetIx, &PartitionKey),
    made: &MaterializationRow,
    at: Seq,
) -> Result<Option<Then>, StoreError> {
    let registered = state.registered();
    let lease = match made.run {
        None => None,
        Some(_) => match reader.event(at)?.value.map(|record| record.event) {
            Some(Event::AttemptLeased(lease)) => Some(lease),
            _ => return Ok(None),
        },
    };
    let Some(mut symbols) = symbols_at(state, reader, at)? else { return Ok(None) };
    let Some(lease) = lease.filter(|lease| lease.graph != registered.id) else {
        // Of an adoption it is not recorded which graph was the current one.
        let as_of = made_as_of(reader, made, at)?;
        let extents = state.graph().extents(as_of, &symbols);
        let sets = inputs_of(state.graph(), &extents, job, key).into_iter().collect();
        return Ok(Some(Then { sets, declared_otherwise: false }));
    };
    let Some(bytes) = reader.content(&lease.graph.0)? else { return Ok(None) };
    let Ok(content) = String::from_utf8(bytes) else { return Ok(None) };
    // What this program cannot read any more explains nothing.
    let Ok(graph) = Graph::parse(&content, &mut symbols) else { return Ok(None) };
    let Some(job_then) = graph.job_labeled(&lease.job) else { return Ok(None) };
    let texts = state.texts(ix, key);
    let Some((_, key)) = texts.iter().find_map(|text| graph.locate(text, &symbols)) else { return Ok(None) };
    let extents = graph.extents(lease.as_of, &symbols);
    let declared = |graph: &Graph, job: JobIx| -> Vec<u64> {
        graph.job(job).inputs.iter().map(|input| input.hash).collect()
    };
    let mut then = Then {
        sets: BTreeMap::new(),
        declared_otherwise: declared(&graph, job_then) != declared(state.graph(), job),
    };
    for (dataset, set) in inputs_of(&graph, &extents, job_then, &key) {
        match state.successor_of(&graph, dataset) {
            Some(today) => {
                then.sets.entry(today).and_modify(|all| all.union_with(&set)).or_insert(set);
            }
            None => then.declared_otherwise = true,
        }
    }
    Ok(Some(then))
}

/// The instant for which key spaces were read.
fn made_as_of(reader: &dyn History, made: &MaterializationRow, at: Seq) -> Result<Timestamp, StoreError> {
    Ok(match reader.event(at)?.value.map(|record| record.event) {
        Some(Event::AttemptLeased(lease)) => lease.as_of,
        _ => made.at,
    })
}

/// The dynamic keys that there were at a position of the log; none if that is not known.
///
/// # Errors
/// The history cannot be read.
pub(crate) fn symbols_at(
    state: &State,
    reader: &dyn History,
    at: Seq,
) -> Result<Option<Symbols>, StoreError> {
    let mut symbols = state.symbols().clone();
    if symbols.dynamic_spaces().len() == 0 {
        return Ok(Some(symbols));
    }
    let Some(changes) = reader.key_changes(at)?.value else { return Ok(None) };
    for change in changes.iter().rev() {
        let numbers = |keys: &[String]| -> RangeSet {
            keys.iter().filter_map(|key| state.symbols().get(key)).collect()
        };
        match change {
            Event::KeysAdded(added) => symbols.retire_keys(&added.space, &numbers(&added.keys)),
            Event::KeysRetired(retired) => symbols.add_keys(&retired.space, numbers(&retired.keys).iter()),
            _ => {}
        }
    }
    Ok(Some(symbols))
}

/// Data versions of then and of now.
struct Versions<'a> {
    state: &'a State,
    reader: &'a dyn History,
    seen: &'a Sightings,
    read_at: Option<Seq>,
}

impl Versions<'_> {
    fn then(&self, dataset: DatasetIx, key: &PartitionKey) -> Result<Option<String>, StoreError> {
        let Some(at) = self.read_at else { return Ok(None) };
        let held = held_at(self.state, self.reader, self.state.graph(), (dataset, key), at)?;
        Ok(held.map(|row| row.version))
    }

    /// What a partition held then that the graph of now does not have.
    fn named(&self, text: &String) -> Result<Option<String>, StoreError> {
        let Some(at) = self.read_at else { return Ok(None) };
        let row = self.reader.materialization_at(std::slice::from_ref(text), at)?.value;
        Ok(row.map(|row| row.version))
    }

    fn now(&self, dataset: DatasetIx, key: &PartitionKey) -> Result<Option<String>, StoreError> {
        // A look just now may know more than the log.
        let just_seen = self.seen.seen.iter().find_map(|sighting| match sighting {
            Sighting::Content { dataset: of, key: seen, version, .. } if *of == dataset && seen == key => {
                Some(version.clone())
            }
            _ => None,
        });
        match just_seen {
            Some(version) => Ok(Some(version)),
            None if self.state.dataset(dataset).present.contains(key) => {
                Ok(held(self.state, self.reader, dataset, key)?.map(|row| row.version))
            }
            None => Ok(None),
        }
    }
}

/// The beginning of a data version is enough for an eye.
fn short(version: &str) -> String {
    version.chars().take(15).collect()
}
