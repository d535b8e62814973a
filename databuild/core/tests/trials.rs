//! Work repeated to compare what comes of it.

mod support;

use databuild_core::decide::{
    made_otherwise, maker_of, repeatable, spread, AcceptRequest, AttemptReport, Input, KeyRequest, Refusal,
    Reply, SampleRequest, Success, TrialRequest,
};
use databuild_core::event::{
    AttemptOutcome, Event, OutputRecord, PriorityClass, Refresh, RequestKey, TrialEnded, TrialGraph,
    TrialKind, TrialOutcome, TrialVerdict, WantOutcome,
};
use databuild_core::graph::Params;
use databuild_core::ids::{GraphId, RunId, TrialId};
use databuild_core::partition_set::PartitionSet;
use databuild_core::retention::{begun_live, graphs_in_use};
use databuild_core::state::{Made, State};
use std::collections::BTreeMap;
use support::graphs::{dynamic, listed, reads, GraphSpec};
use support::workspace::{end_of, output, output_texts, request, Workspace};

const OSLO: &str = "a/city=oslo";

fn graph() -> GraphSpec {
    let dims = [listed("city", &["oslo", "rome"])];
    GraphSpec::new()
        .external("raw", &[])
        .job("make_a", &["a", "also"], &dims, vec![reads("raw")])
        .with(|job| job.policy.retries = 3)
        .job("make_b", &["b"], &dims, vec![reads("a")])
        .files()
}

fn newer() -> GraphSpec {
    graph().code("make_a", "newer")
}

/// All is built by the older code, and the newer one is registered.
fn changed(slots: usize) -> Workspace {
    let mut workspace = Workspace::new(&graph(), slots);
    workspace.observe("raw", "r1");
    workspace.want(&["b", "also"], Refresh::Stale);
    workspace.finish_all("v1");
    workspace.register(&newer());
    workspace
}

fn of(graph: &GraphSpec) -> TrialGraph {
    let content = graph.json();
    TrialGraph { graph: GraphId::of(&content), content: content.into(), inherited: Default::default() }
}

fn sample(partition: &str, graphs: &[&GraphSpec]) -> SampleRequest {
    SampleRequest {
        partition: partition.to_owned(),
        arms: graphs.iter().map(|graph| (of(graph).graph, Params::new())).collect(),
        discovered: Vec::new(),
        expected: Vec::new(),
        changed_inputs: Vec::new(),
    }
}

fn asking(kind: TrialKind, samples: Vec<SampleRequest>) -> TrialRequest {
    TrialRequest {
        graph: of(&newer()).graph,
        kind,
        run: None,
        job: "//:make_a".to_owned(),
        graphs: vec![of(&graph()), of(&newer())],
        samples,
        as_of: None,
        keep: None,
        key: None,
    }
}

fn try_create(workspace: &mut Workspace, request: TrialRequest) -> Result<TrialId, Refusal> {
    match workspace.step(Input::CreateTrial(Box::new(request))).reply? {
        Reply::Trial(trial) => Ok(trial),
        other => panic!("a trial is answered with a trial, not {other:?}"),
    }
}

fn compare(workspace: &mut Workspace, partition: &str) -> TrialId {
    let request = asking(TrialKind::Compare, vec![sample(partition, &[&graph(), &newer()])]);
    try_create(workspace, request).unwrap()
}

#[test]
fn a_request_sent_again_under_its_key_makes_one_trial() {
    let mut workspace = changed(1);
    let mut ask = |digest: &str| {
        let key = Some(RequestKey { key: "k".to_owned(), digest: digest.to_owned() });
        let sample = sample(OSLO, &[&graph(), &newer()]);
        let request = TrialRequest { key, ..asking(TrialKind::Compare, vec![sample]) };
        let reply = workspace.step(Input::CreateTrial(Box::new(request))).reply;
        // Also by a server that folded the log.
        let mut folded = State::default();
        workspace.log.iter().for_each(|record| folded.apply(record).unwrap());
        assert_eq!(folded.dump(), workspace.core.state.dump());
        workspace.core.state = folded;
        reply
    };
    let Ok(Reply::Trial(trial)) = ask("d") else { panic!("the first makes a trial") };
    let made = Made::Trial(trial);
    assert_eq!(ask("d"), Ok(Reply::Repeated(made)));
    assert_eq!(ask("another"), Err(Refusal::KeyReused { key: "k".to_owned(), made }));
    assert_eq!(workspace.core.state.trials().len(), 1);
}

