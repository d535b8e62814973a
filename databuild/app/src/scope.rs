//! What is one want's: the work that it waits for, by the events that say so.

use crate::engine::Snapshot;
use crate::store::{History, StoreError, WantRow, WantWork};
use databuild_core::event::{Refresh, SetText};
use databuild_core::graph::{Job, JobIx, Params};
use databuild_core::ids::{Seq, WantId};
use databuild_core::partition_set::PartitionSet;
use databuild_core::state::State;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Wants whose work is remembered. Who watches one asks several times a second.
const REMEMBERED: usize = 100;

/// The work of wants that somebody watches, as the log says.
#[derive(Debug, Default)]
pub struct Watched(Mutex<BTreeMap<WantId, WantWork>>);

impl Watched {
    /// The work of a want up to now.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn work(&self, reader: &dyn History, want: WantId) -> Result<WantWork, StoreError> {
        let known = self.0.lock().ok().and_then(|known| known.get(&want).cloned());
        let work = reader.work_of_want(want, known)?.value;
        if let Ok(mut known) = self.0.lock() {
            known.insert(want, work.clone());
            if known.len() > REMEMBERED {
                known.pop_first();
            }
        }
        Ok(work)
    }
}

/// What is one want's, in the graph of today.
pub struct Scope {
    /// Its work from an event on.
    said: Vec<(Seq, BTreeMap<JobIx, PartitionSet>)>,
    /// The event that ended it.
    ended: Option<Seq>,
    /// What it asks for whatever its state: only a run that began after it was asked for is what it waits for.
    forced: BTreeMap<JobIx, PartitionSet>,
    /// The job that it invokes by hand, and the values that it gives.
    invoked: Option<(JobIx, Params)>,
    /// A want that came after it may have the same work done again.
    rivals: bool,
}

impl Scope {
    /// That of `want`, of which the log says `work`.
    pub fn new(live: &Snapshot, want: &WantRow, work: &WantWork) -> Scope {
        let state = &live.state;
        let targets = by_job(state, &want.targets);
        let invoked = targets.first_key_value().filter(|_| !want.params.is_empty());
        Scope {
            said: work.said.iter().map(|(seq, texts)| (*seq, by_job(state, texts))).collect(),
            ended: work.ended,
            invoked: invoked.map(|(job, _)| (*job, want.params.clone())),
            forced: if want.refresh == Refresh::All { targets } else { BTreeMap::new() },
            rivals: state.last_want() > want.id,
        }
    }

    /// What of `set` the want waits for at an event, and since which event.
    pub fn part(&self, seq: Seq, job: JobIx, set: &PartitionSet) -> Option<(Seq, PartitionSet)> {
        if self.ended.is_some_and(|ended| seq > ended) {
            return None;
        }
        let (since, work) = self.said.iter().rev().find(|(since, _)| *since <= seq)?;
        let own = work.get(&job).filter(|own| own.shape() == set.shape())?.intersect(set);
        (!own.is_empty()).then_some((*since, own))
    }

    /// What of a job the want has made whatever its state, and since when: the event that created it.
    pub fn forced(&self, job: JobIx) -> Option<(Seq, &PartitionSet)> {
        let (created, _) = self.said.first()?;
        Some((*created, self.forced.get(&job)?))
    }

    /// The values of parameters of the runs that the want waits for.
    pub fn params(&self, job: &Job, ix: JobIx) -> Params {
        match &self.invoked {
            Some((invoked, given)) if *invoked == ix => job.values(given),
            _ => job.params.clone(),
        }
    }

    /// Whether there are newer wants.
    pub fn has_rivals(&self) -> bool {
        self.rivals
    }
}

/// What jobs of today make of partitions that the log names.
pub fn by_job(state: &State, texts: &[String]) -> BTreeMap<JobIx, PartitionSet> {
    let Some(registered) = state.followed() else { return BTreeMap::new() };
    let graph = &registered.graph;
    let mut found: BTreeMap<JobIx, PartitionSet> = BTreeMap::new();
    for (dataset, set) in texts.iter().filter_map(|text| graph.locate_set(text, state.symbols())) {
        let Some(job) = graph.dataset(dataset).producer else { continue };
        match found.get_mut(&job) {
            Some(all) => all.union_with(&set),
            None => {
                found.insert(job, set);
            }
        }
    }
    found
}

/// All work that a want ever waited for, of what its events say.
pub fn all_work(state: &State, said: &[(Seq, SetText)]) -> BTreeMap<JobIx, PartitionSet> {
    let mut work: BTreeMap<JobIx, PartitionSet> = BTreeMap::new();
    for (_, texts) in said {
        for (job, set) in by_job(state, texts) {
            match work.get_mut(&job) {
                Some(all) => all.union_with(&set),
                None => _ = work.insert(job, set),
            }
        }
    }
    work
}
