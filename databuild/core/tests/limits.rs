//! Pools, memory, places, limits and rates: who may begin, and what waits.

mod support;

use databuild_core::decide::limits::holders;
use databuild_core::decide::{AttemptEnd, Input, PoolRequest, Refusal, Success};
use databuild_core::event::{AttemptOutcome, PriorityClass, Refresh, WantOutcome};
use databuild_core::graph::file::{GranularityName, JobEntry};
use databuild_core::graph::{ProblemCode, Rate, Resource};
use databuild_core::state::Phase;
use std::time::Duration;
use support::graphs::{listed, time, GraphSpec};
use support::workspace::{output, request, Workspace};

/// `x` and `y` of nine partitions each; `big` of one.
fn graph() -> GraphSpec {
    let nine = [listed("n", &["1", "2", "3", "4", "5", "6", "7", "8", "9"])];
    GraphSpec::new().job("make_x", &["x"], &nine, vec![]).job("make_y", &["y"], &nine, vec![]).job(
        "make_big",
        &["big"],
        &[],
        vec![],
    )
}

fn resize(workspace: &mut Workspace, pool: &str, slots: Option<u32>) -> Result<(), Refusal> {
    let request = PoolRequest { pool: pool.to_owned(), slots };
    workspace.step(Input::ResizePool(request)).reply.map(|_| ())
}

fn with_pool(slots: u32) -> GraphSpec {
    let in_pool = |weight| {
        move |job: &mut databuild_core::graph::file::JobEntry| {
            job.policy.pools.insert("//:db".to_owned(), weight);
        }
    };
    graph()
        .pool("db", slots)
        .change("make_x", in_pool(1))
        .change("make_y", in_pool(1))
        .change("make_big", in_pool(slots))
}

#[test]
fn runs_of_several_jobs_share_a_pool() {
    let mut workspace = Workspace::new(&with_pool(3), 8);
    workspace.want(&["x/n=1", "x/n=2"], Refresh::Stale);
    workspace.want(&["y"], Refresh::Stale);
    assert_eq!(workspace.running(), ["x/n=1", "x/n=2", "y/n=1"]);
    workspace.finish("x/n=2", "v1");
    assert_eq!(workspace.running(), ["x/n=1", "y/n=1", "y/n=2"]);
}

#[test]
fn what_takes_nothing_of_a_full_pool_goes_on() {
    let spec = with_pool(1).change("make_y", |job| job.policy.pools.clear());
    let mut workspace = Workspace::new(&spec, 3);
    workspace.want(&["x"], Refresh::Stale);
    workspace.want(&["y"], Refresh::Stale);
    assert_eq!(workspace.running(), ["x/n=1", "y/n=1", "y/n=2"]);
}

#[test]
fn the_big_is_not_overtaken_for_ever_by_the_small() {
    let mut workspace = Workspace::new(&with_pool(3), 8);
    workspace.want(&["x/n=1", "x/n=2"], Refresh::Stale);
    workspace.want(&["big"], Refresh::Stale);
    workspace.want(&["y"], Refresh::Stale);
    assert_eq!(workspace.running(), ["x/n=1", "x/n=2"], "one slot is free, and set aside");
    workspace.finish("x/n=1", "v1");
    assert_eq!(workspace.running(), ["x/n=2"]);
    workspace.finish("x/n=2", "v1");
    assert_eq!(workspace.running(), ["big"]);
    workspace.finish("big", "v1");
    assert_eq!(workspace.running(), ["y/n=1", "y/n=2", "y/n=3"]);
}

#[test]
fn two_resources_are_not_taken_away_in_turns() {
    let spec = with_pool(1)
        .change("make_x", |job| job.policy.memory = Some(2))
        .change("make_x", |job| job.policy.pools.clear())
        .change("make_big", |job| job.policy.memory = Some(4));
    let mut workspace = Workspace::new(&spec, 8);
    workspace.core.memory = Some(4);
    workspace.want(&["y/n=1"], Refresh::Stale);
    workspace.want(&["big"], Refresh::Stale);
    workspace.want(&["x"], Refresh::Stale);
    assert_eq!(workspace.running(), ["y/n=1"], "the memory that big needs is set aside");
    workspace.want(&["y/n=2"], Refresh::Stale);
    workspace.finish("y/n=1", "v1");
    assert_eq!(workspace.running(), ["big"]);
}

