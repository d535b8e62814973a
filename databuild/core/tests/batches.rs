//! Runs that make several partitions.

mod support;

use databuild_core::decide::Input;
use databuild_core::event::{AttemptOutcome, Event, Refresh, WantOutcome};
use databuild_core::reference::dataset_of;
use databuild_core::state::{Making, Named, State, Verdict};
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
        workspace.core.state.runs().values().all(|run| !run.cancel_requested),
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
    let run = |state: &State| state.runs().values().next().map(|run| (run.set.clone(), run.inputs.clone()));
    assert_eq!(run(&replayed), run(&workspace.core.state));
    assert_eq!(run(&replayed).map(|(set, inputs)| (set.len(), inputs.len())), Some((10, 10)));
}

/// Four days in one run, of which some fail; `report` needs all of them, `copy` each by itself.
fn four_days(retries: u32, files: bool) -> Workspace {
    let dims = [days("date", "2010-01-01", "2010-01-04")];
    let graph = GraphSpec::new()
        .external("raw", &[])
        .job("make_day", &["day"], &dims, vec![reads("raw")])
        .batch("date", 9)
        .change("make_day", |job| job.policy.retries = retries)
        .job("make_copy", &["copy"], &dims, vec![reads("day")])
        .job("make_report", &["report"], &[], vec![reads("day").all("date")]);
    let graph = if files { graph.files() } else { graph };
    let mut workspace = Workspace::new(&graph, 10);
    workspace.observe("raw", "r1");
    workspace
}

const ALL: &str = "day/date=2010-01-01..2010-01-04";
const FIRST_TWO: [&str; 2] = ["day/date=2010-01-01", "day/date=2010-01-02"];
const FAILURE: AttemptOutcome = AttemptOutcome::Failure { permanent: false };

#[test]
fn what_is_done_of_a_batch_is_published_and_the_rest_tried_again_in_the_same_run() {
    for files in [false, true] {
        let mut workspace = four_days(1, files);
        let want = workspace.want(&["day", "copy"], Refresh::Stale);
        let run = workspace.run(ALL);
        let step = workspace.finish_some(ALL, FAILURE, &FIRST_TWO, &[]);
        if files {
            assert_eq!(workspace.running(), [ALL], "what is being published is not done yet");
        }
        workspace.publish(&step);
        assert_eq!(workspace.running(), ["copy/date=2010-01-01", "copy/date=2010-01-02"]);
        workspace.later(60);
        let rest = "day/date=2010-01-03..2010-01-04";
        let second = workspace.attempt(rest);
        assert_eq!((second.attempt.run, second.attempt.number), (run, 2));
        workspace.finish_all("v1");
        assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
        assert_eq!(workspace.kinds_since(0).iter().filter(|kind| **kind == "partitions_failed").count(), 0);
    }
}

#[test]
fn what_is_beyond_hope_fails_at_once_with_exactly_what_needs_it() {
    let mut workspace = four_days(1, true);
    let want = workspace.want(&["copy", "report"], Refresh::Stale);
    let step = workspace.finish_some(ALL, FAILURE, &FIRST_TWO, &["day/date=2010-01-04"]);
    let abandoned = step.records.iter().find_map(|record| match &record.event {
        Event::WorkAbandoned(event) => Some(event.partitions.clone()),
        _ => None,
    });
    assert_eq!(abandoned.unwrap(), ["copy/date=2010-01-04", "report"]);
    workspace.publish(&step);
    workspace.later(60);
    assert!(workspace.running().contains(&"day/date=2010-01-03"), "{:?}", workspace.running());
    workspace.finish_all("v1");
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Failed));
    assert_eq!(workspace.causes(want), ["day/date=2010-01-04 failed: as told"]);
    let last = workspace.log.iter().rev().find_map(|record| match &record.event {
        Event::RunEnded(ended) => Some((ended.canceled, ended.message.clone())),
        _ => None,
    });
    assert_eq!(last, Some((false, "as told".to_owned())), "the run failed, for some of it did");
    let failed =
        &workspace.core.state.dataset(workspace.core.state.graph().dataset_named("day").unwrap()).failed;
    assert_eq!(failed.len(), 1);
}

