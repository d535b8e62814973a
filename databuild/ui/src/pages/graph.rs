//! The graph: datasets, which of them read which, and where they stand. Packages are folded if there is too much to be seen at once.

use crate::api::{DatasetDetail, DrawingQuery, DrawingView, DrawnNode, EdgeSaid, NodeKind};
use crate::layout::{card, heading, Page, Place, Width};
use crate::links::{self, Url};
use crate::parts::bar::{asked_for, in_words, shares_of};
use crate::parts::drawing::{drawing, in_order, look, look_said, name, neighbors};
use crate::parts::form::{choice, filter, text};
use crate::parts::reference::{breakable, dataset, job, many};
use crate::parts::state::{labeled, said, Look};
use crate::parts::table::{column, table};
use databuild_core::amounts::{are, number};
use databuild_core::text::shell_word;
use maud::{html, Markup};

/// Nodes that are drawn, at most.
const MOST: usize = 80;
/// Steps from what is in the middle, if nobody says.
const STEPS: usize = 2;
/// What a node is made from, and what from it, that its row names.
const NAMED: usize = 4;
/// The package at the root.
const ROOT: &str = "//";

/// What of the graph is shown, as the address says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Shown {
    /// Only what is above and below this dataset or job.
    pub around: String,
    /// So many steps from there: a number, `all`, or nothing for the usual.
    pub depth: String,
    /// Whether packages are folded: `true`, `false`, or nothing for as it fits.
    pub fold: String,
    /// Only what is in this package, and beside it.
    pub package: String,
}

impl Shown {
    /// Its address.
    #[must_use]
    pub fn url(&self) -> Url {
        links::graph()
            .with("package", &self.package)
            .with("around", &self.around)
            .with("depth", &self.depth)
            .with("fold", &self.fold)
    }

    /// The drawing that it asks for.
    #[must_use]
    pub fn query(&self) -> DrawingQuery {
        let usual = DrawingQuery { most: Some(MOST), states: Some(true), ..DrawingQuery::default() };
        if !self.package.is_empty() {
            let package = Some(self.package.clone());
            return DrawingQuery {
                around: package.clone(),
                depth: Some(1),
                fold: Some(true),
                open: package,
                ..usual
            };
        }
        let fold = Some(self.fold == "true").filter(|fold| *fold);
        if self.around.is_empty() {
            return DrawingQuery { fold, ..usual };
        }
        let depth = match self.depth.as_str() {
            "all" => None,
            steps => Some(steps.parse().unwrap_or(STEPS)),
        };
        DrawingQuery { around: Some(self.around.clone()), depth, fold, ..usual }
    }

    fn is_middle(&self, node: &DrawnNode) -> bool {
        self.package.is_empty()
            && !self.around.is_empty()
            && (node.name == self.around || node.job.as_ref() == Some(&self.around))
    }

    /// Whether it is the package that was to be opened, and there is no room for what is inside.
    fn is_closed(&self, node: &DrawnNode) -> bool {
        node.kind == NodeKind::Package && node.name == self.package
    }

    /// Where a node leads: to what is inside of it or around it; from there, to its own page.
    fn link(&self, node: &DrawnNode) -> Url {
        let around = || Shown { around: node.name.clone(), package: String::new(), ..self.clone() };
        match node.kind {
            // There is no room for what is inside.
            NodeKind::Package
                if node.name == self.package || node.name == ROOT && !self.package.is_empty() =>
            {
                let within = if node.name == ROOT { String::new() } else { format!("{}/", node.name) };
                Url::new("/datasets").with("q", within)
            }
            NodeKind::Package => links::graph().with("package", &node.name),
            NodeKind::Dataset | NodeKind::External if self.is_middle(node) => links::dataset(&node.name),
            NodeKind::Dataset | NodeKind::External => around().url(),
        }
    }

    fn command(&self) -> String {
        let mut command = "graph".to_owned();
        let DrawingQuery { around, depth, fold, open, .. } = self.query();
        let words = [
            around.map(|name| format!(" --around {}", shell_word(&name))),
            depth.map(|depth| format!(" --depth {depth}")),
            fold.map(|_| " --fold".to_owned()),
            open.map(|package| format!(" --open {}", shell_word(&package))),
        ];
        command.extend(words.into_iter().flatten());
        command
    }
}

