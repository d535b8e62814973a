//! Jobs that are invoked by hand, with values of parameters.

mod support;

use databuild_core::decide::blocker::{of_want, OtherValue, Unfit};
use databuild_core::decide::{Blocker, Input, InvokeRequest, Refusal, Reply, Sightings, WantRequest};
use databuild_core::event::{AttemptOutcome, Event, PriorityClass, Refresh, WantOutcome};
use databuild_core::graph::Params;
use databuild_core::ids::WantId;
use support::graphs::{listed, reads, GraphSpec};
use support::workspace::{request, Workspace};

const OSLO: &str = "a/city=oslo";

fn graph() -> GraphSpec {
    let dims = [listed("city", &["oslo", "rome"])];
    GraphSpec::new()
        .external("raw", &[])
        .job("make_a", &["a", "also"], &dims, vec![reads("raw")])
        .with(|job| {
            job.params = params("full", "false");
            job.policy.retries = 1;
        })
        .job("make_b", &["b"], &dims, vec![reads("a")])
}

fn params(name: &str, value: &str) -> Params {
    [(name.to_owned(), value.to_owned())].into()
}

fn built() -> Workspace {
    let mut workspace = Workspace::new(&graph(), 4);
    workspace.observe("raw", "r1");
    workspace.want(&["b"], Refresh::Stale);
    workspace.finish_all("v1");
    workspace
}

fn invoke(workspace: &mut Workspace, job: &str, targets: &[&str], params: Params) -> Result<WantId, Refusal> {
    let asked = InvokeRequest { job: job.to_owned(), params, want: request(targets, Refresh::Stale) };
    match workspace.step(Input::Invoke(asked, Sightings::default())).reply? {
        Reply::Want(want) => Ok(want),
        other => panic!("an invocation is answered with a want, not {other:?}"),
    }
}

fn full(workspace: &mut Workspace, value: &str) -> WantId {
    invoke(workspace, "make_a", &[OSLO], params("full", value)).unwrap()
}

/// The value that the attempt at a partition gets.
fn value(workspace: &Workspace, partition: &str) -> String {
    workspace.attempt(partition).params["full"].clone()
}

#[test]
fn what_is_current_is_made_again_and_nothing_else() {
    let mut workspace = built();
    let want = invoke(&mut workspace, ":make_a", &["also/city=oslo"], Params::new()).unwrap();
    assert_eq!(workspace.running(), [OSLO]);
    assert_eq!(value(&workspace, OSLO), "false");
    workspace.finish(OSLO, "v1");
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
    assert_eq!(workspace.verdict(OSLO), "current");
}

#[test]
fn other_values_are_other_arguments() {
    let mut workspace = built();
    let want = full(&mut workspace, "true");
    assert_eq!(value(&workspace, OSLO), "true");
    workspace.finish(OSLO, "v2");
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
    assert_eq!(workspace.verdict(OSLO), "args_changed");
    assert_eq!(workspace.verdict("a/city=rome"), "current");
    // A usual build makes it with the defaults again.
    workspace.want(&[OSLO], Refresh::Stale);
    assert_eq!(value(&workspace, OSLO), "false");
    workspace.finish(OSLO, "v1");
    assert_eq!(workspace.verdict(OSLO), "current");
    // As does the default, given by hand.
    full(&mut workspace, "false");
    workspace.finish(OSLO, "v1");
    assert_eq!(workspace.verdict(OSLO), "current");
}

