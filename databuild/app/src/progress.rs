//! Events as the lines that somebody who waits for a want wants to read.
//!
//! Invariant: each line is about work of that want alone. Of a run that also makes partitions for others, a line
//! names and counts only those of the want.

use super::held::held_at;
use super::scope::{by_job, Scope};
use crate::api::ProgressLine;
use crate::engine::Snapshot;
use crate::store::{History, RunWithAttempts, StoreError};
use databuild_core::amounts::{count, plural};
use databuild_core::data_check::warning;
use databuild_core::event::{
    AttemptEnded, AttemptOutcome, Cause, CheckOutcome, Checked, Event, KeysAdded, Materialized, Record,
    SetText,
};
use databuild_core::graph::{DatasetIx, JobIx, Params};
use databuild_core::ids::{AttemptId, GraphId, RunId, Seq};
use databuild_core::partition_set::{PartitionKey, PartitionSet};
use databuild_core::text::first_of;
use std::collections::hash_map::Entry;
use std::collections::HashMap;

/// Keys that a line names.
const MOST_KEYS: usize = 5;
/// Partitions of one event that are looked up one by one.
const MOST_LOOKED_UP: usize = 1000;

/// Makes lines of events that follow each other. What it looked up of runs it remembers: several events speak of one.
pub struct Lines<'r> {
    live: &'r Snapshot,
    reader: &'r dyn History,
    scope: &'r Scope,
    /// Runs of the history.
    over: HashMap<RunId, Option<RunWithAttempts>>,
}

/// Partitions that one job makes, in the graph of today.
struct Part {
    job: JobIx,
    set: PartitionSet,
}

/// What lines need to know of a run.
struct RunFacts {
    /// What it makes, or what is left of that while it is live.
    partition: String,
    graph: GraphId,
    params: Params,
    trial: bool,
}

