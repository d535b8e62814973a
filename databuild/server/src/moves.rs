//! What the newest events moved, for pages that are open: read from the log once, however many look.

use databuild_core::event::{Event, Record};
use databuild_core::ids::{RunId, Seq, WantId};
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Events of which it is remembered what they moved.
const REMEMBERED: usize = 10_000;
/// What stands for everything.
pub(super) const ALL: &str = "*";

/// What the newest events moved.
#[derive(Debug, Default)]
pub struct Moves {
    known: Mutex<VecDeque<(Seq, Vec<String>)>>,
}

impl Moves {
    /// The event after which is to be read what nobody has read yet, up to `until`; none if all of that is known. Who is far
    /// behind looks at everything anyway, so what is before the last ones is not read.
    pub(super) fn unread(&self, until: Seq) -> Option<Seq> {
        let mut known = self.lock();
        let earliest = until.0.saturating_sub(REMEMBERED as u64);
        let last = known.back().map_or(earliest, |(last, _)| last.0);
        if last < earliest {
            known.clear();
        }
        (last < until.0).then_some(Seq(last.max(earliest)))
    }

    /// Takes events that were read.
    pub(super) fn read(&self, records: Vec<(Seq, Record)>) {
        let mut known = self.lock();
        for (seq, record) in records {
            // Others may have read them meanwhile.
            if known.back().is_none_or(|(last, _)| *last < seq) {
                known.push_back((seq, moved_by(&record.event)));
            }
        }
        let over = known.len().saturating_sub(REMEMBERED);
        known.drain(..over);
    }

    /// What moved after an event, up to another one; everything, if that is not known any more.
    pub(super) fn between(&self, after: Seq, until: Seq) -> BTreeSet<String> {
        let known = self.lock();
        if known.front().is_none_or(|(first, _)| first.0 > after.0 + 1) {
            return BTreeSet::from([ALL.to_owned()]);
        }
        let new = known.iter().rev().take_while(|(seq, _)| *seq > after);
        new.filter(|(seq, _)| *seq <= until).flat_map(|(_, words)| words.iter().cloned()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Seq, Vec<String>)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an event moves, in the words that parts of pages say what they show: `runs`, `wants`, `data`, `plans`, `run:r12`,
/// `want:w3`, and `*` for what may move anything.
fn moved_by(event: &Event) -> Vec<String> {
    let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    let run = |run: RunId| {
        let mut moved = words(&["runs", "data"]);
        moved.push(format!("run:{run}"));
        moved
    };
    let want = |want: WantId| {
        let mut moved = words(&["wants"]);
        moved.push(format!("want:{want}"));
        moved
    };
    match event {
        Event::AttemptLeased(fact) => run(fact.attempt.run),
        Event::AttemptStarted(fact) => run(fact.attempt.run),
        Event::AttemptEnded(fact) => run(fact.attempt.run),
        Event::RunCancelRequested(fact) => run(fact.run),
        Event::PublishIntended(fact) => run(fact.attempt.run),
        Event::Materialized(fact) => run(fact.attempt.run),
        Event::PartitionsFailed(fact) => run(fact.attempt.run),
        Event::RunEnded(fact) => run(fact.run),
        Event::RunSuspended(fact) => run(fact.run),
        Event::Checked(fact) => run(fact.attempt.run),
        Event::WorkCutOff(_) | Event::WorkAbandoned(_) => words(&["runs", "wants", "data"]),
        Event::WantCreated(fact) => want(fact.want),
        Event::WantEnded(fact) => want(fact.want),
        Event::WantReplanned(fact) => want(fact.want),
        Event::WantPaused(fact) => want(fact.want),
        Event::WantResumed(fact) => want(fact.want),
        Event::WantReprioritized(fact) => want(fact.want),
        Event::PlanCreated(_) | Event::PlansDropped(_) => words(&["plans"]),
        Event::TrialCreated(_) | Event::TrialMade(_) | Event::TrialEnded(_) => words(&["trials", "runs"]),
        Event::TokenCreated(_) | Event::TokenRevoked(_) => words(&["tokens"]),
        Event::PoolResized(_) => words(&["runs", "pools"]),
        Event::GraphRegistered(_)
        | Event::Observed(_)
        | Event::FilesVanished(_)
        | Event::FilesAltered(_)
        | Event::Tainted(_)
        | Event::Untainted(_)
        | Event::CodeAccepted(_)
        | Event::Adopted(_)
        | Event::KeysAdded(_)
        | Event::KeysRetired(_) => words(&[ALL]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use databuild_core::event::Origin;
    use jiff::Timestamp;

    #[test]
    fn every_event_moves_something() {
        for event in Event::examples() {
            assert!(!moved_by(&event).is_empty(), "{}", event.kind());
        }
    }

    fn records(from: u64, to: u64) -> Vec<(Seq, Record)> {
        let event = Event::examples().into_iter().find(|event| event.kind() == "plan_created").unwrap();
        let record = Record { at: Timestamp::UNIX_EPOCH, origin: Origin::default(), event };
        (from..=to).map(|seq| (Seq(seq), record.clone())).collect()
    }

    #[test]
    fn what_moved_is_read_once_and_what_is_forgotten_is_everything() {
        let moves = Moves::default();
        let told = |after, until| moves.between(Seq(after), Seq(until)).into_iter().collect::<Vec<_>>();
        assert_eq!(moves.unread(Seq(5)), Some(Seq(0)));
        moves.read(records(1, 5));
        assert_eq!((moves.unread(Seq(5)), moves.unread(Seq(7))), (None, Some(Seq(5))));
        moves.read(records(3, 7));
        assert_eq!((told(2, 7), told(7, 7)), (vec!["plans".to_owned()], vec![]));
        let many = REMEMBERED as u64;
        moves.read(records(8, 7 + many));
        assert_eq!(moves.lock().len(), REMEMBERED);
        assert_eq!((told(2, 9), told(many, 7 + many)), (vec!["*".to_owned()], vec!["plans".to_owned()]));
        // After a long time in which nobody looked.
        assert_eq!(moves.unread(Seq(5 * many)), Some(Seq(4 * many)));
        assert_eq!(told(2, 5 * many), ["*"]);
    }
}
