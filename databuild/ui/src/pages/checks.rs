//! Checks: how much of what each looks at passes it, and what did not.

use super::dataset::checks as findings;
use crate::api::{CheckRow, CheckSummary, ChecksQuery, Page as Rows};
use crate::layout::{card, heading, Page, Place, Width};
use crate::links::{self, Url};
use crate::parts::bar::{bar, legend, Share};
use crate::parts::form::{choice, filter, text};
use crate::parts::reference::{dataset, many};
use crate::parts::state::{labeled, said, Look};
use crate::parts::table::{column, table};
use databuild_core::amounts::number;
use databuild_core::text::shell_word;
use jiff::Timestamp;
use maud::{html, Markup};

/// What the page shows.
#[derive(Debug)]
pub struct Checks<'a> {
    /// The checks of this page of them.
    pub checks: &'a Rows<CheckSummary>,
    /// Where the list of checks begins.
    pub from: Option<&'a str>,
    /// What they found.
    pub found: &'a Rows<CheckRow>,
    /// What of that was asked for. Without a check, a reference or an outcome it is what did not pass.
    pub query: &'a ChecksQuery,
    /// Words of outcomes.
    pub outcomes: &'a [&'a str],
}

/// Whether all that checks found is asked for, or only what did not pass.
#[must_use]
pub fn is_of_some(query: &ChecksQuery) -> bool {
    query.check.is_some() || query.reference.is_some() || query.outcome.is_some()
}

fn url(shown: &Checks<'_>) -> Url {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let query = shown.query;
    links::checks()
        .with("check", text(&query.check))
        .with("ref", text(&query.reference))
        .with("outcome", text(&query.outcome))
        .with("from", shown.from.unwrap_or_default())
        .with("cursor", text(&query.cursor))
}

/// The page.
#[must_use]
pub fn page(shown: &Checks<'_>, now: Timestamp) -> Page {
    let query = shown.query;
    let of = ["data"];
    let mut command = "checks".to_owned();
    if let Some(reference) = &query.reference {
        command.push_str(&format!(" {}", shell_word(reference)));
    }
    if let Some(check) = &query.check {
        command.push_str(&format!(" --check {}", shell_word(check)));
    }
    if !is_of_some(query) || matches!(query.outcome.as_deref(), Some("failed" | "error")) {
        command.push_str(" --failed");
    }
    let name = match (&query.check, query.outcome.as_deref()) {
        (Some(check), None) => format!("What {check} found last"),
        (Some(check), Some(outcome)) => format!("What {check} found: {}", said(outcome)),
        (None, Some(outcome)) => format!("What checks found: {}", said(outcome)),
        (None, None) if query.reference.is_some() => "What checks found last".to_owned(),
        (None, None) => "What did not pass".to_owned(),
    };
    let list = if shown.checks.data.is_empty() {
        html! { p.note { "The graph has no checks, and none has found anything." } }
    } else {
        html! { (checks(&shown.checks.data)) (paging(shown, "from", shown.from.is_none(), shown.checks.next.as_deref())) }
    };
    Page::new("Checks", Place::Checks, &of, lead(shown))
        .part(card("checks", Width::Full, &of, &heading("Checks", "", &[]), &list))
        .part(card("found", Width::Full, &of, &heading(&name, "", &[]), &found(shown, now)))
        .command(command)
}

fn lead(shown: &Checks<'_>) -> Markup {
    // The first ones are those that most did not pass; whether there are more of these stands in the list.
    let bad = shown.checks.data.iter().filter(|row| row.failed + row.error > 0);
    let (count, partitions) = bad.fold((0, 0), |(count, all), row| (count + 1, all + row.failed + row.error));
    let is_whole = shown.from.is_none() && shown.checks.next.is_none();
    html! {
        h1 { "Checks" }
        p.say {
            @if count == 0 && is_whole {
                @if shown.checks.data.is_empty() { "A check looks at data before it is published." } @else { "All that checks looked at last " b { "passed" } "." }
            } @else if is_whole {
                b { (number(count)) " of " (many(shown.checks.data.len() as u64, "check")) } " found something in " b { (many(partitions, "partition")) } " when they last looked."
            } @else {
                "Those that most partitions did not pass come first."
            }
        }
    }
}

fn checks(rows: &[CheckSummary]) -> Markup {
    let columns = [
        column("Check", ""),
        column("Dataset", "opt"),
        column("What it does", "fit opt"),
        column("Last looks", ""),
        column("Did not pass", "num"),
    ];
    let lines = html! {
        @for row in rows {
            // Whoever asks for what the graph does not have is refused.
            @let reference = if row.blocking.is_some() { row.dataset.as_str() } else { "" };
            @let of = |outcome: &str| links::checks().with("check", &row.check).with("ref", reference).with("outcome", outcome);
            tr {
                td.m { a href=(of("")) { (row.check) } }
                td.opt { (dataset(&row.dataset)) }
                td.fit.opt { @match row.blocking {
                    Some(true) => (labeled(Look::Bad, "refuses")),
                    Some(false) => (labeled(Look::Late, "only warns")),
                    None => (labeled(Look::Out, "not in the graph")),
                } }
                td { (looks(row, |outcome| Some(of(outcome)))) }
                td.num { a href=(of(if row.error > row.failed { "error" } else { "failed" })) { (number(row.failed + row.error)) } }
            }
        }
    };
    table(&columns, &lines)
}

