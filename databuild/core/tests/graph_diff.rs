//! What differs between two graphs, and what that makes stale.

mod support;

use databuild_core::decide::{left_under, Impact};
use databuild_core::event::Refresh;
use databuild_core::graph::diff::{diff, Change};
use databuild_core::graph::file::{CheckEntry, DatasetEntry, GranularityName, KeysEntry, PoolEntry};
use databuild_core::graph::OnCodeChange;
use std::collections::BTreeMap;
use support::graphs::{days, reads, GraphSpec};
use support::impact_of;
use support::workspace::Workspace;

/// `raw` -> `a` -> `b`, by day; `c` has nothing to do with them.
fn graph() -> GraphSpec {
    let daily = [days("date", "2010-01-01", "2010-01-10")];
    GraphSpec::new()
        .external("raw", &daily)
        .job("make_a", &["a"], &daily, vec![reads("raw")])
        .job("make_b", &["b"], &daily, vec![reads("a")])
        .job("make_c", &["c"], &daily, vec![])
        .check("sane", "a")
}

fn changes(head: &GraphSpec) -> Vec<(String, Change, String)> {
    let found = diff(&graph().file, &head.file);
    let all = found.jobs.into_iter().chain(found.datasets).chain(found.checks);
    all.map(|difference| (difference.name, difference.change, difference.what.join(","))).collect()
}

#[test]
fn each_respect_has_its_name() {
    type Case = (fn(GraphSpec) -> GraphSpec, &'static str, &'static str);
    let cases: [Case; 12] = [
        (|g| g.code("make_a", "other"), "//:make_a", "code"),
        (|g| g.change("make_a", |job| job.program.executable = "other".into()), "//:make_a", "code"),
        (|g| g.change("make_a", |job| job.program.args = vec!["-v".into()]), "//:make_a", "args"),
        (
            |g| g.change("make_a", |job| drop(job.program.env.insert("A".into(), "1".into()))),
            "//:make_a",
            "args",
        ),
        (|g| g.change("make_a", |job| job.program.env_inherit = vec!["TZ".into()]), "//:make_a", "args"),
        (|g| g.change("make_b", |job| job.inputs.clear()), "//:make_b", "inputs"),
        (|g| g.change("make_a", |job| job.policy.retries = 9), "//:make_a", "policy"),
        (|g| g.change("make_a", |job| job.policy.on_code_change = OnCodeChange::Keep), "//:make_a", "policy"),
        (
            |g| g.code("make_a", "other").change("make_a", |job| job.program.grace_ms = Some(1)),
            "//:make_a",
            "code,policy",
        ),
        (|g| g.dataset("a", |dataset| dataset.path = Some("out/{date}".into())), "a", "path"),
        (|g| g.dataset("a", |dataset| dataset.external = true), "a", "external"),
        (|g| g.dataset("c", |dataset| dataset.dims.clear()), "c", "dims"),
    ];
    for (change, name, what) in cases {
        assert_eq!(changes(&change(graph())), [(name.to_owned(), Change::Changed, what.to_owned())]);
    }
    // Where build outputs are says nothing.
    assert_eq!(changes(&graph().change("make_a", |job| job.program.manifest = "elsewhere".into())), []);
    assert_eq!(changes(&graph()), []);
}

#[test]
fn declarations_of_other_names_that_come_and_go_are_told() {
    let base = graph().moved("was_a", "a").moved_job("was_c", "make_c");
    let head = graph().moved("was_a", "a").moved_dim("a", "day", "date");
    let found = diff(&base.file, &head.file);
    assert!(found.jobs.is_empty() && found.datasets.is_empty() && !found.is_empty());
    let moved: Vec<_> = found.moved.iter().map(|moved| (&moved.entry, moved.change)).collect();
    assert_eq!(
        moved,
        [(&base.file.moved[1], Change::Removed), (&head.file.moved[1], Change::Added)],
        "what both have differs in nothing"
    );
    assert!(diff(&base.file, &base.file).is_empty());
}

