//! One partition: its state in one sentence, why, what it was made from, and what became of it.

use super::dataset::checks;
use crate::api::{CheckRow, InputUsed, Page as Rows, PartitionState, RunRow, Why, WhyCause};
use crate::layout::{card, heading, Page, Place, Width};
use crate::links::{self, Url};
use crate::parts::bar::state_said;
use crate::parts::form::{act, May};
use crate::parts::reference::{because, breakable, dataset, digest, job, many, partitions, run};
use crate::parts::state::{labeled, Look};
use crate::parts::table::{column, table};
use crate::parts::time::ago;
use databuild_core::reference::dataset_of;
use databuild_core::text::shell_word;
use databuild_core::word::Word as _;
use jiff::Timestamp;
use maud::{html, Markup};

/// The page. `runs` are those that made it, or were to; `found` is what checks found in it last; `compares` says whether who looks may
/// compare what made it with now.
#[must_use]
pub fn page(
    why: &Why,
    runs: &Rows<RunRow>,
    found: &Rows<CheckRow>,
    compares: bool,
    may: May<'_>,
    now: Timestamp,
) -> Page {
    let of = ["data"];
    let mut page = Page::new(why.partition.clone(), Place::Datasets, &of, lead(why, compares, may, now));
    if !why.causes.is_empty() || !why.upstream.is_empty() {
        page = page.part(card("causes", Width::Wide, &of, &heading("Why", "", &[]), &causes(why)));
    }
    page = page.part(card("facts", Width::Narrow, &of, &heading("What is there", "", &[]), &facts(why, now)));
    let much = match (why.inputs.len() as u64, why.inputs_total) {
        (shown, total) if shown < total => format!("{shown} of {}", many(total, "input")),
        (_, total) => many(total, "input"),
    };
    page = page.part(card(
        "inputs",
        Width::Full,
        &of,
        &heading("What it was made from", &much, &[]),
        &inputs(&why.inputs),
    ));
    if !found.data.is_empty() {
        let more = [("All checks", links::checks().with("ref", &why.partition))];
        let much = many(found.data.len() as u64, "check");
        page = page.part(card(
            "checks",
            Width::Full,
            &of,
            &heading("Checks", &much, &more),
            &checks(found, now),
        ));
    }
    let more = [("All runs", links::runs().with("partition", &why.partition))];
    page = page.part(card("runs", Width::Full, &of, &heading("Runs", "", &more), &history(runs, now)));
    page.command(format!("why {}", shell_word(&why.partition)))
}

fn lead(why: &Why, compares: bool, may: May<'_>, now: Timestamp) -> Markup {
    let state = why.state.word();
    html! {
        h1 { (Look::of(state).icon()) " " span.m { (breakable(&why.partition)) } }
        p.say {
            b { (because(&sentence(why))) } @if !why.summary.ends_with('.') { "." }
            @if let Some(built) = &why.built_at {
                // What comes from elsewhere was made by nobody that is known.
                @if is_external(why) { @if why.state != PartitionState::Missing { " This version was seen first " (ago(built, now)) "." } }
                @else { " Made " (ago(built, now)) @if let Some(id) = &why.run { " by " (run(id)) } "." }
            }
            @if compares && why.run.is_some() { " " a href=(links::compare().with("a", &why.partition)) { "Then and now" } "." }
            @if let Some(failed) = why.failed_since.as_ref().filter(|run| !names(&why.summary, run)) { " " (run(failed)) " failed since, and changed nothing." }
        }
        @if why.job.is_some() {
            div.stand { (act(&Url::new("/plans"), may, "Plan it", false, &[("targets", &why.partition)])) }
        }
    }
}

/// Whether no job makes it.
fn is_external(why: &Why) -> bool {
    why.job.is_none()
}

/// The summary without the partition, which is the heading.
fn sentence(why: &Why) -> String {
    match why.summary.strip_prefix(&why.partition) {
        Some(rest) if rest.starts_with(' ') => format!("It{rest}"),
        _ => why.summary.clone(),
    }
}

/// Whether a text speaks of a run.
fn names(text: &str, run: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == run)
}

fn causes(why: &Why) -> Markup {
    html! {
        @for cause in &why.causes { (cause_said(cause)) }
        @if !why.upstream.is_empty() {
            table {
                thead { tr { th scope="col" { "Because upstream" } th.num scope="col" { "Like it" } th scope="col" { "Cause" } } }
                tbody {
                    @for step in &why.upstream {
                        tr { td { (partitions(&step.partition, 1)) } td.num { (step.count) } td.why { (because(&step.cause.message)) } }
                    }
                }
            }
        }
    }
}

fn cause_said(cause: &WhyCause) -> Markup {
    html! {
        p.note { (because(&cause.message)) @if let Some(id) = &cause.run { @if !cause.message.ends_with('.') { "." } " See " a href={ (links::run(id)) "#log" } { "the log of " (id) } "." } }
        @for file in &cause.files {
            p.note { code { (file.path) } " was " (file.change) @if !file.via.is_empty() { ", through " (file.via.join(" \u{2192} ")) } }
        }
    }
}

