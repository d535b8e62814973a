//! The event log: what happened, who brought it about, and what it follows from.

use crate::api::{EventActor, EventCause, EventPage, EventRow, EventsQuery};
use crate::layout::{card, heading, Page, Place, Width};
use crate::links::{self, Url};
use crate::parts::form::{choice, filter, id, text};
use crate::parts::reference::{because, dataset, run, want};
use crate::parts::state::said;
use crate::parts::table::{column, table};
use crate::parts::time::ago;
use databuild_core::amounts::number;
use databuild_core::text::shell_word;
use jiff::Timestamp;
use maud::{html, Markup};

/// Words that the stream of changes uses, of which every event moves one.
pub const ALL: [&str; 7] = ["runs", "wants", "plans", "trials", "tokens", "pools", "events"];

/// Which events come first. What happened to a run or a want is read from its beginning; all else from the end.
#[must_use]
pub fn order(query: &EventsQuery) -> &str {
    match &query.sort {
        Some(order) => order,
        None if query.run.is_some() || query.want.is_some() || query.cause.is_some() => "oldest",
        None => "newest",
    }
}

fn url(query: &EventsQuery) -> Url {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let number = |value: Option<u64>| value.map_or_else(String::new, |value| value.to_string());
    links::events()
        .with("kind", text(&query.kind))
        .with("actor", text(&query.actor))
        .with("run", text(&query.run))
        .with("want", text(&query.want))
        .with("cause", text(&query.cause))
        .with("dataset", text(&query.dataset))
        .with("ref", text(&query.reference))
        .with("job", text(&query.job))
        .with("sort", text(&query.sort))
        .with("limit", query.limit.map_or_else(String::new, |limit| limit.to_string()))
        .with("after", number(query.after))
        .with("before", number(query.before))
}

/// The page. `kinds` has the names of all kinds.
#[must_use]
pub fn page(rows: &EventPage, query: &EventsQuery, kinds: &[&str], now: Timestamp) -> Page {
    let newest = order(query) == "newest";
    let lead = html! {
        h1 { "Events" }
        p.say {
            "Everything that DataBuild knows follows from these: " b { (number(rows.seq)) } " so far, "
            @if newest { "newest" } @else { "oldest" } " first. "
            @if rows.first_seq > 1 { "Those before " (number(rows.first_seq)) " are archived; each can still be opened by its number." }
        }
        (fields(query, kinds))
    };
    // New events come at the beginning of the list, or at its end.
    let is_live = if newest { query.before.is_none() } else { rows.next.is_none() };
    let of: &[&str] = if is_live { &ALL } else { &[] };
    let other = if newest { "oldest" } else { "newest" };
    let turned = url(query).without("after").without("before").with("sort", other);
    let more = [(if newest { "Oldest first" } else { "Newest first" }, turned)];
    Page::new("Events", Place::Events, of, lead)
        .part(card("events", Width::Full, of, &heading("Events", "", &more), &list(rows, query, newest, now)))
        .command(command(query))
}

/// The command that tells the same.
fn command(query: &EventsQuery) -> String {
    let mut command = "events".to_owned();
    let flags = [
        ("--kind", &query.kind),
        ("--actor", &query.actor),
        ("--run", &query.run),
        ("--want", &query.want),
        ("--cause", &query.cause),
        ("--dataset", &query.dataset),
        ("--ref", &query.reference),
        ("--job", &query.job),
    ];
    for (flag, value) in flags {
        if let Some(value) = value {
            command.push_str(&format!(" {flag} {}", shell_word(value)));
        }
    }
    command
}

