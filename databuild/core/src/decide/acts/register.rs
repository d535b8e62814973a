//! Graphs that are registered.

use crate::decide::changes::replan;
use crate::decide::changes::replan::{rests, retire_retries};
use crate::decide::messages::input::Registration;
use crate::decide::messages::refusal::Refusal;
use crate::decide::messages::step::Reply;
use crate::decide::out::Out;
use crate::graph::CheckedGraph;

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
    let rests = rests(out.state);
    out.graph(event, checked);
    if let Some(before) = before {
        retire_retries(out);
        replan::replan(out, &before.graph, rests, &[]);
    }
    Ok(Reply::Registered { changed: true })
}
