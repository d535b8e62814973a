//! What the build event log says: facts, in the past tense.
//!
//! [`each_event!`](crate::each_event) is the one list of them. Beside each record stand the line that people see of it and
//! an example for tests (`event/fact.rs`).
//!
//! Invariants:
//! - An event carries all that is needed to fold it into [`crate::state::State`]; folding decides nothing.
//! - Partitions and sets of them are written as reference texts (`hourly/city=seattle/date=2010-01-01..2010-01-31`),
//!   never as indices, so a log can be read without the graph that made it.
//! - One event may speak of a million partitions; it stays as small as the set's shape.
//! - Numbers and names of kinds are never given to another event, since logs and clients hold them. The fields of records
//!   are free to change: their stored form (crate `databuild-proto`) has names and numbers of its own.

pub mod examples;

mod checks;
mod fact;
mod garbage;
mod graphs;
mod judgements;
mod keys;
mod origin;
mod output;
mod plans;
mod pools;
mod request;
mod runs;
mod schedules;
mod sightings;
mod tokens;
mod trials;
mod wants;

pub use checks::*;
pub use garbage::*;
pub use graphs::*;
pub use judgements::*;
pub use keys::*;
pub use origin::*;
pub use output::*;
pub use plans::*;
pub use pools::*;
pub use request::*;
pub use runs::*;
pub use schedules::*;
pub use sightings::*;
pub use tokens::*;
pub use trials::*;
pub use wants::*;

pub use crate::priority::PriorityClass;
use crate::text::one_line;
use fact::Fact;
use jiff::Timestamp;

/// A fact with the time at which it was recorded, and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// When the orchestrator recorded it (wall clock, for people and for timers; never for order).
    pub at: Timestamp,
    /// Who brought it about, and on what occasion.
    pub origin: Origin,
    /// The fact.
    pub event: Event,
}

impl Record {
    /// What happened, as one line for people.
    #[must_use]
    pub fn text(&self) -> String {
        one_line(&self.event.text(&self.origin))
    }
}

