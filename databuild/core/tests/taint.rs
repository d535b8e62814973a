//! Data that somebody declared bad, and what was made from it.

mod support;

use databuild_core::decide::{Input, Judgement, KeyRequest, Refusal, Reply, Sightings};
use databuild_core::event::{AttemptOutcome, Event, Refresh, WantOutcome};
use databuild_core::graph::file::RuleEntry;
use databuild_core::state::Verdict;
use support::graphs::{days, dynamic, reads, GraphSpec};
use support::workspace::Workspace;

/// `raw` -> `a` -> `b` -> `c`; `other` -> `b`.
fn graph() -> GraphSpec {
    GraphSpec::new()
        .external("raw", &[])
        .external("other", &[])
        .job("make_a", &["a"], &[], vec![reads("raw")])
        .job("make_b", &["b"], &[], vec![reads("a"), reads("other")])
        .job("make_c", &["c"], &[], vec![reads("b")])
}

/// All of that built.
fn built() -> Workspace {
    let mut workspace = Workspace::new(&graph(), 4);
    workspace.observe("raw", "r1");
    workspace.observe("other", "o1");
    workspace.want(&["c"], Refresh::Stale);
    workspace.finish_all("v1");
    workspace
}

fn judgement(target: &str) -> Judgement {
    Judgement { targets: vec![target.to_owned()], reason: "zeros".to_owned() }
}

/// Of how many partitions it is, and how many follow.
fn taint(workspace: &mut Workspace, target: &str) -> Result<(u64, u64), Refusal> {
    workspace.step(Input::Taint(judgement(target), Sightings::default())).reply.map(judged)
}

fn untaint(workspace: &mut Workspace, target: &str) -> Result<(u64, u64), Refusal> {
    workspace.step(Input::Untaint(judgement(target))).reply.map(judged)
}

fn judged(reply: Reply) -> (u64, u64) {
    let Reply::Judged { partitions, followers } = reply else { panic!("{reply:?}") };
    (partitions, followers.values().sum())
}

/// Verdicts on `a`, `b` and `c`.
fn verdicts(workspace: &Workspace) -> [&'static str; 3] {
    ["a", "b", "c"].map(|name| {
        let mut state = workspace.core.state.clone();
        let (ix, key) = state.resolve_one(name).unwrap();
        let job = state.graph().dataset(ix).producer.unwrap();
        let set =
            databuild_core::partition_set::PartitionSet::single(state.dataset(ix).present.shape(), &key);
        state.settle(job, &set);
        state.verdict(job, &key).code()
    })
}

const FOLLOWS: &str = "made_from_tainted";

#[test]
fn a_taint_reaches_all_that_was_made_from_it() {
    let mut workspace = built();
    assert_eq!(taint(&mut workspace, "a"), Ok((1, 2)));
    assert_eq!(verdicts(&workspace), ["tainted", FOLLOWS, FOLLOWS]);
    let mut workspace = built();
    assert_eq!(taint(&mut workspace, "b"), Ok((1, 1)));
    assert_eq!(verdicts(&workspace), ["current", "tainted", FOLLOWS]);
}

#[test]
fn building_ends_a_taint_and_equal_versions_cut_nothing_off() {
    let mut workspace = built();
    taint(&mut workspace, "a").unwrap();
    workspace.want(&["a"], Refresh::Stale);
    assert_eq!(workspace.finish_all("v1"), ["a"]);
    // The same version as before, and yet: what was made from the bad data is stale.
    assert_eq!(verdicts(&workspace), ["current", FOLLOWS, FOLLOWS]);
    let want = workspace.want(&["c"], Refresh::Stale);
    assert_eq!(workspace.finish_all("v1"), ["b", "c"]);
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
    assert_eq!(verdicts(&workspace), ["current"; 3]);
}

#[test]
fn untainting_gives_back_what_was_made_from_it() {
    let mut workspace = built();
    taint(&mut workspace, "a").unwrap();
    assert_eq!(untaint(&mut workspace, "a"), Ok((1, 2)));
    assert_eq!(verdicts(&workspace), ["current"; 3]);
    // Not what another taint names, nor what follows from that.
    taint(&mut workspace, "b").unwrap();
    taint(&mut workspace, "a").unwrap();
    assert_eq!(untaint(&mut workspace, "a"), Ok((1, 0)));
    assert_eq!(verdicts(&workspace), ["current", "tainted", FOLLOWS]);
    // What was made from tainted data can be judged good by itself.
    taint(&mut workspace, "a").unwrap();
    assert_eq!(untaint(&mut workspace, "b"), Ok((1, 1)));
    assert_eq!(verdicts(&workspace), ["tainted", "current", "current"]);
}

