//! Which partitions are as good as a fresh build, and if not, why not.

use super::{DatasetState, ProvenanceIx, Run, State};
use crate::digest::mix;
use crate::graph::OnCodeChange;
use crate::graph::{DatasetIx, Extents, Graph, JobIx, Registered};
use crate::partition_set::{PartitionKey, PartitionSet};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is to be said of one partition. Reasons stand in the order in which they are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// As good as a fresh build.
    Current,
    /// Never made.
    Missing,
    /// Made, but its file is gone.
    Vanished,
    /// Its file has other bytes than were published.
    Altered,
    /// Somebody declared its data bad.
    Tainted,
    /// Made from data that is or was tainted.
    MadeFromTainted,
    /// Made by other code.
    CodeChanged,
    /// Made with other arguments or environment.
    ArgsChanged,
    /// Made for another place.
    TemplateChanged,
    /// Made from other inputs: other data, or another set of them.
    InputsChanged,
}

impl Verdict {
    /// Stable name.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Verdict::Current => "current",
            Verdict::Missing => "missing",
            Verdict::Vanished => "file_missing",
            Verdict::Altered => "file_altered",
            Verdict::Tainted => "tainted",
            Verdict::MadeFromTainted => "made_from_tainted",
            Verdict::CodeChanged => "code_changed",
            Verdict::ArgsChanged => "args_changed",
            Verdict::TemplateChanged => "template_changed",
            Verdict::InputsChanged => "inputs_changed",
        }
    }

    /// For people, after "because".
    #[must_use]
    pub fn phrase(self) -> &'static str {
        match self {
            Verdict::Current => "nothing changed",
            Verdict::Missing => "it was never built",
            Verdict::Vanished => "its file is gone",
            Verdict::Altered => "its file was changed by somebody else",
            Verdict::Tainted => "it was tainted",
            Verdict::MadeFromTainted => "it was made from tainted data",
            Verdict::CodeChanged => "its job's code changed",
            Verdict::ArgsChanged => "its job's arguments or environment changed",
            Verdict::TemplateChanged => "its path changed",
            Verdict::InputsChanged => "its inputs changed",
        }
    }
}

/// Tells the digest of an altered file from that of what was published.
const ALTERED: u64 = 1;
/// Stands for data that lies where the current graph does not look for it, so that nothing is known of it.
const ELSEWHERE: u64 = 2;

impl State {
    /// Combined digest of the inputs that `key` of `job` would be made from now: which partitions, with
    /// which data versions. Missing ones contribute nothing, so their coming changes it. Independent of
    /// the order of visits, so that no sorting is needed.
    #[must_use]
    pub fn inputs_digest(&self, job: JobIx, key: &PartitionKey) -> u64 {
        self.digest_in(self.graph(), self.extents(), job, key, |ix| Some(self.dataset(ix)))
    }

    /// The same with key spaces read at another instant.
    #[must_use]
    pub fn inputs_digest_at(&self, job: JobIx, key: &PartitionKey, as_of: Timestamp) -> u64 {
        let graph = self.graph();
        if as_of == self.env.as_of || graph.job(job).inputs.iter().all(|input| !input.time_dependent) {
            return self.inputs_digest(job, key);
        }
        self.digest_in(graph, &self.extents_at(as_of), job, key, |ix| Some(self.dataset(ix)))
    }

    /// The same for each partition of a run's next attempt, which reads what the run's own graph says.
    #[must_use]
    pub fn inputs_digests_of(&self, run: &Run, as_of: Timestamp) -> Vec<u64> {
        self.inputs_digests_in(&run.graph, run.job, &run.set, &run.discovered, as_of)
    }

    /// The same for partitions of a job of any graph.
    #[must_use]
    pub fn inputs_digests_in(
        &self,
        registered: &Registered,
        job: JobIx,
        set: &PartitionSet,
        discovered: &[String],
        as_of: Timestamp,
    ) -> Vec<u64> {
        let discovered = self.discovered_digest(discovered);
        if registered.id == self.registered().id {
            let declared = |key: PartitionKey| self.inputs_digest_at(job, &key, as_of);
            return set.iter().map(|key| declared(key).wrapping_add(discovered)).collect();
        }
        let graph = &registered.graph;
        let extents = graph.extents(as_of, &self.symbols);
        let digest = |key: PartitionKey| {
            self.digest_in(graph, &extents, job, &key, |ix| {
                Some(self.dataset(self.same_place(registered, ix)?))
            })
        };
        set.iter().map(|key| digest(key).wrapping_add(discovered)).collect()
    }

