//! Checkpoints as bytes: the core's dump of its state, as serde and postcard write it.
//!
//! A checkpoint only saves the time of folding the log, so it is compatible with nothing: a program reads the [`FORMAT`] that
//! it writes and passes over all others.

use crate::store::Checkpoint;
use databuild_core::ids::{GraphId, Seq};
use databuild_core::state::checkpoint::{RestoreError, StateDump};
use databuild_core::state::State;
use std::sync::Arc;

/// The number of the format. It is raised by every change of what a dump holds, and by every change of the program after which
/// one log adds up to another state than before.
pub(crate) const FORMAT: u32 = 21;

/// A checkpoint that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    /// Its bytes are no dump.
    #[error("it does not decode ({0})")]
    Bytes(#[from] postcard::Error),
    /// Something follows the dump.
    #[error("it has {0} bytes too many")]
    TooLong(usize),
    /// It does not say what stands beside it.
    #[error("it is of event {0}")]
    OtherEvent(Seq),
    /// How it fits the graphs.
    #[error(transparent)]
    Restore(#[from] RestoreError),
}

/// The checkpoint of a state.
///
/// # Errors
/// A bug: a state can always be written.
pub(crate) fn encode(state: &State) -> Result<Checkpoint, postcard::Error> {
    let bytes = postcard::to_allocvec(&state.dump())?;
    Ok(Checkpoint { seq: state.seq(), format: FORMAT, bytes })
}

/// The state of a checkpoint; `content` finds a graph file by its digest.
///
/// # Errors
/// Another program's checkpoint, or none.
pub(crate) fn decode(
    checkpoint: &Checkpoint,
    content: impl Fn(&GraphId) -> Option<Arc<str>>,
) -> Result<State, Unusable> {
    let dump = read(&checkpoint.bytes)?;
    if dump.seq != checkpoint.seq {
        return Err(Unusable::OtherEvent(dump.seq));
    }
    Ok(State::restore(dump, content)?)
}

fn read(bytes: &[u8]) -> Result<StateDump, Unusable> {
    match postcard::take_from_bytes(bytes)? {
        (dump, []) => Ok(dump),
        (_, rest) => Err(Unusable::TooLong(rest.len())),
    }
}

#[cfg(test)]
mod tests;
