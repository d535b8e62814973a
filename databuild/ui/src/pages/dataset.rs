//! One dataset: where its partitions stand, what it is made from, and who reads it.

use super::runs;
use crate::api::{
    CheckRow, DatasetDetail, Dimension, EdgeSaid, JobSaid, Page as Rows, RunRow, StandingSaid, Tiles,
};
use crate::layout::{card, heading, Page, Part, Place, Width};
use crate::links::{self, Url};
use crate::parts::bar::{asked_for, bar, legend, shares, state_said};
use crate::parts::form::{act, May};
use crate::parts::heatmap::heatmap;
use crate::parts::reference::{dataset, digest, job, many, partitions, run};
use crate::parts::state::{chip, labeled, said, Look};
use crate::parts::table::{column, table};
use crate::parts::time::ago;
use databuild_core::amounts::number;
use databuild_core::text::shell_word;
use jiff::Timestamp;
use maud::{html, Markup};

/// What the page shows.
#[derive(Debug)]
pub struct Dataset<'a> {
    /// The dataset.
    pub detail: &'a DatasetDetail,
    /// What the chosen tab shows.
    pub tab: Tab<'a>,
    /// The address, with all that was chosen.
    pub url: Url,
}

/// What one of the tabs shows.
#[derive(Debug)]
pub enum Tab<'a> {
    /// Its partitions; and those that were selected, by what reference.
    Partitions {
        /// The cells.
        tiles: &'a Tiles,
        /// What was selected, and where that stands.
        selected: Option<(&'a str, &'a StandingSaid)>,
    },
    /// Its last runs.
    History(&'a Rows<RunRow>),
    /// What checks found last.
    Checks(&'a Rows<CheckRow>),
    /// Its job.
    Code,
}

impl Tab<'_> {
    fn name(&self) -> &'static str {
        match self {
            Tab::Partitions { .. } => "",
            Tab::History(_) => "history",
            Tab::Checks(_) => "checks",
            Tab::Code => "code",
        }
    }
}

/// The page.
#[must_use]
pub fn page(shown: &Dataset<'_>, may: May<'_>, now: Timestamp) -> Page {
    let Dataset { detail, tab, .. } = shown;
    let name = &detail.summary.dataset;
    let of = "data";
    let mut page =
        Page::new(name.clone(), Place::Datasets, &["data"], html! { (lead(detail)) (tabs(detail, tab)) });
    match tab {
        Tab::Partitions { tiles, selected } => {
            page = page.part(figure(shown, tiles, of));
            if let Some((reference, standing)) = selected {
                page = page.part(selection(shown, reference, standing, may, of));
                page = page.command(format!("plan {}", shell_word(reference)));
            } else {
                page = page.command(format!("partitions {}", shell_word(name)));
            }
            let width = if selected.is_some() { Width::Narrow } else { Width::Half };
            page = page.part(card(
                "from",
                width,
                &[],
                &heading("Reads", "", &[("Graph", links::graph().with("around", name))]),
                &inputs(detail),
            ));
            let width = if selected.is_some() { Width::Full } else { Width::Half };
            page.part(card(
                "readers",
                width,
                &[],
                &heading("Read by", "", &[]),
                &edges(&detail.readers, true),
            ))
        }
        Tab::History(rows) => {
            let columns = [
                column("Run", "fit"),
                column("State", "fit"),
                column("Partition", ""),
                column("Job", "opt"),
                column("Attempts", "num opt"),
                column("Began", "num opt"),
                column("Took", "num"),
            ];
            let more = [("All runs", links::runs().with("partition", name))];
            let list = html! {
                @if rows.data.is_empty() { p.note { "No run has made any of it." } }
                @else { (table(&columns, &html! { @for row in &rows.data { (runs::line(row, now)) } })) }
            };
            page.part(card("history", Width::Full, &["runs"], &heading("Last runs", "", &more), &list))
                .command(format!("runs --partition {}", shell_word(name)))
        }
        Tab::Checks(rows) => page
            .part(card(
                "checks",
                Width::Full,
                &["data"],
                &heading("What checks found last", "", &[]),
                &checks(rows, now),
            ))
            .command(format!("checks {}", shell_word(name))),
        Tab::Code => page.part(card("code", Width::Half, &[], &heading("Job", "", &[]), &code(detail))).part(
            card("dims", Width::Half, &[], &heading("Dimensions", "", &[]), &dimensions(&detail.dimensions)),
        ),
    }
}

fn lead(detail: &DatasetDetail) -> Markup {
    let summary = &detail.summary;
    let shares = shares(summary);
    let list = |state: &str| Some(links::partitions(&summary.dataset).with("state", asked_for(state)));
    let rest: Vec<String> = shares[1..]
        .iter()
        .filter(|share| share.count > 0)
        .map(|share| format!("{} {}", number(share.count), said(share.word)))
        .collect();
    html! {
        h1 { span.m { (summary.dataset) } }
        p.say {
            @if summary.total == 0 { "It has no partitions yet." }
            @else { b { (number(summary.current)) " of " (number(summary.total)) } @if summary.external { " partitions were seen" } @else { " partitions are up to date" } @if !rest.is_empty() { "; " (rest.join(", ")) } "." }
            @if summary.external { " It is external: DataBuild looks at it and does not build it." }
        }
        div.stand { (bar(&shares, "big")) (legend(&shares, list)) }
    }
}