impl<'r> Lines<'r> {
    /// Lines about the want of `scope`.
    pub fn new(live: &'r Snapshot, reader: &'r dyn History, scope: &'r Scope) -> Lines<'r> {
        Lines { live, reader, scope, over: HashMap::new() }
    }

    /// The lines that an event is worth. Runs are looked up in the state while they are live, then in the history.
    ///
    /// # Errors
    /// The history cannot be read.
    pub fn of(&mut self, seq: Seq, record: &Record) -> Result<Vec<ProgressLine>, StoreError> {
        let line = match &record.event {
            Event::AttemptStarted(event) => self.of_attempt(seq, "started", event.attempt, "")?,
            Event::AttemptEnded(event) => self.of_end(seq, event)?,
            Event::Checked(event) => self.of_checks(seq, event)?,
            Event::Materialized(event) => return self.of_data(seq, event),
            Event::WorkCutOff(event) => {
                let message = "its inputs came out as they were";
                return Ok(self.of_work(seq, "unchanged", &event.partitions, message));
            }
            Event::WorkAbandoned(event) => {
                let message = format!("{}, which it depends on, failed", event.cause);
                return Ok(self.of_work(seq, "given_up", &event.partitions, &message));
            }
            Event::PartitionsFailed(event) => {
                let part = self.own(seq, event.attempt, self.located(&event.partitions))?;
                part.map(|part| self.line(seq, "failed", Some(event.attempt.run), &part, &event.message))
            }
            Event::KeysAdded(event) => match (&record.origin.cause, event.back.is_empty()) {
                (Some(Cause::Run(run)), false) => self.of_keys_back(seq, *run, event)?,
                _ => None,
            },
            _ => None,
        };
        Ok(line.into_iter().collect())
    }

    fn of_end(&mut self, seq: Seq, event: &AttemptEnded) -> Result<Option<ProgressLine>, StoreError> {
        let what = match (&event.outcome, event.retry_at) {
            (AttemptOutcome::Success, _) => return Ok(None),
            // What is done and what has failed of a batch is told by other events.
            (_, None) if event.done > 0 => return Ok(None),
            // It was taken back before it began, so nothing has happened.
            (AttemptOutcome::Canceled, Some(_)) if duration(event).is_none() => return Ok(None),
            (AttemptOutcome::MissingInput { .. }, Some(_)) => "suspended",
            (_, Some(_)) => "retry",
            (AttemptOutcome::Canceled, None) => "canceled",
            (_, None) => "failed",
        };
        let line = self.of_attempt(seq, what, event.attempt, &event.message)?;
        Ok(line.map(|line| ProgressLine { wall_ms: duration(event), ..line }))
    }

    /// A run reported keys that somebody had retired, which are there again.
    fn of_keys_back(
        &mut self,
        seq: Seq,
        run: RunId,
        event: &KeysAdded,
    ) -> Result<Option<ProgressLine>, StoreError> {
        let Some(facts) = self.facts(run)? else { return Ok(None) };
        let part = self.located(std::slice::from_ref(&facts.partition));
        let part = self.own(seq, AttemptId { run, number: 1 }, part)?;
        let keys = first_of(event.back.iter().cloned(), MOST_KEYS);
        let are = plural(event.back.len() as u64, "is a key", "are keys");
        let message =
            format!("{keys} {are} of {} again: retired before, and reported by this run", event.space);
        Ok(part.map(|part| self.line(seq, "keys_back", Some(run), &part, &message)))
    }

    fn of_checks(&mut self, seq: Seq, event: &Checked) -> Result<Option<ProgressLine>, StoreError> {
        if warning(&event.checks).is_none() {
            return Ok(None);
        }
        let warned = event.checks.iter().filter(|findings| !findings.blocking);
        let warned = warned.flat_map(|findings| &findings.results);
        let warned = warned.filter(|result| result.outcome != CheckOutcome::Passed);
        let warned: SetText = warned.map(|result| result.partition.clone()).collect();
        let Some(part) = self.own(seq, event.attempt, self.located(&warned))? else { return Ok(None) };
        let mut checks = event.checks.clone();
        for findings in &mut checks {
            findings.results.retain(|result| self.is_of(&part, &result.partition));
        }
        let message = warning(&checks).unwrap_or_default();
        Ok(Some(self.line(seq, "warning", Some(event.attempt.run), &part, &message)))
    }

    /// A line for what came out with data, and one for what came out empty.
    fn of_data(&mut self, seq: Seq, event: &Materialized) -> Result<Vec<ProgressLine>, StoreError> {
        let made: SetText = event.outputs.iter().map(|output| output.partition.clone()).collect();
        let Some(Part { job, set }) = self.own(seq, event.attempt, self.located(&made))? else {
            return Ok(Vec::new());
        };
        // Of several outputs of a job, one with data is enough.
        let mut filled = PartitionSet::empty(set.shape());
        for output in event.outputs.iter().filter(|output| !output.empty) {
            let located = self.located_one(&output.partition);
            if let Some((_, key)) = located.filter(|(_, key)| set.contains(key)) {
                filled.insert(&key);
            }
        }
        let run = self.of_history(event.attempt.run)?;
        let attempt = run.and_then(|run| run.attempts.iter().find(|attempt| attempt.id == event.attempt));
        let wall_ms = attempt.and_then(|attempt| attempt.wall_ms);
        let empty = set.subtract(&filled);
        let parts = [("built", filled), ("empty", empty)].into_iter().filter(|(_, set)| !set.is_empty());
        let lines = parts.map(|(what, set)| {
            let message = match set.len() {
                1 => String::new(),
                made => count(made, "partition"),
            };
            let line = self.line(seq, what, Some(event.attempt.run), &Part { job, set }, &message);
            ProgressLine { wall_ms, ..line }
        });
        Ok(lines.collect())
    }

    /// About all that an attempt makes for the want.
    fn of_attempt(
        &mut self,
        seq: Seq,
        what: &str,
        attempt: AttemptId,
        message: &str,
    ) -> Result<Option<ProgressLine>, StoreError> {
        let Some(facts) = self.facts(attempt.run)? else { return Ok(None) };
        let Some(mut part) = self.located(std::slice::from_ref(&facts.partition)) else { return Ok(None) };
        if part.set.len() > 1 {
            self.leave_out_given_up(&mut part, attempt)?;
            self.leave_out_made(&mut part, attempt)?;
        }
        let part = self.own(seq, attempt, Some(part))?;
        Ok(part.map(|part| self.line(seq, what, Some(attempt.run), &part, message)))
    }

    /// About work that no run does, a line for each job.
    fn of_work(&self, seq: Seq, what: &str, texts: &[String], message: &str) -> Vec<ProgressLine> {
        let own = by_job(&self.live.state, texts).into_iter().filter_map(|(job, set)| {
            let (_, set) = self.scope.part(seq, job, &set)?;
            Some(self.line(seq, what, None, &Part { job, set }, message))
        });
        own.collect()
    }

    fn line(&self, seq: Seq, what: &str, run: Option<RunId>, part: &Part, message: &str) -> ProgressLine {
        ProgressLine {
            seq: seq.0,
            what: what.to_owned(),
            partition: self.text(part).join(", "),
            partitions: Some(part.set.len()),
            job: Some(self.label(part.job)),
            run: run.map(|run| run.to_string()),
            wall_ms: None,
            message: message.to_owned(),
        }
    }

    fn text(&self, part: &Part) -> Vec<String> {
        self.live.state.work_text(part.job, &part.set)
    }

    fn label(&self, job: JobIx) -> String {
        self.live.state.graph().job(job).label.clone()
    }

    /// Partitions as texts of an event about one run; none if the graph of today does not make them.
    fn located(&self, texts: &[String]) -> Option<Part> {
        let (job, set) = by_job(&self.live.state, texts).into_iter().next()?;
        Some(Part { job, set })
    }

    fn is_of(&self, part: &Part, text: &str) -> bool {
        self.located_one(text).is_some_and(|(_, key)| part.set.contains(&key))
    }

    fn located_one(&self, text: &str) -> Option<(DatasetIx, PartitionKey)> {
        let state = &self.live.state;
        state.followed()?.graph.locate(text, state.symbols())
    }

    /// What of `part`, which an attempt makes, the want waits for.
    fn own(&mut self, seq: Seq, attempt: AttemptId, part: Option<Part>) -> Result<Option<Part>, StoreError> {
        let Some(Part { job, set }) = part else { return Ok(None) };
        let Some((since, mut set)) = self.scope.part(seq, job, &set) else { return Ok(None) };
        let Some(facts) = self.facts(attempt.run)? else { return Ok(None) };
        // No want waits for what is only tried.
        if facts.trial || !self.serves(job, &facts) {
            return Ok(None);
        }
        if let Some((asked, forced)) = self.scope.forced(job).filter(|(_, forced)| forced.intersects(&set)) {
            if self.leased_at(attempt.run)?.is_some_and(|leased| leased < asked) {
                set.subtract_with(forced);
            }
        }
        if self.scope.has_rivals() {
            self.leave_out_repeated(job, &mut set, attempt.run, since)?;
        }
        Ok((!set.is_empty()).then_some(Part { job, set }))
    }

    /// Whether a run has the values of parameters that the want waits for. Of an earlier graph that is not asked.
    fn serves(&self, job: JobIx, facts: &RunFacts) -> bool {
        let registered = self.live.state.registered();
        facts.graph != registered.id || facts.params == self.scope.params(registered.graph.job(job), job)
    }

    /// Takes out what was given up of a batch before this attempt: its lease names what was left.
    fn leave_out_given_up(&mut self, part: &mut Part, attempt: AttemptId) -> Result<(), StoreError> {
        let Some(run) = self.of_history(attempt.run)?.filter(|_| attempt.number > 1) else { return Ok(()) };
        let lease = run.attempts.iter().find(|other| other.id == attempt).map(|found| found.lease_seq);
        let Some(lease) = lease else { return Ok(()) };
        if let Some(Event::AttemptLeased(lease)) = self.reader.event(lease)?.value.map(|record| record.event)
        {
            if let Some(left) = self.located(std::slice::from_ref(&lease.partition)) {
                part.set = part.set.intersect(&left.set);
            }
        }
        Ok(())
    }

    /// Takes out what attempts before this one of the same run made.
    fn leave_out_made(&mut self, part: &mut Part, attempt: AttemptId) -> Result<(), StoreError> {
        let Some(run) = self.of_history(attempt.run)? else { return Ok(()) };
        let next = run.attempts.iter().find(|other| other.id.number > attempt.number);
        let until = next.map_or(Seq::LATEST, |next| next.lease_seq);
        let made = self.reader.materializations_of_run(attempt.run)?.value;
        let mut rest = part.set.clone();
        for row in made.iter().filter(|row| row.seq < until) {
            if let Some((_, key)) = self.located_one(&row.partition) {
                rest.remove(&key);
            }
        }
        // A run that made all of it in the end is told with all of it.
        if !rest.is_empty() {
            part.set = rest;
        }
        Ok(())
    }

    /// Takes out what a run before made for the want, so that this one makes it for somebody else.
    fn leave_out_repeated(
        &mut self,
        job: JobIx,
        set: &mut PartitionSet,
        run: RunId,
        since: Seq,
    ) -> Result<(), StoreError> {
        let Some(leased) = self.leased_at(run)? else { return Ok(()) };
        let home = self.live.state.graph().job(job).outputs[0];
        let keys: Vec<PartitionKey> = set.iter().take(MOST_LOOKED_UP).collect();
        for key in keys {
            let state = &self.live.state;
            let before = held_at(state, self.reader, state.graph(), (home, &key), leased)?;
            let Some(maker) = before.filter(|row| row.seq > since).and_then(|row| row.run) else { continue };
            if maker != run && self.leased_at(maker)?.is_some_and(|leased| leased > since) {
                set.remove(&key);
            }
        }
        Ok(())
    }

    /// The event of a run's first lease.
    fn leased_at(&mut self, run: RunId) -> Result<Option<Seq>, StoreError> {
        let run = self.of_history(run)?;
        Ok(run.and_then(|run| run.attempts.first()).map(|attempt| attempt.lease_seq))
    }

    fn facts(&mut self, id: RunId) -> Result<Option<RunFacts>, StoreError> {
        if let Some(run) = self.live.state.runs().get(&id) {
            return Ok(Some(RunFacts {
                partition: run.partition.clone(),
                graph: run.graph_id().clone(),
                params: run.params.clone(),
                trial: run.trial.is_some(),
            }));
        }
        let run = self.of_history(id)?.map(|found| &found.run);
        Ok(run.map(|run| RunFacts {
            partition: run.partition.clone(),
            graph: run.graph.clone(),
            params: run.params.clone(),
            trial: run.trial.is_some(),
        }))
    }

    fn of_history(&mut self, id: RunId) -> Result<Option<&RunWithAttempts>, StoreError> {
        let found = match self.over.entry(id) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(place) => place.insert(self.reader.run(id)?.value),
        };
        Ok(found.as_ref())
    }
}