/// The page; `middle` is the dataset around which it is, if it is around one.
#[must_use]
pub fn page(view: &DrawingView, shown: &Shown, middle: Option<&DatasetDetail>) -> Page {
    let folded = view.nodes.iter().filter(|node| node.kind == NodeKind::Package).count() as u64;
    let figure = html! {
        @if view.nodes.is_empty() { p.note { "The graph has no datasets." } }
        @else {
            div.scroll.pad { (drawing(view, |node| shown.is_middle(node), |node| shown.link(node))) }
            div.acts { (key(view)) }
        }
    };
    let much = much(view);
    let mut page =
        Page::new("Graph", Place::Graph, &["data"], html! { (lead(view, shown, folded)) (fields(shown)) })
            .part(card("figure", Width::Full, &["data"], &heading("Lineage", &much, &[]), &figure));
    if let Some(detail) = middle {
        page = page.part(details(detail));
    }
    page.part(card("nodes", Width::Full, &["data"], &heading("In words", &much, &[]), &rows(view, shown)))
        .command(shown.command())
}

/// What is drawn: `3 packages and 1 dataset`.
fn much(view: &DrawingView) -> String {
    let folded = view.nodes.iter().filter(|node| node.kind == NodeKind::Package).count() as u64;
    match (view.nodes.len() as u64 - folded, folded) {
        (datasets, 0) => many(datasets, "dataset"),
        (0, packages) => many(packages, "package"),
        (datasets, packages) => format!("{} and {}", many(packages, "package"), many(datasets, "dataset")),
    }
}

fn lead(view: &DrawingView, shown: &Shown, folded: u64) -> Markup {
    let datasets: u64 = view.nodes.iter().map(|node| node.datasets).sum();
    let all = links::graph();
    let closed = view.nodes.iter().find(|node| shown.is_closed(node));
    let steps = match shown.depth.as_str() {
        "all" => String::new(),
        depth => format!(", at most {} away", many(depth.parse().unwrap_or(STEPS as u64), "step")),
    };
    html! {
        h1 { "Graph" }
        p.say {
            @if !shown.package.is_empty() {
                "The package " b.m { (shown.package) } ", what it reads, and what reads it. "
                a href=(all) { "Show the whole graph." } " "
            } @else if !shown.around.is_empty() {
                "Around " b.m { (shown.around) } ": what it reads, and what reads it" (steps) ". "
                a href=(all) { "Show the whole graph." } " "
            } @else if !view.nodes.is_empty() {
                "Of " (much(view)) ", " (looks_said(view)) ". "
            }
            @if let Some(node) = closed {
                b { "Its " (many(node.datasets, "dataset")) } " are too many to be drawn: " a href=(shown.link(node)) { "see them as a list" } ". "
            }
            @if folded > 0 {
                b { (many(folded, "package")) " " (are(folded)) " folded" }
                ", with " (many(datasets, "dataset")) " in all that is drawn; open one to see inside."
            }
        }
    }
}

fn fields(shown: &Shown) -> Markup {
    let words = |words: &[(&str, &str)]| -> Vec<(String, String)> {
        words.iter().map(|(word, text)| ((*word).to_owned(), (*text).to_owned())).collect()
    };
    let steps = words(&[("1", "1 step"), ("3", "3 steps"), ("5", "5 steps"), ("all", "all steps")]);
    let folds = words(&[("true", "always")]);
    filter(
        &links::graph(),
        &html! {
            (text("Around", "around", &shown.around, "A dataset or a job"))
            (choice("At most", "depth", "2 steps", &steps, &shown.depth))
            (choice("Packages are folded", "fold", "if there are many", &folds, &shown.fold))
        },
    )
}

