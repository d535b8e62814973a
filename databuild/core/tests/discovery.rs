//! Inputs that nobody declared: a run finds that it needs them, waits, and goes on.

mod support;

use databuild_core::decide::{Input, Judgement, Sightings};
use databuild_core::event::{AttemptOutcome, Event, Refresh, WantOutcome};
use databuild_core::ids::{RunId, WantId};
use databuild_core::observation::Blindness;
use databuild_core::partition_set::PartitionSet;
use databuild_core::planner;
use databuild_core::state::{Phase, Verdict};
use support::graphs::{listed, reads, GraphSpec};
use support::workspace::{planning, request, Workspace};

/// `page` for each of three names; nobody declares that one may need another. `book` is made from all.
fn pages() -> GraphSpec {
    let name = [listed("name", &["a", "b", "c"])];
    GraphSpec::new()
        .external("raw", &[])
        .job("typeset", &["page"], &name, vec![])
        .job("write", &["text"], &name, vec![reads("raw")])
        .job("bind", &["book"], &[], vec![reads("page").all("name")])
}

fn workspace() -> Workspace {
    let mut workspace = Workspace::new(&pages(), 4);
    workspace.observe("raw", "r1");
    workspace
}

fn missing(workspace: &mut Workspace, partition: &str, needs: &[&str]) {
    let partitions = needs.iter().map(|text| (*text).to_owned()).collect();
    workspace.end(partition, AttemptOutcome::MissingInput { partitions });
}

fn suspended_on(workspace: &Workspace, run: RunId) -> Option<WantId> {
    workspace.core.state.runs().get(&run).and_then(|run| run.suspended)
}

fn last_failure(workspace: &Workspace) -> String {
    let found = workspace.log.iter().rev().find_map(|record| match &record.event {
        Event::RunEnded(ended) => Some(ended.message.clone()),
        _ => None,
    });
    found.expect("some run ended")
}

fn verdict(workspace: &Workspace, text: &str) -> Verdict {
    let mut state = workspace.core.state.clone();
    let (ix, set) = state.resolve(text).unwrap();
    let job = state.graph().dataset(ix).producer.unwrap();
    state.settle(job, &set);
    state.verdict(job, &set.first().unwrap())
}

#[test]
fn a_run_waits_for_what_it_finds_it_needs_and_then_goes_on() {
    let mut workspace = workspace();
    let want = workspace.want(&["page/name=a"], Refresh::Stale);
    let run = workspace.run("page/name=a");
    let held = workspace.log.len();
    missing(&mut workspace, "page/name=a", &["text/name=b"]);
    let kinds = ["attempt_ended", "want_created", "run_suspended", "attempt_leased"];
    assert_eq!(workspace.kinds_since(held), kinds);
    let child = suspended_on(&workspace, run).expect("it waits");
    assert_eq!(workspace.core.state.wants()[&child].parent, Some(run));
    assert_eq!(workspace.running(), ["text/name=b"]);

    workspace.finish("text/name=b", "t1");
    assert_eq!(workspace.outcome(child), Some(WantOutcome::Satisfied));
    let spec = workspace.attempt("page/name=a");
    assert_eq!((spec.attempt.run, spec.attempt.number), (run, 2));
    let given: Vec<_> =
        spec.discovered.iter().map(|(ix, key)| workspace.core.state.partition_text(*ix, key)).collect();
    assert_eq!(given, ["text/name=b"]);
    assert_eq!(workspace.core.state.runs()[&run].failures, 0, "it is no failure");
    workspace.finish("page/name=a", "p1");
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
    assert_eq!(verdict(&workspace, "page/name=a"), Verdict::Current);
}

