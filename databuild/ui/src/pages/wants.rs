//! Wants, newest first.

use super::now::title;
use crate::api::{Page as Rows, WantRow, WantsQuery};
use crate::layout::{card, heading, Page, Place, Width};
use crate::links::{self, Url};
use crate::parts::form::{choice, filter};
use crate::parts::reference::want;
use crate::parts::state::{chip, said};
use crate::parts::table::{column, paging, table};
use crate::parts::time::{ago, between, since};
use jiff::Timestamp;
use maud::{html, Markup};

/// The address of a list.
#[must_use]
pub fn url(query: &WantsQuery) -> Url {
    links::wants().with("state", query.state.clone().unwrap_or_default())
}

/// The page. `states` has the words of states.
#[must_use]
pub fn page(rows: &Rows<WantRow>, query: &WantsQuery, states: &[&str], now: Timestamp) -> Page {
    let words: Vec<(String, String)> = states.iter().map(|word| ((*word).to_owned(), said(word))).collect();
    let state = query.state.clone().unwrap_or_default();
    let lead = html! {
        h1 { "Wants" }
        p.say { "What somebody, or a run, asked for. Newest first." }
        (filter(&links::wants(), &choice("State", "state", "any", &words, &state)))
    };
    Page::new("Wants", Place::Wants, &[], lead)
        .part(card("wants", Width::Full, &["wants"], &heading("Wants", "", &[]), &list(rows, query, now)))
        .command(if state.is_empty() { "want list".to_owned() } else { format!("want list --state {state}") })
}

fn list(rows: &Rows<WantRow>, query: &WantsQuery, now: Timestamp) -> Markup {
    let columns = [
        column("Want", "fit"),
        column("State", "fit"),
        column("What", ""),
        column("By", "opt"),
        column("Asked", "num opt"),
        column("Open for", "num"),
    ];
    html! {
        @if rows.data.is_empty() {
            p.note { @if rows.next.is_some() { "None among the newest ones; the next page looks at older ones." } @else { "There is no such want." } }
        } @else {
            (table(&columns, &html! { @for row in &rows.data { (line(row, now)) } }))
        }
        (paging(&url(query), query.cursor.is_none(), rows.next.as_deref()))
    }
}

fn line(row: &WantRow, now: Timestamp) -> Markup {
    html! {
        tr {
            td.fit { (want(&row.id)) }
            td.fit { (chip(if row.paused { "paused" } else { &row.state })) @if row.late { " " (chip("late")) } }
            td { a href=(links::want(&row.id)) { (title(&row.targets)) } @if row.class == "backfill" { " " span.soft { "backfill" } } @if !row.comment.is_empty() { br; span.soft { (row.comment) } } }
            td.opt { (row.by) @if !row.source.is_empty() { " " span.soft { (row.source) } } }
            td.num.opt { (ago(&row.created_at, now)) }
            td.num { @match &row.ended_at { Some(ended) => (between(&row.created_at, ended)), None => (since(&row.created_at, now)) } }
        }
    }
}
