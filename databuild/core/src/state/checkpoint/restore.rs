//! Taking a dump up again.

use super::{
    DatasetDump, GraphDump, KeySpaceDump, Misfit, RunDump, SetColumns, StateDump, TrialDump, WantDump,
    WorkDump,
};
use crate::graph::{Graph, JobIx, Registered};
use crate::ids::{GraphId, Seq};
use crate::partition_set::{Axis, PartitionKey, PartitionSet, Shape};
use crate::range_set::{Key, RangeSet};
use crate::state::env::Env;
use crate::state::Schedules;
use crate::state::{
    DatasetState, Discovered, Invocation, JobWork, Marks, ProvenanceIx, Requests, Run, State, Trial, Want,
};
use crate::symbols::Symbols;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A dump that this program cannot take up; the log still holds all there is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// A graph's content is not there.
    #[error("the content of graph {0} is missing")]
    GraphMissing(GraphId),
    /// A graph that this version refuses.
    #[error("graph {graph} cannot be read: {problem}")]
    Graph {
        /// Which.
        graph: GraphId,
        /// The first problem.
        problem: String,
    },
    /// This version finds static keys in a graph that the dump has no numbers for.
    #[error("graph {0} has static keys without numbers")]
    NewKeys(GraphId),
    /// The dump and its graph differ in what there is, or in what keys mean.
    #[error("`{0}` is not in the graph, or not as it was")]
    Unlike(String),
    /// The numbers of a set or of entries make no sense.
    #[error("`{name}`: {misfit}")]
    Misfit {
        /// Whose.
        name: String,
        /// What is wrong.
        misfit: Misfit,
    },
    /// An index beyond its table, or something twice.
    #[error("{0} is out of range or there twice")]
    Index(&'static str),
}

impl State {
    /// The state that was dumped. `content` finds a graph file by its digest.
    ///
    /// # Errors
    /// The dump does not fit the graphs as this program reads them.
    pub fn restore(
        dump: StateDump,
        content: impl Fn(&GraphId) -> Option<Arc<str>>,
    ) -> Result<State, RestoreError> {
        let StateDump {
            seq,
            as_of,
            last_want,
            last_run,
            attempt_ms,
            pool_sizes,
            tokens,
            starts,
            symbols: texts,
            key_spaces,
            graphs,
            provenances,
            datasets,
            retired,
            work,
            wants,
            runs,
            last_plan,
            plans,
            requests,
            last_trial,
            trials,
            schedules,
        } = dump;
        let mut symbols = key_texts(&texts, &key_spaces)?;
        let registered = registered_graphs(graphs, content, &mut symbols)?;
        let reader = Reader { symbols: symbols.len(), provenances: provenances.len() };
        let mut retired_states = BTreeMap::new();
        for dump in retired {
            let key = (dump.name.clone(), dump.axes.clone());
            if retired_states.insert(key, Arc::new(reader.dataset(dump)?)).is_some() {
                return Err(RestoreError::Index("a retired dataset"));
            }
        }
        let extents = registered.first();
        let extents = extents.map(|registered| Arc::new(registered.graph.extents(as_of, &symbols)));
        let graph = registered.first().map(|registered| &registered.graph);
        let schedules = Schedules::restore(schedules, graph);
        let env = Env {
            graph: registered.first().cloned(),
            as_of,
            extents,
            retired: retired_states,
            schedules,
            ..Env::default()
        };
        let mut state = State {
            seq,
            symbols,
            provenances: Arc::new(provenances),
            last_want,
            last_run,
            last_plan,
            last_trial,
            requests: Requests::default(),
            pool_sizes,
            tokens,
            starts: starts.into_iter().map(|(job, at)| (job, Arc::new(at.into()))).collect(),
            attempt_ms,
            env,
        };
        for (key, answered) in requests {
            state.requests.put(&key, answered);
        }
        let Some(current) = registered.first() else {
            let rest = [datasets.len(), work.len(), wants.len(), runs.len(), plans.len(), trials.len()];
            let nothing = rest.iter().all(|len| *len == 0);
            return if nothing { Ok(state) } else { Err(RestoreError::Index("a graph")) };
        };
        let graph = &current.graph;
        state.env.datasets = reader.datasets(graph, datasets)?;
        state.index_discovered();
        let jobs = job_indices(graph, &work)?;
        state.env.work = reader.work(graph, &jobs, work)?;
        for dump in wants {
            let want = reader.want(graph, &jobs, dump)?;
            put(&mut state.env.wants, want.id, want, "a want")?;
        }
        for dump in runs {
            let run = reader.run(&registered, dump)?;
            put(&mut state.env.runs, run.id, run, "a run")?;
        }
        for dump in trials {
            let trial = trial(&registered, dump)?;
            put(&mut state.env.trials, trial.spec.trial, trial, "a trial")?;
        }
        for saved in plans {
            put(&mut state.env.plans, saved.plan.plan, saved, "a plan")?;
        }
        Ok(state)
    }
}