#[test]
fn what_was_made_from_it_is_stale_when_it_changes() {
    let mut workspace = workspace();
    workspace.want(&["page/name=a"], Refresh::Stale);
    missing(&mut workspace, "page/name=a", &["text/name=b"]);
    workspace.finish("text/name=b", "t1");
    workspace.finish("page/name=a", "p1");
    workspace.want(&["text/name=b"], Refresh::All);
    workspace.finish("text/name=b", "t1");
    assert_eq!(verdict(&workspace, "page/name=a"), Verdict::Current, "the same data again");
    workspace.want(&["text/name=b"], Refresh::All);
    workspace.finish("text/name=b", "t2");
    assert_eq!(verdict(&workspace, "page/name=a"), Verdict::InputsChanged);
    // Another graph, and another start, change nothing of that.
    workspace.register(&pages().job("more", &["other"], &[], vec![]));
    workspace.restart(&[]);
    assert_eq!(verdict(&workspace, "page/name=a"), Verdict::InputsChanged);
    // A run that does not need it any more forgets it.
    workspace.want(&["page/name=a"], Refresh::Stale);
    workspace.finish("page/name=a", "p2");
    workspace.want(&["text/name=b"], Refresh::All);
    workspace.finish("text/name=b", "t3");
    assert_eq!(verdict(&workspace, "page/name=a"), Verdict::Current);
}

#[test]
fn what_is_there_already_is_given_at_once() {
    let mut workspace = workspace();
    workspace.want(&["text/name=b"], Refresh::Stale);
    workspace.finish("text/name=b", "t1");
    workspace.want(&["page/name=a"], Refresh::Stale);
    missing(&mut workspace, "page/name=a", &["text/name=b"]);
    assert_eq!(workspace.attempt("page/name=a").attempt.number, 2);
    // Who has it and says so again will do so forever.
    missing(&mut workspace, "page/name=a", &["text/name=b"]);
    let told = "it reports `text/name=b` as missing, which is there and was in its request";
    assert_eq!(last_failure(&workspace), told);
}

#[test]
fn a_run_cannot_wait_for_what_it_makes_itself() {
    // Before it was ever made, and once it is there.
    for made in [false, true] {
        let mut workspace = workspace();
        if made {
            workspace.want(&["page/name=a"], Refresh::Stale);
            workspace.finish("page/name=a", "p1");
        }
        let want = workspace.want(&["page/name=a"], Refresh::All);
        missing(&mut workspace, "page/name=a", &["page/name=a"]);
        assert_eq!(last_failure(&workspace), "it reports `page/name=a` as missing, which it makes itself");
        assert_eq!(workspace.outcome(want), Some(WantOutcome::Failed), "made before: {made}");
    }
}

#[test]
fn what_cannot_be_made_fails_the_run_with_its_cause() {
    let mut workspace = workspace();
    let want = workspace.want(&["page/name=a"], Refresh::Stale);
    missing(&mut workspace, "page/name=a", &["text/name=b"]);
    workspace.fail("text/name=b");
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Failed));
    let told = last_failure(&workspace);
    assert!(
        told.contains("it needs `text/name=b`, and w2 for that failed: text/name=b failed: as told"),
        "{told}"
    );

    workspace.lose("raw");
    workspace.want(&["page/name=a"], Refresh::Stale);
    missing(&mut workspace, "page/name=a", &["raw"]);
    assert!(last_failure(&workspace).contains("`raw` is external and not there"));
}

#[test]
fn nonsense_fails_the_run_and_says_what_is_wrong() {
    for (needs, told) in [
        (vec!["nothing/name=a"], "there is no dataset `nothing`"),
        (vec!["text/name=z"], "`z` is no key here"),
        (vec!["\u{0}"], "there is no dataset"),
        (vec!["page/name=a"], "reports `page/name=a` as missing, which it makes itself"),
        (vec!["book"], "is made from what it makes itself"),
    ] {
        let mut workspace = workspace();
        workspace.want(&["page/name=a"], Refresh::Stale);
        missing(&mut workspace, "page/name=a", &needs);
        assert!(workspace.core.state.runs().is_empty());
        assert!(last_failure(&workspace).contains(told), "{needs:?}: {}", last_failure(&workspace));
    }
}

#[test]
fn runs_that_wait_for_each_other_fail_and_are_named() {
    let mut workspace = workspace();
    let want = workspace.want(&["page"], Refresh::Stale);
    missing(&mut workspace, "page/name=a", &["page/name=b"]);
    missing(&mut workspace, "page/name=b", &["page/name=c"]);
    let held = workspace.log.len();
    missing(&mut workspace, "page/name=c", &["page/name=a"]);
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Failed));
    assert!(workspace.core.state.runs().is_empty() && workspace.core.state.wants().is_empty());
    let told = last_failure(&workspace);
    for part in [
        "runs wait for each other: page/name=c (r3) needs `page/name=a`",
        "page/name=a (r1) needs `page/name=b`",
        "page/name=b (r2) needs `page/name=c`",
    ] {
        assert!(told.contains(part), "{told}");
    }
    let ends = workspace.kinds_since(held).into_iter().filter(|kind| *kind == "run_ended").count();
    assert_eq!(ends, 3);
}

