//! The history of a log in memory.

use super::super::error::StoreError;
use super::super::history::{
    Answer, CheckCounts, CheckFilter, CheckedSet, Counts, Durations, Events, Filed, History, Listed,
    RunFilter, RunWithChecks, WantFilter, WantWork, MAX_ROWS,
};
use super::super::log::EventLog as _;
use super::super::rows::{
    AttemptRow, CheckRow, GraphRow, MadeBy, MaterializationRow, PastMaterialization, RunRow, RunWithAttempts,
    TaintRow, WantRow,
};
use super::lists::Lists;
use super::{MemoryLog, PLACE};
use databuild_core::event::{CheckOutcome, Event, OutcomeKind, Record};
use databuild_core::ids::{AttemptId, GraphId, RunId, Seq, WantId};
use databuild_core::reference::dataset_of;
use databuild_core::state::{Holding, Named};
use std::cmp::Reverse;
use std::collections::BTreeMap;

impl MemoryLog {
    fn lists(&self) -> Result<Lists, StoreError> {
        Ok(Lists::of(&self.all()?))
    }

    fn all(&self) -> Result<Vec<(Seq, Record)>, StoreError> {
        self.read(Seq(0), usize::MAX)
    }

    fn answer<T>(&self, value: T) -> Result<Answer<T>, StoreError> {
        Ok(Answer { last_seq: self.last(), value })
    }
}

/// A part of a list whose rows come oldest first.
fn newest<T>(
    rows: impl DoubleEndedIterator<Item = T>,
    number: impl Fn(&T) -> u64,
    before: Option<u64>,
    limit: usize,
) -> Listed<T> {
    part(rows.rev().filter(|row| before.is_none_or(|before| number(row) < before)), &number, limit)
}

fn oldest<T>(
    rows: impl Iterator<Item = T>,
    number: impl Fn(&T) -> u64,
    after: Option<u64>,
    limit: usize,
) -> Listed<T> {
    part(rows.filter(|row| after.is_none_or(|after| number(row) > after)), &number, limit)
}

fn part<T>(mut rest: impl Iterator<Item = T>, number: &impl Fn(&T) -> u64, limit: usize) -> Listed<T> {
    let rows: Vec<T> = rest.by_ref().take(limit.min(MAX_ROWS)).collect();
    let next = rows.last().map(number).filter(|_| rest.next().is_some());
    Listed { rows, next }
}

fn is_named(named: &Named, run: &RunRow) -> bool {
    let is_of = |datasets: &[String]| datasets.iter().any(|name| name == dataset_of(&run.partition));
    match named {
        Named::Partitions { texts, datasets } => {
            texts.contains(&run.partition) || (run.partitions > 1 && is_of(datasets))
        }
        Named::Datasets(datasets) => is_of(datasets),
        Named::Beginnings(beginnings) => beginnings.iter().any(|begin| run.partition.starts_with(begin)),
    }
}

impl History for MemoryLog {
    fn wants_that(
        &self,
        filter: &WantFilter,
        fit: &dyn Fn(&WantRow) -> bool,
    ) -> Result<Answer<Listed<WantRow>>, StoreError> {
        let wants = self.lists()?.wants.into_values();
        let of_source = |want: &WantRow| filter.source.as_ref().is_none_or(|source| want.source == *source);
        let asked_for = wants.filter(|want| {
            filter.state.is_none_or(|state| want.state == state) && of_source(want) && fit(want)
        });
        let (before, number) = (filter.before.map(|want| want.0), |want: &WantRow| want.id.0);
        self.answer(match filter.oldest_first {
            false => newest(asked_for, number, before, filter.limit),
            true => oldest(asked_for, number, before, filter.limit),
        })
    }

    fn want(&self, id: WantId) -> Result<Answer<Option<WantRow>>, StoreError> {
        self.answer(self.lists()?.wants.remove(&id))
    }

    fn archived_want(&self, _id: WantId) -> Result<Option<Filed<WantRow>>, StoreError> {
        Ok(None)
    }

