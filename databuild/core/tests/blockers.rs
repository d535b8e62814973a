//! Why something that is wanted is not there yet.

mod support;

use databuild_core::decide::blocker::{of_run, of_want};
use databuild_core::decide::{AttemptEnd, Blocker, Input, PoolRequest, Success};
use databuild_core::event::{AttemptOutcome, Refresh};
use databuild_core::graph::file::JobEntry;
use databuild_core::graph::{Rate, Resource};
use databuild_core::ids::{RunId, WantId};
use databuild_core::state::Phase;
use std::time::Duration;
use support::graphs::{listed, reads, GraphSpec};
use support::workspace::Workspace;

/// `a` -> `b` -> `c`, and `x` with two partitions.
fn graph() -> GraphSpec {
    GraphSpec::new()
        .job("make_a", &["a"], &[], vec![])
        .with(|job| job.policy.retries = 3)
        .job("make_b", &["b"], &[], vec![reads("a")])
        .job("make_c", &["c"], &[], vec![reads("b")])
        .job("make_x", &["x"], &[listed("n", &["1", "2"])], vec![])
}

fn want_waits(workspace: &Workspace, want: WantId) -> Blocker {
    let core = &workspace.core;
    of_want(&core.state, core.capacity(), workspace.now, &core.state.wants()[&want])
}

fn run_waits(workspace: &Workspace, run: RunId) -> Blocker {
    let core = &workspace.core;
    of_run(&core.state, core.capacity(), workspace.now, &core.state.runs()[&run])
}

#[test]
fn what_runs_waits_for_nothing() {
    let mut workspace = Workspace::new(&graph(), 4);
    let want = workspace.want(&["c", "x"], Refresh::Stale);
    let run = RunId(1);
    assert_eq!(want_waits(&workspace, want), Blocker::UnderWay { run, more: 2 });
    assert_eq!(run_waits(&workspace, run), Blocker::UnderWay { run, more: 0 });
}

#[test]
fn what_could_begin_waits_for_a_place_and_says_who_has_it() {
    let mut workspace = Workspace::new(&graph(), 1);
    workspace.want(&["x/n=1"], Refresh::Stale);
    let holder = workspace.run("x/n=1");
    let want = workspace.want(&["c", "x/n=2"], Refresh::Stale);
    let expected = Blocker::Slots { slots: 1, ready: 2, holders: vec![holder] };
    assert_eq!(want_waits(&workspace, want), expected);
    workspace.step(Input::SetSlots(0)).reply.unwrap();
    workspace.finish("x/n=1", "v1");
    assert_eq!(want_waits(&workspace, want), Blocker::Slots { slots: 0, ready: 2, holders: vec![] });
}

#[test]
fn a_failed_attempt_waits_for_its_time_and_then_for_a_place() {
    let mut workspace = Workspace::new(&graph(), 1);
    let want = workspace.want(&["c"], Refresh::Stale);
    let run = workspace.end("a", AttemptOutcome::Failure { permanent: false }).run;
    let Phase::RetryWait(until) = workspace.core.state.runs()[&run].phase else { panic!("no retry") };
    assert_eq!(want_waits(&workspace, want), Blocker::Backoff { run, until });
    assert_eq!(run_waits(&workspace, run), Blocker::Backoff { run, until });
    workspace.want(&["x/n=1"], Refresh::Stale);
    let holder = workspace.run("x/n=1");
    workspace.later(60);
    let expected = Blocker::Slots { slots: 1, ready: 1, holders: vec![holder] };
    assert_eq!(want_waits(&workspace, want), expected);
}

#[test]
fn what_was_told_to_stop_is_waited_for() {
    let mut workspace = Workspace::new(&graph(), 1);
    let first = workspace.want(&["a"], Refresh::Stale);
    let run = workspace.run("a");
    workspace.step(Input::CancelWant(first)).reply.unwrap();
    let second = workspace.want(&["a"], Refresh::Stale);
    assert_eq!(want_waits(&workspace, second), Blocker::Canceling { run });
    assert_eq!(run_waits(&workspace, run), Blocker::Canceling { run });
}

#[test]
fn a_plan_that_waits_for_others_names_what_they_make_and_what_that_waits_for() {
    let mut workspace = Workspace::new(&graph(), 4);
    workspace.want(&["b"], Refresh::Stale);
    workspace.finish_all("v1");
    workspace.step(Input::SetSlots(0)).reply.unwrap();
    // Its plan has `c` alone; what `c` reads is then made anew by somebody else.
    let plan = workspace.plan(&["c"], Refresh::Stale);
    let want = workspace.apply(plan.plan).unwrap();
    let other = workspace.want(&["b"], Refresh::All);
    workspace.lose("a");
    let slots = Blocker::Slots { slots: 0, ready: 1, holders: vec![] };
    assert_eq!(want_waits(&workspace, other), slots);
    let expected =
        Blocker::Upstream { waiting: "c".to_owned(), partition: "a".to_owned(), because: Box::new(slots) };
    assert_eq!(want_waits(&workspace, want), expected);
}

