//! Which runs make something of what somebody names.

use super::State;
use crate::graph::DatasetIx;
use crate::partition_set::PartitionSet;

/// Partitions that somebody names, or, if the graph does not know them, what the texts of partitions begin with.
#[derive(Debug)]
pub struct Making<'s> {
    state: &'s State,
    /// The first output of the job that makes them, and they.
    wanted: Option<(DatasetIx, PartitionSet)>,
    /// What the texts of such runs begin with, by the names of now and earlier ones.
    prefixes: Vec<String>,
}

impl<'s> Making<'s> {
    /// Those that make any of what `text` names.
    #[must_use]
    pub fn of(state: &'s State, text: &str) -> Making<'s> {
        let graph = state.graph.as_ref().map(|registered| &registered.graph);
        let located = graph.and_then(|graph| Some((graph, graph.locate_set(text, &state.symbols)?)));
        let Some((graph, (ix, set))) = located else {
            return Making { state, wanted: None, prefixes: state.prefixes(text) };
        };
        // Runs are named after the first output of their job; the others have the same keys.
        let home = graph.dataset(ix).producer.map_or(ix, |job| graph.job(job).outputs[0]);
        Making { state, wanted: Some((home, set)), prefixes: state.prefixes(&graph.dataset(home).name) }
    }

    /// The partitions of such a run, as a text, begin with one of these.
    #[must_use]
    pub fn prefixes(&self) -> &[String] {
        &self.prefixes
    }

    /// Whether a run with these partitions, whose text begins with one of the prefixes, is one of them.
    #[must_use]
    pub fn has(&self, partitions: &str) -> bool {
        let Some((home, wanted)) = &self.wanted else { return true };
        let Some(registered) = &self.state.graph else { return false };
        let Some((ix, set)) = registered.graph.locate_set(partitions, &self.state.symbols) else {
            return false;
        };
        ix == *home && set.shape() == wanted.shape() && !set.intersect(wanted).is_empty()
    }
}
