//! What several events hold, both ways.

use super::super::time::{join, split};
use super::form::{malformed, read_some, Stored};
use super::ConvertError;
use databuild_core::event::{OutputRecord, RequestKey};
use databuild_core::graph::JobDigests;
use databuild_core::ids::{AttemptId, RunId};
use databuild_proto::protobuf::MessageField;
use databuild_proto::v1 as stored;
use jiff::Timestamp;

impl Stored for Timestamp {
    type Message = stored::Instant;
    const WHAT: &'static str = "a time";

    fn store(&self) -> stored::Instant {
        let (us, ns) = split(*self);
        stored::Instant { us, ns, ..Default::default() }
    }

    fn of_known(message: stored::Instant) -> Result<Timestamp, ConvertError> {
        let stored::Instant { us, ns, special_fields: _ } = message;
        join(us, ns).ok_or_else(|| malformed("has a time that does not exist"))
    }
}

/// The key of a request and its digest; both empty if it had none.
pub(super) fn request_key(request: Option<&RequestKey>) -> (String, String) {
    request.map(|request| (request.key.clone(), request.digest.clone())).unwrap_or_default()
}

pub(super) fn read_request_key(key: String, digest: String) -> Option<RequestKey> {
    (!key.is_empty()).then_some(RequestKey { key, digest })
}

/// An instant that is always there.
pub(super) fn store_instant(at: Timestamp) -> MessageField<stored::Instant> {
    MessageField::some(at.store())
}

/// An instant that is always there.
pub(super) fn read_instant(field: MessageField<stored::Instant>) -> Result<Timestamp, ConvertError> {
    read_some(field)?.ok_or_else(|| malformed("lacks a time"))
}

/// An attempt is two fields of the message that is about it.
pub(super) fn attempt(run: u64, number: u32) -> AttemptId {
    AttemptId { run: RunId(run), number }
}

impl Stored for OutputRecord {
    type Message = stored::OutputRecord;
    const WHAT: &'static str = "an output";

    fn store(&self) -> stored::OutputRecord {
        let OutputRecord { partition, version, empty, mark, bytes, metadata } = self;
        stored::OutputRecord {
            partition: partition.clone(),
            version: version.clone(),
            empty: *empty,
            mark: *mark,
            bytes: *bytes,
            metadata: metadata.clone(),
            ..Default::default()
        }
    }

    fn of_known(message: stored::OutputRecord) -> Result<OutputRecord, ConvertError> {
        let stored::OutputRecord { partition, version, empty, mark, bytes, metadata, special_fields: _ } =
            message;
        Ok(OutputRecord { partition, version, empty, mark, bytes, metadata })
    }
}

impl Stored for JobDigests {
    type Message = stored::Digests;
    const WHAT: &'static str = "digests of a job";

    fn store(&self) -> stored::Digests {
        let JobDigests { code, args, template } = self;
        stored::Digests {
            code: code.clone(),
            args: args.clone(),
            template: template.clone(),
            ..Default::default()
        }
    }

    fn of_known(message: stored::Digests) -> Result<JobDigests, ConvertError> {
        let stored::Digests { code, args, template, special_fields: _ } = message;
        Ok(JobDigests { code, args, template })
    }
}
