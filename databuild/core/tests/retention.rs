//! What of the past the present still counts on.

mod support;

use databuild_core::event::{AttemptOutcome, Event, Refresh};
use databuild_core::ids::{RunId, Seq};
use databuild_core::retention::{begun_live, code_in_use, graphs_in_use, last_failures, made_from, InUse};
use databuild_core::state::Holding;
use support::graphs::{days, reads, time, GraphSpec};
use support::workspace::{planning, Workspace};

/// `raw` -> `clean` -> `week`, which reads three days.
fn graph() -> GraphSpec {
    let date = [days("date", "2010-01-01", "2010-01-05")];
    GraphSpec::new()
        .external("raw", &date)
        .job("make_clean", &["clean", "log"], &date, vec![reads("raw")])
        .job("make_week", &["week"], &date, vec![reads("clean").window("date", 3).clip()])
}

fn workspace() -> Workspace {
    let mut workspace = Workspace::new(&graph(), 20);
    workspace.core.state.advance(workspace.now);
    for day in 1..=5 {
        workspace.observe(&format!("raw/date=2010-01-0{day}"), "r1");
    }
    workspace
}

/// What partitions are called now.
fn texts(holdings: Vec<Holding>) -> Vec<String> {
    holdings.into_iter().map(|holding| holding.texts[0].clone()).collect()
}

/// Kinds of the events with which something live began.
fn live(workspace: &Workspace) -> Vec<&'static str> {
    let begins = |event: &&Event| begun_live(&workspace.core.state, event).is_some();
    workspace.log.iter().map(|record| &record.event).filter(begins).map(Event::kind).collect()
}

#[test]
fn what_is_live_is_kept_from_its_beginning_on() {
    let mut workspace = workspace();
    assert_eq!(live(&workspace), [""; 0]);
    workspace.want(&["clean/date=2010-01-01"], Refresh::Stale);
    assert_eq!(live(&workspace), ["want_created", "attempt_leased"]);
    workspace.plan(&["week"], Refresh::Stale);
    assert_eq!(live(&workspace), ["want_created", "attempt_leased", "plan_created"]);
    workspace.finish_all("v1");
    assert_eq!(live(&workspace), ["plan_created"]);
    workspace.later(2 * 24 * 3600);
    // A plan that has expired is dropped with the next one.
    workspace.try_plan(planning(&["clean"], Refresh::Stale));
    assert_eq!(live(&workspace), ["plan_created"]);
}

#[test]
fn what_was_made_from_a_partition_is_found_by_the_graph() {
    let mut workspace = workspace();
    let of = |workspace: &Workspace, partition: &str| texts(made_from(&workspace.core.state, partition));
    assert_eq!(of(&workspace, "raw/date=2010-01-02"), [""; 0], "nothing is there yet");
    workspace.want(&["week/date=2010-01-02..2010-01-05"], Refresh::Stale);
    workspace.finish_all("v1");
    assert_eq!(of(&workspace, "raw/date=2010-01-02"), ["clean/date=2010-01-02", "log/date=2010-01-02"]);
    let weeks = ["week/date=2010-01-03", "week/date=2010-01-04", "week/date=2010-01-05"];
    assert_eq!(of(&workspace, "clean/date=2010-01-03"), weeks);
    assert_eq!(of(&workspace, "log/date=2010-01-03"), [""; 0]);
    assert_eq!(of(&workspace, "gone/date=2010-01-03"), [""; 0]);
}

#[test]
fn what_was_made_from_a_partition_that_nobody_declared_is_found_too() {
    let mut workspace = workspace();
    workspace.want(&["clean/date=2010-01-01"], Refresh::Stale);
    let partitions = vec!["raw/date=2010-01-05".to_owned(), "week/date=2010-01-05".to_owned()];
    workspace.end("clean/date=2010-01-01", AttemptOutcome::MissingInput { partitions });
    workspace.finish_all("v1");
    let of = |partition: &str| texts(made_from(&workspace.core.state, partition));
    assert_eq!(of("week/date=2010-01-05"), ["clean/date=2010-01-01", "log/date=2010-01-01"]);
}

#[test]
fn the_newest_failure_of_each_partition_is_told() {
    let mut workspace = workspace();
    let fail = |workspace: &mut Workspace, day: &str| {
        let partition = format!("clean/date={day}");
        workspace.want(&[&partition], Refresh::Stale);
        let run = workspace.run(&partition);
        workspace.fail(&partition);
        (run, partition)
    };
    let (first, second) = ("2010-01-01", "2010-01-02");
    let old = fail(&mut workspace, first);
    let other = fail(&mut workspace, second);
    let new = fail(&mut workspace, first);
    let runs = [new.clone(), other.clone(), old, (RunId(99), "gone".to_owned())];
    assert_eq!(last_failures(&workspace.core.state, &runs), [new.0, other.0].into());
    workspace.want(&["clean/date=2010-01-02"], Refresh::Stale);
    workspace.finish_all("v1");
    assert_eq!(last_failures(&workspace.core.state, &runs), [new.0].into());
}

#[test]
fn graphs_and_code_are_in_use_as_long_as_something_follows_them() {
    let mut workspace = workspace();
    let old = workspace.core.state.registered().id.clone();
    let code = |workspace: &Workspace| -> Vec<String> {
        code_in_use(&workspace.core.state)
            .into_iter()
            .map(|(label, code)| format!("{label} {code}"))
            .collect()
    };
    assert_eq!(code(&workspace), [""; 0]);
    workspace.want(&["clean/date=2010-01-01"], Refresh::Stale);
    workspace.register(&graph().code("make_clean", "other"));
    let new = workspace.core.state.registered().id.clone();
    assert_eq!(graphs_in_use(&workspace.core.state), [old.clone(), new.clone()].into());
    workspace.finish("clean/date=2010-01-01", "v1");
    assert_eq!(graphs_in_use(&workspace.core.state), [new].into());
    let stale = code(&workspace);
    assert_eq!(stale.len(), 1, "{stale:?}");
    assert!(!stale[0].ends_with(" other"), "{stale:?}");
    workspace.finish_all("v2");
    assert_eq!(code(&workspace), ["//:make_clean other"]);
}

#[test]
fn what_is_held_is_in_use_whoever_has_its_text_now() {
    use databuild_core::graph::file::GranularityName::Day;
    let daily = |zone: &str| {
        GraphSpec::new().job("make", &["v"], &[time("date", Day, "2010-01-01", "2010-01-03", zone)], vec![])
    };
    let mut workspace = Workspace::new(&daily("UTC"), 4);
    let v = "v/date=2010-01-02";
    let build = |workspace: &mut Workspace, version: &str| {
        workspace.want(&[v], Refresh::All);
        workspace.finish_all(version);
        let (ix, key) = workspace.core.state.resolve_one(v).unwrap();
        workspace.core.state.holding(ix, &key).unwrap().entry.seq
    };
    let replaced = build(&mut workspace, "v1");
    let here = build(&mut workspace, "v2");
    workspace.register(&daily("Europe/Oslo"));
    let there = build(&mut workspace, "v3");
    let has = |workspace: &Workspace, seq: Seq| InUse::of(&workspace.core.state).has(v, seq);
    assert_eq!([replaced, here, there].map(|seq| has(&workspace, seq)), [false, true, true]);
    workspace.register(&daily("UTC"));
    assert_eq!([replaced, here, there].map(|seq| has(&workspace, seq)), [false, true, true]);
    assert!(!InUse::of(&workspace.core.state).has("v/date=2010-01-03", here));
}
