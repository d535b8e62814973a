//! How long a plan may take, from how long its jobs took the last times.

use crate::api::Estimate;
use crate::store::{Reader, StoreError};
use databuild_core::event::{PlanCreated, PlanRowKind};
use databuild_core::graph::Graph;
use std::collections::BTreeMap;

/// Attempts of a job whose median counts.
const ATTEMPTS: usize = 21;

/// The estimate for a plan at `slots` attempts at once: for each job the median of its last successful
/// attempts, by partition, times its partitions, spread over the slots. What waits for what is left out, but nothing is
/// faster than its longest run. Attempts under earlier labels of a job count as its own.
pub(super) fn of<'p>(
    plan: &'p PlanCreated,
    graph: Option<&'p Graph>,
    reader: &Reader,
    slots: usize,
) -> Result<Estimate, StoreError> {
    let mut runs: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for row in &plan.rows {
        match row.kind {
            PlanRowKind::Certain | PlanRowKind::UnderWay => runs.entry(&row.job).or_default().0 += row.count,
            PlanRowKind::IfChanged => runs.entry(&row.job).or_default().1 += row.count,
            PlanRowKind::Blocked => {}
        }
    }
    let labels = |label: &&'p str| -> Vec<&'p str> {
        let job = graph.and_then(|graph| Some(graph.job(graph.job_once_labeled(label)?)));
        let others = job.into_iter().flat_map(|job| job.labels()).filter(|other| other != label);
        std::iter::once(*label).chain(others).collect()
    };
    let jobs: Vec<Vec<&str>> = runs.keys().map(labels).collect();
    let history = reader.last_durations(&jobs, ATTEMPTS)?.value;
    Ok(estimate(&runs, &history, slots))
}

fn estimate(
    runs: &BTreeMap<&str, (u64, u64)>,
    history: &BTreeMap<String, Vec<f64>>,
    slots: usize,
) -> Estimate {
    let mut found = Estimate::default();
    let (mut low, mut high) = (Total::default(), Total::default());
    for (job, (certain, if_changed)) in runs {
        let Some(each) = history.get(*job).and_then(|durations| median(durations)) else {
            found.unknown_jobs.push((*job).to_owned());
            continue;
        };
        low.add(each, *certain);
        high.add(each, certain + if_changed);
    }
    (found.low_ms, found.high_ms) = (low.over(slots), high.over(slots));
    found
}

/// Time of runs, one after the other.
#[derive(Default)]
struct Total {
    all: f64,
    longest: f64,
}

impl Total {
    fn add(&mut self, each: f64, runs: u64) {
        if runs > 0 {
            self.all += each * runs as f64;
            self.longest = self.longest.max(each);
        }
    }

    fn over(&self, slots: usize) -> u64 {
        (self.all / slots.max(1) as f64).max(self.longest) as u64
    }
}

/// The middle one; none of none.
fn median(durations: &[f64]) -> Option<f64> {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_times_runs_over_slots() {
        let history = [("//:a".to_owned(), vec![100.0, 9_000.0, 200.0]), ("//:b".to_owned(), vec![1_000.0])];
        let history = BTreeMap::from(history);
        let of = |runs: &[(&'static str, (u64, u64))], slots| {
            let found = estimate(&runs.iter().copied().collect(), &history, slots);
            (found.low_ms, found.high_ms, found.unknown_jobs.len())
        };
        assert_eq!(of(&[("//:a", (10, 0))], 4), (500, 500, 0));
        assert_eq!(of(&[("//:a", (10, 0)), ("//:b", (0, 2))], 4), (500, 1_000, 0));
        assert_eq!(of(&[("//:a", (1, 0))], 8), (200, 200, 0), "not faster than one run");
        assert_eq!(of(&[("//:new", (5, 0))], 2), (0, 0, 1));
        assert_eq!(of(&[("//:a", (2, 0)), ("//:new", (5, 0))], 1), (400, 400, 1));
    }
}