/// The oldest attempt under way succeeds with these versions of its outputs.
fn finish(workspace: &mut Workspace, versions: [&str; 2]) {
    let spec = workspace.ordered[0].clone();
    let texts = output_texts(&spec, &workspace.core.state);
    let outputs: Vec<OutputRecord> = texts.iter().zip(versions).map(|(text, v)| output(text, v)).collect();
    let end = end_of(Ok(Success { outputs, ..Success::default() }));
    workspace.step(Input::AttemptEnded { attempt: spec.attempt, end }).reply.unwrap();
}

fn end(workspace: &mut Workspace, outcome: AttemptOutcome) {
    let attempt = workspace.ordered[0].attempt;
    let end = end_of(Err(AttemptReport::new(outcome, "as told")));
    workspace.step(Input::AttemptEnded { attempt, end }).reply.unwrap();
}

fn ended(workspace: &Workspace, trial: TrialId) -> TrialEnded {
    let ended = &workspace.core.state.trials()[&trial].ended;
    ended.as_ref().unwrap_or_else(|| panic!("{trial} is under way")).1.clone()
}

fn verdicts(workspace: &Workspace, trial: TrialId) -> (TrialOutcome, Vec<(String, TrialVerdict)>) {
    let ended = ended(workspace, trial);
    (ended.outcome, ended.results.into_iter().map(|result| (result.partition, result.verdict)).collect())
}

/// All that is known of data and of work, without trials.
fn known(state: &State) -> String {
    let dump = state.dump();
    format!("{:?} {:?} {:?} {:?}", dump.datasets, dump.retired, dump.work, dump.wants)
}

#[test]
fn equal_bytes_of_both_codes_are_equal_and_change_nothing() {
    let mut workspace = changed(4);
    let before = known(&workspace.core.state);
    let trial = compare(&mut workspace, OSLO);
    let codes: Vec<_> =
        workspace.ordered.iter().map(|spec| spec.graph.graph.job(spec.job).program.code.clone()).collect();
    assert_eq!(codes, ["code of make_a", "newer"]);
    assert!(workspace.ordered.iter().all(|spec| spec.wants.is_empty() && spec.partition == OSLO));
    finish(&mut workspace, ["v1", "v1"]);
    assert!(workspace.core.state.trials()[&trial].is_live());
    finish(&mut workspace, ["v1", "v1"]);
    let equal = |name: &str| (name.to_owned(), TrialVerdict::Equal);
    let found = vec![equal(OSLO), equal("also/city=oslo")];
    assert_eq!(verdicts(&workspace, trial), (TrialOutcome::Equal, found));
    assert_eq!(ended(&workspace, trial).results[0].runs.len(), 2);
    assert_eq!(known(&workspace.core.state), before);
    assert!(workspace.core.state.runs().is_empty());
    // Nothing was published, and what was staged is cleared away.
    let kinds = workspace.kinds_since(0);
    assert!(kinds.iter().filter(|kind| **kind == "trial_made").count() == 2);
}

#[test]
fn one_output_with_other_bytes_is_a_difference() {
    let mut workspace = changed(1);
    let trial = compare(&mut workspace, OSLO);
    finish(&mut workspace, ["v1", "v1"]);
    finish(&mut workspace, ["v1", "v2"]);
    let (outcome, found) = verdicts(&workspace, trial);
    assert_eq!(outcome, TrialOutcome::Differs);
    assert_eq!(found[0].1, TrialVerdict::Equal);
    assert_eq!(found[1], ("also/city=oslo".to_owned(), TrialVerdict::Differs));
    assert_eq!(ended(&workspace, trial).results[1].versions, ["v1", "v2"]);
}

