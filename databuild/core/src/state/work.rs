//! Work that wants have caused and that is not done yet: per job, as sets.
//!
//! Queued work is a set, not a list of rows; a run comes into being with its first lease.

use crate::event::{ArmId, OutputRecord, PlanCreated, PriorityClass, Refresh, SetText, WantCounts};
use crate::graph::{JobIx, Params, Registered};
use crate::ids::{AttemptId, GraphId, PlanId, RunId, Seq, WantId};
use crate::partition_set::{PartitionKey, PartitionSet, Shape};
use crate::symbols::Symbols;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::dataset::ProvenanceIx;
use super::{Discovered, Marks};

/// Undone work of one job, in the keys of its outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobWork {
    /// Some want holds it and no run has it.
    pub todo: PartitionSet,
    /// Those of `todo` that wait for nothing upstream and for no run of their own.
    pub ready: PartitionSet,
    /// A live run has it.
    pub live: PartitionSet,
    /// Those of `todo` to be done even if they turn out to be current.
    pub forced: PartitionSet,
    /// Those of `todo` that are queued only for wants which invoke the job by hand.
    pub by_hand: PartitionSet,
}

impl JobWork {
    /// None.
    #[must_use]
    pub fn new(shape: Shape) -> JobWork {
        let empty = || PartitionSet::empty(shape);
        JobWork { todo: empty(), ready: empty(), live: empty(), forced: empty(), by_hand: empty() }
    }

    /// What a consumer has to wait for.
    #[must_use]
    pub fn pending(&self) -> PartitionSet {
        self.todo.union(&self.live)
    }
}

/// What a want invokes by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The job; what the want has of it are its targets.
    pub job: JobIx,
    /// The values that were given; at least one.
    pub params: Params,
    /// The last run before it.
    pub after: RunId,
}

/// A live want.
#[derive(Debug, Clone)]
pub struct Want {
    /// Its identity.
    pub id: WantId,
    /// What was asked for.
    pub targets: SetText,
    /// Its class.
    pub class: PriorityClass,
    /// What to refresh.
    pub refresh: Refresh,
    /// For which instant key spaces are read: what comes into existence later is not for this want.
    pub as_of: Timestamp,
    /// When it was created.
    pub created_at: Timestamp,
    /// Give up then.
    pub expires_at: Option<Timestamp>,
    /// Work it still waits for, by job.
    pub remaining: BTreeMap<JobIx, PartitionSet>,
    /// How what it does not wait for any more ended.
    pub counts: WantCounts,
    /// First causes, at most ten.
    pub causes: Vec<String>,
    /// The plan that it carries out: no work is ever added to it.
    pub plan: Option<PlanId>,
    /// The run that is suspended until it is satisfied.
    pub parent: Option<RunId>,
    /// Nothing is begun for it.
    pub paused: bool,
    /// What it invokes by hand with values of its own.
    pub invoked: Option<Invocation>,
    /// References of the request that leave out a dimension: they mean all keys that exist, whenever those come.
    pub asked: SetText,
    /// After which event all of it was planned last; 0 if keys have come since that may concern it.
    pub planned: Seq,
    /// How often it was planned again when it waited for nothing, since something came from outside.
    pub rounds: u32,
}

impl Want {
    /// Whether nothing is left to wait for.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.remaining.values().all(PartitionSet::is_empty)
    }

    /// How many partitions it still waits for.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.remaining.values().map(PartitionSet::len).sum()
    }

    /// How its partitions have ended if it ends now: nobody begins what is left for it any more.
    #[must_use]
    pub fn counts_at_end(&self) -> WantCounts {
        WantCounts { canceled: self.counts.canceled + self.left(), ..self.counts }
    }

    /// Whether it waits for that partition of that job.
    #[must_use]
    pub fn holds(&self, job: JobIx, key: &PartitionKey) -> bool {
        self.remaining.get(&job).is_some_and(|set| set.contains(key))
    }

    /// Whether it waits for any of these partitions of that job.
    #[must_use]
    pub fn holds_any(&self, job: JobIx, set: &PartitionSet) -> bool {
        self.remaining.get(&job).is_some_and(|held| held.intersects(set))
    }
}

/// A plan that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedPlan {
    /// When it was made.
    pub created_at: Timestamp,
    /// It.
    pub plan: PlanCreated,
}

/// Where a live run stands. Scheduled and ready work has no run yet; completed, failed and cancelled
/// runs are history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// An attempt was handed to the executor.
    Leased,
    /// Its process runs.
    Running,
    /// Its outputs are being published.
    Publishing,
    /// The next attempt starts then.
    RetryWait(Timestamp),
}

