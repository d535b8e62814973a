//! Wants under control: paused, resumed, of another class.

mod support;

use databuild_core::decide::blocker::of_want;
use databuild_core::decide::{Blocker, Effect, Input, PlanRequest, Refusal, Reply, Sightings, WantRequest};
use databuild_core::event::{
    AttemptOutcome, Event, PriorityClass, Refresh, RequestKey, WantCounts, WantOutcome,
};
use databuild_core::ids::{AttemptId, WantId};
use databuild_core::state::Made;
use support::graphs::{days, listed, reads, GraphSpec};
use support::workspace::{planning, request, Workspace};

/// `b` is made from `a`, of ten days and two cities.
fn graph() -> GraphSpec {
    let dims = [listed("city", &["oslo", "rome"]), days("date", "2010-01-01", "2010-01-10")];
    GraphSpec::new().job("make_a", &["a"], &dims, vec![]).job("make_b", &["b"], &dims, vec![reads("a")])
}

fn backfill(workspace: &mut Workspace, target: &str) -> WantId {
    let request = databuild_core::decide::WantRequest {
        class: PriorityClass::Backfill,
        ..request(&[target], Refresh::Stale)
    };
    workspace.try_want(request).unwrap()
}

#[test]
fn nothing_is_begun_for_a_paused_want_and_what_runs_goes_on() {
    let mut workspace = Workspace::new(&graph(), 2);
    let want = workspace.want(&["b/city=oslo"], Refresh::Stale);
    workspace.step(Input::PauseWant(want)).reply.unwrap();
    let running: Vec<String> = workspace.running().into_iter().map(str::to_owned).collect();
    assert_eq!(running, ["a/city=oslo/date=2010-01-01", "a/city=oslo/date=2010-01-02"]);
    assert_eq!(workspace.finish_all("v1"), running, "and nothing follows");
    let state = &workspace.core.state;
    assert_eq!(
        of_want(state, workspace.core.capacity(), workspace.now, &state.wants()[&want]),
        Blocker::Paused { want }
    );

    let log = workspace.log.len();
    workspace.step(Input::PauseWant(want)).reply.unwrap();
    assert_eq!(workspace.log.len(), log, "it is paused already");

    workspace.step(Input::ResumeWant(want)).reply.unwrap();
    assert_eq!(workspace.finish_all("v1").len(), 18);
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
    assert_eq!(workspace.step(Input::PauseWant(want)).reply, Err(Refusal::UnknownWant(want)));
}

#[test]
fn what_was_handed_out_for_a_paused_want_is_taken_back_unless_it_has_begun_or_another_needs_it() {
    let mut workspace = Workspace::new(&graph(), 3);
    let want = workspace.want(&["a/city=oslo"], Refresh::Stale);
    let other = workspace.want(&["a/city=oslo/date=2010-01-02"], Refresh::Stale);
    let attempts: Vec<AttemptId> = workspace.ordered.iter().map(|spec| spec.attempt).collect();
    workspace.step(Input::AttemptStarted { attempt: attempts[0], pid: 7 }).reply.unwrap();
    let withdrawn = |workspace: &Workspace| {
        let withdrawn = |effect: &Effect| match effect {
            Effect::Withdraw(attempt) => Some(*attempt),
            _ => None,
        };
        workspace.effects.iter().filter_map(withdrawn).collect::<Vec<_>>()
    };
    workspace.step(Input::PauseWant(want)).reply.unwrap();
    assert_eq!(withdrawn(&workspace), [attempts[2]], "the first runs, and the second is another's, too");
    workspace.restart(&attempts);
    assert_eq!(withdrawn(&workspace), [attempts[2]], "the order may have been lost");

    workspace.end("a/city=oslo/date=2010-01-03", AttemptOutcome::Canceled);
    assert_eq!(workspace.running(), ["a/city=oslo/date=2010-01-01", "a/city=oslo/date=2010-01-02"]);
    workspace.step(Input::CancelWant(other)).reply.unwrap();
    assert_eq!(withdrawn(&workspace), [attempts[1]], "nobody else needs it any more");
    workspace.end("a/city=oslo/date=2010-01-02", AttemptOutcome::Canceled);
    workspace.step(Input::ResumeWant(want)).reply.unwrap();
    let again = AttemptId { number: 2, ..attempts[2] };
    assert!(workspace.ordered.iter().any(|spec| spec.attempt == again), "its run goes on");
}

