//! When attempts waited, were on their way, and ran.

use crate::api::{AttemptTimes, Timeline, TimelineFold, TimelineQuery, TimelineRun};
use crate::layout::{card, heading, Page, Place, Width};
use crate::links::{self, Url};
use crate::parts::form::{filter, text};
use crate::parts::reference::{job, many, partitions};
use crate::parts::state::chip;
use crate::parts::table::{column, table};
use crate::parts::time::{ago, length};
use crate::parts::timeline::{figure, phases};
use databuild_core::amounts::number;
use databuild_core::text::shell_word;
use jiff::{SignedDuration, Timestamp};
use maud::{html, Markup};

/// The address of a timeline.
#[must_use]
pub fn url(query: &TimelineQuery) -> Url {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    links::timeline()
        .with("want", text(&query.want))
        .with("job", text(&query.job))
        .with("from", text(&query.from))
        .with("until", text(&query.until))
        .with("before", text(&query.before))
}

/// The page.
#[must_use]
pub fn page(timeline: &Timeline, query: &TimelineQuery, now: Timestamp) -> Page {
    // What is over does not move.
    let of: &[&str] = if query.until.is_none() && query.before.is_none() { &["runs"] } else { &[] };
    let much = many(timeline.total, "run");
    let figure_card = html! {
        @if timeline.total == 0 {
            p.note { "No run was under way then." }
        } @else {
            (figure(timeline, &url(query), now))
        }
        (further(timeline, query))
    };
    let rows =
        if timeline.folds.is_empty() { runs(&timeline.runs, now) } else { folds(&timeline.folds, query) };
    let command = match (&query.want, &query.job) {
        (Some(want), _) => format!("want get {}", shell_word(want)),
        (None, Some(job)) => format!("runs --job {}", shell_word(job)),
        (None, None) => "runs".to_owned(),
    };
    Page::new("Timeline", Place::Timeline, of, lead(timeline, query, now))
        .part(card("figure", Width::Full, of, &heading("Timeline", &much, &[]), &figure_card))
        .part(card("table", Width::Full, of, &heading("As a table", "", &[]), &rows))
        .command(command)
}

fn lead(timeline: &Timeline, query: &TimelineQuery, now: Timestamp) -> Markup {
    let busy: u64 = timeline.axis.iter().filter(|piece| !piece.idle).map(took).sum();
    let idle: u64 = timeline.axis.iter().filter(|piece| piece.idle).map(took).sum();
    html! {
        h1 { "Timeline" }
        p.say {
            @if timeline.total == 0 {
                "Nothing was under way in this time."
            } @else {
                b { (many(timeline.total, "run")) } " within " b { (length(busy + idle)) }
                @if idle > 0 { "; for " (length(idle)) " of that, none of them was under way" }
                ". "
                @if !timeline.folds.is_empty() { "That is too many to show one by one: a part of the figure leads closer." }
            }
        }
        (fields(query, now))
    }
}

fn took(piece: &crate::api::TimelinePiece) -> u64 {
    let at = |text: &str| text.parse::<Timestamp>().ok();
    let took =
        at(&piece.from).zip(at(&piece.until)).map(|(from, until)| until.duration_since(from).as_millis());
    took.and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0)
}

fn fields(query: &TimelineQuery, now: Timestamp) -> Markup {
    let value = |of: &Option<String>| of.clone().unwrap_or_default();
    let base = url(query).without("before").without("from").without("until");
    let since = |hours: i64| {
        let from = now - SignedDuration::from_hours(hours);
        // To the minute, so that the address stays while the page is open.
        base.clone().with("from", from.strftime("%Y-%m-%dT%H:%M:00Z"))
    };
    html! {
        (filter(
            &links::timeline(),
            &html! {
                (text("For a want", "want", &value(&query.want), "w12"))
                (text("Job", "job", &value(&query.job), "//package:job"))
                (text("From", "from", &value(&query.from), "2026-01-31T08:00:00Z"))
                (text("Until", "until", &value(&query.until), "2026-01-31T09:00:00Z"))
            },
        ))
        p.spans { "Show " a href=(base) { "the newest" } ", " a href=(since(1)) { "the last hour" } ", " a href=(since(24)) { "the last day" } ", " a href=(since(24 * 7)) { "the last week" } "." }
    }
}

/// Where older runs are.
fn further(timeline: &Timeline, query: &TimelineQuery) -> Markup {
    html! {
        @if query.before.is_some() || timeline.older.is_some() {
            div.paging {
                @if query.before.is_some() { a href=(url(query).without("before")) rel="first" { "The newest" } }
                @if let Some(older) = &timeline.older { a href=(url(query).with("before", older)) rel="next" { "Older runs" } }
            }
        }
    }
}