#[test]
fn interactive_work_is_not_held_up_by_a_backfill_that_waits() {
    let mut workspace = Workspace::new(&with_pool(3), 8);
    workspace.want(&["x/n=1"], Refresh::Stale);
    let mut backfill = request(&["big"], Refresh::Stale);
    backfill.class = PriorityClass::Backfill;
    workspace.try_want(backfill).unwrap();
    workspace.want(&["y/n=1"], Refresh::Stale);
    assert_eq!(workspace.running(), ["x/n=1", "y/n=1"]);
}

#[test]
fn a_pool_that_is_set_to_nothing_lets_nothing_of_it_run() {
    let mut workspace = Workspace::new(&with_pool(3), 8);
    resize(&mut workspace, "db", Some(0)).unwrap();
    let want = workspace.want(&["x/n=1", "big"], Refresh::Stale);
    assert!(workspace.running().is_empty());
    resize(&mut workspace, "//:db", Some(2)).unwrap();
    assert_eq!(workspace.running(), ["x/n=1"], "big needs three");
    let known: Vec<_> = workspace.ordered.iter().map(|spec| spec.attempt).collect();
    workspace.restart(&known);
    workspace.finish("x/n=1", "v1");
    assert!(workspace.running().is_empty(), "the size is remembered, and holds up nobody else");
    workspace.want(&["y/n=1"], Refresh::Stale);
    assert_eq!(workspace.running(), ["y/n=1"]);
    resize(&mut workspace, "db", None).unwrap();
    assert_eq!(workspace.running(), ["y/n=1"]);
    workspace.finish("y/n=1", "v1");
    workspace.finish("big", "v1");
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
}

#[test]
fn a_pool_that_becomes_smaller_takes_nothing_from_those_who_hold_it() {
    let mut workspace = Workspace::new(&with_pool(3), 8);
    workspace.want(&["x"], Refresh::Stale);
    resize(&mut workspace, "db", Some(1)).unwrap();
    assert_eq!(workspace.running().len(), 3);
    workspace.finish("x/n=1", "v1");
    workspace.finish("x/n=2", "v1");
    assert_eq!(workspace.running(), ["x/n=3"]);
    workspace.finish("x/n=3", "v1");
    assert_eq!(workspace.running(), ["x/n=4"]);
}

#[test]
fn a_pool_that_is_not_there_is_named_with_those_that_are() {
    let mut workspace = Workspace::new(&with_pool(3), 1);
    let refusal = resize(&mut workspace, "disk", Some(1)).unwrap_err();
    assert_eq!(refusal.code(), "pool_not_found");
    assert_eq!(refusal.to_string(), "the graph has no pool `disk`; it has db");
    let from = workspace.log.len();
    resize(&mut workspace, "db", None).unwrap();
    assert!(workspace.kinds_since(from).is_empty(), "nothing changed");
}

#[test]
fn a_wide_job_takes_several_places_and_at_most_all() {
    let spec = graph().change("make_big", |job| job.policy.cpus = Some(3));
    let mut workspace = Workspace::new(&spec, 4);
    workspace.want(&["x/n=1", "x/n=2"], Refresh::Stale);
    workspace.want(&["big"], Refresh::Stale);
    workspace.want(&["y"], Refresh::Stale);
    assert_eq!(workspace.running(), ["x/n=1", "x/n=2"]);
    workspace.finish("x/n=1", "v1");
    assert_eq!(workspace.running(), ["x/n=2", "big"]);
    workspace.step(Input::SetSlots(2)).reply.unwrap();
    workspace.finish("x/n=2", "v1");
    assert_eq!(workspace.running(), ["big"]);
    workspace.finish("big", "v1");
    assert_eq!(workspace.running(), ["y/n=1", "y/n=2"]);
    workspace.want(&["big"], Refresh::All);
    workspace.step(Input::SetSlots(1)).reply.unwrap();
    workspace.finish_all("v2");
    assert!(workspace.core.state.wants().is_empty(), "one place is all there is, and enough");
}

