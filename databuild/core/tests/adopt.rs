//! Files that were there already.

mod support;

use databuild_core::decide::{AdoptRequest, FoundFile, Input, Reply, Sightings};
use databuild_core::event::{Event, Refresh};
use support::graphs::{reads, GraphSpec};
use support::workspace::Workspace;

fn graph() -> GraphSpec {
    GraphSpec::new()
        .external("raw", &[])
        .job("make_a", &["a"], &[], vec![reads("raw")])
        .job("make_b", &["b"], &[], vec![reads("a")])
        .files()
}

fn workspace() -> Workspace {
    let mut workspace = Workspace::new(&graph(), 4);
    workspace.observe("raw", "r1");
    workspace
}

fn adopt(workspace: &mut Workspace, files: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
    let found = |(text, version): &(&str, &str)| {
        let (dataset, key) = workspace.core.state.resolve_one(text).unwrap();
        FoundFile { dataset, key, version: (*version).to_owned(), mark: 7, bytes: 1 }
    };
    let request = AdoptRequest { files: files.iter().map(found).collect() };
    match workspace.step(Input::Adopt(request, Sightings::default())).reply {
        Ok(Reply::Adopted { adopted, being_made }) => (adopted, being_made),
        other => panic!("{other:?}"),
    }
}

#[test]
fn adopted_files_count_as_built_in_one_event_whatever_order_they_are_named_in() {
    let mut workspace = workspace();
    let from = workspace.log.len();
    assert_eq!(adopt(&mut workspace, &[("b", "v2"), ("a", "v1")]).0, ["a", "b"]);
    assert_eq!(workspace.kinds_since(from), ["adopted"]);
    assert_eq!([workspace.verdict("a"), workspace.verdict("b")], ["current"; 2]);
    workspace.want(&["b"], Refresh::Stale);
    assert!(workspace.ordered.is_empty());
    workspace.restart(&[]);
    assert_eq!(workspace.verdict("b"), "current");
    // They are held against the code and the inputs of then.
    workspace.observe("raw", "r2");
    assert_eq!(workspace.verdict("a"), "inputs_changed");
    workspace.register(&graph().code("make_b", "newer"));
    assert_eq!(workspace.verdict("b"), "code_changed");
    // A build ends it.
    workspace.want(&["b"], Refresh::Stale);
    workspace.finish_all("v3");
    let state = &workspace.core.state;
    assert!(state.graph().datasets().all(|(ix, _)| state.dataset(ix).adopted.is_empty()));
}

#[test]
fn what_a_run_is_making_or_what_is_recorded_is_left_alone() {
    let mut workspace = workspace();
    workspace.want(&["a"], Refresh::Stale);
    let from = workspace.log.len();
    assert_eq!(adopt(&mut workspace, &[("a", "mine")]), (vec![], vec!["a".to_owned()]));
    workspace.finish_all("v1");
    assert_eq!(adopt(&mut workspace, &[("a", "mine")]), (vec![], vec![]));
    let adoptions = workspace.log[from..].iter().filter(|record| matches!(record.event, Event::Adopted(_)));
    assert_eq!(adoptions.count(), 0);
}

#[test]
fn files_that_were_moved_to_a_new_place_are_adopted_there() {
    let mut workspace = workspace();
    workspace.want(&["b"], Refresh::Stale);
    workspace.finish_all("v1");
    let elsewhere = graph().dataset("a", |dataset| dataset.path = Some("elsewhere/a".into()));
    workspace.register(&elsewhere);
    assert_eq!(workspace.verdict("a"), "template_changed");
    assert_eq!(adopt(&mut workspace, &[("a", "v1")]).0, ["a"]);
    assert_eq!([workspace.verdict("a"), workspace.verdict("b")], ["current"; 2]);
    workspace.want(&["b"], Refresh::Stale);
    assert!(workspace.ordered.is_empty());
    assert_eq!(adopt(&mut workspace, &[("a", "v1")]).0, [""; 0], "it is recorded by now");
}

#[test]
fn work_that_waits_is_cut_off_by_an_adoption() {
    let mut workspace = workspace();
    workspace.core.slots = 0;
    let want = workspace.want(&["b"], Refresh::Stale);
    adopt(&mut workspace, &[("a", "v1"), ("b", "v2")]);
    workspace.step(Input::SetSlots(4));
    assert!(workspace.ordered.is_empty(), "{:?}", workspace.running());
    assert!(workspace.outcome(want).is_some());
}
