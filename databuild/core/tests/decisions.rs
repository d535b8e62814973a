//! What the core decides, as tables and short stories.

mod support;

use databuild_core::decide::{
    AdoptRequest, Effect, Input, InvokeRequest, Judgement, Refusal, Sighting, Sightings,
};
use databuild_core::event::{AttemptOutcome, Event, PriorityClass, Refresh, WantOutcome};
use databuild_core::observation::Blindness;
use databuild_core::planner::Unseen;
use databuild_core::state::Phase;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;
use support::graphs::{days, listed, reads, time, GraphSpec};
use support::workspace::{applying, planning, request, Workspace};

/// `a` -> `b` -> `c`, one partition each; `raw` is read by `a`.
fn chain() -> GraphSpec {
    GraphSpec::new()
        .external("raw", &[])
        .job("make_a", &["a"], &[], vec![reads("raw")])
        .job("make_b", &["b"], &[], vec![reads("a")])
        .job("make_c", &["c"], &[], vec![reads("b")])
}

fn workspace(graph: &GraphSpec) -> Workspace {
    let mut workspace = Workspace::new(graph, 4);
    if workspace.core.state.graph().dataset_named("raw").is_some() {
        workspace.observe("raw", "r1");
    }
    workspace
}

fn phase(workspace: &Workspace) -> String {
    match workspace.core.state.runs().values().next().map(|run| &run.phase) {
        None => "none".to_owned(),
        Some(Phase::RetryWait(_)) => "retry_wait".to_owned(),
        Some(phase) => format!("{phase:?}").to_lowercase(),
    }
}

#[test]
fn the_end_of_an_attempt_decides_what_becomes_of_its_run() {
    use AttemptOutcome::{Canceled, Failure, Lost, OutOfMemory, Timeout};
    let failure = Failure { permanent: false };
    let permanent = Failure { permanent: true };
    /// Retries allowed; how the attempts end; whether the run was told to stop; what run and want are then.
    type Case = (u32, Vec<AttemptOutcome>, bool, &'static str, Option<WantOutcome>);
    let cases: Vec<Case> = vec![
        (0, vec![failure.clone()], false, "none", Some(WantOutcome::Failed)),
        (1, vec![failure.clone()], false, "retry_wait", None),
        (1, vec![failure.clone(), failure.clone()], false, "none", Some(WantOutcome::Failed)),
        (1, vec![Timeout], false, "retry_wait", None),
        (1, vec![Timeout, failure.clone()], false, "none", Some(WantOutcome::Failed)),
        (1, vec![OutOfMemory], false, "retry_wait", None),
        (1, vec![Timeout, OutOfMemory], false, "none", Some(WantOutcome::Failed)),
        (3, vec![permanent], false, "none", Some(WantOutcome::Failed)),
        // A lost attempt is made again at once and does not count as a failure.
        (0, vec![Lost], false, "leased", None),
        (1, vec![Lost, failure.clone()], false, "retry_wait", None),
        (0, vec![Lost, Lost, Lost], false, "leased", None),
        (9, vec![Lost, Lost, Lost, Lost], false, "none", Some(WantOutcome::Failed)),
        // After a request to stop, any end but success is the end.
        (3, vec![failure.clone()], true, "none", Some(WantOutcome::Failed)),
        (3, vec![Lost], true, "none", Some(WantOutcome::Failed)),
        (3, vec![Canceled], true, "none", Some(WantOutcome::Failed)),
        // Nobody asked: somebody stopped the process, and it is still wanted. That costs no attempt, however often.
        (0, vec![Canceled; 9], false, "leased", None),
        (1, vec![Canceled, Canceled, failure.clone()], false, "retry_wait", None),
        (0, vec![Canceled, Lost, Lost, Lost, Canceled], false, "leased", None),
    ];
    for (retries, ends, stop, then, outcome) in cases {
        let case = format!("{retries} retries, {ends:?}, told to stop: {stop}");
        let mut workspace = workspace(&chain().change("make_a", |job| job.policy.retries = retries));
        let want = workspace.want(&["a"], Refresh::Stale);
        if stop {
            let run = workspace.run("a");
            let step = workspace.step(Input::CancelRun(run));
            assert!(matches!(step.effects[..], [Effect::Cancel(_)]), "{case}");
        }
        for end in ends {
            if workspace.ordered.is_empty() {
                workspace.later(120);
            }
            workspace.end("a", end);
        }
        assert_eq!(phase(&workspace), then, "{case}");
        assert_eq!(workspace.outcome(want), outcome, "{case}");
    }
}

#[test]
fn success_publishes_files_and_completes_others() {
    let mut workspace = workspace(&chain());
    workspace.want(&["a"], Refresh::Stale);
    let from = workspace.log.len();
    workspace.finish("a", "v1");
    assert_eq!(workspace.kinds_since(from), ["attempt_ended", "materialized", "want_ended"]);

    let files = chain().dataset("a", |d| d.path = Some("out/a".into()));
    let mut workspace = self::workspace(&files);
    workspace.want(&["a"], Refresh::Stale);
    let from = workspace.log.len();
    workspace.finish("a", "v1");
    let expected = ["attempt_ended", "publish_intended", "materialized", "want_ended"];
    assert_eq!(workspace.kinds_since(from), expected);
    assert!(workspace.ordered.is_empty());
}

#[test]
fn a_publication_that_fails_fails_the_run() {
    let mut workspace = workspace(&chain().dataset("a", |d| d.path = Some("out/a".into())));
    let want = workspace.want(&["b"], Refresh::Stale);
    let spec = workspace.attempt("a");
    let outputs = vec![support::workspace::output("a", "v1")];
    let end =
        support::workspace::end_of(Ok(databuild_core::decide::Success { outputs, ..Default::default() }));
    workspace.step(Input::AttemptEnded { attempt: spec.attempt, end }).reply.unwrap();
    assert_eq!(phase(&workspace), "publishing");
    // Too late to stop it, and too late to end it again.
    workspace.step(Input::CancelRun(spec.attempt.run)).reply.unwrap();
    assert!(workspace.effects.is_empty());
    let message = "no space left".to_owned();
    workspace.step(Input::PublishFailed { attempt: spec.attempt, message }).reply.unwrap();
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Failed));
    assert_eq!(workspace.causes(want), ["a failed: no space left"]);
}

