//! Moves old events to an archive: finds where the log may be cut, writes the archive, cuts.
//!
//! All that takes long happens on the caller's thread, over connections that only read. The orchestrator does what changes
//! the log, in steps of some milliseconds between its turns: it keeps a checkpoint, moves the log's
//! beginning, and frees what is before it piece by piece. Whatever is interrupted in between is either not begun
//! (no event is missing in the log) or done (only the freeing is left, which goes on the next time).

use super::handle::Handle;
use super::message::{CommandError, Message};
use super::records::checkpoint;
use crate::store::{Cut, EventLog, StoreError, Survey};
use databuild_core::graph::parse_file;
use databuild_core::ids::{GraphId, Seq};
use databuild_core::retention::{
    begun_live, code_in_use, graphs_in_use, last_failures, made_from, InUse, Live,
};
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
    /// Nothing goes if there are fewer.
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
    /// What is live and keeps events that are old enough, and the first of those.
    pub held_by: Option<(Live, Seq)>,
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
        let before = crate::os::now().checked_sub(request.older_than).unwrap_or(Timestamp::MIN);
        let after = survey.archived()?;
        let (until, held_by) = last_to_go(&survey, &state, after, before)?;
        let mut archived = Archived {
            after,
            until,
            bytes: survey.bytes_of_events(after, until)?,
            file: None,
            log_bytes_before: survey.bytes()?,
            log_bytes_after: survey.bytes()?,
            held_by,
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

    /// Reads the whole log and its archives, and returns how many events there are. Blocking.
    ///
    /// # Errors
    /// Something is damaged or missing.
    pub fn check_log(&self) -> Result<u64, CommandError> {
        let _turn = self.archiver.turn();
        Ok(self.archiver.survey()?.check()?)
    }

    /// Frees what an archive that was interrupted has left in the log. Blocking.
    ///
    /// # Errors
    /// The log cannot be written.
    pub fn finish_archiving(&self) -> Result<(), CommandError> {
        let _turn = self.archiver.turn();
        self.purge()
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
            // The client that asked is answered below.
            let _ = send.send(work(log));
        })))?;
        Ok(receive.recv().map_err(|_| CommandError::ShuttingDown)??)
    }
}

