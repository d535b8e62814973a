//! What the loop measures of itself, for whoever watches the server from outside.
//!
//! Invariants:
//! - Counters only rise as long as the server lives. Labels are words of closed lists.
//! - What is measured of an event takes no time that grows with the history.

use databuild_core::event::{
    AttemptEnded, AttemptLeased, AttemptStarted, Event, OutcomeKind, Record, WantEnded, WantOutcome,
};
use databuild_core::ids::{AttemptId, WantId};
use databuild_core::state::State;
use databuild_core::word::Word as _;
use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::Arc;
use std::time::Duration;

/// Limits of buckets for what takes as long as a disk does, in seconds.
const DISK: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// For what takes as long as work does.
const WORK: [f64; 14] = [
    0.01,
    0.05,
    0.1,
    0.5,
    1.0,
    5.0,
    15.0,
    60.0,
    300.0,
    900.0,
    3600.0,
    4.0 * 3600.0,
    12.0 * 3600.0,
    48.0 * 3600.0,
];

/// A label with a word of a closed list.
type Labels = [(&'static str, &'static str); 1];
type Counts = Family<Labels, Counter>;
type Durations = Family<Labels, Histogram, fn() -> Histogram>;

/// What is measured. Clones share it.
#[derive(Debug, Clone)]
pub struct Metrics {
    commit_seconds: Histogram,
    append_failures: Counter,
    recovery_seconds: Gauge<f64, AtomicU64>,
    scheduling_lag_seconds: Histogram,
    attempts: Counts,
    attempt_seconds: Durations,
    want_seconds: Durations,
}

impl Default for Metrics {
    fn default() -> Metrics {
        let work: fn() -> Histogram = || Histogram::new(WORK);
        let metrics = Metrics {
            commit_seconds: Histogram::new(DISK),
            append_failures: Counter::default(),
            recovery_seconds: Gauge::default(),
            scheduling_lag_seconds: Histogram::new(WORK),
            attempts: Counts::default(),
            attempt_seconds: Durations::new_with_constructor(work),
            want_seconds: Durations::new_with_constructor(work),
        };
        // What has not happened is told as 0: who watches the rise of it needs a beginning.
        for outcome in OutcomeKind::ALL {
            let labels = [("outcome", outcome.word())];
            drop(metrics.attempts.get_or_create(&labels));
            drop(metrics.attempt_seconds.get_or_create(&labels));
        }
        for outcome in WantOutcome::ALL {
            drop(metrics.want_seconds.get_or_create(&[("outcome", outcome.word())]));
        }
        metrics
    }
}

impl Metrics {
    /// Tells all of it where `registry` is told.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "commit_seconds",
            "How long events of a turn of the loop took to be durable",
            self.commit_seconds.clone(),
        );
        registry.register(
            "append_failures",
            "Turns of the loop whose events could not be written to the log, since the server started",
            self.append_failures.clone(),
        );
        registry.register(
            "recovery_seconds",
            "How long the server took to read its log and take up what was under way when it started",
            self.recovery_seconds.clone(),
        );
        registry.register(
            "scheduling_lag_seconds",
            "From the decision that an attempt begins until its process started",
            self.scheduling_lag_seconds.clone(),
        );
        registry.register(
            "attempts_ended",
            "Attempts that ended since the server started, by outcome",
            self.attempts.clone(),
        );
        registry.register(
            "attempt_duration_seconds",
            "How long processes of attempts ran, by outcome of the attempt",
            self.attempt_seconds.clone(),
        );
        registry.register(
            "want_duration_seconds",
            "From the creation of a want to its end, by how it ended",
            self.want_seconds.clone(),
        );
    }

    pub(super) fn committed(&self, took: Duration) {
        self.commit_seconds.observe(took.as_secs_f64());
    }

    pub(super) fn not_appended(&self) {
        self.append_failures.inc();
    }

    pub(super) fn recovered(&self, took: Duration) {
        self.recovery_seconds.set(took.as_secs_f64());
    }
}

/// Measures what events say. It remembers when things that are not over began.
pub(super) struct Watch {
    pub(super) metrics: Arc<Metrics>,
    leased: HashMap<AttemptId, Timestamp>,
    created: HashMap<WantId, Timestamp>,
}

