//! Makes checkpoints, so that the next start need not read the whole log.
//!
//! Encoding happens on a thread of its own, on a copy of the state that shares its parts; the loop only
//! hands the bytes to the log, after it has answered everybody.

use super::checkpoint;
use super::replay::Base;
use crate::message::Message;
use crate::store::{Checkpoint, EventLog};
use databuild_core::ids::Seq;
use databuild_core::state::State;
use std::sync::mpsc::Sender;
use std::sync::Arc;

/// A checkpoint is due after at least so many events: a fraction of a second of folding.
const EVENTS: u64 = 10_000;
/// That of a large state is due only after so many events that they have about as many bytes themselves.
const BYTES_PER_EVENT: u64 = 256;
/// A clean stop makes one after this fraction of that many events: it saves the next start the rest.
const AT_STOP: u64 = 10;

/// See the module's documentation.
pub(crate) struct Keeper {
    inbox: Sender<Message>,
    /// The newest checkpoint.
    saved: Base,
    /// The event after which the last one was begun.
    begun: Seq,
    encoding: bool,
    encoded: Option<Checkpoint>,
}

impl Keeper {
    /// `inbox` takes [`Message::Encoded`].
    pub(crate) fn new(saved: Base, inbox: Sender<Message>) -> Keeper {
        Keeper { inbox, saved, begun: saved.seq, encoding: false, encoded: None }
    }

    /// Takes what the thread sent back; none if it failed.
    pub(crate) fn take(&mut self, encoded: Option<Checkpoint>) {
        self.encoding = false;
        self.encoded = encoded;
    }

    /// Does what is due, given the state after the log's last event.
    pub(crate) fn tend(&mut self, state: &Arc<State>, log: &mut dyn EventLog) {
        if let Some(checkpoint) = self.encoded.take() {
            self.save(&checkpoint, log);
        }
        if self.encoding || events_between(self.begun, state) < self.interval() {
            return;
        }
        self.begun = state.seq();
        let (state, inbox) = (Arc::clone(state), self.inbox.clone());
        let encode = move || {
            // The loop may have ended meanwhile, and with it the need.
            let _ = inbox.send(Message::Encoded(encode(&state)));
        };
        match std::thread::Builder::new().name("checkpoint".to_owned()).spawn(encode) {
            Ok(_) => self.encoding = true,
            Err(error) => tracing::warn!(%error, "no thread for a checkpoint can be started"),
        }
    }

    /// Saves a last checkpoint, if it is worth its while.
    pub(crate) fn stop(&mut self, state: &State, log: &mut dyn EventLog) {
        let newest = self.encoded.as_ref().map_or(self.saved.seq, |checkpoint| checkpoint.seq);
        let last = if events_between(newest, state) >= self.interval() / AT_STOP {
            encode(state)
        } else {
            self.encoded.take()
        };
        if let Some(checkpoint) = last {
            self.save(&checkpoint, log);
        }
    }

    fn interval(&self) -> u64 {
        EVENTS.max(self.saved.bytes / BYTES_PER_EVENT)
    }

    fn save(&mut self, checkpoint: &Checkpoint, log: &mut dyn EventLog) {
        match log.save_checkpoint(checkpoint) {
            Ok(()) => {
                self.saved = Base { seq: checkpoint.seq, bytes: checkpoint.bytes.len() as u64 };
                tracing::debug!(seq = %checkpoint.seq, bytes = self.saved.bytes, "checkpoint saved");
            }
            // Nothing is lost: the log has it all. If the device failed, the next append says so.
            Err(error) => {
                tracing::warn!(%error, code = error.code(), "a checkpoint could not be saved")
            }
        }
    }
}

fn events_between(seq: Seq, state: &State) -> u64 {
    state.seq().0.saturating_sub(seq.0)
}

