//! Events of what people say of data and code, both ways.

use super::parts::{known, malformed};
use super::ConvertError;
use databuild_core::event::{Adopted, AdoptedPartition, CodeAccepted, Tainted, Untainted};
use databuild_core::graph::JobDigests;
use databuild_proto::protobuf::MessageField;
use databuild_proto::v1 as stored;

pub(super) fn tainted(event: &Tainted) -> stored::Tainted {
    let Tainted { partitions, reason } = event;
    stored::Tainted { partitions: partitions.clone(), reason: reason.clone(), ..Default::default() }
}

pub(super) fn read_tainted(message: stored::Tainted) -> Result<Tainted, ConvertError> {
    known(&message, "a taint")?;
    let stored::Tainted { partitions, reason, by: _, special_fields: _ } = message;
    Ok(Tainted { partitions, reason })
}

pub(super) fn untainted(event: &Untainted) -> stored::Untainted {
    let Untainted { partitions, reason } = event;
    stored::Untainted { partitions: partitions.clone(), reason: reason.clone(), ..Default::default() }
}

pub(super) fn read_untainted(message: stored::Untainted) -> Result<Untainted, ConvertError> {
    known(&message, "an end of a taint")?;
    let stored::Untainted { partitions, reason, by: _, special_fields: _ } = message;
    Ok(Untainted { partitions, reason })
}

pub(super) fn code_accepted(event: &CodeAccepted) -> stored::CodeAccepted {
    let CodeAccepted { job, partitions, from, to, reason, evidence } = event;
    stored::CodeAccepted {
        job: job.clone(),
        partitions: partitions.clone(),
        from: from.iter().map(digests).collect(),
        to: MessageField::some(digests(to)),
        reason: reason.clone(),
        evidence: evidence.clone(),
        ..Default::default()
    }
}

pub(super) fn read_code_accepted(message: stored::CodeAccepted) -> Result<CodeAccepted, ConvertError> {
    known(&message, "an acceptance")?;
    let stored::CodeAccepted { job, partitions, from, to, reason, by: _, evidence, special_fields: _ } =
        message;
    let to = to.into_option().ok_or_else(|| malformed("lacks what was accepted"))?;
    Ok(CodeAccepted {
        job,
        partitions,
        from: from.into_iter().map(read_digests).collect::<Result<_, _>>()?,
        to: read_digests(to)?,
        reason,
        evidence,
    })
}

pub(super) fn digests(digests: &JobDigests) -> stored::Digests {
    let JobDigests { code, args, template } = digests;
    stored::Digests {
        code: code.clone(),
        args: args.clone(),
        template: template.clone(),
        ..Default::default()
    }
}

pub(super) fn read_digests(message: stored::Digests) -> Result<JobDigests, ConvertError> {
    known(&message, "digests of a job")?;
    let stored::Digests { code, args, template, special_fields: _ } = message;
    Ok(JobDigests { code, args, template })
}

pub(super) fn adopted(event: &Adopted) -> stored::Adopted {
    let Adopted { partitions } = event;
    let one = |adopted: &AdoptedPartition| {
        let AdoptedPartition { partition, version, mark, bytes, inputs } = adopted;
        stored::AdoptedPartition {
            partition: partition.clone(),
            version: version.clone(),
            mark: *mark,
            bytes: *bytes,
            inputs: *inputs,
            ..Default::default()
        }
    };
    stored::Adopted { partitions: partitions.iter().map(one).collect(), ..Default::default() }
}

pub(super) fn read_adopted(message: stored::Adopted) -> Result<Adopted, ConvertError> {
    known(&message, "an adoption")?;
    let stored::Adopted { partitions, by: _, special_fields: _ } = message;
    let one = |message: stored::AdoptedPartition| {
        known(&message, "an adopted partition")?;
        let stored::AdoptedPartition { partition, version, mark, bytes, inputs, special_fields: _ } = message;
        Ok(AdoptedPartition { partition, version, mark, bytes, inputs })
    };
    Ok(Adopted { partitions: partitions.into_iter().map(one).collect::<Result<_, ConvertError>>()? })
}
