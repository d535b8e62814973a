//! What belongs to one environment: a graph, and what is known of its data and its work.
//!
//! An environment is a branch of the data, such as a developer's. There is one for now, inside of [`super::State`], which
//! says what environments share and why. What is here means nothing without its graph: indices of datasets and jobs are
//! those of `graph`, and a want, a run, a plan or a trial is of the environment that it was created in.

use super::dataset::{DatasetState, Readers};
use super::schedules::Schedules;
use super::trial::Trial;
use super::work::{JobWork, Run, SavedPlan, Want};
use crate::graph::{Extents, Registered};
use crate::ids::{PlanId, RunId, TrialId, WantId};
use crate::partition_set::Axis;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An environment.
#[derive(Debug, Clone, Default)]
pub(super) struct Env {
    /// The graph that new work follows; none before the first registration.
    pub(super) graph: Option<Arc<Registered>>,
    /// Latest instant for which anything read key spaces.
    pub(super) as_of: Timestamp,
    /// Key spaces of the graph at that instant.
    pub(super) extents: Option<Arc<Extents>>,
    /// By index in the graph.
    pub(super) datasets: Vec<Arc<DatasetState>>,
    /// Datasets that the current graph does not have (or has with other keys), by name and keys.
    pub(super) retired: BTreeMap<(String, Vec<Axis>), Arc<DatasetState>>,
    /// Who found that it needs which dataset.
    pub(super) readers: Arc<Readers>,
    /// Undone work, by the job's index in the graph.
    pub(super) work: Vec<Arc<JobWork>>,
    /// Live wants.
    pub(super) wants: BTreeMap<WantId, Arc<Want>>,
    /// Live runs.
    pub(super) runs: BTreeMap<RunId, Arc<Run>>,
    /// Plans that are kept.
    pub(super) plans: BTreeMap<PlanId, Arc<SavedPlan>>,
    /// Trials, the newest of those that are over among them.
    pub(super) trials: BTreeMap<TrialId, Arc<Trial>>,
    /// Schedules, those that no graph has any more among them.
    pub(super) schedules: Schedules,
}