/// How long a process took. Of an attempt that had none nothing was measured.
fn duration(event: &AttemptEnded) -> Option<u64> {
    (event.wall_ms > 0 || event.exit_code.is_some()).then_some(event.wall_ms)
}

#[cfg(test)]
mod tests {
    use super::super::why::tests::{chain, Workspace};
    use super::*;
    use databuild_core::decide::{AttemptEnd, AttemptReport, AttemptSpec, Input, KeyRequest, Success};
    use databuild_core::event::{CheckFindings, CheckResult, OutputRecord, Refresh};
    use databuild_core::ids::WantId;
    use serde_json::json;
    use std::sync::Arc;

    fn workspace(batches: bool) -> Workspace {
        let mut graph = chain("code");
        if batches {
            graph["jobs"][0]["batch"] = json!({"dim": "name", "max": 3});
        }
        let mut workspace = Workspace::new(&graph);
        for name in ["a", "b", "c"] {
            workspace.observe(&format!("raw/name={name}"), "r1");
        }
        workspace
    }

    /// Wants that begin at the same time, so that one batch serves them.
    fn wants_at_once(workspace: &mut Workspace, targets: &[&str]) {
        workspace.step(Input::Hold(Vec::new()));
        targets.iter().for_each(|target| workspace.want(target, Refresh::Stale));
        workspace.step(Input::Resume(Vec::new()));
    }

