//! After a restart: what the log says is under way is held against what the executor knows.

use crate::decide::lives::attempt;
use crate::decide::messages::refusal::Refusal;
use crate::decide::messages::report::{AttemptEnd, AttemptReport};
use crate::decide::messages::step::{Effect, Reply};
use crate::decide::out::Out;
use crate::event::AttemptOutcome;
use crate::ids::AttemptId;
use crate::state::Phase;
use std::sync::Arc;

/// Attempts that nobody knows are lost, and what was asked for is ordered again: to stop, or to take back what has not begun. After a restart
/// publications that were intended are done again, too; later the publisher has them.
pub(crate) fn resume(out: &mut Out, known: &[AttemptId], after_restart: bool) -> Result<Reply, Refusal> {
    let runs: Vec<_> = out.state.runs().values().cloned().collect();
    for run in runs {
        let attempt = run.attempt_id();
        match &run.phase {
            Phase::Leased | Phase::Running if !known.contains(&attempt) => {
                let message = match run.phase {
                    // It may have begun a moment before all went down at once.
                    Phase::Leased => {
                        "attempt lost: the server or the runner ended before the job is known to have started"
                    }
                    _ => "attempt lost: the runner or the machine stopped",
                };
                let report = AttemptReport::new(AttemptOutcome::Lost, message);
                attempt::ended(out, attempt, AttemptEnd::without_process(report))?;
            }
            Phase::Leased | Phase::Running if run.cancel_requested => {
                out.effects.push(Effect::Cancel(attempt))
            }
            Phase::Leased if out.state.is_held_back(&run) => out.effects.push(Effect::Withdraw(attempt)),
            Phase::Publishing if after_restart => out.effects.push(Effect::Publish {
                attempt,
                graph: Arc::clone(&run.graph),
                outputs: run.intended.clone(),
                again: true,
            }),
            Phase::Leased | Phase::Running | Phase::Publishing | Phase::RetryWait(_) => {}
        }
    }
    Ok(Reply::Done)
}
