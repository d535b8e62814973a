//! One run: how its attempts went, what they printed, and what they ran with.

use super::dataset::checks;
use crate::api::{AttemptRow, LogLine, Page as Rows, RunDetail, WhyWork};
use crate::layout::{card, heading, Page, Part, Place, Width};
use crate::links::{self, Url};
use crate::parts::attempts::waterfall;
use crate::parts::form::May;
use crate::parts::log::lines;
use crate::parts::reference::{because, digest, job, many, partitions};
use crate::parts::state::{chip, said, Look};
use crate::parts::table::{column, table};
use crate::parts::time::{ago, between, length, milliseconds};
use databuild_core::amounts::{bytes, number};
use databuild_core::text::shell_word;
use jiff::Timestamp;
use maud::{html, Markup};

/// What the page shows.
#[derive(Debug)]
pub struct Run<'a> {
    /// The run.
    pub detail: &'a RunDetail,
    /// What it waits for, or how it ended.
    pub why: &'a WhyWork,
    /// What the chosen attempt printed.
    pub log: Log,
    /// The address, with all that was chosen.
    pub url: Url,
    /// Whether who looks may cancel it.
    pub may: May<'a>,
    /// Whether who looks may compare it with what its job would do now.
    pub compares: bool,
}

/// A part of a log, as the page shows it.
#[derive(Debug, Default)]
pub struct Log {
    /// Of this attempt.
    pub attempt: u32,
    /// Lines.
    pub lines: Vec<LogLine>,
    /// They are not the first ones: where the log begins is another page.
    pub later: bool,
    /// Where the lines after these begin; none if these are the last, and nothing follows.
    pub next: Option<String>,
    /// More may come.
    pub live: bool,
    /// What was searched for.
    pub search: String,
    /// How many lines have it, as far as was searched.
    pub hits: u64,
    /// The time of the search was over: what follows is at `next`.
    pub incomplete: bool,
    /// Why there is no log to show.
    pub absent: Option<String>,
}

/// The page.
#[must_use]
pub fn page(shown: &Run<'_>, now: Timestamp) -> Page {
    let Run { detail, log, .. } = shown;
    let id = &detail.run.id;
    let of = format!("run:{id}");
    let of = [of.as_str()];
    let mut page = Page::new(id.clone(), Place::Runs, &of, lead(shown, now));
    let so_far = if is_over(detail) { "" } else { " so far" };
    let much = format!("{}{so_far}", detail.attempts.len());
    page = page.part(card(
        "attempts",
        Width::Wide,
        &of,
        &heading("Attempts", &much, &[]),
        &attempts(shown, now),
    ));
    page = page.part(card("facts", Width::Narrow, &of, &heading("Made with", "", &[]), &facts(shown, now)));
    page = page.part(log_part(shown));
    if let Some(row) = shown_attempt(shown).filter(|row| row.output.is_some()) {
        page = page.part(output(row));
    }
    if !detail.checks.is_empty() {
        let rows = Rows { data: detail.checks.clone(), next: None, seq: detail.seq };
        let much = many(detail.checks.len() as u64, "result");
        page =
            page.part(card("checks", Width::Full, &of, &heading("Checks", &much, &[]), &checks(&rows, now)));
    }
    if log.live && log.search.is_empty() {
        page.stream = vec![
            ("log".to_owned(), format!("{id}-{}", log.attempt)),
            ("from".to_owned(), log.next.clone().unwrap_or_default()),
        ];
    }
    let page = page.command(format!("logs {id}"));
    if detail.run.partitions == 1 {
        page.command(format!("why {}", shell_word(&detail.run.partition)))
    } else {
        page
    }
}

fn is_over(detail: &RunDetail) -> bool {
    detail.run.ended_at.is_some()
}

