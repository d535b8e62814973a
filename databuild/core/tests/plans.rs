//! Plans that are kept: carried out exactly as they were shown, or refused with what changed.

mod support;

use databuild_core::decide::{
    Input, KeptPlans, PlanRequest, Refusal, Reply, Sighting, Sightings, MOST_PLANS,
};
use databuild_core::event::{
    AttemptOutcome, Event, PlanCreated, PlanRowKind, Refresh, RequestKey, WantOutcome,
};
use databuild_core::ids::{PlanId, WantId};
use databuild_core::state::{Made, State};
use std::sync::Arc;
use support::graphs::{days, listed, reads, GraphSpec};
use support::workspace::{applying, planning, request, Workspace};

/// `a` -> `b` -> `c`, one partition each; `raw` is read by `a`; `x` has nothing to do with them.
fn chain() -> GraphSpec {
    GraphSpec::new()
        .external("raw", &[])
        .job("make_a", &["a"], &[], vec![reads("raw")])
        .job("make_b", &["b"], &[], vec![reads("a")])
        .job("make_c", &["c"], &[], vec![reads("b")])
        .job("make_x", &["x"], &[], vec![])
}

fn workspace() -> Workspace {
    let mut workspace = Workspace::new(&chain(), 4);
    workspace.observe("raw", "r1");
    workspace
}

/// Job, kind and reason of each row.
fn rows(plan: &PlanCreated) -> Vec<(&str, PlanRowKind, &str)> {
    plan.rows.iter().map(|row| (row.job.as_str(), row.kind, row.reason.as_str())).collect()
}

fn changes(outcome: Result<WantId, Refusal>) -> Vec<String> {
    match outcome {
        Err(Refusal::PlanOutdated { changes, .. }) => changes,
        other => panic!("not outdated: {other:?}"),
    }
}

#[test]
fn what_was_shown_is_done() {
    let mut workspace = workspace();
    let plan = workspace.plan(&["c"], Refresh::Stale);
    use PlanRowKind::Certain;
    let expected = ["//:make_a", "//:make_b", "//:make_c"].map(|job| (job, Certain, "missing"));
    assert_eq!(rows(&plan), expected);
    assert!(workspace.running().is_empty(), "a plan does nothing");
    let want = workspace.apply(plan.plan).unwrap();
    assert_eq!(workspace.finish_all("v1"), ["a", "b", "c"]);
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
}

#[test]
fn less_than_was_shown_may_be_done() {
    let mut workspace = workspace();
    workspace.want(&["c"], Refresh::Stale);
    workspace.finish_all("v1");
    workspace.observe("raw", "r2");
    let plan = workspace.plan(&["c"], Refresh::Stale);
    use PlanRowKind::{Certain, IfChanged};
    let expected = [
        ("//:make_a", Certain, "inputs_changed"),
        ("//:make_b", IfChanged, "upstream_built"),
        ("//:make_c", IfChanged, "upstream_built"),
    ];
    assert_eq!(rows(&plan), expected);
    let want = workspace.apply(plan.plan).unwrap();
    // It comes out as it was, so what reads it is left alone.
    assert_eq!(workspace.finish_all("v1"), ["a"]);
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
}

