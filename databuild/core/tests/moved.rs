//! Renames: what was moved is what it was.

mod support;

use databuild_core::decide::{
    AcceptRequest, Input, Judgement, KeyRequest, Refusal, Sighting, Sightings, Success,
};
use databuild_core::event::{AttemptOutcome, Event, Refresh, WantOutcome};
use databuild_core::graph::diff::{diff, Change};
use databuild_core::graph::file::{DimEntry, KeysEntry, RuleEntry};
use databuild_core::graph::Rate;
use databuild_core::ids::GraphId;
use databuild_core::state::State;
use std::time::Duration;
use support::graphs::{days, listed, reads, GraphSpec};
use support::workspace::{end_of, output, request, Workspace};

/// `raw` -> `orders` by city and day -> `report` by city, with names that may be others. What `orders` is in
/// and how its job is called name its dimensions and its dataset.
fn sales(orders: &str, day: &str, ingest: &str) -> GraphSpec {
    let city = || listed("city", &["oslo", "rome"]);
    let days_of = |name| days(name, "2010-01-01", "2010-01-03");
    let raw = reads("raw").rule("date", RuleEntry::Same { of: day.to_owned() });
    GraphSpec::new()
        .external("raw", &[city(), days_of("date")])
        .job(ingest, &[orders], &[city(), days_of(day)], vec![raw])
        .with(|job| {
            job.program.args =
                vec![format!("--day={{{day}}}"), format!("{{path:{orders}}}"), "{{day}}".to_owned()];
            job.program.code = Some("code of ingest".to_owned());
        })
        .dataset(orders, |dataset| dataset.path = Some(format!("out/{{city}}/{{{day}}}.csv")))
        .job("sum", &["report"], &[city()], vec![reads(orders).named("orders").all(day)])
}

fn before() -> GraphSpec {
    sales("orders", "day", "ingest")
}

/// All three have other names.
fn after() -> GraphSpec {
    sales("sales", "date", "load")
        .moved("orders", "sales")
        .moved_dim("sales", "day", "date")
        .moved_job("ingest", "load")
}

fn see_raw(workspace: &mut Workspace) {
    let (dataset, all) = workspace.core.state.resolve_at("raw", workspace.now).unwrap();
    let content = |key| Sighting::Content { dataset, key, version: "r1".to_owned(), mark: 0 };
    workspace.see(all.iter().map(content).collect());
}

fn fresh(graph: &GraphSpec, slots: usize) -> Workspace {
    let mut workspace = Workspace::new(graph, slots);
    see_raw(&mut workspace);
    workspace
}

/// All of it is built.
fn built() -> Workspace {
    let mut workspace = fresh(&before(), 10);
    workspace.want(&["report"], Refresh::Stale);
    workspace.finish_all("v1");
    workspace
}

/// What a build of everything would make.
fn undone(workspace: &mut Workspace) -> Vec<String> {
    let names: Vec<String> = workspace.core.state.graph().datasets().map(|(_, d)| d.name.clone()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).filter(|name| *name != "raw").collect();
    let (plan, _) = workspace.try_plan(support::workspace::planning(&names, Refresh::Stale));
    plan.rows.iter().flat_map(|row| row.partitions.clone()).collect()
}

/// The same holds for a server that comes back, from its events and from a checkpoint.
fn undone_after_restart(workspace: &mut Workspace) -> Vec<String> {
    let known: Vec<_> = workspace.ordered.iter().map(|spec| spec.attempt).collect();
    let live = undone(workspace);
    workspace.restart(&known);
    assert_eq!(undone(workspace), live, "replayed");
    let content = |id: &GraphId| {
        workspace.log.iter().find_map(|record| match &record.event {
            Event::GraphRegistered(event) if event.graph == *id => Some(event.content.clone()),
            _ => None,
        })
    };
    let restored = State::restore(workspace.core.state.dump(), content).expect("it was just dumped");
    workspace.core.state = restored;
    assert_eq!(undone(workspace), live, "restored");
    live
}