fn lead(shown: &Run<'_>, now: Timestamp) -> Markup {
    let row = &shown.detail.run;
    let how = match row.state.as_str() {
        "completed" | "failed" => said(&row.state),
        "canceled" => "was canceled".to_owned(),
        "running" => "is running".to_owned(),
        other => format!("is {}", said(other)),
    };
    html! {
        h1 { (Look::of(&row.state).icon()) " Run " span.m { (row.id) } " " (how) }
        p.say {
            @if !row.message.is_empty() { b { (row.message) } " \u{2014} " }
            (job(&row.job)) " for " (partitions(&row.partition, row.partitions))
            @if row.partitions > 1 { " (" (many(row.partitions, "partition")) ")" }
            ". " (began(shown.detail, now))
            @if let Some(ended) = &row.ended_at { ", took " (between(&row.created_at, ended)) @if shown.detail.attempts.len() > 1 { " with all attempts" } }
            ". "
            @if !is_over(shown.detail) && shown.why.blocker.kind != "running" { "Now: " (because(&shown.why.blocker.message)) "." }
            @if let Some(trial) = &row.trial { " It is part of trial " (trial) ", so it publishes nothing." }
        }
        @if !is_over(shown.detail) {
            p { (shown.may.lead(&links::run(&row.id).with("ask", "cancel"), "Cancel this run", false)) }
        }
    }
}

/// When its first process began; as long as none did, when it was handed out.
fn began(detail: &RunDetail, now: Timestamp) -> Markup {
    match detail.attempts.iter().find_map(|attempt| attempt.started_at.as_ref()) {
        Some(at) => html! { "Began " (ago(at, now)) },
        None => html! { "Handed out " (ago(&detail.run.created_at, now)) },
    }
}

fn attempts(shown: &Run<'_>, now: Timestamp) -> Markup {
    let columns = [
        column("Attempt", "fit"),
        column("Outcome", ""),
        column("Exit code", "num opt"),
        column("Ran", "num"),
        column("CPU", "num opt"),
        column("Memory", "num opt"),
        column("When", "num opt"),
    ];
    let all = &shown.detail.attempts;
    html! {
        div.pad { (waterfall(all, now)) }
        (table(&columns, &html! { @for row in all.iter().rev() { (attempt(shown, row, now)) } }))
    }
}

fn attempt(shown: &Run<'_>, row: &AttemptRow, now: Timestamp) -> Markup {
    let wall = row.wall_ms.or_else(|| {
        row.started_at
            .as_deref()
            .filter(|_| row.ended_at.is_none())
            .and_then(|started| milliseconds(started, now))
    });
    html! {
        tr {
            td.fit { a href={ (shown.url.clone().without("search").without("from").with("attempt", row.number)) "#log" } aria-current=[(row.number == shown.log.attempt).then_some("true")] { (row.number) @if row.number == shown.log.attempt { " " span.soft { "(log below)" } } } }
            td { (chip(row.outcome.as_deref().unwrap_or(&row.state))) @if !row.message.is_empty() { br; span.err.soft.clip { (row.message) } } }
            td.num.opt { @if let Some(code) = row.exit_code { (code) } }
            td.num { @if let Some(wall) = wall { (length(wall)) } }
            td.num.opt { @if row.ended_at.is_some() && row.wall_ms.is_some() { (length(row.cpu_ms)) } }
            td.num.opt { @if row.max_rss_kb > 0 { (bytes(row.max_rss_kb * 1024)) } }
            td.num.opt { (ago(&row.leased_at, now)) }
        }
    }
}

/// The attempt whose log is shown.
fn shown_attempt<'a>(shown: &Run<'a>) -> Option<&'a AttemptRow> {
    shown.detail.attempts.iter().find(|row| row.number == shown.log.attempt)
}

/// What the job returned in an attempt.
fn output(row: &AttemptRow) -> Part {
    let text = row.output.as_deref().unwrap_or_default();
    let much = format!(
        "attempt {}{}",
        row.number,
        if row.output_base64 { ", base64 of bytes that are no text" } else { "" }
    );
    let content = html! { pre.pad tabindex="0" aria-label="What the job returned" { (text) } };
    card("output", Width::Full, &[], &heading("Returned", &much, &[]), &content)
}