#[test]
fn a_plan_of_something_else_is_refused_and_says_what() {
    const ANOTHER_JOB: &str =
        "job //:make_b is not as it was (its code, arguments, environment, paths or inputs)";
    /// What happens after the plan for `c` was made, and what the refusal says; nothing = it is applied.
    type Case = (&'static str, fn(&mut Workspace), &'static [&'static str]);
    let cases: [Case; 13] = [
        ("nothing", |_| {}, &[]),
        ("time", |w| w.later(3_600), &[]),
        ("the same data again", |w| w.observe("raw", "r1"), &[]),
        ("other data", |w| w.observe("raw", "r2"), &["`raw` is not as it was"]),
        ("lost data", |w| w.lose("raw"), &["`raw` is not as it was"]),
        (
            "somebody builds it",
            |w| {
                w.want(&["a"], Refresh::Stale);
                w.finish_all("v2");
            },
            &["`a` is not as it was"],
        ),
        (
            "somebody is building it",
            |w| {
                w.want(&["b"], Refresh::Stale);
            },
            &["`a` is not as it was", "`b` is not as it was"],
        ),
        (
            "somebody built something else",
            |w| {
                w.want(&["x"], Refresh::Stale);
                w.finish_all("v1");
            },
            &[],
        ),
        ("other code", |w| w.register(&chain().code("make_b", "other")), &[ANOTHER_JOB]),
        (
            "other arguments",
            |w| w.register(&chain().change("make_b", |job| job.program.args = vec!["-v".into()])),
            &[ANOTHER_JOB],
        ),
        ("other code elsewhere", |w| w.register(&chain().code("make_x", "other")), &[]),
        (
            "another number of retries",
            |w| w.register(&chain().change("make_b", |job| job.policy.retries = 4)),
            &[],
        ),
        (
            "a graph without it",
            |w| w.register(&GraphSpec::new().job("make_x", &["x"], &[], vec![])),
            &["`c` is not in the graph any more"],
        ),
    ];
    for (case, happens, expected) in cases {
        let mut workspace = workspace();
        let plan = workspace.plan(&["c"], Refresh::Stale);
        happens(&mut workspace);
        let from = workspace.log.len();
        let applied = workspace.apply(plan.plan);
        if expected.is_empty() {
            let want = applied.unwrap_or_else(|refusal| panic!("{case}: {refusal}"));
            assert_eq!(workspace.finish_all("v1"), ["a", "b", "c"], "{case}");
            assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied), "{case}");
            continue;
        }
        assert_eq!(changes(applied), expected, "{case}");
        assert_eq!(workspace.log.len(), from, "{case}: a refusal records nothing");
    }
}

#[test]
fn a_look_at_the_files_comes_before_the_decision() {
    let mut workspace = workspace();
    let plan = workspace.plan(&["c"], Refresh::Stale);
    let state = &workspace.core.state;
    let (dataset, key) = state.resolve_one("raw").unwrap();
    let graph = Some(state.registered().id.clone());
    let version = |version: &str| Sightings {
        graph: graph.clone(),
        seen: vec![Sighting::Content { dataset, key: key.clone(), version: version.to_owned(), mark: 5 }],
        unseen: Vec::new(),
    };
    let (other, same) = (version("r2"), version("r1"));
    let from = workspace.log.len();
    let refused = workspace.step(Input::ApplyPlan(applying(plan.plan), other)).reply;
    assert!(matches!(refused, Err(Refusal::PlanOutdated { .. })), "{refused:?}");
    assert_eq!(workspace.log.len(), from, "a refusal records nothing");
    // Touched, and the same bytes.
    workspace.step(Input::ApplyPlan(applying(plan.plan), same)).reply.unwrap();
    assert_eq!(workspace.kinds_since(from), ["observed", "want_created", "attempt_leased"]);
}

#[test]
fn a_request_sent_again_under_its_key_makes_one_plan() {
    let mut workspace = workspace();
    let ask = |workspace: &mut Workspace, key: &str, digest: &str| {
        let key = Some(RequestKey { key: key.to_owned(), digest: digest.to_owned() });
        let request = PlanRequest { key, ..planning(&["c"], Refresh::Stale) };
        workspace.step(Input::CreatePlan(request, Sightings::default())).reply
    };
    let Ok(Reply::Planned { plan, kept: true }) = ask(&mut workspace, "k", "d") else {
        panic!("a plan is kept")
    };
    let made = Made::Plan(plan.plan);
    let log = workspace.log.len();
    assert_eq!(ask(&mut workspace, "k", "d"), Ok(Reply::Repeated(made)));
    assert_eq!(workspace.log.len(), log, "nothing more was recorded");
    let reused = Refusal::KeyReused { key: "k".to_owned(), made };
    assert_eq!(ask(&mut workspace, "k", "another"), Err(reused));
    // Also by a server that folded the log.
    let mut folded = State::default();
    workspace.log.iter().for_each(|record| folded.apply(record).unwrap());
    assert_eq!(folded.dump(), workspace.core.state.dump());
    workspace.core.state = folded;
    assert_eq!(ask(&mut workspace, "k", "d"), Ok(Reply::Repeated(made)));
    let Ok(Reply::Planned { plan: other, .. }) = ask(&mut workspace, "k2", "d") else {
        panic!("a new key is new")
    };
    assert_ne!(other.plan, plan.plan);
}