#[test]
fn a_rename_makes_nothing_stale() {
    let cases: [(&str, Vec<GraphSpec>); 8] = [
        ("a dataset", vec![sales("sales", "day", "ingest").moved("orders", "sales")]),
        ("a dimension", vec![sales("orders", "date", "ingest").moved_dim("orders", "day", "date")]),
        ("a job", vec![sales("orders", "day", "load").moved_job("ingest", "load")]),
        ("all at once", vec![after()]),
        (
            "one after the other",
            vec![
                sales("sales", "day", "ingest").moved("orders", "sales"),
                sales("sales", "date", "ingest").moved("orders", "sales").moved_dim("sales", "day", "date"),
                after(),
            ],
        ),
        (
            "twice",
            vec![
                after(),
                // The dimension was moved while the dataset had its second name.
                sales("shop", "when", "load")
                    .moved("sales", "shop")
                    .moved("orders", "sales")
                    .moved_dim("sales", "day", "date")
                    .moved_dim("shop", "date", "when")
                    .moved_job("ingest", "load"),
            ],
        ),
        (
            "twice, at once",
            vec![sales("shop", "when", "take")
                .moved("orders", "sales")
                .moved("sales", "shop")
                .moved_dim("sales", "day", "date")
                .moved_dim("shop", "date", "when")
                .moved_job("ingest", "load")
                .moved_job("load", "take")],
        ),
        ("back again", vec![after(), before(), after(), before()]),
    ];
    for (case, graphs) in cases {
        let mut workspace = built();
        for graph in graphs {
            workspace.register(&graph);
            assert_eq!(undone_after_restart(&mut workspace), [""; 0], "{case}");
        }
        // What changes afterwards is noticed.
        workspace.observe("raw/city=oslo/date=2010-01-02", "r2");
        workspace.want(&["report"], Refresh::Stale);
        let made = workspace.finish_all("v2");
        assert_eq!(made.len(), 2, "{case}: {made:?}");
        assert_eq!(undone_after_restart(&mut workspace), [""; 0], "{case}");
    }
}

#[test]
fn without_a_declaration_it_is_another_one() {
    let mut workspace = built();
    workspace.register(&sales("sales", "day", "ingest"));
    assert_eq!(
        undone(&mut workspace),
        ["sales/city=oslo+rome/day=2010-01-01..2010-01-03", "report/city=oslo+rome"]
    );
    // Nor if its keys mean something else.
    let mut workspace = built();
    let months = |dims: &mut Vec<DimEntry>| {
        dims[1].keys = days("day", "2010-01-01", "2010-01-03").keys;
        if let KeysEntry::Time { timezone, .. } = &mut dims[1].keys {
            *timezone = "Europe/Oslo".to_owned();
        }
    };
    let elsewhere = sales("sales", "day", "ingest")
        .dataset("sales", |dataset| months(&mut dataset.dims))
        .dataset("raw", |dataset| months(&mut dataset.dims))
        .moved("orders", "sales");
    let elsewhere = elsewhere.dataset("raw", |dataset| dataset.dims[1].name = "date".to_owned());
    workspace.register(&elsewhere);
    assert_eq!(workspace.verdict("sales/city=oslo/day=2010-01-01"), "missing");
}

#[test]
fn a_declaration_that_comes_late_or_goes_early_loses_no_data() {
    // Renamed without a word, nothing was built, then declared.
    let mut workspace = built();
    workspace.register(&sales("sales", "day", "ingest"));
    workspace.register(&sales("sales", "day", "ingest").moved("orders", "sales"));
    assert_eq!(undone_after_restart(&mut workspace), [""; 0]);
    // In between there was a graph without any of it.
    workspace.register(&GraphSpec::new().external("raw", &[]));
    workspace.register(&sales("sales", "day", "ingest").moved("orders", "sales"));
    assert!(
        workspace
            .core
            .state
            .dataset(workspace.core.state.graph().dataset_named("sales").unwrap())
            .present
            .len()
            == 6
    );
    // Once it is dropped, what reads the data counts as made from another dataset. The data itself stays.
    let mut workspace = built();
    workspace.register(&after());
    workspace.register(&sales("sales", "date", "load"));
    assert_eq!(workspace.verdict("sales/city=oslo/date=2010-01-01"), "args_changed");
    assert_eq!(workspace.verdict("report/city=oslo"), "inputs_changed");
}

