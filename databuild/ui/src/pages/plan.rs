//! One plan: what would run, why, and how long it may take.

use super::now::title;
use crate::api::{PlanGroup, PlanView};
use crate::layout::{card, heading, Page, Part, Place, Width};
use crate::links::{self, Url};
use crate::parts::form::{act, May};
use crate::parts::reference::{because, digest, job, many, partitions, want};
use crate::parts::state::{chip, labeled, Look};
use crate::parts::table::{column, table};
use crate::parts::time::{ago, length};
use databuild_core::amounts::number;
use databuild_core::text::shell_word;
use jiff::Timestamp;
use maud::{html, Markup};

/// The page.
#[must_use]
pub fn page(plan: &PlanView, may: May<'_>, now: Timestamp) -> Page {
    let name = plan.id.clone().unwrap_or_else(|| "Plan".to_owned());
    let mut page = Page::new(name, Place::Plans, &[], lead(plan, now));
    let work = plan.certain + plan.if_changed;
    page = page.part(card(
        "groups",
        Width::Full,
        &[],
        &heading(
            if plan.state == "open" { "What would run" } else { "What would have run" },
            &many(work, "partition"),
            &[],
        ),
        &html! { (groups(&plan.groups, "Nothing: all of it is up to date.")) (apply(plan, may)) },
    ));
    for (id, name, list) in [
        ("blocked", "What cannot be built", &plan.blocked),
        ("left_out", "What edge rules leave out", &plan.left_out),
    ] {
        if !list.is_empty() {
            let much = many(list.iter().map(|group| group.count).sum(), "partition");
            page = page.part(card(id, Width::Wide, &[], &heading(name, &much, &[]), &groups(list, "")));
        }
    }
    page = page.part(Part {
        id: "facts",
        width: Width::Narrow,
        of: Vec::new(),
        card: true,
        content: facts(plan, now),
    });
    match &plan.id {
        Some(id) if plan.state == "open" => page.command(format!("apply {id}")),
        _ => page.command(format!(
            "plan {}",
            plan.targets.iter().map(|target| shell_word(target)).collect::<Vec<_>>().join(" ")
        )),
    }
}

fn lead(plan: &PlanView, now: Timestamp) -> Markup {
    let estimate = &plan.estimate;
    html! {
        h1 { "Plan " @if let Some(id) = &plan.id { span.m { (id) } " " } "for " (title(&plan.targets)) }
        p.say {
            @if plan.certain + plan.if_changed == 0 {
                "Nothing would run: all " (many(plan.current, "partition")) " that matter are up to date."
            } @else {
                b { (many(plan.certain, "partition")) " would be built" }
                @if plan.if_changed > 0 { ", and " b { (number(plan.if_changed)) " more" } " if what they are made from comes out different" }
                "; " (number(plan.current)) " are up to date. "
                @if estimate.high_ms > 0 { "About " b { (length(estimate.low_ms)) } @if estimate.high_ms > estimate.low_ms { " to " b { (length(estimate.high_ms)) } } ", as far as can be told from earlier runs. " }
                @if !estimate.unknown_jobs.is_empty() { (many(estimate.unknown_jobs.len() as u64, "job")) " never ran, and nobody knows how long they take. " }
            }
            @if plan.state == "open" { @if let Some(expires) = &plan.expires_at { "It expires " (ago(expires, now)) "." } }
        }
        @if plan.state != "open" || plan.want.is_some() { (standing(plan, now)) }
    }
}

/// What became of it, and why it cannot be applied.
fn standing(plan: &PlanView, now: Timestamp) -> Markup {
    /// Changes that are named.
    const MOST: usize = 3;
    html! {
        p.say {
            (chip(&plan.state)) " "
            @if let Some(id) = &plan.want { "Want " (want(id)) " carries it out. " }
            @match plan.state.as_str() {
                "expired" => { "It cannot be applied any more: it expired " @if let Some(at) = &plan.expires_at { (ago(at, now)) } ". " },
                "outdated" => {
                    "It cannot be applied any more, since what it rests on has changed: "
                    @for (at, change) in plan.changes.iter().take(MOST).enumerate() { @if at > 0 { "; " } (because(&change.replace('`', ""))) }
                    @if plan.changes.len() > MOST { "; and " (number((plan.changes.len() - MOST) as u64)) " more" }
                    ". "
                },
                _ => {},
            }
        }
    }
}