#[test]
fn memory_is_packed_and_what_asks_for_more_than_there_is_gets_all() {
    let spec = graph()
        .change("make_x", |job| job.policy.memory = Some(3))
        .change("make_big", |job| job.policy.memory = Some(100));
    let mut workspace = Workspace::new(&spec, 8);
    workspace.core.memory = Some(8);
    workspace.want(&["x/n=1", "x/n=2", "x/n=3"], Refresh::Stale);
    workspace.want(&["big", "y/n=1"], Refresh::Stale);
    assert_eq!(workspace.running(), ["x/n=1", "x/n=2", "y/n=1"]);
    workspace.finish("x/n=1", "v1");
    workspace.finish("x/n=2", "v1");
    workspace.finish("x/n=3", "v1");
    assert_eq!(workspace.running(), ["y/n=1", "big"]);
}

#[test]
fn jobs_and_datasets_limit_the_runs_at_once() {
    let spec = graph()
        .change("make_x", |job| job.policy.max_running = Some(2))
        .dataset("y", |dataset| dataset.policy.max_running = Some(1));
    let mut workspace = Workspace::new(&spec, 8);
    workspace.want(&["x", "y"], Refresh::Stale);
    let mut running = workspace.running();
    running.sort_unstable();
    assert_eq!(running, ["x/n=1", "x/n=2", "y/n=1"]);
    // Runs that an older graph began count.
    workspace.register(&spec.clone().change("make_x", |job| job.policy.max_running = Some(3)));
    assert_eq!(workspace.running().iter().filter(|text| text.starts_with('x')).count(), 3);
    workspace.register(&spec);
    workspace.finish("x/n=1", "v1");
    assert_eq!(workspace.running().iter().filter(|text| text.starts_with('x')).count(), 2);
}

#[test]
fn a_retry_waits_for_its_pool_and_goes_first() {
    let spec = with_pool(1).change("make_x", |job| job.policy.retries = 2);
    let mut workspace = Workspace::new(&spec, 8);
    workspace.want(&["x/n=1"], Refresh::Stale);
    workspace.want(&["y"], Refresh::Stale);
    workspace.end("x/n=1", AttemptOutcome::Failure { permanent: false });
    assert_eq!(workspace.running(), ["y/n=1"]);
    assert_eq!(workspace.core.next_timer(), None, "time alone brings nothing: the pool is full");
    workspace.later(60);
    assert_eq!(workspace.running(), ["y/n=1"]);
    workspace.finish("y/n=1", "v1");
    assert_eq!(workspace.running(), ["x/n=1"]);
}

#[test]
fn a_rate_spreads_starts_over_time() {
    let rate = Rate { count: 2, period: Duration::from_secs(60) };
    let spec = graph().change("make_x", |job| {
        job.policy.rate = Some(rate);
        job.policy.retries = 5;
    });
    let mut workspace = Workspace::new(&spec, 8);
    let begin = workspace.now;
    workspace.want(&["x/n=1"], Refresh::Stale);
    workspace.later(10);
    workspace.want(&["x"], Refresh::Stale);
    assert_eq!(workspace.running(), ["x/n=1", "x/n=2"]);
    workspace.finish_all("v1");
    assert!(workspace.running().is_empty(), "two have started in this minute");
    let due = |seconds| Some(begin + jiff::SignedDuration::from_secs(seconds));
    assert_eq!(workspace.core.next_timer(), due(60));
    // A restart forgets none of them.
    workspace.restart(&[]);
    assert_eq!(workspace.core.next_timer(), due(60));
    workspace.later(50);
    assert_eq!(workspace.running(), ["x/n=3"]);
    assert_eq!(workspace.core.next_timer(), due(70));
    // A further attempt is a start as well.
    workspace.end("x/n=3", AttemptOutcome::Lost);
    assert!(workspace.running().is_empty());
    workspace.later(10);
    assert_eq!(workspace.running(), ["x/n=3"]);
    // A clock that was set back blocks nothing for ever.
    workspace.finish("x/n=3", "v1");
    workspace.later(-3_600);
    assert_eq!(workspace.running(), ["x/n=4", "x/n=5"]);
}