#[test]
fn delays_double_up_to_a_limit_and_half_of_each_is_noise() {
    let mut shortest = [f64::MAX; 8];
    let mut longest = [0f64; 8];
    let retries = |job: &mut databuild_core::graph::file::JobEntry| {
        (job.policy.retries, job.policy.backoff, job.policy.backoff_max) =
            (7, Duration::from_secs(1), Duration::from_secs(20));
    };
    let graph =
        GraphSpec::new().job("make", &["a"], &[listed("city", &CITIES)], vec![]).change("make", retries);
    let mut workspace = Workspace::new(&graph, CITIES.len());
    workspace.want(&["a"], Refresh::Stale);
    for failures in 0..7 {
        while let Some(spec) = workspace.ordered.first().cloned() {
            workspace.end(&spec.partition, AttemptOutcome::Failure { permanent: false });
            let run = &workspace.core.state.runs()[&spec.attempt.run];
            let Phase::RetryWait(at) = run.phase else { panic!("{run:?}") };
            let delay = at.duration_since(workspace.now).as_secs_f64();
            shortest[failures] = shortest[failures].min(delay);
            longest[failures] = longest[failures].max(delay);
        }
        workspace.later(3_600);
    }
    for (failures, full) in [1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0].into_iter().enumerate() {
        let (low, high) = (shortest[failures], longest[failures]);
        assert!(full / 2.0 <= low && high <= full, "after {failures} failures: {low} to {high}");
        assert!(high - low > full / 8.0, "after {failures} failures all wait alike: {low} to {high}");
    }
}

/// Minutes and hours by which clocks are set back delay no retry; days and hours that are keys follow the clock.
#[test]
fn a_clock_that_is_set_back_delays_no_retry_for_longer_than_its_backoff() {
    let retries = |job: &mut databuild_core::graph::file::JobEntry| {
        (job.policy.retries, job.policy.backoff, job.policy.backoff_max) =
            (3, Duration::from_secs(2), Duration::from_secs(60));
    };
    let graph = GraphSpec::new().job("make", &["a"], &[], vec![]).change("make", retries);
    for back in [10, 60, 3_600, 86_400] {
        let mut workspace = workspace(&graph);
        workspace.want(&["a"], Refresh::Stale);
        workspace.end("a", AttemptOutcome::Failure { permanent: false });
        assert!(workspace.ordered.is_empty());
        workspace.now -= SignedDuration::from_secs(back);
        workspace.later(2);
        assert_eq!(workspace.ordered.len(), 1, "set back by {back} s");
        // A clock that is set forward delays none either.
        workspace.end("a", AttemptOutcome::Failure { permanent: false });
        workspace.later(back.max(4));
        assert_eq!(workspace.ordered.len(), 1, "set forward by {back} s");
    }
}

#[test]
fn a_retry_that_is_due_after_the_last_year_of_the_calendar_is_not_dropped() {
    let retries = |job: &mut databuild_core::graph::file::JobEntry| {
        (job.policy.retries, job.policy.backoff, job.policy.backoff_max) = (3, Duration::MAX, Duration::MAX);
    };
    let graph = GraphSpec::new().job("make", &["a"], &[], vec![]).change("make", retries);
    let mut workspace = workspace(&graph);
    let want = workspace.want(&["a"], Refresh::Stale);
    workspace.end("a", AttemptOutcome::Failure { permanent: false });
    let phases: Vec<Phase> = workspace.core.state.runs().values().map(|run| run.phase.clone()).collect();
    assert_eq!(phases, [Phase::RetryWait(Timestamp::MAX)]);
    assert_eq!(workspace.outcome(want), None);
}

const CITIES: [&str; 16] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p"];

#[test]
fn a_second_want_joins_a_run_that_makes_what_it_wants() {
    let mut workspace = workspace(&chain());
    let first = workspace.want(&["a"], Refresh::Stale);
    let second = workspace.want(&["a"], Refresh::Stale);
    assert_eq!(workspace.finish_all("v1"), ["a"]);
    for want in [first, second] {
        assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
    }
}

