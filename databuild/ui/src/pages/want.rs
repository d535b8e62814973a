//! One want: how far it is, what it waits for, what failed, and what can be done with it.

use super::now::{failed_row, progress_shares};
use crate::api::{Progress, WantDetail, WantHistory, WhyWork};
use crate::layout::{card, heading, Page, Place, Width};
use crate::links;
use crate::parts::bar::{bar, in_words, legend, Share};
use crate::parts::burnup::burn_up;
use crate::parts::form::May;
use crate::parts::reference::{because, digest, job, many, partitions};
use crate::parts::state::{said, Look};
use crate::parts::table::{column, table};
use crate::parts::time::{ago, between, length};
use databuild_core::amounts::number;
use jiff::Timestamp;
use maud::{html, Markup};

/// The page.
#[must_use]
pub fn page(detail: &WantDetail, why: &WhyWork, history: &WantHistory, may: May<'_>, now: Timestamp) -> Page {
    let row = &detail.want;
    let of = format!("want:{}", row.id);
    // Each end of a run may be progress, as long as the want is open.
    let of = if row.ended_at.is_none() { vec![of.as_str(), "runs"] } else { Vec::new() };
    let mut page = Page::new(row.id.clone(), Place::Wants, &of, lead(detail, why, history, may, now));
    page = page.part(card(
        "progress",
        Width::Wide,
        &of,
        &heading(
            if row.ended_at.is_none() { "How far it is" } else { "How it went" },
            "",
            &[("Timeline", links::timeline().with("want", &row.id))],
        ),
        &progress(detail, history, now),
    ));
    page = page.part(card(
        "facts",
        Width::Narrow,
        &of,
        &heading("What was asked for", "", &[]),
        &facts(detail, now),
    ));
    if !history.failures.is_empty() {
        let runs: u64 = history.failures.iter().map(|group| group.runs).sum();
        let much = format!("{}, {}", many(runs, "run"), many(history.failures.len() as u64, "reason"));
        let columns = [
            column("Reason", ""),
            column("Job", "opt"),
            column("Runs", "num"),
            column("Newest", ""),
            column("When", "num opt"),
        ];
        let rows = table(&columns, &html! { @for group in &history.failures { (failed_row(group, now)) } });
        page = page.part(card("failed", Width::Full, &of, &heading("Failed runs", &much, &[]), &rows));
    } else if !detail.causes.is_empty() {
        let causes = html! { @for cause in &detail.causes { p.note { (because(cause)) } } };
        page = page.part(card("failed", Width::Full, &of, &heading("First causes", "", &[]), &causes));
    }
    if let Some(progress) = detail.progress.as_ref().filter(|progress| !progress.jobs.is_empty()) {
        page = page.part(card(
            "jobs",
            Width::Full,
            &of,
            &heading("What is left", &many(progress.left, "partition"), &[]),
            &jobs(progress),
        ));
    }
    page.command(format!("want get {}", row.id)).command(format!("why {}", row.id))
}

fn lead(detail: &WantDetail, why: &WhyWork, history: &WantHistory, may: May<'_>, now: Timestamp) -> Markup {
    let row = &detail.want;
    let state = if row.paused { "paused" } else { row.state.as_str() };
    html! {
        h1 { (Look::of(state).icon()) " Want " span.m { (row.id) } " " (verb(state)) }
        p.say {
            @match &detail.progress {
                Some(progress) => {
                    b { (number(progress.done)) " of " (many(progress.total, "partition")) } " done"
                    @let not_done = progress.not_done().map(|(word, count)| Share { word, count });
                    @if not_done.iter().any(|share| share.count > 0) { ", " b { (in_words(&not_done)) } }
                    ". "
                    @match pace(detail, progress, history, now) {
                        Some(Pace::Left(left)) => { "About " b { (length(left)) } " to go at the pace so far. " },
                        Some(Pace::Stopped(quiet)) => { b { "Nothing was done for " (length(quiet)) } ", so nobody can tell how long it takes. " },
                        None => {},
                    }
                    @if row.ended_at.is_none() && !why.blocker.message.is_empty() { "Now: " (because(&why.blocker.message)) "." }
                },
                None => "It ended before the log said how many of its partitions were done. ",
            }
            @if let Some(ended) = &row.ended_at { "It ended " (ago(ended, now)) " after " (between(&row.created_at, ended)) "." }
            @if detail.left_out > 0 { " Edge rules leave out " (many(detail.left_out, "partition")) " of what it asks for." }
            @if row.late { " It is " b { "late" } @if let Some(due) = &row.due_at { ": it was due " (ago(due, now)) } "." }
        }
        @if row.ended_at.is_none() { (actions(detail, may)) }
    }
}