/// A live run.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its identity.
    pub id: RunId,
    /// The graph whose code it runs.
    pub graph: Arc<Registered>,
    /// Its job there.
    pub job: JobIx,
    /// The keys of its outputs: one partition, or those of a batch that are not done yet.
    pub set: PartitionSet,
    /// The same as one reference text.
    pub partition: String,
    /// Where it stands.
    pub phase: Phase,
    /// The current or last attempt's number.
    pub attempt: u32,
    /// Attempts that failed or timed out.
    pub failures: u32,
    /// Attempts that were lost.
    pub losses: u32,
    /// Attempts in vain since an input moved.
    pub moves: u32,
    /// For each partition of `set`, in its order: digest of the inputs as of the last lease.
    pub inputs: Vec<u64>,
    /// For which instant key spaces were read.
    pub as_of: Timestamp,
    /// All parameters of its job with their values.
    pub params: Params,
    /// The digests its outputs will carry.
    pub made_by: ProvenanceIx,
    /// Somebody asked for it to stop.
    pub cancel_requested: bool,
    /// What is being made from tainted data.
    pub tainted: Marks,
    /// Those of `tainted` whose bad inputs were replaced since the lease: untainting does not clear them.
    pub spoiled: PartitionSet,
    /// What it found that it needs beside its declared inputs.
    pub discovered: Discovered,
    /// It waits for this want to bring that.
    pub suspended: Option<WantId>,
    /// Outputs on their way to publication.
    pub intended: Vec<OutputRecord>,
    /// While some of a batch is being published: when the rest of it is tried again.
    pub rest_due: Option<Timestamp>,
    /// Why some partitions of a batch failed for good; none if none did.
    pub given_up: Option<String>,
    /// The arm of a trial that it is: it holds no partition, and nobody waits for it but the trial.
    pub trial: Option<ArmId>,
}

impl Run {
    /// The current or last attempt.
    #[must_use]
    pub fn attempt_id(&self) -> AttemptId {
        AttemptId { run: self.id, number: self.attempt }
    }

    /// Its partitions, each with the digest of the inputs as of the last lease.
    pub fn partitions(&self) -> impl Iterator<Item = (PartitionKey, u64)> + '_ {
        self.set.iter().zip(self.inputs.iter().copied())
    }

    /// Those of its partitions of which `outputs` has every output of the job.
    #[must_use]
    pub fn made_whole(&self, outputs: &[OutputRecord], symbols: &Symbols) -> PartitionSet {
        let graph = &self.graph.graph;
        if self.inputs.len() == 1 && outputs.len() == graph.job(self.job).outputs.len() {
            return self.set.clone();
        }
        let mut found: BTreeMap<PartitionKey, usize> = BTreeMap::new();
        for (ix, key) in outputs.iter().filter_map(|output| graph.locate(&output.partition, symbols)) {
            if graph.job(self.job).outputs.contains(&ix) && self.set.contains(&key) {
                *found.entry(key).or_default() += 1;
            }
        }
        let mut whole = PartitionSet::empty(self.set.shape());
        for (key, _) in found.iter().filter(|(_, count)| **count == graph.job(self.job).outputs.len()) {
            whole.insert(key);
        }
        whole
    }

    /// What it makes and is not yet being published.
    #[must_use]
    pub fn unmade(&self, symbols: &Symbols) -> PartitionSet {
        match self.phase {
            Phase::Publishing => self.set.subtract(&self.made_whole(&self.intended, symbols)),
            _ => self.set.clone(),
        }
    }

    /// It has nothing to do with `gone` any more.
    pub(super) fn narrow(&mut self, gone: &PartitionSet, symbols: &Symbols) {
        let left = self.partitions().filter(|(key, _)| !gone.contains(key));
        self.inputs = left.map(|(_, inputs)| inputs).collect();
        self.set.subtract_with(gone);
        self.tainted.clear(gone);
        self.spoiled.subtract_with(gone);
        self.partition = self.graph.graph.home(self.job).batch_text(&self.set, symbols);
    }

    /// The graph's digest.
    #[must_use]
    pub fn graph_id(&self) -> &GraphId {
        &self.graph.id
    }

    /// Whether it occupies a place at the executor.
    #[must_use]
    pub fn occupies_slot(&self) -> bool {
        matches!(self.phase, Phase::Leased | Phase::Running)
    }
}
