//! Runs that people cancel.

use crate::decide::changes::ends::{abandon_downstream, stop};
use crate::decide::messages::refusal::Refusal;
use crate::decide::messages::step::Reply;
use crate::decide::out::Out;
use crate::event::{Event, RunCancelRequested};
use crate::ids::RunId;

pub(crate) fn cancel_run(out: &mut Out, id: RunId) -> Result<Reply, Refusal> {
    let run = out.state.runs().get(&id).cloned().ok_or(Refusal::UnknownRun(id))?;
    // What is being published is as good as done.
    let unmade = run.unmade(out.state.symbols());
    if !run.cancel_requested && !unmade.is_empty() {
        out.event(Event::RunCancelRequested(RunCancelRequested { run: id }));
        stop(out, id);
        abandon_downstream(out, &run, &unmade);
    }
    Ok(Reply::Done)
}
