//! Which runs make something of what somebody names.

use super::State;
use crate::graph::{Dataset, DatasetIx};
use crate::partition_set::PartitionSet;
use std::collections::{BTreeMap, BTreeSet};

/// Partitions that are looked for one by one, at most; what is in more of them is found among all of their dataset.
const SOME: u64 = 100;

/// Partitions that somebody names, or, if the graph does not know them, what the texts of partitions begin with.
#[derive(Debug)]
pub struct Making<'s> {
    state: &'s State,
    /// The first output of the job that makes them, and they.
    wanted: Option<(DatasetIx, PartitionSet)>,
    /// By dimension the texts of their keys, where these are listed and they are few.
    listed: BTreeMap<&'s str, BTreeSet<String>>,
    named: Named,
}

/// How the history names the partitions of such runs, by the names of now and earlier ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// A run of one partition has one of these texts; a batch is one of these datasets.
    Partitions {
        /// Texts of partitions.
        texts: Vec<String>,
        /// Names of datasets.
        datasets: Vec<String>,
    },
    /// They are of these datasets.
    Datasets(Vec<String>),
    /// Their texts begin so.
    Beginnings(Vec<String>),
}

impl<'s> Making<'s> {
    /// Those that make any of what `text` names.
    #[must_use]
    pub fn of(state: &'s State, text: &str) -> Making<'s> {
        let graph = state.env.graph.as_ref().map(|registered| &registered.graph);
        let located = graph.and_then(|graph| Some((graph, graph.locate_set(text, &state.symbols)?)));
        let Some((graph, (ix, set))) = located else {
            let named = Named::Beginnings(state.prefixes(text));
            return Making { state, wanted: None, listed: BTreeMap::new(), named };
        };
        // Runs are named after the first output of their job; the others have the same keys.
        let home = graph.dataset(ix).producer.map_or(ix, |job| graph.job(job).outputs[0]);
        let datasets = state.names(home);
        let mut listed: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        let named = if set.len() > SOME {
            Named::Datasets(datasets)
        } else {
            let keys = state.in_order(home, &set);
            let dims = graph.dataset(home).dims.iter().zip(&graph.dataset(home).spaces).enumerate();
            for (at, (dim, space)) in dims.filter(|(_, (_, space))| space.time().is_none()) {
                let texts = keys.iter().map(|key| space.format_key(key.keys()[at], &state.symbols));
                listed.insert(dim, texts.collect());
            }
            let texts = keys.iter().flat_map(|key| state.texts(home, key)).collect();
            Named::Partitions { texts, datasets }
        };
        Making { state, wanted: Some((home, set)), listed, named }
    }

    /// How the history names their partitions.
    #[must_use]
    pub fn named(&self) -> &Named {
        &self.named
    }

    /// Whether a run that is named so, with these partitions, is one of them.
    #[must_use]
    pub fn has(&self, partitions: &str) -> bool {
        let Some((home, wanted)) = &self.wanted else { return true };
        let Some(registered) = &self.state.env.graph else { return false };
        if self.has_other_keys(registered.graph.dataset(*home), partitions) {
            return false;
        }
        let Some((ix, set)) = registered.graph.locate_set(partitions, &self.state.symbols) else {
            return false;
        };
        ix == *home && set.shape() == wanted.shape() && !set.intersect(wanted).is_empty()
    }

    /// Whether already the texts of listed keys tell that it is none of them: mostly they do, and to read keys takes many times longer
    /// than to compare texts.
    fn has_other_keys(&self, home: &Dataset, partitions: &str) -> bool {
        let mut dims = partitions.split('/').filter_map(|part| part.split_once('='));
        dims.any(|(name, keys)| {
            let wanted = self.listed.get(home.dim_once_named(name).unwrap_or(name));
            wanted.is_some_and(|wanted| !keys.split('+').any(|key| wanted.contains(key)))
        })
    }
}
