//! Counts of requests, and how long they took.
//!
//! Invariant: labels come from closed lists, since whoever asks chooses the path.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Limits of buckets, in seconds.
const BUCKETS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];
type Route = [(&'static str, String); 2];
type Outcome = [(&'static str, String); 3];

/// Counts of requests. Clones share them.
#[derive(Debug, Clone)]
pub struct Requests {
    count: Family<Outcome, Counter>,
    seconds: Family<Route, Histogram, fn() -> Histogram>,
}

impl Default for Requests {
    fn default() -> Requests {
        let histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
        Requests { count: Family::default(), seconds: Family::new_with_constructor(histogram) }
    }
}

impl Requests {
    /// Tells all of it where `registry` is told.
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "http_requests",
            "Requests since the server started, by method, route and status",
            self.count.clone(),
        );
        registry.register(
            "http_request_duration_seconds",
            "From a request to the head of its answer, by method and route",
            self.seconds.clone(),
        );
    }

    /// Counts a request.
    pub(super) fn note(&self, method: &'static str, route: &str, status: u16, seconds: f64) {
        let [method, route] = [("method", method.to_owned()), ("route", route.to_owned())];
        self.seconds.get_or_create(&[method.clone(), route.clone()]).observe(seconds);
        self.count.get_or_create(&[method, route, ("status", status.to_string())]).inc();
    }
}
