//! The history lists of a log in memory, folded from all its events.
//!
//! Duty: to be simple. Every question folds all events again, so that what it answers is what the events say.

use super::super::project::{project, RowChange};
use super::super::rows::{
    AttemptRow, AttemptState, CheckRow, GraphRow, MaterializationRow, RunRow, RunState, TaintRow, WantRow,
    WantState,
};
use super::super::time::{instant, micros};
use databuild_core::event::{AttemptLeased, Origin, Record, WantCreated};
use databuild_core::ids::{AttemptId, RunId, Seq, WantId};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Rows of all lists.
#[derive(Debug, Default)]
pub(super) struct Lists {
    pub(super) wants: BTreeMap<WantId, WantRow>,
    /// The events that say what each want waits for.
    pub(super) want_work: BTreeMap<WantId, Vec<Seq>>,
    /// The events that ended wants.
    pub(super) want_ends: BTreeMap<WantId, Seq>,
    pub(super) runs: BTreeMap<RunId, RunRow>,
    pub(super) attempts: BTreeMap<AttemptId, AttemptRow>,
    pub(super) materializations: BTreeMap<(String, Seq), MaterializationRow>,
    pub(super) graphs: BTreeMap<Seq, GraphRow>,
    /// In the order in which they were found.
    pub(super) checks: Vec<CheckRow>,
    pub(super) taints: BTreeMap<Seq, TaintRow>,
    pub(super) key_changes: Vec<Seq>,
}

impl Lists {
    /// The lists of a log with these events.
    pub(super) fn of(records: &[(Seq, Record)]) -> Lists {
        let mut lists = Lists::default();
        for (seq, record) in records {
            project(*seq, record).into_iter().for_each(|change| lists.apply(change));
        }
        lists
    }

    fn apply(&mut self, change: RowChange<'_>) {
        match change {
            RowChange::WantOpened { at, want, origin } => {
                self.wants.insert(want.want, new_want(at, want, origin));
            }
            RowChange::WantWork { seq, want } => self.want_work.entry(want).or_default().push(seq),
            RowChange::WantClosed { at, seq, want, state, causes } => {
                self.want_ends.insert(want, seq);
                if let Some(row) = self.wants.get_mut(&want) {
                    (row.state, row.ended_at, row.causes) = (state, Some(instant(at)), causes.to_vec());
                }
            }
            RowChange::WantPaused { want, paused } => {
                self.wants.entry(want).and_modify(|row| row.paused = paused);
            }
            RowChange::WantClass { want, class } => {
                self.wants.entry(want).and_modify(|row| row.class = class);
            }
            RowChange::RunLeased { at, lease } => {
                let row = self.runs.entry(lease.attempt.run).or_insert_with(|| new_run(at, lease));
                row.graph = lease.graph.clone();
                (row.state, row.attempts, row.ended_at) = (RunState::Leased, lease.attempt.number, None);
            }
            RowChange::RunMoved { run, state, ended, message } => {
                if let Some(row) = self.runs.get_mut(&run) {
                    debug_assert!(row.state.next().contains(&state), "{row:?} comes to {state:?}");
                    (row.state, row.ended_at) = (state, ended.map(|(at, _)| instant(at)));
                    if let Some(message) = message {
                        row.message = message.to_owned();
                    }
                }
            }
            RowChange::RunMessage { run, message } => {
                self.runs.entry(run).and_modify(|row| row.message = message.to_owned());
            }
            RowChange::AttemptLeased { at, seq, lease } => {
                self.attempts.insert(lease.attempt, new_attempt(at, seq, lease));
            }
            RowChange::AttemptStarted { at, attempt, pid, state } => {
                if let Some(row) = self.attempts.get_mut(&attempt) {
                    (row.state, row.started_at, row.pid) = (state, Some(instant(at)), Some(pid));
                }
            }
            RowChange::AttemptEnded { at, end } => {
                if let Some(row) = self.attempts.get_mut(&end.attempt) {
                    row.state = AttemptState::Ended;
                    row.outcome = Some(end.outcome.kind());
                    row.ended_at = Some(instant(at));
                    row.exit_code = end.exit_code;
                    row.wall_ms = Some(end.wall_ms);
                    row.cpu_ms = Some(end.cpu_ms);
                    row.max_rss_kb = Some(end.max_rss_kb);
                    row.message = end.message.clone();
                    row.returned = end.returned.clone();
                }
            }
            RowChange::Materialized { .. } | RowChange::Seen { .. } | RowChange::Adopted { .. } => {
                let row = change.materialization();
                self.materializations.extend(row.map(|row| ((row.partition.clone(), row.seq), row)));
            }
            RowChange::Checked { at, attempt, findings } => {
                for result in &findings.results {
                    self.checks.push(CheckRow {
                        id: self.checks.len() as u64 + 1,
                        partition: result.partition.clone(),
                        check: findings.check.clone(),
                        attempt,
                        outcome: result.outcome,
                        blocking: findings.blocking,
                        message: result.message.clone(),
                        metadata: result.metadata.clone(),
                        at: instant(at),
                    });
                }
            }
            RowChange::GraphRegistered { at, seq, graph } => {
                let (sources, inherited) = (graph.sources.clone(), graph.inherited.clone());
                let row = GraphRow { id: graph.graph.clone(), seq, at: instant(at), sources, inherited };
                self.graphs.insert(seq, row);
            }
            RowChange::KeysChanged { seq, .. } => self.key_changes.push(seq),
            RowChange::Tainted { at, seq, taint, origin } => {
                let (partitions, reason, by) =
                    (taint.partitions.clone(), taint.reason.clone(), origin.to_string());
                self.taints.insert(seq, TaintRow { seq, at: instant(at), partitions, reason, by });
            }
            // Only who frees contents asks for these.
            RowChange::TrialGraph { .. } => {}
        }
    }
}