#[test]
fn a_run_from_older_data_or_code_gets_a_successor() {
    // While `a` is made, its input changes; or its code does.
    for change in ["data", "code", "nothing"] {
        let mut workspace = workspace(&chain());
        let first = workspace.want(&["a"], Refresh::Stale);
        let run = workspace.run("a");
        match change {
            "data" => workspace.observe("raw", "r2"),
            "code" => workspace.register(&chain().code("make_a", "other")),
            _ => {}
        }
        let second = workspace.want(&["a"], Refresh::Stale);
        assert_eq!(workspace.running(), ["a"], "{change}: one live run for one partition");
        workspace.finish("a", "v1");
        if change == "nothing" {
            assert_eq!(workspace.outcome(second), Some(WantOutcome::Satisfied));
            continue;
        }
        assert_eq!(workspace.outcome(second), None, "{change}");
        assert_ne!(workspace.run("a"), run, "{change}");
        workspace.finish("a", "v2");
        for want in [first, second] {
            assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied), "{change}");
        }
        let third = workspace.want(&["a"], Refresh::Stale);
        assert_eq!(workspace.outcome(third), Some(WantOutcome::Satisfied), "{change}: nothing is left to do");
    }
}

#[test]
fn a_run_that_waits_to_be_tried_again_gives_way_to_newer_work() {
    let graph = chain().change("make_a", |job| job.policy.retries = 5);
    let mut workspace = workspace(&graph);
    let want = workspace.want(&["a"], Refresh::Stale);
    let old = workspace.end("a", AttemptOutcome::Failure { permanent: false }).run;
    // Whoever fixed the code does not want to wait for the old one's next attempt.
    workspace.register(&graph.clone().code("make_a", "fixed"));
    assert_ne!(workspace.run("a"), old);
    workspace.finish("a", "v1");
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
    assert!(workspace.core.state.runs().is_empty());
}

#[test]
fn rebuilding_whatever_the_state_is_no_part_of_a_run_under_way() {
    let mut workspace = workspace(&chain());
    workspace.want(&["a"], Refresh::Stale);
    let run = workspace.run("a");
    let forced = workspace.want(&["a"], Refresh::All);
    workspace.finish("a", "v1");
    assert_eq!(workspace.outcome(forced), None);
    assert_ne!(workspace.run("a"), run);
    workspace.finish("a", "v1");
    assert_eq!(workspace.outcome(forced), Some(WantOutcome::Satisfied));

    // Of what is current only the target is built again.
    let mut workspace = self::workspace(&chain());
    workspace.want(&["c"], Refresh::Stale);
    assert_eq!(workspace.finish_all("v1"), ["a", "b", "c"]);
    workspace.want(&["b"], Refresh::All);
    assert_eq!(workspace.finish_all("v1"), ["b"]);
}

#[test]
fn cancelling_stops_what_nobody_else_wants() {
    let mut workspace = workspace(&chain());
    let first = workspace.want(&["c"], Refresh::Stale);
    let second = workspace.want(&["a"], Refresh::Stale);
    workspace.step(Input::CancelWant(first)).reply.unwrap();
    assert!(workspace.effects.is_empty(), "`a` is wanted by another");
    assert_eq!(workspace.finish_all("v1"), ["a"]);
    assert_eq!(workspace.outcome(first), Some(WantOutcome::Canceled));
    assert_eq!(workspace.outcome(second), Some(WantOutcome::Satisfied));

    let mut workspace = self::workspace(&chain());
    let only = workspace.want(&["c"], Refresh::Stale);
    workspace.step(Input::CancelWant(only)).reply.unwrap();
    assert!(matches!(workspace.effects[..], [Effect::Cancel(_)]));
    // Wanted again before its process is gone: it is made anew.
    let again = workspace.want(&["a"], Refresh::Stale);
    workspace.end("a", AttemptOutcome::Canceled);
    assert_eq!(workspace.finish_all("v1"), ["a"]);
    assert_eq!(workspace.outcome(again), Some(WantOutcome::Satisfied));
    assert_eq!(
        workspace.step(Input::CancelWant(only)).reply,
        Err(Refusal::UnknownWant(only)),
        "it is over already"
    );
}

#[test]
fn stopping_a_run_fails_those_who_want_it() {
    let mut workspace = workspace(&chain());
    let want = workspace.want(&["c"], Refresh::Stale);
    let run = workspace.run("a");
    workspace.step(Input::CancelRun(run)).reply.unwrap();
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Failed));
    assert_eq!(workspace.causes(want)[0], "a was canceled");
    workspace.end("a", AttemptOutcome::Canceled);
    assert!(workspace.ordered.is_empty() && workspace.core.state.runs().is_empty());
    assert_eq!(workspace.step(Input::CancelRun(run)).reply, Err(Refusal::UnknownRun(run)));
}

