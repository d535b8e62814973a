//! How long a plan may take, from how long its jobs took the last times; and how that is said.

use crate::api::Estimate;
use crate::store::{Durations, History, StoreError};
use databuild_core::amounts::duration;
use databuild_core::decide::limits::{size, taken, Capacity};
use databuild_core::event::{PlanCreated, PlanRowKind};
use databuild_core::graph::{Graph, Resource};
use databuild_core::state::State;
use std::collections::BTreeMap;
use std::time::Duration;

/// Attempts of a job whose median counts.
const ATTEMPTS: usize = 21;

/// The estimate for a plan: for each job the time that its last successful attempts took, for the runs that its partitions make,
/// spread over what its runs share with others: places, memory, pools and limits. The scarcest of these decides; nothing is
/// faster than the longest run, or than the rate of a job allows. What waits for what is left out. Attempts under earlier
/// labels of a job count as its own.
pub fn of(
    plan: &PlanCreated,
    state: &State,
    capacity: Capacity,
    reader: &dyn History,
) -> Result<Estimate, StoreError> {
    let mut counts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for row in &plan.rows {
        match row.kind {
            PlanRowKind::Certain | PlanRowKind::UnderWay => {
                counts.entry(&row.job).or_default().0 += row.count
            }
            PlanRowKind::IfChanged => counts.entry(&row.job).or_default().1 += row.count,
            PlanRowKind::Blocked | PlanRowKind::LeftOut => {}
        }
    }
    let graph = state.followed().map(|registered| &registered.graph);
    of_jobs(counts, graph, state, capacity, reader)
}

/// The same for partitions by the labels of their jobs: those that are built for certain, and those that may be. The jobs are those of
/// `graph`.
pub fn of_jobs(
    counts: BTreeMap<&str, (u64, u64)>,
    graph: Option<&Graph>,
    state: &State,
    capacity: Capacity,
    reader: &dyn History,
) -> Result<Estimate, StoreError> {
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
        rate: job.policy.rate.map(|rate| (u64::from(rate.count), rate.period)),
    }
}

fn estimate(works: &[Work<'_>], history: &Durations, size: impl Fn(&Resource) -> Option<u64>) -> Estimate {
    let mut found = Estimate::default();
    let (mut low, mut high) = (Total::default(), Total::default());
    for work in works {
        let Some(pace) = history.get(work.labels[0]).and_then(|attempts| Pace::of(attempts)) else {
            found.unknown_jobs.push(work.labels[0].to_owned());
            continue;
        };
        low.add(work, |partitions| pace.least(partitions), work.certain);
        high.add(work, |partitions| pace.most(partitions), work.certain + work.if_changed);
    }
    (found.low_ms, found.high_ms) = (low.ms(&size), high.ms(&size));
    found
}

/// How long an attempt takes, by the number of its partitions.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Pace {
    /// So long, and so much longer for each partition: attempts of different sizes have shown it.
    Line { start: f64, each: f64 },
    /// All attempts had about that many partitions and took about so long. How much of that is the start is not known.
    Point { partitions: f64, ms: f64 },
}

impl Pace {
    fn of(attempts: &[(f64, u64)]) -> Option<Pace> {
        let sizes = || attempts.iter().map(|(_, partitions)| *partitions as f64);
        let middle_size = median(&sizes().collect::<Vec<_>>())?;
        let smallest = sizes().fold(f64::INFINITY, f64::min);
        let largest = sizes().fold(0.0, f64::max);
        if largest >= 2.0 * smallest {
            // Medians of the halves: one attempt that hung does not count.
            let border = (smallest + largest) / 2.0;
            let half = |large: bool| {
                let of = || attempts.iter().filter(|(_, size)| (*size as f64 >= border) == large);
                let ms = median(&of().map(|(ms, _)| *ms).collect::<Vec<_>>())?;
                Some((median(&of().map(|(_, size)| *size as f64).collect::<Vec<_>>())?, ms))
            };
            if let (Some((small, short)), Some((large, long))) = (half(false), half(true)) {
                let each = ((long - short) / (large - small)).max(0.0);
                return Some(Pace::Line { start: (short - each * small).max(0.0), each });
            }
        }
        let ms = median(&attempts.iter().map(|(ms, size)| ms / *size as f64).collect::<Vec<_>>())?;
        Some(Pace::Point { partitions: middle_size, ms: ms * middle_size })
    }

    /// What an attempt takes at least.
    fn least(self, count: u64) -> f64 {
        match self {
            Pace::Line { .. } => self.most(count),
            // If most of it is the start, a larger attempt takes no longer.
            Pace::Point { partitions, ms } => ms * (count as f64 / partitions).min(1.0),
        }
    }

