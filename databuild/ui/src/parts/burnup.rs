//! How far a want was when: what was done, what failed, and how much there is to do.

use super::reference::many;
use super::time::{exact, length};
use crate::api::ProgressPoint;
use databuild_core::amounts::number;
use jiff::Timestamp;
use maud::{html, Markup};
use std::fmt::Write as _;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 150.0;
const LEFT: f64 = 8.0;
const TOP: f64 = 18.0;
const BOTTOM: f64 = 20.0;

/// The figure, from `begin` to `end`; `end` is now for a want that is open.
#[must_use]
pub fn burn_up(points: &[ProgressPoint], total: u64, begin: Timestamp, end: Timestamp) -> Markup {
    let (from, to) = (begin.as_millisecond() as f64, end.as_millisecond() as f64);
    let long = (to - from).max(1.0);
    let most = points.last().map_or(0, |last| last.done + last.failed).max(total).max(1) as f64;
    let x = |at: f64| LEFT + (at - from).clamp(0.0, long) / long * (WIDTH - 2.0 * LEFT);
    let y = |count: u64| TOP + (1.0 - count as f64 / most) * (HEIGHT - TOP - BOTTOM);
    let line = |of: &dyn Fn(&ProgressPoint) -> u64| {
        let mut path = format!("M{:.1} {:.1}", x(from), y(0));
        for point in points {
            if let Ok(at) = point.at.parse::<Timestamp>() {
                let _ = write!(path, "H{:.1}V{:.1}", x(at.as_millisecond() as f64), y(of(point)));
            }
        }
        let _ = write!(path, "H{:.1}", x(to));
        path
    };
    let done = line(&|point| point.done);
    let failed = points.iter().any(|point| point.failed > 0).then(|| line(&|point| point.failed));
    let last = points.last().cloned().unwrap_or_default();
    let said = format!(
        "{} of {} done and {} failed within {}",
        number(last.done),
        many(total, "partition"),
        number(last.failed),
        length(long as u64)
    );
    html! {
        svg.fig viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } width="100%" role="img" aria-label=(said) {
            line.axis x1=(LEFT) x2=(WIDTH - LEFT) y1=(y(0)) y2=(y(0)) {}
            path.l-total d={ "M" (LEFT) " " (format!("{:.1}", y(total))) "H" (WIDTH - LEFT) } {}
            path.a-done d={ (done) "V" (format!("{:.1}", y(0))) "Z" } {}
            path.l-done d=(done) {}
            @if let Some(failed) = failed { path.l-bad d=(failed) {} }
            text x=(LEFT) y="12" { (many(total, "partition")) }
            text x=(LEFT) y=(HEIGHT - 5.0) { (exact(begin)) }
            text x=(WIDTH - LEFT) y=(HEIGHT - 5.0) text-anchor="end" { (length(long as u64)) }
        }
    }
}
