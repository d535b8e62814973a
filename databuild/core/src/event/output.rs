//! Partitions in events, and what was made of them.

use super::fact::listed;
use serde::{Deserialize, Serialize};

/// A reference text of one partition, `dataset/dim=key/…`.
pub type PartitionText = String;

/// Reference texts that together are an exact set of partitions.
pub type SetText = Vec<String>;

/// The content digest or reported name of one partition's data, e.g. `sha256:…`.
pub type DataVersion = String;

/// One output of a successful attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutputRecord {
    /// The partition.
    pub partition: PartitionText,
    /// Its data.
    pub version: DataVersion,
    /// The job had nothing to produce for it; counts as present.
    pub empty: bool,
    /// Of what is published: the cheap fingerprint of its file (see [`super::SeenPartition::mark`]); 0 if nobody knows it, so that
    /// the file is read. Of what is to be published: the part of it that a rename keeps, by which the publisher sees whether
    /// somebody has written to the file since it was hashed; 0 if nobody knows. 0 for non-files.
    pub mark: u64,
    /// Size of the content; 0 for non-files.
    pub bytes: u64,
    /// What the job said of it: a JSON object's text, `{}` if nothing.
    pub metadata: String,
}

/// Their partitions, for people.
pub(super) fn made(outputs: &[OutputRecord]) -> String {
    listed(outputs.iter().map(|output| &output.partition))
}

/// An example for tests. One that has the mark 8 is empty.
#[must_use]
pub fn example_output(partition: &str, mark: u64) -> OutputRecord {
    OutputRecord {
        partition: partition.into(),
        version: format!("sha256:{mark}"),
        empty: mark == 8,
        mark,
        bytes: 100 + mark,
        metadata: "{\"rows\": 24}".into(),
    }
}