#[test]
fn plans_expire_and_make_room() {
    let mut workspace = workspace();
    let request = PlanRequest { expires_seconds: Some(60), ..planning(&["c"], Refresh::Stale) };
    let (plan, _) = workspace.try_plan(request);
    workspace.later(59);
    assert!(workspace.core.state.plans().contains_key(&plan.plan));
    workspace.later(1);
    assert_eq!(workspace.apply(plan.plan), Err(Refusal::PlanExpired(plan.plan)));
    let next = workspace.plan(&["c"], Refresh::Stale);
    assert_eq!(workspace.core.state.plans().keys().collect::<Vec<_>>(), [&next.plan]);
    assert_eq!(workspace.apply(plan.plan), Err(Refusal::PlanExpired(plan.plan)), "its id is remembered");
    let unknown = PlanId(next.plan.0 + 1);
    assert_eq!(workspace.apply(unknown), Err(Refusal::UnknownPlan(unknown)));
    assert_eq!(workspace.apply(PlanId(0)), Err(Refusal::UnknownPlan(PlanId(0))));

    for _ in 0..MOST_PLANS {
        workspace.plan(&["c"], Refresh::Stale);
    }
    assert_eq!(workspace.core.state.plans().len(), MOST_PLANS);
    assert_eq!(workspace.apply(next.plan), Err(Refusal::PlanExpired(next.plan)), "the oldest went");
}

#[test]
fn nothing_to_do_is_not_kept() {
    let mut workspace = workspace();
    workspace.want(&["c"], Refresh::Stale);
    workspace.finish_all("v1");
    let from = workspace.log.len();
    let (plan, kept) = workspace.try_plan(planning(&["c"], Refresh::Stale));
    assert_eq!((kept, plan.rows.len(), plan.current), (false, 0, 4 - 1));
    assert_eq!(workspace.log.len(), from);
}

#[test]
fn what_is_kept_of_a_plan_holds_until_what_it_rests_on_changes() {
    let mut workspace = workspace();
    let plan = workspace.plan(&["c"], Refresh::Stale);
    let kept = KeptPlans::default();
    let first = kept.changes(&workspace.core.state, &plan);
    assert_eq!(*first, [] as [String; 0]);
    workspace.want(&["x"], Refresh::Stale);
    workspace.finish_all("v1");
    workspace.plan(&["x"], Refresh::All);
    let same = kept.changes(&workspace.core.state, &plan);
    assert!(Arc::ptr_eq(&first, &same), "it is worked out again for what it does not rest on");
    workspace.observe("raw", "r2");
    assert_eq!(*kept.changes(&workspace.core.state, &plan), ["`raw` is not as it was".to_owned()]);
    workspace.register(&chain().code("make_b", "other"));
    assert_eq!(kept.changes(&workspace.core.state, &plan).len(), 2);
}

#[test]
fn a_run_that_is_to_stop_is_not_counted_on_any_more() {
    let mut workspace = workspace();
    workspace.want(&["a"], Refresh::Stale);
    let plan = workspace.plan(&["c"], Refresh::Stale);
    assert_eq!(rows(&plan)[0], ("//:make_a", PlanRowKind::UnderWay, "under_way"));
    let kept = KeptPlans::default();
    assert_eq!(*kept.changes(&workspace.core.state, &plan), [] as [String; 0]);
    let run = *workspace.core.state.runs().keys().next().unwrap();
    workspace.step(Input::CancelRun(run)).reply.unwrap();
    let anew = KeptPlans::default().changes(&workspace.core.state, &plan);
    assert!(!anew.is_empty());
    assert_eq!(kept.changes(&workspace.core.state, &plan), anew);
}

