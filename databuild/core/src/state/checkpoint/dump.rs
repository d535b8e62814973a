//! What a dump holds, and how it is taken.

use super::{EntryColumns, SetColumns};
use crate::event::{
    ArmId, OutputRecord, PriorityClass, Refresh, SetText, TrialCreated, TrialEnded, WantCounts,
};
use crate::graph::{JobDigests, JobIx, Params, Registered};
use crate::ids::{GraphId, PlanId, RunId, Seq, TrialId, WantId};
use crate::partition_set::{Axis, PartitionSet};
use crate::range_set::{Key, RangeSet};
use crate::state::env::Env;
use crate::state::{
    Alias, Answered, Arm, DatasetState, JobWork, Marks, Phase, Run, SavedPlan, ScheduleState, State, Tokens,
    Trial, Want,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A whole [`State`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StateDump {
    /// As in the state.
    pub seq: Seq,
    /// As in the state.
    pub as_of: Timestamp,
    /// As in the state.
    pub last_want: WantId,
    /// As in the state.
    pub last_run: RunId,
    /// As in the state.
    pub attempt_ms: f64,
    /// As in the state.
    pub pool_sizes: BTreeMap<String, u32>,
    /// As in the state.
    pub tokens: Tokens,
    /// As in the state.
    pub starts: BTreeMap<String, Vec<Timestamp>>,
    /// Texts of listed and dynamic keys, by number.
    pub symbols: Vec<String>,
    /// Dynamic key spaces.
    pub key_spaces: Vec<KeySpaceDump>,
    /// The graph that new work follows, then those of live runs and trials; none if no graph was ever registered.
    pub graphs: Vec<GraphDump>,
    /// By index.
    pub provenances: Vec<JobDigests>,
    /// Datasets of the first graph.
    pub datasets: Vec<DatasetDump>,
    /// Datasets that it does not have.
    pub retired: Vec<DatasetDump>,
    /// Jobs of the first graph.
    pub work: Vec<WorkDump>,
    /// Live wants.
    pub wants: Vec<WantDump>,
    /// Live runs.
    pub runs: Vec<RunDump>,
    /// As in the state.
    pub last_plan: PlanId,
    /// Kept plans.
    pub plans: Vec<SavedPlan>,
    /// Requests that named themselves, by key.
    pub requests: Vec<(String, Answered)>,
    /// As in the state.
    pub last_trial: TrialId,
    /// Trials.
    pub trials: Vec<TrialDump>,
    /// Schedules, by name.
    pub schedules: BTreeMap<String, ScheduleState>,
}

/// A dynamic key space: its name, ranges of keys in the order in which they came, and which of them are retired.
pub type KeySpaceDump = (String, Vec<(Key, Key)>, RangeSet);

/// A [`Trial`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrialDump {
    /// As in the state.
    pub spec: TrialCreated,
    /// As in the state.
    pub created_at: Timestamp,
    /// Who wanted it.
    pub by: String,
    /// Indices in [`StateDump::graphs`].
    pub graphs: Vec<u32>,
    /// As in the state.
    pub arms: Vec<((u32, u32), Arm)>,
    /// As in the state.
    pub ended: Option<(Timestamp, TrialEnded)>,
}

/// A registered graph. The content is found by the digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraphDump {
    /// Its digest.
    pub id: GraphId,
    /// Digests of inherited environment values, by name.
    pub inherited: BTreeMap<String, String>,
}

