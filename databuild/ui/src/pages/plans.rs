//! Plans that are kept.

use super::now::title;
use crate::api::PlanSummary;
use crate::layout::{card, heading, Page, Place, Width};
use crate::links::{self, Url};
use crate::parts::form::{act, May};
use crate::parts::state::chip;
use crate::parts::table::{column, table};
use crate::parts::time::ago;
use databuild_core::amounts::number;
use jiff::Timestamp;
use maud::{html, Markup};

/// The page. `targets` is what is in the box for a new one.
#[must_use]
pub fn page(plans: &[PlanSummary], targets: &str, may: May<'_>, now: Timestamp) -> Page {
    let lead = html! {
        h1 { "Plans" }
        p.say { "What would run, and why, before anything does. A plan is kept until it expires, or until there are many newer ones." }
        (new(targets, may))
    };
    let columns = [
        column("Plan", "fit"),
        column("State", "fit"),
        column("What", ""),
        column("Certain", "num"),
        column("If changed", "num opt"),
        column("Made", "num opt"),
        column("Expires", "num opt"),
    ];
    let rows = html! {
        @for plan in plans {
            tr {
                td.fit { a.m href=(links::plan(&plan.id)) { (plan.id) } }
                td.fit { (chip(&plan.state)) }
                td { a href=(links::plan(&plan.id)) { (title(&plan.targets)) } }
                td.num { (number(plan.certain)) }
                td.num.opt { (number(plan.if_changed)) }
                td.num.opt { (ago(&plan.created_at, now)) }
                td.num.opt { (ago(&plan.expires_at, now)) }
            }
        }
    };
    let list =
        html! { @if plans.is_empty() { p.note { "No plan is kept." } } @else { (table(&columns, &rows)) } };
    Page::new("Plans", Place::Plans, &[], lead)
        .part(card("plans", Width::Full, &["plans"], &heading("Plans", "", &[]), &list))
        .command("plans")
}

fn new(targets: &str, may: May<'_>) -> Markup {
    if targets.is_empty() {
        return html! {
            form.filter action="/plans" method="post" {
                (may.sent())
                label.wide { "Partitions" input type="search" name="targets" placeholder="dataset/date=2026-01-01..2026-01-31" autocomplete="off" spellcheck="false" required; }
                (may.button("Make a plan", false))
            }
        };
    }
    act(&Url::new("/plans"), may, &format!("Plan {targets}"), true, &[("targets", targets)])
}