#[test]
fn a_rate_wakes_nobody_while_places_are_taken() {
    let spec = graph()
        .change("make_x", |job| job.policy.rate = Some(Rate { count: 1, period: Duration::from_secs(60) }));
    let mut workspace = Workspace::new(&spec, 2);
    workspace.want(&["x"], Refresh::Stale);
    workspace.want(&["y"], Refresh::Stale);
    assert_eq!(workspace.running(), ["x/n=1", "y/n=1"]);
    assert_eq!(workspace.core.next_timer(), None);
}

#[test]
fn leases_ahead_of_places_stay_within_pools_and_leave_room_for_wide_jobs() {
    let spec = with_pool(3)
        .change("make_y", |job| job.policy.pools.clear())
        .change("make_big", |job| job.policy.pools.clear())
        .change("make_big", |job| job.policy.cpus = Some(2));
    let mut workspace = Workspace::new(&spec, 2);
    // Attempts take a millisecond.
    workspace.want(&["y/n=1"], Refresh::Stale);
    let attempt = workspace.attempt("y/n=1").attempt;
    let success = Success { outputs: vec![output("y/n=1", "v1")], keys: Default::default() };
    let end = AttemptEnd { exit_code: Some(0), wall_ms: 1, ..support::workspace::end_of(Ok(success)) };
    workspace.step(Input::AttemptEnded { attempt, end }).reply.unwrap();
    workspace.want(&["x"], Refresh::Stale);
    assert_eq!(workspace.running(), ["x/n=1", "x/n=2", "x/n=3"], "more than places, not more than slots");
    workspace.want(&["big"], Refresh::Stale);
    workspace.want(&["y"], Refresh::Stale);
    assert_eq!(workspace.running().len(), 3, "what runs is to end, for big");
    workspace.step(Input::CancelWant(databuild_core::ids::WantId(2))).reply.unwrap();
    for text in ["x/n=1", "x/n=2", "x/n=3"] {
        workspace.end(text, AttemptOutcome::Canceled);
    }
    assert_eq!(workspace.running(), ["big"], "nothing is queued at the runner beside a wide run");
}

#[test]
fn fifty_thousand_waiting_partitions_are_not_looked_at_one_by_one() {
    let hours = time("hour", GranularityName::Hour, "2004-01-01T00", "2009-12-31T23", "UTC");
    let spec = GraphSpec::new().job("make_x", &["x"], &[hours], vec![]).pool("db", 1).takes("db", 1);
    let mut workspace = Workspace::new(&spec, 4);
    workspace.want(&["x"], Refresh::Stale);
    for _ in 0..200 {
        let partition = workspace.running()[0].to_owned();
        workspace.finish(&partition, "v1");
        assert_eq!(workspace.running().len(), 1);
    }
}

