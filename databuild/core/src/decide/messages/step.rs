//! What comes of an input: facts, orders, an answer.

use crate::decide::messages::input::{KeyCounts, WantRequest};
use crate::decide::messages::refusal::Refusal;
use crate::event::{OutputRecord, PartitionText, PlanCreated, Record};
use crate::graph::{DatasetIx, JobIx, Params, Registered};
use crate::ids::{AttemptId, TrialId, WantId};
use crate::partition_set::{PartitionKey, PartitionSet};
use crate::state::{Made, State};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a step leads to.
#[derive(Debug)]
pub struct Step {
    /// Facts, in order, to be appended all or none.
    pub records: Vec<Record>,
    /// Orders, to be carried out afterwards.
    pub effects: Vec<Effect>,
    /// The answer to whoever asked.
    pub reply: Result<Reply, Refusal>,
}

/// A good answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Done.
    Done,
    /// The graph is the current one.
    Registered {
        /// It differs from the one before.
        changed: bool,
    },
    /// A want was created.
    Want(WantId),
    /// An earlier request with the same key made this; nothing more was done.
    Repeated(Made),
    /// A trial was created.
    Trial(TrialId),
    /// A plan was made.
    Planned {
        /// It.
        plan: Box<PlanCreated>,
        /// Whether it is kept under its id. What has nothing to do is not.
        kept: bool,
    },
    /// Files are adopted.
    Adopted {
        /// Partitions that hold them now.
        adopted: Vec<PartitionText>,
        /// Sets of those that were left alone, as a run is making them.
        being_made: Vec<String>,
    },
    /// A judgement is recorded.
    Judged {
        /// Of how many partitions.
        partitions: u64,
        /// How many more, made from them, it reaches, by dataset.
        followers: BTreeMap<String, u64>,
    },
    /// Keys were added or retired.
    Keys(KeyCounts),
}

/// An order to the rim, to be carried out once the step's events are durable.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Start an attempt.
    Start(Box<AttemptSpec>),
    /// Stop an attempt.
    Cancel(AttemptId),
    /// Take an attempt back if it has not begun; one that has begun goes on.
    Withdraw(AttemptId),
    /// Move staged outputs to their places.
    Publish {
        /// Whose.
        attempt: AttemptId,
        /// The graph that says where.
        graph: Arc<Registered>,
        /// What.
        outputs: Vec<OutputRecord>,
        /// It was ordered before, so it may have been done in part or in full.
        again: bool,
    },
    /// Look at external data that a want came to need and that nobody has looked at, as far as is known; answered by
    /// [`Input::Looked`]. Asked again if the answer is lost with the server.
    Look {
        /// For which want.
        want: WantId,
        /// Which partitions, in the graph of this moment.
        sets: Vec<(DatasetIx, PartitionSet)>,
    },
    /// A tick of a schedule is due: look at the files that its want is about; answered by [`Input::Fired`]. Asked again if the
    /// answer is lost with the server.
    Fire {
        /// Name of the schedule.
        schedule: Arc<str>,
        /// The tick.
        tick: Timestamp,
        /// What will be wanted.
        request: WantRequest,
    },
    /// An attempt is over and done with: staging and spool may go.
    Forget(AttemptId),
}

/// All that is needed to start an attempt.
#[derive(Debug, Clone)]
pub struct AttemptSpec {
    /// Which.
    pub attempt: AttemptId,
    /// The graph whose code runs.
    pub graph: Arc<Registered>,
    /// The job there.
    pub job: JobIx,
    /// Keys of its outputs: one partition, or those of a batch.
    pub set: PartitionSet,
    /// The same as text, of the job's first output.
    pub partition: PartitionText,
    /// For which instant key spaces were read.
    pub as_of: Timestamp,
    /// All parameters of the job with their values.
    pub params: Params,
    /// For each input: which partitions are read, by any of the outputs.
    pub inputs: Vec<(String, DatasetIx, PartitionSet)>,
    /// What it found that it needs beside them.
    pub discovered: Vec<(DatasetIx, PartitionKey)>,
    /// What the state said that all of them hold when it was leased ([`AttemptSpec::held`]).
    pub held: u64,
    /// Who wants it.
    pub wants: Vec<WantId>,
}

impl AttemptSpec {
    /// All that it reads, by dataset of its graph.
    pub fn reads(&self) -> Vec<(DatasetIx, PartitionSet)> {
        let mut sets: BTreeMap<DatasetIx, PartitionSet> = BTreeMap::new();
        for (_, ix, set) in &self.inputs {
            sets.entry(*ix).and_modify(|all| all.union_with(set)).or_insert_with(|| set.clone());
        }
        for (ix, key) in &self.discovered {
            let shape = self.graph.graph.dataset(*ix).shape;
            sets.entry(*ix).or_insert_with(|| PartitionSet::empty(shape)).insert(key);
        }
        sets.into_iter().collect()
    }

    /// Digest of what a state says that all that it reads holds.
    #[must_use]
    pub fn held(&self, state: &State) -> u64 {
        let sets = self.reads();
        state.held_digest(&self.graph, sets.iter().map(|(ix, set)| (*ix, set)))
    }
}