#[test]
fn what_was_built_before_it_was_declared_is_what_there_is() {
    let mut workspace = built();
    workspace.register(&sales("sales", "day", "ingest"));
    workspace.want(&["sales/city=oslo/day=2010-01-01"], Refresh::Stale);
    workspace.finish_all("v9");
    workspace.register(&sales("sales", "day", "ingest").moved("orders", "sales"));
    let state = &workspace.core.state;
    let present = &state.dataset(state.graph().dataset_named("sales").unwrap()).present;
    assert_eq!(present.len(), 1, "the two are not mixed");
}

#[test]
fn what_was_built_before_it_was_declared_stays_so_whatever_graph_was_there_in_between() {
    let renamed = || sales("sales", "day", "ingest");
    let dated = || sales("orders", "date", "ingest");
    let cases = [
        ("a dataset", renamed(), renamed().moved("orders", "sales"), "sales/city=oslo/day=2010-01-01"),
        (
            "a dimension",
            dated(),
            dated().moved_dim("orders", "day", "date"),
            "orders/city=oslo/date=2010-01-01",
        ),
    ];
    for (case, unsaid, said, partition) in cases {
        let mut workspace = built();
        let old = "orders/city=oslo/day=2010-01-01";
        let held = |workspace: &Workspace, partition: &str| {
            let (ix, key) = workspace.core.state.resolve_one(partition).unwrap();
            (
                workspace.core.state.holding(ix, &key).unwrap().entry,
                workspace.core.state.dataset(ix).entries.len(),
            )
        };
        let first = held(&workspace, old);
        workspace.register(&unsaid);
        workspace.want(&[partition], Refresh::Stale);
        workspace.finish_all("v9");
        let own = held(&workspace, partition);
        assert_eq!(own.1, 1, "{case}");
        // Back to the main branch, and to one that says it.
        for _ in 0..2 {
            workspace.register(&before());
            assert_eq!(held(&workspace, old), first, "{case}: what was built under the old name waits there");
            workspace.register(&said);
            assert_eq!(held(&workspace, partition), own, "{case}: the two are not mixed");
            undone_after_restart(&mut workspace);
        }
    }
}

#[test]
fn a_run_under_way_makes_what_has_another_name_now() {
    let mut workspace = fresh(&before(), 10);
    let want = workspace.want(&["report/city=oslo"], Refresh::Stale);
    assert_eq!(workspace.running().len(), 3);
    workspace.finish("orders/city=oslo/day=2010-01-01", "v1");
    workspace.register(&after());
    assert_eq!(
        workspace.kinds_since(workspace.log.len() - 1),
        ["graph_registered"],
        "nothing is planned anew"
    );
    // One is lost, so that its next attempt begins under the new graph.
    workspace.end("orders/city=oslo/day=2010-01-02", AttemptOutcome::Lost);
    workspace.restart(&workspace.ordered.iter().map(|spec| spec.attempt).collect::<Vec<_>>());
    workspace.finish("orders/city=oslo/day=2010-01-02", "v1");
    assert!(!workspace.running().contains(&"report/city=oslo"));
    workspace.finish("orders/city=oslo/day=2010-01-03", "v1");
    assert_eq!(workspace.running(), ["report/city=oslo"]);
    workspace.finish("report/city=oslo", "v1");
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
    let left = undone_after_restart(&mut workspace);
    assert_eq!(left, ["sales/city=rome/date=2010-01-01..2010-01-03", "report/city=rome"]);
}

