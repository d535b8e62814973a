//! What is to be done for some targets, and why.

use super::unseen::Unseen;
use crate::graph::{DatasetIx, JobIx};
use crate::partition_set::PartitionSet;
use crate::state::Verdict;
use std::fmt;

/// Why partitions stand in a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// They are not as good as a fresh build.
    Outdated(Verdict),
    /// They were asked for whatever their state.
    Forced,
    /// Something they are made from is built; if its data comes out as it was, they are left alone.
    UpstreamBuilt,
    /// A run under way is making them.
    UnderWay,
}

impl Reason {
    /// Stable name.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Reason::Outdated(verdict) => verdict.code(),
            Reason::Forced => "forced",
            Reason::UpstreamBuilt => "upstream_built",
            Reason::UnderWay => "under_way",
        }
    }

    /// For people.
    #[must_use]
    pub fn phrase(self) -> &'static str {
        match self {
            Reason::Outdated(Verdict::Missing) => "missing",
            Reason::Outdated(Verdict::Vanished) => "file gone",
            Reason::Outdated(Verdict::Altered) => "file altered",
            Reason::Outdated(Verdict::Tainted) => "tainted",
            Reason::Outdated(Verdict::MadeFromTainted) => "made from tainted data",
            Reason::Outdated(Verdict::CodeChanged) => "code changed",
            Reason::Outdated(Verdict::ArgsChanged) => "arguments changed",
            Reason::Outdated(Verdict::TemplateChanged) => "path changed",
            Reason::Outdated(Verdict::InputsChanged) => "inputs changed",
            Reason::Outdated(Verdict::Current) => "current",
            Reason::Forced => "asked for",
            Reason::UpstreamBuilt => "if upstream changes",
            Reason::UnderWay => "under way",
        }
    }
}

/// What is to be done for some targets.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Jobs with work, upstream first.
    pub jobs: Vec<JobPlan>,
    /// Partitions nobody can build, with the reason for people.
    pub blocked: Vec<(JobIx, PartitionSet, String)>,
    /// Targets left out because an edge rule says so, with the reason for people.
    pub skipped: Vec<(JobIx, PartitionSet, String)>,
    /// External partitions that were asked for, or are read, and are not there.
    pub absent: Vec<(DatasetIx, PartitionSet)>,
    /// The same, there and tainted: nothing is made from them.
    pub tainted: Vec<(DatasetIx, PartitionSet)>,
    /// The same, of which nobody knows what they hold, with the reason for people: looking at them failed.
    pub unseen: Vec<Unseen>,
    /// The same for built partitions that are not built anew: nobody knows whether their files are what was published.
    pub unread: Vec<Unseen>,
    /// Partitions that matter and are current.
    pub current: u64,
}

/// Work of one job.
#[derive(Debug, Clone)]
pub struct JobPlan {
    /// The job.
    pub job: JobIx,
    /// Will be built.
    pub certain: PartitionSet,
    /// Will be built if what they read comes out changed.
    pub if_changed: PartitionSet,
    /// A run under way makes them; that will do.
    pub joined: PartitionSet,
    /// The same partitions by reason; disjoint.
    pub reasons: Vec<(Reason, PartitionSet)>,
    /// Of `certain`: whatever their state.
    pub forced: PartitionSet,
}

impl JobPlan {
    /// All partitions that a want has to wait for.
    #[must_use]
    pub fn work(&self) -> PartitionSet {
        self.certain.union(&self.if_changed).union(&self.joined)
    }
}

impl Plan {
    /// Number of runs that will happen for certain, and of those that may.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        self.jobs
            .iter()
            .fold((0, 0), |(certain, maybe), job| (certain + job.certain.len(), maybe + job.if_changed.len()))
    }

    /// External partitions that nothing can be made from.
    pub fn unusable(&self) -> impl Iterator<Item = (DatasetIx, &PartitionSet, Fault<'_>)> {
        let absent = self.absent.iter().map(|(ix, set)| (*ix, set, Fault::Absent));
        let tainted = self.tainted.iter().map(|(ix, set)| (*ix, set, Fault::Tainted));
        let unseen = self.unseen.iter().map(|look| (look.dataset, &look.set, Fault::Unseen(&look.message)));
        absent.chain(tainted).chain(unseen)
    }
}

/// What is the matter with external data that nothing can be made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault<'p> {
    /// It is not there.
    Absent,
    /// Somebody said that it is bad.
    Tainted,
    /// Looking at it failed.
    Unseen(&'p str),
}

impl Fault<'_> {
    /// Stable name.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Fault::Absent => "absent",
            Fault::Tainted => "tainted",
            Fault::Unseen(_) => "not_observed",
        }
    }
}

impl fmt::Display for Fault<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Absent => f.write_str("external and not there"),
            Fault::Tainted => f.write_str("external and tainted"),
            Fault::Unseen(message) => write!(f, "external and could not be observed: {message}"),
        }
    }
}
