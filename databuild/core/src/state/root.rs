//! The state as a whole: its parts, and how texts name what it holds.
//!
//! The state is one environment ([`Env`]) and what all environments share once there are several:
//!
//! | shared | since |
//! |---|---|
//! | `seq` | there is one log |
//! | `symbols` | a key has one number wherever it is used, so that sets of two environments can be compared |
//! | `provenances` | code that made a partition in one environment makes the same one in another |
//! | `last_want`, `last_run`, `last_plan`, `last_trial` | ids name one thing in the whole log |
//! | `requests` | a key names a request, whatever that is about |
//! | `pool_sizes`, `starts` | pools and rates protect what is outside, and that is there once |
//! | `tokens` | who asks is asked once, at the door |
//! | `attempt_ms` | there is one executor |
//!
//! All fields are private to the fold; others read them by the methods below. Whoever asks what would be takes a clone and
//! has these ways in: [`State::apply`] for events that may come, [`State::at`] and [`State::read_as_of`] for another
//! instant, and [`State::settle`].

use super::dataset::{DatasetState, ProvenanceIx};
use super::env::Env;
use super::requests::Requests;
use super::schedules::Schedules;
use super::tokens::Tokens;
use super::trial::Trial;
use super::work::{JobWork, Run, SavedPlan, Want};
use crate::graph::{DatasetIx, Extents, Graph, JobDigests, JobIx, Registered};
use crate::ids::{PlanId, RunId, Seq, TrialId, WantId};
use crate::partition_set::{PartitionKey, PartitionSet};
use crate::reference::{self, ReferenceError, ReferenceText, Retired};
use crate::symbols::Symbols;
use jiff::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// The fold of an event log.
#[derive(Debug, Clone, Default)]
pub struct State {
    pub(super) seq: Seq,
    pub(super) symbols: Symbols,
    pub(super) provenances: Arc<Vec<JobDigests>>,
    pub(super) last_want: WantId,
    pub(super) last_run: RunId,
    pub(super) last_plan: PlanId,
    pub(super) last_trial: TrialId,
    pub(super) requests: Requests,
    pub(super) pool_sizes: BTreeMap<String, u32>,
    pub(super) tokens: Tokens,
    pub(super) starts: BTreeMap<String, Arc<VecDeque<Timestamp>>>,
    pub(super) attempt_ms: f64,
    pub(super) env: Env,
}

impl State {
    /// The last event folded in.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// Texts of listed and dynamic keys, and which dynamic keys there are.
    #[must_use]
    pub fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    /// The number of the last want.
    #[must_use]
    pub fn last_want(&self) -> WantId {
        self.last_want
    }

    /// The number of the last run.
    #[must_use]
    pub fn last_run(&self) -> RunId {
        self.last_run
    }

    /// The number of the last plan.
    #[must_use]
    pub fn last_plan(&self) -> PlanId {
        self.last_plan
    }

    /// The number of the last trial.
    #[must_use]
    pub fn last_trial(&self) -> TrialId {
        self.last_trial
    }

    /// Requests that named themselves.
    #[must_use]
    pub fn requests(&self) -> &Requests {
        &self.requests
    }

    /// Who may ask the server for what.
    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Sizes that pools were given by hand, by label.
    #[must_use]
    pub fn pool_sizes(&self) -> &BTreeMap<String, u32> {
        &self.pool_sizes
    }

    /// For each job that has a rate, by its first label: when its last attempts were leased, oldest first; as many as
    /// the rate allows in a period.
    #[must_use]
    pub fn starts(&self) -> &BTreeMap<String, Arc<VecDeque<Timestamp>>> {
        &self.starts
    }

    /// Moving average of attempts' wall time in milliseconds.
    #[must_use]
    pub fn attempt_ms(&self) -> f64 {
        self.attempt_ms
    }

    /// Latest instant for which anything read key spaces.
    #[must_use]
    pub fn as_of(&self) -> Timestamp {
        self.env.as_of
    }

    /// Live wants.
    #[must_use]
    pub fn wants(&self) -> &BTreeMap<WantId, Arc<Want>> {
        &self.env.wants
    }

    /// Live runs.
    #[must_use]
    pub fn runs(&self) -> &BTreeMap<RunId, Arc<Run>> {
        &self.env.runs
    }

    /// Plans that are kept.
    #[must_use]
    pub fn plans(&self) -> &BTreeMap<PlanId, Arc<SavedPlan>> {
        &self.env.plans
    }

    /// Trials, the newest of those that are over among them.
    #[must_use]
    pub fn trials(&self) -> &BTreeMap<TrialId, Arc<Trial>> {
        &self.env.trials
    }

    /// Where schedules stand.
    #[must_use]
    pub fn schedules(&self) -> &Schedules {
        &self.env.schedules
    }

    /// The graph that new work follows, with its registration; none before the first.
    #[must_use]
    pub fn followed(&self) -> Option<&Arc<Registered>> {
        self.env.graph.as_ref()
    }

