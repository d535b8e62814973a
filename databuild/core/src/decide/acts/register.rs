//! Graphs that are registered.

use crate::decide::changes::replan;
use crate::decide::changes::replan::{rests, retire_retries};
use crate::decide::messages::input::Registration;
use crate::decide::messages::refusal::Refusal;
use crate::decide::messages::step::Reply;
use crate::decide::out::Out;
use crate::decide::queries::ticks::{skipped, unaccounted};
use crate::event::Skip;
use crate::graph::{CheckedGraph, Graph};

/// A graph becomes the one that new work follows.
pub(crate) fn register(out: &mut Out, registration: Registration) -> Result<Reply, Refusal> {
    let Registration { event, checked } = registration;
    if let Some(now) = out.state.followed() {
        if now.id == event.graph && now.inherited == event.inherited {
            return Ok(Reply::Registered { changed: false });
        }
    }
    // Read beside the state: folding must not fail, and a refused graph must leave no symbols behind.
    let checked = match checked.filter(|checked| checked.fits(out.state.symbols())) {
        Some(checked) => checked,
        None => CheckedGraph::new(&event.content, out.state.symbols()).map_err(|problems| {
            Refusal::BadGraph(problems.first().map(ToString::to_string).unwrap_or_default())
        })?,
    };
    let before = out.state.followed().cloned();
    if let Some(before) = &before {
        skip_replaced(out, &before.graph, &checked);
    }
    let rests = rests(out.state);
    out.graph(event, checked);
    if let Some(before) = before {
        retire_retries(out);
        replan::replan(out, &before.graph, rests, &[]);
    }
    Ok(Reply::Registered { changed: true })
}

/// Accounts for ticks that were due and that the new graph does not fire, since it has their schedule with other times or not
/// at all.
fn skip_replaced(out: &mut Out, before: &Graph, checked: &CheckedGraph) {
    for schedule in before.schedules() {
        if checked.graph().schedule(&schedule.name).is_some_and(|now| now.when == schedule.when) {
            continue;
        }
        if let Some(range) = unaccounted(out.state, schedule, out.now) {
            let paused =
                out.state.schedules().get(&schedule.name).is_some_and(|known| known.paused_at.is_some());
            let reason = if paused { Skip::Paused } else { Skip::Replaced };
            out.event(skipped(&schedule.name, range, reason, None));
        }
    }
}