#[test]
fn an_arm_that_fails_is_not_tried_again_and_ends_its_sample() {
    let mut workspace = changed(1);
    let trial = compare(&mut workspace, OSLO);
    end(&mut workspace, AttemptOutcome::Failure { permanent: false });
    let (outcome, found) = verdicts(&workspace, trial);
    assert_eq!((outcome, found), (TrialOutcome::Unknown, vec![(OSLO.to_owned(), TrialVerdict::Failed)]));
    assert_eq!(
        ended(&workspace, trial).results[0].message,
        format!("r{} failed: as told", workspace.core.state.last_run().0)
    );
    assert!(workspace.ordered.is_empty());
    let job = workspace.core.state.graph().job_labeled("//:make_a").unwrap();
    assert!(workspace.core.state.dataset(workspace.core.state.graph().job(job).outputs[0]).failed.is_empty());
}

#[test]
fn a_trial_goes_on_when_its_key_is_retired() {
    let dims = [dynamic("city", "cities")];
    let graph = GraphSpec::new().job("make_a", &["a", "also"], &dims, vec![]);
    let mut workspace = Workspace::new(&graph, 1);
    let keys = || KeyRequest { space: "cities".to_owned(), keys: vec!["oslo".to_owned()] };
    workspace.step(Input::AddKeys(keys())).reply.unwrap();
    let samples = vec![sample(OSLO, &[&graph, &graph])];
    let request = TrialRequest {
        graph: of(&graph).graph,
        graphs: vec![of(&graph)],
        ..asking(TrialKind::Compare, samples)
    };
    let trial = try_create(&mut workspace, request).unwrap();
    workspace.step(Input::RetireKeys(keys())).reply.unwrap();
    // The second run begins after the key went.
    finish(&mut workspace, ["v1", "v1"]);
    finish(&mut workspace, ["v1", "v1"]);
    assert_eq!(verdicts(&workspace, trial).0, TrialOutcome::Equal);
}

#[test]
fn a_crash_in_between_loses_nothing() {
    let mut workspace = changed(1);
    let trial = compare(&mut workspace, OSLO);
    finish(&mut workspace, ["v1", "v1"]);
    let live = workspace.ordered[0].attempt;
    workspace.restart(&[live]);
    assert_eq!(workspace.ordered[0].attempt, live);
    // Nobody knows that attempt any more: it is made again, by the same run.
    workspace.restart(&[]);
    assert_eq!((workspace.ordered[0].attempt.run, workspace.ordered[0].attempt.number), (live.run, 2));
    finish(&mut workspace, ["v1", "v1"]);
    assert_eq!(ended(&workspace, trial).outcome, TrialOutcome::Equal);
}

#[test]
fn another_graph_and_wants_for_the_same_partition_do_not_touch_it() {
    let mut workspace = changed(4);
    let trial = compare(&mut workspace, OSLO);
    let want = workspace.want(&[OSLO], Refresh::Stale);
    assert_eq!(workspace.running(), [OSLO, OSLO, OSLO]);
    workspace.register(&newer().code("make_b", "newest"));
    finish(&mut workspace, ["v1", "v1"]);
    finish(&mut workspace, ["v1", "v1"]);
    assert_eq!(ended(&workspace, trial).outcome, TrialOutcome::Equal);
    assert_eq!(workspace.outcome(want), None);
    workspace.finish(OSLO, "v2");
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
}

#[test]
fn trials_go_after_what_somebody_waits_for_and_before_history() {
    let mut workspace = changed(1);
    workspace.want(&["a/city=rome"], Refresh::All);
    let mut history = request(&["b/city=rome"], Refresh::All);
    history.class = PriorityClass::Backfill;
    workspace.try_want(history).unwrap();
    compare(&mut workspace, OSLO);
    workspace.want(&[OSLO], Refresh::All);
    let mut order = Vec::new();
    while let Some(spec) = workspace.ordered.first().cloned() {
        let trial = workspace.core.state.runs()[&spec.attempt.run].trial.is_some();
        order.push((spec.partition.clone(), trial));
        if trial {
            finish(&mut workspace, ["v1", "v1"]);
        } else {
            workspace.finish(&spec.partition, "v1");
        }
    }
    let order: Vec<_> = order.iter().map(|(partition, trial)| (partition.as_str(), *trial)).collect();
    let (somebody, trial) = ((OSLO, false), (OSLO, true));
    assert_eq!(order, [("a/city=rome", false), somebody, trial, trial, ("b/city=rome", false)]);
}