#[test]
fn a_check_that_differs_is_told() {
    type Case = (fn(&mut CheckEntry), &'static str);
    let other = |change: fn(&mut CheckEntry)| {
        let mut head = graph();
        change(&mut head.file.checks[0]);
        changes(&head)
    };
    let cases: [Case; 4] = [
        (|check| check.dataset = "b".into(), "dataset"),
        (|check| check.program.code = Some("other".into()), "code"),
        (|check| check.program.args = vec!["-v".into()], "args"),
        (|check| check.blocking = false, "policy"),
    ];
    for (change, what) in cases {
        assert_eq!(other(change), [("//:sane".to_owned(), Change::Changed, what.to_owned())]);
    }
    assert_eq!(other(|check| check.program.manifest = "elsewhere".into()), []);
}

#[test]
fn a_check_of_a_dataset_that_has_another_name_does_not_differ() {
    let mut head = graph().moved("a", "renamed");
    head.file.checks[0].dataset = "renamed".into();
    let found = diff(&graph().file, &head.file);
    assert_eq!(found.checks, []);
}

#[test]
fn what_comes_and_goes_is_told_whatever_its_place() {
    let mut head = graph().job("make_d", &["d"], &[], vec![]);
    head.file.jobs.retain(|job| job.label != "//:make_c");
    head.file.datasets.retain(|dataset| dataset.name != "c");
    head.file.jobs.reverse();
    head.file.datasets.reverse();
    let expected = [
        ("//:make_c", Change::Removed),
        ("//:make_d", Change::Added),
        ("c", Change::Removed),
        ("d", Change::Added),
    ];
    assert_eq!(changes(&head), expected.map(|(name, change)| (name.to_owned(), change, String::new())));
}

#[test]
fn what_would_be_stale_is_counted_downstream_included_and_nothing_is_registered() {
    let mut workspace = Workspace::new(&graph(), 100);
    let (dataset, all) = workspace.core.state.resolve_at("raw", workspace.now).unwrap();
    let content =
        |key| databuild_core::decide::Sighting::Content { dataset, key, version: "r1".to_owned(), mark: 0 };
    workspace.see(all.iter().map(content).collect());
    workspace.want(&["b/date=2010-01-01..2010-01-06", "c"], Refresh::Stale);
    workspace.finish_all("v1");
    // Stale already, so not for the graph: `b` of this day, and `a`.
    workspace.observe("raw/date=2010-01-02", "r2");
    let of = |head: GraphSpec| -> BTreeMap<String, (u64, u64, u64)> {
        let found = impact_of(&workspace.core.state, head.registration(), workspace.now);
        let counts = |impact: Impact| (impact.stale, impact.downstream, impact.lost);
        let found = found.into_iter().map(|(name, impact)| (name, counts(impact)));
        found.filter(|(_, counts)| *counts != (0, 0, 0)).collect()
    };
    let already = |head: GraphSpec| {
        let found = impact_of(&workspace.core.state, head.registration(), workspace.now);
        let found = found.into_iter().filter(|(_, impact)| impact.already > 0);
        found.map(|(name, impact)| format!("{name}: {}", impact.already)).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(already(graph()), "a: 1, b: 1", "`b` is behind");
    assert_eq!(already(graph().code("make_a", "other")), "a: 1, b: 1");
    assert_eq!(already(graph().code("make_b", "other")), "a: 1, b: 1");
    let expected = |all: &[(&str, (u64, u64, u64))]| -> BTreeMap<String, (u64, u64, u64)> {
        all.iter().map(|(name, counts)| ((*name).to_owned(), *counts)).collect()
    };
    let before = workspace.core.state.registered().id.clone();
    assert_eq!(of(graph()), expected(&[]));
    assert_eq!(of(graph().code("make_a", "other")), expected(&[("a", (5, 0, 0)), ("b", (0, 5, 0))]));
    assert_eq!(of(graph().code("make_b", "other")), expected(&[("b", (5, 0, 0))]));
    assert_eq!(of(graph().code("make_c", "other")), expected(&[("c", (10, 0, 0))]));
    let kept =
        |job: &mut databuild_core::graph::file::JobEntry| job.policy.on_code_change = OnCodeChange::Keep;
    assert_eq!(of(graph().code("make_c", "other").change("make_c", kept)), expected(&[]));
    // A rename that is not declared loses what was built; so does another meaning of keys.
    let renamed = |head: GraphSpec| {
        let mut head = head.change("make_b", |job| job.outputs = vec!["d".into()]);
        head.file.datasets.iter_mut().filter(|dataset| dataset.name == "b").for_each(|b| b.name = "d".into());
        head.file.datasets.sort_by(|a, b| a.name.cmp(&b.name));
        head
    };
    assert_eq!(of(renamed(graph())), expected(&[("b", (0, 0, 6))]));
    assert_eq!(of(renamed(graph()).moved("b", "d")), expected(&[]));
    let monthly = |dataset: &mut DatasetEntry| dataset.dims[0].keys = months();
    assert_eq!(of(graph().dataset("c", monthly)), expected(&[("c", (0, 0, 10))]));
    assert_eq!(workspace.core.state.registered().id, before);
}

#[test]
fn what_a_graph_made_stale_is_what_it_was_said_to_until_that_is_built_anew() {
    let mut workspace = Workspace::new(&graph(), 100);
    for day in 1..=6 {
        workspace.observe(&format!("raw/date=2010-01-0{day}"), "r1");
    }
    workspace.want(&["b/date=2010-01-01..2010-01-06"], Refresh::Stale);
    workspace.finish_all("v1");
    workspace.observe("raw/date=2010-01-02", "r2");
    let head = graph().code("make_a", "other");
    let said = impact_of(&workspace.core.state, head.registration(), workspace.now);
    assert_eq!((said["a"].stale, said["a"].already, said["b"].downstream), (5, 1, 5));
    workspace.register(&head);
    let made = |workspace: &Workspace| {
        let state = &workspace.core.state;
        databuild_core::decide::impact_since(state, graph().registration(), workspace.now).unwrap()
    };
    assert_eq!(made(&workspace), said);
    workspace.want(&["a/date=2010-01-01..2010-01-03"], Refresh::Stale);
    workspace.finish_all("v2");
    let left = made(&workspace);
    assert_eq!((left["a"].stale, left["a"].already), (3, 0));
    workspace.want(&["b/date=2010-01-01..2010-01-06"], Refresh::Stale);
    workspace.finish_all("v3");
    assert_eq!(made(&workspace), BTreeMap::new());
    // Nothing was stale of its own graph.
    let own = databuild_core::decide::impact_since(&workspace.core.state, head.registration(), workspace.now);
    assert_eq!(own.unwrap(), BTreeMap::new());
}

fn months() -> KeysEntry {
    let (start, end) = ("2010-01".to_owned(), Some("2010-01".to_owned()));
    KeysEntry::Time { granularity: GranularityName::Month, start, end, timezone: "UTC".to_owned() }
}

#[test]
fn pools_that_differ_are_told() {
    let with = |pools: &[(&str, u32)]| {
        let mut graph = graph();
        graph.file.pools = pools
            .iter()
            .map(|(label, slots)| PoolEntry { label: (*label).to_owned(), slots: *slots })
            .collect();
        graph.file
    };
    let found = diff(
        &with(&[("//:a", 1), ("//:b", 2), ("//:c", 3)]),
        &with(&[("//:b", 2), ("//:c", 4), ("//:d", 5)]),
    );
    let pools: Vec<_> =
        found.pools.iter().map(|pool| (pool.label.as_str(), pool.change(), pool.now)).collect();
    assert_eq!(
        pools,
        [
            ("//:a", Change::Removed, None),
            ("//:c", Change::Changed, Some(4)),
            ("//:d", Change::Added, Some(5))
        ]
    );
    assert!(!found.is_empty());
}

#[test]
fn what_a_graph_adds_to_open_wants_is_told_and_nothing_is_recorded() {
    let mut workspace = Workspace::new(&graph(), 100);
    workspace.observe("raw/date=2010-01-01", "r1");
    workspace.want(&["b/date=2010-01-01"], Refresh::Stale);
    workspace.finish_all("v1");
    let want = workspace.want(&["b/date=2010-01-01", "c/date=2010-01-01"], Refresh::Stale);
    let of = |head: GraphSpec| {
        let head = head.registration();
        left_under(&workspace.core.state, &[want], head, workspace.now).remove(&want).unwrap()
    };
    let left = |jobs: &[&str]| -> BTreeMap<String, u64> {
        jobs.iter().map(|job| (format!("//:{job}"), 1)).collect()
    };
    assert_eq!(of(graph()), (left(&["make_c"]), left(&["make_c"])));
    let (before, after) = of(graph().code("make_a", "other"));
    assert_eq!((before, after), (left(&["make_c"]), left(&["make_a", "make_b", "make_c"])));
    assert_eq!(of(graph()).1, left(&["make_c"]), "nothing is recorded");
}
