//! Changes of jobs that somebody judged harmless.

mod support;

use databuild_core::decide::{AcceptRequest, Input, Refusal, Reply};
use databuild_core::event::{Event, Refresh};
use databuild_core::graph::OnCodeChange;
use std::collections::BTreeMap;
use support::graphs::{listed, reads, GraphSpec};
use support::workspace::Workspace;

fn graph() -> GraphSpec {
    let dims = [listed("city", &["oslo", "rome"])];
    GraphSpec::new()
        .external("raw", &[])
        .job("make_a", &["a", "also"], &dims, vec![reads("raw")])
        .job("make_b", &["b"], &dims, vec![reads("a")])
        .files()
}

fn built() -> Workspace {
    let mut workspace = Workspace::new(&graph(), 4);
    workspace.observe("raw", "r1");
    workspace.want(&["b", "also"], Refresh::Stale);
    workspace.finish_all("v1");
    workspace
}

fn request(targets: &[&str]) -> AcceptRequest {
    AcceptRequest {
        targets: targets.iter().map(|text| (*text).to_owned()).collect(),
        job: None,
        reason: "a comment".to_owned(),
        evidence: String::new(),
    }
}

fn accept(workspace: &mut Workspace, targets: &[&str]) -> Result<Reply, Refusal> {
    workspace.step(Input::Accept(request(targets))).reply
}

const ONE: Result<Reply, Refusal> = Ok(Reply::Judged { partitions: 1, followers: BTreeMap::new() });
const TWO: Result<Reply, Refusal> = Ok(Reply::Judged { partitions: 2, followers: BTreeMap::new() });

#[test]
fn what_older_code_made_counts_as_made_by_todays() {
    let mut workspace = built();
    workspace.register(&graph().code("make_a", "newer"));
    assert_eq!(workspace.verdict("a/city=oslo"), "code_changed");
    let from = workspace.log.len();
    assert_eq!(accept(&mut workspace, &["a/city=oslo"]), ONE);
    let Event::CodeAccepted(event) = &workspace.log[from].event else { panic!("one event") };
    assert_eq!(event.partitions, ["a/city=oslo"]);
    assert_eq!((event.from.len(), event.from[0].code.as_str()), (1, "code of make_a"));
    assert_eq!(event.to.code, "newer");
    assert_eq!(workspace.log.len(), from + 1);
    // All outputs of the job, and nothing else.
    assert_eq!(workspace.verdict("a/city=oslo"), "current");
    assert_eq!(workspace.verdict("also/city=oslo"), "current");
    assert_eq!(workspace.verdict("a/city=rome"), "code_changed");
    workspace.restart(&[]);
    assert_eq!(workspace.verdict("a/city=oslo"), "current");
}

#[test]
fn a_further_change_ends_it_and_what_the_old_code_made_stays_current_under_that() {
    let mut workspace = built();
    workspace.register(&graph().code("make_a", "newer"));
    assert_eq!(accept(&mut workspace, &["a"]), TWO);
    workspace.register(&graph().code("make_a", "newest"));
    assert_eq!(workspace.verdict("a/city=oslo"), "code_changed");
    // An acceptance adds to what counts, and takes nothing away: neither what made it nor what was accepted before.
    assert_eq!(accept(&mut workspace, &["a"]), TWO);
    for graph in [graph(), graph().code("make_a", "newer"), graph().code("make_a", "newest")] {
        workspace.register(&graph);
        assert_eq!(workspace.verdict("a/city=oslo"), "current");
        workspace.want(&["b", "also"], Refresh::Stale);
        assert!(workspace.ordered.is_empty());
    }
    // What is built anew is what the code of today made, and nothing else.
    workspace.want(&["a/city=oslo"], Refresh::All);
    workspace.finish_all("v2");
    workspace.register(&graph().code("make_a", "newer"));
    assert_eq!(workspace.verdict("a/city=oslo"), "code_changed");
    assert_eq!(workspace.verdict("a/city=rome"), "current");
    workspace.restart(&[]);
    assert_eq!(workspace.verdict("a/city=rome"), "current");
}

