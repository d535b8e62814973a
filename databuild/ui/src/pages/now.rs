//! What goes on: what runs, what waits and why, what failed since somebody looked last, what is late.

use crate::api::{FailedRuns, LiveRun, MachineRow, Now, OpenWant, Progress, Waiting};
use crate::layout::{card, heading, Page, Place, Width};
use crate::links::{self, Url};
use crate::parts::bar::{bar, Share};
use crate::parts::form::{act, May};
use crate::parts::reference::{because, job, many, partitions, run, want, wants};
use crate::parts::state::{chip, Look};
use crate::parts::table::{column, table};
use crate::parts::time::{ago, since};
use databuild_core::amounts::{are, number};
use jiff::Timestamp;
use maud::{html, Markup};

/// The page. `seen` says that somebody marked failures as seen, and since then counts; else the last day does.
#[must_use]
pub fn page(answer: &Now, seen: bool, may: May<'_>, now: Timestamp) -> Page {
    let mut page = Page::new("Now", Place::Now, &["runs", "wants"], lead(answer, seen, now));
    page = page.part(card(
        "running",
        wide_or_full(answer.late_total),
        &["runs"],
        &running_heading(answer),
        &running(&answer.running, answer.running_total, now),
    ));
    if answer.late_total > 0 {
        let much = number(answer.late_total);
        page = page.part(card(
            "late",
            Width::Narrow,
            &["wants"],
            &heading("Late", &much, &[]),
            &late(answer, now),
        ));
    }
    page = page.part(card(
        "waiting",
        Width::Wide,
        &["runs", "wants"],
        &heading("Waiting", &many(answer.waiting_total, "partition"), &[("Queue", links::queue())]),
        &waiting(&answer.waiting),
    ));
    let more = [("All wants", links::wants())];
    let much = format!("{} open", number(answer.wants_total));
    page = page.part(card(
        "wants",
        Width::Narrow,
        &["wants", "runs"],
        &heading("Wants", &much, &more),
        &open(answer),
    ));
    page = page.part(card(
        "failed",
        Width::Full,
        &["runs"],
        &failed_heading(answer, seen),
        &failed(answer, seen, may, now),
    ));
    page.command("status")
}

fn wide_or_full(others: u64) -> Width {
    if others > 0 {
        Width::Wide
    } else {
        Width::Full
    }
}

fn lead(answer: &Now, seen: bool, now: Timestamp) -> Markup {
    let reasons = answer.failed.len() as u64;
    html! {
        h1 { "Now" }
        p.say {
            @if answer.running_total + answer.waiting_total + answer.wants_total == 0 {
                "Nothing is running, and nothing waits. "
            } @else {
                b { (many(answer.running_total, "run")) } " under way, and " (many(answer.waiting_total, "partition")) " waiting. "
            }
            @if answer.failed_total > 0 {
                b { (at_least(answer)) (many(answer.failed_total, "run")) " failed" } " " (since_when(answer, seen, now))
                @if answer.failed_total > 1 { ", for " (many(reasons, "reason")) }
                ". "
            } @else {
                "Nothing has failed " (since_when(answer, seen, now)) ". "
            }
            @if answer.late_total > 0 {
                b { (many(answer.late_total, "want")) " " (are(answer.late_total)) " late" } "."
            }
        }
    }
}

fn since_when(answer: &Now, seen: bool, now: Timestamp) -> Markup {
    html! { @if seen { "since you looked " (ago(&answer.since, now)) } @else { "in the last 24 hours" } }
}

fn at_least(answer: &Now) -> &'static str {
    if answer.failed_more {
        "at least "
    } else {
        ""
    }
}

fn running_heading(answer: &Now) -> Markup {
    let much = on_places(answer.running_total, &answer.machine);
    heading("Running", &much, &[("All runs", links::runs())])
}

/// How many runs are under way, and how much room there is. What is handed out and waits for a place is not among them.
pub(super) fn on_places(running: u64, machine: &[MachineRow]) -> String {
    match machine.iter().find(|row| row.name == "places") {
        Some(row) => {
            format!("{} on {} of {}", many(running, "run"), number(row.used), many(row.size, "place"))
        }
        None => many(running, "run"),
    }
}

/// Runs that are under way.
pub(super) fn running(rows: &[LiveRun], total: u64, now: Timestamp) -> Markup {
    if rows.is_empty() {
        return html! { p.note { "No run is under way." } };
    }
    let columns = [
        column("Run", "fit"),
        column("Partition", ""),
        column("Job", "opt"),
        column("For", "opt"),
        column("Time", "num"),
    ];
    let listed = html! {
        @for row in rows { (running_row(row, now)) }
    };
    html! { (table(&columns, &listed)) (rest(rows.len(), total, "run", &links::runs().with("state", "running"))) }
}

fn running_row(row: &LiveRun, now: Timestamp) -> Markup {
    html! {
        tr {
            td.fit { (run(&row.id)) }
            td { span.st title=(row.phase) { (Look::of(&row.phase).icon()) span { (partitions(&row.partition, row.partitions)) @if row.partitions > 1 { " " span.soft { "(" (number(row.partitions)) ")" } } } } }
            td.opt { (job(&row.job)) }
            td.opt { (wants(&row.wants)) }
            td.num { @match &row.since { Some(at) => (since(at, now)), None => "" } @if row.attempt > 1 { " " span.soft { "attempt " (row.attempt) } } }
        }
    }
}

/// How many more there are than a list shows.
pub(super) fn rest(shown: usize, total: u64, what: &str, url: &Url) -> Markup {
    let more = total.saturating_sub(shown as u64);
    html! { @if more > 0 { p.note.line { a href=(url) { (many(more, what)) " more" } } } }
}