#[test]
fn what_cannot_be_is_refused_with_the_graph() {
    let code = |spec: GraphSpec| {
        let problems = spec.parse().unwrap_err();
        (problems[0].code, problems[0].message.clone())
    };
    let small = with_pool(2).change("make_x", |job| {
        job.policy.pools.insert("//:db".to_owned(), 3);
    });
    let (found, message) = code(small);
    assert_eq!(found, ProblemCode::PoolTooSmall);
    assert_eq!(message, "it takes 3 slots of pool `//:db`, which has 2");
    let change = |change: &dyn Fn(&mut databuild_core::graph::file::JobEntry)| {
        code(graph().pool("db", 2).change("make_x", |job| change(job))).0
    };
    let takes = |label: &str, weight| {
        let label = label.to_owned();
        change(&|job| {
            job.policy.pools.insert(label.clone(), weight);
        })
    };
    assert_eq!(takes("//:disk", 1), ProblemCode::UnknownPool);
    assert_eq!(takes("//:db", 0), ProblemCode::BadPool);
    assert_eq!(code(graph().pool("db", 0)).0, ProblemCode::BadPool);
    assert_eq!(code(graph().pool("db", 1).pool("db", 2)).0, ProblemCode::BadPool);
    assert_eq!(change(&|job| job.policy.max_running = Some(0)), ProblemCode::BadLimit);
    for (count, period_ms) in [(0, 1_000), (1, 0), (1_001, 1_000), (1, u64::MAX)] {
        let rate = Rate { count, period: Duration::from_millis(period_ms) };
        assert_eq!(change(&|job| job.policy.rate = Some(rate)), ProblemCode::BadLimit);
    }
    assert_eq!(code(graph().dataset("x", |x| x.policy.max_running = Some(0))).0, ProblemCode::BadLimit);
}

#[test]
fn a_run_that_waits_to_be_tried_again_holds_nothing() {
    type Limit = fn(GraphSpec) -> GraphSpec;
    let retried = || {
        let tried =
            |job: &mut JobEntry| (job.policy.retries, job.policy.backoff) = (3, Duration::from_secs(60));
        graph().change("make_x", tried).change("make_big", tried)
    };
    // Each lets `x/n=1` run or another, and not both.
    let limits: [(&str, usize, Limit); 6] = [
        ("a place", 1, |spec| spec),
        ("cpus", 4, |spec| {
            spec.change("make_x", |job| job.policy.cpus = Some(3))
                .change("make_y", |job| job.policy.cpus = Some(3))
        }),
        ("memory", 8, |spec| {
            spec.change("make_x", |job| job.policy.memory = Some(3))
                .change("make_y", |job| job.policy.memory = Some(3))
        }),
        ("a pool", 8, |spec| {
            let takes = |job: &mut JobEntry| job.policy.pools = [("//:db".to_owned(), 2)].into();
            spec.pool("db", 3).change("make_x", takes).change("make_y", takes)
        }),
        ("max_running of the job", 8, |spec| spec.change("make_x", |job| job.policy.max_running = Some(1))),
        ("max_running of the dataset", 8, |spec| {
            spec.dataset("x", |dataset| dataset.policy.max_running = Some(1))
        }),
    ];
    for (what, slots, limit) in limits {
        let mut workspace = Workspace::new(&limit(retried()), slots);
        workspace.core.memory = Some(4);
        workspace.want(&["x/n=1"], Refresh::Stale);
        let other = if what.starts_with("max_running") { "x/n=2" } else { "y/n=1" };
        workspace.want(&[other], Refresh::Stale);
        assert_eq!(workspace.running(), ["x/n=1"], "{what} is for one");
        let failed = workspace.end("x/n=1", AttemptOutcome::Failure { permanent: false }).run;
        assert!(matches!(workspace.core.state.runs()[&failed].phase, Phase::RetryWait(_)), "{what}");
        assert_eq!(workspace.running(), [other], "{what} is free while {failed} waits for its time");
        let holds = |resource: &Resource| {
            let held = holders(&workspace.core.state, workspace.core.capacity(), resource);
            held.map(|(run, _)| run).collect::<Vec<_>>()
        };
        let job =
            workspace.core.state.runs()[&failed].graph.graph.job(workspace.core.state.runs()[&failed].job);
        for (resource, _) in &job.takes {
            assert!(!holds(resource).contains(&failed), "{what}: {resource:?}");
        }
        // Its time comes while another has what it needs: it waits like everybody else.
        workspace.later(120);
        assert_eq!(workspace.running(), [other], "{what}");
        workspace.finish(other, "v1");
        assert_eq!(workspace.attempt("x/n=1").attempt.number, 2, "{what}");
    }
}
