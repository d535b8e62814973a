//! The graph as a drawing: which datasets are made from which, folded into packages or around one of them, and where each stands.

mod crossings;
mod layout;
mod outline;
mod places;

use super::audience::Audience;
use super::context::Context;
use super::partitions::standings_now;
use super::AppError;
use crate::api::{DrawingQuery, DrawingView, DrawnEdge, DrawnNode, NodeKind, StateCounts};
use databuild_core::graph::{DatasetIx, Registered};
use databuild_core::state::Counts;
pub use layout::{layout, Layout, Spot};
pub(super) use outline::is_in;
use outline::{outline, Node, Outline, View};

/// The graph that is followed, drawn.
///
/// # Errors
/// No graph is registered; it has nothing of the name in the middle; the query contradicts itself.
pub async fn draw(context: &impl Context, query: DrawingQuery) -> Result<DrawingView, AppError> {
    let drawn = context.slow(move |backend, _| {
        let standings = standings_now(backend)?;
        let state = standings.state();
        let counts = query.states.unwrap_or_default().then(|| standings.counts());
        of_graph(state.registered(), &query, &backend.audience, counts.as_deref(), state.seq().0)
    });
    drawn.await
}

/// A graph, drawn; `counts` are of each of its datasets, if they are asked for.
///
/// # Errors
/// As [`draw`].
fn of_graph(
    registered: &Registered,
    query: &DrawingQuery,
    audience: &Audience,
    counts: Option<&[Counts]>,
    seq: u64,
) -> Result<DrawingView, AppError> {
    let DrawingQuery { around, depth, fold, open, most, states: _ } = query;
    let packages = open.iter().flat_map(|open| open.split(',')).filter(|package| !package.is_empty());
    let view = View {
        around: around.as_deref(),
        depth: *depth,
        fold: fold.unwrap_or_default(),
        open: packages.collect(),
        most: *most,
        hidden: {
            let graph = &registered.graph;
            let all = graph.datasets().map(|(ix, _)| ix);
            all.filter(|ix| !audience.sees_dataset(graph, *ix)).collect()
        },
    };
    if view.around.is_none() && view.depth.is_some() {
        return Err(AppError::new("bad_query", "`depth` counts steps from something: say `around` what"));
    }
    if !view.fold && !view.open.is_empty() {
        return Err(AppError::new("bad_query", "`open` is of packages that are folded: say `fold=true`"));
    }
    let Outline { nodes, edges } = outline(&registered.graph, &view)?;
    let ends: Vec<(usize, usize)> = edges.keys().copied().collect();
    let laid = layout(nodes.len(), &ends);
    let node = |(node, spot): (&Node, &Spot)| {
        let alone = node.alone().map(|ix| registered.graph.dataset(ix));
        let kind = match alone {
            None => NodeKind::Package,
            Some(dataset) if dataset.external => NodeKind::External,
            Some(_) => NodeKind::Dataset,
        };
        DrawnNode {
            name: node.name.clone(),
            kind,
            datasets: node.datasets.len() as u64,
            states: counts.map(|counts| sum(counts, &node.datasets)),
            job: alone.and_then(|dataset| Some(registered.graph.job(dataset.producer?).label.clone())),
            owner: alone.and_then(|dataset| dataset.policy.owner.clone()),
            layer: spot.layer,
            place: rounded(spot.place),
        }
    };
    let edge = |(ix, (from, to)): (usize, &(usize, usize))| DrawnEdge {
        from: *from,
        to: *to,
        count: edges[&(*from, *to)],
        turned: laid.turned[ix],
        bends: laid.bends[ix].iter().copied().map(rounded).collect(),
    };
    Ok(DrawingView {
        graph: registered.id.to_string(),
        nodes: nodes.iter().zip(&laid.spots).map(node).collect(),
        edges: ends.iter().enumerate().map(edge).collect(),
        layers: laid.layers,
        width: rounded(laid.width),
        seq,
    })
}