#[test]
fn what_needs_failed_work_is_given_up_and_the_rest_goes_on() {
    let city = [listed("city", &["oslo", "rome"])];
    let graph = GraphSpec::new()
        .job("make_a", &["a"], &city, vec![])
        .job("make_b", &["b"], &city, vec![reads("a")])
        .job("sum", &["sum"], &[], vec![reads("b").all("city")]);
    let mut workspace = workspace(&graph);
    let want = workspace.want(&["sum"], Refresh::Stale);
    workspace.fail("a/city=oslo");
    assert_eq!(workspace.finish_all("v1"), ["a/city=rome", "b/city=rome"]);
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Failed));
    assert_eq!(workspace.causes(want), ["a/city=oslo failed: as told"]);
    let abandoned: Vec<String> = workspace
        .log
        .iter()
        .filter_map(|record| match &record.event {
            Event::WorkAbandoned(event) => Some(event.partitions.clone()),
            _ => None,
        })
        .flatten()
        .collect();
    assert_eq!(abandoned, ["b/city=oslo", "sum"]);
    // Asking again tries again what failed, and only that.
    workspace.want(&["sum"], Refresh::Stale);
    assert_eq!(workspace.finish_all("v1"), ["a/city=oslo", "b/city=oslo", "sum"]);
}

#[test]
fn forced_work_is_given_up_with_what_it_needs() {
    let mut workspace = workspace(&chain());
    let want = workspace.want(&["b"], Refresh::All);
    workspace.fail("a");
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Failed));
    assert!(workspace.ordered.is_empty());
}

#[test]
fn consumers_are_left_alone_when_data_comes_out_as_it_was() {
    let mut workspace = workspace(&chain());
    workspace.want(&["c"], Refresh::Stale);
    workspace.finish_all("v1");
    workspace.observe("raw", "r2");
    let want = workspace.want(&["c"], Refresh::Stale);
    assert_eq!(workspace.finish_all("v1"), ["a"], "`a` came out as it was");
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
    // Back again: the recorded inputs of `a` are not those of its last run.
    workspace.observe("raw", "r1");
    workspace.want(&["c"], Refresh::Stale);
    assert_eq!(workspace.finish_all("v2"), ["a", "b", "c"]);
}

#[test]
fn reverting_the_code_makes_current_what_it_made() {
    let mut workspace = workspace(&chain());
    workspace.want(&["c"], Refresh::Stale);
    workspace.finish_all("v1");
    workspace.register(&chain().code("make_b", "other"));
    workspace.register(&chain());
    let want = workspace.want(&["c"], Refresh::Stale);
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
    // A job may keep what older code made.
    let keeps = chain().change("make_b", |job| {
        job.policy.on_code_change = databuild_core::graph::OnCodeChange::Keep;
        job.program.code = Some("other".to_owned());
    });
    workspace.register(&keeps);
    let want = workspace.want(&["c"], Refresh::Stale);
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
}

#[test]
fn wants_for_what_is_missing_take_stale_data() {
    let mut workspace = workspace(&chain());
    workspace.want(&["b"], Refresh::Stale);
    workspace.finish_all("v1");
    workspace.observe("raw", "r2");
    let want = workspace.want(&["b"], Refresh::Missing);
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
    workspace.lose("b");
    workspace.want(&["b"], Refresh::Missing);
    assert_eq!(workspace.finish_all("v1"), ["b"], "its input is there, if stale");
    // What is there is not built again since something else was missing.
    workspace.lose("a");
    workspace.want(&["a", "b"], Refresh::Missing);
    assert_eq!(workspace.finish_all("v9"), ["a"]);
}

#[test]
fn one_missing_output_of_a_job_is_missing() {
    let graph = GraphSpec::new().job("make", &["x", "y"], &[], vec![]).files();
    let mut workspace = Workspace::new(&graph, 1);
    workspace.want(&["x"], Refresh::Stale);
    assert_eq!(workspace.finish_all("v1"), ["x"]);
    workspace.register(&graph.clone().code("make", "other"));
    workspace.lose("y");
    workspace.want(&["y"], Refresh::Missing);
    assert_eq!(workspace.finish_all("v2"), ["x"], "the run is named after its first output");
}

#[test]
fn wants_expire() {
    let mut workspace = workspace(&chain());
    let mut wanted = request(&["c"], Refresh::Stale);
    wanted.ttl_seconds = Some(60);
    let want = workspace.try_want(wanted).unwrap();
    assert_eq!(workspace.core.next_timer(), Some(workspace.now + jiff::SignedDuration::from_secs(60)));
    workspace.later(59);
    assert_eq!(workspace.outcome(want), None);
    workspace.later(1);
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Expired));
    assert_eq!(workspace.causes(want), ["it was not over within the 60 s that it was given (ttl)"]);
    assert!(matches!(workspace.effects[..], [Effect::Cancel(_)]));
    assert_eq!(workspace.core.next_timer(), None);
}

#[test]
fn interactive_work_goes_first_and_older_wants_before_younger() {
    let city = [listed("city", &["oslo", "rome", "bern"])];
    let mut workspace = Workspace::new(&GraphSpec::new().job("make", &["a"], &city, vec![]), 1);
    let ask = |workspace: &mut Workspace, target: &str, class| {
        let mut wanted = request(&[target], Refresh::Stale);
        wanted.class = class;
        workspace.try_want(wanted).unwrap();
    };
    ask(&mut workspace, "a/city=oslo", PriorityClass::Backfill);
    ask(&mut workspace, "a/city=rome", PriorityClass::Backfill);
    ask(&mut workspace, "a/city=bern", PriorityClass::Interactive);
    assert_eq!(workspace.finish_all("v1"), ["a/city=oslo", "a/city=bern", "a/city=rome"]);
}

