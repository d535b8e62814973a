//! What edge rules leave out or forbid: said in plans, counted, and in no other count.

mod support;

use databuild_core::decide::{Input, KeyRequest};
use databuild_core::event::{AttemptOutcome, PlanRowKind, Refresh};
use databuild_core::graph::file::EdgeName::{self, Clip, Fail, Skip};
use databuild_core::partition_set::PartitionSet;
use databuild_core::state::{Counts, Standings};
use std::sync::Arc;
use support::graphs::{days, dynamic, listed, reads, GraphSpec, Reads};
use support::workspace::{planning, Workspace};

/// `a` has five days, of which `mean` leaves out the first two; `out` reads what the test says.
fn graph(input: Reads) -> GraphSpec {
    let date = [days("date", "2010-01-01", "2010-01-05")];
    GraphSpec::new()
        .job("make_a", &["a"], &date, vec![])
        .job("average", &["mean"], &date, vec![reads("a").window("date", 3).edges(Skip, Fail)])
        .job("make_out", &["out"], &date, vec![input])
}

/// Kind and message of the first row of a plan that nothing is built for.
fn told(graph: &GraphSpec, target: &str) -> (PlanRowKind, String) {
    let plan = Workspace::new(graph, 1).try_plan(planning(&[target], Refresh::Stale)).0;
    let rows: Vec<_> = plan.rows.iter().map(|row| (row.kind, row.message.clone())).collect();
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows[0].clone()
}

#[test]
fn a_plan_says_what_lacks_and_which_rule_decides() {
    let blocked = |input: Reads, target: &str| {
        let (kind, message) = told(&graph(input), target);
        assert_eq!(kind, PlanRowKind::Blocked);
        message
    };
    let help = |rule: &str, input: &str| {
        format!(
            "; say {rule} = \"clip\" (use what exists) or {rule} = \"skip\" (leave such outputs out) in the dep of input \
             `{input}` of //:make_out"
        )
    };
    // Of what is left out itself, the edge at which it is left out decides, whatever the rule between the keys.
    for input in [reads("mean").all("date"), reads("mean").latest("date", 4)] {
        let message = blocked(input.named("means"), "out/date=2010-01-04");
        assert!(message.starts_with("`out/date=2010-01-04` needs `mean/date=2010-01-0"), "{message}");
        assert!(message.contains("` of input `means`, which "), "{message}");
        assert!(message.ends_with(&help("before_start", "means")), "{message}");
    }
    assert_eq!(
        blocked(reads("mean"), "out/date=2010-01-01"),
        format!(
            "`out/date=2010-01-01` needs `mean/date=2010-01-01` of input `mean`, which is left out{}",
            help("before_start", "mean")
        )
    );
    // The other edge makes no difference; this one does.
    assert_eq!(told(&graph(reads("mean").edges(Fail, Skip)), "out/date=2010-01-01").0, PlanRowKind::Blocked);
    let skipping = reads("mean").all("date").edges(Skip, Fail);
    let (kind, message) = told(&graph(skipping), "out/date=2010-01-04");
    assert_eq!(kind, PlanRowKind::LeftOut);
    assert_eq!(
        message,
        "`out/date=2010-01-04` needs `mean/date=2010-01-01..2010-01-02` of input `mean`, which are left out, and the dep \
         of input `mean` of //:make_out says before_start = \"skip\""
    );
}

#[test]
fn keys_that_there_are_not_are_named() {
    // It is noon of 2010-02-01.
    let open = [days("date", "2010-01-20", "")];
    let of_open = |input: Reads| {
        GraphSpec::new().job("make_a", &["a"], &open, vec![]).job("make_out", &["out"], &open, vec![input])
    };
    for (input, target, kind, says) in [
        (
            reads("a").offset("date", 1),
            "out/date=2010-01-31",
            PlanRowKind::Blocked,
            "needs date=2010-02-01 of input `a`, which does not exist yet; say after_end = \"clip\"",
        ),
        (
            reads("a").offset("date", 1).edges(Fail, Skip),
            "out/date=2010-01-31",
            PlanRowKind::LeftOut,
            "needs date=2010-02-01 of input `a`, which does not exist yet, and the dep of input `a` of //:make_out says \
             after_end = \"skip\"",
        ),
        (
            reads("a").window("date", 3).edges(Skip, Fail),
            "out/date=2010-01-20",
            PlanRowKind::LeftOut,
            "needs date=2010-01-18..2010-01-19 of input `a`, which are before its first key, and the dep",
        ),
    ] {
        let (of, message) = told(&of_open(input), target);
        assert_eq!(of, kind, "{message}");
        assert!(message.contains(says), "{message}");
    }
    let names = GraphSpec::new().job("make_a", &["a"], &[listed("name", &["x"])], vec![]).job(
        "make_out",
        &["out"],
        &[dynamic("name", "names")],
        vec![reads("a")],
    );
    let mut workspace = Workspace::new(&names, 1);
    let keys = KeyRequest { space: "names".into(), keys: vec!["y".into()] };
    workspace.step(Input::AddKeys(keys)).reply.unwrap();
    let plan = workspace.try_plan(planning(&["out/name=y"], Refresh::Stale)).0;
    let says = "`out/name=y` needs name=y of input `a`, which does not exist; say after_end = \"clip\"";
    assert!(plan.rows[0].message.starts_with(says), "{}", plan.rows[0].message);
}

