//! What is said of data that was looked at.

use super::examples::texts;
use super::fact::{listed, Fact};
use super::origin::Origin;
use super::output::{DataVersion, PartitionText, SetText};

/// See [`super::Event::Observed`].
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// What was seen.
    pub partitions: Vec<SeenPartition>,
}

impl Fact for Observed {
    fn text(&self, _: &Origin) -> String {
        format!("observed {}", listed(self.partitions.iter().map(|seen| &seen.partition)))
    }

    fn example() -> Observed {
        Observed {
            partitions: vec![SeenPartition {
                partition: "raw/city=oslo".into(),
                version: "sha256:1f".into(),
                mark: u64::MAX,
            }],
        }
    }
}

/// One looked-at partition.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenPartition {
    /// Which.
    pub partition: PartitionText,
    /// Its content.
    pub version: DataVersion,
    /// The cheap fingerprint of its file (size, modification time, inode) by which a later look can
    /// tell that nothing changed; 0 = none.
    pub mark: u64,
}

/// See [`super::Event::FilesVanished`].
#[derive(Debug, Clone, PartialEq)]
pub struct FilesVanished {
    /// Which partitions.
    pub partitions: SetText,
}

impl Fact for FilesVanished {
    fn text(&self, _: &Origin) -> String {
        format!("the files of {} are gone", listed(&self.partitions))
    }

    fn example() -> FilesVanished {
        FilesVanished { partitions: texts(["daily/date=2024-01-01..2024-01-31", "x"]) }
    }
}

/// See [`super::Event::FilesAltered`].
#[derive(Debug, Clone, PartialEq)]
pub struct FilesAltered {
    /// Which partitions.
    pub partitions: SetText,
}

impl Fact for FilesAltered {
    fn text(&self, _: &Origin) -> String {
        format!("the files of {} were changed after they were published", listed(&self.partitions))
    }

    fn example() -> FilesAltered {
        FilesAltered { partitions: texts(["daily/date=2024-02-01"]) }
    }
}