#[test]
fn a_taint_upstream_of_what_a_run_found_reaches_what_it_makes() {
    let mut workspace = workspace();
    workspace.want(&["page/name=a"], Refresh::Stale);
    missing(&mut workspace, "page/name=a", &["text/name=b"]);
    workspace.finish("text/name=b", "t1");
    assert_eq!(workspace.running(), ["page/name=a"]);
    let targets = vec!["raw".to_owned()];
    let judgement = Judgement { targets, reason: "zeros".to_owned() };
    workspace.step(Input::Taint(judgement, Sightings::default())).reply.unwrap();
    workspace.finish("page/name=a", "p1");
    assert_eq!(verdict(&workspace, "page/name=a"), Verdict::MadeFromTainted);
}

#[test]
fn a_run_that_cannot_wait_moves_no_clock() {
    let mut workspace = workspace();
    workspace.want(&["page/name=a"], Refresh::Stale);
    let planned = workspace.core.state.as_of();
    workspace.later(3_600);
    missing(&mut workspace, "page/name=a", &["book"]);
    assert!(
        last_failure(&workspace).contains("made from what it makes itself"),
        "{}",
        last_failure(&workspace)
    );
    // No event says that time went on, so after a crash it has not.
    assert_eq!(workspace.core.state.as_of(), planned);
}

#[test]
fn a_circle_through_declared_inputs_is_found() {
    // `b` of `x` is made from `a` of `y` by declaration, and `a` finds that it needs `b`.
    let name = [listed("name", &["a", "b"])];
    let graph = GraphSpec::new()
        .job("first", &["x"], &name, vec![])
        .job("second", &["y"], &name, vec![reads("x")])
        .job("third", &["z"], &name, vec![]);
    let mut workspace = Workspace::new(&graph, 4);
    workspace.want(&["z/name=a"], Refresh::Stale);
    missing(&mut workspace, "z/name=a", &["y/name=a"]);
    missing(&mut workspace, "x/name=a", &["z/name=a"]);
    assert!(last_failure(&workspace).contains("wait for each other"), "{}", last_failure(&workspace));
    assert!(workspace.core.state.runs().is_empty() && workspace.core.state.wants().is_empty());
}

#[test]
fn what_was_found_and_is_not_in_the_graph_any_more_makes_stale() {
    let mut workspace = workspace();
    workspace.want(&["page/name=a"], Refresh::Stale);
    missing(&mut workspace, "page/name=a", &["text/name=b"]);
    workspace.finish_all("v1");
    assert_eq!(verdict(&workspace, "page/name=a"), Verdict::Current);
    // Compared, so that nothing is suspect any more.
    workspace.want(&["page/name=a"], Refresh::Stale);
    let fewer = [listed("name", &["a", "c"])];
    workspace.register(&pages().dataset("text", |dataset| dataset.dims = fewer.to_vec()));
    assert_eq!(verdict(&workspace, "page/name=a"), Verdict::InputsChanged);
    workspace.register(&pages());
    assert_eq!(verdict(&workspace, "page/name=a"), Verdict::Current);
}

#[test]
fn suspension_survives_a_restart() {
    let mut workspace = workspace();
    workspace.want(&["page/name=a"], Refresh::Stale);
    let run = workspace.run("page/name=a");
    missing(&mut workspace, "page/name=a", &["text/name=b"]);
    let other = workspace.attempt("text/name=b").attempt;
    workspace.restart(&[other]);
    assert!(suspended_on(&workspace, run).is_some());
    workspace.finish("text/name=b", "t1");
    assert_eq!(workspace.attempt("page/name=a").attempt.number, 2);
}

