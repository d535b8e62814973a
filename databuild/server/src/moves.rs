//! What an event moves, for pages that are open.

use crate::api::EventSubjects;
use databuild_core::event::Event;

/// What stands for everything.
pub(super) const ALL: &str = "*";

/// What an event moves that is about this, in the words that parts of pages say what they show: `runs`, `wants`, `data`, `plans`,
/// `run:r12`, `want:w3`, and `*` for what may move anything.
pub(super) fn moved_by(event: &Event, about: &EventSubjects) -> Vec<String> {
    let nouns = nouns(event).iter().map(ToString::to_string);
    let runs = about.runs.iter().map(|run| format!("run:{run}"));
    let wants = about.wants.iter().map(|want| format!("want:{want}"));
    nouns.chain(runs).chain(wants).collect()
}

/// The same, for whoever may not see the event: where their own data stands may follow from that of others, and what they may see may
/// follow from tokens. That an event came they know by its number.
pub(super) fn moved_by_others(event: &Event) -> Vec<String> {
    let shared = nouns(event).iter().filter(|noun| [ALL, "data", "tokens"].contains(noun));
    shared.map(ToString::to_string).collect()
}

/// Of what kind it is.
fn nouns(event: &Event) -> &'static [&'static str] {
    match event {
        Event::AttemptLeased(_)
        | Event::AttemptStarted(_)
        | Event::AttemptEnded(_)
        | Event::RunCancelRequested(_)
        | Event::PublishIntended(_)
        | Event::Materialized(_)
        | Event::PartitionsFailed(_)
        | Event::RunEnded(_)
        | Event::RunSuspended(_)
        | Event::Checked(_) => &["runs", "data"],
        Event::WorkCutOff(_) | Event::WorkAbandoned(_) => &["runs", "wants", "data"],
        Event::WantCreated(_)
        | Event::WantEnded(_)
        | Event::WantReplanned(_)
        | Event::WantPaused(_)
        | Event::WantResumed(_)
        | Event::WantReprioritized(_) => &["wants"],
        Event::PlanCreated(_) | Event::PlansDropped(_) => &["plans"],
        Event::TrialCreated(_) | Event::TrialMade(_) | Event::TrialEnded(_) => &["trials", "runs"],
        Event::TokenCreated(_) | Event::TokenRevoked(_) => &["tokens"],
        Event::ScheduleFired(_)
        | Event::TicksSkipped(_)
        | Event::SchedulePaused(_)
        | Event::ScheduleResumed(_) => &["schedules", "wants"],
        Event::PoolResized(_) => &["runs", "pools"],
        // It is of no noun but the log.
        Event::RequestAnswered(_) | Event::GarbageCollected(_) => &["events"],
        Event::GraphRegistered(_)
        | Event::Observed(_)
        | Event::FilesVanished(_)
        | Event::FilesAltered(_)
        | Event::Tainted(_)
        | Event::Untainted(_)
        | Event::CodeAccepted(_)
        | Event::Adopted(_)
        | Event::KeysAdded(_)
        | Event::KeysRetired(_) => &[ALL],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_moves_something() {
        for event in Event::examples() {
            let moved = nouns(&event);
            assert!(!moved.is_empty(), "{}", event.kind());
            // A page of events is told of each.
            let told = |word: &&str| *word == ALL || databuild_ui::pages::events::ALL.contains(word);
            assert!(moved.iter().any(told), "{}", event.kind());
        }
    }

    #[test]
    fn what_it_is_about_moves_with_its_kind() {
        let event = Event::examples().into_iter().find(|event| event.kind() == "run_suspended").unwrap();
        let about = EventSubjects {
            runs: vec!["r2".to_owned()],
            wants: vec!["w7".to_owned()],
            ..EventSubjects::default()
        };
        assert_eq!(moved_by(&event, &about), ["runs", "data", "run:r2", "want:w7"]);
    }
}
