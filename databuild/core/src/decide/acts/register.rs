//! Graphs that are registered.

use crate::decide::changes::replan;
use crate::decide::changes::replan::{rests, retire_retries};
use crate::decide::messages::input::{Leave, Registration};
use crate::decide::messages::refusal::{OnlyDeployed, Refusal};
use crate::decide::messages::step::Reply;
use crate::decide::out::Out;
use crate::decide::queries::ticks::{skipped, unaccounted};
use crate::event::Skip;
use crate::graph::{CheckedGraph, Graph};
use crate::ids::GraphId;

/// A graph becomes the one that new work follows.
pub(crate) fn register(out: &mut Out, registration: Registration) -> Result<Reply, Refusal> {
    let Registration { event, checked, leave } = registration;
    let before = out.state.followed().cloned();
    if let Some(now) = &before {
        if now.id == event.graph && now.inherited == event.inherited {
            return Ok(Reply::Registered { changed: false });
        }
    }
    may_change(&leave, before.as_ref().map(|now| (&now.id, now.graph.starts_by_itself())))?;
    // Read beside the state: folding must not fail, and a refused graph must leave no symbols behind.
    let checked = match checked.filter(|checked| checked.fits(out.state.symbols())) {
        Some(checked) => checked,
        None => CheckedGraph::new(&event.content, out.state.symbols()).map_err(|problems| {
            Refusal::BadGraph(problems.first().map(ToString::to_string).unwrap_or_default())
        })?,
    };
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

/// Whether a registration may change the graph that is followed: its id, and whether it starts work by itself.
fn may_change(leave: &Leave, now: Option<(&GraphId, bool)>) -> Result<(), Refusal> {
    match (leave, now) {
        (Leave::Nothing, _) => Err(Refusal::NotDeployed(OnlyDeployed::Setting)),
        (Leave::QuietGraph, Some((_, true))) => Err(Refusal::NotDeployed(OnlyDeployed::ActiveGraph)),
        (Leave::QuietGraph, _) => Ok(()),
        (Leave::Deployment { instead_of }, now) => match now.map(|(id, _)| id) {
            id if id == instead_of.as_ref() => Ok(()),
            id => Err(Refusal::OtherGraph(id.map_or_else(String::new, |id| id.short().to_owned()))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_starts_work_by_itself_is_replaced_by_deployments_of_who_saw_it() {
        let (old, other) = (GraphId::of("old"), GraphId::of("other"));
        let deployed = |instead_of: Option<&GraphId>| Leave::Deployment { instead_of: instead_of.cloned() };
        let (quiet, active) = (Some((&old, false)), Some((&old, true)));
        let needed = |why| Err(Refusal::NotDeployed(why));
        let changed = |id: &GraphId| Err(Refusal::OtherGraph(id.short().to_owned()));
        for (leave, now, expected) in [
            (Leave::QuietGraph, None, Ok(())),
            (Leave::QuietGraph, quiet, Ok(())),
            (Leave::QuietGraph, active, needed(OnlyDeployed::ActiveGraph)),
            (Leave::Nothing, None, needed(OnlyDeployed::Setting)),
            (Leave::Nothing, quiet, needed(OnlyDeployed::Setting)),
            (Leave::Nothing, active, needed(OnlyDeployed::Setting)),
            (deployed(None), None, Ok(())),
            (deployed(Some(&old)), quiet, Ok(())),
            (deployed(Some(&old)), active, Ok(())),
            (deployed(None), active, changed(&old)),
            (deployed(Some(&other)), quiet, changed(&old)),
            (deployed(Some(&other)), None, Err(Refusal::OtherGraph(String::new()))),
        ] {
            assert_eq!(may_change(&leave, now), expected, "{leave:?} {now:?}");
        }
    }
}