#[test]
fn an_applied_plan_is_applied_again_only_if_it_still_holds() {
    let mut workspace = workspace();
    let plan = workspace.plan(&["c"], Refresh::Stale).plan;
    workspace.apply(plan).unwrap();
    assert_eq!(changes(workspace.apply(plan)).len(), 3, "it is under way");
    workspace.finish_all("v1");
    assert_eq!(changes(workspace.apply(plan)).len(), 3, "it is done");

    // Nothing came of it, so it is as it was.
    let mut workspace = self::workspace();
    let plan = workspace.plan(&["c"], Refresh::Stale).plan;
    workspace.apply(plan).unwrap();
    workspace.end("a", AttemptOutcome::Failure { permanent: true });
    let again = workspace.apply(plan).unwrap();
    workspace.finish_all("v1");
    assert_eq!(workspace.outcome(again), Some(WantOutcome::Satisfied));
}

#[test]
fn key_spaces_are_read_as_of_the_plan() {
    let daily = [days("date", "2010-01-30", "")];
    let graph = GraphSpec::new().job("make", &["daily"], &daily, vec![]);
    let mut workspace = Workspace::new(&graph, 9);
    let request = PlanRequest { expires_seconds: Some(200_000), ..planning(&["daily"], Refresh::Stale) };
    let (plan, _) = workspace.try_plan(request);
    assert_eq!(plan.rows[0].partitions, ["daily/date=2010-01-30..2010-01-31"]);
    workspace.later(86_400);
    // Somebody looks at the later day meanwhile; the plan is for those of its own time.
    workspace.want(&["daily/date=2010-02-01"], Refresh::Stale);
    workspace.finish_all("v1");
    workspace.apply(plan.plan).unwrap();
    assert_eq!(workspace.finish_all("v1"), ["daily/date=2010-01-30", "daily/date=2010-01-31"]);
}

#[test]
fn an_instant_of_the_past_means_the_keys_of_then() {
    let daily = [days("date", "2010-01-29", "")];
    let graph = GraphSpec::new().job("make", &["daily"], &daily, vec![]);
    let mut workspace = Workspace::new(&graph, 9);
    let as_of = "2010-01-31T12:00:00Z".parse().unwrap();
    let (plan, _) =
        workspace.try_plan(PlanRequest { as_of: Some(as_of), ..planning(&["daily"], Refresh::Stale) });
    assert_eq!(
        (plan.as_of, &plan.rows[0].partitions[..]),
        (as_of, &["daily/date=2010-01-29..2010-01-30".to_owned()][..])
    );

    let mut early = request(&["daily/date=2010-01-31"], Refresh::Stale);
    early.as_of = Some(as_of);
    let refused = workspace.try_want(early).unwrap_err().to_string();
    assert!(refused.contains("2010-01-31"), "{refused}");
    let mut past = request(&["daily"], Refresh::Stale);
    past.as_of = Some(as_of);
    let want = workspace.try_want(past).unwrap();
    assert_eq!(workspace.finish_all("v1"), ["daily/date=2010-01-29", "daily/date=2010-01-30"]);
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
    // Nobody else is held to that instant.
    workspace.want(&["daily"], Refresh::Stale);
    assert_eq!(workspace.finish_all("v1"), ["daily/date=2010-01-31"]);
}

/// A want that carries out a plan for `c` in which `a` is current and `b` and `c` are to be built, with
/// one place that something else takes, so that nothing of it has begun.
fn waiting() -> (Workspace, WantId) {
    let mut workspace = workspace();
    workspace.want(&["a"], Refresh::Stale);
    workspace.finish_all("v1");
    workspace.step(Input::SetSlots(1)).reply.unwrap();
    workspace.want(&["x"], Refresh::Stale);
    let plan = workspace.plan(&["c"], Refresh::Stale);
    assert_eq!(plan.rows.iter().map(|row| row.job.as_str()).collect::<Vec<_>>(), ["//:make_b", "//:make_c"]);
    let want = workspace.apply(plan.plan).unwrap();
    (workspace, want)
}

