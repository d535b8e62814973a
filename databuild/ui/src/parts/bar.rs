//! How much of something is in which state, as a bar with a legend.

use super::state::{labeled, said, Look};
use crate::api::DatasetSummary;
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

/// The states of a dataset's partitions, in the order in which bars show them.
#[must_use]
pub fn shares(summary: &DatasetSummary) -> [Share<'static>; 7] {
    let share = |word, count| Share { word, count };
    [
        share("current", summary.current),
        share("behind", summary.behind),
        share("stale", summary.stale),
        share("failed", summary.failed),
        share("building", summary.building),
        share("missing", summary.missing),
        share("left_out", summary.left_out),
    ]
}

fn fill(look: Look) -> &'static str {
    match look {
        Look::Ok | Look::Empty => "f-ok",
        Look::Behind => "f-behind",
        Look::Stale | Look::Retry => "f-stale",
        Look::Bad => "f-bad",
        Look::Running => "f-run",
        Look::Missing => "f-miss",
        _ => "f-out",
    }
}

/// The bar alone. What there is of a state can be seen, however little it is.
#[must_use]
pub fn bar(shares: &[Share<'_>], class: &str) -> Markup {
    const LEAST: f64 = 0.8;
    let there: Vec<&Share<'_>> = shares.iter().filter(|share| share.count > 0).collect();
    let total: u64 = there.iter().map(|share| share.count).sum();
    let said: Vec<String> =
        there.iter().map(|share| format!("{} {}", number(share.count), said(share.word))).collect();
    // Wide enough to be seen, and 100 in all.
    let wide: Vec<f64> =
        there.iter().map(|share| (share.count as f64 / total.max(1) as f64 * 100.0).max(LEAST)).collect();
    let scale = 100.0 / wide.iter().sum::<f64>().max(1.0);
    let placed = there.iter().zip(&wide).scan(0.0, |at, (share, wide)| {
        let x = *at;
        *at += wide * scale;
        Some((share, x, wide * scale))
    });
    html! {
        svg class={ "bar " (class) } viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label=(said.join(", ")) {
            @for (share, x, width) in placed {
                rect class=(fill(Look::of(share.word))) x=(format!("{x:.2}")) width=(format!("{width:.2}")) height="6" {}
            }
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
}