    fn start(workspace: &mut Workspace) {
        for attempt in workspace.ordered.iter().map(|spec| spec.attempt).collect::<Vec<_>>() {
            workspace.step(Input::AttemptStarted { attempt, pid: 7 });
        }
    }

    fn outputs(names: &[&str]) -> Vec<OutputRecord> {
        let output = |name: &&str| OutputRecord {
            partition: format!("text/name={name}"),
            version: "v".to_owned(),
            empty: false,
            mark: 0,
            bytes: 1,
            metadata: "{}".to_owned(),
        };
        names.iter().map(output).collect()
    }

    /// All lines about a want: what happened, to what, how many partitions that is, and by which job.
    fn told(workspace: &Workspace, want: u64) -> Vec<(String, String, u64)> {
        let reader = workspace.reader();
        let live = Snapshot {
            state: Arc::new(workspace.core.state.clone()),
            slots: 8,
            memory: None,
            held: false,
            unrecorded: None,
        };
        let row = reader.want(WantId(want)).unwrap().value.unwrap();
        let work = reader.work_of_want(WantId(want), None).unwrap().value;
        let scope = Scope::new(&live, &row, &work);
        let mut lines = Lines::new(&live, &reader, &scope);
        let events = reader.events(None, 1000).unwrap().value.records;
        let found = events.iter().flat_map(|(seq, record)| lines.of(*seq, record).unwrap());
        found.map(|line| (line.what, line.partition, line.partitions.unwrap())).collect()
    }

