//! What a dataset's partitions were called before: the history speaks of them in those words.
//!
//! Names are remembered with the state of the dataset, so the history is found whatever the graph says by now of
//! what was moved.

use super::dataset::Alias;
use super::State;
use crate::graph::{DatasetIx, Graph};
use crate::partition_set::PartitionKey;
use crate::reference::dataset_of;

impl State {
    /// All texts under which the history may know a partition, that of now first.
    #[must_use]
    pub fn texts(&self, ix: DatasetIx, key: &PartitionKey) -> Vec<String> {
        let dataset = self.graph().dataset(ix);
        let keys = dataset.key_texts(key, &self.symbols);
        let earlier = self.dataset(ix).aliases.iter().map(|alias| text_of(alias, &keys));
        std::iter::once(dataset.partition_text(key, &self.symbols)).chain(earlier).collect()
    }

    /// The same for a partition of a graph that may be an earlier one.
    #[must_use]
    pub fn texts_in(&self, graph: &Graph, ix: DatasetIx, key: &PartitionKey) -> Vec<String> {
        let own = graph.dataset(ix).partition_text(key, &self.symbols);
        let now = match self.successor_of(graph, ix) {
            Some(ix) => self.texts(ix, key),
            None => {
                let keys = graph.dataset(ix).key_texts(key, &self.symbols);
                let retired = self.retired_of(graph.dataset(ix));
                let names =
                    retired.iter().flat_map(|(alias, state)| std::iter::once(alias).chain(&state.aliases));
                names.map(|alias| text_of(alias, &keys)).collect()
            }
        };
        if now.contains(&own) {
            now
        } else {
            std::iter::once(own).chain(now).collect()
        }
    }

    /// All names under which the history may know a dataset, that of now first.
    #[must_use]
    pub fn names(&self, ix: DatasetIx) -> Vec<String> {
        let earlier = self.dataset(ix).aliases.iter().map(|alias| alias.dataset.clone());
        std::iter::once(self.graph().dataset(ix).name.clone()).chain(earlier).collect()
    }

    /// What the texts of partitions began with, under earlier names, that begin with `prefix` now; `prefix`
    /// itself first.
    #[must_use]
    pub fn prefixes(&self, prefix: &str) -> Vec<String> {
        let segments: Vec<&str> = prefix.split('/').collect();
        let first = segments.iter().position(|segment| segment.contains('=')).unwrap_or(segments.len());
        let name = dataset_of(prefix).trim_end_matches('/');
        let found = self.env.graph.as_ref().and_then(|now| now.graph.dataset_named(name));
        let earlier = found.into_iter().flat_map(|ix| {
            let dataset = self.graph().dataset(ix);
            let in_words_of = |alias: &Alias| {
                let mut text = alias.dataset.clone();
                for segment in &segments[first..] {
                    let (dim, keys) = segment.split_at(segment.find('=').unwrap_or(segment.len()));
                    let at = dataset.dims.iter().position(|name| name == dim && !keys.is_empty());
                    text.push('/');
                    text.push_str(at.map_or(dim, |at| &alias.dims[at]));
                    text.push_str(keys);
                }
                // A name that begins with this one is another's.
                if first == segments.len() && !dataset.dims.is_empty() {
                    text.push('/');
                }
                text
            };
            self.dataset(ix).aliases.iter().map(in_words_of).collect::<Vec<_>>()
        });
        std::iter::once(prefix.to_owned()).chain(earlier).collect()
    }
}

/// The text of a partition with these keys under an earlier name.
fn text_of(alias: &Alias, keys: &[(String, String)]) -> String {
    let dims = alias.dims.iter().zip(keys);
    dims.fold(alias.dataset.clone(), |text, (dim, (_, key))| format!("{text}/{dim}={key}"))
}