/// Adds what is there once.
fn put<K: Ord, V>(
    all: &mut BTreeMap<K, Arc<V>>,
    key: K,
    value: V,
    what: &'static str,
) -> Result<(), RestoreError> {
    match all.insert(key, Arc::new(value)) {
        None => Ok(()),
        Some(_) => Err(RestoreError::Index(what)),
    }
}

/// The table of key texts, with the dynamic keys.
fn key_texts(texts: &[String], spaces: &[KeySpaceDump]) -> Result<Symbols, RestoreError> {
    let mut symbols = Symbols::new();
    for (number, text) in texts.iter().enumerate() {
        if symbols.intern(text) as usize != number {
            return Err(RestoreError::Index("a static key"));
        }
    }
    for (name, order, retired) in spaces {
        let all = RangeSet::from_ranges(order.iter().copied());
        if all.last().is_some_and(|last| last as usize >= symbols.len()) || !retired.is_subset(&all) {
            return Err(RestoreError::Index("a dynamic key"));
        }
        symbols.add_keys(name, order.iter().flat_map(|(lo, hi)| *lo..=*hi));
        symbols.retire_keys(name, retired);
    }
    Ok(symbols)
}

/// The graphs that the state knows, today's first. Each file is parsed once.
fn registered_graphs(
    dumps: Vec<GraphDump>,
    content: impl Fn(&GraphId) -> Option<Arc<str>>,
    symbols: &mut Symbols,
) -> Result<Vec<Arc<Registered>>, RestoreError> {
    let mut parsed: BTreeMap<GraphId, Graph> = BTreeMap::new();
    let mut registered = Vec::with_capacity(dumps.len());
    for dump in dumps {
        let graph = match parsed.get(&dump.id) {
            Some(graph) => graph.clone(),
            None => {
                let graph = parse(&dump.id, &content, symbols)?;
                parsed.insert(dump.id.clone(), graph.clone());
                graph
            }
        };
        registered.push(Arc::new(Registered::new(dump.id, graph, dump.inherited)));
    }
    Ok(registered)
}

fn parse(
    id: &GraphId,
    content: impl Fn(&GraphId) -> Option<Arc<str>>,
    symbols: &mut Symbols,
) -> Result<Graph, RestoreError> {
    let content = content(id).ok_or_else(|| RestoreError::GraphMissing(id.clone()))?;
    let before = symbols.len();
    let graph = Graph::parse(&content, symbols).map_err(|problems| RestoreError::Graph {
        graph: id.clone(),
        problem: problems.first().map(ToString::to_string).unwrap_or_default(),
    })?;
    if symbols.len() > before {
        return Err(RestoreError::NewKeys(id.clone()));
    }
    Ok(graph)
}

fn trial(graphs: &[Arc<Registered>], dump: TrialDump) -> Result<Trial, RestoreError> {
    let TrialDump { spec, created_at, by, graphs: own, arms, ended } = dump;
    let graph = |ix: u32| graphs.get(ix as usize).cloned().ok_or(RestoreError::Index("a graph"));
    Ok(Trial {
        graphs: own.into_iter().map(graph).collect::<Result<_, _>>()?,
        spec,
        created_at,
        by,
        arms: arms.into_iter().collect(),
        ended,
    })
}

/// The jobs of today's graph that a dump's indices stand for.
fn job_indices(graph: &Graph, work: &[WorkDump]) -> Result<Vec<JobIx>, RestoreError> {
    let unlike = |job: &str| RestoreError::Unlike(job.to_owned());
    let jobs: Vec<JobIx> = work
        .iter()
        .map(|dump| graph.job_labeled(&dump.job).ok_or_else(|| unlike(&dump.job)))
        .collect::<Result<_, _>>()?;
    if let Some((_, missing)) = graph.jobs().find(|(ix, _)| !jobs.contains(ix)) {
        return Err(unlike(&missing.label));
    }
    if jobs.len() != graph.jobs().len() {
        return Err(RestoreError::Index("a job"));
    }
    Ok(jobs)
}