    fn work_of_want(&self, want: WantId, _known: Option<WantWork>) -> Result<Answer<WantWork>, StoreError> {
        let (lists, records) = (self.lists()?, self.all()?);
        let mut work = WantWork {
            ended: lists.want_ends.get(&want).copied(),
            until: self.last(),
            ..WantWork::default()
        };
        let saying = lists.want_work.get(&want).map_or(&[][..], |saying| saying);
        if saying.first().is_some_and(|first| *first <= self.archived()) {
            return self.answer(WantWork::default());
        }
        for (seq, record) in records.into_iter().filter(|(seq, _)| saying.contains(seq)) {
            match record.event {
                Event::WantCreated(created) => work.said.push((seq, created.work)),
                Event::WantReplanned(replanned) => work.said.push((seq, replanned.work)),
                _ => {}
            }
        }
        self.answer(work)
    }

    fn runs(
        &self,
        filter: &RunFilter,
        fit: &dyn Fn(&str) -> bool,
    ) -> Result<Answer<Listed<RunRow>>, StoreError> {
        let asked_for = self.lists()?.runs.into_values().filter(|run| {
            filter.state.is_none_or(|state| run.state == state)
                && (filter.jobs.is_empty() || filter.jobs.contains(&run.job))
                && filter.of.as_ref().is_none_or(|named| is_named(named, run))
                && fit(&run.partition)
        });
        let (before, number) = (filter.before.map(|run| run.0), |run: &RunRow| run.id.0);
        self.answer(match filter.oldest_first {
            false => newest(asked_for, number, before, filter.limit),
            true => oldest(asked_for, number, before, filter.limit),
        })
    }

    fn run(&self, id: RunId) -> Result<Answer<Option<RunWithAttempts>>, StoreError> {
        let Lists { mut runs, attempts, .. } = self.lists()?;
        let attempts = attempts.into_values().filter(|attempt| attempt.id.run == id).take(MAX_ROWS).collect();
        self.answer(runs.remove(&id).map(|run| RunWithAttempts { run, attempts }))
    }

    fn run_with_checks(&self, id: RunId) -> Result<Answer<Option<RunWithChecks>>, StoreError> {
        let checks = self.lists()?.checks.into_iter().filter(|check| check.attempt.run == id);
        let checks = checks.take(MAX_ROWS).collect();
        self.answer(self.run(id)?.value.map(|run| (run, checks)))
    }

    fn archived_run(&self, _id: RunId) -> Result<Option<Filed<RunWithChecks>>, StoreError> {
        Ok(None)
    }

    fn attempt(&self, id: AttemptId) -> Result<Answer<Option<AttemptRow>>, StoreError> {
        self.answer(self.lists()?.attempts.remove(&id))
    }

    fn attempts_of(&self, runs: &[RunId]) -> Result<Answer<Vec<AttemptRow>>, StoreError> {
        let asked = self.lists()?.attempts.into_values().filter(|attempt| runs.contains(&attempt.id.run));
        self.answer(asked.take(MAX_ROWS).collect())
    }

    fn last_durations(&self, jobs: &[Vec<&str>], each: usize) -> Result<Answer<Durations>, StoreError> {
        let Lists { runs, attempts, .. } = self.lists()?;
        let mut found = Durations::new();
        for labels in jobs.iter().filter(|labels| !labels.is_empty()) {
            let runs = runs.values().rev().filter(|run| labels.contains(&run.job.as_str()));
            let took = runs.flat_map(|run| {
                let successes = attempts.values().filter(|attempt| {
                    attempt.id.run == run.id && attempt.outcome == Some(OutcomeKind::Success)
                });
                successes.filter_map(|attempt| Some((attempt.wall_ms? as f64, run.partitions.max(1))))
            });
            found.insert(labels[0].to_owned(), took.take(each.min(MAX_ROWS)).collect());
        }
        self.answer(found)
    }

