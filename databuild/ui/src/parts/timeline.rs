//! Attempts on one axis of time, on which idle time is drawn short.
//!
//! Waiting, being on its way and running have each a colour, a pattern and a height, so that nobody needs to tell colours apart.
//! The same is in a table beside the figure, which has the links for the keyboard.

use super::reference::many;
use super::state::{said, Look};
use super::time::{exact, length};
use crate::api::{AttemptTimes, Timeline, TimelineBin, TimelineFold, TimelineRun};
use crate::links::{self, Url};
use jiff::Timestamp;
use maud::{html, Markup, PreEscaped};

const WIDTH: f64 = 1120.0;
const LABEL: f64 = 228.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 26.0;
/// How wide a pause is drawn.
const PAUSE: f64 = 18.0;
const ROW: f64 = 20.0;
const FOLD: f64 = 40.0;
/// Letters of a label.
const LETTERS: usize = 27;

const PATTERNS: &str = concat!(
    r#"<defs><pattern id="p-wait" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path class="p-wait" d="M0 0v5"/></pattern>"#,
    r#"<pattern id="p-start" width="5" height="5" patternUnits="userSpaceOnUse"><rect class="p-start-bg" width="5" height="5"/><circle class="p-start" cx="2.500" cy="2.500" r="1.100"/></pattern></defs>"#
);

/// Where instants are, from left to right.
struct Axis {
    /// From, to, left, right, whether it is a pause. Milliseconds and units of the figure.
    pieces: Vec<(f64, f64, f64, f64, bool)>,
}

impl Axis {
    fn of(timeline: &Timeline) -> Axis {
        let read: Vec<(f64, f64, bool)> = timeline
            .axis
            .iter()
            .filter_map(|piece| Some((ms(&piece.from)?, ms(&piece.until)?, piece.idle)))
            .collect();
        let pauses = read.iter().filter(|piece| piece.2).count() as f64;
        let busy: f64 = read.iter().filter(|piece| !piece.2).map(|(from, to, _)| to - from).sum();
        let scale = (WIDTH - LABEL - RIGHT - pauses * PAUSE).max(1.0) / busy.max(1.0);
        let mut left = LABEL;
        let mut pieces = Vec::new();
        for (from, to, idle) in read {
            let right = left + if idle { PAUSE } else { (to - from) * scale };
            pieces.push((from, to, left, right, idle));
            left = right;
        }
        Axis { pieces }
    }

    fn x(&self, at: f64) -> f64 {
        let Some(first) = self.pieces.first() else { return LABEL };
        if at <= first.0 {
            return LABEL;
        }
        match self.pieces.iter().find(|piece| at <= piece.1) {
            Some((from, to, left, right, _)) => {
                left + (at - from).max(0.0) / (to - from).max(1.0) * (right - left)
            }
            None => WIDTH - RIGHT,
        }
    }

    /// Instants at its top, and its pauses.
    fn drawn(&self, height: f64) -> Markup {
        let text = |at: f64| Timestamp::from_millisecond(at as i64).unwrap_or_default();
        let mut free = LABEL;
        let mut labels: Vec<(f64, String)> = Vec::new();
        for (at, (from, _, left, right, idle)) in self.pieces.iter().enumerate() {
            let said = match (at, idle) {
                (0, _) => text(*from).strftime("%Y-%m-%d %H:%M:%S").to_string(),
                (_, true) => continue,
                _ => text(*from).strftime("%m-%d %H:%M").to_string(),
            };
            let wide = said.len() as f64 * 6.2;
            if *left >= free && left + wide < WIDTH - RIGHT - 110.0 && right - left > 8.0 {
                labels.push((*left, said));
                free = left + wide + 12.0;
            }
        }
        html! {
            @for (x, said) in &labels { text x=(number_of(*x)) y="11" { (said) } }
            @if let Some((_, to, ..)) = self.pieces.last() { text x=(number_of(WIDTH - RIGHT)) y="11" text-anchor="end" { (text(*to).strftime("%H:%M:%S UTC").to_string()) } }
            line.axis x1=(LABEL) x2=(WIDTH - RIGHT) y1=(TOP - 8.0) y2=(TOP - 8.0) {}
            @for (from, to, left, right, idle) in &self.pieces {
                @if *idle {
                    path.pause d={ "M" (number_of(left + 6.0)) " " (TOP - 8.0) "V" (height) "M" (number_of(right - 6.0)) " " (TOP - 8.0) "V" (height) } { title { "none of these runs was under way for " (length((to - from) as u64)) } }
                }
            }
        }
    }
}

