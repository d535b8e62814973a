//! One line for people about each event.

use databuild_core::event::{
    AttemptOutcome, CheckFindings, CheckOutcome, Event, OutputRecord, Record, TrialCreated, TrialOutcome,
};
use databuild_core::text::first_of;
use databuild_core::word::Word as _;

/// The line. Never names a secret: events hold none.
pub(crate) fn describe(record: &Record) -> String {
    let who = &record.origin;
    let outputs = |outputs: &[OutputRecord]| {
        outputs.iter().map(|output| output.partition.as_str()).collect::<Vec<_>>().join(", ")
    };
    match &record.event {
        Event::GraphRegistered(e) => format!("graph {} registered", e.graph.short()),
        Event::Observed(e) => format!("{} partitions observed", e.partitions.len()),
        Event::FilesVanished(e) => format!("files gone: {}", e.partitions.join(", ")),
        Event::FilesAltered(e) => format!("files altered: {}", e.partitions.join(", ")),
        Event::WantCreated(e) => format!("{} wants {}", e.want, e.targets.join(", ")),
        Event::WantEnded(e) => {
            format!("{} {}", e.want, e.outcome.word())
        }
        Event::WantPaused(e) => format!("{} paused", e.want),
        Event::WantResumed(e) => format!("{} goes on", e.want),
        Event::WantReprioritized(e) => format!("{} is {} from now on", e.want, e.class.word()),
        Event::PlanCreated(e) => format!("{} planned for {}", e.plan, e.targets.join(", ")),
        Event::PlansDropped(e) => {
            format!(
                "{} kept no longer",
                e.plans.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            )
        }
        Event::WantReplanned(e) => format!("{} now waits for {}", e.want, e.work.join(", ")),
        Event::WorkCutOff(e) => format!("current after all: {}", e.partitions.join(", ")),
        Event::WorkAbandoned(e) => format!("given up after {}: {}", e.cause, e.partitions.join(", ")),
        Event::AttemptLeased(e) => format!("{} leased: {} by {}", e.attempt, e.partition, e.job),
        Event::AttemptStarted(e) => format!("{} started as process {}", e.attempt, e.pid),
        Event::AttemptEnded(e) => match &e.outcome {
            AttemptOutcome::Success => format!("{} succeeded in {} ms", e.attempt, e.wall_ms),
            outcome => format!("{} ended ({outcome:?}): {}", e.attempt, e.message),
        },
        Event::RunCancelRequested(e) => format!("{} is to stop", e.run),
        Event::PublishIntended(e) => format!("{} publishes {}", e.attempt, outputs(&e.outputs)),
        Event::Materialized(e) => format!("{} made {}", e.attempt, outputs(&e.outputs)),
        Event::Tainted(e) => format!("{who} tainted {}: {}", e.partitions.join(", "), e.reason),
        Event::Adopted(e) => format!("{who} adopted {} partitions", e.partitions.len()),
        Event::CodeAccepted(e) => {
            format!("{who} accepted the change of {} for {}: {}", e.job, e.partitions.join(", "), e.reason)
        }
        Event::Untainted(e) => format!("{who} untainted {}", e.partitions.join(", ")),
        Event::PartitionsFailed(e) => {
            format!("{} failed for {}: {}", e.attempt, e.partitions.join(", "), e.message)
        }
        Event::RunSuspended(e) => format!("{} waits for {}, by {}", e.run, some_keys(&e.inputs), e.want),
        Event::KeysAdded(e) => format!("{who} added {} to {}", some_keys(&e.keys), e.space),
        Event::KeysRetired(e) => format!("{who} retired {} of {}", some_keys(&e.keys), e.space),
        Event::PoolResized(e) => match e.slots {
            Some(slots) => format!("{who} set pool {} to {slots}", e.pool),
            None => format!("{who} set pool {} back to what is declared", e.pool),
        },
        Event::TrialCreated(e) => {
            format!("{} by {who}: {} is repeated {} times", e.trial, e.job, runs_of(e))
        }
        Event::TrialMade(e) => format!("{} made {} for a trial", e.attempt, outputs(&e.outputs)),
        Event::TrialEnded(e) => {
            let how = match e.outcome {
                TrialOutcome::Equal => "found all equal",
                TrialOutcome::Differs => "found differences",
                TrialOutcome::Unknown => "cannot tell",
                TrialOutcome::Canceled => "was canceled",
            };
            format!("{} {how}", e.trial)
        }
        Event::Checked(e) => {
            format!("{} checked: {}", e.attempt, e.checks.iter().map(found).collect::<Vec<_>>().join(", "))
        }
        Event::RunEnded(e) => {
            format!("{} {}: {}", e.run, if e.canceled { "canceled" } else { "failed" }, e.message)
        }
    }
}

fn runs_of(trial: &TrialCreated) -> usize {
    trial.samples.iter().map(|sample| sample.arms.len()).sum()
}

/// What a check found, in counts.
fn found(findings: &CheckFindings) -> String {
    let count = |outcome| findings.results.iter().filter(|result| result.outcome == outcome).count();
    let counts = [
        (count(CheckOutcome::Passed), "passed"),
        (count(CheckOutcome::Failed), "failed"),
        (count(CheckOutcome::Error), "in error"),
    ];
    let named = counts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
    format!("{} {}", findings.check, named.collect::<Vec<_>>().join(" "))
}

/// A few of many.
fn some_keys(keys: &[String]) -> String {
    const FIRST: usize = 5;
    first_of(keys.iter().cloned(), FIRST)
}
