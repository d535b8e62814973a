//! What jobs are told of traces.

use super::*;
use databuild_core::ids::{RunId, WantId};

#[test]
fn jobs_are_told_of_which_trace_they_are_a_part_if_somebody_collects_traces() {
    let mut bench = Bench::new(file());
    bench.write("A");
    let created_at = bench.now;
    assert_eq!(bench.build("top"), [SUCCESS, SUCCESS]);
    let trace = Trace::of(WantId(1), created_at);
    let attempts = [1, 2].map(|run| AttemptId { run: RunId(run), number: 1 });
    assert_eq!(bench.parents, attempts.map(|attempt| EnvValue::from(trace.parent(attempt))));
    bench.starter.traced = false;
    bench.write("B");
    assert_eq!(bench.build("top"), [SUCCESS, SUCCESS]);
    assert_eq!(bench.parents.len(), 2);
}