/// The last of the oldest events that may go: all are older than `before`, nothing live began with any, and the
/// newest event is not among them. With it, what is live and began with the next one, if that is why it stays.
fn last_to_go(
    survey: &Survey,
    state: &State,
    after: Seq,
    before: Timestamp,
) -> Result<(Seq, Option<(Live, Seq)>), StoreError> {
    let mut until = after;
    let mut held_by = None;
    survey.events(after, |seq, record| {
        if seq >= state.seq() || record.at >= before {
            return false;
        }
        if let Some(live) = begun_live(state, &record.event) {
            held_by = Some((live, seq));
            return false;
        }
        until = seq;
        true
    })?;
    Ok((until, held_by))
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

/// Data that was replaced under its text, and that a partition holds all the same, or that something which is still there was
/// made from.
fn data_in_use(survey: &Survey, state: &State, until: Seq) -> Result<BTreeSet<(String, Seq)>, StoreError> {
    let mut found = BTreeSet::new();
    let in_use = InUse::of(state);
    let mut leases: BTreeMap<String, Vec<Seq>> = BTreeMap::new();
    for old in survey.superseded(until)? {
        if !leases.contains_key(&old.partition) {
            // They come by partition, so those of the one before are not needed again.
            leases.clear();
            let readers = made_from(state, &old.partition);
            let read = readers.iter().filter_map(|reader| survey.lease_of(reader).transpose());
            leases.insert(old.partition.clone(), read.collect::<Result<_, _>>()?);
        }
        let read = leases[&old.partition].iter().any(|lease| old.since <= *lease && *lease < old.until);
        if read || in_use.has(&old.partition, old.since) {
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
            file.jobs.iter().any(|job| job.label == *label && job.program.code.as_deref() == Some(code))
        };
        let before = code.len();
        code.retain(|code| !has(code));
        if code.len() < before {
            kept.insert(graph);
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::super::records::replay::{load, Base};
    use super::super::testing;
    use super::*;
    use crate::store::{Archiver, Batch, Checkpoint, SqliteLog};
    use databuild_core::decide::{Core, Input, Sighting, Sightings};
    use databuild_core::event::{Event, OutputRecord, Record};
    use tempfile::TempDir;

    struct Fixture {
        folder: TempDir,
        log: SqliteLog,
        core: Core,
    }

    impl Fixture {
        fn new(records: Vec<Record>) -> Fixture {
            let folder = tempfile::tempdir().unwrap();
            let log = SqliteLog::open(&folder.path().join("log.db")).unwrap();
            let mut fixture = Fixture { folder, log, core: Core::new(4) };
            records.iter().for_each(|record| fixture.core.state.apply(record).unwrap());
            fixture.append(records);
            fixture
        }

        fn append(&mut self, records: Vec<Record>) {
            self.log.append(&Batch { records, blobs: vec![] }).unwrap();
        }

        fn archiver(&self) -> Archiver {
            Archiver::new(&self.folder.path().join("log.db"))
        }

        fn survey(&self) -> Survey {
            self.archiver().survey().unwrap()
        }

        fn archive(&mut self, until: Seq) {
            self.log.save_checkpoint(&checkpoint::encode(&self.core.state).unwrap()).unwrap();
            let cut = cut(&self.survey(), &self.core.state, until).unwrap();
            self.archiver().write(&cut).unwrap();
            self.log.cut_off(until).unwrap();
            while self.log.purge().unwrap() {}
        }

        /// `raw` of that city has other data for a day from now on.
        fn observe(&mut self, city: &str, version: &str) {
            self.see(&format!("raw/city={city}/date=1990-01-07"), version);
        }

        fn see(&mut self, partition: &str, version: &str) {
            let (dataset, key) = self.core.state.resolve_one(partition).unwrap();
            let seen = vec![Sighting::Content { dataset, key, version: version.to_owned(), mark: 77 }];
            let graph = Some(self.core.state.registered().id.clone());
            let now = "2024-12-31T01:00:00Z".parse().unwrap();
            let step = self.core.step(Input::Sightings(Sightings { graph, seen, unseen: Vec::new() }), now);
            step.reply.unwrap();
            self.append(step.records);
        }
    }

    #[test]
    fn the_state_is_the_same_wherever_the_log_begins() {
        let records = testing::history(12);
        let length = records.len() as u64;
        for until in (1..length).step_by(7) {
            let mut fixture = Fixture::new(records.clone());
            let whole = fixture.core.state.dump();
            fixture.archive(Seq(until));
            // From the checkpoint.
            let (state, base) = load(&fixture.log).unwrap();
            assert_eq!((state.dump(), base.seq), (whole.clone(), Seq(length)), "cut at {until}");
            // A later program cannot use it, and reads the archive.
            for seq in [Seq(length - 1), Seq(length)] {
                let other = Checkpoint { seq, format: checkpoint::FORMAT + 1, bytes: vec![1] };
                fixture.log.save_checkpoint(&other).unwrap();
            }
            let (state, base) = load(&fixture.log).unwrap();
            assert_eq!((state.dump(), base), (whole, Base::default()), "cut at {until}");
            // Without the archive it says what is missing.
            std::fs::remove_dir_all(fixture.folder.path().join("archive")).unwrap();
            let error = load(&fixture.log).unwrap_err();
            assert_eq!(error.code(), "archive_missing");
            assert!(error.to_string().contains("event 1 of event log"), "{error}");
        }
    }

    #[test]
    fn an_older_checkpoint_leads_through_the_archive() {
        let records = testing::history(12);
        let mut fixture = Fixture::new(Vec::new());
        let (early, late) = records.split_at(30);
        for part in [early, late] {
            part.iter().for_each(|record| fixture.core.state.apply(record).unwrap());
            fixture.append(part.to_vec());
            fixture.log.save_checkpoint(&checkpoint::encode(&fixture.core.state).unwrap()).unwrap();
        }
        fixture.archive(Seq(60));
        let seq = fixture.log.last();
        let damaged = Checkpoint { seq, format: checkpoint::FORMAT, bytes: vec![1] };
        fixture.log.save_checkpoint(&damaged).unwrap();
        assert_eq!(load(&fixture.log).unwrap().0.dump(), fixture.core.state.dump());
    }

    #[test]
    fn the_oldest_events_go_up_to_what_is_young_or_live() {
        let fixture = Fixture::new(testing::history(12));
        let survey = fixture.survey();
        let (early, late): (Timestamp, Timestamp) =
            ("2024-12-31T00:00:00Z".parse().unwrap(), "2024-12-31T00:00:01Z".parse().unwrap());
        let state = &fixture.core.state;
        let go = |state: &State, before| last_to_go(&survey, state, Seq(0), before).unwrap();
        assert_eq!(go(state, early), (Seq(0), None), "all are of that time");
        let all = fixture.log.read(Seq(0), 100).unwrap();
        let mut live = all.iter().filter_map(|(seq, r)| Some((begun_live(state, &r.event)?, *seq)));
        let first_live = live.next().expect("a want is open");
        assert_eq!(go(state, late), (Seq(first_live.1 .0 - 1), Some(first_live)));
        // Were nothing live, all would go but the newest.
        let over = testing::changed(state, |dump| {
            dump.wants.clear();
            dump.runs.clear();
        });
        assert_eq!(go(&over, late), (Seq(fixture.log.last().0 - 1), None));
        assert_eq!(last_to_go(&survey, &over, Seq(40), early).unwrap(), (Seq(40), None));
    }

    #[test]
    fn data_that_something_present_was_made_from_stays() {
        let mut fixture = Fixture::new(testing::history(12));
        let first = |fixture: &Fixture| fixture.survey().superseded(fixture.log.last()).unwrap();
        assert_eq!(first(&fixture), []);
        fixture.observe("oslo", "other");
        fixture.observe("oslo", "third");
        fixture.observe("rome", "other");
        let old = first(&fixture);
        assert_eq!(old.len(), 3, "{old:?}");
        // What daily was made from stays, what nobody read in between does not.
        let used = data_in_use(&fixture.survey(), &fixture.core.state, fixture.log.last()).unwrap();
        let expected = [&old[0], &old[2]].map(|old| (old.partition.clone(), old.since));
        assert_eq!(used, expected.into());
    }

    #[test]
    fn data_that_a_partition_holds_stays_though_its_file_was_touched() {
        let records = testing::history(12);
        let made = records.iter().find_map(|record| match &record.event {
            Event::Materialized(made) => made.outputs.first().cloned(),
            _ => None,
        });
        let OutputRecord { partition, version, .. } = made.unwrap();
        let mut fixture = Fixture::new(records);
        fixture.see(&partition, &version);
        let survey = fixture.survey();
        let old = survey.superseded(fixture.log.last()).unwrap();
        assert_eq!(old.iter().map(|old| &old.partition).collect::<Vec<_>>(), [&partition]);
        let used = data_in_use(&survey, &fixture.core.state, fixture.log.last()).unwrap();
        assert_eq!(used, [(partition, old[0].since)].into());
    }

    #[test]
    fn graphs_stay_while_their_code_is_in_use() {
        let mut fixture = Fixture::new(testing::history(12));
        let mut registered = vec![fixture.core.state.registered().id.clone()];
        for raw in ["elsewhere", "there"] {
            let records = testing::register(&mut fixture.core, raw);
            fixture.append(records);
            registered.push(fixture.core.state.registered().id.clone());
        }
        // The code of all is the same, so the newest one tells of it; the first is that of live runs.
        let kept = graphs_to_keep(&fixture.survey(), &fixture.core.state).unwrap();
        assert_eq!(kept, [registered[0].clone(), registered[2].clone()].into());
    }
}
