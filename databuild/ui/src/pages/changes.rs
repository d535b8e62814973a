//! Graphs that were registered, and what each changed.

use crate::api::{GraphChange, GraphRow, Page as Rows};
use crate::layout::{card, heading, Page, Place, Width};
use crate::links;
use crate::parts::reference::{digest, many};
use crate::parts::table::{column, paging, table};
use crate::parts::time::ago;
use databuild_core::amounts::number;
use jiff::Timestamp;
use maud::{html, Markup};

/// The page. `is_first` says that no newer ones are before these, `is_part` that who looks sees some datasets alone, so what each changed
/// is not told.
#[must_use]
pub fn page(rows: &Rows<GraphRow>, is_first: bool, is_part: bool, now: Timestamp) -> Page {
    let lead = html! {
        h1 { "Changes" }
        p.say {
            @match rows.data.iter().find(|row| row.current).filter(|_| is_first) {
                Some(row) => {
                    "New work follows graph " a href=(links::change(row.number)) { (row.number) } ", registered " (ago(&row.at, now))
                    @if let Some(by) = &row.by { " by " b { (by) } }
                    ". "
                    @if let Some(change) = &row.change { "It changed " b { (said(change)) } "." }
                },
                None if is_part => "Each graph that was registered, newest first.",
                None => "Each graph that was registered, newest first, with what it changed against the one before.",
            }
        }
    };
    let of: &[&str] = if is_first { &["graphs"] } else { &[] };
    let list = list(rows, is_first, is_part, now);
    let page = Page::new("Changes", Place::Changes, of, lead).part(card(
        "changes",
        Width::Full,
        of,
        &heading("Graphs", "", &[]),
        &list,
    ));
    if is_part {
        page
    } else {
        page.command("diff")
    }
}

fn list(rows: &Rows<GraphRow>, is_first: bool, is_part: bool, now: Timestamp) -> Markup {
    if rows.data.is_empty() {
        return html! { p.note { "No graph is registered yet." } };
    }
    let mut columns = vec![column("Number", "num fit"), column("Registered", "fit"), column("By", "opt")];
    if !is_part {
        columns.extend([
            column("What it changed", ""),
            column("Jobs", "num opt"),
            column("Datasets", "num opt"),
        ]);
    }
    columns.push(column("Graph", if is_part { "" } else { "fit opt" }));
    let followed = |row: &GraphRow| html! { @if row.current { " " span.tag { "followed" } } };
    let lines = html! {
        @for row in &rows.data {
            tr {
                td.num.fit { a.m href=(links::change(row.number)) { (row.number) } }
                td.fit { (ago(&row.at, now)) }
                td.opt { (row.by.as_deref().unwrap_or("unknown")) }
                @if is_part {
                    td { (digest(&row.id)) (followed(row)) }
                } @else {
                    td { a href=(links::change(row.number)) { @match &row.change { Some(change) => (said(change)), None => "the first one" } } (followed(row)) }
                    td.num.opt { @if let Some(count) = row.job_count { (number(count)) } }
                    td.num.opt { @if let Some(count) = row.dataset_count { (number(count)) } }
                    td.fit.opt { (digest(&row.id)) }
                }
            }
        }
    };
    html! {
        (table(&columns, &lines))
        (paging(&links::changes(), is_first, rows.next.as_deref()))
    }
}

/// How much a graph changed: `2 jobs, 1 new job and 1 dataset less`.
#[must_use]
pub fn said(change: &GraphChange) -> String {
    let counted = [
        (change.jobs_changed, "job", ""),
        (change.jobs_added, "new job", ""),
        (change.jobs_removed, "job", " less"),
        (change.datasets_changed, "dataset", ""),
        (change.datasets_added, "new dataset", ""),
        (change.datasets_removed, "dataset", " less"),
        (change.others, "other declaration", ""),
    ];
    let parts: Vec<String> = counted
        .iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, what, how)| format!("{}{how}", many(*count, what)))
        .collect();
    match parts.as_slice() {
        [] => "nothing but values of inherited variables".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::pages) fn graph(number: u64, change: Option<GraphChange>) -> GraphRow {
        GraphRow {
            number,
            id: "4fb587cd00".to_owned(),
            at: "2026-11-30T11:54:00Z".to_owned(),
            by: Some("<ci>".to_owned()),
            current: number == 900,
            job_count: Some(1_061),
            dataset_count: Some(48),
            change,
        }
    }

    #[test]
    fn graphs_are_told_with_what_each_changed() {
        let change =
            GraphChange { jobs_changed: 2, jobs_removed: 1, datasets_added: 1, ..GraphChange::default() };
        let rows =
            Rows { data: vec![graph(900, Some(change)), graph(1, None)], next: Some("1".into()), seq: 950 };
        let shown = |is_first| {
            let now = "2026-11-30T12:00:00Z".parse().unwrap();
            page(&rows, is_first, false, now).whole(&crate::layout::Site::default()).into_string()
        };
        let text = shown(true);
        for part in [
            "It changed <b>2 jobs, 1 job less and 1 new dataset</b>",
            "<a class=\"m\" href=\"/changes/900\">900</a>",
            "the first one",
            "&lt;ci&gt;",
            "1,061",
            "href=\"/changes?cursor=1\" rel=\"next\"",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!shown(false).contains("New work follows"));
        // Who sees some datasets alone is told of none what it changed.
        let untold = GraphRow { job_count: None, dataset_count: None, ..graph(900, None) };
        let rows = Rows { data: vec![untold], next: None, seq: 950 };
        let part = page(&rows, true, true, jiff::Timestamp::UNIX_EPOCH);
        let part = part.whole(&crate::layout::Site::default()).into_string();
        assert!(part.contains("href=\"/changes/900\"") && !part.contains("the first one"), "{part}");
        assert_eq!(said(&GraphChange::default()), "nothing but values of inherited variables");
    }
}
