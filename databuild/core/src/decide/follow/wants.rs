//! Wants that are over, and those whose time is.

use crate::decide::changes::ends;
use crate::decide::changes::ends::want_over;
use crate::decide::follow::again::goes_on;
use crate::decide::out::Out;
use crate::decide::queries::targets::targets_now;
use crate::event::{Event, WantEnded, WantOutcome};
use crate::ids::WantId;
use crate::state::{State, Want};
use crate::text::first_of;
use jiff::Timestamp;

/// References that a message names.
const MOST_NAMED: usize = 5;

/// Gives up wants whose time is over.
pub(crate) fn expire_wants(out: &mut Out) {
    let expired: Vec<WantId> = out
        .state
        .wants()
        .values()
        .filter(|want| want.expires_at.is_some_and(|at| at <= out.now))
        .map(|want| want.id)
        .collect();
    for id in expired {
        ends::end(out, id, WantOutcome::Expired);
    }
}

/// Ends wants that wait for nothing any more.
pub(crate) fn end_wants(out: &mut Out) {
    let done: Vec<_> = out.state.wants().values().filter(|want| want.is_done()).cloned().collect();
    for want in done {
        if goes_on(out, &want) {
            continue;
        }
        let nothing = names_nothing(out.state, &want);
        let outcome = match want.counts.not_done() == 0 && nothing.is_none() {
            true => WantOutcome::Satisfied,
            false => WantOutcome::Failed,
        };
        let causes = want.causes.iter().cloned().chain(nothing).collect();
        out.event(Event::WantEnded(WantEnded { want: want.id, outcome, causes, counts: Some(want.counts) }));
        want_over(out, &want, outcome);
    }
}

/// Why a want failed that asked for nothing: mostly, somebody expects data that cannot be there yet, and would take
/// success for it.
fn names_nothing(state: &State, want: &Want) -> Option<String> {
    if want.asked.is_empty() || !want.targets.is_empty() || !targets_now(state, want).is_empty() {
        return None;
    }
    let texts = first_of(want.asked.iter().map(|text| format!("`{text}`")), MOST_NAMED);
    let name = if want.asked.len() == 1 { "names" } else { "name" };
    let as_of = want.as_of.strftime("%Y-%m-%dT%H:%M:%SZ");
    Some(format!("nothing is selected: {texts} {name} no partition as of {as_of}"))
}

/// When the next want's time is over.
pub(crate) fn next_expiry(state: &State) -> Option<Timestamp> {
    state.wants().values().filter_map(|want| want.expires_at).min()
}
