//! How long a plan may take, from how long its jobs took the last times.

use crate::api::Estimate;
use crate::store::{Reader, StoreError};
use databuild_core::decide::limits::{size, taken, Capacity};
use databuild_core::event::{PlanCreated, PlanRowKind};
use databuild_core::graph::{Graph, Resource};
use databuild_core::state::State;
use std::collections::BTreeMap;
use std::time::Duration;

/// Attempts of a job whose median counts.
const ATTEMPTS: usize = 21;

/// The estimate for a plan: for each job the median of its last successful attempts, by partition, times its partitions,
/// spread over what its runs share with others: places, memory, pools and limits. The scarcest of these decides; nothing is
/// faster than the longest run, or than the rate of a job allows. What waits for what is left out. Attempts under earlier
/// labels of a job count as its own.
pub(super) fn of(
    plan: &PlanCreated,
    state: &State,
    capacity: Capacity,
    reader: &Reader,
) -> Result<Estimate, StoreError> {
    let mut counts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for row in &plan.rows {
        match row.kind {
            PlanRowKind::Certain | PlanRowKind::UnderWay => {
                counts.entry(&row.job).or_default().0 += row.count
            }
            PlanRowKind::IfChanged => counts.entry(&row.job).or_default().1 += row.count,
            PlanRowKind::Blocked => {}
        }
    }
    let graph = state.graph.as_ref().map(|registered| &registered.graph);
    let works: Vec<Work> = counts
        .into_iter()
        .map(|(label, (certain, if_changed))| work(label, certain, if_changed, graph, capacity))
        .collect();
    let labels: Vec<Vec<&str>> = works.iter().map(|work| work.labels.clone()).collect();
    let history = reader.last_durations(&labels, ATTEMPTS)?.value;
    Ok(estimate(&works, &history, |resource| size(state, capacity, resource)))
}

/// What a plan has to do of one job.
struct Work<'p> {
    /// That of now first.
    labels: Vec<&'p str>,
    /// Partitions.
    certain: u64,
    /// Partitions.
    if_changed: u64,
    /// Partitions that one run makes, at most.
    batch: u64,
    /// What each run takes.
    takes: Vec<(Resource, u64)>,
    /// So many starts in each such time.
    rate: Option<(u64, Duration)>,
}

fn work<'p>(
    label: &'p str,
    certain: u64,
    if_changed: u64,
    graph: Option<&'p Graph>,
    capacity: Capacity,
) -> Work<'p> {
    let job = graph.and_then(|graph| Some(graph.job(graph.job_once_labeled(label)?)));
    let others = job.into_iter().flat_map(|job| job.labels()).filter(|other| *other != label);
    let labels = std::iter::once(label).chain(others).collect();
    let Some(job) = job else {
        let takes = vec![(Resource::Places, 1)];
        return Work { labels, certain, if_changed, batch: 1, takes, rate: None };
    };
    let takes =
        job.takes.iter().map(|(resource, amount)| (resource.clone(), taken(capacity, resource, *amount)));
    Work {
        labels,
        certain,
        if_changed,
        batch: job.batch.map_or(1, |batch| u64::from(batch.max)),
        takes: takes.collect(),
        rate: job.rate.map(|rate| (u64::from(rate.count), rate.period)),
    }
}

fn estimate(
    works: &[Work<'_>],
    history: &BTreeMap<String, Vec<f64>>,
    size: impl Fn(&Resource) -> Option<u64>,
) -> Estimate {
    let mut found = Estimate::default();
    let (mut low, mut high) = (Total::default(), Total::default());
    for work in works {
        let Some(each) = history.get(work.labels[0]).and_then(|durations| median(durations)) else {
            found.unknown_jobs.push(work.labels[0].to_owned());
            continue;
        };
        low.add(work, each, work.certain);
        high.add(work, each, work.certain + work.if_changed);
    }
    (found.low_ms, found.high_ms) = (low.ms(&size), high.ms(&size));
    found
}

/// Time of runs.
#[derive(Default)]
struct Total<'p> {
    /// Milliseconds for which something is taken, times how much of it.
    taken: BTreeMap<&'p Resource, f64>,
    /// Milliseconds below which it cannot be.
    least: f64,
}