    /// What an attempt takes at most.
    fn most(self, count: u64) -> f64 {
        match self {
            Pace::Line { start, each } => start + each * count as f64,
            Pace::Point { partitions, ms } => ms * count as f64 / partitions,
        }
    }
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
    /// `run` is how long one run takes that makes so many partitions.
    fn add(&mut self, work: &'p Work<'_>, run: impl Fn(u64) -> f64, partitions: u64) {
        if partitions == 0 {
            return;
        }
        let rest = partitions % work.batch;
        let mut all = (partitions / work.batch) as f64 * run(work.batch);
        if rest > 0 {
            all += run(rest);
        }
        for (resource, amount) in &work.takes {
            *self.taken.entry(resource).or_default() += all * *amount as f64;
        }
        let pauses = work.rate.map_or(0.0, |(count, period)| {
            let starts = partitions.div_ceil(work.batch);
            (starts.saturating_sub(1) / count.max(1)) as f64 * period.as_secs_f64() * 1000.0
        });
        self.least = self.least.max(pauses + run(partitions.min(work.batch)));
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

/// How long a plan takes, for people.
#[must_use]
pub fn takes(estimate: &Estimate) -> String {
    let Estimate { low_ms, high_ms, unknown_jobs } = estimate;
    let known = match (*low_ms, *high_ms) {
        (0, 0) if !unknown_jobs.is_empty() => {
            return "no estimate yet: these jobs have never run".to_owned();
        }
        (low, high) => match (duration(low), duration(high)) {
            (least, most) if least == most => format!("takes about {least}"),
            (least, most) => format!("takes about {least} to {most}"),
        },
    };
    match unknown_jobs.as_slice() {
        [] => known,
        [job] => format!("{known}, plus {job}, which has never run"),
        jobs => format!("{known}, plus {} jobs that have never run", jobs.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_says_what_it_knows() {
        let text = |low_ms, high_ms, unknown: &[&str]| {
            let unknown_jobs = unknown.iter().map(|job| (*job).to_owned()).collect();
            takes(&Estimate { low_ms, high_ms, unknown_jobs })
        };
        assert_eq!(text(2_000, 2_000, &[]), "takes about 2.0 s");
        assert_eq!(text(2_001, 2_004, &[]), "takes about 2.0 s");
        assert_eq!(text(500, 61_000, &[]), "takes about 500 ms to 1m 01s");
        assert_eq!(text(0, 0, &["//:a"]), "no estimate yet: these jobs have never run");
        assert_eq!(text(500, 500, &["//:a"]), "takes about 500 ms, plus //:a, which has never run");
        assert_eq!(text(500, 500, &["//:a", "//:b"]), "takes about 500 ms, plus 2 jobs that have never run");
    }

    fn work(label: &'static str, certain: u64, if_changed: u64) -> Work<'static> {
        let takes = vec![(Resource::Places, 1)];
        Work { labels: vec![label], certain, if_changed, batch: 1, takes, rate: None }
    }

    fn pool() -> Resource {
        Resource::Pool("//:db".to_owned())
    }

    /// Low, high and how many jobs never ran, at so many places and with a pool of 4.
    fn of(works: &[Work<'_>], places: u64) -> (u64, u64, usize) {
        let history = [
            ("//:a".to_owned(), vec![(100.0, 1), (9_000.0, 1), (200.0, 1)]),
            ("//:b".to_owned(), vec![(1_000.0, 1)]),
        ];
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
        // Of runs of one partition nobody knows how much is their start.
        assert_eq!(of(&[Work { batch: 5, ..work("//:a", 10, 0) }], 16), (200, 1_000, 0), "a run makes five");
        assert_eq!(
            of(&[Work { batch: 50, ..work("//:a", 10, 0) }], 16),
            (200, 2_000, 0),
            "one run makes all"
        );
        assert_eq!(of(&[Work { batch: 5, ..work("//:a", 1_000, 0) }], 4), (10_000, 50_000, 0));
        let rate = Some((2, Duration::from_secs(60)));
        assert_eq!(of(&[Work { rate, ..work("//:a", 2, 0) }], 16), (200, 200, 0));
        assert_eq!(of(&[Work { rate, ..work("//:a", 5, 0) }], 16), (120_200, 120_200, 0));
        assert_eq!(of(&[Work { rate, batch: 5, ..work("//:a", 5, 0) }], 16), (200, 1_000, 0), "one start");
    }

    #[test]
    fn attempts_of_several_sizes_tell_what_their_start_takes() {
        let single = Pace::of(&[(350.0, 1), (370.0, 1), (9_000.0, 1)]).unwrap();
        assert_eq!((single.least(30), single.most(30)), (370.0, 11_100.0));
        assert_eq!((single.least(1), single.most(1)), (370.0, 370.0));
        let both = Pace::of(&[(360.0, 1), (360.0, 1), (650.0, 30), (650.0, 30)]).unwrap();
        assert_eq!(both, Pace::Line { start: 350.0, each: 10.0 });
        assert_eq!((both.least(10), both.most(10)), (450.0, 450.0));
        // What was made in batches is known for them, and for smaller ones at most.
        let batches = Pace::of(&[(600.0, 30), (620.0, 31)]).unwrap();
        assert_eq!((batches.least(30), batches.most(30)), (600.0, 600.0));
        assert_eq!(Pace::of(&[]), None);
        let faster = Pace::of(&[(500.0, 1), (400.0, 10)]).unwrap();
        assert_eq!(faster, Pace::Line { start: 500.0, each: 0.0 });
    }
}