fn looks(row: &CheckSummary, link: impl Fn(&str) -> Option<Url>) -> Markup {
    let share = |word, count| Share { word, count };
    let shares = [share("passed", row.passed), share("failed", row.failed), share("error", row.error)];
    html! {
        @if shares.iter().all(|share| share.count == 0) { span.soft { "has not looked at anything" } }
        @else { (bar(&shares, "")) (legend(&shares, link)) }
    }
}

fn found(shown: &Checks<'_>, now: Timestamp) -> Markup {
    let query = shown.query;
    let value = |of: &Option<String>| of.clone().unwrap_or_default();
    let words: Vec<(String, String)> =
        shown.outcomes.iter().map(|word| ((*word).to_owned(), said(word))).collect();
    let any = if is_of_some(query) { "any" } else { "not passed" };
    html! {
        div.pad {
            (filter(&links::checks().with("from", shown.from.unwrap_or_default()), &html! {
                (choice("Result", "outcome", any, &words, &value(&query.outcome)))
                (text("Check", "check", &value(&query.check), "//package:check"))
                (text("Partitions", "ref", &value(&query.reference), "dataset/date=2026-01-01"))
            }))
        }
        @if shown.found.data.is_empty() {
            p.note.line { @if shown.found.next.is_some() { "None among the newest ones; the next page looks at older ones." } @else if is_of_some(query) { "There is no such result." } @else { "Nothing: all that checks looked at last passed." } }
        } @else {
            (findings(shown.found, now))
        }
        (paging(shown, "cursor", query.cursor.is_none(), shown.found.next.as_deref()))
    }
}

/// Where one of the two lists goes on, while the other stays where it is.
fn paging(shown: &Checks<'_>, parameter: &str, is_first: bool, next: Option<&str>) -> Markup {
    let url = url(shown);
    html! {
        @if !is_first || next.is_some() {
            div.paging {
                @if !is_first { a href=(url.clone().without(parameter)) { "First page" } }
                @match next {
                    Some(next) => a href=(url.clone().with(parameter, next)) { "Next page" },
                    None => span { "This is the last page." },
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(label: &str, failed: u64) -> CheckSummary {
        CheckSummary {
            check: label.to_owned(),
            dataset: "daily".to_owned(),
            blocking: Some(failed == 0),
            passed: 90,
            failed,
            error: 0,
        }
    }

    fn shown(
        checks: Vec<CheckSummary>,
        found: Vec<CheckRow>,
        next: Option<&str>,
        query: &ChecksQuery,
    ) -> String {
        let checks = Rows { data: checks, next: next.map(str::to_owned), seq: 9 };
        let found = Rows { data: found, next: None, seq: 9 };
        let outcomes = ["passed", "failed", "error"];
        let shown = Checks { checks: &checks, from: None, found: &found, query, outcomes: &outcomes };
        let now = "2026-11-30T12:00:00Z".parse().unwrap();
        page(&shown, now).whole(&crate::layout::Site::default()).into_string()
    }

    #[test]
    fn checks_are_told_by_how_much_does_not_pass_them_with_links_to_that() {
        let row = CheckRow {
            partition: "daily/date=2026-01-01".to_owned(),
            check: "//:sane".to_owned(),
            outcome: "failed".to_owned(),
            blocking: false,
            message: "only <2> rows".to_owned(),
            metadata: json!({}),
            run: "r12".to_owned(),
            attempt: 1,
            at: "2026-11-30T11:54:00Z".to_owned(),
        };
        let text = shown(
            vec![check("//:sane", 10), check("//:usual", 0)],
            vec![row],
            None,
            &ChecksQuery { failed: true, ..ChecksQuery::default() },
        );
        for part in [
            "<b>1 of 2 checks</b> found something in <b>10 partitions</b>",
            "aria-label=\"90 passed, 10 failed\"",
            "href=\"/checks?check=//:sane&amp;ref=daily&amp;outcome=failed\">10</a>",
            "only warns",
            "refuses",
            "What did not pass",
            "only &lt;2&gt; rows",
            "href=\"/runs/r12\"",
            "databuild checks --failed",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn one_check_is_looked_at_alone_and_two_lists_go_on_by_themselves() {
        let query = ChecksQuery {
            check: Some("//:sane".to_owned()),
            reference: Some("daily".to_owned()),
            cursor: Some("7".to_owned()),
            ..ChecksQuery::default()
        };
        let text = shown(vec![check("//:sane", 10)], Vec::new(), Some("50"), &query);
        for part in [
            "What //:sane found last",
            "There is no such result.",
            "href=\"/checks?check=//:sane&amp;ref=daily&amp;cursor=7&amp;from=50\">Next page",
            "href=\"/checks?check=//:sane&amp;ref=daily\">First page",
            "databuild checks daily --check //:sane",
            "come first",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(shown(vec![check("//:a", 0)], Vec::new(), None, &query).contains("<b>passed</b>"));
    }
}
