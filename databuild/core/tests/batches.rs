//! Runs that make several partitions.

mod support;

use databuild_core::decide::Input;
use databuild_core::event::{Event, Refresh, WantOutcome};
use databuild_core::state::{State, Verdict};
use support::graphs::{days, listed, reads, GraphSpec};
use support::workspace::Workspace;

/// `clean` is made from `raw`, `week` from three days of `clean`; of ten days and two cities. Runs of
/// `make_clean` make up to `max` days.
fn graph(max: u32) -> GraphSpec {
    let dims = [listed("city", &["oslo", "rome"]), days("date", "2010-01-01", "2010-01-10")];
    GraphSpec::new()
        .external("raw", &[])
        .job("make_clean", &["clean"], &dims, vec![reads("raw")])
        .batch("date", max)
        .job("make_week", &["week"], &dims, vec![reads("clean").window("date", 3).clip()])
}

fn workspace(graph: &GraphSpec, slots: usize) -> Workspace {
    let mut workspace = Workspace::new(graph, slots);
    workspace.observe("raw", "r1");
    workspace
}

fn leases(workspace: &Workspace) -> Vec<String> {
    let lease = |event: &Event| match event {
        Event::AttemptLeased(lease) => Some(lease.partition.clone()),
        _ => None,
    };
    workspace.log.iter().filter_map(|record| lease(&record.event)).collect()
}

#[test]
fn ready_partitions_that_differ_in_one_dimension_share_a_run() {
    let mut workspace = workspace(&graph(4), 100);
    let want = workspace.want(&["clean/date=2010-01-01..2010-01-05+2010-01-07"], Refresh::Stale);
    assert_eq!(
        workspace.running(),
        [
            "clean/city=oslo/date=2010-01-01..2010-01-04",
            "clean/city=oslo/date=2010-01-05+2010-01-07",
            "clean/city=rome/date=2010-01-01..2010-01-04",
            "clean/city=rome/date=2010-01-05+2010-01-07",
        ]
    );
    assert_eq!(workspace.finish_all("v1").len(), 4);
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
    let again = workspace.want(&["clean/date=2010-01-01..2010-01-05"], Refresh::Stale);
    assert_eq!(workspace.outcome(again), Some(WantOutcome::Satisfied), "each partition has its own inputs");
}

#[test]
fn a_batch_may_go_along_any_dimension() {
    let mut workspace = workspace(&graph(4).change("make_clean", |job| job.batch = None), 100);
    workspace.register(&graph(4).change("make_clean", |job| {
        if let Some(batch) = &mut job.batch {
            batch.dim = "city".to_owned();
        }
    }));
    workspace.want(&["clean/date=2010-01-01..2010-01-02"], Refresh::Stale);
    let runs = ["clean/city=oslo+rome/date=2010-01-01", "clean/city=oslo+rome/date=2010-01-02"];
    assert_eq!(workspace.running(), runs);
}

#[test]
fn no_more_runs_are_leased_than_there_are_places() {
    let mut workspace = workspace(&graph(3), 2);
    workspace.want(&["clean"], Refresh::Stale);
    assert_eq!(workspace.running().len(), 2);
    workspace.finish("clean/city=oslo/date=2010-01-01..2010-01-03", "v1");
    assert_eq!(workspace.running().len(), 2);
    assert_eq!(workspace.finish_all("v1").len(), 7, "ten days of two cities in runs of three");
}

#[test]
fn only_what_is_to_be_built_is_in_a_batch() {
    let mut workspace = workspace(&graph(10), 100);
    workspace.want(&["clean/city=oslo/date=2010-01-02..2010-01-03"], Refresh::Stale);
    workspace.finish_all("v1");
    workspace.want(&["clean/city=oslo"], Refresh::Stale);
    assert_eq!(workspace.running(), ["clean/city=oslo/date=2010-01-01+2010-01-04..2010-01-10"]);
}

#[test]
fn a_batch_that_can_grow_waits_while_its_want_has_other_work() {
    // Here the days of `clean` are made one by one and those of `week` together.
    let dims = [days("date", "2010-01-01", "2010-01-06")];
    let graph = GraphSpec::new()
        .external("raw", &[])
        .job("make_clean", &["clean"], &dims, vec![reads("raw")])
        .job("make_week", &["week"], &dims, vec![reads("clean")])
        .batch("date", 4);
    let mut workspace = workspace(&graph, 1);
    workspace.want(&["week"], Refresh::Stale);
    workspace.finish_all("v1");
    let weeks: Vec<_> = leases(&workspace).into_iter().filter(|text| text.starts_with("week")).collect();
    assert_eq!(weeks, ["week/date=2010-01-01..2010-01-04", "week/date=2010-01-05..2010-01-06"]);
}