#[test]
fn retries_wait_for_a_place_like_all_others() {
    let city = [listed("city", &["oslo", "rome"])];
    let graph = GraphSpec::new().job("make", &["a"], &city, vec![]).with(|job| job.policy.retries = 1);
    let mut workspace = Workspace::new(&graph, 1);
    workspace.want(&["a"], Refresh::Stale);
    workspace.end("a/city=oslo", AttemptOutcome::Failure { permanent: false });
    assert_eq!(workspace.running(), ["a/city=rome"]);
    workspace.later(60);
    assert_eq!(workspace.running(), ["a/city=rome"], "there is one place");
    assert_eq!(workspace.core.next_timer(), None, "time alone changes nothing");
    workspace.finish("a/city=rome", "v1");
    assert_eq!(workspace.running(), ["a/city=oslo"]);
}

#[test]
fn without_an_executor_nothing_is_leased_and_wants_expire() {
    let mut workspace = workspace(&chain());
    let want = workspace.want(&["c"], Refresh::Stale);
    let mut short = request(&["c"], Refresh::Stale);
    short.ttl_seconds = Some(60);
    let short = workspace.try_want(short).unwrap();
    let lost = workspace.ordered.clone();
    assert_eq!(lost.len(), 1);
    for _ in 0..9 {
        workspace.ordered.clear();
        workspace.step(Input::Hold(vec![]));
        workspace.later(1);
        assert!(workspace.ordered.is_empty(), "what was lost is not made again");
    }
    assert_eq!(workspace.core.next_timer(), Some(workspace.now + jiff::SignedDuration::from_secs(51)));
    workspace.later(51);
    assert_eq!((workspace.outcome(short), workspace.outcome(want)), (Some(WantOutcome::Expired), None));
    workspace.step(Input::Resume(vec![]));
    assert_eq!(workspace.finish_all("v1"), ["a", "b", "c"]);
    assert_eq!(
        workspace.outcome(want),
        Some(WantOutcome::Satisfied),
        "one attempt was lost, however long it took"
    );
}

#[test]
fn refusals_leave_nothing_behind() {
    let mut workspace = workspace(&chain());
    let before = format!("{:?}", workspace.core.state);
    workspace.now += jiff::SignedDuration::from_hours(100);
    let other = databuild_core::ids::GraphId::of("other");
    let mut of_other_graph = request(&["a"], Refresh::Stale);
    of_other_graph.graph = Some(other);
    for (wanted, code) in [
        (request(&["nowhere"], Refresh::Stale), "unknown_dataset"),
        (request(&["a/city=oslo"], Refresh::Stale), "unknown_dimension"),
        (request(&[], Refresh::Stale), "no_targets"),
        (of_other_graph, "graph_changed"),
    ] {
        assert_eq!(workspace.try_want(wanted).unwrap_err().code(), code);
        assert_eq!(format!("{:?}", workspace.core.state), before, "after {code}");
    }
    let broken = GraphSpec::new().job("make", &["x"], &[listed("city", &["new"])], vec![reads("y")]);
    let refused = workspace.step(Input::RegisterGraph(broken.registration().into()));
    assert_eq!(refused.reply.unwrap_err().code(), "graph_invalid");
    assert_eq!(format!("{:?}", workspace.core.state), before);
}

#[test]
fn what_was_seen_of_another_graph_is_refused_and_leaves_nothing_behind() {
    // In the next graph the indices of this one mean something else, or nothing.
    let mut workspace = workspace(&chain().external("y", &[days("date", "2024-01-01", "2024-02-01")]));
    let plan = workspace.plan(&["c"], Refresh::Stale).plan;
    let state = &workspace.core.state;
    let (y, set) = state.resolve_at("y", workspace.now).unwrap();
    let seen = Sightings {
        graph: Some(state.registered().id.clone()),
        seen: set.iter().map(|key| Sighting::Gone(y, key)).collect(),
        unseen: vec![Unseen {
            dataset: y,
            set,
            kind: Blindness::Unreadable,
            message: "no answer".to_owned(),
        }],
    };
    workspace.register(&chain());
    let before = format!("{:?}", workspace.core.state);
    let judgement = || Judgement { targets: vec!["c".into()], reason: "bad".into() };
    let adoption = AdoptRequest { files: Vec::new() };
    let invoked = InvokeRequest {
        job: "make_c".into(),
        params: Default::default(),
        want: request(&["c"], Refresh::All),
    };
    let nobodys = Sightings { graph: None, ..seen.clone() };
    for input in [
        Input::CreateWant(request(&["c"], Refresh::Stale), seen.clone()),
        Input::CreateWant(request(&["c"], Refresh::Stale), nobodys),
        Input::Invoke(invoked, seen.clone()),
        Input::CreatePlan(planning(&["c"], Refresh::Stale), seen.clone()),
        Input::ApplyPlan(applying(plan), seen.clone()),
        Input::Taint(judgement(), seen.clone()),
        Input::Adopt(adoption, seen.clone()),
        Input::Sightings(seen),
    ] {
        let step = workspace.step(input);
        assert_eq!(step.reply.unwrap_err().code(), "graph_replaced");
        assert!(step.records.is_empty());
        assert_eq!(format!("{:?}", workspace.core.state), before);
    }
}