#[test]
fn a_retry_whose_input_is_made_anew_names_it() {
    let retried = graph().change("make_b", |job| job.policy.retries = 3);
    let mut workspace = Workspace::new(&retried, 4);
    workspace.want(&["b"], Refresh::Stale);
    workspace.finish("a", "v1");
    let run = workspace.end("b", AttemptOutcome::Failure { permanent: false }).run;
    workspace.want(&["a"], Refresh::All);
    let upstream = workspace.run("a");
    workspace.later(60);
    let expected = Blocker::Upstream {
        waiting: "b".to_owned(),
        partition: "a".to_owned(),
        because: Box::new(Blocker::UnderWay { run: upstream, more: 0 }),
    };
    assert_eq!(run_waits(&workspace, run), expected);
}

#[test]
fn what_is_handed_out_ahead_waits_for_a_place_too() {
    let mut workspace = Workspace::new(&graph(), 1);
    workspace.want(&["x/n=1"], Refresh::Stale);
    // Attempts this short are handed out ahead.
    let attempt = workspace.attempt("x/n=1").attempt;
    let outputs = vec![support::workspace::output("x/n=1", "v1")];
    let end = support::workspace::end_of(Ok(Success { outputs, ..Success::default() }));
    let end = AttemptEnd { wall_ms: 1, ..end };
    workspace.step(Input::AttemptEnded { attempt, end }).reply.unwrap();
    workspace.want(&["a"], Refresh::Stale);
    let holder = workspace.attempt("a").attempt;
    workspace.step(Input::AttemptStarted { attempt: holder, pid: 1 }).reply.unwrap();
    let want = workspace.want(&["x/n=2"], Refresh::Stale);
    let ahead = workspace.run("x/n=2");
    let expected = Blocker::Slots { slots: 1, ready: 1, holders: vec![holder.run] };
    assert_eq!(want_waits(&workspace, want), expected);
    assert_eq!(run_waits(&workspace, ahead), expected);
    let both = workspace.want(&["a", "x/n=2"], Refresh::Stale);
    assert_eq!(want_waits(&workspace, both), Blocker::UnderWay { run: holder.run, more: 0 });
    workspace.finish("a", "v1");
    assert_eq!(want_waits(&workspace, want), Blocker::UnderWay { run: ahead, more: 0 });
}

#[test]
fn a_full_pool_is_named_with_those_who_hold_it() {
    let spec = graph().pool("db", 3).change("make_a", |job| {
        job.policy.pools.insert("//:db".to_owned(), 2);
    });
    let spec = spec.change("make_x", |job| {
        job.policy.pools.insert("//:db".to_owned(), 2);
    });
    let mut workspace = Workspace::new(&spec, 8);
    workspace.want(&["x/n=1"], Refresh::Stale);
    let holder = workspace.run("x/n=1");
    let want = workspace.want(&["a", "x/n=2"], Refresh::Stale);
    let full = Blocker::Limit {
        resource: Resource::Pool("//:db".to_owned()),
        size: 3,
        needs: 2,
        ready: 2,
        holders: vec![(holder, 2)],
        set_aside: false,
    };
    assert_eq!(want_waits(&workspace, want), full);
    workspace.step(Input::ResizePool(PoolRequest { pool: "db".to_owned(), slots: Some(1) }));
    workspace.finish("x/n=1", "v1");
    let small = Blocker::Limit {
        resource: Resource::Pool("//:db".to_owned()),
        size: 1,
        needs: 2,
        ready: 2,
        holders: vec![],
        set_aside: false,
    };
    assert_eq!(want_waits(&workspace, want), small);
}

#[test]
fn what_is_set_aside_for_older_work_is_said_to_be() {
    let in_pool = |weight| {
        move |job: &mut JobEntry| {
            job.policy.pools.insert("//:db".to_owned(), weight);
        }
    };
    let spec = graph().pool("db", 3).change("make_a", in_pool(3)).change("make_x", in_pool(1));
    let mut workspace = Workspace::new(&spec, 8);
    workspace.want(&["x/n=1"], Refresh::Stale);
    let holder = workspace.run("x/n=1");
    workspace.want(&["a"], Refresh::Stale);
    let want = workspace.want(&["x/n=2"], Refresh::Stale);
    let blocker = want_waits(&workspace, want);
    let Blocker::Limit { set_aside: true, holders, .. } = blocker else { panic!("{blocker:?}") };
    assert_eq!(holders, [(holder, 1)]);
}

#[test]
fn a_rate_says_until_when() {
    let rate = Rate { count: 1, period: Duration::from_secs(60) };
    let mut workspace = Workspace::new(&graph().change("make_x", |job| job.policy.rate = Some(rate)), 8);
    let want = workspace.want(&["x"], Refresh::Stale);
    let until = workspace.now + jiff::SignedDuration::from_secs(60);
    workspace.finish("x/n=1", "v1");
    let expected = Blocker::Rate { job: "//:make_x".to_owned(), until, ready: 1 };
    assert_eq!(want_waits(&workspace, want), expected);
}

#[test]
fn who_makes_an_input_is_found_among_runs_of_other_dimensions() {
    let mut workspace = Workspace::new(&graph(), 4);
    workspace.want(&["a"], Refresh::Stale);
    workspace.finish("a", "v1");
    workspace.want(&["x/n=1"], Refresh::Stale);
    workspace.want(&["a"], Refresh::All);
    let run = workspace.run("a");
    let want = workspace.want(&["b"], Refresh::Missing);
    let because = Box::new(Blocker::UnderWay { run, more: 0 });
    let expected = Blocker::Upstream { waiting: "b".to_owned(), partition: "a".to_owned(), because };
    assert_eq!(want_waits(&workspace, want), expected);
}
