//! Times as people read them, with the exact instant behind them.

use databuild_core::amounts::count;
use jiff::{SignedDuration, Timestamp};
use maud::{html, Markup};

/// An instant as how long ago it was; the exact one shows when somebody points at it.
#[must_use]
pub fn ago(instant: &str, now: Timestamp) -> Markup {
    let Ok(at) = instant.parse::<Timestamp>() else { return html! { (instant) } };
    html! { time datetime=(instant) title=(exact(at)) data-ago { (ago_text(at, now)) } }
}

/// The same, of what may not have been yet.
#[must_use]
pub fn ago_if(instant: Option<&str>, now: Timestamp) -> Markup {
    match instant {
        Some(instant) => ago(instant, now),
        None => html! {},
    }
}

/// How long something goes on that began then. The script keeps it up to date.
#[must_use]
pub fn since(instant: &str, now: Timestamp) -> Markup {
    let Ok(at) = instant.parse::<Timestamp>() else { return html! { (instant) } };
    html! { time datetime=(instant) title={ "since " (exact(at)) } data-since { (span(now.duration_since(at))) } }
}

/// From one instant to another.
#[must_use]
pub fn between(from: &str, to: &str) -> String {
    match (from.parse::<Timestamp>(), to.parse::<Timestamp>()) {
        (Ok(from), Ok(to)) => span(to.duration_since(from)),
        _ => String::new(),
    }
}

/// `2026-11-30 10:42:07 UTC`.
#[must_use]
pub fn exact(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Milliseconds from one instant to another.
#[must_use]
pub fn milliseconds(from: &str, to: Timestamp) -> Option<u64> {
    let from = from.parse::<Timestamp>().ok()?;
    u64::try_from(to.duration_since(from).as_millis()).ok()
}

/// `350 ms`, `42 s`, `3 min 10 s`, `1 h 02 min`, `3 d 4 h`.
#[must_use]
pub fn length(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0 => format!("{ms} ms"),
        1..=9 => format!("{}.{} s", seconds, ms / 100 % 10),
        10..=59 => format!("{seconds} s"),
        60..=3599 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        3600..=86_399 => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

fn span(duration: SignedDuration) -> String {
    length(u64::try_from(duration.as_millis()).unwrap_or(0))
}

fn ago_text(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(at).as_secs();
    let (ago, seconds) = if seconds < 0 { ("in ", -seconds) } else { ("", seconds) };
    // Whoever waits for it wants to know it better than whoever looks back.
    if !ago.is_empty() && seconds < 86_400 {
        return format!("in {}", span(SignedDuration::from_secs(seconds)));
    }
    let text = match seconds {
        0..=4 if ago.is_empty() => return "just now".to_owned(),
        0..=59 => format!("{seconds} s"),
        60..=3599 => format!("{} min", seconds / 60),
        3600..=86_399 => format!("{} h", seconds / 3600),
        86_400..=2_591_999 => count(seconds.unsigned_abs() / 86_400, "day"),
        _ => return at.strftime("%Y-%m-%d").to_string(),
    };
    if ago.is_empty() {
        format!("{text} ago")
    } else {
        format!("in {text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_as_people_say_them() {
        let now: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
        for (at, text) in [
            ("2026-11-30T11:59:58Z", "just now"),
            ("2026-11-30T11:59:18Z", "42 s ago"),
            ("2026-11-30T11:54:00Z", "6 min ago"),
            ("2026-11-29T12:00:00Z", "1 day ago"),
            ("2026-11-28T11:00:00Z", "2 days ago"),
            ("2026-09-01T00:00:00Z", "2026-09-01"),
            ("2026-11-30T12:00:41Z", "in 41 s"),
            ("2026-11-30T14:59:59Z", "in 2 h 59 min"),
            ("2026-12-02T12:00:00Z", "in 2 days"),
        ] {
            assert_eq!(ago_text(at.parse().unwrap(), now), text);
        }
        for (ms, text) in [
            (350, "350 ms"),
            (1_290, "1.2 s"),
            (42_000, "42 s"),
            (190_000, "3 min 10 s"),
            (3_720_000, "1 h 02 min"),
            (273_600_000, "3 d 4 h"),
        ] {
            assert_eq!(length(ms), text);
        }
        let shown = ago("2026-11-30T11:54:00Z", now).into_string();
        assert!(shown.contains("title=\"2026-11-30 11:54:00 UTC\""), "{shown}");
        assert_eq!(ago("<soon>", now).into_string(), "&lt;soon&gt;");
    }
}