    fn materializations(
        &self,
        partition: &str,
        limit: usize,
    ) -> Result<Answer<Vec<MaterializationRow>>, StoreError> {
        let rows = self.lists()?.materializations.into_values().filter(|row| row.partition == partition);
        self.answer(rows.rev().take(limit.min(MAX_ROWS)).collect())
    }

    fn materializations_of_run(&self, run: RunId) -> Result<Answer<Vec<MaterializationRow>>, StoreError> {
        let rows = self.lists()?.materializations.into_values().filter(|row| row.run == Some(run));
        self.answer(rows.take(MAX_ROWS).collect())
    }

    fn materialization_at(
        &self,
        texts: &[String],
        seq: Seq,
    ) -> Result<Answer<Option<MaterializationRow>>, StoreError> {
        let rows = self.lists()?.materializations.into_values();
        let held = rows.filter(|row| texts.contains(&row.partition) && row.seq <= seq);
        self.answer(held.max_by_key(|row| row.seq))
    }

    fn past_materializations(
        &self,
        texts: &[String],
        limit: usize,
    ) -> Result<Answer<Vec<PastMaterialization>>, StoreError> {
        let Lists { materializations, runs, attempts, .. } = self.lists()?;
        let past = |made: MaterializationRow| {
            let leases = attempts.values().filter(|attempt| Some(attempt.id.run) == made.run);
            let lease = leases.map(|attempt| attempt.lease_seq).filter(|seq| *seq < made.seq).max();
            let by = made.run.and_then(|run| runs.get(&run)).zip(lease).map(|(run, lease_seq)| MadeBy {
                job: run.job.clone(),
                graph: run.graph.clone(),
                params: run.params.clone(),
                lease_seq,
            });
            PastMaterialization { made, by }
        };
        let rows = materializations.into_values().filter(|row| texts.contains(&row.partition));
        let mut found: Vec<_> = rows.map(past).collect();
        found.sort_by_key(|past| Reverse(past.made.seq));
        found.truncate(limit);
        self.answer(found)
    }

    fn published_as(&self, version: &str) -> Result<Answer<Option<String>>, StoreError> {
        let rows = self.lists()?.materializations.into_values();
        let made = rows.filter(|row| row.version == version && row.run.is_some());
        self.answer(made.max_by_key(|row| row.seq).map(|row| row.partition))
    }

    fn graph(&self, id: &GraphId) -> Result<Answer<Option<GraphRow>>, StoreError> {
        self.graph_before(id, Seq(u64::MAX))
    }

    fn graph_before(&self, id: &GraphId, seq: Seq) -> Result<Answer<Option<GraphRow>>, StoreError> {
        let rows = self.lists()?.graphs.into_values();
        self.answer(rows.rev().find(|row| row.id == *id && row.seq < seq))
    }

    fn graph_beginning(&self, id: &str) -> Result<Answer<Option<GraphRow>>, StoreError> {
        let rows = self.lists()?.graphs.into_values();
        self.answer(rows.rev().find(|row| row.id.0.starts_with(id)))
    }

    fn graphs(&self, before: Option<Seq>, limit: usize) -> Result<Answer<Vec<GraphRow>>, StoreError> {
        let rows = self.lists()?.graphs.into_values().rev();
        let rows = rows.filter(|row| before.is_none_or(|before| row.seq < before));
        self.answer(rows.take(limit.min(MAX_ROWS)).collect())
    }

    fn content(&self, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.blob(digest)
    }

    fn missing(&self, digests: &[String]) -> Result<Vec<String>, StoreError> {
        Ok(digests.iter().filter(|digest| !self.blobs.contains_key(*digest)).cloned().collect())
    }

    fn counts(&self) -> Result<Answer<Counts>, StoreError> {
        let Lists { wants, runs, .. } = self.lists()?;
        let mut counts = Counts::default();
        for want in wants.values() {
            *counts.wants.entry(want.state).or_default() += 1;
        }
        for run in runs.into_values() {
            *counts.runs.entry((run.job, run.state)).or_default() += 1;
        }
        self.answer(counts)
    }

