//! What is said of wants, and of their work that needs no run.

use super::examples::{texts, time};
use super::fact::{listed, with, Fact};
use super::origin::Origin;
use super::output::SetText;
use super::request::RequestKey;
use crate::graph::Params;
use crate::ids::{PlanId, RunId, WantId};
use crate::priority::PriorityClass;
use crate::word::Word as _;
use crate::words;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

words! {
    /// What a want does with partitions that exist already.
    pub enum Refresh: "refresh" {
        /// Only what is missing is built; stale data is good enough.
        Missing = 1 => "missing",
        /// Missing and stale partitions are built.
        Stale = 2 => "stale",
        /// The wanted partitions are built whatever their state, and their missing or stale inputs, too.
        All = 3 => "all",
    }
}

/// See [`super::Event::WantCreated`].
#[derive(Debug, Clone, PartialEq)]
pub struct WantCreated {
    /// Its identity.
    pub want: WantId,
    /// What was asked for.
    pub targets: SetText,
    /// References of the request that leave out a dimension: they mean all keys that exist, whenever those come. If there
    /// are no targets, since no partition is named, all references of the request.
    pub asked: SetText,
    /// References of the request that have relative keys, as they were written; everything else has the keys that these meant.
    pub written: SetText,
    /// Its class.
    pub class: PriorityClass,
    /// What to refresh.
    pub refresh: Refresh,
    /// The instant for which key spaces were read: periods that had ended then exist.
    pub as_of: Timestamp,
    /// Give up after this instant.
    pub expires_at: Option<Timestamp>,
    /// Late after this instant (reported, nothing stops).
    pub due_at: Option<Timestamp>,
    /// What it is for, in the user's words.
    pub comment: String,
    /// All work that may be needed for it, as sets of the jobs' first outputs.
    pub work: SetText,
    /// The part of `work` that is done whatever its state.
    pub forced: SetText,
    /// The part of `work` that a run is making already, yet from other code or other inputs than a new
    /// one would: it is queued behind that run.
    pub successors: SetText,
    /// Targets (or what they need) that cannot be built, with the reason.
    pub blocked: Vec<Blocked>,
    /// The plan that it carries out: it may do less than that, and never more.
    pub plan: Option<PlanId>,
    /// The run on whose behalf it is: that is suspended until this is satisfied.
    pub parent: Option<RunId>,
    /// Values of parameters with which the targets, all of one job, are to be made; empty = its defaults.
    pub params: Params,
    /// The key by which the client named its request, if it did.
    pub request: Option<RequestKey>,
}

impl WantCreated {
    /// What was asked for, as people are shown it: references as they were given if they name no partition.
    #[must_use]
    pub fn shown_targets(&self) -> &SetText {
        if self.targets.is_empty() {
            &self.asked
        } else {
            &self.targets
        }
    }
}

impl Fact for WantCreated {
    fn text(&self, _: &Origin) -> String {
        let created = format!("{} was created for {}", self.want, listed(self.shown_targets()));
        match self.written.as_slice() {
            [] => created,
            written => format!("{created}, asked for as {}", listed(written)),
        }
    }

    fn example() -> WantCreated {
        WantCreated {
            want: WantId(3),
            targets: texts(["report/month=2024-01", "report/month=2024-02"]),
            class: PriorityClass::Backfill,
            refresh: Refresh::All,
            as_of: time("2024-03-14T01:02:03.123456789Z"),
            expires_at: Some(time("2024-03-15T00:00:00Z")),
            due_at: Some(time("1969-03-14T12:00:00.000000001Z")),
            comment: "für den Bericht".into(),
            work: texts(["daily/date=2024-01-01..2024-02-29"]),
            forced: texts(["report/month=2024-01"]),
            successors: texts(["daily/date=2024-01-05"]),
            blocked: vec![Blocked { partitions: texts(["raw/city=rome"]), reason: "no file".into() }],
            plan: Some(PlanId(7)),
            parent: Some(RunId(11)),
            params: [("full".to_owned(), "true".to_owned())].into(),
            request: Some(RequestKey { key: "nightly 7".into(), digest: "1f".into() }),
            asked: texts(["report"]),
            written: texts(["report/month=latest-1..latest"]),
        }
    }
}

/// Partitions that a want asked for and nobody can build.
#[derive(Debug, Clone, PartialEq)]
pub struct Blocked {
    /// Sets of the jobs' first outputs.
    pub partitions: SetText,
    /// Why, for people: `raw/city=oslo has no file data/oslo.csv`.
    pub reason: String,
}

/// See [`super::Event::WantReplanned`].
#[derive(Debug, Clone, PartialEq)]
pub struct WantReplanned {
    /// Which.
    pub want: WantId,
    /// All work that it waits for from now on, as sets of the jobs' first outputs.
    pub work: SetText,
    /// The part of `work` that is queued behind a run that makes it already, as in [`WantCreated::successors`].
    pub successors: SetText,
    /// What it waited for (or what that needs) and nobody can build any more, with the reason.
    pub blocked: Vec<Blocked>,
    /// All that was asked for was planned, not only what was left.
    pub whole: bool,
}

impl Fact for WantReplanned {
    fn text(&self, _: &Origin) -> String {
        match self.work.as_slice() {
            [] => format!("{} was planned again: nothing is left to build", self.want),
            work => format!("{} was planned again: it waits for {}", self.want, listed(work)),
        }
    }

