//! Trials: work is repeated in runs of which nothing is published, and what comes of them is compared.
//!
//! | an attempt of an arm ends | the arm then |
//! |---|---|
//! | success | has made its outputs |
//! | lost, at most as often as that of any run | is tried again at once |
//! | stopped, as by `databuild stop --jobs` | is tried again at once |
//! | otherwise | has failed; of its sample nothing more is begun |

use crate::decide::changes::ends::end_run;
use crate::decide::lives::measured::Measured;
use crate::decide::messages::report::{AttemptEnd, AttemptReport};
use crate::decide::messages::step::Effect;
use crate::decide::out::Out;
use crate::decide::queries::backoff::{MAX_LOSSES, MAX_MOVES};
use crate::event::{AttemptOutcome, Event, TrialMade};
use crate::state::Run;

/// An attempt of an arm is over.
pub(crate) fn ended(out: &mut Out, run: &Run, end: AttemptEnd) {
    let attempt = run.attempt_id();
    let measured = Measured::of(attempt, &end);
    match end.result {
        // Keys that it found are nobody's: nothing of a trial is seen elsewhere.
        Ok(success) if !run.cancel_requested => {
            out.event(measured.end(AttemptOutcome::Success, String::new(), None, 0));
            out.event(Event::TrialMade(TrialMade { attempt, outputs: success.outputs }));
            out.effects.push(Effect::Forget(attempt));
        }
        Ok(_) => {
            let message = "canceled".to_owned();
            out.event(measured.end(AttemptOutcome::Canceled, message.clone(), None, 0));
            out.effects.push(Effect::Forget(attempt));
            end_run(out, run, true, message);
        }
        Err(AttemptReport { outcome, message, .. }) => {
            let (outcome, message) = match outcome {
                AttemptOutcome::MissingInput { .. } => {
                    let message = format!("{message}, and a trial makes nothing that it needs");
                    (AttemptOutcome::Failure { permanent: true }, message)
                }
                outcome => (outcome, message),
            };
            let again = match outcome {
                AttemptOutcome::Canceled => true,
                AttemptOutcome::Lost => run.losses < MAX_LOSSES,
                AttemptOutcome::InputsMoved => run.moves < MAX_MOVES,
                _ => false,
            };
            let again = again && !run.cancel_requested;
            let retry_at = again.then_some(out.now);
            let canceled = run.cancel_requested;
            out.event(measured.end(outcome, message.clone(), retry_at, 0));
            out.effects.push(Effect::Forget(attempt));
            if retry_at.is_none() {
                end_run(out, run, canceled, message);
            }
        }
    }
}
