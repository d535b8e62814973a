//! Runs, newest first.

use crate::api::{Page as Rows, RunRow, RunsQuery};
use crate::layout::{card, heading, Page, Place, Width};
use crate::links::{self, Url};
use crate::parts::form::{choice, filter, text};
use crate::parts::reference::{job, partitions, run};
use crate::parts::state::{chip, said};
use crate::parts::table::{column, paging, table};
use crate::parts::time::{ago, between, since};
use databuild_core::amounts::number;
use databuild_core::text::shell_word;
use jiff::Timestamp;
use maud::{html, Markup};

/// The address of a list.
#[must_use]
pub fn url(query: &RunsQuery) -> Url {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    links::runs()
        .with("job", text(&query.job))
        .with("state", text(&query.state))
        .with("partition", text(&query.partition))
        .with("limit", query.limit.map_or_else(String::new, |limit| limit.to_string()))
}

/// The page. `states` has the words of states; `total` is how many runs there ever were.
#[must_use]
pub fn page(rows: &Rows<RunRow>, query: &RunsQuery, states: &[&str], total: u64, now: Timestamp) -> Page {
    let lead = html! {
        h1 { "Runs" }
        p.say { b { (number(total)) } " so far, newest first." }
        (fields(query, states))
    };
    let name = query
        .state
        .as_deref()
        .map_or_else(|| "Runs".to_owned(), |state| format!("Runs that are {}", said(state)));
    let mut command = "runs".to_owned();
    for (flag, value) in [("--job", &query.job), ("--state", &query.state)] {
        if let Some(value) = value {
            command.push_str(&format!(" {flag} {}", shell_word(value)));
        }
    }
    let timeline = links::timeline().with("job", query.job.clone().unwrap_or_default());
    let timeline = [("Timeline", timeline)];
    Page::new("Runs", Place::Runs, &[], lead)
        .part(card("runs", Width::Full, &["runs"], &heading(&name, "", &timeline), &list(rows, query, now)))
        .command(command)
}

fn fields(query: &RunsQuery, states: &[&str]) -> Markup {
    let words: Vec<(String, String)> = states.iter().map(|word| ((*word).to_owned(), said(word))).collect();
    let value = |of: &Option<String>| of.clone().unwrap_or_default();
    filter(
        &links::runs(),
        &html! {
            (choice("State", "state", "any", &words, &value(&query.state)))
            (text("Job", "job", &value(&query.job), "//package:job"))
            (text("Makes any of", "partition", &value(&query.partition), "dataset/date=2026-01-01"))
        },
    )
}

fn list(rows: &Rows<RunRow>, query: &RunsQuery, now: Timestamp) -> Markup {
    let columns = [
        column("Run", "fit"),
        column("State", "fit"),
        column("Partition", ""),
        column("Job", "opt"),
        column("Attempts", "num opt"),
        column("Began", "num opt"),
        column("Took", "num"),
    ];
    html! {
        @if rows.data.is_empty() {
            p.note { @if rows.next.is_some() { "None among the newest ones; the next page looks at older ones." } @else { "There is no such run." } }
        } @else {
            (table(&columns, &html! { @for row in &rows.data { (line(row, now)) } }))
        }
        (paging(&url(query), query.cursor.is_none(), rows.next.as_deref()))
    }
}

/// Whether a process of it began, or it is over without one.
fn has_begun(row: &RunRow) -> bool {
    row.attempt_count > 1 || row.state != "leased"
}

/// A run in a list.
pub(super) fn line(row: &RunRow, now: Timestamp) -> Markup {
    html! {
        tr {
            td.fit { (run(&row.id)) }
            td.fit { (chip(&row.state)) }
            td {
                (partitions(&row.partition, row.partitions))
                @if row.partitions > 1 { " " span.soft { "(" (number(row.partitions)) ")" } }
                @if let Some(trial) = &row.trial { " " span.tag title="It publishes nothing." { "trial " (trial) } }
                @if !row.message.is_empty() { br; span.err.soft.clip { (row.message) } }
            }
            td.opt { (job(&row.job)) }
            td.num.opt { (number(u64::from(row.attempt_count))) }
            td.num.opt { @if has_begun(row) { (ago(&row.created_at, now)) } @else { span.soft { "handed out " (ago(&row.created_at, now)) } } }
            td.num { @match &row.ended_at { Some(ended) => (between(&row.created_at, ended)), None => @if has_begun(row) { (since(&row.created_at, now)) } @else { span.soft { "not begun" } } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_out_has_not_begun() {
        let now: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
        let row = |state: &str, attempt_count| RunRow {
            id: "r1".to_owned(),
            job: "//:make".to_owned(),
            partition: "daily".to_owned(),
            partitions: 1,
            state: state.to_owned(),
            attempt_count,
            created_at: "2026-11-30T11:54:00Z".to_owned(),
            ended_at: None,
            message: String::new(),
            trial: None,
        };
        let said = |state: &str, attempts| line(&row(state, attempts), now).into_string();
        let handed_out = said("leased", 1);
        assert!(handed_out.contains("handed out <time") && handed_out.contains("not begun"), "{handed_out}");
        for (state, attempts) in [("running", 1), ("leased", 2), ("retry_wait", 1)] {
            assert!(said(state, attempts).contains("data-since"), "{state} {attempts}");
        }
    }
}
