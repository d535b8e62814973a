//! Events of data that was looked at, both ways.

use super::form::{read_all, store_all, Stored};
use super::ConvertError;
use databuild_core::event::{FilesAltered, FilesVanished, Observed, SeenPartition};
use databuild_proto::v1 as stored;

impl Stored for Observed {
    type Message = stored::Observed;
    const WHAT: &'static str = "an observation";

    fn store(&self) -> stored::Observed {
        let Observed { partitions } = self;
        stored::Observed { partitions: store_all(partitions), ..Default::default() }
    }

    fn of_known(message: stored::Observed) -> Result<Observed, ConvertError> {
        let stored::Observed { partitions, special_fields: _ } = message;
        Ok(Observed { partitions: read_all(partitions)? })
    }
}

impl Stored for SeenPartition {
    type Message = stored::SeenPartition;
    const WHAT: &'static str = "a looked-at partition";

    fn store(&self) -> stored::SeenPartition {
        let SeenPartition { partition, version, mark } = self;
        stored::SeenPartition {
            partition: partition.clone(),
            version: version.clone(),
            mark: *mark,
            ..Default::default()
        }
    }

    fn of_known(message: stored::SeenPartition) -> Result<SeenPartition, ConvertError> {
        let stored::SeenPartition { partition, version, mark, special_fields: _ } = message;
        Ok(SeenPartition { partition, version, mark })
    }
}

impl Stored for FilesVanished {
    type Message = stored::FilesVanished;
    const WHAT: &'static str = "vanished files";

    fn store(&self) -> stored::FilesVanished {
        let FilesVanished { partitions } = self;
        stored::FilesVanished { partitions: partitions.clone(), ..Default::default() }
    }

    fn of_known(message: stored::FilesVanished) -> Result<FilesVanished, ConvertError> {
        let stored::FilesVanished { partitions, special_fields: _ } = message;
        Ok(FilesVanished { partitions })
    }
}

impl Stored for FilesAltered {
    type Message = stored::FilesAltered;
    const WHAT: &'static str = "altered files";

    fn store(&self) -> stored::FilesAltered {
        let FilesAltered { partitions } = self;
        stored::FilesAltered { partitions: partitions.clone(), ..Default::default() }
    }

    fn of_known(message: stored::FilesAltered) -> Result<FilesAltered, ConvertError> {
        let stored::FilesAltered { partitions, special_fields: _ } = message;
        Ok(FilesAltered { partitions })
    }
}