#[test]
fn nothing_is_ever_added() {
    // What it was to be made from goes, or its maker changes: a want of its own would build `a` again.
    type Change = fn(&mut Workspace);
    let changes: [(&str, Change); 2] = [
        ("an input goes", |w| w.lose("a")),
        ("upstream code changes", |w| w.register(&chain().code("make_a", "other"))),
    ];
    for (case, change) in changes {
        let (mut workspace, want) = waiting();
        change(&mut workspace);
        workspace.finish("x", "v1");
        assert_eq!(workspace.outcome(want), Some(WantOutcome::Failed), "{case}");
        assert!(workspace.running().is_empty(), "{case}: {:?}", workspace.running());
        let reason = "`a` would have to be built, which p1 does not have; plan again";
        assert_eq!(workspace.causes(want), [reason, reason], "{case}");
    }
}

#[test]
fn what_others_add_is_waited_for() {
    let (mut workspace, want) = waiting();
    let other = workspace.want(&["c"], Refresh::Stale);
    workspace.lose("a");
    assert_eq!(workspace.finish_all("v2"), ["x", "a", "b", "c"]);
    for want in [want, other] {
        assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
    }
}

#[test]
fn a_plan_survives_a_restart() {
    let mut workspace = workspace();
    let plan = workspace.plan(&["c"], Refresh::All);
    workspace.restart(&[]);
    workspace.apply(plan.plan).unwrap();
    let created = workspace.log.iter().find_map(|record| match &record.event {
        Event::WantCreated(created) => Some((created.plan, created.refresh)),
        _ => None,
    });
    assert_eq!(created, Some((Some(plan.plan), Refresh::All)));
    assert_eq!(workspace.finish_all("v1"), ["a", "b", "c"]);
}

#[test]
fn a_large_plan_is_a_small_event_and_says_where_it_changed() {
    let daily = [days("date", "2000-01-01", "2009-12-31")];
    let graph = GraphSpec::new().external("raw", &daily).job("make", &["daily"], &daily, vec![reads("raw")]);
    let mut workspace = Workspace::new(&graph, 0);
    let (dataset, all) = workspace.core.state.resolve_at("raw", workspace.now).unwrap();
    let content = |key| Sighting::Content { dataset, key, version: "r1".to_owned(), mark: 0 };
    workspace.see(all.iter().map(content).collect());
    let plan = workspace.plan(&["daily"], Refresh::Stale);
    let digests: usize = plan.grounds.datasets.iter().map(|ground| ground.digests.len()).sum();
    assert!(digests <= 2 * 256, "{digests}");
    assert_eq!(plan.rows.len(), 1);
    workspace.observe("raw/date=2005-06-15", "r2");
    let changes = changes(workspace.apply(plan.plan));
    assert_eq!(changes.len(), 1);
    assert!(changes[0].starts_with("something in `raw/date=2005-06-"), "{changes:?}");
}

#[test]
fn what_reads_more_than_it_was_made_from_is_certain_to_be_built() {
    let listing = |keys: &[&str]| {
        let name = [listed("name", keys)];
        GraphSpec::new()
            .job("make", &["part"], &name, vec![])
            .job("join", &["whole"], &[], vec![reads("part").all("name")])
            .job("copy", &["copy"], &[], vec![reads("whole")])
    };
    let mut workspace = Workspace::new(&listing(&["a", "b"]), 4);
    workspace.want(&["copy"], Refresh::Stale);
    workspace.finish_all("v1");
    workspace.register(&listing(&["a", "b", "c"]));
    let plan = workspace.plan(&["copy"], Refresh::Stale);
    let rows: Vec<_> =
        plan.rows.iter().map(|row| (row.partitions[0].as_str(), row.kind, row.reason.as_str())).collect();
    let expected = [
        ("part/name=c", PlanRowKind::Certain, "missing"),
        ("whole", PlanRowKind::Certain, "inputs_changed"),
        ("copy", PlanRowKind::IfChanged, "upstream_built"),
    ];
    assert_eq!(rows, expected);
}