#[test]
fn a_partition_that_waits_upstream_is_in_no_batch() {
    let dims = [days("date", "2010-01-01", "2010-01-06")];
    let graph = GraphSpec::new()
        .external("raw", &[])
        .job("make_clean", &["clean"], &dims, vec![reads("raw")])
        .job("make_week", &["week"], &dims, vec![reads("clean")])
        .batch("date", 4);
    let mut workspace = workspace(&graph, 100);
    workspace.want(&["week"], Refresh::Stale);
    workspace.finish("clean/date=2010-01-02", "v1");
    assert!(workspace.running().contains(&"week/date=2010-01-02"), "there is nothing else to do");
}

#[test]
fn each_partition_of_a_batch_is_compared_by_itself() {
    let dims = [days("date", "2010-01-01", "2010-01-03")];
    let graph = GraphSpec::new()
        .external("raw", &dims)
        .job("make_clean", &["clean"], &dims, vec![reads("raw")])
        .batch("date", 10);
    let mut workspace = Workspace::new(&graph, 4);
    workspace.core.state.advance(workspace.now);
    for day in 1..=3 {
        workspace.observe(&format!("raw/date=2010-01-0{day}"), "r1");
    }
    workspace.want(&["clean"], Refresh::Stale);
    workspace.finish_all("v1");
    workspace.observe("raw/date=2010-01-02", "r2");
    let state = &mut workspace.core.state;
    let (ix, all) = state.resolve("clean").unwrap();
    let job = state.graph().dataset(ix).producer.unwrap();
    state.settle(job, &all);
    let outdated: Vec<_> =
        state.outdated(job, &all).iter().map(|(why, set)| (*why, state.set_text(ix, set))).collect();
    assert_eq!(outdated, [(Verdict::InputsChanged, vec!["clean/date=2010-01-02".to_owned()])]);
}

#[test]
fn a_want_joins_those_partitions_of_a_batch_that_it_asks_for() {
    let mut workspace = workspace(&graph(10), 4);
    let first = workspace.want(&["clean/city=oslo/date=2010-01-01..2010-01-04"], Refresh::Stale);
    let joined = workspace.want(&["clean/city=oslo/date=2010-01-03..2010-01-06"], Refresh::Stale);
    let runs = ["clean/city=oslo/date=2010-01-01..2010-01-04", "clean/city=oslo/date=2010-01-05..2010-01-06"];
    assert_eq!(workspace.running(), runs);
    workspace.step(Input::CancelWant(first)).reply.unwrap();
    assert!(
        workspace.core.state.runs.values().all(|run| !run.cancel_requested),
        "somebody wants two of its four partitions"
    );
    workspace.finish_all("v1");
    assert_eq!(workspace.outcome(joined), Some(WantOutcome::Satisfied));
}

#[test]
fn a_forced_partition_is_queued_behind_the_batch_that_makes_it() {
    let mut workspace = workspace(&graph(10), 4);
    let first = workspace.want(&["clean/city=oslo/date=2010-01-01..2010-01-04"], Refresh::Stale);
    let forced = workspace.want(&["clean/city=oslo/date=2010-01-02"], Refresh::All);
    assert_eq!(workspace.running().len(), 1);
    workspace.finish("clean/city=oslo/date=2010-01-01..2010-01-04", "v1");
    assert_eq!(workspace.outcome(first), None, "one of its partitions has a successor");
    assert_eq!(workspace.running(), ["clean/city=oslo/date=2010-01-02"]);
    workspace.finish_all("v1");
    for want in [first, forced] {
        assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
    }
}

#[test]
fn a_lease_is_one_event_and_replay_gives_the_same_run() {
    let mut workspace = workspace(&graph(10), 1);
    workspace.want(&["clean/city=oslo"], Refresh::Stale);
    let mut replayed = State::default();
    for record in &workspace.log {
        replayed.apply(record).unwrap();
    }
    assert_eq!(leases(&workspace).len(), 1);
    let run = |state: &State| state.runs.values().next().map(|run| (run.set.clone(), run.inputs.clone()));
    assert_eq!(run(&replayed), run(&workspace.core.state));
    assert_eq!(run(&replayed).map(|(set, inputs)| (set.len(), inputs.len())), Some((10, 10)));
}
