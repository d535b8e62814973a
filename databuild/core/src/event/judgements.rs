//! What people say of data and code.

use super::examples::{digests, texts};
use super::fact::{listed, with, Fact};
use super::origin::Origin;
use super::output::{DataVersion, PartitionText, SetText};
use crate::graph::JobDigests;

/// See [`super::Event::Tainted`].
#[derive(Debug, Clone, PartialEq)]
pub struct Tainted {
    /// Which partitions; all were there.
    pub partitions: SetText,
    /// Why, in the user's words.
    pub reason: String,
}

impl Fact for Tainted {
    fn text(&self, who: &Origin) -> String {
        with(format!("{who} tainted {}", listed(&self.partitions)), &self.reason)
    }

    fn example() -> Tainted {
        Tainted {
            partitions: texts(["daily/date=2024-01-01..2024-01-31"]),
            reason: "the source sent zeros".into(),
        }
    }
}

/// See [`super::Event::Untainted`].
#[derive(Debug, Clone, PartialEq)]
pub struct Untainted {
    /// Which partitions are good after all: tainted ones, or made from such.
    pub partitions: SetText,
    /// Why, in the user's words; may be empty.
    pub reason: String,
}

impl Fact for Untainted {
    fn text(&self, who: &Origin) -> String {
        with(format!("{who} removed the taint from {}", listed(&self.partitions)), &self.reason)
    }

    fn example() -> Untainted {
        Untainted { partitions: texts(["daily/date=2024-01-05"]), reason: "they were real".into() }
    }
}

/// See [`super::Event::CodeAccepted`].
#[derive(Debug, Clone, PartialEq)]
pub struct CodeAccepted {
    /// Label of the job.
    pub job: String,
    /// Sets of its first output.
    pub partitions: SetText,
    /// Digests of what made them.
    pub from: Vec<JobDigests>,
    /// Digests of the job of today. They count as made by its code and arguments.
    pub to: JobDigests,
    /// Why, in the user's words.
    pub reason: String,
    /// What shows it, in the user's words; may be empty.
    pub evidence: String,
}

impl Fact for CodeAccepted {
    fn text(&self, who: &Origin) -> String {
        let partitions = listed(&self.partitions);
        with(format!("{who} accepted the change of {} for {partitions}", self.job), &self.reason)
    }

    fn example() -> CodeAccepted {
        CodeAccepted {
            job: "//weather:daily".into(),
            partitions: texts(["daily/date=2024-01-01..2024-01-31"]),
            from: vec![digests("1"), digests("2")],
            to: digests("3"),
            reason: "a comment".into(),
            evidence: "t3".into(),
        }
    }
}

/// See [`super::Event::Adopted`].
#[derive(Debug, Clone, PartialEq)]
pub struct Adopted {
    /// They, what is read before what reads it. They count as made by the jobs of today.
    pub partitions: Vec<AdoptedPartition>,
}

impl Fact for Adopted {
    fn text(&self, who: &Origin) -> String {
        format!("{who} adopted {}", listed(self.partitions.iter().map(|adopted| &adopted.partition)))
    }

    fn example() -> Adopted {
        Adopted {
            partitions: vec![AdoptedPartition {
                partition: "daily/date=2024-01-07".into(),
                version: "sha256:77".into(),
                mark: 5,
                bytes: 6,
                inputs: u64::MAX,
            }],
        }
    }
}

/// One adopted partition.
#[derive(Debug, Clone, PartialEq)]
pub struct AdoptedPartition {
    /// Which.
    pub partition: PartitionText,
    /// Its content.
    pub version: DataVersion,
    /// See [`SeenPartition::mark`].
    pub mark: u64,
    /// Size of the content.
    pub bytes: u64,
    /// Combined digest of the inputs that it would be made from now.
    pub inputs: u64,
}
