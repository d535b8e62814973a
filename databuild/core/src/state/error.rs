//! Why an event does not follow from a state.

use crate::ids::{RunId, Seq, TrialId, WantId};

/// An event that cannot be folded: the log and this program do not fit each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// A registered graph that this version refuses.
    #[error("event {seq}: the registered graph cannot be read: {problem}")]
    Graph {
        /// Which event.
        seq: Seq,
        /// The first problem.
        problem: String,
    },
    /// An event about a run that the events before do not know.
    #[error("event {seq} speaks of run {run}, which no event before it began")]
    UnknownRun {
        /// Which event.
        seq: Seq,
        /// Which run.
        run: RunId,
    },
    /// The same for a want.
    #[error("event {seq} speaks of want {want}, which no event before it began")]
    UnknownWant {
        /// Which event.
        seq: Seq,
        /// Which want.
        want: WantId,
    },
    /// The same for a trial.
    #[error("event {seq} speaks of trial {trial}, or a part of it, which no event before it began")]
    UnknownTrial {
        /// Which event.
        seq: Seq,
        /// Which trial.
        trial: TrialId,
    },
    /// A lease whose parts do not fit each other.
    #[error("event {seq} leases {partitions} partitions and has {inputs} digests of their inputs")]
    Lease {
        /// Which event.
        seq: Seq,
        /// How many partitions.
        partitions: u64,
        /// How many digests.
        inputs: usize,
    },
    /// A lease under a graph that no event before registered.
    #[error("event {seq} speaks of a graph or job that no event before it registered")]
    UnknownGraph {
        /// Which event.
        seq: Seq,
    },
}