#[test]
fn what_another_want_holds_too_is_begun() {
    let mut workspace = Workspace::new(&graph(), 1);
    let paused = workspace.want(&["a/city=oslo"], Refresh::Stale);
    workspace.step(Input::PauseWant(paused)).reply.unwrap();
    let other = workspace.want(&["a/city=oslo/date=2010-01-03..2010-01-04"], Refresh::Stale);
    assert_eq!(workspace.finish_all("v1").len(), 3);
    assert_eq!(workspace.outcome(other), Some(WantOutcome::Satisfied));
    assert_eq!(workspace.outcome(paused), None);
    assert_eq!(workspace.core.state.wants()[&paused].counts.done(), 3);
}

#[test]
fn a_pause_survives_a_restart_and_holds_back_retries() {
    let mut workspace = Workspace::new(&graph().change("make_a", |job| job.policy.retries = 1), 1);
    let want = workspace.want(&["a/city=oslo/date=2010-01-01"], Refresh::Stale);
    workspace.end("a/city=oslo/date=2010-01-01", AttemptOutcome::Failure { permanent: false });
    workspace.step(Input::PauseWant(want)).reply.unwrap();
    workspace.later(3_600);
    assert!(workspace.running().is_empty() && workspace.core.next_timer().is_none());
    workspace.restart(&[]);
    assert!(workspace.running().is_empty() && workspace.core.state.wants()[&want].paused);
    workspace.step(Input::ResumeWant(want)).reply.unwrap();
    assert_eq!(workspace.running(), ["a/city=oslo/date=2010-01-01"]);
}

#[test]
fn the_time_to_live_of_a_paused_want_goes_on() {
    let mut workspace = Workspace::new(&graph(), 1);
    let asked =
        databuild_core::decide::WantRequest { ttl_seconds: Some(60), ..request(&["a"], Refresh::Stale) };
    let want = workspace.try_want(asked).unwrap();
    workspace.step(Input::PauseWant(want)).reply.unwrap();
    assert_eq!(workspace.core.next_timer(), workspace.core.state.wants()[&want].expires_at);
    workspace.later(61);
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Expired));
}

#[test]
fn a_paused_want_can_be_cancelled_and_ends_when_others_do_its_work() {
    let mut workspace = Workspace::new(&graph(), 1);
    let first = workspace.want(&["a/city=rome/date=2010-01-01"], Refresh::Stale);
    workspace.step(Input::PauseWant(first)).reply.unwrap();
    workspace.finish_all("v1");
    assert_eq!(workspace.outcome(first), Some(WantOutcome::Satisfied));
    let second = workspace.want(&["a"], Refresh::Stale);
    workspace.step(Input::PauseWant(second)).reply.unwrap();
    workspace.step(Input::CancelWant(second)).reply.unwrap();
    assert_eq!(workspace.outcome(second), Some(WantOutcome::Canceled));
}

#[test]
fn the_class_of_a_want_decides_who_goes_next() {
    let mut workspace = Workspace::new(&graph(), 1);
    let history = backfill(&mut workspace, "a/city=oslo");
    let other = backfill(&mut workspace, "a/city=rome");
    workspace.step(Input::PrioritizeWant(other, PriorityClass::Interactive)).reply.unwrap();
    assert_eq!(workspace.running(), ["a/city=oslo/date=2010-01-10"], "what runs is not stopped");
    workspace.finish("a/city=oslo/date=2010-01-10", "v1");
    assert_eq!(workspace.running(), ["a/city=rome/date=2010-01-01"]);
    workspace.step(Input::PrioritizeWant(other, PriorityClass::Backfill)).reply.unwrap();
    workspace.finish("a/city=rome/date=2010-01-01", "v1");
    assert_eq!(workspace.running(), ["a/city=oslo/date=2010-01-09"], "the older want goes first again");
    workspace.finish_all("v1");
    assert_eq!(workspace.outcome(history), Some(WantOutcome::Satisfied));
}

#[test]
fn of_history_the_newest_goes_first() {
    let mut workspace = Workspace::new(&graph(), 1);
    backfill(&mut workspace, "a/date=2010-01-01..2010-01-03");
    let made = workspace.finish_all("v1");
    let days: Vec<_> = made.iter().map(|text| text.rsplit('-').next().unwrap()).collect();
    assert_eq!(days, ["03", "03", "02", "02", "01", "01"]);

    let batches = graph().change("make_b", |job| {
        job.batch = Some(databuild_core::graph::file::BatchEntry { dim: "date".to_owned(), max: 4 });
    });
    let mut workspace = Workspace::new(&batches, 100);
    workspace.want(&["a/city=oslo"], Refresh::Stale);
    workspace.finish_all("v1");
    backfill(&mut workspace, "b/city=oslo");
    let runs = [
        "b/city=oslo/date=2010-01-07..2010-01-10",
        "b/city=oslo/date=2010-01-03..2010-01-06",
        "b/city=oslo/date=2010-01-01..2010-01-02",
    ];
    assert_eq!(workspace.running(), runs);
}