#[test]
fn an_open_want_goes_on_with_what_is_queued() {
    let mut workspace = fresh(&before(), 1);
    let want = workspace.want(&["orders/city=oslo", "report/city=oslo"], Refresh::All);
    workspace.finish("orders/city=oslo/day=2010-01-01", "v1");
    let held = |workspace: &Workspace| {
        let want = &workspace.core.state.wants()[&want];
        (want.counts, want.left())
    };
    let then = held(&workspace);
    workspace.register(&after());
    workspace.restart(&workspace.ordered.iter().map(|spec| spec.attempt).collect::<Vec<_>>());
    assert_eq!(held(&workspace), then);
    workspace.want(&["sales/city=oslo/date=2010-01-03"], Refresh::Stale);
    let made = workspace.finish_all("v1");
    let expected = ["orders/city=oslo/day=2010-01-02", "sales/city=oslo/date=2010-01-03", "report/city=oslo"];
    assert_eq!(made, expected, "each once");
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
}

#[test]
fn what_is_said_of_data_stays_said() {
    let mut workspace = built();
    let taint =
        Judgement { targets: vec!["orders/city=oslo/day=2010-01-01".to_owned()], reason: "bad".to_owned() };
    workspace.step(Input::Taint(taint, Sightings::default())).reply.unwrap();
    workspace.register(&before().code("ingest", "newer"));
    let accepted = AcceptRequest {
        targets: Vec::new(),
        job: Some("//:ingest".to_owned()),
        reason: "a comment".to_owned(),
        evidence: String::new(),
    };
    workspace.step(Input::Accept(accepted.clone())).reply.unwrap();
    workspace.register(&after().code("load", "newer"));
    assert_eq!(workspace.verdict("sales/city=oslo/date=2010-01-01"), "tainted");
    assert_eq!(workspace.verdict("sales/city=oslo/date=2010-01-02"), "current");
    assert_eq!(workspace.verdict("report/city=oslo"), "made_from_tainted");
    let refusal = workspace.step(Input::Accept(accepted)).reply.unwrap_err();
    assert_eq!(refusal.to_string(), "job `//:ingest` was moved to `//:load`; name that");
}

#[test]
fn an_unnamed_set_of_dynamic_keys_keeps_its_name_and_keys() {
    let graph = |orders: &str, customer: &str| {
        let dim = |name: &str| DimEntry { name: name.to_owned(), keys: KeysEntry::Dynamic { name: None } };
        GraphSpec::new()
            .job("ingest", &[orders], &[dim(customer)], vec![])
            .with(|job| job.adds_keys = vec!["orders:customer".to_owned()])
            .job("sum", &["report"], &[], vec![reads(orders).named("orders").all(customer)])
    };
    let mut workspace = Workspace::new(&graph("orders", "customer"), 4);
    let keys = |keys: &[&str]| KeyRequest {
        space: "orders:customer".to_owned(),
        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
    };
    workspace.step(Input::AddKeys(keys(&["acme", "bolt"]))).reply.unwrap();
    workspace.want(&["report"], Refresh::Stale);
    workspace.finish("orders/customer=acme", "v1");
    let moved = graph("sales", "client").moved("orders", "sales").moved_dim("orders", "customer", "client");
    workspace.register(&moved);
    // A run of the old graph tells of a key.
    let attempt = workspace.attempt("orders/customer=bolt").attempt;
    let outputs = vec![output("orders/customer=bolt", "v1")];
    let found = [("orders:customer".to_owned(), vec!["core".to_owned()])].into();
    let end = end_of(Ok(Success { outputs, keys: found }));
    workspace.step(Input::AttemptEnded { attempt, end }).reply.unwrap();
    assert_eq!(workspace.finish_all("v1"), ["sales/client=core", "report"]);
    assert_eq!(undone_after_restart(&mut workspace), [""; 0]);
}

