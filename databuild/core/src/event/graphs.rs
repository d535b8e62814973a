//! What is said of graphs.

use super::fact::Fact;
use super::origin::Origin;
use crate::ids::GraphId;
use std::collections::BTreeMap;
use std::sync::Arc;

/// See [`super::Event::GraphRegistered`].
#[derive(Debug, Clone, PartialEq)]
pub struct GraphRegistered {
    /// Digest of the content.
    pub graph: GraphId,
    /// The graph file. Stored once per digest, beside the events.
    pub content: Arc<str>,
    /// For each name in some job's `env_inherit`: the SHA-256 of the value the registering client had.
    /// The values are no part of the log.
    pub inherited: BTreeMap<String, String>,
    /// For each job label: digest of its source manifest, stored beside the events (for blame).
    pub sources: BTreeMap<String, String>,
}

impl Fact for GraphRegistered {
    fn text(&self, _: &Origin) -> String {
        format!("graph {} was registered", self.graph.short())
    }

    fn example() -> GraphRegistered {
        example_graph("{\"jobs\": []}")
    }
}

/// An example for tests: the registration of a graph file with this content.
#[must_use]
pub fn example_graph(content: &str) -> GraphRegistered {
    GraphRegistered {
        graph: GraphId::of(content),
        content: content.into(),
        inherited: [("HOME".to_owned(), "ab".to_owned()), ("A".to_owned(), String::new())].into(),
        sources: [("//weather:daily".to_owned(), "cd".to_owned())].into(),
    }
}