fn runs(rows: &[TimelineRun], now: Timestamp) -> Markup {
    if rows.is_empty() {
        return html! { p.note { "No run." } };
    }
    let columns = [
        column("Attempt", "fit"),
        column("Partition", ""),
        column("Job", "opt"),
        column("Handed out", "num opt"),
        column("Waited", "num"),
        column("On its way", "num opt"),
        column("Ran", "num"),
        column("Outcome", "fit"),
    ];
    let all = rows.iter().flat_map(|row| row.attempts.iter().map(move |attempt| (row, attempt)));
    table(&columns, &html! { @for (row, attempt) in all { (attempt_row(row, attempt, now)) } })
}

fn attempt_row(row: &TimelineRun, attempt: &AttemptTimes, now: Timestamp) -> Markup {
    let phases = phases(attempt, now);
    let said = |ms: Option<f64>| ms.map_or_else(String::new, |ms| length(ms as u64));
    html! {
        tr {
            td.fit { a.m href=(links::run(&row.run).with("attempt", attempt.number)) { (row.run) "-" (attempt.number) } }
            td { (partitions(&row.partition, row.partitions)) }
            td.opt { (job(&row.job)) }
            td.num.opt { (ago(&attempt.leased_at, now)) }
            td.num { (said(phases.and_then(|phases| phases.waited))) }
            td.num.opt { (said(phases.map(|phases| phases.dispatch))) }
            td.num { (said(phases.and_then(|phases| phases.ran))) }
            td.fit { (chip(attempt.outcome.as_deref().unwrap_or(if attempt.started_at.is_some() { "running" } else { "leased" }))) }
        }
    }
}

fn folds(rows: &[TimelineFold], query: &TimelineQuery) -> Markup {
    let columns = [
        column("Job", ""),
        column("Runs", "num"),
        column("On their way", "num opt"),
        column("Ran", "num"),
        column("Failed attempts", "num"),
    ];
    let listed = html! {
        @for row in rows {
            @let sum = |of: fn(&crate::api::TimelineBin) -> u64| row.bins.iter().map(of).sum::<u64>();
            tr {
                td { @if row.job.is_empty() { "all other jobs" } @else { a.m href=(url(query).with("job", &row.job)) { (row.job) } } }
                td.num { (number(row.runs)) }
                td.num.opt { (length(sum(|bin| bin.dispatch_ms))) }
                td.num { (length(sum(|bin| bin.running_ms))) }
                td.num { (number(sum(|bin| bin.failed))) }
            }
        }
    };
    table(&columns, &listed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::TimelinePiece;

    #[test]
    fn the_address_says_what_is_shown_and_what_is_over_does_not_move() {
        let query = TimelineQuery {
            want: Some("w3".to_owned()),
            from: Some("2026-11-30T10:00:00Z".to_owned()),
            until: Some("2026-11-30T11:00:00Z".to_owned()),
            ..TimelineQuery::default()
        };
        let timeline = Timeline {
            axis: vec![
                TimelinePiece {
                    from: "2026-11-30T10:00:00Z".to_owned(),
                    until: "2026-11-30T10:20:00Z".to_owned(),
                    idle: false,
                },
                TimelinePiece {
                    from: "2026-11-30T10:20:00Z".to_owned(),
                    until: "2026-11-30T11:00:00Z".to_owned(),
                    idle: true,
                },
            ],
            folds: vec![TimelineFold { job: "//:a".to_owned(), runs: 500, bins: Vec::new() }],
            total: 500,
            older: Some("r12".to_owned()),
            ..Timeline::default()
        };
        let now = "2026-11-30T12:00:00Z".parse().unwrap();
        let made = page(&timeline, &query, now);
        assert!(made.parts.iter().all(|part| part.of.is_empty()));
        let shown = made.whole(&crate::layout::Site::default()).into_string();
        for part in [
            "<b>500 runs</b> within <b>1 h 00 min</b>; for 40 min 00 s of that, none of them was under way.",
            "/timeline?want=w3&amp;from=2026-11-30T10:00:00Z&amp;until=2026-11-30T11:00:00Z&amp;before=r12",
            "/timeline?want=w3&amp;from=2026-11-30T11:00:00Z",
            "databuild want get w3",
        ] {
            assert!(shown.contains(part), "{part} is not in {shown}");
        }
        let newest = page(&Timeline::default(), &TimelineQuery::default(), now);
        assert!(newest.parts.iter().all(|part| part.of == ["runs"]));
        assert!(newest
            .whole(&crate::layout::Site::default())
            .into_string()
            .contains("No run was under way then."));
    }
}