fn ms(text: &str) -> Option<f64> {
    Some(text.parse::<Timestamp>().ok()?.as_millisecond() as f64)
}

fn number_of(number: f64) -> String {
    format!("{number:.1}")
}

/// The end of a text that is too long for a label.
fn short(text: &str) -> String {
    let letters = text.chars().count();
    if letters <= LETTERS {
        return text.to_owned();
    }
    let end: String = text.chars().skip(letters - (LETTERS - 1)).collect();
    format!("\u{2026}{end}")
}

/// The figure. `url` is that of the page, for parts of it that lead closer. `now` ends what has not ended.
#[must_use]
pub fn figure(timeline: &Timeline, url: &Url, now: Timestamp) -> Markup {
    let axis = Axis::of(timeline);
    let folded = !timeline.folds.is_empty();
    let height = TOP
        + if folded { FOLD * timeline.folds.len() as f64 } else { ROW * timeline.runs.len() as f64 }
        + 4.0;
    let said = format!("{} on an axis of time; the table below says the same", many(timeline.total, "run"));
    html! {
        div.scroll.pad tabindex="0" role="region" aria-label="Timeline" {
            svg.fig.long viewBox={ "0 0 " (WIDTH) " " (height) } width="100%" role="group" aria-label=(said) {
                (PreEscaped(PATTERNS.to_owned()))
                (axis.drawn(height))
                @if folded {
                    (folds(&timeline.folds, &axis, url))
                } @else {
                    @for (at, run) in timeline.runs.iter().enumerate() { (run_row(run, &axis, TOP + ROW * at as f64, now)) }
                }
            }
        }
        (legend(folded, timeline.axis.iter().any(|piece| piece.idle)))
    }
}

fn run_row(run: &TimelineRun, axis: &Axis, y: f64, now: Timestamp) -> Markup {
    html! {
        a href=(links::run(&run.run)) tabindex="-1" {
            text.m x="0" y=(y + 13.0) { (run.run) }
            text x="54" y=(y + 13.0) { title { (run.partition) } (short(&run.partition)) }
        }
        @for attempt in &run.attempts { (attempt_marks(run, attempt, axis, y, now)) }
    }
}

/// How long something of an attempt took, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Phases {
    /// From when it could have begun until it was handed out; none if nobody knows.
    pub waited: Option<f64>,
    /// From then until its process began, or until it ended without one.
    pub dispatch: f64,
    /// How long it ran; none if it did not.
    pub ran: Option<f64>,
}

/// The phases of an attempt. `now` ends what has not ended.
#[must_use]
pub fn phases(attempt: &AttemptTimes, now: Timestamp) -> Option<Phases> {
    let leased = ms(&attempt.leased_at)?;
    let ended = attempt.ended_at.as_deref().and_then(ms).unwrap_or(now.as_millisecond() as f64);
    let started = attempt.started_at.as_deref().and_then(ms);
    Some(Phases {
        waited: attempt.ready_at.as_deref().and_then(ms).map(|ready| (leased - ready).max(0.0)),
        dispatch: (started.unwrap_or(ended) - leased).max(0.0),
        // Between its beginning and its end on record are other things, too: what was made is looked at.
        ran: started.map(|started| attempt.wall_ms.map_or((ended - started).max(0.0), |ms| ms as f64)),
    })
}

fn attempt_marks(run: &TimelineRun, attempt: &AttemptTimes, axis: &Axis, y: f64, now: Timestamp) -> Markup {
    let Some(phases) = phases(attempt, now) else { return html! {} };
    let Some(leased) = ms(&attempt.leased_at) else { return html! {} };
    let name = format!("{} attempt {}", run.run, attempt.number);
    let took = |what: &str, ms: f64| format!("{name} {what} {}", length(ms as u64));
    let started = leased + phases.dispatch;
    let outcome = attempt.outcome.as_deref();
    let look = outcome.map_or(Look::Running, Look::of);
    let class = match look {
        Look::Ok => "w-ok",
        Look::Bad => "w-bad",
        Look::Running => "w-run",
        _ => "w-out",
    };
    let bar = |class: &str, fill: Option<&str>, (from, to): (f64, f64), inset: f64, said: String| {
        let (left, right) = (axis.x(from), axis.x(to));
        html! {
            @if to > from || right - left > 0.0 {
                rect class=(class) fill=[fill] x=(number_of(left)) y=(y + inset) width=(number_of((right - left).max(1.5))) height=(ROW - 2.0 * inset) rx="1.5" { title { (said) } }
            }
        }
    };
    html! {
        @if let Some(waited) = phases.waited.filter(|waited| *waited > 0.0) { (bar("t-wait", Some("url(#p-wait)"), (leased - waited, leased), 7.0, took("waited", waited))) }
        (bar("t-start", Some("url(#p-start)"), (leased, started), 5.0, took(if phases.ran.is_some() { "was on its way for" } else { "is handed out for" }, phases.dispatch)))
        @if let Some(ran) = phases.ran {
            @let how = outcome.map_or_else(|| "runs".to_owned(), |word| format!("{}, ran", said(word)));
            (bar(class, None, (started, started + ran), 3.0, took(&how, ran)))
            @if look == Look::Bad {
                @let x = axis.x(started + ran);
                path.k-bad d={ "M" (number_of(x + 2.0)) " " (y + 7.0) "l6 6m0-6l-6 6" } {}
            }
        }
    }
}

