//! Wants that are over, and those whose time is.

use crate::decide::changes::ends;
use crate::decide::changes::ends::want_over;
use crate::decide::follow::again::goes_on;
use crate::decide::out::Out;
use crate::event::{Event, WantEnded, WantOutcome};
use crate::ids::WantId;
use crate::state::State;
use jiff::Timestamp;

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
        let outcome = if want.failed == 0 { WantOutcome::Satisfied } else { WantOutcome::Failed };
        out.event(Event::WantEnded(WantEnded { want: want.id, outcome, causes: want.causes.clone() }));
        want_over(out, &want, outcome);
    }
}

/// When the next want's time is over.
pub(crate) fn next_expiry(state: &State) -> Option<Timestamp> {
    state.wants().values().filter_map(|want| want.expires_at).min()
}