/// Which looks there are, worst first, and of how many nodes.
fn looks(view: &DrawingView) -> Vec<(Look, u64)> {
    const ORDER: [Look; 7] =
        [Look::Bad, Look::Running, Look::Stale, Look::Missing, Look::Behind, Look::Ok, Look::Empty];
    let of = |node: &DrawnNode| look(&node.states.unwrap_or_default());
    let count = |one: Look| (one, view.nodes.iter().filter(|node| of(node) == one).count() as u64);
    ORDER.into_iter().map(count).filter(|(_, count)| *count > 0).collect()
}

fn looks_said(view: &DrawingView) -> Markup {
    html! {
        @for (at, (look, count)) in looks(view).into_iter().enumerate() {
            @if at > 0 { ", " }
            @let text = format!("{} {} {}", number(count), are(count), look_said(look));
            @if look == Look::Bad { b { (text) } } @else { (text) }
        }
    }
}

fn key(view: &DrawingView) -> Markup {
    html! {
        ul.legend {
            @for (look, count) in looks(view) { li { (labeled(look, &format!("{} {}", number(count), look_said(look)))) } }
            @if view.edges.iter().any(|edge| edge.turned) { li { "A broken line leads back to the left." } }
        }
    }
}

fn details(detail: &DatasetDetail) -> crate::layout::Part {
    let name = &detail.summary.dataset;
    let content = html! {
        dl.kv {
            @if let Some(made) = &detail.job { dt { "made by" } dd { (job(&made.label)) } }
            @else { dt { "made by" } dd { "nothing that DataBuild runs: it comes from elsewhere" } }
            @if !detail.inputs.is_empty() { dt { "reads" } dd { (ends(&detail.inputs)) } }
            @if !detail.readers.is_empty() { dt { "read by" } dd { (ends(&detail.readers)) } }
            @if let Some(owner) = &detail.summary.owner { dt { "owner" } dd { (owner) } }
        }
    };
    let more = [("Open", links::dataset(name))];
    card(
        "middle",
        Width::Full,
        &["data"],
        &heading(name, &many(detail.summary.total, "partition"), &more),
        &content,
    )
}

fn ends(edges: &[EdgeSaid]) -> Markup {
    html! {
        @for (at, edge) in edges.iter().take(NAMED).enumerate() { @if at > 0 { "; " } (dataset(&edge.dataset)) " " span.soft { (edge.mapping) } }
        @if edges.len() > NAMED { "; and " (number((edges.len() - NAMED) as u64)) " more" }
    }
}

/// The same as the figure, for who reads rather than looks.
fn rows(view: &DrawingView, shown: &Shown) -> Markup {
    let columns = [
        column("Name", ""),
        column("Where its partitions stand", ""),
        column("Made from", "opt"),
        column("Read by", "opt"),
    ];
    let neighbors = neighbors(view);
    let rows = html! {
        @for at in in_order(view) {
            @let node = &view.nodes[at];
            @let [from, to] = &neighbors[at];
            (row(node, shown, &names(view, shown, from), &names(view, shown, to)))
        }
    };
    table(&columns, &rows)
}

fn row(node: &DrawnNode, shown: &Shown, from: &Markup, to: &Markup) -> Markup {
    let look = look(&node.states.unwrap_or_default());
    html! {
        tr {
            td {
                span.st { (look.icon()) a href=(shown.link(node)) aria-current=[shown.is_middle(node).then_some("true")] { b { (breakable(&name(node))) } } }
                @match node.kind {
                    NodeKind::Package => { " " span.soft { (many(node.datasets, "dataset")) } }
                    NodeKind::External => { " " span.soft { "external" } }
                    NodeKind::Dataset => {}
                }
            }
            td.soft { (look_said(look)) @if node.states.is_some_and(|states| states.total > 0) { ": " (states(node)) } }
            td.opt.soft { (from) }
            td.opt.soft { (to) }
        }
    }
}

/// How many partitions are in which state; of a dataset, each number leads to its list.
fn states(node: &DrawnNode) -> Markup {
    let shares = shares_of(&node.states.unwrap_or_default(), node.kind == NodeKind::External);
    if node.kind == NodeKind::Package {
        return html! { (in_words(&shares)) };
    }
    html! {
        @for (at, share) in shares.iter().filter(|share| share.count > 0).enumerate() {
            @if at > 0 { ", " }
            a href=(links::partitions(&node.name).with("state", asked_for(share.word))) { (number(share.count)) " " (said(share.word)) }
        }
    }
}

