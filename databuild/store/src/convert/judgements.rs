//! Events of what people say of data and code, both ways.

use super::form::{malformed, read, read_all, store_all, Stored};
use super::ConvertError;
use databuild_core::event::{Adopted, AdoptedPartition, CodeAccepted, Tainted, Untainted};
use databuild_proto::protobuf::MessageField;
use databuild_proto::v1 as stored;

impl Stored for Tainted {
    type Message = stored::Tainted;
    const WHAT: &'static str = "a taint";

    fn store(&self) -> stored::Tainted {
        let Tainted { partitions, reason } = self;
        stored::Tainted { partitions: partitions.clone(), reason: reason.clone(), ..Default::default() }
    }

    fn of_known(message: stored::Tainted) -> Result<Tainted, ConvertError> {
        let stored::Tainted { partitions, reason, by: _, special_fields: _ } = message;
        Ok(Tainted { partitions, reason })
    }
}

impl Stored for Untainted {
    type Message = stored::Untainted;
    const WHAT: &'static str = "an end of a taint";

    fn store(&self) -> stored::Untainted {
        let Untainted { partitions, reason } = self;
        stored::Untainted { partitions: partitions.clone(), reason: reason.clone(), ..Default::default() }
    }

    fn of_known(message: stored::Untainted) -> Result<Untainted, ConvertError> {
        let stored::Untainted { partitions, reason, by: _, special_fields: _ } = message;
        Ok(Untainted { partitions, reason })
    }
}

impl Stored for CodeAccepted {
    type Message = stored::CodeAccepted;
    const WHAT: &'static str = "an acceptance";

    fn store(&self) -> stored::CodeAccepted {
        let CodeAccepted { job, partitions, from, to, reason, evidence } = self;
        stored::CodeAccepted {
            job: job.clone(),
            partitions: partitions.clone(),
            from: store_all(from),
            to: MessageField::some(to.store()),
            reason: reason.clone(),
            evidence: evidence.clone(),
            ..Default::default()
        }
    }

    fn of_known(message: stored::CodeAccepted) -> Result<CodeAccepted, ConvertError> {
        let stored::CodeAccepted { job, partitions, from, to, reason, by: _, evidence, special_fields: _ } =
            message;
        let to = to.into_option().ok_or_else(|| malformed("lacks what was accepted"))?;
        Ok(CodeAccepted { job, partitions, from: read_all(from)?, to: read(to)?, reason, evidence })
    }
}

impl Stored for Adopted {
    type Message = stored::Adopted;
    const WHAT: &'static str = "an adoption";

    fn store(&self) -> stored::Adopted {
        let Adopted { partitions } = self;
        stored::Adopted { partitions: store_all(partitions), ..Default::default() }
    }

    fn of_known(message: stored::Adopted) -> Result<Adopted, ConvertError> {
        let stored::Adopted { partitions, by: _, special_fields: _ } = message;
        Ok(Adopted { partitions: read_all(partitions)? })
    }
}

impl Stored for AdoptedPartition {
    type Message = stored::AdoptedPartition;
    const WHAT: &'static str = "an adopted partition";

    fn store(&self) -> stored::AdoptedPartition {
        let AdoptedPartition { partition, version, mark, bytes, inputs } = self;
        stored::AdoptedPartition {
            partition: partition.clone(),
            version: version.clone(),
            mark: *mark,
            bytes: *bytes,
            inputs: *inputs,
            ..Default::default()
        }
    }

    fn of_known(message: stored::AdoptedPartition) -> Result<AdoptedPartition, ConvertError> {
        let stored::AdoptedPartition { partition, version, mark, bytes, inputs, special_fields: _ } = message;
        Ok(AdoptedPartition { partition, version, mark, bytes, inputs })
    }
}