#[test]
fn whoever_cancels_cancels_what_was_wanted_on_behalf() {
    let mut workspace = workspace();
    let want = workspace.want(&["page/name=a"], Refresh::Stale);
    let run = workspace.run("page/name=a");
    missing(&mut workspace, "page/name=a", &["text/name=b"]);
    let child = suspended_on(&workspace, run).unwrap();
    workspace.step(databuild_core::decide::Input::CancelWant(want)).reply.unwrap();
    assert_eq!(workspace.outcome(child), Some(WantOutcome::Canceled));
    assert!(workspace.core.state.wants().is_empty());

    // And the other way round: the run fails with it.
    workspace.finish_all("t1");
    let want = workspace.want(&["page/name=c"], Refresh::Stale);
    let run = workspace.run("page/name=c");
    missing(&mut workspace, "page/name=c", &["text/name=c"]);
    let child = suspended_on(&workspace, run).unwrap();
    workspace.step(databuild_core::decide::Input::CancelWant(child)).reply.unwrap();
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Failed));
    assert!(last_failure(&workspace).contains("was canceled"));
}

#[test]
fn a_want_that_carries_out_a_plan_adds_nothing() {
    let mut workspace = workspace();
    let plan = workspace.plan(&["page/name=a"], Refresh::Stale);
    workspace.apply(plan.plan).unwrap();
    missing(&mut workspace, "page/name=a", &["text/name=b"]);
    let told = last_failure(&workspace);
    assert!(told.contains("it needs `text/name=b` to be built, which p1 does not have"), "{told}");
}

#[test]
fn taint_follows_what_was_found() {
    let mut workspace = workspace();
    workspace.want(&["page/name=a"], Refresh::Stale);
    missing(&mut workspace, "page/name=a", &["text/name=b"]);
    workspace.finish("text/name=b", "t1");
    workspace.finish("page/name=a", "p1");
    let judgement = databuild_core::decide::Judgement {
        targets: vec!["text/name=b".to_owned()],
        reason: "wrong".to_owned(),
    };
    let sightings = databuild_core::decide::Sightings::default();
    workspace.step(databuild_core::decide::Input::Taint(judgement, sightings)).reply.unwrap();
    assert_eq!(verdict(&workspace, "page/name=a"), Verdict::MadeFromTainted);
}

#[test]
fn untainting_looks_at_what_was_found_too() {
    let mut workspace = workspace();
    workspace.want(&["book"], Refresh::Stale);
    missing(&mut workspace, "page/name=a", &["text/name=b", "raw"]);
    workspace.finish_all("v1");
    let judge = |target: &str| Judgement { targets: vec![target.to_owned()], reason: "zeros".to_owned() };
    workspace.step(Input::Taint(judge("text"), Sightings::default())).reply.unwrap();
    workspace.step(Input::Taint(judge("page/name=c"), Sightings::default())).reply.unwrap();
    assert_eq!(verdict(&workspace, "page/name=a"), Verdict::MadeFromTainted);
    // `book` was made from `page/name=a` as well, and that from the bad text.
    workspace.step(Input::Untaint(judge("page/name=c"))).reply.unwrap();
    assert_eq!(verdict(&workspace, "book"), Verdict::MadeFromTainted);
    workspace.step(Input::Untaint(judge("text"))).reply.unwrap();
    assert_eq!(verdict(&workspace, "page/name=a"), Verdict::Current);
    assert_eq!(verdict(&workspace, "book"), Verdict::Current);
}

#[test]
fn bad_data_that_a_run_found_keeps_bad_what_it_made() {
    let mut workspace = workspace();
    workspace.want(&["page/name=a"], Refresh::Stale);
    missing(&mut workspace, "page/name=a", &["text/name=b", "text/name=c"]);
    workspace.finish_all("v1");
    let judge = |target: &str| Judgement { targets: vec![target.to_owned()], reason: "zeros".to_owned() };
    workspace.step(Input::Taint(judge("text/name=b+c"), Sightings::default())).reply.unwrap();
    workspace.step(Input::Untaint(judge("text/name=b"))).reply.unwrap();
    assert_eq!(verdict(&workspace, "page/name=a"), Verdict::MadeFromTainted, "`text/name=c` is bad still");
    workspace.step(Input::Untaint(judge("text/name=c"))).reply.unwrap();
    assert_eq!(verdict(&workspace, "page/name=a"), Verdict::Current);
}