fn tabs(detail: &DatasetDetail, tab: &Tab<'_>) -> Markup {
    let url = links::dataset(&detail.summary.dataset);
    html! {
        ul.tabs {
            @for (name, text) in [("", "Partitions"), ("history", "History"), ("checks", "Checks"), ("code", "Job and dimensions")] {
                li { a href=(url.clone().with("tab", name)) aria-current=[(tab.name() == name).then_some("page")] { (text) } }
            }
        }
    }
}

fn figure(shown: &Dataset<'_>, tiles: &Tiles, of: &str) -> Part {
    let mut more: Vec<(&str, Url)> = Vec::new();
    let url = || shown.url.clone();
    if let Some(before) = &tiles.before {
        more.push(("\u{2190} Earlier", url().without("from").with("to", before)));
    }
    if let Some(after) = &tiles.after {
        more.push(("Later \u{2192}", url().without("to").with("from", after)));
    }
    let name = match (&tiles.x, &tiles.y) {
        (Some(x), Some(y)) => format!("By {x} and {y}"),
        (Some(x), None) => format!("By {x}"),
        _ => "The one partition".to_owned(),
    };
    let each: u64 = tiles.cells.iter().flatten().map(|cell| cell.total).max().unwrap_or(0);
    let much = if each > 1 {
        format!("one cell is up to {}", many(each, "partition"))
    } else {
        "one cell is one partition".to_owned()
    };
    let dims: Vec<&str> = shown.detail.dimensions.iter().map(|dim| dim.name.as_str()).collect();
    let content = html! {
        (axes(shown, tiles, &dims))
        div.pad {
            @if tiles.cells.is_empty() { p.note { "There is nothing to show here." } }
            @else { (heatmap(tiles, &state_said("missing", shown.detail.summary.external), Some(&dims))) }
        }
        (rows_paging(shown, tiles))
    };
    card("figure", Width::Full, &[of], &heading(&name, &much, &more), &content)
}

/// Which dimensions the figure has, how long a column is, and which columns there are.
fn axes(shown: &Dataset<'_>, tiles: &Tiles, dims: &[&str]) -> Markup {
    if dims.is_empty() {
        return html! {};
    }
    let length =
        |by: &str| -> Option<&str> { tiles.lengths.iter().map(String::as_str).find(|length| *length == by) };
    let kept = links::dataset(&shown.detail.summary.dataset);
    html! {
        form.filter.pad action=(kept.path()) method="get" aria-label="What the figure shows" data-filter {
            @if dims.len() > 1 {
                label { "Across" select name="x" { @for dim in dims { option value=(dim) selected[tiles.x.as_deref() == Some(*dim)] { (dim) } } } }
                label { "Down" select name="y" { option value="-" { "nothing" } @for dim in dims { option value=(dim) selected[tiles.y.as_deref() == Some(*dim)] { (dim) } } } }
            }
            @if !tiles.lengths.is_empty() {
                label { "A column is" select name="by" {
                    @for by in ["hour", "day", "week", "month", "year"] { @if let Some(by) = length(by) { option value=(by) selected[tiles.by.as_deref() == Some(by)] { "one " (by) } } }
                } }
                label { "From" input name="from" size="12" value=(tiles.columns.first().map_or("", |key| key.text.as_str())) spellcheck="false"; }
                label { "To" input name="to" size="12" value=(tiles.columns.last().map_or("", |key| key.text.as_str())) spellcheck="false"; }
            }
            label.wide { "Select partitions" input name="sel" type="search" placeholder={ (shown.detail.summary.dataset) "/\u{2026}" } value=[shown.url.parameters().find(|(name, _)| *name == "sel").map(|(_, value)| value)] spellcheck="false" autocomplete="off"; }
            button { "Show" }
        }
    }
}

fn rows_paging(shown: &Dataset<'_>, tiles: &Tiles) -> Markup {
    let rows = tiles.rows.len() as u64;
    let Some(y) = tiles.y.as_deref().filter(|_| tiles.rows_total > rows) else { return html! {} };
    let before = tiles.skip > 0;
    let after = tiles.skip + rows < tiles.rows_total;
    html! {
        div.paging {
            span { (number(tiles.skip + 1)) " to " (number(tiles.skip + rows)) " of " (number(tiles.rows_total)) " keys of " (y) }
            @if before { a href=(shown.url.clone().with("skip", tiles.skip.saturating_sub(rows.max(1)))) { "Previous" } }
            @if after { a href=(shown.url.clone().with("skip", tiles.skip + rows)) { "Next" } }
        }
    }
}