impl<'p> Total<'p> {
    fn add(&mut self, work: &'p Work<'_>, each: f64, partitions: u64) {
        if partitions == 0 {
            return;
        }
        for (resource, amount) in &work.takes {
            *self.taken.entry(resource).or_default() += each * partitions as f64 * *amount as f64;
        }
        let run = each * partitions.min(work.batch) as f64;
        let pauses = work.rate.map_or(0.0, |(count, period)| {
            let starts = partitions.div_ceil(work.batch);
            (starts.saturating_sub(1) / count.max(1)) as f64 * period.as_secs_f64() * 1000.0
        });
        self.least = self.least.max(pauses + run);
    }

    fn ms(&self, size: impl Fn(&Resource) -> Option<u64>) -> u64 {
        let spread = self.taken.iter().filter_map(|(resource, taken)| {
            // What has no size now is waited for as long as it takes somebody to change that.
            Some(taken / size(resource)?.max(1) as f64)
        });
        spread.fold(self.least, f64::max) as u64
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

    fn work(label: &'static str, certain: u64, if_changed: u64) -> Work<'static> {
        let takes = vec![(Resource::Places, 1)];
        Work { labels: vec![label], certain, if_changed, batch: 1, takes, rate: None }
    }

    fn pool() -> Resource {
        Resource::Pool("//:db".to_owned())
    }

    /// Low, high and how many jobs never ran, at so many places and with a pool of 4.
    fn of(works: &[Work<'_>], places: u64) -> (u64, u64, usize) {
        let history = [("//:a".to_owned(), vec![100.0, 9_000.0, 200.0]), ("//:b".to_owned(), vec![1_000.0])];
        let found = estimate(works, &BTreeMap::from(history), |resource| match resource {
            Resource::Places => Some(places),
            Resource::Pool(_) => Some(4),
            _ => None,
        });
        (found.low_ms, found.high_ms, found.unknown_jobs.len())
    }

    #[test]
    fn medians_times_partitions_over_places() {
        assert_eq!(of(&[work("//:a", 10, 0)], 4), (500, 500, 0));
        assert_eq!(of(&[work("//:a", 10, 0), work("//:b", 0, 2)], 4), (500, 1_000, 0));
        assert_eq!(of(&[work("//:a", 1, 0)], 8), (200, 200, 0), "not faster than one run");
        assert_eq!(of(&[work("//:new", 5, 0)], 2), (0, 0, 1));
        assert_eq!(of(&[work("//:a", 2, 0), work("//:new", 5, 0)], 1), (400, 400, 1));
    }

    #[test]
    fn what_is_scarcest_decides() {
        let with = |resource: Resource, amount: u64, work: Work<'static>| {
            let takes = vec![(Resource::Places, 1), (resource, amount)];
            Work { takes, ..work }
        };
        let two = || with(pool(), 2, work("//:a", 10, 0));
        assert_eq!(of(&[two()], 16), (1_000, 1_000, 0), "two at a time");
        assert_eq!(of(&[two()], 1), (2_000, 2_000, 0), "there is but one place");
        assert_eq!(
            of(&[two(), with(pool(), 4, work("//:b", 3, 0))], 16),
            (4_000, 4_000, 0),
            "both take of it"
        );
        assert_eq!(
            of(&[with(Resource::Memory, 9, work("//:a", 10, 0))], 10),
            (200, 200, 0),
            "without a size"
        );
    }

    #[test]
    fn batches_and_rates_have_a_least_time() {
        assert_eq!(
            of(&[Work { batch: 5, ..work("//:a", 10, 0) }], 16),
            (1_000, 1_000, 0),
            "a run makes five"
        );
        assert_eq!(
            of(&[Work { batch: 50, ..work("//:a", 10, 0) }], 16),
            (2_000, 2_000, 0),
            "one run makes all"
        );
        let rate = Some((2, Duration::from_secs(60)));
        assert_eq!(of(&[Work { rate, ..work("//:a", 2, 0) }], 16), (200, 200, 0));
        assert_eq!(of(&[Work { rate, ..work("//:a", 5, 0) }], 16), (120_200, 120_200, 0));
        assert_eq!(of(&[Work { rate, batch: 5, ..work("//:a", 5, 0) }], 16), (1_000, 1_000, 0), "one start");
    }
}
