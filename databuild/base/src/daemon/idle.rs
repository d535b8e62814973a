//! When a server that nobody needs ends. No clock is read here: the caller says what time it is.

use std::time::{Duration, Instant};

/// What keeps a server up besides requests. Open pages and paused wants do not
/// count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Runs that are leased or running.
    pub live_runs: usize,
    /// Wants that have something to do now or at a known time.
    pub due_wants: usize,
    /// Schedules that have a next tick.
    pub schedules: usize,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdleDecision {
    /// Stay. Without a request the answer cannot change before this time has
    /// passed; `None` means never (no limit is set).
    Stay {
        /// How long to wait before asking again.
        look_again_in: Option<Duration>,
    },
    /// Nobody has needed the server for the whole limit.
    ShutDown,
}

/// Counts the time since the server was last of use. `Instant` does not advance
/// while a laptop sleeps, so a night with a closed lid is not idle time.
#[derive(Clone, Copy, Debug)]
pub struct IdleClock {
    limit: Option<Duration>,
    last_used: Instant,
}

impl IdleClock {
    /// A clock of a server started at `started`: it has the whole limit to get
    /// its first request. Without a limit the server stays for ever.
    pub fn new(started: Instant, limit: Option<Duration>) -> Self {
        IdleClock { limit, last_used: started }
    }

    /// Decides at `now`, given when the last request came (`None`: none yet) and
    /// what is going on. The limit counts anew from the end of the work.
    pub fn decide(&mut self, now: Instant, last_request: Option<Instant>, work: Work) -> IdleDecision {
        if let Some(request) = last_request {
            self.last_used = self.last_used.max(request);
        }
        if work.live_runs > 0 || work.due_wants > 0 || work.schedules > 0 {
            self.last_used = self.last_used.max(now);
        }
        let Some(limit) = self.limit else {
            return IdleDecision::Stay { look_again_in: None };
        };
        let left = limit.saturating_sub(now.saturating_duration_since(self.last_used));
        if left.is_zero() {
            IdleDecision::ShutDown
        } else {
            IdleDecision::Stay { look_again_in: Some(left) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u64 = 100;
    const NONE: Work = Work { live_runs: 0, due_wants: 0, schedules: 0 };
    const RUN: Work = Work { live_runs: 1, ..NONE };
    const WANT: Work = Work { due_wants: 1, ..NONE };
    const SCHEDULE: Work = Work { schedules: 1, ..NONE };

    /// Seconds after the start: (now, last request, work) and the time left
    /// expected; 0 is a shutdown.
    fn check(steps: &[(u64, Option<u64>, Work, u64)]) {
        let start = Instant::now();
        let at = |s: u64| start + Duration::from_secs(s);
        let mut clock = IdleClock::new(start, Some(Duration::from_secs(LIMIT)));
        for &(now, request, work, left) in steps {
            let expected = match left {
                0 => IdleDecision::ShutDown,
                left => IdleDecision::Stay { look_again_in: Some(Duration::from_secs(left)) },
            };
            let decided = clock.decide(at(now), request.map(at), work);
            assert_eq!(decided, expected, "at {now} of {steps:?}");
        }
    }

    #[test]
    fn a_new_server_has_the_whole_limit() {
        check(&[(0, None, NONE, 100), (99, None, NONE, 1), (100, None, NONE, 0)]);
    }

    #[test]
    fn a_request_begins_the_limit_anew() {
        check(&[(90, Some(80), NONE, 90), (179, Some(80), NONE, 1), (180, Some(80), NONE, 0)]);
    }

    #[test]
    fn live_runs_due_wants_and_schedules_keep_it_and_the_limit_counts_from_their_end() {
        check(&[
            (500, None, RUN, 100),
            (900, None, WANT, 100),
            (910, None, SCHEDULE, 100),
            (1009, None, NONE, 1),
        ]);
        check(&[(500, None, RUN, 100), (600, None, NONE, 0)]);
    }

    #[test]
    fn times_out_of_order_do_not_shorten_the_limit() {
        check(&[(50, Some(60), NONE, 100), (60, Some(10), NONE, 100), (160, Some(10), NONE, 0)]);
    }

    #[test]
    fn without_a_limit_it_stays() {
        let start = Instant::now();
        let mut clock = IdleClock::new(start, None);
        assert_eq!(
            clock.decide(start + Duration::from_secs(1_000_000), None, NONE),
            IdleDecision::Stay { look_again_in: None }
        );
    }
}