fn encode(state: &State) -> Option<Checkpoint> {
    match checkpoint::encode(state) {
        Ok(checkpoint) => Some(checkpoint),
        Err(error) => {
            tracing::warn!(%error, "a checkpoint could not be encoded");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::checkpoint::FORMAT;
    use super::*;
    use crate::store::{Batch, MemoryLog, StoreError};
    use crate::testing;
    use databuild_core::decide::Core;
    use std::sync::mpsc::{channel, Receiver};
    use std::time::Duration;

    /// A log of `events` events, of which the state says only how many they are.
    fn log_of(events: usize) -> MemoryLog {
        let record = testing::history(1).pop().unwrap();
        let mut log = MemoryLog::new();
        log.append(&Batch { records: vec![record; events], blobs: vec![] }).unwrap();
        log
    }

    fn state(seq: u64) -> Arc<State> {
        let mut core = Core::new(1);
        testing::register(&mut core, "raw");
        Arc::new(testing::changed(&core.state, |dump| dump.seq = Seq(seq)))
    }

    fn keeper(saved: Base) -> (Keeper, Receiver<Message>) {
        let (inbox, messages) = channel();
        (Keeper::new(saved, inbox), messages)
    }

    /// What the thread sends, if one was started.
    fn encoded(keeper: &Keeper, messages: &Receiver<Message>) -> Option<Option<Checkpoint>> {
        if !keeper.encoding {
            return None;
        }
        match messages.recv_timeout(Duration::from_secs(60)) {
            Ok(Message::Encoded(checkpoint)) => Some(checkpoint),
            _ => panic!("the thread sends a checkpoint"),
        }
    }

    fn newest(log: &MemoryLog) -> Option<u64> {
        log.latest_checkpoint(FORMAT).unwrap().checkpoint.map(|checkpoint| checkpoint.seq.0)
    }

    #[test]
    fn one_is_made_after_enough_events_and_saved_by_the_loop() {
        let mut log = log_of(25_000);
        let (mut keeper, messages) = keeper(Base::default());
        keeper.tend(&state(9_999), &mut log);
        assert_eq!(encoded(&keeper, &messages), None);
        keeper.tend(&state(10_000), &mut log);
        // Another is not begun before this one is there.
        keeper.tend(&state(20_001), &mut log);
        let checkpoint = encoded(&keeper, &messages).unwrap();
        assert_eq!(newest(&log), None);
        keeper.take(checkpoint);
        keeper.tend(&state(10_001), &mut log);
        assert_eq!((newest(&log), keeper.encoding), (Some(10_000), false));
        assert!(keeper.saved.bytes > 100);

        keeper.tend(&state(20_000), &mut log);
        let checkpoint = encoded(&keeper, &messages).unwrap();
        keeper.take(checkpoint);
        keeper.tend(&state(20_001), &mut log);
        assert_eq!((newest(&log), keeper.encoding), (Some(20_000), false));
    }

    #[test]
    fn a_large_state_is_written_more_seldom() {
        let mut log = log_of(1);
        let (mut keeper, messages) = keeper(Base { seq: Seq(1_000), bytes: 256 * 50_000 });
        keeper.tend(&state(50_999), &mut log);
        assert_eq!(encoded(&keeper, &messages), None);
        keeper.tend(&state(51_000), &mut log);
        assert!(encoded(&keeper, &messages).is_some());
    }

    #[test]
    fn a_stop_saves_what_is_worth_it() {
        let stopped = |seq, ready: Option<u64>| {
            let mut log = log_of(20_000);
            let (mut keeper, _messages) = keeper(Base { seq: Seq(100), bytes: 1 });
            keeper.take(ready.and_then(|seq| encode(&state(seq))));
            keeper.stop(&state(seq), &mut log);
            newest(&log)
        };
        assert_eq!(stopped(1_099, None), None);
        assert_eq!(stopped(1_100, None), Some(1_100));
        assert_eq!(stopped(11_000, Some(10_500)), Some(10_500));
        assert_eq!(stopped(11_500, Some(10_500)), Some(11_500));
    }

    #[test]
    fn a_failure_is_tried_again_only_an_interval_later() {
        let mut log = log_of(30_000);
        let (mut keeper, messages) = keeper(Base::default());
        keeper.tend(&state(10_000), &mut log);
        let checkpoint = encoded(&keeper, &messages).unwrap();
        keeper.take(checkpoint);
        log.fail_next(StoreError::DiskFull { log: "(memory)".to_owned() });
        keeper.tend(&state(10_001), &mut log);
        assert_eq!((newest(&log), keeper.encoding), (None, false));
        keeper.tend(&state(19_999), &mut log);
        assert!(!keeper.encoding);
        keeper.tend(&state(20_000), &mut log);
        let checkpoint = encoded(&keeper, &messages).unwrap();
        keeper.take(checkpoint);
        keeper.tend(&state(20_001), &mut log);
        assert_eq!(newest(&log), Some(20_000));
    }
}
