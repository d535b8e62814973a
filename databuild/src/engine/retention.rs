//! Moves old events to an archive: finds where the log may be cut, writes the archive, cuts.
//!
//! All that takes long happens on the caller's thread, over connections that only read. The orchestrator does what changes
//! the log, in steps of some milliseconds between its turns: it keeps a checkpoint, moves the log's
//! beginning, and frees what is before it piece by piece. Whatever is interrupted in between is either not begun
//! (no event is missing in the log) or done (only the freeing is left, which goes on the next time).

use super::checkpoint;
use super::handle::{CommandError, Handle};
use super::orchestrator::Message;
use crate::store::{Cut, EventLog, StoreError, Survey};
use databuild_core::graph::parse_file;
use databuild_core::ids::{GraphId, Seq};
use databuild_core::retention::{begins_live, code_in_use, graphs_in_use, last_failures, made_from};
use databuild_core::state::State;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::mpsc;

/// What is to be archived.
#[derive(Debug, Clone, Copy)]
pub struct ArchiveRequest {
    /// Events older than this.
    pub older_than: SignedDuration,
    /// Nothing if there are fewer.
    pub at_least: u64,
    /// Only count.
    pub dry_run: bool,
}

/// Events that went from the log to an archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Archived {
    /// The last event that was archived before.
    pub after: Seq,
    /// The last one that is; no later than `after` if none went.
    pub until: Seq,
    /// Bytes that they had in the log.
    pub bytes: u64,
    /// The archive and its size; none after a dry run.
    pub file: Option<(PathBuf, u64)>,
    /// Size of the log before.
    pub log_bytes_before: u64,
    /// Size of the log after.
    pub log_bytes_after: u64,
}

impl Handle {
    /// Archives old events. Blocking; one caller at a time, others wait.
    ///
    /// # Errors
    /// The log or the archive cannot be read or written.
    pub fn archive(&self, request: ArchiveRequest) -> Result<Archived, CommandError> {
        let _turn = self.archiver.turn();
        if !request.dry_run {
            // What an interrupted one has left.
            self.purge()?;
        }
        let survey = self.archiver.survey()?;
        let state = self.snapshot().state.clone();
        let before = Timestamp::now().checked_sub(request.older_than).unwrap_or(Timestamp::MIN);
        let after = survey.archived()?;
        let until = last_to_go(&survey, &state, after, before)?;
        let mut archived = Archived {
            after,
            until,
            bytes: survey.bytes_of_events(after, until)?,
            file: None,
            log_bytes_before: survey.bytes()?,
            log_bytes_after: survey.bytes()?,
        };
        if until.0.saturating_sub(after.0) < request.at_least.max(1) || request.dry_run {
            return Ok(archived);
        }
        let checkpoint = checkpoint::encode(&state).map_err(|error| CommandError::Store {
            code: "checkpoint_failed",
            message: format!("the state cannot be written as a checkpoint: {error}; please report it"),
        })?;
        self.on_log(move |log| log.save_checkpoint(&checkpoint))?;
        let cut = cut(&survey, &state, until)?;
        archived.file = Some(self.archiver.write(&cut)?);
        self.on_log(move |log| log.cut_off(until))?;
        self.purge()?;
        archived.log_bytes_after = survey.bytes()?;
        Ok(archived)
    }

    fn purge(&self) -> Result<(), CommandError> {
        while self.on_log(|log| log.purge())? {}
        Ok(())
    }

    /// Has the orchestrator do something short with the log, between two turns.
    fn on_log<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn EventLog) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, CommandError> {
        let (send, receive) = mpsc::channel();
        self.send(Message::Log(Box::new(move |log| {
            // Whoever asked waits below.
            let _ = send.send(work(log));
        })))?;
        Ok(receive.recv().map_err(|_| CommandError::ShuttingDown)??)
    }
}

/// The last of the oldest events that may go: all are older than `before`, nothing live began with any, and the
/// newest event is not among them.
fn last_to_go(survey: &Survey, state: &State, after: Seq, before: Timestamp) -> Result<Seq, StoreError> {
    let mut until = after;
    survey.events(after, |seq, record| {
        let goes = seq < state.seq && record.at < before && !begins_live(state, &record.event);
        if goes {
            until = seq;
        }
        goes
    })?;
    Ok(until)
}

/// What goes and what stays if the log is cut after `until`.
fn cut(survey: &Survey, state: &State, until: Seq) -> Result<Cut, StoreError> {
    Ok(Cut {
        until,
        data: data_in_use(survey, state, until)?,
        runs: last_failures(state, &survey.failed_runs(until)?),
        graphs: graphs_to_keep(survey, state)?,
    })
}

/// Data that was replaced, and that something which is still there was made from.
fn data_in_use(survey: &Survey, state: &State, until: Seq) -> Result<BTreeSet<(String, Seq)>, StoreError> {
    let mut found = BTreeSet::new();
    let mut leases: BTreeMap<String, Vec<Seq>> = BTreeMap::new();
    for old in survey.superseded(until)? {
        if !leases.contains_key(&old.partition) {
            // They come by partition, so those of the one before are not needed again.
            leases.clear();
            let readers = made_from(state, &old.partition);
            let read = readers.iter().filter_map(|reader| survey.lease_of(reader).transpose());
            leases.insert(old.partition.clone(), read.collect::<Result<_, _>>()?);
        }
        if leases[&old.partition].iter().any(|lease| old.since <= *lease && *lease < old.until) {
            found.insert((old.partition, old.since));
        }
    }
    Ok(found)
}

/// Graphs in use, and for all code in use the newest graph that has it: it tells what has changed since.
fn graphs_to_keep(survey: &Survey, state: &State) -> Result<BTreeSet<GraphId>, StoreError> {
    let mut kept = graphs_in_use(state);
    let mut code = code_in_use(state);
    for graph in survey.graphs()? {
        let Some(content) = survey.graph_content(&graph)? else { continue };
        // What this program cannot read any more explains nothing.
        let Ok(file) = parse_file(&content) else { continue };
        let has = |(label, code): &(String, String)| {
            file.jobs.iter().any(|job| job.label == *label && job.code.as_deref() == Some(code))
        };
        let before = code.len();
        code.retain(|code| !has(code));
        if code.len() < before {
            kept.insert(graph);
        }
    }
    Ok(kept)
}
