//! Graphs whose partitions would be published to one place, or inside of each other, are refused; others are not.

mod support;

use databuild_core::decide::{Core, Input};
use databuild_core::event::{Event, Origin, Record};
use databuild_core::graph::file::{DimEntry, GranularityName};
use databuild_core::graph::{Graph, ProblemCode};
use databuild_core::state::State;
use databuild_core::symbols::Symbols;
use jiff::Timestamp;
use support::graphs::{days, dynamic, listed, months, time, GraphSpec};

type Place<'a> = (&'a str, &'a [DimEntry]);

/// Datasets `a`, `b` and so on, each made by a job of its own, or external if the path begins with `external `.
fn graph(places: &[Place]) -> GraphSpec {
    places.iter().zip('a'..).fold(GraphSpec::new(), |graph, ((path, dims), name)| {
        let name = name.to_string();
        let (path, graph) = match path.strip_prefix("external ") {
            Some(path) => (path, graph.external(&name, dims)),
            None => (*path, graph.job(&format!("make_{name}"), &[&name], dims, vec![])),
        };
        graph.dataset(&name, |dataset| dataset.path = Some(path.to_owned()))
    })
}

fn messages(graph: &GraphSpec) -> Vec<String> {
    problems(graph, ProblemCode::PathClash)
}

fn problems(graph: &GraphSpec, code: ProblemCode) -> Vec<String> {
    match Graph::parse_new(&graph.json(), &mut Symbols::new()) {
        Ok(_) => Vec::new(),
        Err(problems) => {
            assert!(problems.iter().all(|problem| problem.code == code), "{problems:?}");
            problems.iter().map(ToString::to_string).collect()
        }
    }
}

#[test]
fn nothing_is_published_to_what_belongs_to_others() {
    let any = || dynamic("any", "any");
    let name = |keys: &[&str]| listed("name", keys);
    let cases: &[(Place, bool)] = &[
        ((".databuild", &[]), true),
        ((".databuild/out", &[]), true),
        ((".databuild/{any}", &[any()]), true),
        ((".databuild-out/{any}", &[any()]), false),
        (("out/.databuild/{any}", &[any()]), false),
        (("{any}", &[any()]), false),
        (("{any}/{name}", &[any(), name(&["x"])]), false),
        ((".{any}/x", &[any()]), true),
        ((".{any}.csv", &[any()]), false),
        ((".{name}/x", &[name(&["cache", "databuild"])]), true),
        ((".{name}/x", &[name(&["cache", "data"])]), false),
        ((".git/hooks/{any}", &[any()]), true),
        ((".gitignore", &[]), false),
        (("bazel-out/x", &[]), true),
        (("bazel-bin", &[]), true),
        (("bazel-notes/x", &[]), false),
        (("external .databuild/server.json", &[]), false),
        (("/srv/.databuild/x", &[]), false),
    ];
    for (place, refused) in cases {
        let found = problems(&graph(&[*place]), ProblemCode::ReservedPath);
        assert_eq!(!found.is_empty(), *refused, "{}: {found:?}", place.0);
    }
    let found = problems(&graph(&[(".{name}/x", &[name(&["databuild"])])]), ProblemCode::ReservedPath);
    assert_eq!(
        found,
        ["`a/name=databuild` would be published to `.databuild/x`, but `.databuild` belongs to DataBuild (//:a)"]
    );
}