fn facts(why: &Why, now: Timestamp) -> Markup {
    html! {
        dl.kv {
            dt { "dataset" } dd { (dataset(dataset_of(&why.partition))) }
            dt { "state" } dd { (labeled(Look::of(why.state.word()), &state_said(why.state.word(), is_external(why)))) }
            @if let Some(label) = &why.job { dt { "job" } dd { (job(label)) } }
            @if let Some(version) = &why.version { dt { "version" } dd { (digest(version)) } }
            @if let Some(path) = &why.path { dt { "file" } dd.m { (path) } }
            @if let Some(adopted) = &why.adopted { dt { "adopted" } dd { (ago(&adopted.at, now)) @if let Some(by) = &adopted.by { " by " (by) } } }
            @for accepted in &why.accepted { dt { "accepted" } dd { (accepted.reason) ", " (accepted.by) ", " (ago(&accepted.at, now)) } }
            @for (name, value) in &why.metadata { dt { (name) } dd.m { @match value { serde_json::Value::String(text) => (text), other => (other.to_string()) } } }
        }
    }
}

fn inputs(inputs: &[InputUsed]) -> Markup {
    if inputs.is_empty() {
        return html! { p.note { "Nothing that is on record." } };
    }
    let columns =
        [column("Input", ""), column("Version read", ""), column("Now", "opt"), column("Kind", "opt")];
    let rows = html! {
        @for input in inputs {
            tr {
                td { (partitions(&input.partition, 1)) }
                td { @if let Some(then) = &input.then { (digest(then)) } @else { span.soft { "not read" } } }
                td.opt { @if input.now == input.then { span.soft { "the same" } } @else if let Some(version) = &input.now { (digest(version)) } @else { span.soft { "gone" } } }
                td.opt.soft { (input.kind.as_deref().unwrap_or("declared")) }
            }
        }
    };
    table(&columns, &rows)
}

fn history(runs: &Rows<RunRow>, now: Timestamp) -> Markup {
    if runs.data.is_empty() {
        return html! { p.note { "No run was to make it." } };
    }
    let columns = [
        column("Run", "fit"),
        column("State", "fit"),
        column("Partition", ""),
        column("Job", "opt"),
        column("Attempts", "num opt"),
        column("Began", "num opt"),
        column("Took", "num"),
    ];
    table(&columns, &html! { @for row in &runs.data { (super::runs::line(row, now)) } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_said_to_have_made_what_comes_from_elsewhere() {
        let why = serde_json::json!({
            "partition": "raw/city=oslo", "state": "current", "seq": 1, "summary": "raw/city=oslo is there",
            "built_at": "2026-11-30T11:50:00Z", "inputs": [], "inputs_total": 0, "causes": [], "upstream": [], "metadata": {},
        });
        let mut why: Why = serde_json::from_value(why).unwrap();
        let now = "2026-11-30T12:00:00Z".parse().unwrap();
        let said =
            |why: &Why| lead(why, true, May::Do(""), now).into_string() + &facts(why, now).into_string();
        assert!(said(&why).contains("This version was seen first <time"), "{}", said(&why));
        why.state = PartitionState::Missing;
        let gone = said(&why);
        assert!(!gone.contains("first") && !gone.contains("Made") && gone.contains("not seen"), "{gone}");
        why.job = Some("//:fetch".to_owned());
        assert!(said(&why).contains(" Made <time"), "{}", said(&why));
    }

    #[test]
    fn the_lead_says_each_thing_once() {
        let why = serde_json::json!({
            "partition": "daily/date=2024-01-01", "state": "failed", "failed_since": "r5", "seq": 1,
            "summary": "daily/date=2024-01-01 has failed because its last run, r5, failed: exit code 1",
            "inputs": [], "inputs_total": 0, "causes": [], "upstream": [], "metadata": {},
        });
        let mut why: Why = serde_json::from_value(why).unwrap();
        let said = |why: &Why| lead(why, true, May::Do(""), Timestamp::UNIX_EPOCH).into_string();
        let shown = said(&why);
        assert!(
            shown.contains("<b>It has failed because its last run, <a class=\"m\" href=\"/runs/r5\">r5</a>, failed: exit code 1</b>."),
            "{shown}"
        );
        assert!(!shown.contains("failed since"), "{shown}");
        why.summary = "daily/date=2024-01-01 is current: nothing has changed since".to_owned();
        why.failed_since = Some("r50".to_owned());
        let shown = said(&why);
        assert!(
            shown.contains("<b>It is current: nothing")
                && shown.contains("failed since, and changed nothing"),
            "{shown}"
        );
        assert!(!names("see r50", "r5") && names("(r5)", "r5"));
    }
}