fn counts(workspace: &Workspace, dataset: &str) -> Counts {
    let standings = Standings::new(&Arc::new(workspace.core.state.clone()), workspace.now);
    let counts = standings.counts_of(standings.state().graph().dataset_named(dataset).unwrap());
    let Counts { total, current, behind, missing, stale, building, failed, left_out } = counts;
    assert_eq!(current + behind + missing + stale + building + failed + left_out, total);
    counts
}

#[test]
fn what_is_left_out_is_neither_missing_nor_anything_else() {
    let mut workspace = Workspace::new(&graph(reads("mean").all("date").clip()), 9);
    assert_eq!(counts(&workspace, "mean"), Counts { total: 5, missing: 3, left_out: 2, ..Counts::default() });
    workspace.want(&["out"], Refresh::Stale);
    workspace.finish_all("v1");
    assert_eq!(counts(&workspace, "mean"), Counts { total: 5, current: 3, left_out: 2, ..Counts::default() });
    // Nor are its readers behind.
    assert_eq!(counts(&workspace, "out"), Counts { total: 5, current: 5, ..Counts::default() });
    // Whatever there is of it from before the rule.
    let without =
        graph(reads("mean").all("date").clip()).change("average", |job| job.inputs[0].before_start = Clip);
    let mut workspace = Workspace::new(&without, 9);
    workspace.want(&["mean/date=2010-01-01..2010-01-03"], Refresh::Stale);
    workspace.finish_all("v1");
    workspace.register(&graph(reads("mean").all("date").clip()));
    assert_eq!(
        counts(&workspace, "mean"),
        Counts { total: 5, current: 1, missing: 2, left_out: 2, ..Counts::default() }
    );
}

#[test]
fn what_is_left_out_is_counted_without_listing_all_keys() {
    let names: Vec<String> = (0..40).map(|number| format!("n{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (name, city) = (listed("name", &names), listed("city", &["oslo", "rome"]));
    let date = days("date", "2010-01-01", "2010-01-09");
    let all = [name.clone(), city.clone(), date.clone()];
    let edges = |first: EdgeName, last: EdgeName| {
        GraphSpec::new()
            .external("raw", &[city.clone(), date.clone()])
            .external("part", &[listed("city", &["rome"])])
            .job("one", &["a"], &all, vec![reads("raw").window("date", 3).edges(Skip, Fail)])
            .job("two", &["b"], &all, vec![reads("a").offset("date", -1).edges(first, last)])
            .job("three", &["c"], &all, vec![reads("b").edges(first, last), reads("part").edges(Clip, last)])
    };
    for (first, last) in [(Skip, Skip), (Skip, Clip), (Clip, Skip), (Skip, Fail)] {
        let Ok(graph) = edges(first, last).parse() else { continue };
        let workspace = Workspace::new(&edges(first, last), 1);
        let extents = graph.extents("2010-02-01T00:00:00Z".parse().unwrap(), workspace.core.state.symbols());
        for (ix, dataset) in graph.datasets() {
            let full = PartitionSet::full(dataset.shape, extents.of(ix));
            let listed = graph.left_out(&extents, ix, &full).unwrap().len();
            assert_eq!(graph.count_left_out(&extents, ix), listed, "{} {first:?} {last:?}", dataset.name);
        }
    }
}

#[test]
fn what_a_run_found_makes_it_behind_as_a_declared_input_does() {
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
    assert_eq!(counts(&workspace, "book").current, 1);
    workspace.observe("raw", "r2");
    assert_eq!((counts(&workspace, "page").current, counts(&workspace, "page").behind), (1, 1));
    assert_eq!(counts(&workspace, "book").behind, 1);
}