/// The events, each once: its meaning, its variant, which is also the name of its record and of its stored message, the
/// number and the name of its kind. A new one is added at the end. `each_event!(then)` calls the macro `then!` with this list,
/// so that whoever does the same for all events needs no list of their own.
///
/// Folding it ([`crate::state`]) and listing it in the history are not the same for all. Matches over events there have no
/// `_`, so that each event is thought of: what they forget would be wrong for as long as the log is kept.
#[macro_export]
macro_rules! each_event {
    ($then:ident) => {
        $then! {
            /// A graph built by Bazel became the one that new work follows.
            GraphRegistered = 10 => "graph_registered",
            /// Partitions of an external dataset were looked at and have this content.
            Observed = 11 => "observed",
            /// Published files are no longer there.
            FilesVanished = 12 => "files_vanished",
            /// Published files have other bytes than were published.
            FilesAltered = 13 => "files_altered",
            /// Somebody wants partitions.
            WantCreated = 14 => "want_created",
            /// A want is over.
            WantEnded = 15 => "want_ended",
            /// Work that looked necessary is not: its inputs came out as they were.
            WorkCutOff = 16 => "work_cut_off",
            /// Work that cannot be done, as something it needs failed.
            WorkAbandoned = 17 => "work_abandoned",
            /// An attempt of a run was handed to an executor. The first attempt's lease is the run's birth.
            AttemptLeased = 18 => "attempt_leased",
            /// The executor started the attempt's process.
            AttemptStarted = 19 => "attempt_started",
            /// The attempt's process is over.
            AttemptEnded = 20 => "attempt_ended",
            /// Somebody asked for the run to stop.
            RunCancelRequested = 21 => "run_cancel_requested",
            /// Staged outputs were checked and are about to replace what is published.
            PublishIntended = 22 => "publish_intended",
            /// Outputs are published and are what these partitions now hold; the run is completed, unless it goes on.
            Materialized = 23 => "materialized",
            /// A run is over without result.
            RunEnded = 24 => "run_ended",
            /// What a want waits for was worked out anew, since the graph or the files it rests on changed.
            WantReplanned = 25 => "want_replanned",
            /// A run gave up some of its partitions for good and goes on with the others.
            PartitionsFailed = 26 => "partitions_failed",
            /// Nothing more is begun for a want, until it is resumed.
            WantPaused = 27 => "want_paused",
            /// A paused want goes on.
            WantResumed = 28 => "want_resumed",
            /// A want is of another class from now on.
            WantReprioritized = 29 => "want_reprioritized",
            /// A plan was shown and kept, to be applied later.
            PlanCreated = 30 => "plan_created",
            /// Plans are kept no longer.
            PlansDropped = 31 => "plans_dropped",
            /// Somebody declared data bad.
            Tainted = 40 => "tainted",
            /// Somebody took that back.
            Untainted = 41 => "untainted",
            /// Somebody judged a change of a job harmless: what it made before is as good as what it makes now.
            CodeAccepted = 42 => "code_accepted",
            /// Files that were there already are what these partitions hold.
            Adopted = 43 => "adopted",
            /// Dynamic keys came, or came back.
            KeysAdded = 50 => "keys_added",
            /// Dynamic keys went.
            KeysRetired = 51 => "keys_retired",
            /// Somebody gave a pool another size.
            PoolResized = 60 => "pool_resized",
            /// A run waits for partitions that it found it needs.
            RunSuspended = 52 => "run_suspended",
            /// Checks looked at what an attempt made.
            Checked = 70 => "checked",
            /// Work is to be repeated, to compare what comes of it.
            TrialCreated = 80 => "trial_created",
            /// An arm of a trial made its outputs, which nobody publishes.
            TrialMade = 81 => "trial_made",
            /// A trial is over.
            TrialEnded = 82 => "trial_ended",
            /// Somebody was given a token for the API.
            TokenCreated = 90 => "token_created",
            /// A token is worth nothing any more.
            TokenRevoked = 91 => "token_revoked",
            /// A request that named itself by a key was carried out, and this is what it was told.
            RequestAnswered = 92 => "request_answered",
            /// A schedule made a want.
            ScheduleFired = 100 => "schedule_fired",
            /// Ticks of a schedule make no want.
            TicksSkipped = 101 => "ticks_skipped",
            /// Somebody paused a schedule: no tick of it is fired until it is resumed.
            SchedulePaused = 102 => "schedule_paused",
            /// A paused schedule goes on.
            ScheduleResumed = 103 => "schedule_resumed",
            /// What nobody needed any more was removed: logs of attempts, code, or events that went to an archive.
            GarbageCollected = 93 => "garbage_collected",
        }
    };
}

macro_rules! declare {
    ($($(#[doc = $meaning:literal])+ $variant:ident = $number:literal => $kind:literal,)+) => {
        /// A fact.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Event {
            $($(#[doc = $meaning])+ $variant($variant),)+
        }

        impl Event {
            /// Stable name of the kind, as the API tells it.
            #[must_use]
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Event::$variant(_) => $kind,)+
                }
            }

            /// Stable number of the kind: its field in a stored record.
            #[must_use]
            pub fn number(&self) -> u32 {
                match self {
                    $(Event::$variant(_) => $number,)+
                }
            }

            fn text(&self, who: &Origin) -> String {
                match self {
                    $(Event::$variant(fact) => fact.text(who),)+
                }
            }

            /// An example of each event, for tests.
            #[must_use]
            pub fn examples() -> Vec<Event> {
                vec![$(Event::$variant(Fact::example()),)+]
            }
        }
    };
}

each_event!(declare);

impl Event {
    /// Whether nothing is missed if a power loss takes this event: the attempt that it is of is lost as well then, and
    /// is made again. An intent to publish more than one output is missed. Some of them may be in their places, and
    /// only the intent says which others belong to them. So is one of an empty output, which has nothing but the intent
    /// to show for it.
    #[must_use]
    pub fn goes_with_its_attempt(&self) -> bool {
        match self {
            Event::AttemptStarted(_) | Event::Checked(_) => true,
            Event::AttemptEnded(ended) => ended.outcome == AttemptOutcome::Success,
            Event::PublishIntended(intent) => matches!(intent.outputs.as_slice(), [one] if !one.empty),
            _ => false,
        }
    }
}
