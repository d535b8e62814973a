//! What runs, what begins next and why, what waits for what, and who has the places and pools.

use super::now::{on_places, running, waiting, without_count};
use crate::api::{MachineRow, NextRun, NextWork, PoolRow, Queue, Turn};
use crate::layout::{card, heading, Page, Place, Width};
use crate::links;
use crate::parts::bar::meter;
use crate::parts::reference::{because, job, many, partitions, run, want};
use crate::parts::state::{labeled, Look};
use crate::parts::table::{column, table};
use databuild_core::amounts::{are, bytes, number, plural};
use databuild_core::text::shell_word;
use jiff::Timestamp;
use maud::{html, Markup};

/// Holders of a pool that are named.
const HOLDERS: usize = 5;

/// The page.
#[must_use]
pub fn page(queue: &Queue, now: Timestamp) -> Page {
    let of = ["runs", "wants", "pools"];
    let next = many(queue.next_total, "partition");
    let page = Page::new("Queue", Place::Queue, &of, lead(queue))
        .part(card(
            "next",
            Width::Wide,
            &of,
            &heading("Begins next", &next, &[]),
            &html! { (next_list(&queue.next)) (rule(queue)) },
        ))
        .part(card("pools", Width::Narrow, &of, &heading("Places and pools", "", &[]), &shared(queue)))
        .part(card(
            "running",
            Width::Full,
            &["runs"],
            &heading(
                "Running",
                &on_places(queue.running_total, &queue.machine),
                &[("All runs", links::runs())],
            ),
            &running(&queue.running, queue.running_total, now),
        ))
        .part(card(
            "waiting",
            Width::Full,
            &of,
            &heading("Waiting, and for what", &many(queue.waiting_total, "partition"), &[]),
            &waiting(&queue.waiting),
        ))
        .command("pools");
    match queue.pools.iter().find(|pool| !pool.too_small_for.is_empty() || pool.used >= pool.slots) {
        Some(pool) => page.command(format!("pools set {} {}", shell_word(&pool.name), pool.slots + 1)),
        None => page,
    }
}

fn lead(queue: &Queue) -> Markup {
    let others = queue.waiting_total.saturating_sub(queue.next_total);
    html! {
        h1 { "Queue" }
        p.say {
            @if queue.running_total + queue.waiting_total == 0 {
                "Nothing is running, and nothing waits."
            } @else {
                b { (on_places(queue.running_total, &queue.machine)) } ". "
                @if queue.next_total > 0 {
                    b { (many(queue.next_total, "partition")) } " could begin and " (plural(queue.next_total, "waits", "wait")) " for room. "
                } @else {
                    "Nothing could begin now. "
                }
                @if others > 0 { (number(others)) " " @if queue.next_total > 0 { "more " } (plural(others, "waits", "wait")) " for something else." }
            }
        }
    }
}

fn next_list(rows: &[NextWork]) -> Markup {
    if rows.is_empty() {
        return html! { p.note { "Nothing is ready to begin." } };
    }
    let columns = [
        column("#", "num opt"),
        column("What", ""),
        column("Partitions", "num"),
        column("Why here", ""),
        column("Lacks", "opt"),
    ];
    table(&columns, &html! { @for (at, row) in rows.iter().enumerate() { (next_row(at + 1, row)) } })
}

fn next_row(at: usize, row: &NextWork) -> Markup {
    let named: u64 = row.first.iter().map(|run| run.partitions).sum();
    let more = row.partitions.saturating_sub(named);
    html! {
        tr {
            td.num.opt.soft { (number(at as u64)) }
            td {
                @for (at, first) in row.first.iter().enumerate() { div.opt[at > 0] { (first_run(first)) } }
                div.soft { @if more > 0 { "and " (number(more)) " more " } span.opt { @if more > 0 { "of " } (job(&row.job)) } }
            }
            td.num { (number(row.partitions)) }
            td title=(row.reason) { (turn(row)) }
            td.why.opt title=(row.blocker.message) { (because(lacks(row))) }
        }
    }
}

/// What it lacks, in short: the rest stands with all that waits.
fn lacks(row: &NextWork) -> &str {
    match row.blocker.kind.as_str() {
        "ready" => "nothing",
        "slots" => "a free place",
        _ => {
            let message = without_count(&row.blocker.message);
            message.split_once("; ").map_or(message, |(first, _)| first)
        }
    }
}

fn first_run(first: &NextRun) -> Markup {
    html! { @if let Some(id) = &first.run { (run(id)) " " } (partitions(&first.partition, first.partitions)) }
}

fn turn(row: &NextWork) -> Markup {
    let by = |text: &str| {
        html! { @if let Some(id) = &row.want { (want(id)) " " } span.soft { (text) } }
    };
    match row.turn {
        Turn::HandedOut => labeled(Look::Waiting, "handed out"),
        Turn::Retry => labeled(Look::Retry, "due again"),
        Turn::Interactive => by("by age"),
        Turn::Trial => html! { span.soft { "a trial" } },
        Turn::Backfill => by("backfill, newest first"),
    }
}

/// How the order comes about.
fn rule(queue: &Queue) -> Markup {
    let shown: u64 = queue.next.iter().map(|row| row.partitions).sum();
    let more = queue.next_total.saturating_sub(shown);
    html! {
        p.note.line {
            @if more > 0 { b { (many(more, "partition")) " more " (are(more)) " ready after these. " } }
            "What is handed out begins first, then what is due again, then wants by age and of each what is furthest downstream, \
             then trials, then backfills. Whatever fits begins; what does not is passed over, and what it lacks is kept for it."
        }
    }
}

