//! One event: what happened, who brought it about and why, what it says, and what else came of the same.

use super::events::{actor, cause, kind, of};
use crate::api::{EventRow, EventSubjects};
use crate::layout::{card, heading, Page, Place, Width};
use crate::links::{self, Url};
use crate::parts::json::{fields, folded};
use crate::parts::reference::{because, dataset, job, run, want};
use crate::parts::time::{ago, exact};
use databuild_core::amounts::number;
use jiff::Timestamp;
use maud::{html, Markup};

/// Things of a kind that are named; the rest is counted.
const NAMED: usize = 20;

/// What the page shows.
#[derive(Debug)]
pub struct Event<'a> {
    /// The event.
    pub row: &'a EventRow,
    /// Events near it that follow from the same, with itself, oldest first.
    pub same: &'a [EventRow],
    /// The one before it, of those that who looks may see.
    pub before: Option<u64>,
    /// The one after it.
    pub after: Option<u64>,
}

/// The page.
#[must_use]
pub fn page(shown: &Event<'_>, now: Timestamp) -> Page {
    let Event { row, same, .. } = shown;
    let mut page = Page::new(format!("Event {}", row.seq), Place::Events, &[], lead(shown, now));
    page = page.part(card("data", Width::Wide, &[], &heading("What it says", "", &[]), &data(row)));
    page = page.part(card("facts", Width::Narrow, &[], &heading("Who and why", "", &[]), &facts(row)));
    if let Some(by) = row.cause.as_ref().filter(|_| same.len() > 1) {
        let all = links::events().with("cause", &by.id);
        page = page.part(card(
            "same",
            Width::Full,
            &[],
            &heading("What else came of it", "", &[("All", all)]),
            &of(same, now),
        ));
    }
    page.command(format!("events {}", row.seq))
}

fn lead(shown: &Event<'_>, now: Timestamp) -> Markup {
    let Event { row, before, after, .. } = shown;
    html! {
        h1 { "Event " (number(row.seq)) " " (kind(&row.kind)) }
        p.say { b { (because(&row.text)) } @if !row.text.ends_with('.') { "." } " " (ago(&row.at, now)) ", by " (actor(&row.actor)) "." }
        p {
            @if let Some(before) = before { a href=(links::event(*before)) rel="prev" { "The event before" } }
            @if before.is_some() && after.is_some() { " \u{b7} " }
            @if let Some(after) = after { a href=(links::event(*after)) rel="next" { "The event after" } }
        }
    }
}

fn data(row: &EventRow) -> Markup {
    html! {
        @if row.data.as_object().is_some_and(serde_json::Map::is_empty) { p.note { "Nothing besides its kind." } }
        @else { (fields(&row.data)) }
        div.note.line {
            (folded("As JSON", &row.data))
            p { "All of it: " a href=(Url::new(&format!("/api/v1/events/{}", row.seq))) { code { "GET /api/v1/events/" (row.seq) } } }
        }
    }
}

fn facts(row: &EventRow) -> Markup {
    let at = row.at.parse().map_or_else(|_| row.at.clone(), exact);
    html! {
        dl.kv {
            dt { "number" } dd.m { (row.seq) }
            dt { "time" } dd { time datetime=(row.at) { (at) } }
            dt { "by" } dd { (actor(&row.actor)) @if row.actor.kind == "token" { " " span.soft { "with a token" } } }
            dt { "follows from" } dd { @match &row.cause { Some(of) => (cause(of)), None => span.soft { "time, or several things" } } }
            (subjects(&row.about))
        }
    }
}

/// What it speaks of.
fn subjects(about: &EventSubjects) -> Markup {
    let plan = |id: &str| html! { a.m href=(links::plan(id)) { (id) } };
    let plain = |id: &str| html! { span.m { (id) } };
    html! {
        (named("wants", &about.wants, want))
        (named("runs", &about.runs, run))
        (named("jobs", &about.jobs, job))
        (named("datasets", &about.datasets, dataset))
        (named("plans", &about.plans, plan))
        (named("trials", &about.trials, plain))
    }
}

fn named(what: &str, all: &[String], link: impl Fn(&str) -> Markup) -> Markup {
    html! {
        @if !all.is_empty() {
            dt { (what) }
            dd {
                @for (at, one) in all.iter().take(NAMED).enumerate() { @if at > 0 { ", " } (link(one)) }
                @if all.len() > NAMED { " and " (number((all.len() - NAMED) as u64)) " more" }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::events::tests::event;
    use super::*;

    #[test]
    fn an_event_says_what_it_says_and_what_came_with_it() {
        let (row, same) = (event(12), [event(11), event(12)]);
        let shown = |same: &[EventRow], after| {
            let shown = Event { row: &row, same, before: Some(11), after };
            let now = "2026-11-30T12:00:00Z".parse().unwrap();
            page(&shown, now).whole(&crate::layout::Site::default()).into_string()
        };
        let text = shown(&same, None);
        for part in [
            "Event 12",
            "<dt>canceled</dt><dd>no</dd>",
            "<summary>As JSON</summary>",
            "href=\"/api/v1/events/12\"",
            "href=\"/events/11\" rel=\"prev\"",
            "2026-11-30 11:54:00 UTC",
            "What else came of it",
            "href=\"/events?cause=r12\">All",
            "databuild events 12",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        // The newest has none after it.
        assert!(!text.contains("rel=\"next\""));
        let alone = shown(&same[1..], Some(13));
        assert!(
            !alone.contains("What else came of it") && alone.contains("href=\"/events/13\" rel=\"next\"")
        );
    }
}
