//! Graphs that are registered.

use crate::decide::changes::replan;
use crate::decide::changes::replan::{rests, retire_retries};
use crate::decide::messages::refusal::Refusal;
use crate::decide::messages::step::Reply;
use crate::decide::out::Out;
use crate::event::{Event, GraphRegistered};
use crate::graph::Graph;

/// A graph becomes the one that new work follows.
pub(crate) fn register(out: &mut Out, event: GraphRegistered) -> Result<Reply, Refusal> {
    if let Some(now) = out.state.followed() {
        if now.id == event.graph && now.inherited == event.inherited {
            return Ok(Reply::Registered { changed: false });
        }
    }
    // Checked on a copy: folding must not fail, and a refused graph must leave no symbols behind.
    if let Err(problems) = Graph::parse_new(&event.content, &mut out.state.symbols().clone()) {
        let text = problems.first().map(ToString::to_string).unwrap_or_default();
        return Err(Refusal::BadGraph(text));
    }
    let before = out.state.followed().cloned();
    let rests = rests(out.state);
    out.event(Event::GraphRegistered(event));
    if let Some(before) = before {
        retire_retries(out);
        replan::replan(out, &before.graph, rests, &[]);
    }
    Ok(Reply::Registered { changed: true })
}
