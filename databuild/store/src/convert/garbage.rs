//! Events of cleaning up, both ways.

use super::form::{read_some, store_some, Stored};
use super::ConvertError;
use databuild_core::event::GarbageCollected;
use databuild_proto::v1 as stored;

impl Stored for GarbageCollected {
    type Message = stored::GarbageCollected;
    const WHAT: &'static str = "what was cleaned up";

    fn store(&self) -> stored::GarbageCollected {
        let GarbageCollected { attempts, older_than, staged, snapshots, bytes, archived_until } = self;
        stored::GarbageCollected {
            attempts: *attempts,
            older_than: store_some(older_than.as_ref()),
            staged: *staged,
            snapshots: *snapshots,
            bytes: *bytes,
            archived_until: *archived_until,
            ..Default::default()
        }
    }

    fn of_known(message: stored::GarbageCollected) -> Result<GarbageCollected, ConvertError> {
        let stored::GarbageCollected {
            attempts,
            older_than,
            staged,
            snapshots,
            bytes,
            archived_until,
            special_fields: _,
        } = message;
        let older_than = read_some(older_than)?;
        Ok(GarbageCollected { attempts, older_than, staged, snapshots, bytes, archived_until })
    }
}
