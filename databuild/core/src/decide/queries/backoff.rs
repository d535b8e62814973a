//! When and how often an attempt is made again.

use crate::digest::mix;
use crate::event::AttemptOutcome;
use crate::graph::JobPolicy;
use crate::state::{Phase, Run};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// An attempt that is lost (its supervisor died, the machine restarted) is no fault of the job and is
/// made again, but not forever: the job may be what kills the machine.
pub const MAX_LOSSES: u32 = 3;

/// An attempt whose inputs were changed under it may have read a mixture that is recorded nowhere, so nothing of it
/// is published. It is no fault of the job and is made again, but not forever: who writes may not stop.
pub const MAX_MOVES: u32 = 3;

/// When the next attempt is due, if there is to be one.
pub(crate) fn retry_at(run: &Run, outcome: &AttemptOutcome, now: Timestamp) -> Option<Timestamp> {
    if run.cancel_requested {
        return None;
    }
    let policy = &run.graph.graph.job(run.job).policy;
    match outcome {
        AttemptOutcome::Success
        | AttemptOutcome::MissingInput { .. }
        | AttemptOutcome::Failure { permanent: true } => None,
        // Somebody had all jobs stopped, or paused its wants before it began, and nobody stopped this run, which is wanted
        // as before. It costs no attempt.
        AttemptOutcome::Canceled => Some(now),
        AttemptOutcome::Lost => (run.losses < MAX_LOSSES).then_some(now),
        AttemptOutcome::InputsMoved => {
            let before = run.moves.checked_sub(1);
            let delay = before.map_or(Duration::ZERO, |before| backoff(policy, before, noise(run)));
            (run.moves < MAX_MOVES).then(|| later(now, delay))
        }
        AttemptOutcome::Failure { permanent: false }
        | AttemptOutcome::Timeout
        | AttemptOutcome::OutOfMemory => {
            if run.failures >= policy.retries {
                return None;
            }
            Some(later(now, backoff(policy, run.failures, noise(run))))
        }
    }
}

/// What tells the delays of a run's attempts apart from those of others.
fn noise(run: &Run) -> u64 {
    mix(run.id.0, u64::from(run.attempt))
}

/// The instant so much later, or the last one that there is.
fn later(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| at.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}

/// Until when a run waits for its next attempt; none if that is due. A wait that is longer than any backoff of its was
/// noted by a clock that was set back since, so it is over: clocks that are set delay no retry for long.
#[must_use]
pub(crate) fn waits_until(run: &Run, now: Timestamp) -> Option<Timestamp> {
    let Phase::RetryWait(at) = run.phase else { return None };
    let policy = &run.graph.graph.job(run.job).policy;
    let longest = full_backoff(policy, run.failures.saturating_sub(1));
    (at > now && at <= later(now, longest)).then_some(at)
}

/// Exponential backoff with "equal jitter": half of the delay is fixed, half depends on `noise`, so that
/// many runs that failed together do not come back together. `failures` counts those before this one.
#[must_use]
pub(crate) fn backoff(policy: &JobPolicy, failures: u32, noise: u64) -> Duration {
    let half = full_backoff(policy, failures) / 2;
    // 53 bits make an exact f64 in [0, 1).
    half + half.mul_f64((noise >> 11) as f64 / (1u64 << 53) as f64)
}

fn full_backoff(policy: &JobPolicy, failures: u32) -> Duration {
    policy.backoff.saturating_mul(2u32.saturating_pow(failures)).min(policy.backoff_max.max(policy.backoff))
}