/// Work that waits.
pub(super) fn waiting(rows: &[Waiting]) -> Markup {
    if rows.is_empty() {
        return html! { p.note { "Nothing waits." } };
    }
    let columns = [column("What", ""), column("Partitions", "num"), column("Because", "")];
    table(&columns, &html! { @for row in rows { (waiting_row(row)) } })
}

fn waiting_row(row: &Waiting) -> Markup {
    html! {
        tr {
            td { span.st { (Look::of(&row.blocker.kind).icon()) span { a href=(links::dataset(&row.dataset)) { (row.dataset) } " " span.opt { (wants(&row.wants)) } } } }
            td.num { (number(row.partitions)) }
            td.why { (because(without_count(&row.blocker.message))) }
        }
    }
}

/// A message without how much is ready, which stands beside it.
pub(super) fn without_count(message: &str) -> &str {
    match message.rsplit_once("; ") {
        Some((rest, last)) if last.ends_with(" ready") => rest,
        _ => message,
    }
}

fn open(answer: &Now) -> Markup {
    if answer.wants.is_empty() {
        return html! { p.note { "No want is open." } };
    }
    html! {
        table {
            thead.hidden { tr { th scope="col" { "Want" } th scope="col" { "Left" } } }
            tbody { @for open in &answer.wants { (open_row(open)) } }
        }
        (rest(answer.wants.len(), answer.wants_total, "want", &links::wants().with("state", "open")))
    }
}

fn open_row(open: &OpenWant) -> Markup {
    let OpenWant { want: row, progress } = open;
    html! {
        tr {
            td { (want(&row.id)) " " a href=(links::want(&row.id)) { (title(&row.targets)) } @if row.class == "backfill" { " " span.soft { "backfill" } } (bar(&progress_shares(progress), "")) }
            td.num { (number(progress.left)) " left" br; span.soft { @if row.paused { (chip("paused")) } @else if row.late { (chip("late")) } @else { (number(progress.done)) " done" } } }
        }
    }
}

/// The partitions of a want, by what became of them: together they are all that it is about.
#[must_use]
pub fn progress_shares(progress: &Progress) -> Vec<Share<'static>> {
    let running = progress.running.min(progress.left);
    let mut shares = vec![("done", progress.done), ("running", running)];
    shares.extend(progress.not_done());
    shares.push(("waiting", progress.left - running));
    shares.into_iter().map(|(word, count)| Share { word, count }).collect()
}

/// The targets of a want, in short.
#[must_use]
pub fn title(targets: &[String]) -> String {
    match targets {
        [] => String::new(),
        [one] => one.clone(),
        [one, rest @ ..] => format!("{one} and {} more", rest.len()),
    }
}

fn late(answer: &Now, now: Timestamp) -> Markup {
    html! {
        @for open in &answer.late {
            div.pad {
                span.st { (Look::Late.icon()) a href=(links::want(&open.want.id)) { (title(&open.want.targets)) } }
                br; span.soft { "Was due " @if let Some(due) = &open.want.due_at { (ago(due, now)) } "; " (number(open.progress.left)) " left." }
            }
        }
    }
}

fn failed_heading(answer: &Now, seen: bool) -> Markup {
    let reasons = answer.failed.len() as u64;
    let much = match answer.failed_total {
        0 => String::new(),
        runs => format!("{}{}, {}", at_least(answer), many(runs, "run"), many(reasons, "reason")),
    };
    let name = if seen { "Failed since you last looked" } else { "Failed in the last 24 hours" };
    heading(name, &much, &[("All failed runs", links::runs().with("state", "failed"))])
}

fn failed(answer: &Now, seen: bool, may: May<'_>, now: Timestamp) -> Markup {
    if answer.failed.is_empty() {
        return html! { p.note { "Nothing has failed " (since_when(answer, seen, now)) "." } };
    }
    let columns = [
        column("Reason", ""),
        column("Job", "opt"),
        column("Runs", "num"),
        column("Newest", ""),
        column("When", "num opt"),
    ];
    let rows = html! { @for row in &answer.failed { (failed_row(row, now)) } };
    html! {
        (table(&columns, &rows))
        div.acts { (act(&Url::new("/seen"), may, "Mark as seen", false, &[])) span { "Later failures show here again." } }
    }
}

/// Failures of one job with one message.
pub(super) fn failed_row(row: &FailedRuns, now: Timestamp) -> Markup {
    html! {
        tr {
            td { span.st { (Look::Bad.icon()) a.err.clip href=(links::run(&row.run)) { (row.message) } } }
            td.opt { (job(&row.job)) }
            td.num { a href=(links::runs().with("job", &row.job).with("state", "failed")) { (number(row.runs)) } }
            td { (run(&row.run)) " " (partitions(&row.partition, if row.runs == 1 { row.partitions } else { 1 })) }
            td.num.opt { (ago(&row.at, now)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_leads_to_what_it_names() {
        let shown = because("the only place is taken by r12 (out/x, for w3); 2 are ready").into_string();
        assert!(shown.contains("by <a class=\"m\" href=\"/runs/r12\">r12</a> (out/x"), "{shown}");
        assert!(shown.contains("for <a class=\"m\" href=\"/wants/w3\">w3</a>);"), "{shown}");
        assert_eq!(without_count("pool db is full: r3; 2 partitions are ready"), "pool db is full: r3");
        assert_eq!(because("raw is <bad>").into_string(), "raw is &lt;bad&gt;");
        let shown = because("r12-3 succeeded, r1-x and ready did not").into_string();
        assert!(shown.starts_with("<a class=\"m\" href=\"/runs/r12?attempt=3\">r12-3</a>"), "{shown}");
        assert_eq!(shown.matches("<a").count(), 1, "{shown}");
    }
}
