//! What looks at files and external data found.

use crate::event::DataVersion;
use crate::graph::DatasetIx;
use crate::ids::GraphId;
use crate::partition_set::PartitionKey;
use crate::planner::Unseen;

/// What was seen of files, by dataset.
#[derive(Debug, Clone, Default)]
pub struct Sightings {
    /// The graph whose indices are used. Sightings for another than the registered one are refused.
    pub graph: Option<GraphId>,
    /// What was seen, only where it differs from what is known.
    pub seen: Vec<Sighting>,
    /// What could not be looked at.
    pub unseen: Vec<Unseen>,
}

impl Sightings {
    /// Adds what another look at the same graph saw.
    pub fn extend(&mut self, more: Sightings) {
        self.seen.extend(more.seen);
        self.unseen.extend(more.unseen);
    }

    /// Whether its indices are those of `graph`. A look that found nothing has none.
    pub(crate) fn are_of(&self, graph: Option<&GraphId>) -> bool {
        match &self.graph {
            Some(of) => Some(of) == graph,
            None => self.seen.is_empty() && self.unseen.is_empty(),
        }
    }
}

/// One file that is not as recorded.
#[derive(Debug, Clone)]
pub enum Sighting {
    /// It is not there.
    Gone(DatasetIx, PartitionKey),
    /// It is there with this content.
    Content {
        /// Which dataset.
        dataset: DatasetIx,
        /// Which partition.
        key: PartitionKey,
        /// Content hash.
        version: DataVersion,
        /// Cheap fingerprint.
        mark: u64,
    },
}

/// A file that was found at the place of a built partition.
#[derive(Debug, Clone)]
pub struct FoundFile {
    /// Whose place it is.
    pub dataset: DatasetIx,
    /// Of which partition.
    pub key: PartitionKey,
    /// Its content hash.
    pub version: String,
    /// Its cheap fingerprint.
    pub mark: u64,
    /// Its size.
    pub bytes: u64,
}