#[test]
fn sources_that_are_not_there_block_and_say_so() {
    let mut workspace = Workspace::new(&chain().dataset("raw", |d| d.path = Some("data/raw.csv".into())), 1);
    let want = workspace.want(&["c"], Refresh::Stale);
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Failed));
    assert_eq!(workspace.causes(want)[0], "input `raw` is not there (no file `data/raw.csv`)");
    assert!(workspace.ordered.is_empty());
}

#[test]
fn open_wants_follow_a_graph_that_changes_under_them() {
    // `b` now reads `x` as well, which nobody has made yet.
    let mut workspace = workspace(&chain());
    let want = workspace.want(&["c"], Refresh::Stale);
    let grown = GraphSpec::new()
        .external("raw", &[])
        .job("make_a", &["a"], &[], vec![reads("raw")])
        .job("make_x", &["x"], &[], vec![])
        .job("make_b", &["b"], &[], vec![reads("a"), reads("x")])
        .job("make_c", &["c"], &[], vec![reads("b")]);
    workspace.register(&grown);
    assert_eq!(workspace.finish_all("v1"), ["a", "x", "b", "c"]);
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));

    // What was wanted is not in the graph any more.
    let mut workspace = self::workspace(&chain());
    let want = workspace.want(&["c"], Refresh::Stale);
    workspace.register(&GraphSpec::new().external("raw", &[]).job("make_a", &["a"], &[], vec![reads("raw")]));
    workspace.finish_all("v1");
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Failed));
    assert_eq!(workspace.causes(want), ["`c` is not in the graph any more"]);
}

#[test]
fn a_run_under_way_finishes_though_its_job_leaves_the_graph_and_is_found_when_it_comes_back() {
    let mut workspace = workspace(&chain());
    let want = workspace.want(&["b"], Refresh::Stale);
    let other = GraphSpec::new().external("raw", &[]).job("make_x", &["x"], &[], vec![reads("raw")]);
    workspace.register(&other);
    // What had not begun is given up.
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Failed));
    assert!(!workspace.effects.iter().any(|effect| matches!(effect, Effect::Cancel(_))));
    workspace.finish("a", "v1");
    assert!(workspace.ordered.is_empty());
    workspace.restart(&[]);
    workspace.register(&chain());
    workspace.want(&["b"], Refresh::Stale);
    assert_eq!(workspace.finish_all("v1"), ["b"]);
}

#[test]
fn a_run_whose_output_is_observed_from_now_on_is_stopped() {
    let mut workspace = workspace(&chain());
    workspace.want(&["a"], Refresh::Stale);
    workspace.register(&GraphSpec::new().external("raw", &[]).external("a", &[]));
    assert!(workspace.effects.iter().any(|effect| matches!(effect, Effect::Cancel(_))));
}

#[test]
fn what_is_built_is_current_when_the_want_ends_whichever_graph_came_meanwhile() {
    let mut workspace = workspace(&chain());
    let want = workspace.want(&["c"], Refresh::Stale);
    workspace.finish("a", "v1");
    workspace.finish("b", "v1");
    workspace.register(&chain().code("make_a", "newer"));
    assert_eq!(workspace.finish_all("v2"), ["c", "a", "b", "c"]);
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
    workspace.want(&["c"], Refresh::Stale);
    assert!(workspace.ordered.is_empty());
}

#[test]
fn found_inputs_that_go_round_in_a_circle_end_a_want() {
    // `a` finds `b`, which is made from it: each makes the other stale.
    let graph =
        GraphSpec::new().job("make_a", &["a"], &[], vec![]).job("make_b", &["b"], &[], vec![reads("a")]);
    let mut workspace = Workspace::new(&graph, 4);
    workspace.want(&["b"], Refresh::Stale);
    workspace.finish_all("v0");
    let want = workspace.want(&["a", "b"], Refresh::All);
    let mut version = 0;
    while let Some(spec) = workspace.ordered.first().cloned() {
        version += 1;
        assert!(version < 1000, "it has no end");
        if spec.partition == "a" && spec.discovered.is_empty() {
            workspace.end("a", AttemptOutcome::MissingInput { partitions: vec!["b".to_owned()] });
        } else {
            workspace.finish(&spec.partition, &format!("v{version}"));
        }
    }
    let causes = workspace.causes(want);
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Failed), "{causes:?}");
}

#[test]
fn a_job_that_comes_back_does_not_run_twice_at_once() {
    let mut workspace = workspace(&chain());
    workspace.want(&["a"], Refresh::Stale);
    let run = workspace.run("a");
    workspace.register(&GraphSpec::new().external("raw", &[]));
    workspace.register(&chain());
    workspace.want(&["a"], Refresh::Stale);
    assert_eq!(workspace.running(), ["a"]);
    assert_eq!(workspace.run("a"), run, "until its process is gone");
}