fn folds(folds: &[TimelineFold], axis: &Axis, url: &Url) -> Markup {
    let most = folds
        .iter()
        .flat_map(|fold| &fold.bins)
        .map(|bin| bin.dispatch_ms + bin.running_ms)
        .max()
        .unwrap_or(0)
        .max(1) as f64;
    html! {
        @for (at, fold) in folds.iter().enumerate() {
            @let y = TOP + FOLD * at as f64;
            @let name = if fold.job.is_empty() { "all other jobs" } else { fold.job.as_str() };
            text x="0" y=(y + 17.0) { title { (name) } (short(name)) }
            text x="0" y=(y + 31.0) { (many(fold.runs, "run")) }
            line.axis x1=(LABEL) x2=(WIDTH - RIGHT) y1=(y + FOLD - 4.0) y2=(y + FOLD - 4.0) {}
            @for bin in &fold.bins { (bin_marks(fold, bin, axis, y, most, url)) }
        }
    }
}

fn bin_marks(fold: &TimelineFold, bin: &TimelineBin, axis: &Axis, y: f64, most: f64, url: &Url) -> Markup {
    let (Some(from), Some(to)) = (ms(&bin.from), ms(&bin.until)) else { return html! {} };
    if bin.runs == 0 {
        return html! {};
    }
    let (left, right) = (axis.x(from), axis.x(to));
    let room = FOLD - 10.0;
    let tall = |ms: u64| ms as f64 / most * room;
    let (ran, dispatch) = (tall(bin.running_ms).max(1.0), tall(bin.dispatch_ms));
    let base = y + FOLD - 4.0;
    let said = format!(
        "{} to {}: {}, {}; ran {}, on their way {}",
        exact(Timestamp::from_millisecond(from as i64).unwrap_or_default()),
        Timestamp::from_millisecond(to as i64).unwrap_or_default().strftime("%H:%M:%S"),
        many(bin.runs, "run"),
        many(bin.failed, "failed attempt"),
        length(bin.running_ms),
        length(bin.dispatch_ms)
    );
    let wide = number_of((right - left - 1.0).max(1.0));
    let closer = url
        .clone()
        .without("before")
        .with("from", &bin.from)
        .with("until", &bin.until)
        .with("job", &fold.job);
    html! {
        a href=(closer) tabindex="-1" aria-label=(said) {
            title { (said) }
            rect.w-run x=(number_of(left)) y=(number_of(base - ran)) width=(wide) height=(number_of(ran)) {}
            @if dispatch >= 0.5 { rect.t-start fill="url(#p-start)" x=(number_of(left)) y=(number_of(base - ran - dispatch)) width=(wide) height=(number_of(dispatch)) {} }
            @if bin.failed > 0 { path.k-bad d={ "M" (number_of(left + 2.0)) " " (number_of(y + 2.0)) "l5 5m0-5l-5 5" } {} }
        }
    }
}

