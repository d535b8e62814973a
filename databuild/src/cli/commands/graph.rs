//! `graph`: which datasets are made from which, as a tree, or for programs that draw.

use crate::api::{DrawingQuery, DrawingView, DrawnNode, NodeKind};
use crate::cli::connect;
use crate::cli::error::CliError;
use crate::cli::exit_code;
use crate::cli::output;
use crate::cli::shared_args::GlobalArgs;
use crate::cli::url;
use clap::{Args, ValueEnum};
use std::collections::HashSet;

/// Arguments of `graph`.
#[derive(Debug, Args)]
pub struct GraphArgs {
    /// Only what this is made from and what is made from it: a dataset, a job, or with --fold a package
    #[arg(long, value_name = "NAME")]
    pub around: Option<String>,
    /// At most so many steps from there (default: all)
    #[arg(long, value_name = "N", requires = "around")]
    pub depth: Option<usize>,
    /// Show packages instead of the datasets in them
    #[arg(long)]
    pub fold: bool,
    /// A package whose datasets are shown all the same (can be repeated)
    #[arg(long, value_name = "PACKAGE", requires = "fold")]
    pub open: Vec<String>,
    /// How to write it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// How a graph is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A tree for people: below each dataset what it is made from
    Text,
    /// For Graphviz
    Dot,
    /// For Markdown pages that draw Mermaid
    Mermaid,
}

/// Runs it.
///
/// # Errors
/// The server refuses.
pub fn run(global: &GlobalArgs, args: &GraphArgs) -> Result<u8, CliError> {
    let query = DrawingQuery {
        around: args.around.clone(),
        depth: args.depth,
        fold: args.fold.then_some(true),
        open: (!args.open.is_empty()).then(|| args.open.join(",")),
        ..DrawingQuery::default()
    };
    let view: DrawingView = connect::connect(global)?.get(&path(&query))?;
    if global.json {
        output::json(&view)?;
        return Ok(exit_code::OK);
    }
    let lines = match args.format {
        Format::Text => tree(&view),
        Format::Dot => dot(&view),
        Format::Mermaid => mermaid(&view),
    };
    lines.iter().for_each(|line| output::line(line));
    Ok(exit_code::OK)
}