impl Watch {
    /// From a state on. Attempts that were leased before count in no lag, since the state does not say when that was.
    pub(super) fn new(metrics: Arc<Metrics>, state: &State) -> Watch {
        let created = state.wants().values().map(|want| (want.id, want.created_at)).collect();
        Watch { metrics, leased: HashMap::new(), created }
    }

    /// Events that are in the log now.
    pub(super) fn see(&mut self, records: &[Record]) {
        for record in records {
            match &record.event {
                Event::WantCreated(created) => {
                    self.created.insert(created.want, record.at);
                }
                Event::WantEnded(WantEnded { want, outcome, .. }) => {
                    if let Some(since) = self.created.remove(want) {
                        let labels = [("outcome", outcome.word())];
                        self.metrics.want_seconds.get_or_create(&labels).observe(seconds(since, record.at));
                    }
                }
                Event::AttemptLeased(AttemptLeased { attempt, .. }) => {
                    self.leased.insert(*attempt, record.at);
                }
                Event::AttemptStarted(AttemptStarted { attempt, .. }) => {
                    if let Some(since) = self.leased.remove(attempt) {
                        self.metrics.scheduling_lag_seconds.observe(seconds(since, record.at));
                    }
                }
                Event::AttemptEnded(ended) => self.attempt_ended(ended),
                _ => {}
            }
        }
    }

    fn attempt_ended(&mut self, ended: &AttemptEnded) {
        // It may have ended before it had a process.
        self.leased.remove(&ended.attempt);
        let labels = [("outcome", ended.outcome.kind().word())];
        self.metrics.attempts.get_or_create(&labels).inc();
        if ended.exit_code.is_some() || ended.wall_ms > 0 {
            let seconds = Duration::from_millis(ended.wall_ms).as_secs_f64();
            self.metrics.attempt_seconds.get_or_create(&labels).observe(seconds);
        }
    }
}

/// Seconds from one instant to another, by a clock that may have been set back meanwhile.
fn seconds(since: Timestamp, until: Timestamp) -> f64 {
    until.duration_since(since).as_secs_f64().max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use databuild_core::event::Origin;
    use jiff::ToSpan as _;

    /// What is told of these metrics.
    fn told(metrics: &Metrics) -> String {
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    }

    #[test]
    fn what_events_say_is_measured() {
        let metrics = Arc::new(Metrics::default());
        let mut watch = Watch::new(Arc::clone(&metrics), &State::default());
        assert!(told(&metrics).contains("attempts_ended_total{outcome=\"timeout\"} 0\n"));
        let example = |is: fn(&Event) -> bool| Event::examples().into_iter().find(is).unwrap();
        let mut events = [
            example(|event| matches!(event, Event::WantCreated(_))),
            example(|event| matches!(event, Event::AttemptLeased(_))),
            example(|event| matches!(event, Event::AttemptStarted(_))),
            example(|event| matches!(event, Event::AttemptEnded(_))),
            example(|event| matches!(event, Event::WantEnded(_))),
        ];
        if let Event::AttemptEnded(ended) = &mut events[3] {
            ended.wall_ms = 2_000;
        }
        // Each comes 3 s after the one before.
        let records = (0_i64..).zip(events).map(|(at, event)| Record {
            at: Timestamp::UNIX_EPOCH + (3 * at).seconds(),
            origin: Origin::default(),
            event,
        });
        watch.see(&records.collect::<Vec<_>>());
        let told = told(&metrics);
        for line in [
            "scheduling_lag_seconds_sum 3.0",
            "scheduling_lag_seconds_count 1",
            "attempts_ended_total{outcome=\"permanent_failure\"} 1",
            "attempt_duration_seconds_sum{outcome=\"permanent_failure\"} 2.0",
            "want_duration_seconds_sum{outcome=\"failed\"} 12.0",
            "want_duration_seconds_count{outcome=\"satisfied\"} 0",
        ] {
            assert!(told.lines().any(|known| known == line), "{line}: {told}");
        }
        assert!(watch.leased.is_empty() && watch.created.is_empty());
    }
}