#[test]
fn a_run_with_other_values_is_no_run_that_a_want_waits_for_and_it_is_said_which() {
    let waits = |workspace: &Workspace, want: WantId| {
        let core = &workspace.core;
        of_want(&core.state, core.capacity(), workspace.now, &core.state.wants()[&want])
    };
    let differ = |has: &str, wanted: &str| {
        let (has, wanted) = (Some(has.to_owned()), Some(wanted.to_owned()));
        Unfit::Params(vec![OtherValue { name: "full".to_owned(), has, wanted }])
    };
    let mut workspace = built();
    let before = workspace.core.state.last_run();
    let by_hand = full(&mut workspace, "true");
    let run = workspace.core.state.last_run();
    assert_eq!(waits(&workspace, by_hand), Blocker::UnderWay { run, more: 0 });
    let usual = workspace.try_want(request(&[OSLO], Refresh::All)).unwrap();
    assert_eq!(waits(&workspace, usual), Blocker::Behind { run, unfit: differ("true", "false") });
    let third = full(&mut workspace, "twice");
    assert_eq!(waits(&workspace, third), Blocker::Behind { run, unfit: differ("true", "twice") });
    let again = full(&mut workspace, "true");
    assert_eq!(waits(&workspace, again), Blocker::Behind { run, unfit: Unfit::Earlier });
    assert!(run > before);
}

#[test]
fn a_changed_default_makes_stale() {
    let mut workspace = built();
    workspace.register(&graph().change("make_a", |job| job.params = params("full", "true")));
    assert_eq!(workspace.verdict(OSLO), "args_changed");
}

#[test]
fn runs_with_different_values_are_not_joined() {
    let mut workspace = built();
    workspace.observe("raw", "r2");
    let first = full(&mut workspace, "1");
    let second = full(&mut workspace, "2");
    let plain = workspace.want(&[OSLO], Refresh::Stale);
    assert_eq!(value(&workspace, OSLO), "1");
    workspace.finish(OSLO, "v2");
    assert_eq!(workspace.outcome(first), Some(WantOutcome::Satisfied));
    assert_eq!((workspace.outcome(second), workspace.outcome(plain)), (None, None));
    assert_eq!(value(&workspace, OSLO), "2");
    workspace.finish(OSLO, "v3");
    assert_eq!(workspace.outcome(second), Some(WantOutcome::Satisfied));
    assert_eq!(value(&workspace, OSLO), "false");
    workspace.finish(OSLO, "v1");
    assert_eq!(workspace.outcome(plain), Some(WantOutcome::Satisfied));
    assert!(workspace.running().is_empty());
}

#[test]
fn queued_together_each_want_has_its_own_run() {
    let mut workspace = Workspace::new(&graph(), 1);
    workspace.observe("raw", "r1");
    workspace.want(&["a/city=rome"], Refresh::Stale);
    let plain = workspace.want(&[OSLO], Refresh::Stale);
    let by_hand = full(&mut workspace, "true");
    workspace.finish("a/city=rome", "v1");
    assert_eq!(value(&workspace, OSLO), "false");
    workspace.finish(OSLO, "v1");
    assert_eq!(workspace.outcome(plain), Some(WantOutcome::Satisfied));
    assert_eq!(value(&workspace, OSLO), "true");
    // What made it with the values of another does not fail with that.
    workspace.end(OSLO, AttemptOutcome::Failure { permanent: true });
    assert_eq!(workspace.outcome(by_hand), Some(WantOutcome::Failed));
}

#[test]
fn the_failure_of_a_run_by_hand_is_not_that_of_others() {
    let mut workspace = built();
    workspace.observe("raw", "r2");
    let by_hand = full(&mut workspace, "true");
    let plain = workspace.want(&["b/city=oslo"], Refresh::Stale);
    workspace.fail(OSLO);
    assert_eq!(workspace.outcome(by_hand), Some(WantOutcome::Failed));
    assert_eq!(workspace.outcome(plain), None);
    assert_eq!(value(&workspace, OSLO), "false");
    workspace.finish(OSLO, "v2");
    workspace.finish("b/city=oslo", "v2");
    assert_eq!(workspace.outcome(plain), Some(WantOutcome::Satisfied));
}