fn groups(list: &[PlanGroup], none: &str) -> Markup {
    if list.is_empty() {
        return html! { p.note { (none) } };
    }
    let columns =
        [column("Job", ""), column("Partitions", "num"), column("Because", ""), column("Which", "opt")];
    let rows = html! {
        @for group in list {
            tr {
                td { (job(&group.job)) }
                td.num { (number(group.count)) }
                td.soft { (labeled(Look::of(&group.reason), &group.message)) }
                td.opt { @for (at, text) in group.partitions.iter().take(5).enumerate() { @if at > 0 { br; } @if text.starts_with('\u{2026}') { (text) } @else { (partitions(text, group.count)) } } }
            }
        }
    };
    table(&columns, &rows)
}

fn apply(plan: &PlanView, may: May<'_>) -> Markup {
    let Some(id) = plan.id.as_ref().filter(|_| plan.certain + plan.if_changed > 0) else { return html! {} };
    let action = Url::new(&format!("/plans/{id}"));
    if plan.state != "open" {
        let targets = plan.targets.join(" ");
        // Of many targets only some are told.
        let is_whole = plan.targets.iter().all(|target| !target.starts_with('\u{2026}'));
        return html! {
            @if is_whole { div.acts { (act(&Url::new("/plans"), may, "Plan the same now", true, &[("targets", &targets)])) } }
        };
    }
    html! {
        div.acts {
            (act(&action, may, &format!("Build {}", many(plan.certain, "partition")), true, &[]))
            (act(&action, may, "Build as a backfill", false, &[("class", "backfill")]))
            span { "Nothing is built that does not stand here." }
        }
    }
}

fn facts(plan: &PlanView, now: Timestamp) -> Markup {
    html! {
        dl.kv {
            dt { "targets" } dd { @for (at, target) in plan.targets.iter().take(20).enumerate() { @if at > 0 { br; } (partitions(target, 2)) } }
            dt { "keys as of" } dd { (ago(&plan.as_of, now)) }
            dt { "graph" } dd { (digest(&plan.graph)) }
            @if !plan.targets.is_empty() { dt { "again" } dd { a href=(links::Url::new("/plans").with("targets", plan.targets.join(" "))) { "Plan the same now" } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_applied_says_so_and_is_not_offered() {
        let plan = serde_json::json!({
            "id": "p1", "state": "open", "expires_at": "2026-12-01T00:00:00Z", "targets": ["daily"], "as_of": "2026-11-30T00:00:00Z",
            "graph": "4fb587cd00", "certain": 92, "if_changed": 0, "current": 0, "groups": [], "blocked": [], "left_out": [],
            "estimate": {"low_ms": 0, "high_ms": 0, "unknown_jobs": []}, "seq": 1,
        });
        let plan: PlanView = serde_json::from_value(plan).unwrap();
        let now = "2026-11-30T12:00:00Z".parse().unwrap();
        let shown = |plan: &PlanView| {
            page(plan, May::Do(""), now).whole(&crate::layout::Site::default()).into_string()
        };
        assert!(shown(&plan).contains("Build 92 partitions"));
        let changes = vec!["`daily/date=2026-11-29` was built".to_owned()];
        let applied =
            PlanView { state: "outdated".to_owned(), changes, want: Some("w3".to_owned()), ..plan.clone() };
        let text = shown(&applied);
        for part in [
            "carries it out",
            "href=\"/wants/w3\"",
            "cannot be applied any more",
            "was built",
            "Plan the same now",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert!(!text.contains("Build 92") && !text.contains("databuild apply"), "{text}");
        let expired = PlanView { state: "expired".to_owned(), ..plan };
        assert!(!shown(&expired).contains("Build 92") && shown(&expired).contains("it expired"));
    }
}
