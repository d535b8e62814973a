//! Data lies where the graph that made or observed it has it; another graph may look for it elsewhere.

mod support;

use databuild_core::event::{AttemptOutcome, Refresh, WantOutcome};
use support::graphs::{reads, GraphSpec};
use support::workspace::Workspace;

/// `raw` -> `a` -> `b`, each a file in `folder`.
fn files(folder: &str) -> GraphSpec {
    let placed = |graph: GraphSpec, name: &'static str| {
        let path = if name == "a" { format!("{folder}/a") } else { name.to_owned() };
        graph.dataset(name, |dataset| dataset.path = Some(path))
    };
    let graph = GraphSpec::new()
        .external("raw", &[])
        .job("make_a", &["a"], &[], vec![reads("raw")])
        .job("make_b", &["b"], &[], vec![reads("a")])
        .change("make_b", |job| job.policy.retries = 1);
    ["raw", "a", "b"].into_iter().fold(graph, placed)
}

/// The same with `a` external.
fn with_a_external() -> GraphSpec {
    GraphSpec::new()
        .external("raw", &[])
        .external("a", &[])
        .job("make_b", &["b"], &[], vec![reads("a")])
        .change("make_b", |job| job.policy.retries = 1)
        .dataset("raw", |dataset| dataset.path = Some("raw".to_owned()))
        .dataset("a", |dataset| dataset.path = Some("elsewhere/a".to_owned()))
        .dataset("b", |dataset| dataset.path = Some("b".to_owned()))
}

#[test]
fn nothing_is_made_from_data_that_lies_where_an_earlier_graph_had_it() {
    let mut workspace = Workspace::new(&files("old"), 1);
    workspace.observe("raw", "r1");
    let want = workspace.want(&["b"], Refresh::Stale);
    // While `a` is made for its old place, the graph gets another one.
    workspace.register(&files("new"));
    workspace.finish("a", "v1");
    assert_eq!(workspace.running(), ["a"], "there is no `new/a` yet");
    assert_eq!(workspace.finish_all("v1"), ["a", "b"]);
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
}

#[test]
fn what_a_run_of_an_earlier_graph_reads_elsewhere_is_not_what_the_graph_of_now_reads() {
    for a_is_external in [false, true] {
        let earlier = if a_is_external { with_a_external() } else { files("old") };
        let mut workspace = Workspace::new(&earlier, 1);
        workspace.observe("raw", "r1");
        if a_is_external {
            workspace.observe("a", "o1");
        }
        workspace.want(&["b"], Refresh::Stale);
        if !a_is_external {
            workspace.finish("a", "v1");
        }
        workspace.end("b", AttemptOutcome::Failure { permanent: false });
        workspace.register(&files("new"));
        assert_eq!(workspace.running(), ["a"]);
        workspace.finish("a", "v2");
        // The second attempt reads what the run's own graph says, which is not at `new/a`.
        workspace.later(600);
        assert_eq!(workspace.attempt("b").attempt.number, 2);
        workspace.core.slots = 0;
        workspace.finish("b", "v1");
        assert_eq!(workspace.verdict("b"), "inputs_changed", "external: {a_is_external}");
    }
}

#[test]
fn what_was_observed_elsewhere_is_missing_once_a_job_makes_it() {
    let mut workspace = Workspace::new(&with_a_external(), 1);
    workspace.observe("a", "o1");
    workspace.register(&files("new"));
    workspace.observe("raw", "r1");
    assert_eq!(workspace.verdict("a"), "file_missing");
    workspace.want(&["b"], Refresh::Missing);
    assert_eq!(workspace.finish_all("v1"), ["a", "b"]);

    // At the same place it is there.
    let mut workspace = Workspace::new(&with_a_external(), 1);
    workspace.observe("a", "o1");
    workspace.register(&files("elsewhere"));
    workspace.observe("raw", "r1");
    assert_eq!(workspace.verdict("a"), "code_changed");
    workspace.want(&["b"], Refresh::Missing);
    assert_eq!(workspace.finish_all("v1"), ["b"]);
}

#[test]
fn what_was_made_while_an_input_was_replaced_and_put_back_is_stale() {
    // Data that is no file has no mark that would tell.
    let graph =
        GraphSpec::new().job("make_a", &["a"], &[], vec![]).job("make_b", &["b"], &[], vec![reads("a")]);
    let mut workspace = Workspace::new(&graph, 4);
    workspace.want(&["b"], Refresh::Stale);
    workspace.finish("a", "v1");
    assert_eq!(workspace.running(), ["b"]);
    for version in ["v2", "v1"] {
        workspace.want(&["a"], Refresh::All);
        workspace.finish("a", version);
    }
    workspace.core.slots = 0;
    workspace.finish("b", "v1");
    assert_eq!(workspace.verdict("b"), "inputs_changed");
    workspace.restart(&[]);
    assert_eq!(workspace.verdict("b"), "inputs_changed");
    workspace.core.slots = 4;
    workspace.want(&["b"], Refresh::Stale);
    assert_eq!(workspace.finish_all("v1"), ["b"]);
    assert_eq!(workspace.verdict("b"), "current");
}
