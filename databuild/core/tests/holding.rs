//! Which event the history is asked by for what a partition holds.

mod support;

use databuild_core::decide::Sighting;
use databuild_core::event::{Event, Refresh};
use databuild_core::graph::Graph;
use databuild_core::state::Holding;
use support::graphs::{listed, reads, time, GraphSpec};
use support::workspace::Workspace;

fn holding(workspace: &Workspace, partition: &str) -> Holding {
    let state = &workspace.core.state;
    let (ix, key) = state.resolve_one(partition).unwrap();
    state.holding(ix, &key).unwrap()
}

/// A partition as that graph has it.
fn holding_in(workspace: &Workspace, graph: &Graph, partition: &str) -> Option<Holding> {
    let (ix, key) = graph.locate(partition, workspace.core.state.symbols()).unwrap();
    workspace.core.state.holding_in(graph, ix, &key)
}

/// Where the last event stands.
fn last(workspace: &Workspace, is_it: fn(&Event) -> bool) -> u64 {
    let at = workspace.log.iter().rposition(|record| is_it(&record.event));
    at.expect("there was one") as u64 + 1
}

fn last_made(workspace: &Workspace) -> u64 {
    last(workspace, |event| matches!(event, Event::Materialized(_)))
}

fn see(workspace: &mut Workspace, partition: &str, version: &str, mark: u64) {
    let (dataset, key) = workspace.core.state.resolve_one(partition).unwrap();
    workspace.see(vec![Sighting::Content { dataset, key, version: version.to_owned(), mark }]);
}

#[test]
fn a_file_that_was_touched_is_what_its_run_made() {
    let graph = GraphSpec::new().job("make", &["x"], &[listed("k", &["a", "b"])], vec![]);
    let mut workspace = Workspace::new(&graph, 4);
    workspace.want(&["x"], Refresh::Stale);
    workspace.finish_all("v1");
    let made = holding(&workspace, "x/k=a").entry;
    // A link was made to it, say.
    see(&mut workspace, "x/k=a", "v1", 99);
    let touched = holding(&workspace, "x/k=a").entry;
    assert_eq!((touched.seq, touched.mark), (made.seq, 99));
    // Somebody changed it, and put back what was there.
    see(&mut workspace, "x/k=a", "other", 100);
    assert_eq!(workspace.verdict("x/k=a"), "file_altered");
    see(&mut workspace, "x/k=a", "v1", 101);
    assert_eq!(workspace.verdict("x/k=a"), "current");
    assert_eq!(holding(&workspace, "x/k=a").entry.seq, made.seq);
    // A run that makes the same bytes says something of them all the same.
    workspace.want(&["x/k=a"], Refresh::All);
    workspace.finish("x/k=a", "v1");
    assert_eq!(holding(&workspace, "x/k=a").entry.seq.0, last_made(&workspace));
}

#[test]
fn external_data_that_comes_back_is_seen_anew() {
    let graph = GraphSpec::new().external("raw", &[]).job("make", &["x"], &[], vec![reads("raw")]);
    let mut workspace = Workspace::new(&graph, 4);
    let seen = |workspace: &mut Workspace, version: &str, mark| {
        see(workspace, "raw", version, mark);
        holding(workspace, "raw").entry.seq.0
    };
    let first = seen(&mut workspace, "r1", 1);
    assert_eq!(seen(&mut workspace, "r1", 2), first, "it was only touched");
    let second = seen(&mut workspace, "r2", 3);
    assert!(second > first);
    assert!(seen(&mut workspace, "r1", 4) > second);
}

/// `v` by day in that zone.
fn daily(zone: &str) -> GraphSpec {
    use databuild_core::graph::file::GranularityName::Day;
    let day = time("date", Day, "2010-01-01", "2010-01-03", zone);
    GraphSpec::new().job("make_v", &["v"], &[day], vec![])
}

#[test]
fn what_had_the_same_text_in_another_zone_is_told_apart() {
    let (utc, oslo) = (daily("UTC"), daily("Europe/Oslo"));
    let mut workspace = Workspace::new(&utc, 4);
    workspace.want(&["v/date=2010-01-02"], Refresh::Stale);
    workspace.finish_all("v1");
    let first = holding(&workspace, "v/date=2010-01-02");
    assert_eq!(first.entry.seq.0, last_made(&workspace));
    workspace.register(&oslo);
    workspace.want(&["v/date=2010-01-02"], Refresh::Stale);
    workspace.finish_all("v1");
    let second = holding(&workspace, "v/date=2010-01-02");
    assert_eq!(second.entry.seq.0, last_made(&workspace));
    assert_eq!(first.texts, second.texts);
    // Also of the graph that is not the current one.
    assert_eq!(holding_in(&workspace, &utc.parse().unwrap(), "v/date=2010-01-02"), Some(first.clone()));
    workspace.register(&utc);
    assert_eq!(holding(&workspace, "v/date=2010-01-02"), first);
    let oslo = oslo.parse().unwrap();
    assert_eq!(holding_in(&workspace, &oslo, "v/date=2010-01-02"), Some(second));
    assert_eq!(holding_in(&workspace, &oslo, "v/date=2010-01-01"), None);
}

#[test]
fn what_a_run_of_an_older_graph_makes_is_found_under_the_name_that_the_run_has_for_it() {
    let keys = [listed("k", &["a", "b"])];
    let graph = |name: &str| GraphSpec::new().job("make", &[name], &keys, vec![]);
    let mut workspace = Workspace::new(&graph("x"), 4);
    workspace.want(&["x"], Refresh::Stale);
    // It was renamed without a word, and built so. Then that was said.
    workspace.register(&graph("y"));
    workspace.want(&["y/k=b"], Refresh::Stale);
    workspace.finish("y/k=b", "y1");
    workspace.register(&graph("y").moved("x", "y"));
    assert_eq!(holding(&workspace, "y/k=b").texts, ["y/k=b"]);
    workspace.finish("x/k=a", "x1");
    let held = holding(&workspace, "y/k=a");
    assert_eq!(held.entry.seq.0, last_made(&workspace));
    assert_eq!(held.texts, ["y/k=a", "x/k=a"]);
}
