//! What is said of plans that are kept.

use super::examples::{texts, time};
use super::fact::{listed, Fact};
use super::origin::Origin;
use super::output::SetText;
use super::request::RequestKey;
use super::wants::Refresh;
use crate::ids::{GraphId, PlanId};
use crate::words;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// See [`super::Event::PlanCreated`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanCreated {
    /// Its identity.
    pub plan: PlanId,
    /// The graph it was made with.
    pub graph: GraphId,
    /// What was asked for.
    pub targets: SetText,
    /// What to refresh.
    pub refresh: Refresh,
    /// The instant for which key spaces were read.
    pub as_of: Timestamp,
    /// It cannot be applied from then on.
    pub expires_at: Timestamp,
    /// What would be done, by job and reason, upstream first; then what cannot be done.
    pub rows: Vec<PlanRow>,
    /// Partitions that matter and are current.
    pub current: u64,
    /// What it rests on: it is applied only as long as all of that is as it was.
    pub grounds: Grounds,
    /// The key by which the client named its request, if it did. The state keeps it apart.
    #[serde(skip)]
    pub request: Option<RequestKey>,
}

impl Fact for PlanCreated {
    fn text(&self, _: &Origin) -> String {
        format!("plan {} was saved for {}", self.plan, listed(&self.targets))
    }

    fn example() -> PlanCreated {
        PlanCreated {
            plan: PlanId(7),
            graph: GraphId::of("{\"jobs\": []}"),
            targets: texts(["report/month=2024-01"]),
            refresh: Refresh::Stale,
            as_of: time("2024-03-14T01:02:03Z"),
            expires_at: time("2024-03-15T01:02:03.5Z"),
            rows: vec![PlanRow {
                job: "//weather:daily".into(),
                kind: PlanRowKind::Certain,
                reason: "missing".into(),
                message: "missing".into(),
                count: 31,
                partitions: texts(["daily/date=2024-01-01..2024-01-31"]),
            }],
            current: 3,
            grounds: Grounds {
                jobs: vec![JobGround { job: "//weather:daily".into(), digest: u64::MAX }],
                datasets: vec![DatasetGround {
                    dataset: "daily".into(),
                    partitions: 31,
                    digests: vec![0, 1],
                }],
            },
            request: Some(RequestKey { key: "nightly plan".into(), digest: "7c".into() }),
        }
    }
}

/// Partitions of one job that stand in a plan for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRow {
    /// Label of the job; empty for what is external.
    pub job: String,
    /// How sure it is.
    pub kind: PlanRowKind,
    /// Stable name of the reason: `missing`, `code_changed`, `upstream_built`, ….
    pub reason: String,
    /// The reason for people.
    pub message: String,
    /// How many partitions.
    pub count: u64,
    /// They, as sets of the job's first output.
    pub partitions: SetText,
}

words! {
    /// How sure a row of a plan is.
    pub enum PlanRowKind: "kind of a plan's row" {
        /// It will be built.
        Certain = 1 => "certain",
        /// It will be built if one of its inputs comes out changed.
        IfChanged = 2 => "if_changed",
        /// A run under way makes it.
        UnderWay = 3 => "under_way",
        /// It cannot be built, or is external and not there.
        Blocked = 4 => "blocked",
        /// An edge rule leaves it out.
        LeftOut = 5 => "left_out",
    }
}

/// What a plan rests on, as digests of the state at its time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Grounds {
    /// The jobs that make what matters.
    pub jobs: Vec<JobGround>,
    /// The partitions that matter.
    pub datasets: Vec<DatasetGround>,
}

/// A job as a plan found it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobGround {
    /// Its label.
    pub job: String,
    /// Digest of its code, its arguments, its layout and what it reads.
    pub digest: u64,
}

/// Partitions of a dataset as a plan found them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetGround {
    /// Its name.
    pub dataset: String,
    /// How many partitions of it matter.
    pub partitions: u64,
    /// A digest for each of equally many partitions, in their order.
    pub digests: Vec<u64>,
}

/// See [`super::Event::PlansDropped`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlansDropped {
    /// Which.
    pub plans: Vec<PlanId>,
}

impl Fact for PlansDropped {
    fn text(&self, _: &Origin) -> String {
        let (plans, were) = if self.plans.len() == 1 { ("plan", "was") } else { ("plans", "were") };
        format!("{plans} {} {were} dropped", listed(&self.plans))
    }

    fn example() -> PlansDropped {
        PlansDropped { plans: vec![PlanId(5), PlanId(6)] }
    }
}
