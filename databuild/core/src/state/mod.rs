//! What the event log adds up to: partitions, undone work, live wants and runs.
//!
//! Invariants:
//! - State changes only by [`State::apply`], one fold over events, and by [`State::settle`], which
//!   compares suspects and changes no verdict. Replaying a log gives the same state.
//! - It is one environment and what environments share; `root` says what is which, and why. Nobody writes a field from outside.
//! - It holds what is live and what staleness needs; history (ended wants and runs, versions as text,
//!   metadata) is on disk.
//! - A clone is cheap: parts are shared until they are written.

mod adoption;
mod aliases;
mod basis;
mod by_hand;
pub mod checkpoint;
mod dataset;
mod discovered;
mod entries;
mod env;
mod error;
mod fold;
mod holding;
mod keys;
mod lease;
mod making;
mod marks;
mod provenance;
mod readiness;
mod release;
mod requests;
mod root;
mod schedules;
mod staleness;
mod standing;
mod standings;
mod succession;
mod taint;
mod tokens;
mod trial;
mod trials;
mod work;

pub use basis::Basis;
pub use dataset::{Alias, DatasetState, Discovered, ProvenanceIx};
pub use entries::{Entries, Entry};
pub use error::FoldError;
pub use holding::Holding;
pub use making::{Making, Named};
pub use marks::Marks;
pub use requests::{Answered, Made, Requests};
pub use root::State;
pub use schedules::{ScheduleState, Schedules};
pub use staleness::Verdict;
pub use standing::{Counts, Standing};
pub use standings::Standings;
pub(crate) use succession::reads_the_same;
pub use tokens::{Token, Tokens};
pub(crate) use trial::read_graph;
pub use trial::{Arm, Trial, MOST_TRIALS};
pub use work::{Invocation, JobWork, Phase, Run, SavedPlan, Want};