    fn line(what: &str, partition: &str, partitions: u64) -> (String, String, u64) {
        (what.to_owned(), partition.to_owned(), partitions)
    }

    #[test]
    fn each_of_two_wants_is_told_of_its_own_partitions() {
        let mut workspace = workspace(false);
        workspace.want("text/name=a+b", Refresh::Stale);
        workspace.want("text/name=b+c", Refresh::Stale);
        start(&mut workspace);
        workspace.finish("text/name=a", "v");
        workspace.fail("text/name=c", "broken");
        workspace.finish("text/name=b", "v");
        let first = [
            line("started", "text/name=a", 1),
            line("started", "text/name=b", 1),
            line("built", "text/name=a", 1),
            line("built", "text/name=b", 1),
        ];
        let second = [
            line("started", "text/name=b", 1),
            line("started", "text/name=c", 1),
            line("failed", "text/name=c", 1),
            line("built", "text/name=b", 1),
        ];
        assert_eq!(told(&workspace, 1), first);
        assert_eq!(told(&workspace, 2), second);
    }

    #[test]
    fn of_a_batch_for_two_wants_each_is_told_its_part() {
        let mut workspace = workspace(true);
        wants_at_once(&mut workspace, &["text/name=a+b+c"]);
        workspace.want("text/name=c", Refresh::Stale);
        start(&mut workspace);
        let success = Success { outputs: outputs(&["a", "b", "c"]), ..Success::default() };
        workspace.end("text/name=a+b+c", Ok(success));
        let all = [line("started", "text", 3), line("built", "text", 3)];
        assert_eq!(
            told(&workspace, 1),
            all.map(|(what, _, count)| (what, "text/name=a+b+c".to_owned(), count))
        );
        assert_eq!(told(&workspace, 2), [line("started", "text/name=c", 1), line("built", "text/name=c", 1)]);
    }