#[test]
fn what_was_made_from_replaced_bad_data_is_not_cleared_by_untainting_other_data() {
    let mut workspace = built();
    workspace.step(Input::Taint(
        Judgement { targets: vec!["a".into(), "other".into()], ..judgement("a") },
        Sightings::default(),
    ));
    workspace.want(&["a"], Refresh::Stale);
    workspace.finish_all("v1");
    untaint(&mut workspace, "other").unwrap();
    assert_eq!(verdicts(&workspace), ["current", FOLLOWS, FOLLOWS]);
}

#[test]
fn what_reads_tainted_data_while_it_is_tainted_is_made_from_it() {
    let mut workspace = built();
    workspace.register(&graph().code("make_b", "newer"));
    workspace.want(&["b"], Refresh::Stale);
    assert_eq!(workspace.running(), ["b"]);
    taint(&mut workspace, "a").unwrap();
    workspace.finish("b", "v2");
    assert_eq!(verdicts(&workspace), ["tainted", FOLLOWS, FOLLOWS]);
    // What `c` was made from is not there any more to be judged.
    untaint(&mut workspace, "a").unwrap();
    assert_eq!(verdicts(&workspace), ["current", "current", FOLLOWS]);
}

#[test]
fn a_taint_reaches_what_was_made_from_data_that_is_gone() {
    let mut workspace = built();
    workspace.lose("a");
    taint(&mut workspace, "raw").unwrap();
    assert_eq!(verdicts(&workspace), ["file_missing", FOLLOWS, FOLLOWS]);
    // Made again from other data, though it comes out the same: what was made from the bad one is bad.
    workspace.observe("raw", "r2");
    workspace.want(&["a"], Refresh::Stale);
    assert_eq!(workspace.finish_all("v1"), ["a"]);
    assert_eq!(verdicts(&workspace), ["current", FOLLOWS, FOLLOWS]);
    // Judged good after all while it was gone, it was good.
    let mut workspace = built();
    workspace.lose("a");
    taint(&mut workspace, "raw").unwrap();
    untaint(&mut workspace, "raw").unwrap();
    assert_eq!(verdicts(&workspace), ["file_missing", "current", "current"]);
}

/// `day` from `raw`, `recent` from the latest day, `report` from that.
fn recent() -> Workspace {
    let graph = GraphSpec::new()
        .external("raw", &[])
        .job("make_day", &["day"], &[days("date", "2010-01-30", "")], vec![reads("raw")])
        .job("make_recent", &["recent"], &[], vec![reads("day").rule("date", RuleEntry::Latest { count: 1 })])
        .job("make_report", &["report"], &[], vec![reads("recent")]);
    let mut workspace = Workspace::new(&graph, 4);
    workspace.observe("raw", "r1");
    workspace.want(&["report"], Refresh::Stale);
    workspace.finish_all("v1");
    workspace
}

fn verdict(workspace: &Workspace, partition: &str) -> &'static str {
    let mut state = workspace.core.state.clone();
    let (ix, set) = state.resolve_readable(partition).unwrap();
    let job = state.graph().dataset(ix).producer.unwrap();
    state.settle(job, &set);
    state.verdict(job, &set.first().unwrap()).code()
}

#[test]
fn a_taint_reaches_what_was_made_when_other_data_was_the_latest() {
    let mut workspace = recent();
    workspace.later(24 * 3_600);
    workspace.want(&["day"], Refresh::Stale);
    workspace.finish_all("v1");
    // By now another day is the latest, which is good.
    taint(&mut workspace, "day/date=2010-01-31").unwrap();
    assert_eq!(verdict(&workspace, "recent"), FOLLOWS);
    workspace.want(&["recent"], Refresh::Stale);
    workspace.finish_all("v1");
    assert_eq!(verdict(&workspace, "report"), FOLLOWS, "equal versions cut nothing off");
    workspace.want(&["report"], Refresh::Stale);
    workspace.finish_all("v1");
    // What was made from the good day is not made from the bad one.
    taint(&mut workspace, "day/date=2010-01-31").unwrap_or_else(|refusal| panic!("{refusal}"));
    assert_eq!([verdict(&workspace, "recent"), verdict(&workspace, "report")], ["current"; 2]);
}

#[test]
fn a_run_is_tainted_by_what_was_the_latest_when_it_was_begun() {
    let mut workspace = recent();
    workspace.want(&["recent"], Refresh::All);
    workspace.later(24 * 3_600);
    workspace.want(&["day"], Refresh::Stale);
    taint(&mut workspace, "day/date=2010-01-31").unwrap();
    workspace.finish("recent", "v1");
    workspace.want(&["report"], Refresh::Missing);
    assert_eq!([verdict(&workspace, "recent"), verdict(&workspace, "report")], [FOLLOWS; 2]);
}