/// A [`DatasetState`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetDump {
    /// The dataset.
    pub name: String,
    /// What its keys stand for.
    pub axes: Vec<Axis>,
    /// As in the state.
    pub entries: EntryColumns,
    /// As in the state.
    pub present: SetColumns,
    /// As in the state.
    pub empty: SetColumns,
    /// By index of provenance.
    pub made_by: Vec<(u32, SetColumns)>,
    /// As in the state.
    pub suspect: SetColumns,
    /// As in the state.
    pub inputs_changed: SetColumns,
    /// As in the state.
    pub altered: SetColumns,
    /// As in the state.
    pub vanished: SetColumns,
    /// As in the state.
    pub failed: SetColumns,
    /// By index of provenance.
    pub failed_by: Vec<(u32, SetColumns)>,
    /// By event.
    pub tainted: Vec<(Seq, SetColumns)>,
    /// By event.
    pub follows: Vec<(Seq, SetColumns)>,
    /// As in the state.
    pub spoiled: SetColumns,
    /// As in the state.
    pub adopted: SetColumns,
    /// By event and index of provenance.
    pub accepted: Vec<(Seq, u32, SetColumns)>,
    /// Keys of a partition, and what it was made from beside declared inputs.
    pub discovered: Vec<(Vec<Key>, Vec<String>)>,
    /// As in the state.
    pub aliases: Vec<Alias>,
}

/// A [`JobWork`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkDump {
    /// Label of the job.
    pub job: String,
    /// As in the state.
    pub todo: SetColumns,
    /// As in the state.
    pub ready: SetColumns,
    /// As in the state.
    pub live: SetColumns,
    /// As in the state.
    pub forced: SetColumns,
    /// As in the state.
    pub by_hand: SetColumns,
}

/// A [`Want`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantDump {
    /// As in the state.
    pub id: WantId,
    /// As in the state.
    pub targets: SetText,
    /// As in the state.
    pub class: PriorityClass,
    /// As in the state.
    pub refresh: Refresh,
    /// As in the state.
    pub as_of: Timestamp,
    /// As in the state.
    pub created_at: Timestamp,
    /// As in the state.
    pub expires_at: Option<Timestamp>,
    /// By index in [`StateDump::work`].
    pub remaining: Vec<(u32, SetColumns)>,
    /// As in the state.
    pub counts: WantCounts,
    /// As in the state.
    pub causes: Vec<String>,
    /// As in the state.
    pub plan: Option<PlanId>,
    /// As in the state.
    pub paused: bool,
    /// As in the state.
    pub parent: Option<RunId>,
    /// By index in [`StateDump::work`]: the job that it invokes, the values given, the last run before.
    pub invoked: Option<(u32, Params, RunId)>,
    /// As in the state.
    pub asked: SetText,
    /// As in the state.
    pub planned: Seq,
    /// As in the state.
    pub rounds: u32,
}

/// A [`Run`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunDump {
    /// As in the state.
    pub id: RunId,
    /// Index in [`StateDump::graphs`].
    pub graph: u32,
    /// Label of the job there.
    pub job: String,
    /// As in the state.
    pub set: SetColumns,
    /// As in the state.
    pub partition: String,
    /// As in the state.
    pub phase: Phase,
    /// As in the state.
    pub attempt: u32,
    /// As in the state.
    pub failures: u32,
    /// As in the state.
    pub losses: u32,
    /// Attempts in vain since an input moved.
    pub moves: u32,
    /// As in the state.
    pub inputs: Vec<u64>,
    /// As in the state.
    pub as_of: Timestamp,
    /// As in the state.
    pub params: Params,
    /// Index of provenance.
    pub made_by: u32,
    /// As in the state.
    pub cancel_requested: bool,
    /// As in the state.
    pub intended: Vec<OutputRecord>,
    /// As in the state.
    pub rest_due: Option<Timestamp>,
    /// As in the state.
    pub given_up: Option<String>,
    /// As in the state.
    pub spoiled: SetColumns,
    /// By event.
    pub tainted: Vec<(Seq, SetColumns)>,
    /// As in the state.
    pub discovered: Vec<String>,
    /// As in the state.
    pub suspended: Option<WantId>,
    /// As in the state.
    pub trial: Option<ArmId>,
}

