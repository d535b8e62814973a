//! What an event speaks of, which it is found by.

use crate::api::EventSubjects;
use databuild_core::event::{
    Adopted, AttemptEnded, AttemptLeased, AttemptStarted, Checked, CodeAccepted, Event, FilesAltered,
    FilesVanished, Materialized, Observed, PartitionsFailed, PlanCreated, PlansDropped, PublishIntended,
    RunCancelRequested, RunEnded, RunSuspended, ScheduleFired, Tainted, TrialCreated, TrialEnded, TrialMade,
    Untainted, WantCreated, WantEnded, WantPaused, WantReplanned, WantReprioritized, WantResumed,
    WorkAbandoned, WorkCutOff,
};
use databuild_core::ids::{PlanId, RunId, TrialId, WantId};
use databuild_core::reference::dataset_of;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What an event speaks of.
#[derive(Debug, Default)]
pub(super) struct About<'e> {
    pub(super) wants: Vec<WantId>,
    pub(super) runs: Vec<RunId>,
    pub(super) trials: Vec<TrialId>,
    pub(super) plans: Vec<PlanId>,
    /// Labels of jobs that it names itself.
    pub(super) jobs: Vec<&'e str>,
    /// Texts of partitions, and of sets of them, that it names itself.
    pub(super) partitions: Vec<&'e str>,
}

/// What a run is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RunSubject {
    /// Label of its job.
    pub(super) job: Arc<str>,
    /// What it makes, as its job's first output.
    pub(super) partition: Arc<str>,
}

/// What a want asks for.
pub(super) type Targets = Arc<[String]>;

/// What is known of that which an event speaks of.
#[derive(Debug, Clone, Default)]
pub(super) struct Subjects {
    /// Its runs, of those that are known.
    pub(super) runs: Vec<RunSubject>,
    /// Its wants; none for one that is not known.
    pub(super) wants: Vec<Option<Targets>>,
}

/// Adds texts of partitions to those that an event names.
fn name<'e>(about: &mut About<'e>, texts: impl IntoIterator<Item = &'e String>) {
    about.partitions.extend(texts.into_iter().map(String::as_str));
}

/// What an event speaks of.
pub(super) fn about(event: &Event) -> About<'_> {
    let mut about = About::default();
    match event {
        Event::Observed(Observed { partitions }) => {
            name(&mut about, partitions.iter().map(|seen| &seen.partition));
        }
        Event::Adopted(Adopted { partitions }) => {
            name(&mut about, partitions.iter().map(|adopted| &adopted.partition));
        }
        Event::FilesVanished(FilesVanished { partitions })
        | Event::FilesAltered(FilesAltered { partitions })
        | Event::WorkCutOff(WorkCutOff { partitions })
        | Event::Tainted(Tainted { partitions, .. })
        | Event::Untainted(Untainted { partitions, .. }) => name(&mut about, partitions),
        Event::WorkAbandoned(WorkAbandoned { partitions, cause }) => {
            name(&mut about, partitions);
            about.runs.push(*cause);
        }
        Event::WantCreated(WantCreated { want, targets, asked, written, plan, parent, .. }) => {
            name(&mut about, targets.iter().chain(asked).chain(written));
            about.wants.push(*want);
            about.plans.extend(*plan);
            about.runs.extend(*parent);
        }
        Event::WantReplanned(WantReplanned { want, .. })
        | Event::WantEnded(WantEnded { want, .. })
        | Event::WantPaused(WantPaused { want })
        | Event::WantResumed(WantResumed { want })
        | Event::WantReprioritized(WantReprioritized { want, .. }) => about.wants.push(*want),
        Event::AttemptLeased(AttemptLeased { attempt, job, partition, trial, .. }) => {
            name(&mut about, [partition]);
            about.jobs.push(job);
            about.runs.push(attempt.run);
            about.trials.extend(trial.map(|arm| arm.trial));
        }
        Event::AttemptStarted(AttemptStarted { attempt, .. })
        | Event::AttemptEnded(AttemptEnded { attempt, .. })
        | Event::Checked(Checked { attempt, .. }) => about.runs.push(attempt.run),
        Event::PublishIntended(PublishIntended { attempt, outputs })
        | Event::Materialized(Materialized { attempt, outputs, .. })
        | Event::TrialMade(TrialMade { attempt, outputs }) => {
            name(&mut about, outputs.iter().map(|output| &output.partition));
            about.runs.push(attempt.run);
        }
        Event::PartitionsFailed(PartitionsFailed { attempt, partitions, .. }) => {
            name(&mut about, partitions);
            about.runs.push(attempt.run);
        }
        Event::RunCancelRequested(RunCancelRequested { run }) | Event::RunEnded(RunEnded { run, .. }) => {
            about.runs.push(*run);
        }
        Event::RunSuspended(RunSuspended { run, want, inputs }) => {
            name(&mut about, inputs);
            about.runs.push(*run);
            about.wants.push(*want);
        }
        Event::CodeAccepted(CodeAccepted { job, partitions, .. }) => {
            name(&mut about, partitions);
            about.jobs.push(job);
        }
        Event::ScheduleFired(ScheduleFired { want, .. }) => about.wants.push(*want),
        Event::PlanCreated(PlanCreated { plan, targets, .. }) => {
            name(&mut about, targets);
            about.plans.push(*plan);
        }
        Event::PlansDropped(PlansDropped { plans }) => about.plans.extend(plans),
        Event::TrialCreated(TrialCreated { trial, run, job, samples, .. }) => {
            name(&mut about, samples.iter().map(|sample| &sample.partition));
            about.trials.push(*trial);
            about.runs.extend(*run);
            about.jobs.push(job);
        }
        Event::TrialEnded(TrialEnded { trial, results, .. }) => {
            name(&mut about, results.iter().map(|result| &result.partition));
            about.trials.push(*trial);
        }
        // They are about all of it, or about what has no page of its own.
        Event::GraphRegistered(_)
        | Event::KeysAdded(_)
        | Event::KeysRetired(_)
        | Event::PoolResized(_)
        | Event::TokenCreated(_)
        | Event::TokenRevoked(_)
        | Event::TicksSkipped(_)
        | Event::SchedulePaused(_)
        | Event::ScheduleResumed(_)
        | Event::RequestAnswered(_)
        | Event::GarbageCollected(_) => {}
    }
    about
}

impl About<'_> {
    /// As the API says it; `of` are its runs, of those that are known.
    pub(super) fn subjects(&self, of: &[RunSubject]) -> EventSubjects {
        let jobs: BTreeSet<&str> = self.jobs.iter().copied().chain(of.iter().map(|run| &*run.job)).collect();
        let partitions = self.partitions.iter().copied().chain(of.iter().map(|run| &*run.partition));
        let datasets: BTreeSet<&str> = partitions.map(dataset_of).collect();
        let owned = |texts: BTreeSet<&str>| texts.into_iter().map(str::to_owned).collect();
        EventSubjects {
            wants: texts(&self.wants),
            runs: texts(&self.runs),
            jobs: owned(jobs),
            datasets: owned(datasets),
            trials: texts(&self.trials),
            plans: texts(&self.plans),
        }
    }
}

fn texts<T: ToString>(ids: &[T]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}
