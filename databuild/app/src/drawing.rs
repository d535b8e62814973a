//! The graph as a drawing: which datasets are made from which, folded into packages or around one of them, and where each stands.

mod crossings;
mod layout;
mod outline;
mod places;

use super::context::Context;
use super::AppError;
use crate::api::{DrawingQuery, DrawingView, DrawnEdge, DrawnNode, NodeKind};
use databuild_core::graph::Registered;
pub use layout::{layout, Layout, Spot};
use outline::{outline, Node, Outline, View};

/// The graph that is followed, drawn.
///
/// # Errors
/// No graph is registered; it has nothing of the name in the middle; the query contradicts itself.
pub async fn draw(context: &impl Context, query: DrawingQuery) -> Result<DrawingView, AppError> {
    let drawn = context.slow(move |backend, _| {
        let snapshot = backend.engine.snapshot();
        let followed = snapshot.state.followed();
        let registered = followed.ok_or_else(|| AppError::new("no_graph", "no graph is registered yet"))?;
        of_graph(registered, &query, snapshot.state.seq().0)
    });
    drawn.await
}

/// A graph, drawn.
///
/// # Errors
/// As [`draw`].
fn of_graph(registered: &Registered, query: &DrawingQuery, seq: u64) -> Result<DrawingView, AppError> {
    let DrawingQuery { around, depth, fold, open } = query;
    let packages = open.iter().flat_map(|open| open.split(',')).filter(|package| !package.is_empty());
    let view = View {
        around: around.as_deref(),
        depth: *depth,
        fold: fold.unwrap_or_default(),
        open: packages.collect(),
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
        let alone = node.alone.map(|ix| registered.graph.dataset(ix));
        let kind = match alone {
            None => NodeKind::Package,
            Some(dataset) if dataset.external => NodeKind::External,
            Some(_) => NodeKind::Dataset,
        };
        DrawnNode {
            name: node.name.clone(),
            kind,
            datasets: node.datasets,
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
        let dataset = |name: &&str| {
            let external = jobs.iter().all(|(made, _)| made != name);
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
        of_graph(graph, &serde_json::from_str(query).unwrap(), 1).unwrap()
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
    fn packages_may_read_each_other() {
        let view =
            drawn(&graph(&[("a/x", &["raw"]), ("b/y", &["a/x"]), ("a/z", &["b/y"])]), r#"{"fold": true}"#);
        assert_eq!(edges(&view), ["a -> b", "b -> a", "raw -> a"]);
        assert_eq!(view.edges.iter().map(|edge| edge.turned).collect::<Vec<_>>(), [false, true, false]);
    }

    #[test]
    fn a_query_that_means_nothing_is_refused() {
        let refused = |query: &str| {
            let refused = of_graph(&shop(), &serde_json::from_str(query).unwrap(), 1).unwrap_err();
            (refused.code(), refused.to_string())
        };
        assert_eq!(refused(r#"{"depth": 1}"#).0, "bad_query");
        assert_eq!(refused(r#"{"open": "sales"}"#).0, "bad_query");
        let (code, message) = refused(r#"{"around": "sales/order"}"#);
        assert!(code == "unknown_dataset" && message.contains("sales/orders"), "{message}");
    }
}