/// Whatever is done with a want is one event, and its size is that of the set's shape.
#[test]
fn a_want_for_a_hundred_thousand_partitions_stays_one_object() {
    let cities: Vec<String> = (0..100).map(|city| format!("c{city}")).collect();
    let cities: Vec<&str> = cities.iter().map(String::as_str).collect();
    let dims = [listed("city", &cities), days("date", "2000-01-01", "2002-09-26")];
    let mut workspace =
        Workspace::new(&GraphSpec::new().job("make", &["a"], &dims, vec![]).batch("date", 30), 2);
    let want = backfill(&mut workspace, "a");
    assert_eq!(workspace.core.state.wants()[&want].left(), 100_000);
    for input in [
        Input::PauseWant(want),
        Input::PrioritizeWant(want, PriorityClass::Interactive),
        Input::ResumeWant(want),
        Input::CancelWant(want),
    ] {
        workspace.step(input).reply.unwrap();
    }
    let largest = workspace
        .log
        .iter()
        .map(|record| format!("{:?}", record.event))
        .filter(|text| !text.contains("GraphReg"));
    let largest = largest.map(|text| text.len()).max().unwrap();
    assert!(largest < 3_000, "{largest} characters, which is {} cities twice", cities.len());
    assert!(workspace.log.len() < 20, "{:?}", workspace.kinds_since(0));
}

/// A request for oslo's `b` under a key.
fn keyed(key: &str, digest: &str) -> databuild_core::decide::WantRequest {
    let key = Some(RequestKey { key: key.to_owned(), digest: digest.to_owned() });
    databuild_core::decide::WantRequest { key, ..request(&["b/city=oslo"], Refresh::All) }
}

fn ask(workspace: &mut Workspace, key: &str, digest: &str) -> Result<Reply, Refusal> {
    workspace.step(Input::CreateWant(keyed(key, digest), Sightings::default())).reply
}

#[test]
fn a_request_sent_again_under_its_key_makes_one_want() {
    let mut workspace = Workspace::new(&graph(), 1);
    let Ok(Reply::Want(first)) = ask(&mut workspace, "k", "d") else { panic!("the first makes a want") };
    let log = workspace.log.len();
    for _ in 0..50 {
        assert_eq!(ask(&mut workspace, "k", "d"), Ok(Reply::Repeated(Made::Want(first))));
    }
    assert_eq!(workspace.log.len(), log, "nothing more was recorded");
    let reused = Refusal::KeyReused { key: "k".to_owned(), made: Made::Want(first) };
    assert_eq!(ask(&mut workspace, "k", "another"), Err(reused));
    let Ok(Reply::Want(other)) = ask(&mut workspace, "k2", "d") else { panic!("another key makes another") };
    assert_ne!(other, first);

    // Also of a want that is over, and by a server that folded the log or a checkpoint.
    workspace.step(Input::CancelWant(first)).reply.unwrap();
    let mut folded = databuild_core::state::State::default();
    workspace.log.iter().for_each(|record| folded.apply(record).unwrap());
    assert_eq!(folded.dump(), workspace.core.state.dump());
    workspace.core.state = folded;
    assert_eq!(ask(&mut workspace, "k", "d"), Ok(Reply::Repeated(Made::Want(first))));
    workspace.later(24 * 3600);
    assert!(matches!(ask(&mut workspace, "k", "d"), Ok(Reply::Want(_))), "a day later the key is new");
}

#[test]
fn a_refused_request_leaves_its_key_free() {
    let mut workspace = Workspace::new(&graph(), 1);
    let nonsense =
        databuild_core::decide::WantRequest { targets: vec!["nothing".to_owned()], ..keyed("k", "d1") };
    assert!(workspace.try_want(nonsense).is_err());
    assert!(matches!(ask(&mut workspace, "k", "d2"), Ok(Reply::Want(_))));
}