fn fields(query: &EventsQuery, kinds: &[&str]) -> Markup {
    let mut words: Vec<(String, String)> =
        kinds.iter().map(|kind| ((*kind).to_owned(), said(kind))).collect();
    let value = |of: &Option<String>| of.clone().unwrap_or_default();
    let kind = value(&query.kind);
    // Several kinds, with commas between them, come from an address that somebody wrote.
    if !kind.is_empty() && !kinds.contains(&kind.as_str()) {
        words.push((kind.clone(), kind.replace(',', ", ")));
    }
    let kept = links::events()
        .with("cause", value(&query.cause))
        .with("dataset", value(&query.dataset))
        .with("sort", value(&query.sort))
        .with("limit", query.limit.map_or_else(String::new, |limit| limit.to_string()));
    html! {
        (filter(&kept, &html! {
            (choice("Kind", "kind", "any", &words, &kind))
            (id("By", "actor", &value(&query.actor), "DataBuild"))
            (id("Run", "run", &value(&query.run), "r12"))
            (id("Want", "want", &value(&query.want), "w3"))
            (text("Partitions", "ref", &value(&query.reference), "dataset/date=2026-01-01"))
            (text("Job", "job", &value(&query.job), "//package:job"))
        }))
        @if let Some(name) = &query.dataset {
            p.note { "Only of the dataset " (dataset(name)) ". " a href=(url(query).without("dataset").without("after").without("before")) { "Show all" } }
        }
        @if let Some(id) = &query.cause {
            p.note { "Only what follows from " (cause_of(id)) ". " a href=(url(query).without("cause").without("after").without("before")) { "Show all" } }
        }
    }
}

