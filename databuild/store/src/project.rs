//! What an event changes in the history lists: a pure function.

use super::rows::{AttemptState, MaterializationRow, RunState, WantState};
use super::time::{instant, micros};
use databuild_core::event::{
    Adopted, AdoptedPartition, AttemptEnded, AttemptLeased, AttemptStarted, CheckFindings, Checked, Event,
    GraphRegistered, KeysAdded, KeysRetired, Materialized, Observed, Origin, OutputRecord, PartitionsFailed,
    PriorityClass, Record, RunEnded, RunSuspended, SeenPartition, Tainted, TrialMade, WantCreated, WantEnded,
    WantPaused, WantReplanned, WantReprioritized, WantResumed,
};
use databuild_core::ids::{AttemptId, GraphId, RunId, Seq, WantId};

/// A change of one row. Times are microseconds since 1970.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum RowChange<'a> {
    /// A want is new.
    WantOpened { at: i64, want: &'a WantCreated, origin: &'a Origin },
    /// The event at `seq` says what a want waits for.
    WantWork { seq: Seq, want: WantId },
    /// A want is over.
    WantClosed { at: i64, seq: Seq, want: WantId, state: WantState, causes: &'a [String] },
    /// A want is paused, or is not.
    WantPaused { want: WantId, paused: bool },
    /// A want is of another class.
    WantClass { want: WantId, class: PriorityClass },
    /// A run has a further attempt; the first one makes the run.
    RunLeased { at: i64, lease: &'a AttemptLeased },
    /// A run's state is another one; `ended` is when and by which event it is over; no message = as it was.
    RunMoved { run: RunId, state: RunState, ended: Option<(i64, Seq)>, message: Option<&'a str> },
    /// A run says something else, in the state it is in.
    RunMessage { run: RunId, message: &'a str },
    /// An attempt is new.
    AttemptLeased { at: i64, seq: Seq, lease: &'a AttemptLeased },
    /// An attempt has a process.
    AttemptStarted { at: i64, attempt: AttemptId, pid: u32, state: AttemptState },
    /// An attempt's process is over.
    AttemptEnded { at: i64, end: &'a AttemptEnded },
    /// A partition holds a run's output from now on.
    Materialized { at: i64, seq: Seq, run: RunId, output: &'a OutputRecord },
    /// A partition of an external dataset was seen to hold this.
    Seen { at: i64, seq: Seq, seen: &'a SeenPartition },
    /// A partition holds a file that was there already.
    Adopted { at: i64, seq: Seq, adopted: &'a AdoptedPartition },
    /// A check looked at what an attempt made.
    Checked { at: i64, attempt: AttemptId, findings: &'a CheckFindings },
    /// A graph is the current one from now on.
    GraphRegistered { at: i64, seq: Seq, graph: &'a GraphRegistered },
    /// The event at `seq` names the content of that graph.
    TrialGraph { seq: Seq, graph: &'a GraphId },
    /// The event at `seq` changes which dynamic keys there are.
    KeysChanged { seq: Seq, space: &'a str },
    /// Data is bad, somebody said.
    Tainted { at: i64, seq: Seq, taint: &'a Tainted, origin: &'a Origin },
}

impl RowChange<'_> {
    /// The row by which a partition holds other data from now on, if the change is one.
    pub(super) fn materialization(&self) -> Option<MaterializationRow> {
        let found = |at, seq, partition: &str, version: &str, mark| MaterializationRow {
            partition: partition.to_owned(),
            seq,
            run: None,
            version: version.to_owned(),
            empty: false,
            bytes: 0,
            mark,
            metadata: "{}".to_owned(),
            at: instant(at),
        };
        match self {
            RowChange::Materialized { at, seq, run, output } => Some(MaterializationRow {
                run: Some(*run),
                empty: output.empty,
                bytes: output.bytes,
                metadata: output.metadata.clone(),
                ..found(*at, *seq, &output.partition, &output.version, output.mark)
            }),
            RowChange::Seen { at, seq, seen } => {
                Some(found(*at, *seq, &seen.partition, &seen.version, seen.mark))
            }
            RowChange::Adopted { at, seq, adopted } => Some(MaterializationRow {
                bytes: adopted.bytes,
                metadata: ADOPTED_METADATA.to_owned(),
                ..found(*at, *seq, &adopted.partition, &adopted.version, adopted.mark)
            }),
            _ => None,
        }
    }
}

/// The changes of the record at `seq`, in the order in which they are to be made.
pub(super) fn project(seq: Seq, record: &Record) -> Vec<RowChange<'_>> {
    let at = micros(record.at);
    match &record.event {
        Event::GraphRegistered(graph) => vec![RowChange::GraphRegistered { at, seq, graph }],
        Event::Observed(Observed { partitions }) => {
            partitions.iter().map(|seen| RowChange::Seen { at, seq, seen }).collect()
        }
        Event::Adopted(Adopted { partitions, .. }) => {
            partitions.iter().map(|adopted| RowChange::Adopted { at, seq, adopted }).collect()
        }
        Event::WantCreated(want) => {
            let origin = &record.origin;
            vec![RowChange::WantOpened { at, want, origin }, RowChange::WantWork { seq, want: want.want }]
        }
        Event::WantReplanned(WantReplanned { want, .. }) => vec![RowChange::WantWork { seq, want: *want }],
        Event::WantEnded(WantEnded { want, outcome, causes, counts: _ }) => {
            vec![RowChange::WantClosed { at, seq, want: *want, state: (*outcome).into(), causes }]
        }
        Event::WantPaused(WantPaused { want }) => {
            vec![RowChange::WantPaused { want: *want, paused: true }]
        }
        Event::WantResumed(WantResumed { want }) => {
            vec![RowChange::WantPaused { want: *want, paused: false }]
        }
        Event::WantReprioritized(WantReprioritized { want, class }) => {
            vec![RowChange::WantClass { want: *want, class: *class }]
        }
        Event::AttemptLeased(lease) => {
            vec![RowChange::RunLeased { at, lease }, RowChange::AttemptLeased { at, seq, lease }]
        }
        Event::AttemptStarted(AttemptStarted { attempt, pid }) => vec![
            RowChange::AttemptStarted { at, attempt: *attempt, pid: *pid, state: AttemptState::Running },
            RowChange::RunMoved { run: attempt.run, state: RunState::Running, ended: None, message: None },
        ],
        Event::AttemptEnded(end) => {
            let mut changes = vec![RowChange::AttemptEnded { at, end }];
            let run = end.attempt.run;
            if end.retry_at.is_some() {
                changes.push(RowChange::RunMoved {
                    run,
                    state: RunState::RetryWait,
                    ended: None,
                    message: Some(&end.message),
                });
            } else if !end.message.is_empty() {
                // What becomes of the run is another event's to say: RunEnded or Materialized.
                changes.push(RowChange::RunMessage { run, message: &end.message });
            }
            changes
        }
        Event::Materialized(Materialized { attempt, outputs, goes_on }) => {
            let run = attempt.run;
            let mut changes: Vec<_> =
                outputs.iter().map(|output| RowChange::Materialized { at, seq, run, output }).collect();
            changes.push(match goes_on {
                false => RowChange::RunMoved {
                    run,
                    state: RunState::Completed,
                    ended: Some((at, seq)),
                    message: Some(""),
                },
                // If there is no further attempt, the run's end is the next event.
                true => RowChange::RunMoved { run, state: RunState::RetryWait, ended: None, message: None },
            });
            changes
        }
        Event::PartitionsFailed(PartitionsFailed { attempt, message, .. }) => {
            vec![RowChange::RunMessage { run: attempt.run, message }]
        }
        Event::TrialCreated(trial) => {
            trial.graphs.iter().map(|of| RowChange::TrialGraph { seq, graph: &of.graph }).collect()
        }
        Event::TrialMade(TrialMade { attempt, .. }) => vec![RowChange::RunMoved {
            run: attempt.run,
            state: RunState::Completed,
            ended: Some((at, seq)),
            message: Some(""),
        }],
        Event::RunSuspended(RunSuspended { run, .. }) => {
            vec![RowChange::RunMoved { run: *run, state: RunState::Suspended, ended: None, message: None }]
        }
        Event::Tainted(taint) => vec![RowChange::Tainted { at, seq, taint, origin: &record.origin }],
        Event::RunEnded(RunEnded { run, canceled, message }) => {
            let state = if *canceled { RunState::Canceled } else { RunState::Failed };
            vec![RowChange::RunMoved { run: *run, state, ended: Some((at, seq)), message: Some(message) }]
        }
        Event::Checked(Checked { attempt, checks }) => {
            let row = |findings| RowChange::Checked { at, attempt: *attempt, findings };
            checks.iter().map(row).collect()
        }
        Event::KeysAdded(KeysAdded { space, .. }) | Event::KeysRetired(KeysRetired { space, .. }) => {
            vec![RowChange::KeysChanged { seq, space }]
        }
        // These speak of current state, which the core folds, and make no line in a history.
        Event::FilesVanished(_)
        | Event::FilesAltered(_)
        | Event::WorkCutOff(_)
        | Event::WorkAbandoned(_)
        | Event::RunCancelRequested(_)
        | Event::PlanCreated(_)
        | Event::PlansDropped(_)
        | Event::PublishIntended(_)
        | Event::Untainted(_)
        | Event::CodeAccepted(_)
        | Event::PoolResized(_)
        | Event::TokenCreated(_)
        | Event::TokenRevoked(_)
        | Event::RequestAnswered(_)
        | Event::ScheduleFired(_)
        | Event::TicksSkipped(_)
        | Event::SchedulePaused(_)
        | Event::ScheduleResumed(_)
        | Event::GarbageCollected(_)
        | Event::TrialEnded(_) => Vec::new(),
    }
}

/// What the history says of an adopted partition.
const ADOPTED_METADATA: &str = r#"{"source":"adopted"}"#;