#[test]
fn inputs_that_a_run_found_are_found_under_their_new_names() {
    let pages = |text: &str, name: &str| {
        let listed = |name: &str| [listed(name, &["a", "b"])];
        GraphSpec::new().job("typeset", &["page"], &listed("name"), vec![]).job(
            "write",
            &[text],
            &listed(name),
            vec![],
        )
    };
    let missing = |workspace: &mut Workspace, partition: &str, needs: &str| {
        let partitions = vec![needs.to_owned()];
        workspace.end(partition, AttemptOutcome::MissingInput { partitions })
    };
    let moved = || pages("prose", "title").moved("text", "prose").moved_dim("prose", "name", "title");
    let mut workspace = Workspace::new(&pages("text", "name"), 4);
    workspace.want(&["page"], Refresh::Stale);
    missing(&mut workspace, "page/name=a", "text/name=b");
    workspace.register(&moved());
    // What was begun under the old graph speaks its words, and is given what it found.
    missing(&mut workspace, "page/name=b", "text/name=a");
    workspace.finish("text/name=b", "t1");
    assert_eq!(workspace.attempt("page/name=a").discovered.len(), 1);
    workspace.finish("page/name=a", "p1");
    workspace.finish("prose/title=a", "t1");
    assert_eq!(workspace.attempt("page/name=b").discovered.len(), 1);
    // It was given that, so it cannot wait for it again.
    let attempt = missing(&mut workspace, "page/name=b", "text/name=a");
    assert!(!workspace.core.state.runs().contains_key(&attempt.run));
    assert_eq!(undone_after_restart(&mut workspace), ["page/name=b"]);
    workspace.want(&["prose/title=b"], Refresh::All);
    workspace.finish("prose/title=b", "t2");
    assert_eq!(workspace.verdict("page/name=a"), "inputs_changed");
}

#[test]
fn limits_and_rates_count_across_the_rename() {
    let limited = |graph: GraphSpec, job: &str, dataset: &str| {
        let rate = Rate { count: 3, period: Duration::from_secs(60) };
        graph.change(job, |job| (job.policy.max_running, job.policy.rate) = (Some(2), Some(rate))).dataset(
            dataset,
            |dataset| {
                dataset.policy.max_running = Some(2);
            },
        )
    };
    let mut workspace = fresh(&limited(before(), "ingest", "orders"), 10);
    workspace.want(&["orders"], Refresh::Stale);
    assert_eq!(workspace.running().len(), 2);
    workspace.register(&limited(after(), "load", "sales"));
    workspace.restart(&workspace.ordered.iter().map(|spec| spec.attempt).collect::<Vec<_>>());
    assert_eq!(workspace.running().len(), 2, "two run under the old name");
    workspace.finish("orders/city=oslo/day=2010-01-01", "v1");
    assert_eq!(workspace.running(), ["orders/city=oslo/day=2010-01-02", "sales/city=oslo/date=2010-01-03"]);
    workspace.finish("orders/city=oslo/day=2010-01-02", "v1");
    assert_eq!(workspace.running().len(), 1, "three have started in this minute");
    workspace.later(60);
    assert_eq!(workspace.running().len(), 2);
}

#[test]
fn a_plan_that_was_kept_can_be_applied() {
    let mut workspace = fresh(&before(), 10);
    let plan = workspace.plan(&["report/city=rome"], Refresh::Stale);
    workspace.register(&after());
    let want = workspace.apply(plan.plan).expect("nothing that it rests on has changed");
    assert_eq!(workspace.finish_all("v1").len(), 4);
    assert_eq!(workspace.outcome(want), Some(WantOutcome::Satisfied));
}

#[test]
fn old_names_are_refused_with_the_new_ones() {
    let mut workspace = built();
    workspace.register(&after());
    for (text, code, message) in [
        ("orders/city=oslo", "moved", "`orders` was moved to `sales`; name that"),
        ("//:orders", "moved", "`orders` was moved to `sales`; name that"),
        (
            "sales/day=2010-01-01",
            "moved_dimension",
            "dimension `day` of `sales` was moved to `date`; name that",
        ),
    ] {
        let refusal = workspace.try_want(request(&[text], Refresh::Stale)).unwrap_err();
        assert_eq!((refusal.code(), refusal.to_string()), (code, message.to_owned()));
        assert!(matches!(refusal, Refusal::BadReference(_)));
    }
}