// No pattern below has a `..`: what the state gains breaks the build here until it is dumped.
impl State {
    /// The state as plain data.
    #[must_use]
    pub fn dump(&self) -> StateDump {
        let State {
            seq,
            symbols,
            last_want,
            last_run,
            last_plan,
            last_trial,
            attempt_ms,
            pool_sizes,
            tokens,
            starts,
            requests,
            provenances,
            env:
                Env {
                    graph,
                    as_of,
                    wants,
                    runs,
                    plans,
                    trials,
                    schedules,
                    // Follows from the graph and `as_of`.
                    extents: _,
                    // Follows from what is discovered.
                    readers: _,
                    datasets,
                    retired,
                    work,
                },
        } = self;
        let mut graphs = Graphs::default();
        if let Some(graph) = graph {
            graphs.index_of(graph);
        }
        let current = graph.as_ref().map(|registered| &registered.graph);
        let names = current.into_iter().flat_map(|graph| graph.datasets()).map(|(_, dataset)| &dataset.name);
        let labels = current.into_iter().flat_map(|graph| graph.jobs()).map(|(_, job)| &job.label);
        StateDump {
            seq: *seq,
            as_of: *as_of,
            last_want: *last_want,
            last_run: *last_run,
            attempt_ms: *attempt_ms,
            key_spaces: symbols
                .dynamic_spaces()
                .map(|(name, keys)| (name.to_owned(), keys.order().to_vec(), keys.retired.clone()))
                .collect(),
            pool_sizes: pool_sizes.clone(),
            tokens: tokens.clone(),
            starts: starts.iter().map(|(job, at)| (job.clone(), at.iter().copied().collect())).collect(),
            symbols: (0..symbols.len()).map(|key| symbols.text(key as Key).to_owned()).collect(),
            provenances: provenances.as_ref().clone(),
            datasets: names.zip(datasets).map(|(name, state)| DatasetDump::of(name, state)).collect(),
            retired: retired.iter().map(|((name, _), state)| DatasetDump::of(name, state)).collect(),
            work: labels.zip(work).map(|(job, work)| WorkDump::of(job, work)).collect(),
            wants: wants.values().map(|want| WantDump::of(want)).collect(),
            runs: runs.values().map(|run| RunDump::of(run, &mut graphs)).collect(),
            trials: trials.values().map(|trial| TrialDump::of(trial, &mut graphs)).collect(),
            last_trial: *last_trial,
            schedules: schedules.dump(),
            graphs: graphs.dumps,
            last_plan: *last_plan,
            plans: plans.values().map(|saved| SavedPlan::clone(saved)).collect(),
            requests: requests.iter().map(|(key, known)| (key.to_owned(), known.clone())).collect(),
        }
    }
}

/// The graphs met so far.
#[derive(Default)]
struct Graphs {
    dumps: Vec<GraphDump>,
}

impl Graphs {
    fn index_of(&mut self, registered: &Arc<Registered>) -> u32 {
        let Registered { id, inherited, graph: _, digests: _ } = registered.as_ref();
        let found = self.dumps.iter().position(|dump| dump.id == *id && dump.inherited == *inherited);
        let ix = found.unwrap_or_else(|| {
            self.dumps.push(GraphDump { id: id.clone(), inherited: inherited.clone() });
            self.dumps.len() - 1
        });
        ix as u32
    }
}

impl DatasetDump {
    fn of(name: &str, state: &DatasetState) -> DatasetDump {
        let DatasetState {
            axes,
            entries,
            present,
            empty,
            made_by,
            suspect,
            inputs_changed,
            altered,
            vanished,
            failed,
            failed_by,
            tainted,
            follows,
            spoiled,
            adopted,
            accepted,
            discovered,
            aliases,
        } = state;
        DatasetDump {
            name: name.to_owned(),
            axes: axes.clone(),
            entries: EntryColumns::of(entries),
            present: SetColumns::of(present),
            empty: SetColumns::of(empty),
            made_by: made_by.iter().map(|(ix, set)| (ix.0, SetColumns::of(set))).collect(),
            suspect: SetColumns::of(suspect),
            inputs_changed: SetColumns::of(inputs_changed),
            altered: SetColumns::of(altered),
            vanished: SetColumns::of(vanished),
            failed: SetColumns::of(failed),
            failed_by: failed_by.iter().map(|(ix, set)| (ix.0, SetColumns::of(set))).collect(),
            tainted: marks(tainted),
            follows: marks(follows),
            spoiled: SetColumns::of(spoiled),
            discovered: discovered.iter().map(|(key, texts)| (key.keys().to_vec(), texts.to_vec())).collect(),
            adopted: SetColumns::of(adopted),
            accepted: accepted.iter().map(|((seq, ix), set)| (*seq, ix.0, SetColumns::of(set))).collect(),
            aliases: aliases.clone(),
        }
    }
}