#[test]
fn inputs_that_change_meanwhile_make_it_worthless() {
    let mut workspace = changed(1);
    let trial = compare(&mut workspace, OSLO);
    finish(&mut workspace, ["v1", "v1"]);
    workspace.observe("raw", "r2");
    finish(&mut workspace, ["v1", "v1"]);
    let (outcome, found) = verdicts(&workspace, trial);
    assert_eq!((outcome, found[0].1), (TrialOutcome::Unknown, TrialVerdict::InputsChanged));
}

#[test]
fn a_canceled_trial_stops_its_runs() {
    let mut workspace = changed(4);
    let trial = compare(&mut workspace, OSLO);
    workspace.step(Input::CancelTrial(trial)).reply.unwrap();
    assert_eq!(ended(&workspace, trial).outcome, TrialOutcome::Canceled);
    end(&mut workspace, AttemptOutcome::Canceled);
    // What ends well in spite of that is nobody's.
    finish(&mut workspace, ["v1", "v1"]);
    assert!(workspace.core.state.runs().is_empty());
    let again = workspace.step(Input::CancelTrial(trial)).reply.unwrap_err();
    assert_eq!(again.code(), "trial_ended");
    assert_eq!(workspace.step(Input::CancelTrial(TrialId(9))).reply.unwrap_err().code(), "trial_not_found");
}

#[test]
fn runs_of_a_trial_that_are_stopped_with_all_others_are_tried_again() {
    let mut workspace = changed(1);
    let trial = compare(&mut workspace, OSLO);
    for _ in 0..9 {
        end(&mut workspace, AttemptOutcome::Canceled);
    }
    finish(&mut workspace, ["v1", "v1"]);
    finish(&mut workspace, ["v1", "v1"]);
    assert_eq!(ended(&workspace, trial).outcome, TrialOutcome::Equal);
}

#[test]
fn a_canceled_run_of_a_trial_is_no_result() {
    let mut workspace = changed(1);
    let trial = compare(&mut workspace, OSLO);
    let run = workspace.ordered[0].attempt.run;
    workspace.step(Input::CancelRun(run)).reply.unwrap();
    end(&mut workspace, AttemptOutcome::Canceled);
    assert_eq!(ended(&workspace, trial).outcome, TrialOutcome::Unknown);
}

#[test]
fn what_a_run_had_made_is_compared_with_what_it_makes_now() {
    let mut workspace = changed(1);
    let rerun = |changed: &[&str]| {
        let mut one = sample(OSLO, &[&graph()]);
        one.expected = vec![output(OSLO, "v1"), output("also/city=oslo", "run:r1")];
        one.changed_inputs = changed.iter().map(|text| (*text).to_owned()).collect();
        TrialRequest { run: Some(RunId(1)), ..asking(TrialKind::Rerun, vec![one]) }
    };
    let trial = try_create(&mut workspace, rerun(&[])).unwrap();
    finish(&mut workspace, ["v1", "run:r9"]);
    let (outcome, found) = verdicts(&workspace, trial);
    // A number of a run is no data.
    assert_eq!(
        (outcome, found[0].1, found[1].1),
        (TrialOutcome::Unknown, TrialVerdict::Equal, TrialVerdict::Incomparable)
    );
    let trial = try_create(&mut workspace, rerun(&["raw"])).unwrap();
    finish(&mut workspace, ["v2", "x"]);
    let ended = ended(&workspace, trial);
    assert_eq!(ended.results[0].verdict, TrialVerdict::InputsChanged);
    assert_eq!(ended.results[0].message, "its inputs have changed since: raw");
    let trial = try_create(&mut workspace, rerun(&[])).unwrap();
    finish(&mut workspace, ["v2", "x"]);
    assert_eq!(verdicts(&workspace, trial).0, TrialOutcome::Differs);
}

