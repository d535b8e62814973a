//! What was measured of an attempt, for the fact of its end.

use crate::decide::messages::report::AttemptEnd;
use crate::event::{AttemptEnded, AttemptOutcome, Event};
use crate::ids::AttemptId;
use jiff::Timestamp;

/// What the end of an attempt says whatever came of it.
pub(crate) struct Measured {
    attempt: AttemptId,
    exit_code: Option<i32>,
    wall_ms: u64,
    cpu_ms: u64,
    max_rss_kb: u64,
    returned: Vec<u8>,
}

impl Measured {
    /// What `end` says.
    pub(crate) fn of(attempt: AttemptId, end: &AttemptEnd) -> Measured {
        let AttemptEnd { exit_code, wall_ms, cpu_ms, max_rss_kb, returned, .. } = end;
        Measured {
            attempt,
            exit_code: *exit_code,
            wall_ms: *wall_ms,
            cpu_ms: *cpu_ms,
            max_rss_kb: *max_rss_kb,
            returned: returned.clone(),
        }
    }

    /// The fact that the attempt ended in this way.
    pub(crate) fn end(
        &self,
        outcome: AttemptOutcome,
        message: String,
        retry_at: Option<Timestamp>,
        done: u64,
    ) -> Event {
        Event::AttemptEnded(AttemptEnded {
            attempt: self.attempt,
            outcome,
            message,
            exit_code: self.exit_code,
            wall_ms: self.wall_ms,
            cpu_ms: self.cpu_ms,
            max_rss_kb: self.max_rss_kb,
            retry_at,
            done,
            returned: self.returned.clone(),
        })
    }
}
