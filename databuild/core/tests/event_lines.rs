//! What people read of events, a line each, as `fixtures/event_lines.txt` has them.
//!
//! `UPDATE=1 cargo test -p databuild-core --test event_lines` writes that file anew. Numbers and names stand in it too: both
//! are in logs, so a line may come, and what is before the `|` of one that is there never changes.

mod support;

use databuild_core::event::*;
use databuild_core::ids::{PlanId, RunId};
use databuild_core::word::Word as _;
use jiff::Timestamp;
use std::collections::BTreeSet;
use support::repository_file;

const FIXTURE: &str = "databuild/core/tests/fixtures/event_lines.txt";

/// Events whose lines the examples do not show, since they tell of another turn.
fn others() -> Vec<Event> {
    let mut events = Vec::new();
    for example in Event::examples() {
        match example {
            Event::Observed(seen) => {
                let partitions = seen.partitions.iter().cycle().take(7).cloned().collect();
                events.push(Event::Observed(Observed { partitions }));
            }
            Event::WantEnded(ended) => events.extend(WantOutcome::ALL.iter().map(|outcome| {
                Event::WantEnded(WantEnded { outcome: *outcome, causes: Vec::new(), ..ended.clone() })
            })),
            Event::WantReplanned(replanned) => {
                events.push(Event::WantReplanned(WantReplanned { work: Vec::new(), ..replanned }));
            }
            Event::AttemptLeased(lease) => {
                events.push(Event::AttemptLeased(AttemptLeased { trial: None, ..lease }));
            }
            Event::AttemptEnded(ended) => {
                // Messages as attempts have them.
                let at = ended.retry_at;
                let needs = AttemptOutcome::MissingInput { partitions: Vec::new() };
                let ends = [
                    (AttemptOutcome::Success, ""),
                    (AttemptOutcome::Failure { permanent: false }, "exit code 3: no such city"),
                    (AttemptOutcome::Timeout, "out of time: told to stop, it was gone after 2.0 s"),
                    (
                        AttemptOutcome::OutOfMemory,
                        "out of memory: it used more than the 1 GiB that it declares",
                    ),
                    (AttemptOutcome::Canceled, "canceled before it started"),
                    (AttemptOutcome::Lost, "attempt lost: the runner or the machine stopped"),
                    (AttemptOutcome::InputsMoved, "its input raw/city=oslo was changed while it ran"),
                    (needs, "it needs raw/city=oslo"),
                ];
                events.push(Event::AttemptEnded(AttemptEnded {
                    message: String::new(),
                    retry_at: None,
                    ..ended.clone()
                }));
                events.extend(ends.map(|(outcome, message)| {
                    let retry_at = at.filter(|_| outcome != AttemptOutcome::Success);
                    let (message, wall_ms) = (message.to_owned(), 61_000);
                    Event::AttemptEnded(AttemptEnded { outcome, message, wall_ms, retry_at, ..ended.clone() })
                }));
            }
            Event::Materialized(made) => {
                events.push(Event::Materialized(Materialized { goes_on: false, ..made }));
            }
            Event::RunEnded(ended) => {
                events.push(Event::RunEnded(RunEnded {
                    canceled: false,
                    message: "exit code 3".into(),
                    ..ended
                }));
            }
            Event::PlansDropped(_) => {
                events.push(Event::PlansDropped(PlansDropped { plans: vec![PlanId(5)] }));
            }
            Event::Untainted(untainted) => {
                events.push(Event::Untainted(Untainted { reason: String::new(), ..untainted }));
            }
            Event::PoolResized(resized) => {
                for slots in [None, Some(1)] {
                    events.push(Event::PoolResized(PoolResized { slots, ..resized.clone() }));
                }
            }
            Event::Checked(checked) => {
                let checks = vec![CheckFindings { results: Vec::new(), ..checked.checks[0].clone() }];
                events.push(Event::Checked(Checked { checks, ..checked }));
            }
            Event::TrialCreated(trial) => {
                for (kind, run) in [
                    (TrialKind::Compare, None),
                    (TrialKind::Verify, None),
                    (TrialKind::Rerun, Some(RunId(9))),
                ] {
                    let samples = trial.samples.iter().cycle().take(3).cloned().collect();
                    events.push(Event::TrialCreated(TrialCreated { kind, run, samples, ..trial.clone() }));
                }
            }
            Event::TrialEnded(ended) => events.extend(
                TrialOutcome::ALL
                    .iter()
                    .map(|outcome| Event::TrialEnded(TrialEnded { outcome: *outcome, ..ended.clone() })),
            ),
            _ => {}
        }
    }
    events
}

fn line(event: Event) -> String {
    let origin = Origin { actor: Actor::Person("ada".into()), cause: None };
    let start = format!("{} {}", event.number(), event.kind());
    let text = Record { at: Timestamp::UNIX_EPOCH, origin, event }.text();
    format!("{start} | {text}\n")
}

#[test]
fn each_event_is_told_in_the_line_that_the_fixture_has() {
    let told: String = [Event::examples(), others()].concat().into_iter().map(line).collect();
    let fixture = repository_file(FIXTURE);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(fixture, told).unwrap();
        return;
    }
    let fixture = std::fs::read_to_string(fixture).unwrap();
    for (told, line) in told.lines().zip(fixture.lines()) {
        assert_eq!(told, line, "other words? UPDATE=1 cargo test -p databuild-core --test event_lines");
    }
    assert_eq!(told.lines().count(), fixture.lines().count(), "UPDATE=1 writes {FIXTURE} anew");
}

#[test]
fn no_two_events_share_a_number_or_a_name() {
    let examples = Event::examples();
    let numbers: BTreeSet<u32> = examples.iter().map(Event::number).collect();
    let kinds: BTreeSet<&str> = examples.iter().map(Event::kind).collect();
    assert_eq!((numbers.len(), kinds.len()), (examples.len(), examples.len()));
}