/// What events follow from, by its id.
fn cause_of(id: &str) -> Markup {
    match id.as_bytes().first() {
        Some(b'r') if is_number(&id[1..]) => run(id),
        Some(b'w') if is_number(&id[1..]) => want(id),
        _ => html! { "the request " code { (id) } },
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn list(rows: &EventPage, query: &EventsQuery, newest: bool, now: Timestamp) -> Markup {
    let is_first = if newest { query.before.is_none() } else { query.after.is_none() };
    let on = if newest { "before" } else { "after" };
    let first = url(query).without("after").without("before");
    html! {
        @if rows.data.is_empty() {
            p.note { @if rows.next.is_some() { "None among the events that were looked at; the next page looks at further ones." } @else { "There is no such event." } }
        } @else {
            (of(&rows.data, now))
        }
        @if !is_first || rows.next.is_some() {
            div.paging {
                @if !is_first { a href=(first) rel="first" { "First page" } }
                @match &rows.next {
                    Some(next) => a href=(first.clone().with(on, next)) rel="next" { "Next page" },
                    None => span { "This is the last page." },
                }
            }
        }
    }
}

/// A table of events.
pub(super) fn of(rows: &[EventRow], now: Timestamp) -> Markup {
    let columns = [
        column("Number", "num fit"),
        column("When", "fit opt"),
        column("Kind", "fit opt"),
        column("What happened", ""),
        column("By", "opt"),
        column("Follows from", "opt"),
    ];
    table(&columns, &html! { @for row in rows { (line(row, now)) } })
}

fn line(row: &EventRow, now: Timestamp) -> Markup {
    html! {
        tr {
            td.num.fit { a.m href=(links::event(row.seq)) { (row.seq) } }
            td.fit.opt { (ago(&row.at, now)) }
            td.fit.opt { (kind(&row.kind)) }
            td { span.clip { (because(&row.text)) } }
            td.opt { (actor(&row.actor)) }
            td.opt { @if let Some(of) = &row.cause { (cause(of)) } }
        }
    }
}

/// A kind of events: all of them.
pub(super) fn kind(name: &str) -> Markup {
    html! { a.tag href=(links::events().with("kind", name)) { (said(name)) } }
}

/// Who brought an event about: all that they did.
pub(super) fn actor(of: &EventActor) -> Markup {
    let name = of.name.as_deref().unwrap_or("DataBuild");
    html! { a.soft[of.name.is_none()] href=(links::events().with("actor", name)) { (name) } }
}

/// What an event follows from.
pub(super) fn cause(of: &EventCause) -> Markup {
    match of.kind.as_str() {
        "run" => run(&of.id),
        "want" => want(&of.id),
        _ => {
            let client = of.client.as_deref().filter(|client| !client.is_empty());
            html! { a.soft href=(links::events().with("cause", &of.id)) title={ "request " (of.id) } { (client.unwrap_or("a")) " request" } }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::api::EventSubjects;
    use serde_json::json;

    pub(in crate::pages) fn event(seq: u64) -> EventRow {
        EventRow {
            seq,
            at: "2026-11-30T11:54:00Z".to_owned(),
            kind: "run_ended".to_owned(),
            text: "r12 failed: <no> such city".to_owned(),
            actor: EventActor { kind: "system".to_owned(), name: None },
            cause: Some(EventCause { kind: "run".to_owned(), id: "r12".to_owned(), client: None }),
            about: EventSubjects { runs: vec!["r12".to_owned()], ..EventSubjects::default() },
            data: json!({"run": "r12", "canceled": false}),
        }
    }

    fn shown(rows: Vec<EventRow>, next: Option<&str>, query: &EventsQuery) -> (Page, String) {
        let rows = EventPage { data: rows, next: next.map(str::to_owned), seq: 1_200, first_seq: 101 };
        let now = "2026-11-30T12:00:00Z".parse().unwrap();
        let page = page(&rows, query, &["run_ended", "want_created"], now);
        let text = page.whole(&crate::layout::Site::default()).into_string();
        (page, text)
    }

    #[test]
    fn events_are_told_newest_first_with_who_and_why() {
        let (page, text) = shown(vec![event(1_200), event(1_199)], Some("1199"), &EventsQuery::default());
        for part in [
            "<b>1,200</b> so far, newest first",
            "Those before 101 are archived",
            "<a class=\"m\" href=\"/events/1200\">1200</a>",
            "6 min ago",
            "<a class=\"tag\" href=\"/events?kind=run_ended\">run ended</a>",
            "<a class=\"m\" href=\"/runs/r12\">r12</a> failed: &lt;no&gt; such city",
            "href=\"/events?actor=DataBuild\">DataBuild</a>",
            "href=\"/events?before=1199\" rel=\"next\"",
            "href=\"/events?sort=oldest\">Oldest first",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(page.parts[0].of, ALL);
    }

    #[test]
    fn what_happened_to_a_run_is_told_from_its_beginning_and_the_address_has_it_all() {
        let query = EventsQuery {
            run: Some("r12".to_owned()),
            kind: Some("run_ended,want_created".to_owned()),
            after: Some(7),
            ..EventsQuery::default()
        };
        let (page, text) = shown(vec![event(8)], Some("8"), &query);
        for part in [
            "oldest first",
            "href=\"/events?kind=run_ended,want_created&amp;run=r12&amp;after=8\" rel=\"next\"",
            "rel=\"first\"",
            "<option value=\"run_ended,want_created\" selected>run_ended, want_created</option>",
            "databuild events --kind run_ended,want_created --run r12",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        // More comes after what is shown, so nothing of it changes.
        assert!(page.parts[0].of.is_empty());
        let (page, _) = shown(vec![event(8)], None, &query);
        assert_eq!(page.parts[0].of, ALL);
    }

    #[test]
    fn a_request_is_a_cause_and_none_of_many_is_no_end() {
        let query = EventsQuery { cause: Some("7f3".to_owned()), ..EventsQuery::default() };
        let (_, text) = shown(Vec::new(), Some("9"), &query);
        assert!(
            text.contains("the request <code>7f3</code>") && text.contains("looks at further ones"),
            "{text}"
        );
        let by = EventCause { kind: "request".into(), id: "7f3".into(), client: Some("cli".into()) };
        assert!(cause(&by)
            .into_string()
            .contains("href=\"/events?cause=7f3\" title=\"request 7f3\">cli request"));
    }
}