    /// Whatever happens in whatever order, the lines of a want and its counts say the same.
    #[test]
    fn lines_and_counts_add_up_to_all_partitions_of_a_want() {
        for seed in 0..60u64 {
            let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            let mut pick = |most: usize| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state % most as u64) as usize
            };
            let mut workspace = workspace(seed % 2 == 0);
            wants_at_once(&mut workspace, &["book", ["text/name=a+b", "text"][pick(2)]]);
            while !workspace.ordered.is_empty() {
                let at = pick(workspace.ordered.len());
                let partition = workspace.ordered[at].partition.clone();
                if pick(3) == 0 {
                    workspace.fail(&partition, "broken");
                } else if partition == "book" {
                    workspace.finish("book", "v");
                } else {
                    let names = partition.split_once('=').map_or("a+b+c", |(_, names)| names);
                    let outputs = outputs(&names.split('+').collect::<Vec<_>>());
                    workspace.end(&partition, Ok(Success { outputs, ..Success::default() }));
                }
            }
            for want in [1, 2] {
                let told = told(&workspace, want);
                let sum = |words: &[&str]| -> u64 {
                    told.iter().filter(|line| words.contains(&&*line.0)).map(|line| line.2).sum()
                };
                let events = workspace.reader().events(None, 1000).unwrap().value.records;
                let ended = events.iter().find_map(|(_, record)| match &record.event {
                    Event::WantEnded(ended) if ended.want == WantId(want) => ended.counts,
                    _ => None,
                });
                let ended = ended.expect("all is over");
                assert_eq!(ended.all(), if want == 1 { 4 } else { ended.all() }, "seed {seed}");
                assert_eq!(
                    (sum(&["built", "empty"]), sum(&["unchanged"]), sum(&["failed"]), sum(&["given_up"])),
                    (ended.built, ended.unchanged, ended.failed, ended.skipped),
                    "seed {seed}: {told:?}"
                );
            }
        }
    }

    #[test]
    fn what_is_taken_back_before_it_began_is_no_retry() {
        let mut workspace = workspace(false);
        workspace.want("text/name=a", Refresh::Stale);
        let attempt = workspace.ordered[0].attempt;
        workspace.step(Input::PauseWant(WantId(1)));
        let end = AttemptEnd::without_process(AttemptReport::new(AttemptOutcome::Canceled, "taken back"));
        workspace.step(Input::AttemptEnded { attempt, end });
        assert_eq!(told(&workspace, 1), []);
    }

    #[test]
    fn of_a_batch_that_failed_in_part_only_what_is_there_is_called_built() {
        let mut workspace = workspace(true);
        wants_at_once(&mut workspace, &["text"]);
        let outcome = AttemptOutcome::Failure { permanent: true };
        let done = outputs(&["a", "c"]);
        let report = AttemptReport { done, ..AttemptReport::new(outcome, "b is broken") };
        workspace.end("text/name=a+b+c", Err(report));
        let lines = [line("failed", "text/name=b", 1), line("built", "text/name=a+c", 2)];
        assert_eq!(told(&workspace, 1), lines);
    }

    #[test]
    fn what_failed_of_a_batch_is_counted_once_whatever_the_next_attempt_does() {
        let mut graph = chain("code");
        graph["jobs"][0]["batch"] = json!({"dim": "name", "max": 3});
        graph["jobs"][0]["retries"] = json!(1);
        graph["jobs"][0]["backoff_ms"] = json!(0);
        graph["jobs"][0]["backoff_max_ms"] = json!(0);
        let mut workspace = Workspace::new(&graph);
        for name in ["a", "b", "c"] {
            workspace.observe(&format!("raw/name={name}"), "r1");
        }
        wants_at_once(&mut workspace, &["text"]);
        let failed = || AttemptReport::new(AttemptOutcome::Failure { permanent: false }, "broken");
        let hopeless = vec!["text/name=b".to_owned()];
        workspace.end("text/name=a+b+c", Err(AttemptReport { hopeless, ..failed() }));
        workspace.step(Input::Tick);
        workspace.end("text/name=a+c", Err(failed()));
        let told = told(&workspace, 1);
        let failed: u64 = told.iter().filter(|line| line.0 == "failed").map(|line| line.2).sum();
        assert_eq!(failed, 3, "{told:?}");
    }

    #[test]
    fn a_retired_key_that_a_run_brings_back_is_told_and_a_new_one_is_not() {
        let mut graph = chain("code");
        let space = json!([{"name": "customer", "keys": {"kind": "dynamic", "name": "customers"}}]);
        let client =
            json!({"name": "client", "label": "//:client", "external": true, "dims": space, "path": null});
        graph["datasets"].as_array_mut().unwrap().push(client);
        graph["datasets"].as_array_mut().unwrap().sort_by_key(|dataset| dataset["name"].to_string());
        let mut workspace = Workspace::new(&graph);
        let keys = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let customers = |names: &[&str]| KeyRequest { space: "customers".to_owned(), keys: keys(names) };
        workspace.step(Input::AddKeys(customers(&["acme"])));
        workspace.step(Input::RetireKeys(customers(&["acme"])));
        workspace.observe("raw/name=a", "r1");
        workspace.want("text/name=a", Refresh::Stale);
        let keys = [("customers".to_owned(), keys(&["acme", "bolt"]))].into();
        workspace.end("text/name=a", Ok(Success { outputs: outputs(&["a"]), keys }));
        assert_eq!(
            told(&workspace, 1),
            [line("keys_back", "text/name=a", 1), line("built", "text/name=a", 1)]
        );
    }

    #[test]
    fn what_is_made_again_for_another_want_is_not_told_twice() {
        let mut workspace = workspace(false);
        workspace.want("text/name=a+b", Refresh::Stale);
        workspace.finish("text/name=a", "v1");
        workspace.want("text/name=a", Refresh::All);
        workspace.finish("text/name=a", "v2");
        workspace.finish("text/name=b", "v1");
        assert_eq!(told(&workspace, 1), [line("built", "text/name=a", 1), line("built", "text/name=b", 1)]);
        assert_eq!(told(&workspace, 2), [line("built", "text/name=a", 1)]);
        // What comes after the end of a want is not its business.
        workspace.want("text", Refresh::All);
        for name in ["a", "b", "c"] {
            workspace.finish(&format!("text/name={name}"), "v3");
        }
        assert_eq!(told(&workspace, 1).len(), 2);
        assert_eq!(told(&workspace, 3).len(), 3);
    }

    #[test]
    fn a_want_that_forces_is_told_of_its_own_run_alone() {
        let mut workspace = workspace(false);
        workspace.want("text/name=a", Refresh::All);
        start(&mut workspace);
        workspace.want("text/name=a", Refresh::All);
        workspace.finish("text/name=a", "v1");
        start(&mut workspace);
        workspace.finish("text/name=a", "v2");
        let own = [line("started", "text/name=a", 1), line("built", "text/name=a", 1)];
        assert_eq!(told(&workspace, 1), own);
        assert_eq!(told(&workspace, 2), own);
    }

    #[test]
    fn what_comes_out_empty_of_a_batch_is_told_apart() {
        let mut workspace = workspace(true);
        wants_at_once(&mut workspace, &["text/name=a+b+c"]);
        let mut outputs = outputs(&["a", "b", "c"]);
        outputs[0].empty = true;
        outputs[2].empty = true;
        workspace.end("text/name=a+b+c", Ok(Success { outputs, ..Success::default() }));
        assert_eq!(told(&workspace, 1), [line("built", "text/name=b", 1), line("empty", "text/name=a+c", 2)]);
    }

    #[test]
    fn what_is_given_up_or_unchanged_is_told_to_those_who_wait_for_it() {
        let mut workspace = workspace(false);
        workspace.want("book", Refresh::Stale);
        workspace.want("text/name=a", Refresh::Stale);
        workspace.fail("text/name=b", "broken");
        workspace.finish("text/name=a", "v");
        workspace.finish("text/name=c", "v");
        let all = [
            line("failed", "text/name=b", 1),
            line("given_up", "book", 1),
            line("built", "text/name=a", 1),
            line("built", "text/name=c", 1),
        ];
        assert_eq!(told(&workspace, 1), all);
        assert_eq!(told(&workspace, 2), [line("built", "text/name=a", 1)]);
    }

    #[test]
    fn warnings_name_partitions_of_the_want_alone() {
        let mut workspace = workspace(true);
        wants_at_once(&mut workspace, &["text/name=a+b+c"]);
        workspace.want("text/name=b+c", Refresh::Stale);
        let AttemptSpec { attempt, .. } = workspace.ordered.remove(0);
        let result = |name: &str, outcome| CheckResult {
            partition: format!("text/name={name}"),
            outcome,
            message: "short".to_owned(),
            metadata: "{}".to_owned(),
        };
        let findings = CheckFindings {
            check: "//:rows".to_owned(),
            blocking: false,
            results: vec![result("a", CheckOutcome::Failed), result("b", CheckOutcome::Passed)],
        };
        let success = Success { outputs: outputs(&["a", "b", "c"]), ..Success::default() };
        let end = databuild_core::decide::AttemptEnd {
            result: Ok(success),
            exit_code: Some(0),
            wall_ms: 5,
            cpu_ms: 1,
            max_rss_kb: 1,
            checks: vec![findings],
            returned: Vec::new(),
        };
        workspace.step(Input::AttemptEnded { attempt, end });
        let all = [line("warning", "text/name=a", 1), line("built", "text/name=a+b+c", 3)];
        assert_eq!(told(&workspace, 1), all);
        assert_eq!(told(&workspace, 2), [line("built", "text/name=b+c", 2)]);
    }

    #[test]
    fn an_attempt_without_a_process_has_no_duration() {
        let mut workspace = workspace(false);
        workspace.want("text/name=a", Refresh::Stale);
        let attempt = workspace.ordered[0].attempt;
        let event = |wall_ms, exit_code| AttemptEnded {
            attempt,
            outcome: AttemptOutcome::Lost,
            message: String::new(),
            exit_code,
            wall_ms,
            cpu_ms: 0,
            max_rss_kb: 0,
            retry_at: None,
            done: 0,
            returned: Vec::new(),
        };
        assert_eq!(duration(&event(0, None)), None);
        assert_eq!(duration(&event(0, Some(1))), Some(0));
        assert_eq!(duration(&event(9, None)), Some(9));
    }
}