#[test]
fn the_log_keeps_a_trial_that_is_under_way_and_its_code() {
    let mut workspace = changed(1);
    let begins = |workspace: &Workspace| {
        let created = workspace.log.iter().find(|record| matches!(record.event, Event::TrialCreated(_)));
        begun_live(&workspace.core.state, &created.unwrap().event).is_some()
    };
    let old = of(&graph()).graph;
    assert!(!graphs_in_use(&workspace.core.state).contains(&old));
    compare(&mut workspace, OSLO);
    assert!(begins(&workspace));
    assert!(graphs_in_use(&workspace.core.state).contains(&old));
    finish(&mut workspace, ["v1", "v1"]);
    finish(&mut workspace, ["v1", "v1"]);
    assert!(!begins(&workspace));
}

#[test]
fn a_checkpoint_keeps_trials() {
    let mut workspace = changed(1);
    let over = compare(&mut workspace, OSLO);
    finish(&mut workspace, ["v1", "v1"]);
    finish(&mut workspace, ["v1", "v1"]);
    let live = compare(&mut workspace, OSLO);
    finish(&mut workspace, ["v1", "v1"]);
    let dump = workspace.core.state.dump();
    let contents = [graph().json(), newer().json()];
    let content =
        |id: &GraphId| contents.iter().find(|text| GraphId::of(text) == *id).map(|t| t.as_str().into());
    let restored = State::restore(dump.clone(), content).unwrap();
    assert_eq!(restored.dump(), dump);
    workspace.core.state = restored;
    finish(&mut workspace, ["v1", "v1"]);
    assert_eq!(ended(&workspace, live).outcome, TrialOutcome::Equal);
    assert_eq!(ended(&workspace, over).outcome, TrialOutcome::Equal);
}

fn accept(workspace: &mut Workspace, targets: &[&str], evidence: &str) -> Result<Reply, Refusal> {
    workspace
        .step(Input::Accept(AcceptRequest {
            targets: targets.iter().map(|text| (*text).to_owned()).collect(),
            job: None,
            reason: "a comment".to_owned(),
            evidence: evidence.to_owned(),
        }))
        .reply
}

#[test]
fn a_trial_is_evidence_for_what_it_compared_and_found_equal() {
    let mut workspace = changed(1);
    let trial = compare(&mut workspace, OSLO);
    let refused = |workspace: &mut Workspace, targets: &[&str], evidence: &str| {
        accept(workspace, targets, evidence).unwrap_err().to_string()
    };
    let says = "t1 is no evidence for that: ";
    assert_eq!(refused(&mut workspace, &["a"], "t1"), format!("{says}it is not over yet"));
    assert_eq!(refused(&mut workspace, &["a"], "t7"), "there is no trial t7");
    finish(&mut workspace, ["v1", "v1"]);
    finish(&mut workspace, ["v1", "v1"]);
    assert_eq!(ended(&workspace, trial).outcome, TrialOutcome::Equal);
    workspace.register(&newer().code("make_b", "newest"));
    assert_eq!(
        refused(&mut workspace, &["a", "b"], "t1"),
        format!("{says}it is about //:make_a, and //:make_b is to be accepted too")
    );
    // A further change is another one.
    workspace.register(&graph().code("make_a", "newest"));
    let message =
        format!("{says}it did not compare what made a/city=oslo+rome with the job of today; compare again");
    assert_eq!(refused(&mut workspace, &["a"], "t1"), message);
    workspace.register(&newer());
    assert_eq!(
        accept(&mut workspace, &["a"], "t1"),
        Ok(Reply::Judged { partitions: 2, followers: BTreeMap::new() })
    );
}

#[test]
fn what_differs_or_only_verifies_is_no_evidence_and_words_are_the_users() {
    let mut workspace = changed(1);
    compare(&mut workspace, OSLO);
    finish(&mut workspace, ["v1", "v1"]);
    finish(&mut workspace, ["v1", "v2"]);
    assert_eq!(accept(&mut workspace, &["a"], "t1").unwrap_err().code(), "no_evidence");
    let verify = asking(TrialKind::Verify, vec![sample(OSLO, &[&newer(), &newer()])]);
    try_create(&mut workspace, verify).unwrap();
    finish(&mut workspace, ["v1", "v1"]);
    finish(&mut workspace, ["v1", "v1"]);
    assert!(accept(&mut workspace, &["a"], "t2").unwrap_err().to_string().contains("`compare` does"));
    assert!(accept(&mut workspace, &["a"], "the review of t1").is_ok());
}