/// `report` finds which of `day` it needs; `day` is made from `raw` of that day. `sum` is made from `report`.
fn found_days() -> Workspace {
    let date = [listed("date", &["1", "2"])];
    let graph = GraphSpec::new()
        .external("raw", &date)
        .job("make_day", &["day"], &date, vec![reads("raw")])
        .job("write", &["report"], &[], vec![])
        .job("add", &["sum"], &[], vec![reads("report")]);
    let mut workspace = Workspace::new(&graph, 4);
    workspace.observe("raw/date=1", "r1");
    workspace.observe("raw/date=2", "r1");
    workspace
}

#[test]
fn a_found_input_that_is_gone_for_good_lets_the_job_decide_again() {
    // An external one, and a built one that nobody can build again.
    for found in ["raw/date=1", "day/date=1"] {
        let mut workspace = found_days();
        workspace.want(&["sum"], Refresh::Stale);
        missing(&mut workspace, "report", &[found]);
        workspace.finish_all("v1");
        workspace.lose("raw/date=1");
        if found != "raw/date=1" {
            assert_eq!(verdict(&workspace, "report"), Verdict::Current);
            workspace.lose(found);
        }
        assert_eq!(verdict(&workspace, "report"), Verdict::InputsChanged, "{found}");
        let plan = workspace.plan(&["sum"], Refresh::Stale);
        assert_eq!(plan.rows[0].partitions, ["report"], "{found}");
        let want = workspace.want(&["sum"], Refresh::Stale);
        assert_eq!(workspace.running(), ["report"], "{found}");
        missing(&mut workspace, "report", &["day/date=2"]);
        workspace.finish_all("v2");
        assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied), "{found}");
        assert_eq!(verdict(&workspace, "report"), Verdict::Current);
        assert!(workspace.try_plan(planning(&["sum"], Refresh::Stale)).0.rows.is_empty());
    }
}

#[test]
fn a_found_input_that_is_gone_is_built_again_where_that_can_be_done() {
    let mut workspace = found_days();
    workspace.want(&["sum"], Refresh::Stale);
    missing(&mut workspace, "report", &["day/date=1"]);
    workspace.finish_all("v1");
    workspace.lose("day/date=1");
    let want = workspace.want(&["sum"], Refresh::Stale);
    assert_eq!(workspace.finish_all("v1"), ["day/date=1"], "it comes out as it was");
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
    assert_eq!(verdict(&workspace, "report"), Verdict::Current);
}

#[test]
fn a_job_that_asks_for_the_same_again_fails_with_the_cause() {
    let mut workspace = found_days();
    workspace.want(&["report"], Refresh::Stale);
    missing(&mut workspace, "report", &["day/date=1"]);
    workspace.finish_all("v1");
    workspace.lose("raw/date=1");
    workspace.lose("day/date=1");
    let want = workspace.want(&["report"], Refresh::Stale);
    missing(&mut workspace, "report", &["day/date=1"]);
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Failed));
    assert!(last_failure(&workspace).contains("raw/date=1"), "{}", last_failure(&workspace));
}

#[test]
fn it_does_not_count_against_retries() {
    let mut workspace = workspace();
    workspace.want(&["page/name=a"], Refresh::Stale);
    let run = workspace.run("page/name=a");
    for needs in ["text/name=a", "text/name=b", "text/name=c"] {
        missing(&mut workspace, "page/name=a", &[needs]);
        assert!(matches!(workspace.core.state.runs()[&run].phase, Phase::RetryWait(_)));
        workspace.finish(needs, "t1");
    }
    let spec = workspace.attempt("page/name=a");
    assert_eq!((spec.attempt.number, spec.discovered.len()), (4, 3));
    let again = workspace.try_want(request(&["book"], Refresh::Missing));
    assert!(again.is_ok());
}

/// `page/name=a` was made from `text/name=b`, and that from `raw`, which nobody declared.
fn made() -> Workspace {
    let mut workspace = workspace();
    workspace.want(&["page/name=a"], Refresh::Stale);
    missing(&mut workspace, "page/name=a", &["text/name=b"]);
    workspace.finish("text/name=b", "t1");
    workspace.finish("page/name=a", "p1");
    workspace
}