#[test]
fn without_a_retry_left_what_is_not_done_fails() {
    let mut workspace = four_days(0, true);
    let want = workspace.want(&["copy"], Refresh::Stale);
    let step = workspace.finish_some(ALL, FAILURE, &FIRST_TWO, &[]);
    workspace.publish(&step);
    assert_eq!(workspace.finish_all("v1"), ["copy/date=2010-01-01", "copy/date=2010-01-02"]);
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Failed));
    assert_eq!(workspace.causes(want), ["day/date=2010-01-03..2010-01-04 failed: as told"]);
    assert!(workspace.core.state.runs().is_empty());
}

#[test]
fn how_an_attempt_ended_decides_whether_what_it_did_counts() {
    use AttemptOutcome::{Canceled, Failure, Lost, OutOfMemory, Timeout};
    for (outcome, counts) in [
        (FAILURE, true),
        (Failure { permanent: true }, true),
        (Timeout, true),
        (OutOfMemory, true),
        (Lost, false),
        (Canceled, false),
    ] {
        let mut workspace = four_days(3, false);
        workspace.want(&["day"], Refresh::Stale);
        workspace.finish_some(ALL, outcome.clone(), &FIRST_TWO, &[]);
        let state = &workspace.core.state;
        let made = state.dataset(state.graph().dataset_named("day").unwrap()).present.len();
        assert_eq!(made, if counts { 2 } else { 0 }, "{outcome:?}");
    }
}

#[test]
fn a_partition_is_done_only_with_all_its_outputs() {
    let dims = [days("date", "2010-01-01", "2010-01-02")];
    let graph = GraphSpec::new()
        .job("make", &["a", "b"], &dims, vec![])
        .batch("date", 9)
        .change("make", |job| job.policy.retries = 1);
    let mut workspace = Workspace::new(&graph, 1);
    let want = workspace.want(&["a"], Refresh::Stale);
    let done = ["a/date=2010-01-01", "a/date=2010-01-02", "b/date=2010-01-02", "c/date=2010-01-01"];
    workspace.finish_some("a/date=2010-01-01..2010-01-02", FAILURE, &done, &[]);
    workspace.later(60);
    assert_eq!(workspace.running(), ["a/date=2010-01-01"]);
    workspace.finish_all("v1");
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
}

#[test]
fn a_job_that_did_all_and_then_failed_has_done_all() {
    let mut workspace = four_days(3, true);
    let want = workspace.want(&["day"], Refresh::Stale);
    let all = [FIRST_TWO[0], FIRST_TWO[1], "day/date=2010-01-03", "day/date=2010-01-04"];
    let step = workspace.finish_some(ALL, FAILURE, &all, &[]);
    workspace.publish(&step);
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
    assert!(workspace.core.state.runs().is_empty());
}

#[test]
fn a_cancel_while_some_is_published_lets_that_through_and_stops_the_rest() {
    let mut workspace = four_days(3, true);
    let want = workspace.want(&["day"], Refresh::Stale);
    let run = workspace.run(ALL);
    let step = workspace.finish_some(ALL, FAILURE, &FIRST_TWO, &[]);
    workspace.step(Input::CancelRun(run)).reply.unwrap();
    workspace.publish(&step);
    assert!(workspace.core.state.runs().is_empty());
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Failed));
    let state = &workspace.core.state;
    assert_eq!(state.dataset(state.graph().dataset_named("day").unwrap()).present.len(), 2);
}