#[test]
fn all_texts_of_a_partition_are_known() {
    let mut workspace = built();
    workspace.register(&sales("sales", "day", "ingest").moved("orders", "sales"));
    workspace.register(&after());
    let state = &workspace.core.state;
    let (ix, key) = state.resolve_one("sales/city=oslo/date=2010-01-02").unwrap();
    let expected = [
        "sales/city=oslo/date=2010-01-02",
        "sales/city=oslo/day=2010-01-02",
        "orders/city=oslo/day=2010-01-02",
    ];
    assert_eq!(state.texts(ix, &key), expected);
    // A run of an earlier graph reads what was made under any name.
    let first = before().parse().unwrap();
    let texts = state.texts_in(&first, first.dataset_named("orders").unwrap(), &key);
    assert_eq!(texts, expected);
    for (prefix, earlier) in [
        ("sales", vec!["sales/", "orders/"]),
        ("sales/", vec!["sales/", "orders/"]),
        ("sales/city=os", vec!["sales/city=os", "orders/city=os"]),
        ("sales/date=2010", vec!["sales/day=2010", "orders/day=2010"]),
        ("sales/city=oslo/", vec!["sales/city=oslo/", "orders/city=oslo/"]),
        ("report", vec![]),
        ("orders", vec![]),
        ("sal", vec![]),
        ("", vec![]),
    ] {
        assert_eq!(state.prefixes(prefix)[1..], earlier, "{prefix}");
        assert_eq!(state.prefixes(prefix)[0], prefix);
    }
    // Back again, and with nothing declared any more, the history is the same.
    for graph in [before(), after(), sales("sales", "date", "load")] {
        workspace.register(&graph);
        undone_after_restart(&mut workspace);
        let state = &workspace.core.state;
        let name = state.graph().job(state.graph().jobs().next().unwrap().0).outputs[0];
        let texts = state.texts(name, &key);
        assert!(expected.iter().all(|text| texts.contains(&(*text).to_owned())), "{texts:?}");
        assert_eq!(texts.len(), 3, "each once");
    }
}

#[test]
fn what_contradicts_itself_is_told_once() {
    let graph = || sales("sales", "date", "load");
    let cases = [
        (graph().moved("a", "b"), "dataset `a` is moved to `b`, which is not in the graph"),
        (graph().moved("report", "sales"), "dataset `report` is moved to `sales`, and is still in the graph"),
        (graph().moved("sales", "sales"), "datasets are moved in a circle: `sales` to `sales`"),
        (
            graph().moved("a", "sales").moved("a", "report"),
            "dataset `a` is moved twice, to `sales` and to `report`",
        ),
        (graph().moved("a", "sales").moved("b", "sales"), "`a` and `b` are both moved to dataset `sales`"),
        (
            graph().moved("a", "b").moved("b", "c").moved("c", "a"),
            "datasets are moved in a circle: `a` to `b` to `c` to `a`",
        ),
        (graph().moved("a", "b").moved("b", "c"), "dataset `b` is moved to `c`, which is not in the graph"),
        (
            graph().moved("a", "report").moved("report", "sales"),
            "dataset `report` is moved to `sales`, and is still in the graph",
        ),
        (graph().moved_job("a", "b"), "job `//:a` is moved to `//:b`, which is not in the graph"),
        (graph().moved_job("sum", "load"), "job `//:sum` is moved to `//:load`, and is still in the graph"),
        (
            graph().moved_dim("sales", "day", "when"),
            "dimension `day` is moved to `when`, which is not in `sales`",
        ),
        (
            graph().moved_dim("sales", "city", "date"),
            "dimension `city` is moved to `date`, and is still in `sales`",
        ),
        (
            graph().moved_dim("sales", "a", "date").moved_dim("sales", "b", "date"),
            "`a` and `b` are both moved to dimension `date`",
        ),
        (
            graph().moved_dim("shop", "day", "date"),
            "dimension `day` of `shop` is moved, and `shop` is no dataset of the graph",
        ),
        (
            graph().moved("orders", "sales").moved_dim("orders", "a", "date").moved_dim("sales", "b", "date"),
            "`a` and `b` are both moved to dimension `date`",
        ),
    ];
    for (graph, message) in cases {
        let problems = graph.parse().expect_err(message);
        let told: Vec<_> =
            problems.iter().map(|problem| (problem.code.to_string(), &problem.message[..])).collect();
        assert_eq!(told, [("bad_moved".to_owned(), &format!("moved: {message}")[..])]);
        assert_eq!(problems[0].label, "//:databuild");
    }
    after().parse().expect("nothing contradicts itself");
}