#[test]
fn what_was_worked_out_with_another_graph_is_refused() {
    let mut workspace = changed(1);
    workspace.register(&newer().code("make_b", "newest"));
    let from = workspace.log.len();
    let request = asking(TrialKind::Verify, vec![sample(OSLO, &[&newer(), &newer()])]);
    assert_eq!(try_create(&mut workspace, request).unwrap_err().code(), "graph_changed");
    let wrong = TrialRequest {
        graph: workspace.core.state.registered().id.clone(),
        ..asking(TrialKind::Verify, vec![sample("b/city=oslo", &[&newer()])])
    };
    assert_eq!(try_create(&mut workspace, wrong).unwrap_err().code(), "not_of_job");
    assert_eq!(workspace.log.len(), from);
}

#[test]
fn those_that_a_change_made_stale_are_chosen_and_spread_evenly() {
    let mut workspace = changed(4);
    let state = &workspace.core.state;
    let job = state.graph().job_labeled("//:make_a").unwrap();
    let chosen = |state: &State, targets: &[&str]| -> Vec<String> {
        let targets: Vec<String> = targets.iter().map(|text| (*text).to_owned()).collect();
        let found = made_otherwise(state, job, &targets, state.as_of()).unwrap();
        found.values().flat_map(|set| state.work_text(job, set)).collect()
    };
    assert_eq!(chosen(state, &[]), ["a/city=oslo+rome"]);
    assert_eq!(chosen(state, &["also/city=rome"]), ["a/city=rome"]);
    assert_eq!(maker_of(state, &["also".to_owned(), "a".to_owned()], state.as_of()), Ok(job));
    assert_eq!(maker_of(state, &["raw".to_owned()], state.as_of()).unwrap_err().code(), "not_repeatable");
    assert_eq!(repeatable(state, job, &[], state.as_of()).unwrap().len(), 2);
    workspace.lose("raw");
    assert_eq!(chosen(&workspace.core.state, &[]), [""; 0], "its inputs are not there");
    workspace.register(&graph());
    assert_eq!(chosen(&workspace.core.state, &[]), [""; 0], "nothing is changed any more");

    let all = GraphSpec::new().job(
        "x",
        &["x"],
        &[listed("n", &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"])],
        vec![],
    );
    let workspace = Workspace::new(&all, 1);
    let set = |text: &str| workspace.core.state.resolve(text).unwrap().1;
    let (ten, one) = (set("x"), set("x/n=0"));
    let keys = |sets: &[&PartitionSet], most| -> Vec<u32> {
        spread(sets, most).iter().map(|(_, key)| key.keys()[0] - one.first().unwrap().keys()[0]).collect()
    };
    assert_eq!(keys(&[&ten], 5), [1, 3, 5, 7, 9]);
    assert_eq!(keys(&[&ten], 1), [5]);
    assert_eq!(keys(&[&ten], 50).len(), 10);
    // What made only a few is looked at as well.
    assert_eq!(spread(&[&ten, &one], 3).iter().filter(|(of, _)| *of == 1).count(), 1);
    assert_eq!(spread(&[&ten, &one], 1).len(), 1);
}

#[test]
fn old_trials_make_room_for_new_ones() {
    let mut workspace = changed(1);
    for _ in 0..databuild_core::state::MOST_TRIALS + 5 {
        compare(&mut workspace, OSLO);
        finish(&mut workspace, ["v1", "v1"]);
        finish(&mut workspace, ["v1", "v1"]);
    }
    let kept: Vec<TrialId> = workspace.core.state.trials().keys().copied().collect();
    assert_eq!((kept.len(), kept[0]), (databuild_core::state::MOST_TRIALS, TrialId(6)));
    let events = workspace.log.iter().filter(|record| matches!(record.event, Event::TrialEnded(_))).count();
    assert_eq!(events, databuild_core::state::MOST_TRIALS + 5);
}