#[test]
fn a_wider_window_is_seen_by_runs_under_way() {
    let date = [days("date", "2010-01-01", "2010-01-03")];
    let graph = |count| {
        GraphSpec::new().job("make_a", &["a"], &date, vec![]).job(
            "make_b",
            &["b"],
            &date,
            vec![reads("a").window("date", count).clip()],
        )
    };
    let mut workspace = Workspace::new(&graph(1), 9);
    workspace.want(&["a"], Refresh::Stale);
    workspace.finish_all("v1");
    workspace.want(&["b/date=2010-01-03"], Refresh::Stale);
    workspace.register(&graph(2));
    workspace.finish("b/date=2010-01-03", "v1");
    workspace.want(&["b/date=2010-01-03"], Refresh::Stale);
    assert_eq!(workspace.running(), ["b/date=2010-01-03"], "it was made from one day");
}

#[test]
fn changing_the_length_of_periods_makes_other_partitions() {
    use databuild_core::graph::file::GranularityName::{Day, Month};
    let graph = |granularity, start| {
        let dims = [support::graphs::time("date", granularity, start, "", "UTC")];
        GraphSpec::new().job("make", &["a"], &dims, vec![])
    };
    let mut workspace = Workspace::new(&graph(Day, "2010-01-30"), 9);
    workspace.want(&["a"], Refresh::Stale);
    assert_eq!(workspace.finish_all("v1").len(), 2);
    workspace.register(&graph(Month, "2010-01"));
    workspace.want(&["a"], Refresh::Stale);
    assert_eq!(workspace.finish_all("v1"), ["a/date=2010-01"]);
    // The days are not forgotten.
    workspace.register(&graph(Day, "2010-01-30"));
    workspace.want(&["a"], Refresh::Stale);
    assert!(workspace.ordered.is_empty());
}

#[test]
fn a_run_waits_for_an_input_that_went_before_its_start() {
    let mut workspace = workspace(&chain().files());
    workspace.want(&["b"], Refresh::Stale);
    workspace.finish_all("v1");
    workspace.core.slots = 0;
    let want = workspace.want(&["c"], Refresh::Stale);
    workspace.lose("b");
    workspace.core.slots = 1;
    workspace.later(1);
    assert_eq!(workspace.finish_all("v1"), ["b", "c"]);
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
}

#[test]
fn an_altered_file_is_made_again_and_its_readers_compared() {
    let mut workspace = workspace(&chain().files());
    workspace.want(&["c"], Refresh::Stale);
    workspace.finish_all("v1");
    let (dataset, key) = workspace.core.state.resolve_one("b").unwrap();
    let seen = Sighting::Content { dataset, key, version: "other".to_owned(), mark: 77 };
    workspace.see(vec![seen.clone()]);
    let before = workspace.log.len();
    workspace.see(vec![seen]);
    assert_eq!(workspace.log.len(), before, "what is known is no news");
    workspace.want(&["c"], Refresh::Stale);
    assert_eq!(workspace.finish_all("v1"), ["b"]);
}

#[test]
fn after_a_restart_what_nobody_knows_is_lost_and_what_was_intended_is_done() {
    let mut workspace = workspace(&chain().dataset("a", |d| d.path = Some("out/a".into())));
    workspace.want(&["c"], Refresh::Stale);
    let first = workspace.attempt("a").attempt;
    // The executor knows it: nothing happens.
    workspace.restart(&[first]);
    assert_eq!(workspace.running(), ["a"]);
    assert!(workspace.effects.is_empty());
    // It does not: the next attempt starts at once.
    workspace.restart(&[]);
    let second = workspace.attempt("a").attempt;
    assert_eq!((second.run, second.number), (first.run, 2));
    // The old one's end comes late.
    let end =
        support::workspace::end_of(Err(databuild_core::decide::AttemptReport::new(AttemptOutcome::Lost, "")));
    assert_eq!(
        workspace.step(Input::AttemptEnded { attempt: first, end: end.clone() }).reply,
        Err(Refusal::UnknownAttempt(first))
    );
    // A publication that was intended is ordered again.
    let outputs = vec![support::workspace::output("a", "v1")];
    let success = support::workspace::end_of(Ok(databuild_core::decide::Success {
        outputs: outputs.clone(),
        ..Default::default()
    }));
    let step = workspace.step(Input::AttemptEnded { attempt: second, end: success });
    assert!(matches!(&step.effects[..], [Effect::Publish { again: false, .. }]));
    workspace.restart(&[second]);
    assert!(
        matches!(&workspace.effects[..], [Effect::Publish { attempt, outputs: ordered, again: true, .. }]
        if *attempt == second && *ordered == outputs)
    );
    workspace.step(Input::Published { attempt: second, marks: vec![5] }).reply.unwrap();
    assert_eq!(workspace.running(), ["b"]);
    // A cancellation that was asked for is ordered again.
    let run = workspace.run("b");
    workspace.step(Input::CancelRun(run)).reply.unwrap();
    let third = workspace.attempt("b").attempt;
    workspace.restart(&[third]);
    assert!(matches!(workspace.effects[..], [Effect::Cancel(attempt)] if attempt == third));
}

