//! What starts by itself: schedules, and one of them.

use crate::api::{FiredTick, Page as Rows, ScheduleDetail, ScheduleRow, SkippedTicks};
use crate::layout::{card, heading, Page, Place, Width};
use crate::links;
use crate::parts::form::May;
use crate::parts::reference::{because, breakable, many, want};
use crate::parts::state::{chip, labeled, Look};
use crate::parts::table::{column, paging, table};
use crate::parts::time::{ago, ago_if};
use databuild_core::amounts::{are, as_declared, number};
use databuild_core::text::shell_word;
use jiff::Timestamp;
use maud::{html, Markup};

/// All schedules of the graph.
#[must_use]
pub fn list(schedules: &Rows<ScheduleRow>, cursor: Option<&str>, now: Timestamp) -> Page {
    let of = ["schedules"];
    let rows = &schedules.data;
    let is_whole = cursor.is_none() && schedules.next.is_none();
    let much = if is_whole { number(rows.len() as u64) } else { String::new() };
    let content = html! {
        @if rows.is_empty() { p.note { "The graph has no schedule. Declare one with " code { "databuild_schedule" } ", and list it in " code { "schedules" } " of the graph." } }
        @else { (lines(rows, now)) (paging(&links::automation(), cursor.is_none(), schedules.next.as_deref())) }
    };
    Page::new("Automation", Place::Automation, &of, lead(rows, is_whole, now))
        .part(card(
            "schedules",
            Width::Full,
            &of,
            &heading("Schedules", &much, &[("Their wants", links::wants().with("source", "schedule"))]),
            &content,
        ))
        .command("schedules")
}

fn lead(rows: &[ScheduleRow], is_whole: bool, now: Timestamp) -> Markup {
    let next = rows
        .iter()
        .filter_map(|row| Some((row.next_due.as_deref()?, row)))
        .min_by_key(|(at, _)| at.parse::<Timestamp>().ok());
    let paused = rows.iter().filter(|row| row.state == "paused").count() as u64;
    html! {
        h1 { "Automation" }
        p.say {
            @match next {
                Some((at, row)) => { @if is_whole { "Next, " } @else { "Of these, " } b { (row.name) } " fires " b { (ago(at, now)) } ". " }
                None if rows.is_empty() => "Nothing starts by itself.",
                None => "None of these fires any more. ",
            }
            @if paused > 0 { b { (number(paused)) " " (are(paused)) " paused" } "." }
        }
    }
}

fn lines(rows: &[ScheduleRow], now: Timestamp) -> Markup {
    let columns = [
        column("Schedule", ""),
        column("State", "fit"),
        column("Next", "fit"),
        column("When", "opt"),
        column("Wants", "opt"),
        column("Last want", "fit"),
        column("Skipped last", "opt"),
    ];
    let lines = html! {
        @for row in rows {
            tr {
                td { a href=(links::schedule(&row.name)) { (breakable(&row.name)) } }
                td.fit { (chip(&row.state)) }
                td.fit { (ago_if(row.next_due.as_deref(), now)) }
                td.opt { (row.when) }
                td.m.opt { (row.targets.join(", ")) }
                td.fit { @if let Some(fired) = &row.last_fired { (want(&fired.want)) } }
                td.opt { @if let Some(skipped) = &row.last_skipped { (because(&skips(skipped))) } }
            }
        }
    };
    table(&columns, &lines)
}

/// A schedule.
#[must_use]
pub fn schedule(one: &ScheduleDetail, may: May<'_>, now: Timestamp) -> Page {
    let row = &one.row;
    let of = ["schedules"];
    let ask = |what: &str| links::schedule(&row.name).with("ask", what);
    let lead = html! {
        h1 { (breakable(&row.name)) " " (chip(&row.state)) }
        p.say {
            "Wants " b.m { (row.targets.join(", ")) } ": " (row.when) ". "
            @match (&row.next_due, &row.paused_at) {
                (Some(at), _) => { "Fires " b { (ago(at, now)) } "." }
                (None, Some(at)) => { "Paused " b { (ago(at, now)) } ": no tick is fired until somebody resumes it." }
                (None, None) => "It has no tick any more.",
            }
        }
        p {
            @if row.paused_at.is_some() { (may.lead(&ask("resume"), "Resume", true)) } @else { (may.lead(&ask("pause"), "Pause", false)) }
            " " (may.lead(&ask("run"), "Fire now", false))
        }
    };
    let command = format!("schedules show {}", shell_word(&row.name));
    Page::new(row.name.clone(), Place::Automation, &of, lead)
        .part(card(
            "ticks",
            Width::Half,
            &of,
            &heading(
                if row.paused_at.is_some() { "Next ticks, if it were resumed" } else { "Next ticks" },
                "",
                &[],
            ),
            &ticks(&one.ticks, now),
        ))
        .part(card("declared", Width::Half, &of, &heading("How it is declared", "", &[]), &declared(row)))
        .part(card(
            "last",
            Width::Full,
            &of,
            &heading(
                "What it did last",
                &format!("fired {}", many(row.fired, "tick")),
                &[
                    ("Its wants", links::wants().with("source", "schedule")),
                    ("Its events", links::events().with("kind", "schedule_fired")),
                ],
            ),
            &last(row, now),
        ))
        .command(command)
}

fn ticks(ticks: &[String], now: Timestamp) -> Markup {
    html! {
        @if ticks.is_empty() { p.note { "There is none." } }
        @else { (table(&[column("Tick", ""), column("When", "fit")], &html! { @for tick in ticks { tr { td.m { (tick) } td.fit { (ago(tick, now)) } } } })) }
    }
}

fn declared(row: &ScheduleRow) -> Markup {
    let within = as_declared(row.missed_within_seconds.saturating_mul(1000));
    html! {
        dl.kv {
            dt { "target" } dd.m { (breakable(&row.label)) }
            dt { "when" } dd { (row.when) }
            dt { "class of wants" } dd { (row.want_class) }
            dt { "ticks that are missed" } dd {
                @match row.missed.as_str() {
                    "none" => "stay missed",
                    "last" => { "the last one is made up for, if it is at most " (within) " ago" }
                    _ => { "are made up for, if they are at most " (within) " ago" }
                }
            }
            @if row.jitter_seconds > 0 { dt { "jitter" } dd { "up to " (as_declared(row.jitter_seconds.saturating_mul(1000))) } }
            @if let Some(times) = row.times { dt { "ends after" } dd { (many(times, "tick")) } }
        }
    }
}

fn last(row: &ScheduleRow, now: Timestamp) -> Markup {
    html! {
        dl.kv {
            dt { "fired" } dd { @match &row.last_fired {
                Some(FiredTick { tick: Some(tick), want: id }) => { "the tick of " (ago(tick, now)) ", which made " (want(id)) }
                Some(FiredTick { tick: None, want: id }) => { "by hand, which made " (want(id)) }
                None => "nothing yet",
            } }
            dt { "skipped" } dd { @match &row.last_skipped {
                Some(skipped) => { (labeled(Look::Out, &skipped.reason)) " " (skips(skipped)) }
                None => "nothing yet",
            } }
        }
    }
}

/// Ticks that were skipped, and why.
fn skips(skipped: &SkippedTicks) -> String {
    let ticks = match skipped.count {
        1 => format!("the tick of {}", skipped.first),
        count => format!("{} from {} to {}", many(count, "tick"), skipped.first, skipped.last),
    };
    match skipped.message.as_str() {
        "" => format!("{ticks}. {}", skipped.meaning),
        message => format!("{ticks}. {} {message}", skipped.meaning),
    }
}