    /// Digest of what the state says that these partitions of a graph hold. Equal digests mean that nothing that was
    /// seen or built between them changes what is read.
    #[must_use]
    pub fn held_digest<'i>(
        &self,
        registered: &Registered,
        sets: impl IntoIterator<Item = (DatasetIx, &'i PartitionSet)>,
    ) -> u64 {
        let mut sum: u64 = 0;
        for (ix, set) in sets {
            let Some(now) = self.same_place(registered, ix) else {
                sum = sum.wrapping_add(mix(ix.0 as u64, ELSEWHERE));
                continue;
            };
            let facts = self.dataset(now);
            for (tuple, longs) in set.intersect(&facts.present).rows() {
                let row = tuple.iter().fold(ix.0 as u64, |acc, key| mix(acc, u64::from(*key)));
                for (long, entry) in facts.entries.of_row(tuple, longs) {
                    let key = facts.entries.shape().join(tuple, *long);
                    let version = mix(entry.version, u64::from(facts.altered.contains(&key)));
                    sum = sum.wrapping_add(mix(mix(row, u64::from(*long)), version));
                }
            }
        }
        sum
    }

    fn digest_in<'s>(
        &'s self,
        graph: &Graph,
        extents: &Extents,
        job: JobIx,
        key: &PartitionKey,
        state_of: impl Fn(DatasetIx) -> Option<&'s DatasetState>,
    ) -> u64 {
        let single = PartitionSet::single(graph.home(job).shape, key);
        let mut sum: u64 = 0;
        for (at, input) in graph.job(job).inputs.iter().enumerate() {
            let seed = mix(input.hash, graph.dataset(input.dataset).hash);
            let Some(state) = state_of(input.dataset) else {
                sum = sum.wrapping_add(mix(seed, ELSEWHERE));
                continue;
            };
            // Where they are too many to list, only those that have data count, as always.
            let needed = graph.inputs_of(extents, job, at, &single).unwrap_or_else(|_| {
                graph.inputs_among(extents, job, at, &single, &state.entries.partitions())
            });
            for (tuple, longs) in needed.rows() {
                let row = tuple.iter().fold(seed, |acc, key| mix(acc, u64::from(*key)));
                for (long, entry) in state.entries.of_row(tuple, longs) {
                    // Whoever reads an altered file reads other data than that version.
                    let altered = !state.altered.is_empty()
                        && state.altered.contains(&state.entries.shape().join(tuple, *long));
                    let version = if altered { mix(entry.version, ALTERED) } else { entry.version };
                    sum = sum.wrapping_add(mix(mix(row, u64::from(*long)), version));
                }
            }
        }
        sum
    }

    /// Compares suspects of `job` within `set` with the inputs they were made from, so that afterwards
    /// [`State::outdated`] is exact within `set`.
    pub fn settle(&mut self, job: JobIx, set: &PartitionSet) {
        let registered = Arc::clone(self.registered());
        let entry = registered.graph.job(job);
        let any_time_dependent = entry.inputs.iter().any(|input| input.time_dependent);
        for output in &entry.outputs {
            let state = self.dataset(*output);
            let suspects = if any_time_dependent {
                state.present.intersect(set)
            } else if state.suspect.is_empty() {
                continue;
            } else {
                state.suspect.intersect(set).intersect(&state.present)
            };
            if suspects.is_empty() {
                continue;
            }
            let (same, changed) = self.compare(job, *output, &suspects);
            // What a run is making stays suspect: its lease may have read other inputs than those of now.
            let settled = suspects.subtract(&self.work(job).live);
            let state = Arc::make_mut(&mut self.env.datasets[output.0]);
            state.suspect.subtract_with(&settled);
            state.inputs_changed.subtract_with(&same);
            state.inputs_changed.union_with(&changed);
        }
    }

    /// Splits partitions into those whose inputs are as recorded and the others.
    pub(super) fn compare(
        &self,
        job: JobIx,
        output: DatasetIx,
        suspects: &PartitionSet,
    ) -> (PartitionSet, PartitionSet) {
        let state = self.dataset(output);
        let mut same = PartitionSet::empty(suspects.shape());
        let mut changed = PartitionSet::empty(suspects.shape());
        for key in suspects.iter() {
            let recorded = state.entries.get(&key).map(|entry| entry.inputs);
            let discovered = self.discovered_digest(self.discovered(output, &key));
            if recorded == Some(self.inputs_digest(job, &key).wrapping_add(discovered)) {
                same.insert(&key);
            } else {
                changed.insert(&key);
            }
        }
        (same, changed)
    }

    /// The first digest of `job` that differs from `made_by`, as a verdict.
    #[must_use]
    pub fn digest_verdict(&self, job: JobIx, made_by: ProvenanceIx) -> Verdict {
        let registered = self.registered();
        let now = registered.digests_of(job);
        let then = self.provenance(made_by);
        let keep = registered.graph.job(job).policy.on_code_change == OnCodeChange::Keep;
        if then.code != now.code && !keep {
            Verdict::CodeChanged
        } else if then.args != now.args {
            Verdict::ArgsChanged
        } else if then.template != now.template {
            Verdict::TemplateChanged
        } else {
            Verdict::Current
        }
    }

    /// Present partitions of a dataset that were made for other places than its job makes them for today. What was
    /// made lies there still, if the graph that had those places comes back.
    #[must_use]
    pub fn misplaced(&self, ix: DatasetIx) -> PartitionSet {
        let facts = self.dataset(ix);
        let mut found = PartitionSet::empty(facts.present.shape());
        let Some(job) = self.graph().dataset(ix).producer else { return found };
        let now = &self.registered().digests_of(job).template;
        for (made_by, set) in &facts.made_by {
            if self.provenance(*made_by).template != *now {
                found.union_with(&set.intersect(&facts.present));
            }
        }
        found
    }

    /// Those of `set` of which a build of what is missing makes something: some output of the job is not there, at the
    /// place where it belongs.
    #[must_use]
    pub fn absent(&self, job: JobIx, set: &PartitionSet) -> PartitionSet {
        let mut absent = PartitionSet::empty(set.shape());
        for output in &self.graph().job(job).outputs {
            absent.union_with(&set.subtract(&self.dataset(*output).present));
            absent.union_with(&set.intersect(&self.misplaced(*output)));
        }
        absent
    }

    /// What of `output` was made otherwise than `job` makes it today, and does not count as made so either: by the
    /// first digest that differs from what comes closest.
    #[must_use]
    pub fn made_otherwise(&self, job: JobIx, output: DatasetIx) -> Vec<(Verdict, PartitionSet)> {
        let facts = self.dataset(output);
        let mut found: BTreeMap<Verdict, PartitionSet> = BTreeMap::new();
        for (ix, set) in facts.counted_as() {
            let verdict = self.digest_verdict(job, ix);
            if verdict != Verdict::Current || !facts.accepted.is_empty() {
                found.entry(verdict).and_modify(|all| all.union_with(set)).or_insert_with(|| set.clone());
            }
        }
        if !facts.accepted.is_empty() {
            // The first digests are looked at first, so who differs later comes closer.
            let mut closer = found.remove(&Verdict::Current);
            for set in found.values_mut().rev() {
                match &mut closer {
                    Some(closer) => {
                        set.subtract_with(closer);
                        closer.union_with(set);
                    }
                    None => closer = Some(set.clone()),
                }
            }
            found.retain(|_, set| !set.is_empty());
        }
        found.into_iter().collect()
    }

    /// Partitions of `set` that are not as good as a fresh build of `job`, by reason; exact where
    /// [`State::settle`] was called. A partition is outdated if any output of the job is.
    #[must_use]
    pub fn outdated(&self, job: JobIx, set: &PartitionSet) -> Vec<(Verdict, PartitionSet)> {
        let mut left = set.clone();
        let mut found: Vec<(Verdict, PartitionSet)> = Vec::new();
        let mut take = |left: &mut PartitionSet, verdict: Verdict, these: PartitionSet| {
            if these.is_empty() {
                return;
            }
            left.subtract_with(&these);
            match found.iter_mut().find(|(other, _)| *other == verdict) {
                Some((_, set)) => set.union_with(&these),
                None => found.push((verdict, these)),
            }
        };
        let outputs = &self.graph().job(job).outputs;
        let states: Vec<&DatasetState> = outputs.iter().map(|output| self.dataset(*output)).collect();
        for state in &states {
            let vanished = left.intersect(&state.vanished);
            take(&mut left, Verdict::Vanished, vanished);
        }
        for state in &states {
            let missing = left.subtract(&state.present);
            take(&mut left, Verdict::Missing, missing);
        }
        for state in &states {
            let altered = left.intersect(&state.altered);
            take(&mut left, Verdict::Altered, altered);
        }
        for state in states.iter().filter(|state| !state.tainted.is_empty()) {
            let tainted = left.intersect(&state.tainted.set(left.shape()));
            take(&mut left, Verdict::Tainted, tainted);
        }
        for state in states.iter().filter(|state| !state.follows.is_empty()) {
            let follows = left.intersect(&state.follows.set(left.shape()));
            take(&mut left, Verdict::MadeFromTainted, follows);
        }
        let mut made: Vec<(Verdict, PartitionSet)> =
            outputs.iter().flat_map(|output| self.made_otherwise(job, *output)).collect();
        made.sort_by_key(|(verdict, _)| *verdict);
        for (verdict, set) in made {
            let outdated = left.intersect(&set);
            take(&mut left, verdict, outdated);
        }
        for state in &states {
            // No job made it: it was observed while the dataset was external.
            let mut unmade = left.clone();
            state.made_by.values().for_each(|made| unmade.subtract_with(made));
            take(&mut left, Verdict::CodeChanged, unmade);
        }
        for state in &states {
            let inputs = left.intersect(&state.inputs_changed);
            take(&mut left, Verdict::InputsChanged, inputs);
        }
        found
    }

    /// The union of [`State::outdated`].
    #[must_use]
    pub fn outdated_set(&self, job: JobIx, set: &PartitionSet) -> PartitionSet {
        let mut all = PartitionSet::empty(set.shape());
        for (_, part) in self.outdated(job, set) {
            all.union_with(&part);
        }
        all
    }

    /// The verdict on one partition of a built dataset.
    #[must_use]
    pub fn verdict(&self, job: JobIx, key: &PartitionKey) -> Verdict {
        let shape = self.graph().home(job).shape;
        let set = PartitionSet::single(shape, key);
        self.outdated(job, &set).first().map_or(Verdict::Current, |(verdict, _)| *verdict)
    }
}
