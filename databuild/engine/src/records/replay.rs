//! What the log adds up to: the newest usable checkpoint and the events after it, or all events.
//!
//! Invariant: a checkpoint never keeps an engine from starting. Whatever is wrong with it, the log is
//! folded from its first event instead, and only what is wrong with that is an error.

use super::checkpoint::{self, Unusable};
use crate::store::{Checkpoint, EventLog, StoreError};
use databuild_core::ids::{GraphId, Seq};
use databuild_core::state::{FoldError, State};
use std::sync::Arc;

/// A log that adds up to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The log.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log's content.
    #[error("the event log cannot be replayed: {0}")]
    Fold(#[from] FoldError),
}

impl ReplayError {
    /// Stable name.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            ReplayError::Store(error) => error.code(),
            ReplayError::Fold(_) => "log_not_replayable",
        }
    }
}

/// The checkpoint that a state was folded from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Base {
    /// Its event; 0 without one.
    pub(crate) seq: Seq,
    /// Its size.
    pub(crate) bytes: u64,
}

/// Records read at once.
const CHUNK: usize = 10_000;

/// The state after the log's last event, and what it was folded from.
pub(crate) fn load(log: &dyn EventLog) -> Result<(State, Base), ReplayError> {
    if let Some(checkpoint) = newest_checkpoint(log) {
        match resume(log, &checkpoint) {
            Ok(state) => {
                let base = Base { seq: checkpoint.seq, bytes: checkpoint.bytes.len() as u64 };
                return Ok((state, base));
            }
            Err(reason) => {
                tracing::warn!(seq = %checkpoint.seq, %reason, "a checkpoint is unusable; reading the whole event log");
            }
        }
    }
    let mut state = State::default();
    fold(&mut state, log)?;
    Ok((state, Base::default()))
}

fn newest_checkpoint(log: &dyn EventLog) -> Option<Checkpoint> {
    match log.latest_checkpoint(checkpoint::FORMAT) {
        Ok(found) => {
            for ignored in found.ignored {
                tracing::warn!(seq = %ignored.seq, reason = ignored.reason, "a checkpoint was passed over");
            }
            found.checkpoint
        }
        Err(error) => {
            tracing::warn!(%error, "no checkpoint can be read; reading the whole event log");
            None
        }
    }
}

/// Why a checkpoint did not lead to the log's end.
#[derive(Debug, thiserror::Error)]
enum Dropped {
    #[error(transparent)]
    Unusable(#[from] Unusable),
    #[error("what follows it does not fit: {0}")]
    Tail(#[from] ReplayError),
}

fn resume(log: &dyn EventLog, checkpoint: &Checkpoint) -> Result<State, Dropped> {
    let content = |graph: &GraphId| -> Option<Arc<str>> {
        // What is wrong with the log shows when all of it is read.
        let bytes = log.blob(&graph.0).ok().flatten()?;
        Some(String::from_utf8(bytes).ok()?.into())
    };
    let mut state = checkpoint::decode(checkpoint, content)?;
    fold(&mut state, log)?;
    Ok(state)
}

/// Folds all events after the state's.
fn fold(state: &mut State, log: &dyn EventLog) -> Result<(), ReplayError> {
    loop {
        let records = log.read(state.seq(), CHUNK)?;
        let last = records.len() < CHUNK;
        for (_, record) in &records {
            state.apply(record)?;
        }
        if last {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Batch, MemoryLog};
    use crate::testing;

    fn log_of_history() -> MemoryLog {
        let mut log = MemoryLog::new();
        let records = testing::history(20);
        log.append(&Batch { records, blobs: vec![] }).unwrap();
        log
    }

    /// The state after event `seq`.
    fn state_at(log: &MemoryLog, seq: u64) -> State {
        let mut state = State::default();
        for (_, record) in log.read(Seq(0), usize::try_from(seq).unwrap()).unwrap() {
            state.apply(&record).unwrap();
        }
        state
    }

    #[test]
    fn checkpoint_and_tail_are_the_whole_log() {
        let log = log_of_history();
        let (whole, base) = load(&log).unwrap();
        assert_eq!((whole.seq(), base), (log.last(), Base::default()));
        assert!(whole.seq() > Seq(150), "{}", whole.seq());
        for seq in 0..=log.last().0 {
            let mut log = log.clone();
            let checkpoint = checkpoint::encode(&state_at(&log, seq)).unwrap();
            log.save_checkpoint(&checkpoint).unwrap();
            let (state, base) = load(&log).unwrap();
            assert_eq!(base, Base { seq: Seq(seq), bytes: checkpoint.bytes.len() as u64 });
            assert_eq!(state.dump(), whole.dump(), "from {seq}");
        }
    }

    #[test]
    fn an_unusable_checkpoint_is_passed_over() {
        let log = log_of_history();
        let whole = load(&log).unwrap().0.dump();
        let good = checkpoint::encode(&state_at(&log, 50)).unwrap();
        let strange = {
            let mut core = databuild_core::decide::Core::new(1);
            testing::register(&mut core, "elsewhere");
            checkpoint::encode(&core.state).unwrap()
        };
        let early = testing::changed(&state_at(&log, 20), |dump| dump.seq = Seq(50));
        let cut = good.bytes[..good.bytes.len() - 1].to_vec();
        let mut unknown_field = good.bytes.clone();
        unknown_field.extend([0xf8, 0x07, 0x01]);
        for (name, checkpoint) in [
            ("another format", Checkpoint { format: checkpoint::FORMAT + 1, ..good.clone() }),
            ("cut", Checkpoint { bytes: cut, ..good.clone() }),
            ("nothing", Checkpoint { bytes: vec![], ..good.clone() }),
            ("an unknown field", Checkpoint { bytes: unknown_field, ..good.clone() }),
            ("another event's", Checkpoint { seq: Seq(51), ..good.clone() }),
            ("of a graph that the log does not have", strange),
            ("with a tail that does not fit", checkpoint::encode(&early).unwrap()),
        ] {
            let mut log = log.clone();
            log.save_checkpoint(&checkpoint).unwrap();
            let (state, base) = load(&log).unwrap();
            assert_eq!(base, Base::default(), "{name}");
            assert_eq!(state.dump(), whole, "{name}");
        }
    }
}
