//! What a run that could begin lacks.

use crate::decide::queries::limits::{holders, opens_at, size, taken, Capacity, Gate};
use crate::decide::queries::needed::Held;
use crate::decide::queries::ready::next_ready;
use crate::graph::{Job, Resource};
use crate::ids::RunId;
use crate::state::State;
use jiff::Timestamp;

/// Why no run of a job may begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// Of something that runs share, too little is free.
    Resource {
        /// Of what.
        resource: Resource,
        /// How much there is.
        size: u64,
        /// How much a run takes.
        needs: u64,
        /// Who has it, oldest first, with how much.
        holders: Vec<(RunId, u64)>,
        /// Enough is free, but set aside for what waits longer.
        set_aside: bool,
    },
    /// The job's rate allows no further start until then.
    Rate(Timestamp),
}

/// What a run of the job lacks to begin, if anything: of several the one that is least in common.
#[must_use]
pub fn lack(state: &State, capacity: Capacity, now: Timestamp, job: &Job) -> Option<Lack> {
    let found = |resource: &Resource, amount: u64, set_aside: bool| {
        let holders: Vec<_> = holders(state, capacity, resource).collect();
        let needs = taken(capacity, resource, amount);
        let size = size(state, capacity, resource)?;
        let used: u64 = holders.iter().map(|(_, amount)| amount).sum();
        let lacks = set_aside || used + needs > size;
        lacks.then(|| Lack::Resource { resource: resource.clone(), size, needs, holders, set_aside })
    };
    let lacking = job.takes.iter().rev().find_map(|(resource, amount)| found(resource, *amount, false));
    if lacking.is_some() {
        return lacking;
    }
    if let Some(at) = opens_at(state, job, now) {
        return Some(Lack::Rate(at));
    }
    // All that could begin has begun; so what is set aside now is so for what waits.
    let mut gate = Gate::new(state, capacity, now);
    gate.due_retries();
    next_ready(state, &mut gate, &Held::new());
    let (resource, amount) =
        job.takes.iter().rev().find(|(resource, amount)| gate.room(resource, *amount) == 0)?;
    found(resource, *amount, true)
}