#[test]
fn a_taint_reaches_what_was_made_for_a_retired_key() {
    let city = [dynamic("city", "cities")];
    let graph = GraphSpec::new().external("raw", &[]).job("make_a", &["a"], &city, vec![reads("raw")]).job(
        "make_b",
        &["b"],
        &city,
        vec![reads("a")],
    );
    let mut workspace = Workspace::new(&graph, 4);
    workspace.observe("raw", "r1");
    let keys = || KeyRequest { space: "cities".to_owned(), keys: vec!["oslo".to_owned()] };
    workspace.step(Input::AddKeys(keys())).reply.unwrap();
    workspace.want(&["b"], Refresh::Stale);
    workspace.finish_all("v1");
    workspace.step(Input::RetireKeys(keys())).reply.unwrap();
    taint(&mut workspace, "raw").unwrap();
    workspace.observe("raw", "r2");
    workspace.step(Input::AddKeys(keys())).reply.unwrap();
    assert_eq!([verdict(&workspace, "a/city=oslo"), verdict(&workspace, "b/city=oslo")], [FOLLOWS; 2]);
}

#[test]
fn what_was_made_from_bad_data_that_was_replaced_meanwhile_is_not_cleared_by_untainting_other_data() {
    let mut workspace = built();
    taint(&mut workspace, "a").unwrap();
    taint(&mut workspace, "b").unwrap();
    let graph = graph().change("make_c", |job| job.inputs.push(GraphSpec::new().input(reads("a"))));
    workspace.register(&graph);
    workspace.lose("c");
    workspace.want(&["c"], Refresh::Missing);
    assert_eq!(workspace.running(), ["c"]);
    workspace.want(&["a"], Refresh::Stale);
    workspace.finish("a", "v2");
    workspace.finish("c", "v1");
    untaint(&mut workspace, "b").unwrap();
    assert_eq!(verdicts(&workspace)[2], FOLLOWS, "the bad `a` that it was made from is gone");
}

#[test]
fn a_retry_reads_what_is_there_then() {
    let mut workspace = built();
    workspace.register(&graph().code("make_b", "newer").change("make_b", |job| job.policy.retries = 1));
    workspace.want(&["b"], Refresh::Stale);
    taint(&mut workspace, "a").unwrap();
    untaint(&mut workspace, "a").unwrap();
    workspace.end("b", AttemptOutcome::Failure { permanent: false });
    workspace.later(120);
    workspace.finish("b", "v2");
    assert_eq!(verdicts(&workspace)[1], "current");
}

#[test]
fn a_taint_that_is_taken_back_while_a_run_reads_the_data_leaves_no_mark() {
    let mut workspace = built();
    workspace.register(&graph().code("make_b", "newer"));
    let want = workspace.want(&["b"], Refresh::Stale);
    taint(&mut workspace, "a").unwrap();
    untaint(&mut workspace, "a").unwrap();
    assert_eq!(workspace.finish_all("v2"), ["b"]);
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
    assert_eq!(verdicts(&workspace)[..2], ["current"; 2]);
}

#[test]
fn what_read_bad_data_that_was_replaced_by_the_same_is_not_cleared_by_untainting_other_data() {
    let mut workspace = built();
    workspace.register(&graph().code("make_b", "newer"));
    workspace.want(&["b"], Refresh::Stale);
    taint(&mut workspace, "a").unwrap();
    // Made anew while `b` is being made from the bad one, and bad again for another reason.
    workspace.want(&["a"], Refresh::All);
    workspace.finish("a", "v1");
    taint(&mut workspace, "raw").unwrap();
    workspace.core.slots = 0;
    workspace.finish("b", "v2");
    untaint(&mut workspace, "raw").unwrap();
    assert_eq!(verdicts(&workspace)[..2], ["current", FOLLOWS]);
}

#[test]
fn an_open_want_follows_a_taint() {
    let mut workspace = built();
    workspace.core.slots = 0;
    workspace.register(&graph().code("make_c", "newer"));
    let open = workspace.want(&["c"], Refresh::Stale);
    taint(&mut workspace, "a").unwrap();
    workspace.step(Input::SetSlots(4));
    assert_eq!(workspace.finish_all("v1"), ["a", "b", "c"]);
    assert_eq!(workspace.outcome(open), Some(WantOutcome::Satisfied));
}

#[test]
fn nothing_is_made_from_a_tainted_external_dataset() {
    let mut workspace = built();
    taint(&mut workspace, "raw").unwrap();
    assert_eq!(verdicts(&workspace), [FOLLOWS; 3]);
    let want = workspace.want(&["c"], Refresh::Stale);
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Failed));
    assert!(workspace.causes(want)[0].contains("`raw` is tainted"), "{:?}", workspace.causes(want));
    assert!(workspace.ordered.is_empty());
    let want = workspace.want(&["raw"], Refresh::Stale);
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Failed));
    // The same content is no other data.
    workspace.observe("raw", "r1");
    assert_eq!(verdicts(&workspace), [FOLLOWS; 3]);
    workspace.observe("raw", "r2");
    let want = workspace.want(&["c"], Refresh::Stale);
    assert_eq!(workspace.finish_all("v1"), ["a", "b", "c"]);
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
    assert_eq!(verdicts(&workspace), ["current"; 3]);
}