/// A want that is new.
fn new_want(at: i64, want: &WantCreated, origin: &Origin) -> WantRow {
    WantRow {
        id: want.want,
        state: WantState::Open,
        class: want.class,
        refresh: want.refresh,
        targets: want.shown_targets().clone(),
        comment: want.comment.clone(),
        source: origin.source().to_owned(),
        by: origin.to_string(),
        as_of: rounded(want.as_of),
        expires_at: want.expires_at.map(rounded),
        due_at: want.due_at.map(rounded),
        created_at: instant(at),
        ended_at: None,
        causes: Vec::new(),
        plan: want.plan,
        paused: false,
        params: want.params.clone(),
    }
}

/// A run that is new.
fn new_run(at: i64, lease: &AttemptLeased) -> RunRow {
    RunRow {
        id: lease.attempt.run,
        job: lease.job.clone(),
        partition: lease.partition.clone(),
        partitions: lease.inputs.len() as u64,
        graph: lease.graph.clone(),
        state: RunState::Leased,
        attempts: 0,
        created_at: instant(at),
        ended_at: None,
        message: String::new(),
        params: lease.params.clone(),
        trial: lease.trial.map(|arm| arm.trial),
    }
}

/// An attempt that is new.
fn new_attempt(at: i64, seq: Seq, lease: &AttemptLeased) -> AttemptRow {
    AttemptRow {
        id: lease.attempt,
        state: AttemptState::Leased,
        outcome: None,
        pid: None,
        leased_at: instant(at),
        started_at: None,
        ended_at: None,
        exit_code: None,
        wall_ms: None,
        cpu_ms: None,
        max_rss_kb: None,
        message: String::new(),
        inputs: lease.inputs.iter().fold(0, |sum: u64, inputs| sum.wrapping_add(*inputs)),
        lease_seq: seq,
        returned: Vec::new(),
    }
}

/// Rows have their times to the microsecond.
fn rounded(at: Timestamp) -> Timestamp {
    instant(micros(at))
}
