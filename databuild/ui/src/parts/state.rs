//! States: each has a colour and a shape, so that nobody needs to tell colours apart. The word stands beside them.

use maud::{html, Markup, PreEscaped};

/// How a state looks. Several words share a look where they mean the same to whoever skims a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// As it should be: a disc.
    Ok,
    /// As it should be, but something upstream is not: a clock.
    Behind,
    /// As it should be, and there is nothing in it: a ring.
    Empty,
    /// There, and not as it would be made now: half a disc.
    Stale,
    /// Not there: a broken ring.
    Missing,
    /// Being made: a ring around a dot.
    Running,
    /// Went wrong: a cross.
    Bad,
    /// Waits: three dots.
    Waiting,
    /// Will be tried again: an arrow that turns.
    Retry,
    /// Held: two bars.
    Paused,
    /// Over, and neither well nor wrong: a ring with a stroke through it.
    Canceled,
    /// Not to be: a dash.
    Out,
    /// Later than was asked for: a triangle.
    Late,
}

impl Look {
    /// That of a word of the API, be it of a partition, a run, an attempt, a want or a check.
    #[must_use]
    pub fn of(word: &str) -> Look {
        match word {
            "current" | "completed" | "satisfied" | "done" | "success" | "passed" | "equal" | "good"
            | "on" => Look::Ok,
            "behind" => Look::Behind,
            "empty" => Look::Empty,
            "stale" | "differs" | "inputs_moved" | "outdated" => Look::Stale,
            "missing" | "unseen" => Look::Missing,
            "building" | "running" | "publishing" => Look::Running,
            "failed" | "failure" | "permanent_failure" | "timeout" | "out_of_memory" | "lost" | "error"
            | "impossible" => Look::Bad,
            "retry_wait" | "backoff" => Look::Retry,
            "paused" | "suspended" | "missing_input" => Look::Paused,
            "canceled" | "canceling" | "expired" | "revoked" => Look::Canceled,
            "left_out" | "skipped" | "ended" => Look::Out,
            "late" => Look::Late,
            _ => Look::Waiting,
        }
    }

    /// The class of its colour, which is also the name of its shape.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Look::Ok => "ok",
            Look::Behind => "behind",
            Look::Empty => "empty",
            Look::Stale => "stale",
            Look::Missing => "miss",
            Look::Running => "run",
            Look::Bad => "bad",
            Look::Waiting => "wait",
            Look::Retry => "retry",
            Look::Paused => "pause",
            Look::Canceled => "off",
            Look::Out => "out",
            Look::Late => "late",
        }
    }

    /// Its shape alone, for where the word stands elsewhere.
    #[must_use]
    pub fn icon(self) -> Markup {
        let name = self.name();
        html! { svg class={ "i " (name) } viewBox="0 0 12 12" aria-hidden="true" { use href={ "#i-" (name) } {} } }
    }
}

/// A state, with its word as people read it.
#[must_use]
pub fn chip(word: &str) -> Markup {
    labeled(Look::of(word), &said(word))
}

/// A shape and what is said of it.
#[must_use]
pub fn labeled(look: Look, text: &str) -> Markup {
    html! { span.st { (look.icon()) span { (text) } } }
}

/// A word of the API as people read it.
#[must_use]
pub fn said(word: &str) -> String {
    match word {
        "current" => "up to date".to_owned(),
        "retry_wait" => "waiting to retry".to_owned(),
        "leased" => "handed out".to_owned(),
        "unseen" => "not seen".to_owned(),
        "attempt_leased" => "attempt handed out".to_owned(),
        other => other.replace('_', " "),
    }
}

/// All shapes, once a page; [`Look::icon`] refers to them.
#[must_use]
pub fn shapes() -> Markup {
    PreEscaped(SHAPES.to_owned())
}

const SHAPES: &str = concat!(
    r#"<svg width="0" height="0" class="hidden" aria-hidden="true"><defs>"#,
    r#"<g id="i-ok"><circle cx="6" cy="6" r="4.5" fill="currentColor"/></g>"#,
    r#"<g id="i-behind" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round"><circle cx="6" cy="6" r="4.4"/><path d="M6 3.600v2.600l1.700 1"/></g>"#,
    r#"<g id="i-empty"><circle cx="6" cy="6" r="4" fill="none" stroke="currentColor" stroke-width="1.600"/></g>"#,
    r#"<g id="i-stale"><circle cx="6" cy="6" r="4" fill="none" stroke="currentColor" stroke-width="1.600"/><path d="M6 2a4 4 0 0 1 0 8z" fill="currentColor"/></g>"#,
    r#"<g id="i-miss"><circle cx="6" cy="6" r="4.200" fill="none" stroke="currentColor" stroke-width="1.400" stroke-dasharray="2 1.600"/></g>"#,
    r#"<g id="i-run"><circle cx="6" cy="6" r="4.200" fill="none" stroke="currentColor" stroke-width="1.600"/><circle cx="6" cy="6" r="1.900" fill="currentColor"/></g>"#,
    r#"<g id="i-bad"><path d="M2.500 2.500l7 7m0-7l-7 7" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round"/></g>"#,
    r#"<g id="i-wait" fill="currentColor"><circle cx="2" cy="6" r="1.200"/><circle cx="6" cy="6" r="1.200"/><circle cx="10" cy="6" r="1.200"/></g>"#,
    r#"<g id="i-retry" fill="none" stroke="currentColor" stroke-width="1.600" stroke-linecap="round"><path d="M9.800 6a3.800 3.800 0 1 1-1.300-2.900"/><path d="M9.300 1v2.500H6.800"/></g>"#,
    r#"<g id="i-pause"><path d="M4 2.500v7M8 2.500v7" stroke="currentColor" stroke-width="2" stroke-linecap="round"/></g>"#,
    r#"<g id="i-off" fill="none" stroke="currentColor" stroke-width="1.500"><circle cx="6" cy="6" r="4.200"/><path d="M3.200 8.800l5.600-5.600"/></g>"#,
    r#"<g id="i-out"><path d="M2.500 6h7" stroke="currentColor" stroke-width="2" stroke-linecap="round"/></g>"#,
    r#"<g id="i-late"><path d="M6 1.500l5 9H1z" fill="currentColor"/></g>"#,
    "</defs></svg>"
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::PartitionState;
    use databuild_core::word::Word as _;

    const ALL: [Look; 13] = [
        Look::Ok,
        Look::Behind,
        Look::Empty,
        Look::Stale,
        Look::Missing,
        Look::Running,
        Look::Bad,
        Look::Waiting,
        Look::Retry,
        Look::Paused,
        Look::Canceled,
        Look::Out,
        Look::Late,
    ];

    #[test]
    fn each_look_has_a_shape_of_its_own() {
        for look in ALL {
            assert_eq!(SHAPES.matches(&format!("id=\"i-{}\"", look.name())).count(), 1, "{look:?}");
        }
    }

    #[test]
    fn states_of_partitions_look_different() {
        let looks: Vec<Look> = PartitionState::ALL.iter().map(|state| Look::of(state.word())).collect();
        for (at, look) in looks.iter().enumerate() {
            assert!(!looks[..at].contains(look) && *look != Look::Waiting, "{look:?}");
        }
    }
}