fn selection(shown: &Dataset<'_>, reference: &str, standing: &StandingSaid, may: May<'_>, of: &str) -> Part {
    let columns =
        [column("State", "fit"), column("Partitions", "num"), column("Because", ""), column("Which", "opt")];
    let rows = html! {
        @for group in &standing.groups {
            tr {
                td.fit { (labeled(Look::of(&group.state), &state_said(&group.state, shown.detail.summary.external))) }
                td.num { a href=(links::partitions(reference).with("state", &group.state)) { (number(group.count)) } }
                td.soft { @if let Some(reason) = &group.reason { (reason.replace('_', " ")) } }
                td.opt { @for (at, text) in group.partitions.iter().take(3).enumerate() { @if at > 0 { br; } (partitions(text, if group.count == 1 { 1 } else { 2 })) } }
            }
        }
    };
    let clear = [("Clear", shown.url.clone().without("sel"))];
    let content = html! {
        (table(&columns, &rows))
        @if !shown.detail.summary.external && standing.total > 0 {
            div.acts {
                (act(&Url::new("/plans"), may, &format!("Plan {}", many(standing.total, "partition")), true, &[("targets", reference)]))
                span { "A plan says what would run, and builds nothing yet." }
            }
        }
    };
    let name = format!("Selected: {reference}");
    card(
        "selected",
        Width::Wide,
        &[of],
        &heading(&name, &many(standing.total, "partition"), &clear),
        &content,
    )
}

fn inputs(detail: &DatasetDetail) -> Markup {
    html! {
        (edges(&detail.inputs, false))
        @if let Some(JobSaid { label, batch, .. }) = &detail.job {
            p.note.line { "Made by " (job(label)) @if *batch > 1 { ", up to " (many(*batch, "partition")) " a run" } "." }
        }
    }
}

fn edges(edges: &[EdgeSaid], readers: bool) -> Markup {
    if edges.is_empty() {
        return html! { p.note { @if readers { "Nothing reads it." } @else { "It is made from nothing that DataBuild knows." } } };
    }
    // What it is made from is read by one job, which stands below.
    let mut columns = vec![column("Dataset", ""), column("Which of its partitions", "")];
    if readers {
        columns.push(column("Job", "opt"));
    }
    let rows = html! {
        @for edge in edges {
            tr { td { (dataset(&edge.dataset)) } td.soft { (edge.mapping) } @if readers { td.opt { (job(&edge.job)) } } }
        }
    };
    table(&columns, &rows)
}

/// What checks found.
pub(super) fn checks(rows: &Rows<CheckRow>, now: Timestamp) -> Markup {
    if rows.data.is_empty() {
        return html! { p.note { "No check has looked at it." } };
    }
    let columns = [
        column("Result", "fit"),
        column("Partition and check", ""),
        column("What it says", ""),
        column("Run", "opt"),
        column("When", "num opt"),
    ];
    let lines = html! {
        @for row in &rows.data {
            tr {
                td.fit { (chip(&row.outcome)) @if !row.blocking { br; span.soft { "only warns" } } }
                td { (partitions(&row.partition, 1)) br; span.m.soft { (row.check) } }
                td.soft { span.clip { (row.message) } }
                td.opt { (run(&row.run)) }
                td.num.opt { (ago(&row.at, now)) }
            }
        }
    };
    table(&columns, &lines)
}

fn code(detail: &DatasetDetail) -> Markup {
    html! {
        dl.kv {
            dt { "target" } dd.m { (detail.label) }
            @if let Some(said) = &detail.job {
                dt { "job" } dd { (job(&said.label)) }
                dt { "code" } dd { (digest(&said.code)) }
                dt { "makes" } dd { @for (at, name) in said.outputs.iter().enumerate() { @if at > 0 { ", " } (dataset(name)) } }
                dt { "a run makes" } dd { @if said.batch > 1 { "up to " (many(said.batch, "partition")) } @else { "1 partition" } }
                @if !said.takes.is_empty() { dt { "a run takes" } dd { @for (at, (what, amount)) in said.takes.iter().enumerate() { @if at > 0 { ", " } (number(*amount)) " of " (what) } } }
            }
            @if let Some(path) = &detail.path { dt { "files" } dd.m { (path) } }
        }
    }
}

fn dimensions(dims: &[Dimension]) -> Markup {
    if dims.is_empty() {
        return html! { p.note { "It has none: there is one partition." } };
    }
    let columns = [
        column("Name", ""),
        column("Keys", "num"),
        column("From", "opt"),
        column("To", "opt"),
        column("Kind", ""),
    ];
    let rows = html! {
        @for dim in dims {
            tr {
                td.m { (dim.name) }
                td.num { (number(dim.keys)) }
                td.opt.m { (dim.first.as_deref().unwrap_or("")) }
                td.opt.m { (dim.last.as_deref().unwrap_or("")) }
                td.soft {
                    @match (&dim.granularity, &dim.space) {
                        (Some(granularity), _) => { "each " (granularity) @if let Some(zone) = &dim.timezone { ", " (zone) } },
                        (_, Some(space)) => { "keys that come and go: " (space) },
                        _ => "listed",
                    }
                }
            }
        }
    };
    table(&columns, &rows)
}
