//! The graph as a figure: nodes in layers, what is made from them to their right, and where their partitions stand.
//!
//! A node is a link, and has the shape and the color of the worst state in it. Edges are two paths, however many there are; where
//! several of them go the same way they are drawn once. The script takes keys along the edges, by the numbers of nodes in
//! attributes.

use super::bar::{fill, in_words, placed, shares_of};
use super::reference::many;
use super::state::Look;
use crate::api::{DrawingView, DrawnEdge, DrawnNode, NodeKind, StateCounts};
use crate::links::Url;
use databuild_core::amounts::number;
use maud::{html, Markup};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Of a node.
const WIDTH: usize = 200;
const HEIGHT: usize = 48;
/// From a layer to the next one, and from a place to the next one.
const ACROSS: usize = 264;
const DOWN: usize = 62;
/// Around everything.
const MARGIN: usize = 14;
/// Of a node's bar.
const BAR: f64 = 96.0;
/// Letters of a name that there is room for.
const LETTERS: usize = 25;
/// Pieces of edges that are drawn at most. Where there are more, edges go straight to where they lead.
const MOST_PIECES: usize = 1_500;

/// What a node looks like: the worst state in it. That it is being built says more than that it is not there yet.
#[must_use]
pub fn look(states: &StateCounts) -> Look {
    if states.failed > 0 {
        Look::Bad
    } else if states.building > 0 {
        Look::Running
    } else if states.stale > 0 {
        Look::Stale
    } else if states.missing > 0 {
        Look::Missing
    } else if states.behind > 0 {
        Look::Behind
    } else if states.current > 0 {
        Look::Ok
    } else {
        Look::Empty
    }
}

/// What is said of a look of a node.
#[must_use]
pub fn look_said(look: Look) -> &'static str {
    match look {
        Look::Bad => "failing",
        Look::Running => "running",
        Look::Stale => "stale",
        Look::Missing => "incomplete",
        Look::Behind => "behind",
        Look::Ok => "complete",
        _ => "empty",
    }
}

/// What a node is called: a package ends with a slash.
#[must_use]
pub fn name(node: &DrawnNode) -> String {
    match node.kind {
        NodeKind::Package if !node.name.ends_with('/') => format!("{}/", node.name),
        _ => node.name.clone(),
    }
}

/// The numbers of a drawing's nodes in the order in which they are read: by layers, and down.
#[must_use]
pub fn in_order(view: &DrawingView) -> Vec<usize> {
    let mut order: Vec<usize> = (0..view.nodes.len()).collect();
    order.sort_by(|one, other| {
        let (one, other) = (&view.nodes[*one], &view.nodes[*other]);
        one.layer.cmp(&other.layer).then(one.place.total_cmp(&other.place))
    });
    order
}

/// What each node is made from, and what is made from it, the nearest first.
#[must_use]
pub fn neighbors(view: &DrawingView) -> Vec<[Vec<usize>; 2]> {
    let mut found = vec![[Vec::new(), Vec::new()]; view.nodes.len()];
    for DrawnEdge { from, to, .. } in &view.edges {
        found[*to][0].push(*from);
        found[*from][1].push(*to);
    }
    for (node, sides) in found.iter_mut().enumerate() {
        let far = |other: usize| (view.nodes[other].place - view.nodes[node].place).abs();
        sides.iter_mut().for_each(|side| side.sort_by(|one, other| far(*one).total_cmp(&far(*other))));
    }
    found
}