/// What is needed to tell indices in range.
struct Reader {
    symbols: usize,
    provenances: usize,
}

impl Reader {
    fn datasets(
        &self,
        graph: &Graph,
        dumps: Vec<DatasetDump>,
    ) -> Result<Vec<Arc<DatasetState>>, RestoreError> {
        let count = dumps.len();
        let mut by_name: BTreeMap<String, DatasetDump> =
            dumps.into_iter().map(|dump| (dump.name.clone(), dump)).collect();
        if by_name.len() != count {
            return Err(RestoreError::Index("a dataset"));
        }
        let mut states = Vec::with_capacity(count);
        for (_, dataset) in graph.datasets() {
            let unlike = || RestoreError::Unlike(dataset.name.clone());
            let dump = by_name
                .remove(&dataset.name)
                .filter(|dump| dump.axes == dataset.axes())
                .ok_or_else(unlike)?;
            states.push(Arc::new(self.dataset(dump)?));
        }
        match by_name.into_keys().next() {
            None => Ok(states),
            Some(name) => Err(RestoreError::Unlike(name)),
        }
    }

    fn dataset(&self, dump: DatasetDump) -> Result<DatasetState, RestoreError> {
        let DatasetDump {
            name,
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
        } = dump;
        if aliases.iter().any(|alias| alias.dims.len() != axes.len()) {
            return Err(RestoreError::Index("a dimension"));
        }
        let shape = Shape::of_axes(&axes);
        let set = |columns: &SetColumns| self.set(&name, &axes, shape, columns);
        // Which partitions the entries are of is checked as a set; they are too many to look at each.
        set(&entries.keys)?;
        let misfit = |misfit| RestoreError::Misfit { name: name.clone(), misfit };
        let by_provenance = |all: &[(u32, SetColumns)]| {
            let mut sets = BTreeMap::new();
            for (ix, columns) in all {
                if sets.insert(self.provenance(*ix)?, set(columns)?).is_some() {
                    return Err(RestoreError::Index("a provenance"));
                }
            }
            Ok(sets)
        };
        let mut accepted_sets = BTreeMap::new();
        for (seq, ix, columns) in &accepted {
            accepted_sets.insert((*seq, self.provenance(*ix)?), set(columns)?);
        }
        Ok(DatasetState {
            entries: entries.entries(shape).map_err(misfit)?,
            present: set(&present)?,
            empty: set(&empty)?,
            made_by: by_provenance(&made_by)?,
            suspect: set(&suspect)?,
            inputs_changed: set(&inputs_changed)?,
            altered: set(&altered)?,
            vanished: set(&vanished)?,
            failed: set(&failed)?,
            failed_by: by_provenance(&failed_by)?,
            tainted: self.marks(&name, &axes, shape, &tainted)?,
            follows: self.marks(&name, &axes, shape, &follows)?,
            spoiled: set(&spoiled)?,
            discovered: Arc::new(self.discovered(&name, &axes, discovered)?),
            adopted: set(&adopted)?,
            accepted: accepted_sets,
            aliases,
            axes,
        })
    }

    fn discovered(
        &self,
        name: &str,
        axes: &[Axis],
        dump: Vec<(Vec<Key>, Vec<String>)>,
    ) -> Result<BTreeMap<PartitionKey, Discovered>, RestoreError> {
        let mut all = BTreeMap::new();
        for (keys, texts) in dump {
            let fits =
                keys.len() == axes.len() && axes.iter().zip(&keys).all(|(axis, key)| self.has(axis, *key));
            if !fits {
                return Err(RestoreError::Misfit { name: name.to_owned(), misfit: Misfit::Range });
            }
            all.insert(PartitionKey::new(keys), texts.into());
        }
        Ok(all)
    }