/// A state as what the want does, or what was done with it.
fn verb(state: &str) -> String {
    match state {
        "failed" | "expired" => state.to_owned(),
        "canceled" => "was canceled".to_owned(),
        other => format!("is {}", said(other)),
    }
}

/// Actions; each says what it would do before it does it.
fn actions(detail: &WantDetail, may: May<'_>) -> Markup {
    let row = &detail.want;
    let ask = |what: &str| links::want(&row.id).with("ask", what);
    html! {
        p {
            @if row.paused { (may.lead(&ask("resume"), "Resume", true)) } @else { (may.lead(&ask("pause"), "Pause", false)) }
            " "
            @if row.class == "backfill" { (may.lead(&ask("interactive"), "Put before backfills", false)) } @else { (may.lead(&ask("backfill"), "Make it a backfill", false)) }
            " "
            (may.lead(&ask("cancel"), "Cancel", false))
        }
    }
}

/// How a want gets on. Milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// So long, if it goes on as it did.
    Left(u64),
    /// Nothing was done for so long, which is much longer than one takes.
    Stopped(u64),
}

/// A pace is gone when nothing was done for three times as long as there was between two ends, and at least for so long.
const QUIET_MS: u64 = 15_000;

/// The pace since the want was created; none as long as nobody can tell.
fn pace(detail: &WantDetail, progress: &Progress, history: &WantHistory, now: Timestamp) -> Option<Pace> {
    let left = progress.left;
    if detail.want.paused || left == 0 || history.points.len() < 2 {
        return None;
    }
    let begin: Timestamp = detail.want.created_at.parse().ok()?;
    let last = history.points.last()?;
    let at: Timestamp = last.at.parse().ok()?;
    let done = last.done.checked_sub(progress.unchanged).filter(|done| *done > 0)?;
    let ms = |from: Timestamp, to: Timestamp| u64::try_from(to.duration_since(from).as_millis()).ok();
    let (took, quiet) = (ms(begin, at)?, ms(at, now).unwrap_or(0));
    let each = took / (done + last.failed).max(1);
    if quiet > QUIET_MS.max(each.saturating_mul(3)) {
        return Some(Pace::Stopped(quiet));
    }
    Some(Pace::Left((ms(begin, now)? as f64 / done as f64 * left as f64) as u64))
}

fn progress(detail: &WantDetail, history: &WantHistory, now: Timestamp) -> Markup {
    let row = &detail.want;
    let begin = row.created_at.parse::<Timestamp>().unwrap_or(now);
    let end = row.ended_at.as_deref().and_then(|at| at.parse().ok()).unwrap_or(now);
    let known = history.points.last().map_or(0, |last| last.done + last.failed);
    let total = detail.progress.as_ref().map_or(known, |progress| progress.total);
    html! {
        @if let Some(progress) = &detail.progress {
            @let shares = progress_shares(progress);
            div.pad { (bar(&shares, "")) (legend(&shares, |_| None)) }
        }
        @if history.points.is_empty() {
            p.note { @if row.ended_at.is_none() { "No run is over yet." } @else if total == 0 { "Nothing had to be done." } @else { "No run ended for it." } }
        } @else {
            div.pad { (burn_up(&history.points, total, begin, end)) }
            @if history.truncated { p.note.line { "It has done more than the figure shows: the beginning is left out." } }
        }
    }
}

