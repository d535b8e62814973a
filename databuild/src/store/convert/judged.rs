//! Events of what people say of data and code, both ways.

use super::decode::known;
use super::ConvertError;
use databuild_core::event::{Tainted, Untainted};
use databuild_proto::v1 as stored;

pub(super) fn tainted(event: &Tainted) -> stored::Tainted {
    let Tainted { partitions, reason, by } = event;
    stored::Tainted {
        partitions: partitions.clone(),
        reason: reason.clone(),
        by: by.clone(),
        ..Default::default()
    }
}

pub(super) fn read_tainted(message: stored::Tainted) -> Result<Tainted, ConvertError> {
    known(&message, "a taint")?;
    let stored::Tainted { partitions, reason, by, special_fields: _ } = message;
    Ok(Tainted { partitions, reason, by })
}

pub(super) fn untainted(event: &Untainted) -> stored::Untainted {
    let Untainted { partitions, reason, by } = event;
    stored::Untainted {
        partitions: partitions.clone(),
        reason: reason.clone(),
        by: by.clone(),
        ..Default::default()
    }
}

pub(super) fn read_untainted(message: stored::Untainted) -> Result<Untainted, ConvertError> {
    known(&message, "an end of a taint")?;
    let stored::Untainted { partitions, reason, by, special_fields: _ } = message;
    Ok(Untainted { partitions, reason, by })
}
