//! The attempts of a run on one axis of time: how long each waited for its start, started, and ran.

use super::state::{said, Look};
use super::time::length;
use crate::api::AttemptRow;
use jiff::Timestamp;
use maud::{html, Markup};

/// Attempts that are drawn; those before them are left out.
pub const MOST: usize = 20;
const WIDTH: f64 = 760.0;
const LABEL: f64 = 76.0;
const ROW: f64 = 26.0;

struct Span {
    class: &'static str,
    from: f64,
    to: f64,
    said: String,
}

/// The figure. `now` ends what has not ended.
#[must_use]
pub fn waterfall(attempts: &[AttemptRow], now: Timestamp) -> Markup {
    let shown = &attempts[attempts.len().saturating_sub(MOST)..];
    let ms = |text: &str| text.parse::<Timestamp>().ok().map(|at| at.as_millisecond() as f64);
    let Some(begin) = shown.first().and_then(|first| ms(&first.leased_at)) else { return html! {} };
    let now = now.as_millisecond() as f64;
    let rows: Vec<(u32, Vec<Span>)> = shown.iter().map(|row| (row.number, spans(row, &ms, now))).collect();
    let end = rows.iter().flat_map(|(_, spans)| spans).map(|span| span.to).fold(begin + 1.0, f64::max);
    let x = |at: f64| LABEL + (at - begin) / (end - begin) * (WIDTH - LABEL - 8.0);
    let height = ROW * rows.len() as f64 + 18.0;
    let said: Vec<String> = rows
        .iter()
        .flat_map(|(number, spans)| spans.iter().map(move |span| format!("attempt {number} {}", span.said)))
        .collect();
    html! {
        svg.fig viewBox={ "0 0 " (WIDTH) " " (height) } width="100%" role="img" aria-label=(said.join("; ")) {
            @for (at, (number, spans)) in rows.iter().enumerate() {
                @let y = ROW * at as f64;
                text x="0" y=(y + 15.0) { "attempt " (number) }
                line.axis x1=(LABEL) x2=(WIDTH - 8.0) y1=(y + 11.0) y2=(y + 11.0) {}
                @for span in spans {
                    @let from = x(span.from);
                    rect class=(span.class) x=(format!("{from:.1}")) y=(y + 5.0) width=(format!("{:.1}", (x(span.to) - from).max(2.0))) height="12" rx="2" { title { (span.said) } }
                }
            }
            @let y = ROW * rows.len() as f64 + 12.0;
            text x=(LABEL) y=(y) { "0" }
            text x=(WIDTH - 8.0) y=(y) text-anchor="end" { (length((end - begin) as u64)) }
        }
    }
}

fn spans(row: &AttemptRow, ms: &impl Fn(&str) -> Option<f64>, now: f64) -> Vec<Span> {
    let Some(leased) = ms(&row.leased_at) else { return Vec::new() };
    let ended = row.ended_at.as_deref().and_then(ms);
    let started = row.started_at.as_deref().and_then(ms);
    let took = |from: f64, to: f64| length((to - from).max(0.0) as u64);
    let Some(started) = started else {
        let to = ended.unwrap_or(now);
        let how = row.outcome.as_deref().map_or_else(|| "waits for its start".to_owned(), said);
        return vec![Span {
            class: "w-wait",
            from: leased,
            to,
            said: format!("{how}, {}", took(leased, to)),
        }];
    };
    let start = Span {
        class: "w-start",
        from: leased,
        to: started,
        said: format!("started within {}", took(leased, started)),
    };
    let to = ended.unwrap_or(now);
    let (class, how) = match row.outcome.as_deref() {
        None => ("w-run", "runs".to_owned()),
        Some(outcome) => match Look::of(outcome) {
            Look::Ok => ("w-ok", said(outcome)),
            Look::Bad => ("w-bad", said(outcome)),
            _ => ("w-out", said(outcome)),
        },
    };
    let ran = row.wall_ms.map_or_else(|| took(started, to), length);
    vec![start, Span { class, from: started, to, said: format!("{how}, ran {ran}") }]
}
