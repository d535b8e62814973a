//! Wants: created, canceled, paused, resumed, put before or after others.

use crate::decide::changes::begin::{begin, Start};
use crate::decide::changes::ends::{end, withdraw_paused};
use crate::decide::changes::sight::sight;
use crate::decide::messages::input::WantRequest;
use crate::decide::messages::refusal::Refusal;
use crate::decide::messages::sightings::Sightings;
use crate::decide::messages::step::Reply;
use crate::decide::out::Out;
use crate::decide::queries::targets::{
    instant, kept_references, relative_references, repeated, resolve_targets,
};
use crate::event::{Event, PriorityClass, WantOutcome, WantPaused, WantReprioritized, WantResumed};
use crate::graph::Params;
use crate::ids::WantId;
use crate::planner;
use crate::state::Want;
use std::sync::Arc;

/// A want comes into being with all the work that it may need.
pub(crate) fn create(out: &mut Out, request: WantRequest, sightings: &Sightings) -> Result<Reply, Refusal> {
    create_with(out, request, Params::new(), sightings)
}

/// The same with values of parameters for what makes the targets.
pub(crate) fn create_with(
    out: &mut Out,
    request: WantRequest,
    params: Params,
    sightings: &Sightings,
) -> Result<Reply, Refusal> {
    if let Some(made) = repeated(out.state, request.key.as_ref(), out.now)? {
        return Ok(Reply::Repeated(made));
    }
    let registered = out.state.followed().cloned().ok_or(Refusal::NoGraph)?;
    if request.graph.as_ref().is_some_and(|graph| *graph != registered.id) {
        return Err(Refusal::OtherGraph(registered.id.short().to_owned()));
    }
    if request.targets.is_empty() {
        return Err(Refusal::NoTargets);
    }
    // Nothing may change before the request is found good, for a refusal leaves no event.
    let as_of = instant(out.now, request.as_of);
    let targets = resolve_targets(out.state, &request.targets, as_of)?;
    // Of what names nothing, all is kept: keys may come while the want is open, and people see what was asked.
    let asked = kept_references(out.state, &request.targets, &targets, as_of)?;
    let written = relative_references(out.state, &request.targets, as_of);
    sight(out, sightings);
    out.state.advance(as_of);

    let plan = out
        .state
        .at(as_of, |state| planner::plan_despite(state, &targets, request.refresh, &sightings.unseen));
    let start = Start {
        targets: &targets,
        refresh: request.refresh,
        as_of,
        class: request.class,
        ttl_seconds: request.ttl_seconds,
        sla_seconds: request.sla_seconds,
        comment: request.comment,
        carries_out: None,
        parent: None,
        params,
        request: request.key,
        asked,
        written,
    };
    Ok(Reply::Want(begin(out, &plan, start)))
}

/// A want is over as one act; runs that nobody else wants stop.
pub(crate) fn cancel(out: &mut Out, id: WantId) -> Result<Reply, Refusal> {
    if !out.state.wants().contains_key(&id) {
        return Err(Refusal::UnknownWant(id));
    }
    end(out, id, WantOutcome::Canceled);
    Ok(Reply::Done)
}

fn live(out: &Out, id: WantId) -> Result<Arc<Want>, Refusal> {
    out.state.wants().get(&id).cloned().ok_or(Refusal::UnknownWant(id))
}

/// Nothing more is begun for a want; what is under way goes on, and its time to live too. Attempts that were handed out
/// ahead are not under way: they are taken back.
pub(crate) fn pause(out: &mut Out, want: WantId) -> Result<Reply, Refusal> {
    if !live(out, want)?.paused {
        out.event(Event::WantPaused(WantPaused { want }));
        withdraw_paused(out);
    }
    Ok(Reply::Done)
}

/// A paused want goes on.
pub(crate) fn resume(out: &mut Out, want: WantId) -> Result<Reply, Refusal> {
    if live(out, want)?.paused {
        out.event(Event::WantResumed(WantResumed { want }));
    }
    Ok(Reply::Done)
}

/// A want goes before or after others from now on. What is under way stays under way.
pub(crate) fn prioritize(out: &mut Out, want: WantId, class: PriorityClass) -> Result<Reply, Refusal> {
    if live(out, want)?.class != class {
        out.event(Event::WantReprioritized(WantReprioritized { want, class }));
    }
    Ok(Reply::Done)
}