fn facts(shown: &Run<'_>, now: Timestamp) -> Markup {
    let Run { detail, compares, .. } = shown;
    html! {
        dl.kv {
            dt { "job" } dd { (job(&detail.run.job)) }
            dt { "graph" } dd { (digest(&detail.graph)) }
            @for (name, value) in &detail.params { dt { (name) } dd.m { (value) } }
            @if let Some(ended) = &detail.run.ended_at { dt { "ended" } dd { (ago(ended, now)) } }
            @if let Some(archive) = &detail.archive { dt { "archive" } dd.m { (archive) } }
        }
        p.note.line { "All runs of " a href=(links::runs().with("job", &detail.run.job)) { "this job" } " and of " a href=(links::runs().with("partition", &detail.run.partition)) { @if detail.run.partitions == 1 { "this partition" } @else { "these partitions" } } ". " @if *compares { a href=(links::compare().with("a", &detail.run.id)) { "Compare it" } " with what its job would do now, or " a href=(links::events().with("run", &detail.run.id)) { "see its events" } "." } @else { a href=(links::events().with("run", &detail.run.id)) { "See its events" } "." } }
    }
}

fn log_part(shown: &Run<'_>) -> Part {
    let log = &shown.log;
    let mut more: Vec<(&str, Url)> = Vec::new();
    let url = || shown.url.clone().without("search");
    let searching = !log.search.is_empty();
    if log.later {
        let begin = if searching { shown.url.clone().without("from") } else { url().with("from", "0-0") };
        more.push(("From the beginning", begin));
    }
    if log.next.is_some() && !log.live && !searching {
        more.push(("To the end", url().without("from")));
    }
    let following = log.live && !searching;
    let content = html! {
        form.filter.pad action={ (shown.url.path()) } method="get" aria-label="Search this log" data-filter {
            input type="hidden" name="attempt" value=(log.attempt);
            label.wide { "Search this log" input type="search" name="search" value=(log.search) autocomplete="off" spellcheck="false" aria-keyshortcuts="f"; }
            button { "Search" }
            @if searching { a.btn href=(url()) { "Show all lines" } }
        }
        @if let Some(absent) = &log.absent {
            p.note.line { (absent) }
        } @else if log.lines.is_empty() && !following {
            p.note.line { @if !searching { "It printed nothing." } @else if log.incomplete { "No line has that in the part that was searched." } @else { "No line has that." } }
        } @else {
            // Search and pages begin at the top, all else at the end.
            @let end = !searching && (log.next.is_none() || following);
            div.log tabindex="0" role="log" aria-label={ "What attempt " (log.attempt) " printed" } data-log[following] data-end[end] { ol { (lines(&log.lines, &log.search)) } }
        }
        @if let Some(next) = log.next.as_ref().filter(|_| !log.live || searching) {
            div.paging {
                @if searching { a href={ (shown.url.clone().with("from", next)) "#log" } { @if log.incomplete { "Search on" } @else { "Later lines with it" } } }
                @else { a href={ (url().with("from", next)) "#log" } { "Later lines" } }
            }
        }
    };
    let heading = heading("Log", &much(log), &more);
    card("log", Width::Full, &[], &heading, &content)
}

/// How much of the log is shown, or of what was searched for.
fn much(log: &Log) -> String {
    match (&*log.search, log.lines.len() as u64) {
        ("", 0) => format!("attempt {}", log.attempt),
        ("", shown) => format!(
            "attempt {}, {}{}",
            log.attempt,
            if log.later { "the last " } else { "" },
            many(shown, "line")
        ),
        (search, shown) => format!(
            "{} with \u{201c}{search}\u{201d}{}{}",
            many(log.hits, "line"),
            if log.incomplete { " in the part that was searched" } else { "" },
            if log.hits > shown { format!(", the first {} shown", number(shown)) } else { String::new() }
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_says_how_much_it_found_and_whether_that_is_all() {
        let log = |hits: u64, incomplete: bool| Log {
            attempt: 2,
            search: "x".to_owned(),
            hits,
            incomplete,
            ..Log::default()
        };
        assert_eq!(much(&Log { attempt: 2, ..Log::default() }), "attempt 2");
        assert_eq!(much(&log(0, false)), "0 lines with \u{201c}x\u{201d}");
        assert_eq!(much(&log(1_900, false)), "1,900 lines with \u{201c}x\u{201d}, the first 0 shown");
        assert_eq!(much(&log(0, true)), "0 lines with \u{201c}x\u{201d} in the part that was searched");
    }
}