fn shared(queue: &Queue) -> Markup {
    html! {
        @for row in &queue.machine { (machine(row)) }
        @for row in &queue.pools { (pool(row)) }
        @if queue.pools.is_empty() { p.note.line { "The graph declares no pool." } }
    }
}

fn machine(row: &MachineRow) -> Markup {
    let amount = |much: u64| if row.name == "memory" { bytes(much) } else { number(much) };
    html! {
        div.pad {
            div.much { b { (if row.name == "places" { "Places" } else { "Memory" }) } span.soft { (amount(row.used)) " of " (amount(row.size)) } }
            (meter(row.used, row.size, &format!("{} of {} in use", amount(row.used), amount(row.size))))
            @if row.queued > 0 { span.soft { (many(row.queued, "attempt")) " handed out ahead" } }
        }
    }
}

fn pool(row: &PoolRow) -> Markup {
    let more = row.holders.len().saturating_sub(HOLDERS);
    html! {
        div.pad.line {
            div.much { b title=(row.label) { (row.name) } span.soft { (number(row.used)) " of " (number(row.slots)) @if row.slots != u64::from(row.declared) { ", declared " (row.declared) } } }
            (meter(row.used, row.slots, &format!("{} of {} in use", row.used, row.slots)))
            p.soft.small {
                @if row.holders.is_empty() { "Nobody has any of it." } @else {
                    "Held by " @for (at, holder) in row.holders.iter().take(HOLDERS).enumerate() { @if at > 0 { ", " } span title=(holder.partition) { (run(&holder.run)) } @if holder.slots > 1 { " (" (holder.slots) ")" } }
                    @if more > 0 { " and " (more) " more" } "."
                }
                @if row.waiting > 0 { " " b { (many(row.waiting, "partition")) } " ready and not begun." }
            }
            @if !row.too_small_for.is_empty() {
                p.small { (labeled(Look::Bad, "too small")) " for " @for (at, label) in row.too_small_for.iter().enumerate() { @if at > 0 { ", " } (job(label)) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Blocker, PoolHolder};

    fn queue() -> Queue {
        let first = |run: Option<&str>, partition: &str| NextRun {
            run: run.map(str::to_owned),
            partition: partition.to_owned(),
            partitions: 1,
        };
        let work = |turn, want: Option<&str>, first: NextRun, partitions, kind: &str| NextWork {
            turn,
            reason: "because of it".to_owned(),
            want: want.map(str::to_owned),
            job: "//:make".to_owned(),
            dataset: "daily".to_owned(),
            partitions,
            first: vec![first],
            blocker: Blocker {
                kind: kind.to_owned(),
                message: "pool db is full: r7 (2); 9 partitions are ready".to_owned(),
                ..Blocker::default()
            },
        };
        Queue {
            next: vec![
                work(Turn::HandedOut, Some("w3"), first(Some("r9"), "daily/date=2024-01-01"), 1, "slots"),
                work(Turn::Backfill, Some("w1"), first(None, "daily/date=2024-01-09"), 1_204, "pool"),
            ],
            next_total: 1_300,
            waiting_total: 1_400,
            machine: vec![MachineRow { name: "places".to_owned(), size: 2, used: 2, queued: 1 }],
            pools: vec![PoolRow {
                name: "db".to_owned(),
                label: "//:db".to_owned(),
                slots: 2,
                declared: 4,
                used: 2,
                holders: vec![PoolHolder { run: "r7".to_owned(), partition: "x".to_owned(), slots: 2 }],
                waiting: 9,
                too_small_for: vec!["//:big".to_owned()],
            }],
            running_total: 2,
            ..Queue::default()
        }
    }

    #[test]
    fn the_order_its_reasons_and_pools_are_said_and_lead_on() {
        let page = page(&queue(), Timestamp::UNIX_EPOCH);
        let shown = page.some(&["lead", "next", "pools"], &crate::layout::Site::default()).into_string();
        for part in [
            "2 runs on 2 of 2 places",
            "<b>1,300 partitions</b> could begin and wait for room. 100 more wait for something else.",
            "handed out",
            "/runs/r9",
            "backfill, newest first",
            "and 1,203 more <span class=\"opt\">of <a",
            "pool db is full: <a class=\"m\" href=\"/runs/r7\">r7</a> (2)</td>",
            ">a free place</td>",
            "<b>95 partitions more are ready after these. </b>",
            "2 of 2, declared 4",
            "<b>9 partitions</b> ready and not begun.",
            "too small",
            "/runs?job=//:big",
        ] {
            assert!(shown.contains(part), "{part} is not in {shown}");
        }
        assert_eq!(page.commands, ["pools", "pools set db 3"]);
        assert!(page.parts.iter().all(|part| !part.of.is_empty()), "all of it is live");
    }

    #[test]
    fn nothing_to_do_is_said_in_a_sentence() {
        let page = page(&Queue::default(), Timestamp::UNIX_EPOCH);
        let shown = page.some(&["lead", "next"], &crate::layout::Site::default()).into_string();
        assert!(
            shown.contains("Nothing is running, and nothing waits.")
                && shown.contains("Nothing is ready to begin.")
        );
    }
}