#[test]
fn a_diff_tells_what_was_moved() {
    let of = |head: &GraphSpec| -> Vec<(String, Change, Option<String>, String)> {
        let found = diff(&before().file, &head.file);
        let all = found.jobs.into_iter().chain(found.datasets);
        all.map(|found| (found.name, found.change, found.from, found.what.join(","))).collect()
    };
    let moved = |name: &str, from: &str, what: &str| {
        (name.to_owned(), Change::Moved, Some(from.to_owned()), what.to_owned())
    };
    // Only where its code comes from differs, and that is in the job.
    let executable =
        |graph: GraphSpec| graph.change("load", |job| job.program.executable = "_main/ingest".to_owned());
    let expected = [moved("//:load", "//:ingest", ""), moved("sales", "orders", "moved_dims")];
    assert_eq!(of(&executable(after())), expected);
    let expected = [moved("//:load", "//:ingest", "code"), moved("sales", "orders", "moved_dims")];
    assert_eq!(of(&executable(after()).code("load", "newer")), expected);
    let dims = sales("orders", "date", "ingest").moved_dim("orders", "day", "date");
    assert_eq!(of(&dims), [("orders".to_owned(), Change::Changed, None, "moved_dims".to_owned())]);
    let found = of(&sales("sales", "day", "ingest"));
    let changes: Vec<_> = found.iter().map(|(name, change, ..)| (name.as_str(), *change)).collect();
    let expected = [
        ("//:ingest", Change::Changed),
        ("//:sum", Change::Changed),
        ("orders", Change::Removed),
        ("sales", Change::Added),
    ];
    assert_eq!(changes, expected);
    // Nor does it count as stale.
    let workspace = built();
    let stale =
        |head: &GraphSpec| support::impact_of(&workspace.core.state, head.registration(), workspace.now);
    assert!(stale(&after()).is_empty());
    let names: Vec<_> = stale(&after().code("load", "newer")).into_keys().collect();
    assert_eq!(names, ["report", "sales"]);
}

#[test]
fn events_keep_the_words_in_which_they_were_said() {
    let mut workspace = built();
    let said = workspace.log.len();
    workspace.register(&after());
    let speaks_old = |record: &databuild_core::event::Record| match &record.event {
        Event::Materialized(made) => {
            made.outputs.iter().any(|output| output.partition.starts_with("orders/"))
        }
        _ => false,
    };
    assert_eq!(workspace.log[..said].iter().filter(|record| speaks_old(record)).count(), 6);
    assert_eq!(workspace.kinds_since(said), ["graph_registered"]);
}

#[test]
fn what_changed_while_nobody_had_a_dataset_is_seen_when_it_is_back_under_its_new_name() {
    let named =
        |name: &str| GraphSpec::new().external("raw", &[]).job("make", &[name], &[], vec![reads("raw")]);
    let renamed = || named("new").moved("old", "new");
    let mut workspace = Workspace::new(&named("old"), 1);
    workspace.observe("raw", "r1");
    workspace.want(&["old"], Refresh::Stale);
    workspace.finish_all("v1");
    workspace.register(&renamed());
    assert_eq!(workspace.verdict("new"), "current");
    // While a branch has neither, the input changes; then one that knows nothing of the new name comes between.
    workspace.register(&named("another"));
    workspace.observe("raw", "r2");
    workspace.register(&named("old"));
    workspace.register(&renamed());
    assert_eq!(workspace.verdict("new"), "inputs_changed");
}