    fn work(
        &self,
        graph: &Graph,
        jobs: &[JobIx],
        dumps: Vec<WorkDump>,
    ) -> Result<Vec<Arc<JobWork>>, RestoreError> {
        let mut work: BTreeMap<JobIx, Arc<JobWork>> = BTreeMap::new();
        for (ix, dump) in jobs.iter().zip(dumps) {
            let WorkDump { job, todo, ready, live, forced, by_hand } = dump;
            let home = graph.home(*ix);
            let axes = home.axes();
            let set = |columns: &SetColumns| self.set(&job, &axes, home.shape, columns);
            let restored = JobWork {
                todo: set(&todo)?,
                ready: set(&ready)?,
                live: set(&live)?,
                forced: set(&forced)?,
                by_hand: set(&by_hand)?,
            };
            work.insert(*ix, Arc::new(restored));
        }
        Ok(work.into_values().collect())
    }

    fn want(&self, graph: &Graph, jobs: &[JobIx], dump: WantDump) -> Result<Want, RestoreError> {
        let WantDump {
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
        } = dump;
        let mut sets = BTreeMap::new();
        for (ix, columns) in &remaining {
            let job = *jobs.get(*ix as usize).ok_or(RestoreError::Index("a job"))?;
            let home = graph.home(job);
            let set = self.set(&graph.job(job).label, &home.axes(), home.shape, columns)?;
            if sets.insert(job, set).is_some() {
                return Err(RestoreError::Index("a job"));
            }
        }
        let invoked = match invoked {
            None => None,
            Some((job, params, after)) => {
                let job = *jobs.get(job as usize).ok_or(RestoreError::Index("a job"))?;
                Some(Invocation { job, params, after })
            }
        };
        Ok(Want {
            id,
            targets,
            class,
            refresh,
            as_of,
            created_at,
            expires_at,
            remaining: sets,
            counts,
            causes,
            plan,
            paused,
            parent,
            invoked,
            asked,
            planned,
            rounds,
        })
    }

    fn run(&self, graphs: &[Arc<Registered>], dump: RunDump) -> Result<Run, RestoreError> {
        let RunDump {
            id,
            graph,
            job: label,
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
        } = dump;
        let graph = Arc::clone(graphs.get(graph as usize).ok_or(RestoreError::Index("a graph"))?);
        let unlike = || RestoreError::Unlike(label.clone());
        let job = graph.graph.job_labeled(&label).ok_or_else(unlike)?;
        let home = graph.graph.home(job);
        let set = self.set(&partition, &home.axes(), home.shape, &set)?;
        if set.len() != inputs.len() as u64 {
            return Err(RestoreError::Misfit { name: partition, misfit: Misfit::Range });
        }
        let tainted = self.marks(&partition, &home.axes(), home.shape, &tainted)?;
        let spoiled = self.set(&partition, &home.axes(), home.shape, &spoiled)?;
        Ok(Run {
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
            made_by: self.provenance(made_by)?,
            cancel_requested,
            intended,
            rest_due,
            given_up,
            spoiled,
            tainted,
            discovered: discovered.into(),
            suspended,
            trial,
        })
    }

    fn provenance(&self, ix: u32) -> Result<ProvenanceIx, RestoreError> {
        if (ix as usize) < self.provenances {
            Ok(ProvenanceIx(ix))
        } else {
            Err(RestoreError::Index("a provenance"))
        }
    }

    fn marks(
        &self,
        name: &str,
        axes: &[Axis],
        shape: Shape,
        dump: &[(Seq, SetColumns)],
    ) -> Result<Marks, RestoreError> {
        let mut marks = Marks::default();
        for (seq, columns) in dump {
            marks.mark(*seq, &self.set(name, axes, shape, columns)?);
        }
        Ok(marks)
    }

    fn has(&self, axis: &Axis, key: Key) -> bool {
        axis.calendar.is_some() || (key as usize) < self.symbols
    }

    fn set(
        &self,
        name: &str,
        axes: &[Axis],
        shape: Shape,
        columns: &SetColumns,
    ) -> Result<PartitionSet, RestoreError> {
        let misfit = |misfit| RestoreError::Misfit { name: name.to_owned(), misfit };
        let set = columns.set(shape).map_err(misfit)?;
        for (tuple, longs) in set.rows() {
            let shorts = shape.short_dims().zip(tuple.iter().copied());
            let last = shape.long().zip(longs.last());
            if !shorts.chain(last).all(|(dim, key)| self.has(&axes[dim], key)) {
                return Err(misfit(Misfit::Range));
            }
        }
        Ok(set)
    }
}