fn names(view: &DrawingView, shown: &Shown, nodes: &[usize]) -> Markup {
    html! {
        @for (at, node) in nodes.iter().take(NAMED).map(|node| &view.nodes[*node]).enumerate() {
            @if at > 0 { ", " } a href=(shown.link(node)) { (name(node)) }
        }
        @if nodes.len() > NAMED { " and " (number((nodes.len() - NAMED) as u64)) " more" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Site;
    use crate::parts::drawing::tests::view;

    fn sample() -> DrawingView {
        let nodes = [("raw", 0, 0.0), ("sales/orders", 1, 0.0), ("pack/ml", 2, 0.0)];
        view(&nodes, &[(0, 1, &[]), (1, 2, &[])])
    }

    #[test]
    fn a_drawing_is_asked_for_as_the_address_says() {
        let shown = |around: &str, depth: &str, fold: &str, package: &str| Shown {
            around: around.to_owned(),
            depth: depth.to_owned(),
            fold: fold.to_owned(),
            package: package.to_owned(),
        };
        let said = |shown: Shown| (shown.url().to_string(), shown.command());
        let plain = |url: &str, command: &str| (url.to_owned(), command.to_owned());
        assert_eq!(said(shown("", "", "", "")), plain("/graph", "graph"));
        assert_eq!(said(shown("", "", "true", "")), plain("/graph?fold=true", "graph --fold"));
        assert_eq!(
            said(shown("a/b", "", "", "")),
            plain("/graph?around=a/b", "graph --around a/b --depth 2")
        );
        assert_eq!(
            said(shown("a/b", "all", "", "")),
            plain("/graph?around=a/b&depth=all", "graph --around a/b")
        );
        assert_eq!(
            said(shown("", "", "", "a")),
            plain("/graph?package=a", "graph --around a --depth 1 --fold --open a")
        );
        assert!(shown("", "", "", "").query().most.is_some_and(|most| most * 20 <= 2_000), "marks");
    }

    #[test]
    fn nodes_lead_to_what_is_around_them_and_then_to_their_pages() {
        let whole = page(&sample(), &Shown::default(), None).whole(&Site::default()).into_string();
        assert!(
            whole.contains("href=\"/graph?around=sales/orders\"")
                && whole.contains("href=\"/graph?package=pack/ml\""),
            "{whole}"
        );
        assert!(whole.contains("1 package is folded") && whole.contains("9 datasets in all"), "{whole}");
        let shown = Shown { around: "sales/orders".to_owned(), depth: "1".to_owned(), ..Shown::default() };
        let near = page(&sample(), &shown, None).whole(&Site::default()).into_string();
        assert!(near.contains("class=\"node stale mid\" href=\"/datasets/sales/orders\""), "{near}");
        assert!(
            near.contains("at most 1 step away") && near.contains("/graph?around=raw&amp;depth=1"),
            "{near}"
        );
        let inside = Shown { package: "pack/ml".to_owned(), ..Shown::default() };
        let full = page(&sample(), &inside, None).whole(&Site::default()).into_string();
        assert!(full.contains("class=\"node pack stale\" href=\"/datasets?q=pack/ml/\""), "{full}");
        assert!(full.contains("<b>Its 7 datasets</b> are too many to be drawn"), "{full}");
    }

    #[test]
    fn the_table_says_what_the_drawing_shows() {
        let whole = page(&sample(), &Shown::default(), None);
        let rows = whole.some(&["nodes"], &Site::default()).into_string();
        let orders = rows.split("<tr>").find(|row| row.contains("<b>sales/")).unwrap();
        assert!(
            orders.contains(">1 stale</a>")
                && orders.contains("href=\"/partitions?ref=sales/orders&amp;state=stale\""),
            "{orders}"
        );
        assert!(
            orders.contains("href=\"/graph?around=raw\"")
                && orders.contains("href=\"/graph?package=pack/ml\""),
            "{orders}"
        );
    }
}
