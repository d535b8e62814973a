//! Requests that named themselves: what is remembered of those that make nothing with an id.

use crate::decide::messages::refusal::Refusal;
use crate::decide::messages::step::Reply;
use crate::decide::out::Out;
use crate::decide::queries::targets::repeated;
use crate::event::{Event, RequestAnswered};
use crate::state::Made;

/// Remembers that a request was carried out, and its answer if that is to be told again. An answer is added to one of which only
/// the first is known.
pub(crate) fn answered(out: &mut Out, answered: RequestAnswered) -> Result<Reply, Refusal> {
    match repeated(out.state, Some(&answered.request), out.now)? {
        None => {}
        Some(Made::Done) if answered.answer.is_some() => {}
        Some(made) => return Ok(Reply::Repeated(made)),
    }
    out.event(Event::RequestAnswered(answered));
    Ok(Reply::Done)
}