#[test]
fn an_acceptance_makes_plans_outdated_that_were_made_before_it() {
    let mut workspace = built();
    workspace.register(&graph().code("make_a", "newer"));
    let plan = workspace.plan(&["a"], Refresh::Stale);
    accept(&mut workspace, &["a/city=oslo"]).unwrap();
    assert!(matches!(workspace.apply(plan.plan), Err(Refusal::PlanOutdated { .. })));
}

#[test]
fn code_and_arguments_are_accepted_together_and_nothing_else_is_hidden() {
    let mut workspace = built();
    let both =
        graph().code("make_a", "newer").change("make_a", |job| job.program.args = vec!["--fast".into()]);
    let moved = both.clone().dataset("a", |d| d.path = Some("elsewhere/{city}".into()));
    workspace.register(&both);
    assert_eq!(accept(&mut workspace, &["a/city=oslo"]), ONE);
    assert_eq!(workspace.verdict("a/city=oslo"), "current");
    workspace.register(&moved);
    assert_eq!(workspace.verdict("a/city=oslo"), "template_changed");
    // Of the other, code and arguments can be accepted, and its place is still another.
    assert_eq!(accept(&mut workspace, &["a/city=rome"]), ONE);
    assert_eq!(workspace.verdict("a/city=rome"), "template_changed");
    workspace.register(&both);
    workspace.observe("raw", "r2");
    assert_eq!(workspace.verdict("a/city=rome"), "inputs_changed");
    workspace.lose("a/city=rome");
    assert_eq!(workspace.verdict("a/city=rome"), "file_missing");
}

#[test]
fn queued_work_that_is_accepted_is_cut_off() {
    let mut workspace = built();
    workspace.core.slots = 0;
    workspace.register(&graph().code("make_a", "newer"));
    let want = workspace.want(&["a"], Refresh::Stale);
    assert_eq!(accept(&mut workspace, &["a"]), TWO);
    workspace.step(Input::SetSlots(4));
    assert!(workspace.ordered.is_empty());
    assert!(workspace.outcome(want).is_some());
}

#[test]
fn what_makes_no_sense_is_refused() {
    let mut workspace = built();
    assert_eq!(accept(&mut workspace, &["a", "b", "raw"]), Err(Refusal::NothingToAccept));
    workspace.register(&graph().code("make_a", "newer"));
    assert_eq!(accept(&mut workspace, &["b"]), Err(Refusal::NothingToAccept));
    assert_eq!(accept(&mut workspace, &[]), Err(Refusal::NoTargets));
    let silent = AcceptRequest { reason: String::new(), ..request(&["a"]) };
    assert_eq!(workspace.step(Input::Accept(silent)).reply, Err(Refusal::NoReason));
    let of = |job: &str, targets: &[&str]| AcceptRequest { job: Some(job.to_owned()), ..request(targets) };
    let unknown = workspace.step(Input::Accept(of("//:nobody", &[]))).reply;
    assert_eq!(unknown, Err(Refusal::UnknownJob("//:nobody".to_owned())));
    let unclear = workspace.step(Input::Accept(of("make", &[]))).reply;
    assert_eq!(unclear, Err(Refusal::UnknownJob("make".to_owned())));
    let other = workspace.step(Input::Accept(of("//:make_b", &["a"]))).reply;
    assert!(matches!(other, Err(Refusal::NotOfJob { .. })), "{other:?}");
    // With a job alone, all that it made is meant.
    assert_eq!(workspace.step(Input::Accept(of("make_a", &[]))).reply, TWO);
}

#[test]
fn a_job_that_keeps_what_older_code_made_needs_no_acceptance() {
    let mut workspace = built();
    let keeps =
        |job: &mut databuild_core::graph::file::JobEntry| job.policy.on_code_change = OnCodeChange::Keep;
    workspace.register(&graph().code("make_a", "newer").change("make_a", keeps));
    assert_eq!(workspace.verdict("a/city=oslo"), "current");
    assert_eq!(accept(&mut workspace, &["a"]), Err(Refusal::NothingToAccept));
    workspace.want(&["b", "also"], Refresh::Stale);
    assert!(workspace.ordered.is_empty());
    // Whoever keeps no longer sees the change again.
    workspace.register(&graph().code("make_a", "newer"));
    assert_eq!(workspace.verdict("a/city=oslo"), "code_changed");
}