fn facts(detail: &WantDetail, now: Timestamp) -> Markup {
    const MOST: usize = 20;
    let row = &detail.want;
    html! {
        dl.kv {
            dt { "targets" } dd { @for (at, target) in row.targets.iter().take(MOST).enumerate() { @if at > 0 { br; } (partitions(target, 2)) } @if row.targets.len() > MOST { br; "and " (row.targets.len() - MOST) " more" } }
            dt { "refreshes" } dd { (row.refresh) }
            dt { "class" } dd { (row.class) }
            dt { "asked by" } dd { (row.by) @if !row.source.is_empty() { " with " (row.source) } ", " (ago(&row.created_at, now)) }
            @if !row.comment.is_empty() { dt { "for" } dd { (row.comment) } }
            @if let Some(due) = &row.due_at { dt { "due" } dd { (ago(due, now)) } }
            @if let Some(plan) = &detail.plan { dt { "plan" } dd.m { a href=(links::plan(plan)) { (plan) } } }
            @for (name, value) in &detail.params { dt { (name) } dd.m { (value) } }
            dt { "keys as of" } dd { (ago(&detail.as_of, now)) }
            @if let Some(graph) = &detail.graph { dt { "graph" } dd { (digest(graph)) } }
            @if let Some(archive) = &detail.archive { dt { "archive" } dd.m { (archive) } }
        }
    }
}

fn jobs(progress: &Progress) -> Markup {
    let columns = [column("Job", ""), column("Partitions left", "num"), column("Under way", "num")];
    let rows = html! {
        @for row in &progress.jobs {
            tr { td { (job(&row.job)) } td.num { (number(row.remaining)) } td.num { @if row.running > 0 { a href=(links::runs().with("job", &row.job).with("state", "running")) { (number(row.running)) } } @else { "0" } } }
        }
    };
    table(&columns, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ProgressPoint;

    fn detail() -> WantDetail {
        let want = serde_json::json!({
            "id": "w1", "state": "open", "class": "interactive", "refresh": "stale", "targets": ["daily"],
            "comment": "", "source": "", "by": "ada", "created_at": "2026-11-30T10:00:00Z", "late": false, "paused": false,
            "as_of": "2026-11-30T10:00:00Z", "causes": [], "seq": 1,
        });
        serde_json::from_value(want).unwrap()
    }

    #[test]
    fn what_became_of_all_partitions_is_said_once_and_in_one_way() {
        let progress =
            Progress { total: 340, done: 300, failed: 3, skipped: 17, impossible: 2, ..Progress::default() };
        let progress = Progress { canceled: 4, left: 14, running: 5, ..progress };
        let sum: u64 = progress_shares(&progress).iter().map(|share| share.count).sum();
        assert_eq!(sum, progress.total);
        let now = "2026-11-30T11:00:00Z".parse().unwrap();
        let mut detail = WantDetail { progress: Some(progress), ..detail() };
        let why: WhyWork = serde_json::from_value(serde_json::json!({
            "id": "w1", "state": "open", "block_reason": null, "causes": [], "seq": 1,
            "kind": "ready", "message": "", "partition": null, "run": null, "since": null, "until": null, "holders": [], "because": null,
        }))
        .unwrap();
        let text = "300 of 340 partitions</b> done, <b>3 failed, 17 skipped, 4 canceled, 2 impossible</b>";
        let history = WantHistory::default();
        for ended in [None, Some("2026-11-30T10:30:00Z".to_owned())] {
            detail.want.ended_at = ended;
            let shown = page(&detail, &why, &history, May::Do(""), now)
                .whole(&crate::layout::Site::default())
                .into_string();
            assert!(shown.contains(text), "{shown}");
            for part in ["done 300", "running 5", "failed 3", "skipped 17", "impossible 2", "waiting 9"] {
                assert!(shown.contains(part), "{part} is not in {shown}");
            }
        }
    }

    #[test]
    fn an_estimate_goes_when_the_pace_does() {
        let progress = Progress { total: 20, done: 10, left: 10, ..Progress::default() };
        let point = |minute: u32, done| ProgressPoint {
            at: format!("2026-11-30T10:{minute:02}:00Z"),
            done,
            failed: 0,
        };
        let history = WantHistory { points: vec![point(5, 5), point(10, 10)], ..WantHistory::default() };
        let at = |minute: u32| {
            let now = format!("2026-11-30T10:{minute:02}:00Z").parse().unwrap();
            pace(&detail(), &progress, &history, now)
        };
        assert_eq!(at(10), Some(Pace::Left(600_000)));
        assert_eq!(at(12), Some(Pace::Left(720_000)), "one takes a minute");
        assert_eq!(at(14), Some(Pace::Stopped(240_000)));
    }
}