    fn taint(&self, seq: Seq) -> Result<Answer<Option<TaintRow>>, StoreError> {
        self.answer(self.lists()?.taints.remove(&seq))
    }

    fn events_within(
        &self,
        after: Option<Seq>,
        limit: usize,
        bytes: usize,
    ) -> Result<Answer<Events>, StoreError> {
        let archived = self.archived();
        let after = after.unwrap_or(archived);
        if after < archived {
            return Err(StoreError::Archived { log: PLACE.to_owned(), until: archived });
        }
        self.answer(Events { archived, records: self.read_within(after, limit.min(MAX_ROWS), bytes)? })
    }

    fn event(&self, seq: Seq) -> Result<Answer<Option<Record>>, StoreError> {
        let found = self.read(Seq(seq.0.saturating_sub(1)), 1)?.into_iter();
        self.answer(found.filter(|(found, _)| *found == seq).map(|(_, record)| record).next())
    }

    fn key_changes(&self, after: Seq) -> Result<Answer<Option<Vec<Event>>>, StoreError> {
        let changes = self.lists()?.key_changes;
        let later = self.all()?.into_iter().filter(|(seq, _)| *seq > after && changes.contains(seq));
        let events: Vec<Event> = later.map(|(_, record)| record.event).collect();
        self.answer(Some(events).filter(|events| events.len() <= MAX_ROWS))
    }

    fn checks(
        &self,
        filter: &CheckFilter,
        fits: &dyn Fn(&str) -> bool,
    ) -> Result<Answer<Listed<CheckRow>>, StoreError> {
        let checks = self.lists()?.checks;
        let newest_of = newest_findings(&checks);
        let asked_for = checks.iter().filter(|check| {
            let of = match &filter.of {
                CheckedSet::All => true,
                CheckedSet::Dataset(name) => dataset_of(&check.partition) == name,
                CheckedSet::Partitions(texts) => texts.contains(&check.partition),
            };
            of && newest_of.get(&(check.partition.as_str(), check.check.as_str())) == Some(&check.id)
                && !(filter.failed && check.outcome == CheckOutcome::Passed)
                && filter.outcome.is_none_or(|outcome| outcome == check.outcome)
                && filter.check.as_ref().is_none_or(|label| *label == check.check)
                && fits(&check.partition)
        });
        self.answer(newest(asked_for.cloned(), |check| check.id, filter.before, filter.limit))
    }

    fn check_counts(&self) -> Result<Answer<CheckCounts>, StoreError> {
        let checks = self.lists()?.checks;
        let newest_of = newest_findings(&checks);
        let mut counts = CheckCounts::new();
        for check in &checks {
            if newest_of.get(&(check.partition.as_str(), check.check.as_str())) == Some(&check.id) {
                let of = (check.check.clone(), dataset_of(&check.partition).to_owned());
                counts.entry(of).or_default().add(check.outcome, 1);
            }
        }
        self.answer(counts)
    }

    fn warnings(&self, held: &[Holding]) -> Result<Answer<Vec<u64>>, StoreError> {
        let Lists { materializations, checks, .. } = self.lists()?;
        let count = |holding: &Holding| {
            let rows = holding.texts.iter().filter_map(|text| {
                let row = materializations.get(&(text.clone(), holding.entry.seq))?;
                Some(row).filter(|row| holding.is(row.seq, &row.version))
            });
            let made: Option<(&str, RunId)> =
                rows.map(|row| Some((row.partition.as_str(), row.run?))).next().flatten();
            let bad = checks.iter().filter(|check| {
                check.outcome != CheckOutcome::Passed
                    && made == Some((check.partition.as_str(), check.attempt.run))
            });
            bad.count() as u64
        };
        self.answer(held.iter().map(count).collect())
    }
}

/// The newest finding of each check for each partition, by its number.
fn newest_findings(checks: &[CheckRow]) -> BTreeMap<(&str, &str), u64> {
    checks.iter().map(|check| ((check.partition.as_str(), check.check.as_str()), check.id)).collect()
}