#[test]
fn a_canceled_invocation_stops_its_run_and_leaves_nothing_queued() {
    let mut workspace = built();
    workspace.observe("raw", "r2");
    let plain = workspace.want(&[OSLO], Refresh::Stale);
    let run = workspace.run(OSLO);
    let by_hand = full(&mut workspace, "true");
    workspace.step(Input::CancelWant(by_hand)).reply.unwrap();
    assert_eq!(workspace.run(OSLO), run);
    workspace.finish(OSLO, "v2");
    assert_eq!(workspace.outcome(plain), Some(WantOutcome::Satisfied));
    assert!(workspace.running().is_empty());
    let by_hand = full(&mut workspace, "true");
    let plain = workspace.want(&[OSLO], Refresh::All);
    workspace.step(Input::CancelWant(by_hand)).reply.unwrap();
    // Nobody waits for that run any more, though somebody waits for the partition.
    workspace.end(OSLO, AttemptOutcome::Canceled);
    assert_eq!(value(&workspace, OSLO), "false");
    workspace.finish(OSLO, "v3");
    assert_eq!(workspace.outcome(plain), Some(WantOutcome::Satisfied));
}

#[test]
fn what_others_wanted_behind_an_invocation_is_not_left_queued() {
    let mut workspace = built();
    let by_hand = full(&mut workspace, "true");
    let plain = workspace.want(&[OSLO], Refresh::All);
    workspace.step(Input::CancelWant(plain)).reply.unwrap();
    workspace.finish(OSLO, "v2");
    assert_eq!(workspace.outcome(by_hand), Some(WantOutcome::Satisfied));
    assert!(workspace.running().is_empty());
    let state = &workspace.core.state;
    assert!(state.graph().jobs().all(|(job, _)| state.work(job).todo.is_empty()), "nobody wants it");
}

#[test]
fn a_retry_a_crash_and_another_graph_keep_the_values() {
    let mut workspace = built();
    let want = full(&mut workspace, "true");
    workspace.end(OSLO, AttemptOutcome::Failure { permanent: false });
    workspace.restart(&[]);
    workspace.later(60);
    assert_eq!(value(&workspace, OSLO), "true");
    assert_eq!(workspace.attempt(OSLO).attempt.number, 2);
    workspace.restart(&[]);
    assert_eq!((value(&workspace, OSLO).as_str(), workspace.attempt(OSLO).attempt.number), ("true", 3));
    workspace.register(&graph().code("make_b", "newer"));
    workspace.finish(OSLO, "v2");
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
}

#[test]
fn a_parameter_that_is_gone_ends_what_waits_for_it() {
    let mut workspace = Workspace::new(&graph(), 1);
    workspace.observe("raw", "r1");
    workspace.want(&["a/city=rome"], Refresh::Stale);
    let want = full(&mut workspace, "true");
    workspace.register(&graph().change("make_a", |job| job.params.clear()));
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Failed));
    assert_eq!(workspace.causes(want), ["//:make_a has no parameter `full` any more"]);
}

#[test]
fn a_parameter_that_goes_ends_the_wait_once_its_run_is_superseded() {
    let mut workspace = built();
    let want = full(&mut workspace, "true");
    let without = graph().change("make_a", |job| job.params.clear());
    workspace.register(&without);
    assert_eq!(workspace.outcome(want), None, "its run is under way");
    workspace.end(OSLO, AttemptOutcome::Failure { permanent: false });
    workspace.register(&without.code("make_a", "newer"));
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Failed));
    assert!(workspace.ordered.is_empty());
    assert_eq!(workspace.causes(want), ["//:make_a has no parameter `full` any more"]);
}

#[test]
fn the_lease_says_the_values() {
    let mut workspace = built();
    let from = workspace.log.len();
    full(&mut workspace, "true");
    let lease = workspace.log[from..].iter().find_map(|record| match &record.event {
        Event::AttemptLeased(lease) => Some(lease.params.clone()),
        _ => None,
    });
    assert_eq!(lease, Some(params("full", "true")));
}

