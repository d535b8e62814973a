//! What the loop asks of the executor, and what comes back.

use crate::executor::{News, StartSpec};
use databuild_core::ids::AttemptId;

/// Why the executor ends an attempt whose run was canceled; whatever else it says is its own reason.
pub(super) const CANCELED: &str = "canceled";

/// Why it does not begin an attempt that it was given ahead, though its run is wanted.
pub(super) const PAUSED: &str = "taken back before it began: its want is paused";

/// Something for the executor.
pub(super) enum Order {
    /// Get in touch with the executor, and find out what became of its attempts.
    Connect(Search),
    /// Begin these, in this order.
    Submit(Vec<StartSpec>),
    /// End one, for nobody wants it any more.
    Cancel(AttemptId),
    /// Do not begin this one, unless it has begun.
    Withdraw(AttemptId),
    /// The ends of these are recorded.
    Forget(Vec<AttemptId>),
    /// So many may run at once.
    SetSlots(usize),
    /// End all of them, and the executor.
    Stop,
}

/// What the loop believes when it looks for the executor.
#[derive(Debug, Clone)]
pub(super) struct Search {
    /// The number of the connection, by which its news are told from those of earlier ones.
    pub(super) connection: u64,
    /// All attempts that may be under way. Others that the executor has are canceled.
    pub(super) live: Vec<AttemptId>,
    /// Those of them that were handed over. If the executor does not have them, they are lost.
    pub(super) submitted: Vec<AttemptId>,
}

/// How a search ended.
pub(super) struct Reached {
    /// As in its [`Search`].
    pub(super) connection: u64,
    pub(super) access: Access,
    /// Attempts that were handed over, certainly do not run, and have no known end.
    pub(super) lost: Vec<AttemptId>,
    /// What happened while nobody listened, as if it happened now.
    pub(super) news: Vec<News>,
}

/// Whether the executor is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// It takes attempts.
    Open,
    /// It ends what it has and takes nothing new. Its end is told.
    Leaving,
    /// It cannot be reached.
    None,
}