/// Where the partitions of several datasets stand.
fn sum(counts: &[Counts], datasets: &[DatasetIx]) -> StateCounts {
    let mut all = StateCounts::default();
    for Counts { total, current, behind, missing, stale, building, failed, left_out } in
        datasets.iter().filter_map(|ix| counts.get(ix.0))
    {
        all.total += total;
        all.current += current;
        all.behind += behind;
        all.missing += missing;
        all.stale += stale;
        all.building += building;
        all.failed += failed;
        all.left_out += left_out;
    }
    all
}

/// Places as an answer has them: nobody sees a thousandth.
fn rounded(place: f64) -> f64 {
    (place * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use databuild_core::graph::Graph;
    use databuild_core::ids::GraphId;
    use databuild_core::symbols::Symbols;
    use serde_json::{json, Value};
    use std::collections::BTreeMap;

    /// Jobs by what they make and what they read; what none makes is external.
    fn graph(jobs: &[(&str, &[&str])]) -> Registered {
        let made = jobs.iter().map(|(made, _)| *made);
        let mut names: Vec<&str> = jobs.iter().flat_map(|(_, read)| *read).copied().chain(made).collect();
        names.sort_unstable();
        names.dedup();
        let all_made: std::collections::HashSet<&str> = jobs.iter().map(|(made, _)| *made).collect();
        let dataset = |name: &&str| {
            let external = !all_made.contains(name);
            let owner = (*name == "sales/orders").then_some("team");
            let mut entry = json!({"name": name, "label": format!("//{name}"), "external": external, "dims": [], "path": name});
            if let Some(owner) = owner {
                entry["owner"] = json!(owner);
            }
            entry
        };
        let job = |(made, read): &(&str, &[&str])| {
            let input = |dataset: &&str| json!({"name": dataset.replace('/', "_"), "dataset": dataset, "dims": [], "before_start": "clip", "after_end": "clip"});
            let program = json!({"executable": "x", "args": [], "env": {}, "env_inherit": [], "manifest": "m", "code": "c"});
            json!({
                "label": format!("//:make_{made}"), "program": program, "inputs": read.iter().map(input).collect::<Vec<_>>(),
                "outputs": [made], "retries": 0, "backoff_ms": 0, "backoff_max_ms": 0, "on_code_change": "stale", "sources": "s"
            })
        };
        let file: Value = json!({
            "format": 2, "label": "//:graph",
            "datasets": names.iter().map(dataset).collect::<Vec<_>>(), "jobs": jobs.iter().map(job).collect::<Vec<_>>()
        });
        let content = file.to_string();
        let graph = Graph::parse_new(&content, &mut Symbols::new()).unwrap();
        Registered::new(GraphId::of(&content), graph, BTreeMap::new())
    }

    /// Each edge as `from -> to`.
    fn edges(view: &DrawingView) -> Vec<String> {
        let name = |node: usize| &view.nodes[node].name;
        view.edges.iter().map(|edge| format!("{} -> {}", name(edge.from), name(edge.to))).collect()
    }

    fn drawn(graph: &Registered, query: &str) -> DrawingView {
        of_graph(graph, &serde_json::from_str(query).unwrap(), &Audience::default(), None, 1).unwrap()
    }

    fn shop() -> Registered {
        graph(&[
            ("sales/orders", &["raw/orders", "raw/rates"]),
            ("sales/monthly", &["sales/orders"]),
            ("report", &["sales/monthly", "raw/rates"]),
            ("other", &["raw/clicks"]),
        ])
    }

    #[test]
    fn datasets_stand_in_the_layers_in_which_they_are_made() {
        let view = drawn(&shop(), "{}");
        let found: Vec<_> = view.nodes.iter().map(|node| (&*node.name, node.kind, node.layer)).collect();
        assert_eq!(
            found,
            [
                ("other", NodeKind::Dataset, 1),
                ("raw/clicks", NodeKind::External, 0),
                ("raw/orders", NodeKind::External, 0),
                ("raw/rates", NodeKind::External, 0),
                ("report", NodeKind::Dataset, 3),
                ("sales/monthly", NodeKind::Dataset, 2),
                ("sales/orders", NodeKind::Dataset, 1),
            ]
        );
        let orders = &view.nodes[6];
        assert_eq!(
            (orders.job.as_deref(), orders.owner.as_deref()),
            (Some("//:make_sales/orders"), Some("team"))
        );
        let far = view.edges.iter().find(|edge| (edge.from, edge.to) == (3, 4)).unwrap();
        assert_eq!((far.bends.len(), view.layers), (2, 4));
    }

    #[test]
    fn packages_stand_for_their_datasets_unless_they_are_opened() {
        let view = drawn(&shop(), r#"{"fold": true}"#);
        assert_eq!(edges(&view), ["raw -> other", "raw -> report", "raw -> sales", "sales -> report"]);
        let raw = view.nodes.iter().find(|node| node.name == "raw").unwrap();
        assert_eq!((raw.kind, raw.datasets, raw.job.as_deref()), (NodeKind::Package, 3, None));
        let of_both = view.edges.iter().find(|edge| view.nodes[edge.to].name == "sales").unwrap();
        assert_eq!(of_both.count, 2);
        let view = drawn(&shop(), r#"{"fold": true, "open": "raw"}"#);
        assert!(edges(&view).contains(&"raw/clicks -> other".to_owned()), "{:?}", edges(&view));
    }

    #[test]
    fn around_a_name_is_what_it_is_made_from_and_what_is_made_from_it() {
        let near = |query: &str| edges(&drawn(&shop(), query));
        let all = [
            "raw/orders -> sales/orders",
            "raw/rates -> report",
            "raw/rates -> sales/orders",
            "sales/monthly -> report",
            "sales/orders -> sales/monthly",
        ];
        assert_eq!(near(r#"{"around": "sales/orders"}"#), all);
        assert_eq!(near(r#"{"around": "//:make_sales/orders"}"#), all);
        assert_eq!(
            near(r#"{"around": "report", "depth": 1}"#),
            ["raw/rates -> report", "sales/monthly -> report"]
        );
        assert_eq!(drawn(&shop(), r#"{"around": "report", "depth": 0}"#).nodes.len(), 1);
        // By its own name it is seen by itself; the others of its package are, too.
        assert_eq!(
            near(r#"{"around": "sales/orders", "depth": 1, "fold": true}"#),
            ["raw -> sales/orders", "sales/orders -> sales/monthly"]
        );
        assert_eq!(
            near(r#"{"around": "sales", "fold": true, "depth": 1}"#),
            ["raw -> report", "raw -> sales", "sales -> report"]
        );
    }

    #[test]
    fn a_neighborhood_is_counted_in_datasets_and_folded_afterwards() {
        let view = drawn(&shop(), r#"{"around": "report", "depth": 1, "fold": true}"#);
        let raw = view.nodes.iter().find(|node| node.name == "raw").unwrap();
        assert_eq!((raw.kind, raw.datasets), (NodeKind::Package, 1), "the others are further away");
        // What is in a package is opened step by step.
        let deep =
            graph(&[("a/b/x", &["raw"]), ("a/c/y", &["a/b/x"]), ("a/z", &["a/c/y"]), ("z/v", &["a/z"])]);
        let inside = r#"{"around": "a", "depth": 1, "fold": true, "open": "a"}"#;
        assert_eq!(edges(&drawn(&deep, inside)), ["a/b -> a/c", "a/c -> a/z", "a/z -> z", "raw -> a/b"]);
    }

    #[test]
    fn what_does_not_fit_is_folded_until_it_does() {
        let names: Vec<String> = (0..60).map(|n| format!("team{}/area{}/d{n}", n % 3, n % 12)).collect();
        let jobs: Vec<(&str, &[&str])> = names.iter().map(|name| (name.as_str(), &["raw"][..])).collect();
        let many = graph(&jobs);
        let names =
            |query: &str| drawn(&many, query).nodes.iter().map(|node| node.name.clone()).collect::<Vec<_>>();
        assert_eq!(names("{}").len(), 61);
        assert_eq!(names(r#"{"most": 61}"#).len(), 61);
        assert_eq!(names(r#"{"most": 60}"#).len(), 13, "as many packages, and what is at the root");
        assert_eq!(names(r#"{"most": 12}"#), ["raw", "team0", "team1", "team2"]);
        assert_eq!(names(r#"{"most": 12, "fold": true, "open": "team1/area1"}"#).len(), 9);
        assert_eq!(names(r#"{"most": 3}"#), ["//"]);
        assert_eq!(names(r#"{"most": 4, "around": "raw"}"#), ["raw", "team0", "team1", "team2"]);
        assert_eq!(names(r#"{"most": 1, "around": "raw"}"#), ["//", "raw"], "what is in the middle is seen");
        let crowd: Vec<String> = (0..60).map(|n| format!("d{n}")).collect();
        let jobs: Vec<(&str, &[&str])> = crowd.iter().map(|name| (name.as_str(), &["p/raw"][..])).collect();
        let view = drawn(&graph(&jobs), r#"{"most": 10, "around": "p/raw", "depth": 1}"#);
        let seen: Vec<_> = view.nodes.iter().map(|node| (&*node.name, node.datasets)).collect();
        assert_eq!(seen, [("//", 60), ("p/raw", 1)]);
        let open = drawn(&graph(&jobs), r#"{"around": "//", "depth": 0, "fold": true, "open": "//"}"#);
        assert_eq!(open.nodes.len(), 60);
    }

    #[test]
    fn a_graph_of_ten_thousand_jobs_is_drawn_within_its_limits() {
        let name = |n: usize| format!("team{}/area{}/d{n}", n % 7, n % 700);
        let names: Vec<String> = (0..10_000).map(name).collect();
        let read: Vec<[&str; 2]> = (0..10_000_usize).map(|n| [&*names[n / 2], &*names[n * 2 / 3]]).collect();
        let jobs: Vec<(&str, &[&str])> = (5..10_000).map(|n| (&*names[n], &read[n][..])).collect();
        let large = graph(&jobs);
        let view = drawn(&large, r#"{"most": 100}"#);
        assert!((2..=100).contains(&view.nodes.len()) && view.edges.len() <= 400, "{}", view.nodes.len());
        assert_eq!(
            view.nodes.iter().map(|node| node.datasets).sum::<u64>(),
            9_998,
            "the first two are not read"
        );
        let near = drawn(&large, r#"{"most": 100, "around": "team3/area3/d3"}"#);
        assert!(near.nodes.len() <= 100 && near.nodes.iter().any(|node| node.name == "team3/area3/d3"));
    }

    #[test]
    fn packages_may_read_each_other() {
        let view =
            drawn(&graph(&[("a/x", &["raw"]), ("b/y", &["a/x"]), ("a/z", &["b/y"])]), r#"{"fold": true}"#);
        assert_eq!(edges(&view), ["a -> b", "b -> a", "raw -> a"]);
        assert_eq!(view.edges.iter().map(|edge| edge.turned).collect::<Vec<_>>(), [false, true, false]);
    }

    #[test]
    fn a_query_that_means_nothing_is_refused() {
        let refused = |query: &str| {
            let query = serde_json::from_str(query).unwrap();
            let refused = of_graph(&shop(), &query, &Audience::default(), None, 1).unwrap_err();
            (refused.code(), refused.to_string())
        };
        assert_eq!(refused(r#"{"depth": 1}"#).0, "bad_query");
        assert_eq!(refused(r#"{"open": "sales"}"#).0, "bad_query");
        let (code, message) = refused(r#"{"around": "sales/order"}"#);
        assert!(code == "unknown_dataset" && message.contains("sales/orders"), "{message}");
    }
}