#[test]
fn only_what_can_meet_is_refused() {
    let city = || listed("city", &["oslo", "rome"]);
    let other_city = || listed("city", &["bern"]);
    let name = |keys: &[&str]| listed("name", keys);
    let (any, some) = (|| dynamic("any", "any"), || dynamic("some", "some"));
    let june = || days("date", "2010-06-01", "2010-06-30");
    let july = || days("date", "2010-07-01", "");
    let month = || months("month", "2010-01", "2010-12");
    let hour = || time("hour", GranularityName::Hour, "2010-06-01T00", "", "UTC");
    // Places, and whether two of them clash.
    let cases: &[(&[Place], bool)] = &[
        // Fixed paths.
        (&[("out/x", &[]), ("out/y", &[])], false),
        (&[("out/x", &[]), ("out/x", &[])], true),
        (&[("out/x", &[]), ("out//x", &[])], true),
        (&[("out/x", &[]), ("out/x/y", &[])], true),
        (&[("out/x", &[]), ("out/xy", &[])], false),
        (&[("out", &[]), ("out/{city}", &[city()])], true),
        (&[("out", &[]), ("outer/{city}", &[city()])], false),
        // An absolute path is another place than a relative one, as far as is known.
        (&[("/out/x", &[]), ("out/x", &[])], false),
        (&[("/out/x", &[]), ("/out/{city}", &[city()])], false),
        (&[("/out/oslo", &[]), ("/out/{city}", &[city()])], true),
        // External data: read twice is fine, written over is not.
        (&[("external in/x", &[]), ("external in/x", &[])], false),
        (&[("external in", &[]), ("external in/x", &[])], false),
        (&[("external in/x", &[]), ("in/x", &[])], true),
        (&[("external in", &[]), ("in/x", &[])], true),
        (&[("external in/x/y", &[]), ("in/x", &[])], true),
        (&[("external in/{city}", &[city()]), ("in/bern", &[])], false),
        // Listed keys.
        (&[("out/{city}", &[city()]), ("out/{city}", &[other_city()])], false),
        (&[("out/{city}", &[city()]), ("out/{city}", &[city()])], true),
        (&[("out/{city}/x", &[city()]), ("out/rome/{name}", &[name(&["x"])])], true),
        (&[("out/{city}/x", &[city()]), ("out/rome/{name}", &[name(&["y"])])], false),
        (&[("out/{city}/x", &[city()]), ("out/bern/{name}", &[name(&["x"])])], false),
        (&[("out/{city}.csv", &[city()]), ("out/{city}.txt", &[city()])], false),
        (&[("out/{city}-x", &[city()]), ("out/{name}", &[name(&["rome-x"])])], true),
        (&[("out/{city}", &[city()]), ("out/{city}/x", &[city()])], true),
        (&[("out/{city}/{city}-{name}", &[city(), name(&["x"])]), ("out/oslo/rome-x", &[])], false),
        (&[("out/{city}/{city}-{name}", &[city(), name(&["x"])]), ("out/rome/rome-x", &[])], true),
        // Time keys.
        (&[("out/{date}", &[june()]), ("out/{date}", &[july()])], false),
        (&[("out/{date}", &[june()]), ("out/{date}", &[days("date", "2010-06-30", "")])], true),
        (&[("out/{date}", &[july()]), ("out/{month}", &[month()])], false),
        (&[("out/{date}", &[july()]), ("out/{month}-{name}", &[month(), name(&["31"])])], true),
        (&[("out/{date}", &[july()]), ("out/{month}-{name}", &[month(), name(&["32"])])], false),
        (&[("out/{date}", &[july()]), ("out/hour/{hour}", &[hour()])], false),
        (&[("out/{date}", &[july()]), ("out/2010-07-01", &[])], true),
        (&[("out/{date}", &[july()]), ("out/2010-06-01", &[])], false),
        (&[("out/{date}", &[july()]), ("out/2011-02-29", &[])], false),
        (&[("out/{hour}", &[hour()]), ("out/{date}T{name}", &[june(), name(&["23"])])], true),
        (&[("out/{hour}", &[hour()]), ("out/{date}T{name}", &[june(), name(&["24"])])], false),
        // Dynamic keys may be whatever a key may be.
        (&[("out/{any}", &[any()]), ("out/{some}", &[some()])], true),
        (&[("out/{any}", &[any()]), ("out/x", &[])], true),
        (&[("out/{any}", &[any()]), ("out/.x", &[])], false),
        (&[("out/{any}", &[any()]), ("out/a+b", &[])], false),
        (&[("out/{any}.csv", &[any()]), ("out/x.csv", &[])], true),
        (&[("out/{any}.csv", &[any()]), ("out/.csv", &[])], false),
        (&[("out/{any}", &[any()]), ("out/{date}", &[july()])], true),
        (&[("out/a/{any}", &[any()]), ("out/b/{some}", &[some()])], false),
        (&[("out/{any}/{any}", &[any()]), ("out/{some}/{date}", &[some(), july()])], true),
        (&[("out/{any}/{any}", &[any()]), ("out/x/y", &[])], false),
        // Two partitions of one dataset.
        (&[("out/{city}/{date}", &[city(), june()])], false),
        (&[("out/{city}{date}", &[city(), june()])], false),
        (&[("out/{city}{name}", &[listed("city", &["a", "ab"]), name(&["c", "bc"])])], true),
        (&[("out/{city}{name}", &[listed("city", &["a", "ab"]), name(&["c", "d"])])], false),
        (&[("out/{city}{name}/{city}", &[listed("city", &["a", "ab"]), name(&["c", "bc"])])], false),
        (&[("out/{any}-{some}", &[any(), some()])], true),
        (&[("out/{any}-{date}", &[any(), june()])], false),
        (&[("external in/{any}-{some}", &[any(), some()])], false),
    ];
    let mut wrong = Vec::new();
    for (places, clash) in cases {
        let found = messages(&graph(places));
        if found.len() != usize::from(*clash) {
            let paths: Vec<_> = places.iter().map(|(path, _)| path).collect();
            wrong.push(format!("{paths:?}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_clash_names_both_datasets_their_templates_and_two_partitions() {
    let (city, name) = (listed("city", &["oslo", "seattle"]), listed("name", &["w", "x"]));
    let (city, name) = (&[city][..], &[name][..]);
    assert_eq!(
        messages(&graph(&[("out/{city}/x", city), ("out/seattle/{name}", name)])),
        [
            "`a/city=seattle` (//:a, path `out/{city}/x`) and `b/name=x` (//:b, path `out/seattle/{name}`) have the \
             same path `out/seattle/x` (//:b)"
        ]
    );
    assert_eq!(
        messages(&graph(&[("external out/{city}/x", city), ("out/{city}", city)])),
        [
            "the path of `a/city=oslo` (//:a, path `out/{city}/x`) is inside the path of `b/city=oslo` (//:b, path \
             `out/{city}`): `out/oslo/x` is below `out/oslo` (//:b)"
        ]
    );
    let parts = [listed("one", &["a", "ab"]), listed("two", &["c", "bc"])];
    assert_eq!(
        messages(&graph(&[("out/{one}{two}", &parts)])),
        [
            "`a/one=a/two=bc` and `a/one=ab/two=c` have the same path `out/abc`; the template is `out/{one}{two}` \
             (//:a)"
        ]
    );
}

#[test]
fn each_dataset_is_told_of_once_however_many_it_clashes_with() {
    let places: Vec<Place> = vec![("out/x", &[]); 26];
    assert_eq!(messages(&graph(&places)).len(), 25);
}

#[test]
fn two_thousand_datasets_that_begin_alike_are_apart() {
    let dims = [listed("city", &["oslo", "rome"]), days("date", "2010-01-01", "")];
    let names: Vec<String> = (0..2_000).map(|n| format!("d{n:04}")).collect();
    let mut spec = GraphSpec::new();
    for name in &names {
        spec = spec.external(name, &dims);
        let dataset = spec.file.datasets.last_mut().unwrap();
        (dataset.path, dataset.external) = (Some(format!("out/{{city}}/{name}/{{date}}.csv")), false);
    }
    // That is two million pairs.
    assert_eq!(messages(&spec), Vec::<String>::new());
}

#[test]
fn a_server_refuses_what_clashes_yet_reads_the_graphs_of_its_log() {
    let clash = graph(&[("out/x", &[]), ("out/x", &[])]);
    let mut core = Core::new(1);
    let refused = core.step(Input::RegisterGraph(clash.registration().into()), Timestamp::UNIX_EPOCH);
    assert_eq!(refused.reply.unwrap_err().code(), "graph_invalid");
    assert!(refused.records.is_empty());

    let event = Event::GraphRegistered(clash.registration());
    let mut state = State::default();
    state.apply(&Record { at: Timestamp::UNIX_EPOCH, origin: Origin::default(), event }).unwrap();
    assert_eq!(state.graph().datasets().len(), 2);
}