#[test]
fn missing_builds_only_what_is_missing_and_that_is_made_from_tainted_data() {
    let mut workspace = built();
    taint(&mut workspace, "a").unwrap();
    workspace.lose("b");
    workspace.want(&["b"], Refresh::Missing);
    assert_eq!(workspace.finish_all("v1"), ["b"]);
    assert_eq!(verdicts(&workspace), ["tainted", FOLLOWS, FOLLOWS]);
}

#[test]
fn a_graph_that_reads_tainted_data_again_finds_it_tainted() {
    let mut workspace = built();
    workspace.register(&apart());
    taint(&mut workspace, "a").unwrap();
    workspace.register(&graph());
    assert_eq!(verdicts(&workspace), ["tainted", FOLLOWS, FOLLOWS]);
}

/// `b` reads `other` alone.
fn apart() -> GraphSpec {
    GraphSpec::new()
        .external("raw", &[])
        .external("other", &[])
        .job("make_a", &["a"], &[], vec![reads("raw")])
        .job("make_b", &["b"], &[], vec![reads("other")])
        .job("make_c", &["c"], &[], vec![reads("b")])
}

#[test]
fn what_was_made_from_more_than_the_graph_reads_now_is_not_cleared_by_untainting_what_it_reads() {
    let mut workspace = built();
    taint(&mut workspace, "a").unwrap();
    workspace.register(&apart());
    // The bad data that `b` was made from is replaced while no job reads it.
    workspace.want(&["a"], Refresh::Stale);
    assert_eq!(workspace.finish_all("v1"), ["a"]);
    taint(&mut workspace, "other").unwrap();
    untaint(&mut workspace, "other").unwrap();
    workspace.register(&graph());
    assert_eq!(verdicts(&workspace), ["current", FOLLOWS, FOLLOWS]);
}

#[test]
fn what_was_made_from_keys_that_are_gone_is_not_cleared_by_untainting_the_others() {
    let sums = |end: &str| {
        let days = days("date", "2010-01-01", end);
        GraphSpec::new().external("raw", &[days]).job("sum", &["a"], &[], vec![reads("raw").all("date")])
    };
    let mut workspace = Workspace::new(&sums("2010-01-03"), 4);
    workspace.observe("raw", "r1");
    workspace.want(&["a"], Refresh::Stale);
    workspace.finish_all("v1");
    taint(&mut workspace, "raw").unwrap();
    workspace.register(&sums("2010-01-02"));
    untaint(&mut workspace, "raw").unwrap();
    workspace.register(&sums("2010-01-03"));
    assert_eq!(verdict(&workspace, "a"), FOLLOWS, "the third day is tainted still");
}

#[test]
fn one_event_taints_any_number_of_partitions() {
    let dims = [days("date", "2000-01-01", "2009-12-31")];
    let graph = GraphSpec::new().job("make", &["d"], &dims, vec![]);
    let mut workspace = Workspace::new(&graph, 4);
    workspace.want(&["d/date=2000-01-01..2000-12-31"], Refresh::Stale);
    workspace.finish_all("v1");
    let from = workspace.log.len();
    assert_eq!(taint(&mut workspace, "d"), Ok((366, 0)));
    match &workspace.log[from..] {
        [record] => match &record.event {
            Event::Tainted(event) => {
                assert_eq!(event.partitions, ["d/date=2000-01-01..2000-12-31"]);
                assert_eq!(event.reason, "zeros");
            }
            other => panic!("{other:?}"),
        },
        more => panic!("{more:?}"),
    }
    workspace.restart(&[]);
    let state = &workspace.core.state;
    let (ix, _) = state.resolve("d").unwrap();
    let job = state.graph().dataset(ix).producer.unwrap();
    let present = state.dataset(ix).present.clone();
    assert_eq!(state.outdated(job, &present), [(Verdict::Tainted, present.clone())]);
}

#[test]
fn what_cannot_be_tainted_is_refused() {
    let mut workspace = Workspace::new(&graph(), 4);
    assert_eq!(taint(&mut workspace, "a"), Err(Refusal::NothingToTaint));
    assert_eq!(untaint(&mut workspace, "a"), Err(Refusal::NothingToUntaint));
    let silent = Judgement { reason: " ".to_owned(), ..judgement("a") };
    let reply = workspace.step(Input::Taint(silent, Sightings::default())).reply;
    assert_eq!(reply, Err(Refusal::NoReason));
    assert!(matches!(taint(&mut workspace, "nonsense"), Err(Refusal::BadReference(_))));
}