    /// The graph that new work follows, for code that runs only once there is one.
    ///
    /// # Panics
    /// If no graph was ever registered; nothing that has a dataset or job index can meet that.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.registered().graph
    }

    /// The same with its registration.
    ///
    /// # Panics
    /// As [`State::graph`].
    #[must_use]
    pub fn registered(&self) -> &Arc<Registered> {
        self.env.graph.as_ref().expect("indices exist only once a graph is registered")
    }

    /// Key spaces as of [`State::as_of`].
    ///
    /// # Panics
    /// As [`State::graph`].
    #[must_use]
    pub fn extents(&self) -> &Extents {
        self.env.extents.as_ref().expect("set whenever a graph is registered")
    }

    /// Reads key spaces at a later instant from now on; an earlier one changes nothing.
    pub fn advance(&mut self, as_of: Timestamp) {
        if as_of > self.env.as_of {
            self.read_as_of(as_of);
        }
    }

    /// Key spaces of the current graph at another instant.
    ///
    /// # Panics
    /// As [`State::graph`].
    #[must_use]
    pub fn extents_at(&self, as_of: Timestamp) -> Arc<Extents> {
        match &self.env.extents {
            Some(extents) if extents.hold_at(as_of) => Arc::clone(extents),
            _ => Arc::new(self.graph().extents(as_of, &self.symbols)),
        }
    }

    /// Key spaces of a run's own graph at the instant for which it reads them.
    pub(crate) fn extents_of(&self, run: &Run) -> Arc<Extents> {
        match Arc::ptr_eq(&run.graph, self.registered()) {
            true => self.extents_at(run.as_of),
            false => Arc::new(run.graph.graph.extents(run.as_of, &self.symbols)),
        }
    }

    /// Reads key spaces at another instant from now on, be it earlier: for copies that answer questions.
    pub fn read_as_of(&mut self, as_of: Timestamp) {
        self.env.as_of = as_of;
        if self.env.graph.is_some() {
            self.env.extents = Some(self.extents_at(as_of));
        }
    }

    /// Runs `ask` with key spaces read at another instant, be it earlier. What was compared then is forgotten, for it
    /// may differ now.
    pub fn at<T>(&mut self, as_of: Timestamp, ask: impl FnOnce(&mut State) -> T) -> T {
        if self.env.graph.is_none() || as_of == self.env.as_of {
            return ask(self);
        }
        let extents = self.extents_at(as_of);
        let own = (self.env.as_of, self.env.extents.replace(extents), self.env.datasets.clone());
        self.env.as_of = as_of;
        let answer = ask(self);
        (self.env.as_of, self.env.extents, self.env.datasets) = own;
        answer
    }

    /// The instant for which a new run reads key spaces: that of the want which looks furthest.
    #[must_use]
    pub fn as_of_for(&self, job: JobIx, key: &PartitionKey) -> Timestamp {
        self.holders(job, key).map(|want| want.as_of).max().unwrap_or(self.env.as_of)
    }

    /// State of a dataset of the current graph.
    #[must_use]
    pub fn dataset(&self, ix: DatasetIx) -> &DatasetState {
        &self.env.datasets[ix.0]
    }

    /// Undone work of a job of the current graph.
    #[must_use]
    pub fn work(&self, ix: JobIx) -> &JobWork {
        &self.env.work[ix.0]
    }

    /// Digests by their index.
    #[must_use]
    pub fn provenance(&self, ix: ProvenanceIx) -> &JobDigests {
        &self.provenances[ix.0 as usize]
    }

    /// Parses a reference against the current graph.
    ///
    /// # Errors
    /// Unknown dataset, dimension or key, with what exists instead.
    pub fn resolve(&self, text: &str) -> Result<(DatasetIx, PartitionSet), ReferenceError> {
        self.resolve_at(text, self.env.as_of)
    }

    /// The same with key spaces read at another instant.
    ///
    /// # Errors
    /// As [`State::resolve`].
    pub fn resolve_at(
        &self,
        text: &str,
        as_of: Timestamp,
    ) -> Result<(DatasetIx, PartitionSet), ReferenceError> {
        self.resolve_as(text, as_of, Retired::Refused)
    }

    /// The same for somebody who only looks: keys may be retired.
    ///
    /// # Errors
    /// As [`State::resolve`].
    pub fn resolve_readable(&self, text: &str) -> Result<(DatasetIx, PartitionSet), ReferenceError> {
        self.resolve_as(text, self.env.as_of, Retired::Readable)
    }

    fn resolve_as(
        &self,
        text: &str,
        as_of: Timestamp,
        retired: Retired,
    ) -> Result<(DatasetIx, PartitionSet), ReferenceError> {
        let reference = ReferenceText::parse(text)?;
        let graph = self.graph();
        let ix = graph.dataset_named(&reference.dataset).ok_or_else(|| {
            match graph.dataset_once_named(&reference.dataset) {
                Some(ix) => ReferenceError::Moved {
                    from: reference.dataset.clone(),
                    to: graph.dataset(ix).name.clone(),
                },
                None => ReferenceError::unknown_dataset(
                    &reference.dataset,
                    graph.datasets().map(|(_, d)| d.name.as_str()),
                ),
            }
        })?;
        let dataset = graph.dataset(ix);
        let moved = reference.dims.iter().find_map(|(dim, _)| Some((dim, dataset.dim_once_named(dim)?)));
        if let Some((from, to)) = moved {
            let (dataset, from, to) = (dataset.name.clone(), from.clone(), to.to_owned());
            return Err(ReferenceError::MovedDimension { dataset, from, to });
        }
        let dims: Vec<_> = dataset.dims.iter().map(String::as_str).zip(&dataset.spaces).collect();
        Ok((ix, reference::resolve_as(&reference, &dims, &self.symbols, as_of, retired)?))
    }

    /// A reference with exact keys in the place of relative ones, as of an instant, so that it means the same at any other.
    /// Any other text stays as it is.
    ///
    /// # Errors
    /// Relative keys that mean none.
    pub fn in_exact_keys(&self, text: &str, as_of: Timestamp) -> Result<String, ReferenceError> {
        let graph = self.env.graph.as_ref().map(|registered| &registered.graph);
        let known = graph.and_then(|graph| Some((graph, graph.read_recorded(text)?)));
        let (Some((graph, (ix, renamed))), Ok(mut written)) = (known, ReferenceText::parse(text)) else {
            return Ok(text.to_owned());
        };
        let dataset = graph.dataset(ix);
        let dims: Vec<_> = dataset.dims.iter().map(String::as_str).zip(&dataset.spaces).collect();
        let exact = reference::exact(renamed.clone(), &dims, &self.symbols, as_of)?;
        if exact == renamed {
            return Ok(text.to_owned());
        }
        // Names stay as they were written: whether earlier ones are taken is for others to say.
        for ((_, keys), (_, exact)) in written.dims.iter_mut().zip(exact.dims) {
            *keys = exact;
        }
        Ok(written.to_string())
    }

    /// Reads a reference of an event. Unlike a user's it may speak of keys whose period has not ended
    /// by today's clock, or that are retired by now, and in the words of an earlier graph; none if the current
    /// graph does not have it any more.
    #[must_use]
    pub(crate) fn resolve_recorded(&self, text: &str) -> Option<(DatasetIx, PartitionSet)> {
        self.env.graph.as_ref()?.graph.locate_set(text, &self.symbols)
    }

    /// Parses the reference of exactly one partition.
    ///
    /// # Errors
    /// As [`State::resolve`].
    pub fn resolve_one(&self, text: &str) -> Result<(DatasetIx, PartitionKey), ReferenceError> {
        let (ix, set) = self.resolve(text)?;
        match (set.len(), set.first()) {
            (1, Some(key)) => Ok((ix, key)),
            (count, _) => Err(ReferenceError::NotOne { text: text.to_owned(), count }),
        }
    }

    /// The reference text of one partition.
    #[must_use]
    pub fn partition_text(&self, ix: DatasetIx, key: &PartitionKey) -> String {
        self.graph().dataset(ix).partition_text(key, &self.symbols)
    }

    /// Partitions of a set in the order in which they are shown and handed out.
    #[must_use]
    pub fn in_order(&self, ix: DatasetIx, set: &PartitionSet) -> Vec<PartitionKey> {
        self.graph().dataset(ix).in_order(set, &self.symbols)
    }

    /// Compact reference texts of a set.
    #[must_use]
    pub fn set_text(&self, ix: DatasetIx, set: &PartitionSet) -> Vec<String> {
        let dataset = self.graph().dataset(ix);
        reference::format_set(&dataset.name, &dataset.dims, &dataset.spaces, set, &self.symbols)
    }

    /// A set of a job's partitions, written as its first output.
    #[must_use]
    pub fn work_text(&self, job: JobIx, set: &PartitionSet) -> Vec<String> {
        self.set_text(self.graph().job(job).outputs[0], set)
    }

    /// Live wants that wait for that partition.
    pub fn holders(&self, job: JobIx, key: &PartitionKey) -> impl Iterator<Item = &Arc<Want>> {
        let key = key.clone();
        self.env.wants.values().filter(move |want| want.holds(job, &key))
    }

    /// Live wants that wait for any of these partitions.
    pub fn holders_of<'s>(
        &'s self,
        job: JobIx,
        set: &'s PartitionSet,
    ) -> impl Iterator<Item = &'s Arc<Want>> {
        self.env.wants.values().filter(move |want| want.holds_any(job, set))
    }

    /// Whether a run is for paused wants alone, so that it is not tried again for now.
    #[must_use]
    pub fn is_held_back(&self, run: &Run) -> bool {
        let mut any = false;
        self.served_by(run).all(|want| {
            any = true;
            want.paused
        }) && any
    }
}