#[test]
fn a_checkpoint_keeps_what_is_invoked() {
    let mut workspace = built();
    workspace.observe("raw", "r2");
    workspace.want(&[OSLO], Refresh::Stale);
    full(&mut workspace, "true");
    let state = &workspace.core.state;
    let content = graph().json();
    let restored = databuild_core::state::State::restore(state.dump(), |_| Some(content.as_str().into()));
    assert_eq!(restored.unwrap().dump(), state.dump());
    let work = &state.dump().work[0];
    assert_eq!((&work.todo, &work.by_hand), (&work.by_hand, &work.todo), "queued for the invocation alone");
}

#[test]
fn what_cannot_be_invoked_is_refused() {
    let mut workspace = built();
    let mut refused = |job: &str, targets: &[&str], name: &str, value: &str| {
        let from = workspace.log.len();
        let given = if name.is_empty() { Params::new() } else { params(name, value) };
        let refusal = invoke(&mut workspace, job, targets, given).unwrap_err();
        assert_eq!(workspace.log.len(), from);
        (refusal.code(), refusal.to_string())
    };
    assert_eq!(refused("make_x", &[OSLO], "", "").0, "unknown_job");
    assert_eq!(refused("make_a", &["b"], "", ""), ("not_of_job", "`b` is not made by //:make_a".to_owned()));
    assert_eq!(refused("make_a", &["raw"], "", "").0, "not_of_job");
    assert_eq!(refused("make_a", &[], "", "").0, "no_targets");
    let (code, message) = refused("make_a", &[OSLO], "all", "1");
    assert_eq!((code, message.as_str()), ("unknown_param", "//:make_a has no parameter `all`; it has full"));
    assert_eq!(
        refused("make_b", &["b"], "all", "1").1,
        "//:make_b has no parameter `all`; declare it in `params` of databuild_job"
    );
    assert_eq!(refused("make_a", &[OSLO], "full", &"x".repeat(4097)).0, "bad_param");
    let mut two = graph();
    two.file.jobs[0].label = "//x:make_b".to_owned();
    workspace.register(&two);
    let refusal = invoke(&mut workspace, "make_b", &["b"], Params::new()).unwrap_err();
    assert_eq!(refusal.to_string(), "`make_b` may mean //:make_b or //x:make_b; write the label");
}

#[test]
fn a_run_of_another_graph_that_makes_only_a_part_does_not_end_an_invocation() {
    let dims = [listed("city", &["oslo", "rome"])];
    let with_params = |job: &mut databuild_core::graph::file::JobEntry| job.params = params("full", "false");
    let split = GraphSpec::new()
        .external("raw", &[])
        .job("make_a", &["a"], &dims, vec![reads("raw")])
        .with(with_params)
        .job("make_also", &["also"], &dims, vec![reads("raw")])
        .with(with_params);
    let mut workspace = Workspace::new(&split, 1);
    workspace.observe("raw", "r1");
    workspace.want(&["a/city=rome"], Refresh::All);
    let class = PriorityClass::Backfill;
    let asked = InvokeRequest {
        job: "make_also".to_owned(),
        params: params("full", "false"),
        want: WantRequest { class, ..request(&["also/city=oslo"], Refresh::Stale) },
    };
    let Reply::Want(want) = workspace.step(Input::Invoke(asked, Sightings::default())).reply.unwrap() else {
        panic!("an invocation is answered with a want")
    };
    workspace.want(&[OSLO], Refresh::All);
    workspace.finish("a/city=rome", "v1");
    assert_eq!(workspace.running(), [OSLO]);
    // One job makes both again, while the part that is only `a` is under way.
    workspace.register(&graph());
    workspace.finish(OSLO, "v1");
    assert_eq!(workspace.outcome(want), None);
    assert_eq!(workspace.running(), [OSLO]);
    workspace.finish(OSLO, "v2");
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
}
