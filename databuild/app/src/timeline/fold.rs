//! Many runs, folded by job into equal parts of the time.

use super::axis::Axis;
use crate::api::{TimelineBin, TimelineFold};
use crate::store::{AttemptRow, RunRow};
use databuild_core::event::OutcomeKind;
use databuild_core::ids::RunId;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Jobs with a row of their own.
const JOBS: usize = 12;
/// Parts of the time.
const BINS: usize = 48;

/// Rows of the jobs that have the most runs, most first, and one for all others.
pub(super) fn by_job(
    rows: &[RunRow],
    attempts: &BTreeMap<RunId, Vec<AttemptRow>>,
    axis: &Axis,
    now: Timestamp,
) -> Vec<TimelineFold> {
    let mut jobs: BTreeMap<&str, Vec<&RunRow>> = BTreeMap::new();
    for run in rows {
        jobs.entry(&run.job).or_default().push(run);
    }
    let mut jobs: Vec<(&str, Vec<&RunRow>)> = jobs.into_iter().collect();
    jobs.sort_by_key(|(_, runs)| std::cmp::Reverse(runs.len()));
    let others: Vec<&RunRow> = jobs.drain(JOBS.min(jobs.len())..).flat_map(|(_, runs)| runs).collect();
    if !others.is_empty() {
        jobs.push(("", others));
    }
    let fold = |(job, runs): (&str, Vec<&RunRow>)| TimelineFold {
        job: job.to_owned(),
        runs: runs.len() as u64,
        bins: bins(runs.iter().filter_map(|run| attempts.get(&run.id)).flatten(), axis, now),
    };
    jobs.into_iter().map(fold).collect()
}

fn bins<'a>(attempts: impl Iterator<Item = &'a AttemptRow>, axis: &Axis, now: Timestamp) -> Vec<TimelineBin> {
    let length = axis.length().max(1);
    let edge = |bin: usize| length * bin as i64 / BINS as i64;
    let bin_of = |offset: i64| {
        let bin = offset.clamp(0, length - 1) as i128 * BINS as i128 / i128::from(length);
        usize::try_from(bin).unwrap_or(0).min(BINS - 1)
    };
    let mut runs: Vec<BTreeSet<RunId>> = vec![BTreeSet::new(); BINS];
    let mut bins: Vec<TimelineBin> = (0..BINS)
        .map(|bin| TimelineBin {
            from: axis.at(edge(bin)).to_string(),
            until: axis.at(edge(bin + 1)).to_string(),
            ..TimelineBin::default()
        })
        .collect();
    for attempt in attempts {
        let ended = attempt.ended_at.unwrap_or(now);
        let started = attempt.started_at.unwrap_or(ended);
        let (from, begun, to) = (axis.offset(attempt.leased_at), axis.offset(started), axis.offset(ended));
        for bin in bin_of(from)..=bin_of(to.max(from)) {
            let share =
                |from: i64, to: i64| u64::try_from(to.min(edge(bin + 1)) - from.max(edge(bin))).unwrap_or(0);
            runs[bin].insert(attempt.id.run);
            bins[bin].dispatch_ms += share(from, begun);
            bins[bin].running_ms += share(begun, to);
        }
        let is_bad = attempt.outcome.is_some_and(|outcome| {
            !matches!(outcome, OutcomeKind::Success | OutcomeKind::Canceled | OutcomeKind::MissingInput)
        });
        bins[bin_of(to)].failed += u64::from(is_bad);
    }
    for (bin, runs) in bins.iter_mut().zip(runs) {
        bin.runs = runs.len() as u64;
    }
    bins
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{AttemptState, RunState};
    use databuild_core::ids::{AttemptId, GraphId, Seq};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn attempt(run: u64, [leased, started, ended]: [i64; 3], outcome: OutcomeKind) -> AttemptRow {
        AttemptRow {
            id: AttemptId { run: RunId(run), number: 1 },
            state: AttemptState::Ended,
            outcome: Some(outcome),
            pid: None,
            leased_at: at(leased),
            started_at: Some(at(started)),
            ended_at: Some(at(ended)),
            exit_code: None,
            wall_ms: None,
            cpu_ms: None,
            max_rss_kb: None,
            message: String::new(),
            inputs: 0,
            lease_seq: Seq(1),
            returned: Vec::new(),
        }
    }

    fn run(id: u64, job: &str) -> RunRow {
        RunRow {
            id: RunId(id),
            job: job.to_owned(),
            partition: "x".to_owned(),
            partitions: 1,
            graph: GraphId("g".to_owned()),
            state: RunState::Completed,
            attempts: 1,
            created_at: at(0),
            ended_at: None,
            message: String::new(),
            params: Default::default(),
            trial: None,
        }
    }

    #[test]
    fn all_time_is_in_some_part_and_each_run_in_all_that_it_touches() {
        let all = [
            attempt(1, [0, 10, 4_800], OutcomeKind::Success),
            attempt(2, [100, 150, 200], OutcomeKind::Failure),
        ];
        let axis =
            Axis::of(all.iter().map(|row| (row.leased_at, row.ended_at.unwrap())).collect(), None, None);
        let found = bins(all.iter(), &axis, at(5_000));
        let sum = |of: fn(&TimelineBin) -> u64| found.iter().map(of).sum::<u64>();
        assert_eq!(
            (found.len(), sum(|bin| bin.dispatch_ms), sum(|bin| bin.running_ms)),
            (BINS, 60_000, 4_840_000)
        );
        assert!(
            found.iter().all(|bin| bin.runs >= 1) && found[1].runs == 2 && found[2].failed == 1,
            "{found:?}"
        );
    }

    #[test]
    fn jobs_with_few_runs_are_one_row() {
        let rows: Vec<RunRow> = (0..200).map(|id| run(id, &format!("//:j{}", id % 20))).collect();
        let found = by_job(&rows, &BTreeMap::new(), &Axis::of(Vec::new(), None, None), at(0));
        assert_eq!((found.len(), found[12].job.as_str(), found[12].runs), (13, "", 80));
        let marks: usize = found.iter().map(|fold| fold.bins.len() * 3).sum();
        assert!(marks <= 2_000, "{marks}");
    }
}