#[test]
fn a_restart_between_intent_and_publication_loses_neither_what_is_done_nor_the_rest() {
    let mut workspace = four_days(1, true);
    let want = workspace.want(&["day"], Refresh::Stale);
    workspace.finish_some(ALL, FAILURE, &FIRST_TWO, &[]);
    let step = workspace.restart(&[]);
    workspace.publish(&step);
    workspace.later(60);
    assert_eq!(workspace.running(), ["day/date=2010-01-03..2010-01-04"]);
    workspace.finish_all("v1");
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
}

#[test]
fn runs_are_asked_for_by_what_they_make() {
    let dims = [days("date", "2010-01-01", "2010-01-10")];
    let graph = |home| GraphSpec::new().job("load", &[home, "refunds"], &dims, vec![]).batch("date", 4);
    let mut workspace = Workspace::new(&graph("orders"), 1);
    workspace.want(&["orders"], Refresh::Stale);
    workspace.finish_all("v1");
    let renamed = graph("sales").moved("orders", "sales").job("report", &["sales_report"], &dims, vec![]);
    workspace.register(&renamed);
    let found = |asked: &str, partitions: &str| {
        let making = Making::of(&workspace.core.state, asked);
        let is_batch = partitions.contains("..");
        let dataset = dataset_of(partitions).to_owned();
        let named = match making.named() {
            Named::Partitions { texts, .. } if !is_batch => texts.iter().any(|text| text == partitions),
            Named::Partitions { datasets, .. } | Named::Datasets(datasets) => datasets.contains(&dataset),
            Named::Beginnings(beginnings) => beginnings.iter().any(|begin| partitions.starts_with(begin)),
        };
        named && making.has(partitions)
    };
    let batch = "sales/date=2010-01-02..2010-01-04+2010-01-07";
    for (asked, expected) in [
        ("sales", true),
        ("sales/date=2010-01-03", true),
        ("refunds/date=2010-01-03", true),
        ("sales/date=2010-01-04..2010-01-06", true),
        ("sales/date=2010-01-05..2010-01-06", false),
        ("sales/date=2010-01-07", true),
        ("sales/date=2010-01-08", false),
        ("sales_report", false),
        ("orders/date=2010-01-03", true),
        // No reference, but the beginning of a text.
        ("sales/date=2010-01-0", true),
        ("sal", true),
        ("other", false),
    ] {
        assert_eq!(found(asked, batch), expected, "{asked}");
    }
    assert!(found("sales/date=2010-01-03", "orders/date=2010-01-03"), "under its earlier name");
    assert!(!found("sales", "sales_report/date=2010-01-03"), "whose name only begins so");
}

#[test]
fn a_batch_is_found_by_its_listed_keys_also_under_their_earlier_dimension() {
    let dims = |city| [listed(city, &["oslo", "rome", "bern"]), days("date", "2010-01-01", "2010-01-10")];
    let graph = |city| GraphSpec::new().job("load", &["sales"], &dims(city), vec![]).batch("date", 4);
    let mut workspace = Workspace::new(&graph("city"), 1);
    workspace.register(&graph("town").moved_dim("sales", "city", "town"));
    let has = |asked: &str, partitions: &str| Making::of(&workspace.core.state, asked).has(partitions);
    for city in ["town", "city"] {
        let batch = format!("sales/{city}=oslo/date=2010-01-02..2010-01-04");
        assert!(has("sales/town=oslo/date=2010-01-03", &batch), "{batch}");
        assert!(!has("sales/town=rome/date=2010-01-03", &batch), "{batch}");
        assert!(!has("sales/town=oslo/date=2010-01-05", &batch), "{batch}");
        let several = format!("sales/{city}=oslo+bern/date=2010-01-02");
        assert!(has("sales/town=bern/date=2010-01-02", &several), "{several}");
        assert!(!has("sales/town=rome/date=2010-01-02", &several), "{several}");
        // All cities, of which only some days are asked for.
        assert!(has("sales/date=2010-01-02", &several), "{several}");
    }
    assert!(!has("sales/town=oslo/date=2010-01-03", "other/town=oslo/date=2010-01-03"));
}