#[test]
fn what_is_left_out_is_left_out_for_its_readers() {
    use databuild_core::graph::file::EdgeName;
    let date = [days("date", "2010-01-01", "2010-01-05")];
    // The first two days of `mean` are left out; `report` reads all of it.
    let graph = |edge: EdgeName| {
        GraphSpec::new()
            .job("make_a", &["a"], &date, vec![])
            .job(
                "mean",
                &["mean"],
                &date,
                vec![reads("a").window("date", 3).edges(EdgeName::Skip, EdgeName::Fail)],
            )
            .job("report", &["report"], &[], vec![reads("mean").all("date").edges(edge, EdgeName::Fail)])
    };
    for (edge, made, outcome) in [
        (EdgeName::Clip, 5 + 3 + 1, WantOutcome::Satisfied),
        (EdgeName::Skip, 0, WantOutcome::Satisfied),
        (EdgeName::Fail, 0, WantOutcome::Failed),
    ] {
        let mut workspace = Workspace::new(&graph(edge), 9);
        let want = workspace.want(&["report"], Refresh::Stale);
        assert_eq!(workspace.finish_all("v1").len(), made, "{edge:?}");
        assert_eq!(workspace.outcome(want), Some(outcome), "{edge:?}");
    }
}

#[test]
fn a_dataset_that_was_observed_is_built_once_there_is_a_job_for_it() {
    let external = GraphSpec::new().external("a", &[]);
    let mut workspace = Workspace::new(&external, 1);
    workspace.observe("a", "v1");
    workspace.register(&GraphSpec::new().job("make", &["a"], &[], vec![]));
    workspace.want(&["a"], Refresh::Stale);
    assert_eq!(workspace.finish_all("v2"), ["a"]);
}

#[test]
fn a_want_reads_key_spaces_as_they_were_when_it_was_made() {
    // `all` reads every day there is; a day that ends later is for later wants.
    let open = [days("date", "2010-01-30", "")];
    let graph = GraphSpec::new().job("make_a", &["a"], &open, vec![]).job(
        "sum",
        &["sum"],
        &[],
        vec![reads("a").all("date")],
    );
    let mut workspace = Workspace::new(&graph, 1);
    let first = workspace.want(&["sum"], Refresh::Stale);
    workspace.later(86_400);
    workspace.want(&["a/date=2010-02-01"], Refresh::Stale);
    assert_eq!(workspace.finish_all("v1").len(), 4);
    assert_eq!(workspace.outcome(first), Some(WantOutcome::Satisfied));
    let sums = |workspace: &Workspace| -> usize {
        let made = workspace.log.iter().filter(|record| match &record.event {
            Event::Materialized(made) => made.outputs[0].partition == "sum",
            _ => false,
        });
        made.count()
    };
    assert_eq!(sums(&workspace), 1);
    workspace.want(&["sum"], Refresh::Stale);
    assert_eq!(workspace.finish_all("v1"), ["sum"], "there is a day more now");
}

/// In zones that are not whole hours from UTC, version 0.1.0 had other hours. Its logs are read, and what it made for those hours
/// is nothing that is known.
#[test]
fn a_log_with_hours_of_utc_in_another_zone_is_read() {
    use databuild_core::event::Record;
    use databuild_core::graph::file::GranularityName::Hour;
    let dims = [time("hour", Hour, "2010-01-01T00", "2010-01-01T05", "Asia/Kolkata")];
    let graph = GraphSpec::new().job("make", &["a"], &dims, vec![]);
    let mut workspace = workspace(&graph);
    workspace.want(&["a"], Refresh::Stale);
    assert_eq!(workspace.finish_all("v1").len(), 6);
    // As that version would have written it: hours begin at half past.
    let old = |text: &str| {
        (0..6).fold(text.to_owned(), |text, n| text.replace(&format!("T0{n}"), &format!("T0{n}:30")))
    };
    let texts = |texts: &[String]| texts.iter().map(|text| old(text)).collect::<Vec<_>>();
    let then = |record: &Record| {
        let mut record = record.clone();
        match &mut record.event {
            Event::GraphRegistered(event) => event.content = old(&event.content).into(),
            Event::WantCreated(event) => {
                (event.targets, event.work) = (texts(&event.targets), texts(&event.work));
            }
            Event::AttemptLeased(event) => event.partition = old(&event.partition),
            Event::PublishIntended(event) => {
                event.outputs.iter_mut().for_each(|output| output.partition = old(&output.partition));
            }
            Event::Materialized(event) => {
                event.outputs.iter_mut().for_each(|output| output.partition = old(&output.partition));
            }
            _ => {}
        }
        record
    };
    let mut state = databuild_core::state::State::default();
    for record in workspace.log.iter().map(then) {
        state.apply(&record).unwrap();
    }
    let a = state.graph().dataset_named("a").unwrap();
    assert!(state.dataset(a).present.is_empty() && state.runs().is_empty() && state.wants().is_empty());
    assert_eq!(state.resolve_at("a", workspace.now).unwrap().1.len(), 6);
}