fn path(query: &DrawingQuery) -> String {
    // The others are for pages.
    let DrawingQuery { around, depth, fold, open, most: _, states: _ } = query;
    let parts = [
        around.as_ref().map(|name| format!("around={}", url::query_value(name))),
        depth.map(|depth| format!("depth={depth}")),
        fold.map(|fold| format!("fold={fold}")),
        open.as_ref().map(|open| format!("open={}", url::query_value(open))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let mark = if parts.is_empty() { "" } else { "?" };
    format!("/api/v1/graph/drawing{mark}{}", parts.join("&"))
}

/// Below each node what it is made from, beginning with what nothing is made from. What was shown above is not shown again.
fn tree(view: &DrawingView) -> Vec<String> {
    let mut inputs: Vec<Vec<(usize, bool)>> = vec![Vec::new(); view.nodes.len()];
    let mut is_read = vec![false; view.nodes.len()];
    for edge in &view.edges {
        inputs[edge.to].push((edge.from, edge.turned));
        // Who is read in a circle may be read by nothing else.
        is_read[edge.from] |= !edge.turned;
    }
    let mut lines = Vec::new();
    let mut shown: HashSet<usize> = HashSet::new();
    // Nodes to come, the next one last, with what stands before them. A stack: a chain may be long.
    let roots = (0..view.nodes.len()).rev().filter(|node| !is_read[*node]);
    let mut ahead: Vec<(usize, bool, String, String)> =
        roots.map(|node| (node, false, String::new(), String::new())).collect();
    while let Some((node, turned, first, rest)) = ahead.pop() {
        let again = turned || (!inputs[node].is_empty() && !shown.insert(node));
        let mark = match (turned, again) {
            (true, _) => " (and so in a circle)",
            (_, true) => " (see above)",
            _ => "",
        };
        lines.push(format!("{first}{}{mark}", label(&view.nodes[node])));
        if again {
            continue;
        }
        let last = inputs[node].len().saturating_sub(1);
        for (ix, (input, turned)) in inputs[node].iter().enumerate().rev() {
            let (branch, below) = if ix == last { ("└── ", "    ") } else { ("├── ", "│   ") };
            ahead.push((*input, *turned, format!("{rest}{branch}"), format!("{rest}{below}")));
        }
    }
    lines
}

/// A node for people.
fn label(node: &DrawnNode) -> String {
    match (node.kind, &node.job) {
        (NodeKind::Package, _) => format!("{} ({})", node.name, output::count(node.datasets, "dataset")),
        (NodeKind::External, _) => format!("{} (external)", node.name),
        (NodeKind::Dataset, Some(job)) => format!("{} by {job}", node.name),
        (NodeKind::Dataset, None) => node.name.clone(),
    }
}

/// Nodes in the order of the drawing, which those who draw take as a hint.
fn in_order(view: &DrawingView) -> Vec<(usize, &DrawnNode)> {
    let mut nodes: Vec<(usize, &DrawnNode)> = view.nodes.iter().enumerate().collect();
    nodes.sort_by(|(_, one), (_, other)| {
        one.layer.cmp(&other.layer).then_with(|| one.place.total_cmp(&other.place))
    });
    nodes
}

fn dot(view: &DrawingView) -> Vec<String> {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let mut lines = vec!["digraph databuild {".to_owned(), "  rankdir=LR;".to_owned()];
    lines.push("  node [shape=box];".to_owned());
    for (ix, node) in in_order(view) {
        let looks = match node.kind {
            NodeKind::Dataset => "",
            NodeKind::External => ", style=dashed",
            NodeKind::Package => ", shape=folder",
        };
        lines.push(format!("  n{ix} [label={}{looks}];", quoted(&name(node))));
    }
    lines.extend(view.edges.iter().map(|edge| format!("  n{} -> n{};", edge.from, edge.to)));
    lines.push("}".to_owned());
    lines
}

fn mermaid(view: &DrawingView) -> Vec<String> {
    // A number sign begins an entity.
    let quoted = |text: &str| format!("\"{}\"", text.replace('#', "#35;").replace('"', "#quot;"));
    let mut lines = vec!["flowchart LR".to_owned()];
    for (ix, node) in in_order(view) {
        let name = quoted(&name(node));
        lines.push(match node.kind {
            NodeKind::Dataset => format!("  n{ix}[{name}]"),
            NodeKind::External => format!("  n{ix}[({name})]"),
            NodeKind::Package => format!("  n{ix}[[{name}]]"),
        });
    }
    lines.extend(view.edges.iter().map(|edge| format!("  n{} --> n{}", edge.from, edge.to)));
    lines
}

/// A node in a drawing, whose shape says what it is.
fn name(node: &DrawnNode) -> String {
    match node.kind {
        NodeKind::Package => format!("{} ({})", node.name, node.datasets),
        NodeKind::Dataset | NodeKind::External => node.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::DrawnEdge;

    /// `report` is made from `daily` and `raw`, `daily` from `raw`; `pack` and `raw` read each other.
    fn view() -> DrawingView {
        let node = |name: &str, kind, layer| DrawnNode {
            name: name.to_owned(),
            kind,
            datasets: if kind == NodeKind::Package { 7 } else { 1 },
            states: None,
            job: (kind == NodeKind::Dataset).then(|| format!("//:make_{name}")),
            owner: None,
            layer,
            place: 0.0,
        };
        let edge = |from, to, turned| DrawnEdge { from, to, count: 1, turned, bends: Vec::new() };
        DrawingView {
            graph: String::new(),
            nodes: vec![
                node("daily", NodeKind::Dataset, 1),
                node("pa\"ck", NodeKind::Package, 1),
                node("raw", NodeKind::External, 0),
                node("report", NodeKind::Dataset, 2),
            ],
            edges: vec![
                edge(0, 3, false),
                edge(1, 2, true),
                edge(2, 0, false),
                edge(2, 1, false),
                edge(2, 3, false),
            ],
            layers: 3,
            width: 1.0,
            seq: 1,
        }
    }

    #[test]
    fn a_tree_has_below_each_dataset_what_it_is_made_from() {
        assert_eq!(
            tree(&view()),
            [
                "pa\"ck (7 datasets)",
                "└── raw (external)",
                "    └── pa\"ck (7 datasets) (and so in a circle)",
                "report by //:make_report",
                "├── daily by //:make_daily",
                "│   └── raw (external) (see above)",
                "└── raw (external) (see above)",
            ]
        );
    }

    #[test]
    fn those_who_draw_get_nodes_from_left_to_right_with_names_in_quotes() {
        let dot = dot(&view());
        assert_eq!(dot[3], "  n2 [label=\"raw\", style=dashed];");
        assert_eq!(dot[5], "  n1 [label=\"pa\\\"ck (7)\", shape=folder];");
        assert_eq!(
            dot[7..],
            ["  n0 -> n3;", "  n1 -> n2;", "  n2 -> n0;", "  n2 -> n1;", "  n2 -> n3;", "}"]
        );
        let mermaid = mermaid(&view());
        assert_eq!(mermaid[..2], ["flowchart LR", "  n2[(\"raw\")]"]);
        assert_eq!(mermaid[3..6], ["  n1[[\"pa#quot;ck (7)\"]]", "  n3[\"report\"]", "  n0 --> n3"]);
    }

    #[test]
    fn what_is_asked_for_stands_in_the_query() {
        assert_eq!(path(&DrawingQuery::default()), "/api/v1/graph/drawing");
        let query = DrawingQuery {
            around: Some("a&b".into()),
            depth: Some(2),
            fold: Some(true),
            open: Some("x,y".into()),
            ..DrawingQuery::default()
        };
        assert_eq!(path(&query), "/api/v1/graph/drawing?around=a%26b&depth=2&fold=true&open=x%2Cy");
    }
}