fn marks(marks: &Marks) -> Vec<(Seq, SetColumns)> {
    marks.iter().map(|(seq, set)| (seq, SetColumns::of(set))).collect()
}

impl WorkDump {
    fn of(job: &str, work: &JobWork) -> WorkDump {
        let JobWork { todo, ready, live, forced, by_hand } = work;
        WorkDump {
            job: job.to_owned(),
            todo: SetColumns::of(todo),
            ready: SetColumns::of(ready),
            live: SetColumns::of(live),
            forced: SetColumns::of(forced),
            by_hand: SetColumns::of(by_hand),
        }
    }
}

impl WantDump {
    fn of(want: &Want) -> WantDump {
        let Want {
            id,
            targets,
            class,
            refresh,
            as_of,
            created_at,
            expires_at,
            remaining,
            counts,
            causes,
            plan,
            paused,
            parent,
            invoked,
            asked,
            planned,
            rounds,
        } = want;
        let set = |(job, set): (&JobIx, &PartitionSet)| (job.0 as u32, SetColumns::of(set));
        WantDump {
            id: *id,
            targets: targets.clone(),
            class: *class,
            refresh: *refresh,
            as_of: *as_of,
            created_at: *created_at,
            expires_at: *expires_at,
            remaining: remaining.iter().map(set).collect(),
            counts: *counts,
            causes: causes.clone(),
            plan: *plan,
            parent: *parent,
            paused: *paused,
            invoked: invoked.as_ref().map(|by| (by.job.0 as u32, by.params.clone(), by.after)),
            asked: asked.clone(),
            planned: *planned,
            rounds: *rounds,
        }
    }
}

impl RunDump {
    fn of(run: &Run, graphs: &mut Graphs) -> RunDump {
        let Run {
            id,
            graph,
            job,
            set,
            partition,
            phase,
            attempt,
            failures,
            losses,
            moves,
            inputs,
            as_of,
            params,
            made_by,
            cancel_requested,
            intended,
            rest_due,
            given_up,
            spoiled,
            tainted,
            discovered,
            suspended,
            trial,
        } = run;
        RunDump {
            id: *id,
            graph: graphs.index_of(graph),
            job: graph.graph.job(*job).label.clone(),
            set: SetColumns::of(set),
            partition: partition.clone(),
            phase: phase.clone(),
            attempt: *attempt,
            failures: *failures,
            losses: *losses,
            moves: *moves,
            inputs: inputs.clone(),
            as_of: *as_of,
            params: params.clone(),
            made_by: made_by.0,
            cancel_requested: *cancel_requested,
            intended: intended.clone(),
            rest_due: *rest_due,
            given_up: given_up.clone(),
            spoiled: SetColumns::of(spoiled),
            tainted: marks(tainted),
            discovered: discovered.to_vec(),
            suspended: *suspended,
            trial: *trial,
        }
    }
}

impl TrialDump {
    fn of(trial: &Trial, graphs: &mut Graphs) -> TrialDump {
        let Trial { spec, created_at, by, graphs: own, arms, ended } = trial;
        TrialDump {
            spec: spec.clone(),
            created_at: *created_at,
            by: by.clone(),
            graphs: own.iter().map(|graph| graphs.index_of(graph)).collect(),
            arms: arms.iter().map(|(at, arm)| (*at, arm.clone())).collect(),
            ended: ended.clone(),
        }
    }
}