/// The figure. `middle` are what it was drawn around; `link` says where a node leads.
#[must_use]
pub fn drawing(
    view: &DrawingView,
    middle: impl Fn(&DrawnNode) -> bool,
    link: impl Fn(&DrawnNode) -> Url,
) -> Markup {
    let order = in_order(view);
    let mut read_as = vec![0; order.len()];
    order.iter().enumerate().for_each(|(at, node)| read_as[*node] = at);
    let neighbors = neighbors(view);
    let numbers = |nodes: &[usize]| {
        let texts: Vec<String> = nodes.iter().map(|node| read_as[*node].to_string()).collect();
        texts.join(" ")
    };
    let width = 2 * MARGIN + view.layers.max(1) * ACROSS - (ACROSS - WIDTH);
    let height = 2 * MARGIN as u64 + (view.width * DOWN as f64).ceil() as u64 + HEIGHT as u64;
    let [forward, back] = edges(view);
    html! {
        svg.graph width=(width) height=(height) viewBox={ "0 0 " (width) " " (height) } role="group" aria-label="The graph as a drawing; the table below says the same" {
            path.edge d=(forward) {}
            @if !back.is_empty() { path.edge.back d=(back) {} }
            @for at in &order {
                @let node = &view.nodes[*at];
                @let [from, to] = &neighbors[*at];
                (drawn(node, middle(node), &link(node), &numbers(from), &numbers(to)))
            }
        }
    }
}

fn drawn(node: &DrawnNode, middle: bool, link: &Url, from: &str, to: &str) -> Markup {
    let (x, y) = corner(node.layer, node.place);
    let states = node.states.unwrap_or_default();
    let look = look(&states);
    let shares = shares_of(&states, node.kind == NodeKind::External);
    let what = match node.kind {
        NodeKind::Package => many(node.datasets, "dataset"),
        NodeKind::Dataset | NodeKind::External => number(states.total),
    };
    let text = name(node);
    let said = match in_words(&shares) {
        none if none.is_empty() => format!("{text}: {}", look_said(look)),
        words => format!("{text}: {}; {words}", look_said(look)),
    };
    let class = if node.kind == NodeKind::Package { "node pack" } else { "node" };
    html! {
        a class={ (class) " " (look.name()) @if middle { " mid" } } href=(link) data-from=(from) data-to=(to) {
            // What it is called for who does not see it, and what shows when somebody points at it.
            title { (said) }
            // A package looks like several.
            @if node.kind == NodeKind::Package { rect.box x=(x + 4.0) y=(tenth(y + 4.0)) width=(WIDTH) height=(HEIGHT) rx="9" {} }
            rect.box x=(x) y=(tenth(y)) width=(WIDTH) height=(HEIGHT) rx="9" {}
            use class={ "i " (look.name()) } href={ "#i-" (look.name()) } x=(x + 12.0) y=(tenth(y + 10.0)) {}
            text.name x=(x + 30.0) y=(tenth(y + 20.5)) { (shortened(&text)) }
            rect.f-none x=(x + 12.0) y=(tenth(y + 33.0)) width=(BAR) height="5" rx="1" {}
            @for (share, at, wide) in placed(&shares) {
                rect class=(fill(Look::of(share.word))) x=(tenth(x + 12.0 + at * BAR / 100.0)) y=(tenth(y + 33.0)) width=(tenth(wide * BAR / 100.0)) height="5" {}
            }
            text x=(x + WIDTH as f64 - 12.0) y=(tenth(y + 39.0)) text-anchor="end" { (what) }
        }
    }
}

/// The end of a name says most.
fn shortened(name: &str) -> String {
    let letters = name.chars().count();
    if letters <= LETTERS {
        return name.to_owned();
    }
    let end: String = name.chars().skip(letters + 1 - LETTERS).collect();
    format!("\u{2026}{end}")
}

/// Where a node begins.
fn corner(layer: usize, place: f64) -> (f64, f64) {
    ((MARGIN + layer * ACROSS) as f64, MARGIN as f64 + place * DOWN as f64)
}

/// The middle of its height.
fn level(place: f64) -> f64 {
    MARGIN as f64 + place * DOWN as f64 + HEIGHT as f64 / 2.0
}