/// What colours and patterns mean.
fn legend(folded: bool, idle: bool) -> Markup {
    let sample = |class: &str, fill: Option<&str>, y: f64, height: f64, said: &str| {
        html! { li { span.st { svg.sample viewBox="0 0 24 14" aria-hidden="true" { rect class=(class) fill=[fill] x="1" y=(y) width="22" height=(height) rx="1.5" {} } span { (said) } } } }
    };
    html! {
        ul.legend.pad {
            @if !folded { (sample("t-wait", Some("url(#p-wait)"), 4.0, 6.0, "waited for room, or to be tried again")) }
            (sample("t-start", Some("url(#p-start)"), 2.0, 10.0, "handed out, on its way"))
            (sample("w-run", None, 0.5, 13.0, if folded { "running" } else { "runs" }))
            @if !folded { (sample("w-ok", None, 0.5, 13.0, "ran well")) }
            @if !folded { (sample("w-bad", None, 0.5, 13.0, "failed, with a cross")) }
            @if idle { li { span.st { svg.sample viewBox="0 0 24 14" aria-hidden="true" { path.pause d="M8 0V14M16 0V14" {} } span { "idle time, drawn short" } } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::TimelinePiece;

    fn piece(from: &str, until: &str, idle: bool) -> TimelinePiece {
        let at = |time: &str| format!("2026-11-30T{time}Z");
        TimelinePiece { from: at(from), until: at(until), idle }
    }

    fn run(number: u64, outcome: Option<&str>) -> TimelineRun {
        let at = |time: &str| Some(format!("2026-11-30T{time}Z"));
        TimelineRun {
            run: format!("r{number}"),
            job: "//:make".to_owned(),
            partition: "daily/date=2026-11-30".to_owned(),
            partitions: 1,
            state: "completed".to_owned(),
            attempts: vec![AttemptTimes {
                number: 1,
                outcome: outcome.map(str::to_owned),
                ready_at: at("10:00:00"),
                leased_at: at("10:00:10").unwrap(),
                started_at: at("10:00:12"),
                ended_at: outcome.and_then(|_| at("10:01:00")),
                wall_ms: outcome.map(|_| 48_000),
            }],
        }
    }

    fn timeline(runs: Vec<TimelineRun>) -> Timeline {
        let axis = vec![
            piece("10:00:00", "10:02:00", false),
            piece("10:02:00", "14:00:00", true),
            piece("14:00:00", "14:02:00", false),
        ];
        Timeline { axis, total: runs.len() as u64, runs, ..Timeline::default() }
    }

    #[test]
    fn idle_time_is_short_and_all_else_has_its_share() {
        let axis = Axis::of(&timeline(Vec::new()));
        let x = |time: &str| axis.x(ms(&format!("2026-11-30T{time}Z")).unwrap());
        assert!((x("10:02:00") - LABEL - (x("14:02:00") - x("14:00:00"))).abs() < 0.01);
        assert!((x("14:00:00") - x("10:02:00") - PAUSE).abs() < 0.01);
        assert!((x("14:02:00") - (WIDTH - RIGHT)).abs() < 0.01 && x("09:00:00") == LABEL);
    }

    #[test]
    fn each_phase_has_a_pattern_and_a_text_and_failures_a_cross() {
        let now = "2026-11-30T10:02:00Z".parse().unwrap();
        let page = Url::new("/timeline");
        let shown = figure(&timeline(vec![run(1, Some("failure")), run(2, None)]), &page, now).into_string();
        for part in [
            "fill=\"url(#p-wait)\"",
            "<title>r1 attempt 1 waited 10 s</title>",
            "<title>r1 attempt 1 was on its way for 2.0 s</title>",
            "<title>r1 attempt 1 failure, ran 48 s</title>",
            "class=\"k-bad\"",
            "<title>r2 attempt 1 runs 1 min 48 s</title>",
            "none of these runs was under way for 3 h 58 min",
        ] {
            assert!(shown.contains(part), "{part} is not in {shown}");
        }
    }

    #[test]
    fn there_are_few_marks_however_many_runs() {
        let marks = |text: &str| text.matches("<rect").count() + text.matches("<path").count();
        let now = "2026-11-30T10:02:00Z".parse().unwrap();
        let mut many = run(1, Some("failure"));
        many.attempts = (1..=5).map(|number| AttemptTimes { number, ..many.attempts[0].clone() }).collect();
        let shown = figure(&timeline(vec![many; 100]), &Url::new("/timeline"), now).into_string();
        assert!(marks(&shown) <= 2_050, "{}", marks(&shown));
        let bin = TimelineBin {
            from: "2026-11-30T10:00:00Z".to_owned(),
            until: "2026-11-30T10:01:00Z".to_owned(),
            runs: 7,
            failed: 1,
            dispatch_ms: 5_000,
            running_ms: 50_000,
        };
        let fold = TimelineFold { job: "//:a".to_owned(), runs: 500, bins: vec![bin; 48] };
        let folded = Timeline { folds: vec![fold; 13], ..timeline(Vec::new()) };
        let shown = figure(&folded, &Url::new("/timeline").with("want", "w3"), now).into_string();
        assert!(marks(&shown) <= 2_000, "{}", marks(&shown));
        assert!(
            shown.contains(
                "/timeline?want=w3&amp;from=2026-11-30T10:00:00Z&amp;until=2026-11-30T10:01:00Z&amp;job=//:a"
            ),
            "{shown}"
        );
    }
}