    fn example() -> WantReplanned {
        WantReplanned {
            want: WantId(3),
            work: texts(["daily/date=2024-01-03..2024-02-29"]),
            successors: texts(["daily/date=2024-02-29"]),
            blocked: vec![Blocked { partitions: texts(["raw/city=oslo"]), reason: "gone".into() }],
            whole: true,
        }
    }
}

words! {
    /// How a want ended.
    pub enum WantOutcome: "outcome of a want" {
        /// Every target is current.
        Satisfied = 1 => "satisfied",
        /// Some work failed or could not be done.
        Failed = 2 => "failed",
        /// Somebody canceled it.
        Canceled = 3 => "canceled",
        /// Its time to live ended first.
        Expired = 4 => "expired",
    }
}

/// See [`super::Event::WantEnded`].
#[derive(Debug, Clone, PartialEq)]
pub struct WantEnded {
    /// Which.
    pub want: WantId,
    /// How.
    pub outcome: WantOutcome,
    /// First causes, at most ten, for people.
    pub causes: Vec<String>,
    /// How its partitions ended; absent in logs before format 4.
    pub counts: Option<WantCounts>,
}

/// How many partitions of a want ended how. Each is counted once: those of a want that has ended add up to all that it
/// was about, those of an open one to that with what it still waits for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantCounts {
    /// Made by a run.
    pub built: u64,
    /// Needed no run: they turned out to be current.
    pub unchanged: u64,
    /// Their run failed.
    pub failed: u64,
    /// Given up, since something that they are made from failed.
    pub skipped: u64,
    /// Their run was canceled, or the want ended before they were begun.
    pub canceled: u64,
    /// Nobody can build them.
    pub impossible: u64,
}

impl WantCounts {
    /// What ended well.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.built + self.unchanged
    }

    /// What did not.
    #[must_use]
    pub fn not_done(&self) -> u64 {
        self.failed + self.skipped + self.canceled + self.impossible
    }

    /// All of it.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.done() + self.not_done()
    }
}

impl Fact for WantEnded {
    fn text(&self, _: &Origin) -> String {
        let how = match self.outcome {
            WantOutcome::Satisfied => "is satisfied",
            WantOutcome::Failed => "failed",
            WantOutcome::Canceled => "was canceled",
            WantOutcome::Expired => "expired",
        };
        // The first cause tells most; the want has them all.
        let cause = self.causes.first().map_or("", String::as_str);
        with(format!("{} {how}", self.want), cause)
    }

    fn example() -> WantEnded {
        let counts =
            WantCounts { built: 31, unchanged: 7, failed: 5, skipped: 3, canceled: 2, impossible: 1 };
        WantEnded {
            want: WantId(3),
            outcome: WantOutcome::Failed,
            causes: texts(["r12-1: exit 3", ""]),
            counts: Some(counts),
        }
    }
}

/// See [`super::Event::WantPaused`].
#[derive(Debug, Clone, PartialEq)]
pub struct WantPaused {
    /// Which.
    pub want: WantId,
}

impl Fact for WantPaused {
    fn text(&self, _: &Origin) -> String {
        format!("{} was paused", self.want)
    }

    fn example() -> WantPaused {
        WantPaused { want: WantId(3) }
    }
}

/// See [`super::Event::WantResumed`].
#[derive(Debug, Clone, PartialEq)]
pub struct WantResumed {
    /// Which.
    pub want: WantId,
}

impl Fact for WantResumed {
    fn text(&self, _: &Origin) -> String {
        format!("{} was resumed", self.want)
    }

    fn example() -> WantResumed {
        WantResumed { want: WantId(3) }
    }
}

/// See [`super::Event::WantReprioritized`].
#[derive(Debug, Clone, PartialEq)]
pub struct WantReprioritized {
    /// Which.
    pub want: WantId,
    /// Its class from now on.
    pub class: PriorityClass,
}

impl Fact for WantReprioritized {
    fn text(&self, _: &Origin) -> String {
        format!("the class of {} is now {}", self.want, self.class.word())
    }

    fn example() -> WantReprioritized {
        WantReprioritized { want: WantId(3), class: PriorityClass::Backfill }
    }
}

/// See [`super::Event::WorkCutOff`].
#[derive(Debug, Clone, PartialEq)]
pub struct WorkCutOff {
    /// Sets of jobs' first outputs.
    pub partitions: SetText,
}

impl Fact for WorkCutOff {
    fn text(&self, _: &Origin) -> String {
        format!("{} need not be built: the inputs have not changed", listed(&self.partitions))
    }

    fn example() -> WorkCutOff {
        WorkCutOff { partitions: texts(["daily/date=2024-01-02"]) }
    }
}

/// See [`super::Event::WorkAbandoned`].
#[derive(Debug, Clone, PartialEq)]
pub struct WorkAbandoned {
    /// Sets of jobs' first outputs.
    pub partitions: SetText,
    /// The run whose failure is the cause.
    pub cause: RunId,
}

impl Fact for WorkAbandoned {
    fn text(&self, _: &Origin) -> String {
        format!("skipped {}: {}, which it depends on, failed", listed(&self.partitions), self.cause)
    }

    fn example() -> WorkAbandoned {
        WorkAbandoned { partitions: texts(["report/month=2024-01"]), cause: RunId(12) }
    }
}
