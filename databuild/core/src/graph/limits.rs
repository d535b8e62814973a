//! What runs share and there is only so much of.
//!
//! A job says what each of its runs takes. How much there is stands in the graph (pools, limits), is known
//! of the machine (places, memory), or was set by hand (the size of a pool).

use super::file::{GraphFile, JobEntry, PoolEntry};
use super::problem::{GraphProblem, ProblemCode as Code, Problems};
use std::time::Duration;

/// Something of which there is only so much.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// Places at the executor, of which there are as many as `--jobs` says.
    Places,
    /// Bytes of the machine's memory.
    Memory,
    /// Slots of the pool with this label.
    Pool(String),
    /// Runs of the job that first had this label.
    Job(String),
    /// Runs that make the dataset that first had this name.
    Dataset(String),
}

/// A pool of a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Its target.
    pub label: String,
    /// What people call it: `package/name`, or `name` in the root package.
    pub name: String,
    /// How many slots it is declared to have.
    pub slots: u32,
}

/// A standing rule for archiving lets everybody see at least this much of what happened.
const SHORTEST_KEPT: Duration = Duration::from_secs(3600);

/// Pools of the file.
pub(super) fn resolve_pools(file: &GraphFile, problems: &mut Problems) -> Vec<Pool> {
    let mut pools: Vec<Pool> = Vec::new();
    for PoolEntry { label, slots } in &file.pools {
        if *slots == 0 {
            problems.rule(GraphProblem::new(
                Code::BadPool,
                label,
                "a pool without slots lets nothing run",
                "declare at least one; `databuild pools set` makes it smaller for a time",
            ));
        }
        if pools.iter().any(|pool| pool.label == *label) {
            let message = format!("pool `{label}` is declared twice");
            problems.block(GraphProblem::new(Code::BadPool, label, message, "declare it once"));
        } else {
            pools.push(Pool { label: label.clone(), name: name_of(label), slots: *slots });
        }
    }
    pools
}

/// As datasets are named: `//sales:db` is `sales/db`, `//:db` is `db`.
pub(super) fn name_of(label: &str) -> String {
    let path = label.strip_prefix("//").unwrap_or(label);
    match path.split_once(':') {
        Some(("", name)) => name.to_owned(),
        Some((package, name)) => format!("{package}/{name}"),
        None => path.to_owned(),
    }
}

/// The first names of what a job is and makes, which runs of any graph have in common.
pub(super) struct Origins<'g> {
    pub(super) job: &'g str,
    pub(super) outputs: Vec<&'g str>,
}

/// What each run of a job takes.
pub(super) fn resolve_takes(
    entry: &JobEntry,
    origins: &Origins,
    pools: &[Pool],
    problems: &mut Problems,
) -> Vec<(Resource, u64)> {
    let about = |code, message: String, help: &str| GraphProblem::new(code, &entry.label, message, help);
    let mut takes = vec![(Resource::Places, u64::from(entry.policy.cpus.unwrap_or(1)))];
    takes.extend(entry.policy.memory.map(|bytes| (Resource::Memory, bytes)));
    for (label, weight) in &entry.policy.pools {
        let weight = *weight;
        takes.push((Resource::Pool(label.clone()), u64::from(weight)));
        match pools.iter().find(|pool| pool.label == *label) {
            _ if weight == 0 => problems.rule(about(
                Code::BadPool,
                format!("it takes 0 slots of pool `{label}`"),
                "write a number of at least 1, or leave the pool out",
            )),
            None => problems.block(about(
                Code::UnknownPool,
                format!("`{label}` is no pool of this graph"),
                "name a databuild_pool target",
            )),
            Some(pool) if weight > pool.slots => problems.rule(about(
                Code::PoolTooSmall,
                format!("it takes {weight} slots of pool `{label}`, which has {}", pool.slots),
                "make the pool larger, or take less of it",
            )),
            Some(_) => {}
        }
    }
    takes.push((Resource::Job(origins.job.to_owned()), 1));
    for name in &origins.outputs {
        let dataset = (Resource::Dataset((*name).to_owned()), 1);
        if !takes.contains(&dataset) {
            takes.push(dataset);
        }
    }
    takes
}

/// How long events are kept in the log.
pub(super) fn resolve_keep_events(file: &GraphFile, problems: &mut Problems) -> Option<Duration> {
    let kept = file.keep_events_ms.map(Duration::from_millis);
    if kept.is_some_and(|kept| kept < SHORTEST_KEPT) {
        problems.rule(GraphProblem::new(
            Code::BadLimit,
            &file.label,
            "events are kept for less than an hour".to_owned(),
            "write keep_events = \"1h\" or more, or leave it out",
        ));
    }
    kept
}