#[test]
fn what_was_found_is_brought_up_to_date_like_what_is_declared() {
    let mut workspace = made();
    let (_, targets) = targets(&workspace, "page/name=a");
    let matters = planner::closure(&workspace.core.state, &targets, Refresh::Stale);
    for text in ["text/name=b", "raw"] {
        let (ix, key) = workspace.core.state.resolve_one(text).unwrap();
        assert!(matters.datasets[ix.0].contains(&key), "{text} is looked at");
    }
    for (version, runs) in [("t1", 0), ("t2", 1)] {
        workspace.observe("raw", &format!("for {version}"));
        let want = workspace.want(&["page/name=a"], Refresh::Stale);
        // Whatever the order of jobs: the page waits until it is known what its text comes out as.
        assert_eq!(workspace.running(), ["text/name=b"], "{version}");
        workspace.finish("text/name=b", version);
        assert_eq!(workspace.running().len(), runs, "{version}");
        if runs > 0 {
            missing(&mut workspace, "page/name=a", &["text/name=b"]);
            workspace.finish("page/name=a", "p2");
        }
        assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied), "{version}");
        assert_eq!(verdict(&workspace, "page/name=a"), Verdict::Current, "{version}");
        let again = workspace.want(&["page/name=a"], Refresh::Stale);
        assert_eq!(
            workspace.outcome(again),
            Some(WantOutcome::Satisfied),
            "{version}: nothing is left to do"
        );
    }
}

#[test]
fn what_was_found_and_is_gone_is_made_again() {
    let mut workspace = made();
    let (ix, key) = workspace.core.state.resolve_one("text/name=b").unwrap();
    workspace.see(vec![databuild_core::decide::Sighting::Gone(ix, key)]);
    let want = workspace.want(&["page/name=a"], Refresh::Stale);
    assert!(workspace.running().contains(&"text/name=b"));
    workspace.finish("text/name=b", "t1");
    while let Some(partition) = workspace.running().pop().map(ToString::to_string) {
        workspace.finish(&partition, "p1");
    }
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
}

#[test]
fn what_rests_on_a_found_input_that_could_not_be_observed_is_not_current() {
    let workspace = made();
    let (mut state, targets) = targets(&workspace, "page/name=a");
    let (dataset, raw) = state.resolve_one("raw").unwrap();
    let set = PartitionSet::single(state.graph().dataset(dataset).shape, &raw);
    let unseen =
        [planner::Unseen { dataset, set, kind: Blindness::Unreadable, message: "it is down".to_owned() }];
    let plan = planner::plan_despite(&mut state, &targets, Refresh::Stale, &unseen);
    let reasons: Vec<&str> = plan.blocked.iter().map(|(_, _, reason)| reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "input `text/name=b`, which its run found that it needs, rests on `raw`, which could not be observed: it is down",
            "input `raw` could not be observed: it is down",
        ]
    );
    assert_eq!((plan.current, plan.counts()), (0, (0, 0)));
}

#[test]
fn partitions_that_found_each_other_do_not_wait_for_each_other() {
    let mut workspace = made();
    // The text is made anew and finds the page, which was made from it.
    workspace.observe("raw", "r2");
    workspace.want(&["text/name=b"], Refresh::Stale);
    missing(&mut workspace, "text/name=b", &["page/name=a"]);
    while let Some(partition) = workspace.running().pop().map(ToString::to_string) {
        workspace.finish(&partition, "x");
    }
    workspace.observe("raw", "r3");
    let want = workspace.want(&["page/name=a", "text/name=b"], Refresh::Stale);
    for _ in 0..20 {
        let Some(partition) = workspace.running().pop().map(ToString::to_string) else { break };
        workspace.finish(&partition, "x");
    }
    assert!(workspace.outcome(want).is_some(), "it ends");
}

type Targets = Vec<(databuild_core::graph::DatasetIx, PartitionSet)>;

fn targets(workspace: &Workspace, text: &str) -> (databuild_core::state::State, Targets) {
    let state = workspace.core.state.clone();
    let targets = vec![state.resolve(text).unwrap()];
    (state, targets)
}
