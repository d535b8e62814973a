//! How much of something is in which state, as a bar with a legend.

use super::state::{labeled, said, Look};
use crate::api::{DatasetSummary, StateCounts};
use crate::links::Url;
use databuild_core::amounts::number;
use maud::{html, Markup};

/// Some of a whole.
#[derive(Debug, Clone, Copy)]
pub struct Share<'a> {
    /// The word of the API.
    pub word: &'a str,
    /// How many.
    pub count: u64,
}

/// What is not known to be there of external data: nobody looked at it yet, or it was not there at the last look.
const UNSEEN: &str = "unseen";

/// The state that a share is asked for by, in lists.
#[must_use]
pub fn asked_for(word: &str) -> &str {
    if word == UNSEEN {
        "missing"
    } else {
        word
    }
}

/// A state of a partition as people read it: of external data it is not known before somebody looks.
#[must_use]
pub fn state_said(word: &str, external: bool) -> String {
    said(if external && word == "missing" { UNSEEN } else { word })
}

/// The states of a dataset's partitions, in the order in which bars show them.
#[must_use]
pub fn shares(summary: &DatasetSummary) -> [Share<'static>; 7] {
    let DatasetSummary { total, current, behind, missing, stale, building, failed, left_out, .. } = *summary;
    let counts = StateCounts { total, current, behind, missing, stale, building, failed, left_out };
    shares_of(&counts, summary.external)
}

/// The same, of partitions of several; `external` if all of them come from elsewhere.
#[must_use]
pub fn shares_of(counts: &StateCounts, external: bool) -> [Share<'static>; 7] {
    let share = |word, count| Share { word, count };
    let missing = if external { UNSEEN } else { "missing" };
    [
        share("current", counts.current),
        share("behind", counts.behind),
        share("stale", counts.stale),
        share("failed", counts.failed),
        share("building", counts.building),
        share(missing, counts.missing),
        share("left_out", counts.left_out),
    ]
}

/// The class of what is filled in its color.
pub(super) fn fill(look: Look) -> &'static str {
    match look {
        Look::Ok | Look::Empty => "f-ok",
        Look::Behind => "f-behind",
        Look::Stale | Look::Retry => "f-stale",
        Look::Bad => "f-bad",
        Look::Running => "f-run",
        Look::Missing | Look::Waiting => "f-miss",
        _ => "f-out",
    }
}

/// Where each state that there is begins in a bar of 100, and how wide it is: wide enough to be seen, however little there is
/// of it.
pub(super) fn placed<'s>(shares: &[Share<'s>]) -> Vec<(Share<'s>, f64, f64)> {
    const LEAST: f64 = 0.8;
    let there = || shares.iter().filter(|share| share.count > 0);
    let total: u64 = there().map(|share| share.count).sum();
    let wide = |share: &Share<'_>| (share.count as f64 / total.max(1) as f64 * 100.0).max(LEAST);
    let scale = 100.0 / there().map(wide).sum::<f64>().max(1.0);
    let mut at = 0.0;
    there()
        .map(|share| {
            let (x, width) = (at, wide(share) * scale);
            at += width;
            (*share, x, width)
        })
        .collect()
}

/// What a bar shows, as words: `1,095 up to date, 3 failed`.
#[must_use]
pub fn in_words(shares: &[Share<'_>]) -> String {
    let there = shares.iter().filter(|share| share.count > 0);
    let said: Vec<String> =
        there.map(|share| format!("{} {}", number(share.count), said(share.word))).collect();
    said.join(", ")
}

/// The bar alone.
#[must_use]
pub fn bar(shares: &[Share<'_>], class: &str) -> Markup {
    html! {
        svg class={ "bar " (class) } viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label=(in_words(shares)) {
            @for (share, x, width) in placed(shares) {
                rect class=(fill(Look::of(share.word))) x=(format!("{x:.2}")) width=(format!("{width:.2}")) height="6" {}
            }
        }
    }
}

/// How much of something is used. `said` says the same in words.
#[must_use]
pub fn meter(used: u64, size: u64, said: &str) -> Markup {
    let width = if size == 0 { 0.0 } else { used.min(size) as f64 / size as f64 * 100.0 };
    html! {
        svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label=(said) {
            @if used > 0 { rect.f-run width=(format!("{:.2}", width.max(0.8))) height="6" {} }
        }
    }
}

/// What the bar shows, in words. Each number leads to its list; states of which there are none are left out.
#[must_use]
pub fn legend(shares: &[Share<'_>], link: impl Fn(&str) -> Option<Url>) -> Markup {
    html! {
        ul.legend {
            @for share in shares.iter().filter(|share| share.count > 0) {
                @let text = format!("{} {}", said(share.word), number(share.count));
                li {
                    @match link(share.word) {
                        Some(url) => a href=(url) { (labeled(Look::of(share.word), &text)) },
                        None => (labeled(Look::of(share.word), &text)),
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_is_seen_and_all_is_whole() {
        let shares = [Share { word: "current", count: 1_000_000 }, Share { word: "failed", count: 1 }];
        let svg = bar(&shares, "").into_string();
        assert!(svg.contains("aria-label=\"1,000,000 up to date, 1 failed\""), "{svg}");
        assert!(svg.contains("class=\"f-bad\" x=\"99.21\" width=\"0.79\""), "{svg}");
        assert!(bar(&[], "").into_string().contains("aria-label=\"\""));
    }

    #[test]
    fn external_data_that_nobody_saw_is_not_said_to_be_missing() {
        let mut summary = DatasetSummary {
            dataset: "raw".to_owned(),
            owner: None,
            external: true,
            dims: Vec::new(),
            total: 9,
            current: 0,
            behind: 0,
            missing: 9,
            stale: 0,
            building: 0,
            failed: 0,
            left_out: 0,
        };
        let said = |summary: &DatasetSummary| {
            let link = |word: &str| Some(Url::new("/partitions").with("state", asked_for(word)));
            legend(&shares(summary), link).into_string()
        };
        let outside = said(&summary);
        assert!(outside.contains("not seen 9") && outside.contains("state=missing"), "{outside}");
        summary.external = false;
        assert!(said(&summary).contains("missing 9"));
        assert_eq!(
            (state_said("missing", true), state_said("stale", true)),
            ("not seen".into(), "stale".into())
        );
    }
}