/// `latest` reads the last two days of `raw`; `report` is made from it.
fn latest() -> GraphSpec {
    GraphSpec::new()
        .external("raw", &[days("date", "2010-01-01", "")])
        .job("sum", &["latest"], &[], vec![reads("raw").latest("date", 2)])
        .job("write", &["report"], &[], vec![reads("latest")])
}

#[test]
fn what_somebody_asks_for_as_of_the_past_is_made_from_the_past() {
    let mut workspace = Workspace::new(&latest(), 1);
    workspace.observe("raw", "r1");
    workspace.want(&["report"], Refresh::Stale);
    workspace.finish_all("v1");
    let past = Some("2010-01-10T12:00:00Z".parse().unwrap());
    let read = |workspace: &Workspace| {
        let spec = workspace.attempt("latest");
        let (_, ix, set) = &spec.inputs[0];
        set.iter().map(|key| workspace.core.state.partition_text(*ix, &key)).collect::<Vec<_>>()
    };
    let (plan, kept) =
        workspace.try_plan(PlanRequest { as_of: past, ..planning(&["report"], Refresh::Stale) });
    assert!(kept);
    assert_eq!(plan.rows[0].partitions, ["latest"]);
    let carried_out = workspace.apply(plan.plan).unwrap();
    assert_eq!(read(&workspace), ["raw/date=2010-01-08", "raw/date=2010-01-09"]);
    assert_eq!(workspace.finish_all("v2"), ["latest", "report"]);
    assert_eq!(workspace.outcome(carried_out), Some(WantOutcome::Satisfied));
    // Whoever asks for today takes that back, and whoever asks for the past again, too.
    workspace.want(&["report"], Refresh::Stale);
    assert_eq!(read(&workspace), ["raw/date=2010-01-30", "raw/date=2010-01-31"]);
    assert_eq!(workspace.finish_all("v1"), ["latest", "report"]);
    let asked = WantRequest { as_of: past, ..request(&["report"], Refresh::Stale) };
    let asked = workspace.try_want(asked).unwrap();
    assert_eq!(workspace.finish_all("v2"), ["latest", "report"]);
    assert_eq!(workspace.outcome(asked), Some(WantOutcome::Satisfied));
}

#[test]
fn of_wants_that_are_open_together_the_one_that_looks_furthest_decides() {
    let mut workspace = Workspace::new(&latest(), 0);
    workspace.observe("raw", "r1");
    let past = Some("2010-01-10T12:00:00Z".parse().unwrap());
    let past = WantRequest { as_of: past, ..request(&["latest"], Refresh::Stale) };
    let past = workspace.try_want(past).unwrap();
    let now = workspace.want(&["latest"], Refresh::Stale);
    workspace.step(Input::SetSlots(1));
    assert_eq!(workspace.finish_all("v1"), ["latest"]);
    assert_eq!(workspace.outcome(past), Some(WantOutcome::Satisfied));
    assert_eq!(workspace.outcome(now), Some(WantOutcome::Satisfied));
    assert!(workspace.try_plan(planning(&["latest"], Refresh::Stale)).0.rows.is_empty());
}

#[test]
fn each_partition_of_a_want_is_counted_once_by_how_it_ended() {
    let mut workspace = Workspace::new(&graph(), 2);
    let want = workspace.want(&["b/city=oslo"], Refresh::Stale);
    workspace.fail("a/city=oslo/date=2010-01-01");
    workspace.finish("a/city=oslo/date=2010-01-02", "v1");
    let counted = |workspace: &Workspace| {
        let want = &workspace.core.state.wants()[&want];
        (want.counts, want.left())
    };
    let counts = WantCounts { built: 1, failed: 1, skipped: 1, ..WantCounts::default() };
    assert_eq!(counted(&workspace), (counts, 17));
    let canceled = workspace.run("a/city=oslo/date=2010-01-03");
    workspace.step(Input::CancelRun(canceled)).reply.unwrap();
    let counts = WantCounts { canceled: 1, skipped: 2, ..counts };
    assert_eq!(counted(&workspace), (counts, 15), "what is made from it is given up with it");
    workspace.step(Input::CancelWant(want)).reply.unwrap();
    let ended = workspace.log.iter().rev().find_map(|record| match &record.event {
        Event::WantEnded(ended) => Some(ended.clone()),
        _ => None,
    });
    let ended = ended.unwrap().counts.unwrap();
    assert_eq!((ended.all(), ended.done(), ended.failed, ended.skipped), (20, 1, 1, 2));
    assert_eq!(ended.canceled, 16, "nobody begins the rest");
}
