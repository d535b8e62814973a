//! Where datasets stand, as it is known from one state to the next.

mod support;

use databuild_core::event::{AttemptOutcome, Refresh};
use databuild_core::graph::file::GranularityName::Day;
use databuild_core::state::{Counts, Standings};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use support::graphs::{days, listed, reads, time, GraphSpec};
use support::workspace::Workspace;

fn of_now(workspace: &Workspace) -> Standings {
    Standings::new(&Arc::new(workspace.core.state.clone()), workspace.now)
}

fn counts(standings: &Standings, dataset: &str) -> Counts {
    standings.counts_of(standings.state().graph().dataset_named(dataset).unwrap())
}

#[test]
fn what_changes_upstream_of_what_a_run_found_is_not_missed() {
    let name = [listed("name", &["a", "b"])];
    let graph = GraphSpec::new()
        .external("raw", &[])
        .job("typeset", &["page"], &name, vec![])
        .job("bind", &["book"], &[], vec![reads("page").all("name")])
        .job("write", &["text"], &name, vec![reads("raw")]);
    let mut workspace = Workspace::new(&graph, 9);
    workspace.observe("raw", "r1");
    workspace.want(&["book"], Refresh::Stale);
    let partitions = vec!["text/name=b".to_owned()];
    workspace.end("page/name=a", AttemptOutcome::MissingInput { partitions });
    workspace.finish_all("v1");
    let before = of_now(&workspace);
    assert_eq!((counts(&before, "book").current, counts(&before, "page").current), (1, 2));
    // Nothing of these two is written: only what they are made from is.
    workspace.observe("raw", "r2");
    let after = before.turned_to(&Arc::new(workspace.core.state.clone()), workspace.now);
    assert_eq!((counts(&after, "page").behind, counts(&after, "book").behind), (1, 1));
}

#[test]
fn outputs_that_are_made_together_are_stale_together() {
    let graph =
        GraphSpec::new().external("raw", &[]).job("split", &["left", "right"], &[], vec![reads("raw")]);
    let mut workspace = Workspace::new(&graph, 1);
    workspace.observe("raw", "r1");
    workspace.want(&["left"], Refresh::Stale);
    workspace.finish_all("v1");
    let before = of_now(&workspace);
    assert_eq!((counts(&before, "left").current, counts(&before, "right").current), (1, 1));
    workspace.lose("left");
    let after = before.turned_to(&Arc::new(workspace.core.state.clone()), workspace.now);
    assert_eq!((counts(&after, "left").missing, counts(&after, "right").missing), (1, 1));
}

#[test]
fn they_hold_until_the_next_key_comes() {
    let open = [time("date", Day, "2010-01-01", "2010-12-31", "America/New_York")];
    let graph = GraphSpec::new()
        .job("once", &["once"], &[days("date", "2009-01-01", "2009-01-03")], vec![])
        .job("daily", &["daily"], &open, vec![]);
    let mut workspace = Workspace::new(&graph, 1);
    workspace.now = "2010-03-10T12:00:00Z".parse().unwrap();
    let standings = of_now(&workspace);
    let given = Arc::new(workspace.core.state.clone());
    let first = standings.turned_to(&given, workspace.now);
    let next: Timestamp = "2010-03-11T05:00:00Z".parse().unwrap();
    assert_eq!(counts(&first, "daily").total, 68);
    assert!(first.are_of(&given, next - SignedDuration::from_nanos(1)));
    assert!(!first.are_of(&given, next));
    let second = first.turned_to(&given, next);
    assert_eq!((counts(&second, "daily").total, counts(&second, "once").total), (69, 3));
    // All keys are there.
    let last = second.turned_to(&given, "2011-01-01T05:00:00Z".parse().unwrap());
    assert_eq!(counts(&last, "daily").total, 365);
    assert!(last.are_of(&given, "2100-01-01T00:00:00Z".parse().unwrap()));
}
