//! Partitions of a reference.

use crate::api::{Page as Rows, PartitionRow, PartitionsQuery};
use crate::layout::{card, heading, Page, Place, Width};
use crate::links::{self, Url};
use crate::parts::bar::state_said;
use crate::parts::form::{choice, filter, text};
use crate::parts::reference::{breakable, dataset};
use crate::parts::state::{labeled, Look};
use crate::parts::table::{column, paging, table};
use databuild_core::amounts::number;
use databuild_core::reference::dataset_of;
use databuild_core::text::shell_word;
use databuild_core::word::Word as _;
use maud::{html, Markup};

/// The page. `states` has the words of states; `external` says that no job makes them.
#[must_use]
pub fn page(rows: &Rows<PartitionRow>, query: &PartitionsQuery, states: &[&str], external: bool) -> Page {
    let reference = query.reference.clone().unwrap_or_default();
    let state = query.state.clone().unwrap_or_default();
    let name = dataset_of(&reference);
    let url: Url = links::partitions(&reference).with("state", &state);
    let words: Vec<(String, String)> =
        states.iter().map(|word| ((*word).to_owned(), state_said(word, external))).collect();
    let lead = html! {
        h1 { "Partitions of " span.m { (reference) } }
        p.say { "All of the dataset: " (dataset(name)) "." }
        (filter(&Url::new("/partitions"), &html! {
            (text("Reference", "ref", &reference, "dataset/date=2026-01-01"))
            (choice("State", "state", "any", &words, &state))
        }))
    };
    let mut command = format!("partitions {}", shell_word(&reference));
    if !state.is_empty() {
        command.push_str(&format!(" --state {state}"));
    }
    Page::new(reference.clone(), Place::Datasets, &[], lead)
        .part(card(
            "partitions",
            Width::Full,
            &["data"],
            &heading("Partitions", "", &[]),
            &list(rows, &url, query.cursor.is_none(), external),
        ))
        .command(command)
}

fn list(rows: &Rows<PartitionRow>, url: &Url, is_first: bool, external: bool) -> Markup {
    let columns = [
        column("State", "fit"),
        column("Partition", ""),
        column("Because", ""),
        column("Warnings", "num opt"),
    ];
    let lines = html! {
        @for row in &rows.data {
            tr {
                td.fit { (labeled(Look::of(row.state.word()), &state_said(row.state.word(), external))) }
                td { a href=(links::partition(&row.partition)) { (breakable(&row.partition)) } }
                td.soft { @if let Some(reason) = row.reason.as_ref().filter(|reason| !(external && *reason == "missing")) { (reason.replace('_', " ")) } @if row.source.is_some() { "adopted" } }
                td.num.opt { @if row.warnings > 0 { (number(row.warnings)) } }
            }
        }
    };
    html! {
        @if rows.data.is_empty() { p.note { "There is no such partition." } } @else { (table(&columns, &lines)) }
        (paging(url, is_first, rows.next.as_deref()))
    }
}