fn tenth(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// A piece of an edge: from a layer and a place to another layer and place, in thousandths.
type Piece = (usize, i64, usize, i64);

/// Edges as paths: those that lead on, and those that lead back.
fn edges(view: &DrawingView) -> [String; 2] {
    let mut pieces: [BTreeSet<Piece>; 2] = Default::default();
    let thousandths = |place: f64| (place * 1000.0).round() as i64;
    let ends = |edge: &DrawnEdge| {
        let (first, last) = if edge.turned { (edge.to, edge.from) } else { (edge.from, edge.to) };
        (&view.nodes[first], &view.nodes[last])
    };
    for edge in &view.edges {
        let (first, last) = ends(edge);
        let places: Vec<f64> =
            [first.place].into_iter().chain(edge.bends.iter().copied()).chain([last.place]).collect();
        let own = &mut pieces[usize::from(edge.turned)];
        if places.len() != last.layer.saturating_sub(first.layer) + 1 {
            own.insert((first.layer, thousandths(first.place), last.layer, thousandths(last.place)));
            continue;
        }
        for (at, pair) in places.windows(2).enumerate() {
            let layer = first.layer + at;
            own.insert((layer, thousandths(pair[0]), layer + 1, thousandths(pair[1])));
            if at > 0 {
                // Through the layer.
                own.insert((layer, thousandths(pair[0]), layer, thousandths(pair[0])));
            }
        }
    }
    if pieces.iter().map(BTreeSet::len).sum::<usize>() > MOST_PIECES {
        pieces = Default::default();
        for edge in &view.edges {
            let (first, last) = ends(edge);
            let piece = (first.layer, thousandths(first.place), last.layer, thousandths(last.place));
            pieces[usize::from(edge.turned)].insert(piece);
        }
    }
    pieces.map(|pieces| pieces.iter().map(path).collect())
}

fn path((layer, from, to_layer, to): &Piece) -> String {
    let (x, y) = (MARGIN + layer * ACROSS, tenth(level(*from as f64 / 1000.0)));
    if layer == to_layer {
        return format!("M{x} {y}h{WIDTH}");
    }
    let (begin, end, down) = (x + WIDTH, MARGIN + to_layer * ACROSS, tenth(level(*to as f64 / 1000.0)));
    if y.to_bits() == down.to_bits() {
        return format!("M{begin} {y}H{end}");
    }
    let bend = (ACROSS - WIDTH) / 2;
    let mut path = String::new();
    let _ = write!(path, "M{begin} {y}C{} {y} {} {down} {end} {down}", begin + bend, end - bend);
    path
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Nodes by their names, layers and places, and edges between their numbers.
    pub(crate) fn view(nodes: &[(&str, usize, f64)], edges: &[(usize, usize, &[f64])]) -> DrawingView {
        let node = |(name, layer, place): &(&str, usize, f64)| DrawnNode {
            name: (*name).to_owned(),
            kind: if name.starts_with("pack") { NodeKind::Package } else { NodeKind::Dataset },
            datasets: if name.starts_with("pack") { 7 } else { 1 },
            states: Some(StateCounts { total: 10, current: 9, stale: 1, ..StateCounts::default() }),
            job: None,
            owner: None,
            layer: *layer,
            place: *place,
        };
        DrawingView {
            graph: "g".to_owned(),
            nodes: nodes.iter().map(node).collect(),
            edges: edges
                .iter()
                .map(|(from, to, bends)| DrawnEdge {
                    from: *from,
                    to: *to,
                    count: 1,
                    turned: nodes[*from].1 > nodes[*to].1,
                    bends: bends.to_vec(),
                })
                .collect(),
            layers: nodes.iter().map(|(_, layer, _)| layer + 1).max().unwrap_or(0),
            width: nodes.iter().map(|(.., place)| *place).fold(0.0, f64::max),
            seq: 1,
        }
    }

    fn shown(view: &DrawingView) -> String {
        drawing(view, |node| node.name == "b", |node| Url::new(&format!("/{}", node.name))).into_string()
    }

    #[test]
    fn nodes_are_links_in_the_order_in_which_they_are_read() {
        let view = view(
            &[("b", 1, 1.0), ("a", 0, 0.0), ("pack", 1, 0.0), ("c", 2, 0.0)],
            &[(1, 0, &[]), (1, 2, &[]), (0, 3, &[])],
        );
        let svg = shown(&view);
        let links: Vec<&str> =
            svg.split("href=\"/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert_eq!(links, ["a", "pack", "b", "c"]);
        assert!(svg.contains("class=\"node stale mid\" href=\"/b\" data-from=\"0\" data-to=\"3\"><title>b: stale; 9 up to date, 1 stale</title>"), "{svg}");
        assert!(svg.contains("data-from=\"\" data-to=\"1 2\""), "the nearest first: {svg}");
        assert!(svg.contains(">pack/</text>") && svg.contains(">7 datasets</text>"), "{svg}");
        assert!(!svg.contains("style"), "{svg}");
    }

    #[test]
    fn what_goes_the_same_way_is_drawn_once() {
        // Both of the long edges go through the place 2 of the layer between.
        let view = view(
            &[("a", 0, 0.0), ("b", 1, 0.0), ("c", 2, 0.0), ("d", 2, 1.0)],
            &[(0, 1, &[]), (0, 2, &[2.0]), (0, 3, &[2.0]), (3, 1, &[])],
        );
        let [forward, back] = edges(&view);
        assert_eq!(forward.matches('M').count(), 5, "{forward}");
        assert!(forward.starts_with("M214 38H278"), "{forward}");
        assert_eq!(back.matches('M').count(), 1, "{back}");
    }

    #[test]
    fn many_edges_are_few_bytes() {
        // All of a chain of 100 lead to its last one, 400 edges in all.
        let names: Vec<String> = (0..100).map(|n| format!("some/long/package/name/{n}")).collect();
        let nodes: Vec<(&str, usize, f64)> =
            names.iter().enumerate().map(|(n, name)| (name.as_str(), n, (n % 3) as f64)).collect();
        let bends: Vec<f64> = (0..200).map(|n| 3.0 + f64::from(n) * 1.37).collect();
        let ends = (0..400).map(|n| (n % 50, 50 + n / 8, n % 50));
        let all: Vec<(usize, usize, &[f64])> =
            ends.map(|(from, to, first)| (from, to, &bends[first..first + to - from - 1])).collect();
        let svg = shown(&view(&nodes, &all));
        assert!(svg.len() < 120_000, "{}", svg.len());
        let marks = svg.matches('<').count() - svg.matches("</").count();
        assert!(marks < 1_500, "{marks}");
    }

    #[test]
    fn the_worst_state_is_what_a_node_looks_like() {
        let counts = |current, behind, missing, stale, building, failed| StateCounts {
            total: 9,
            current,
            behind,
            missing,
            stale,
            building,
            failed,
            left_out: 0,
        };
        for (counts, expected) in [
            (counts(1, 1, 1, 1, 1, 1), "failing"),
            (counts(1, 1, 1, 1, 1, 0), "running"),
            (counts(1, 1, 1, 1, 0, 0), "stale"),
            (counts(1, 1, 1, 0, 0, 0), "incomplete"),
            (counts(1, 1, 0, 0, 0, 0), "behind"),
            (counts(1, 0, 0, 0, 0, 0), "complete"),
            (counts(0, 0, 0, 0, 0, 0), "empty"),
        ] {
            assert_eq!(look_said(look(&counts)), expected);
        }
    }

    #[test]
    fn the_end_of_a_long_name_is_shown() {
        assert_eq!(shortened("sales/features"), "sales/features");
        assert_eq!(shortened("warehouse/sales/europe/features"), "\u{2026}se/sales/europe/features");
        assert_eq!(shortened(&"x".repeat(40)).chars().count(), LETTERS);
    }
}
