//! Events about pools, both ways.

use super::parts::known;
use super::ConvertError;
use databuild_core::event::PoolResized;
use databuild_proto::v1 as stored;

pub(super) fn pool_resized(event: &PoolResized) -> stored::PoolResized {
    let PoolResized { pool, slots } = event;
    stored::PoolResized { pool: pool.clone(), slots: *slots, ..Default::default() }
}

pub(super) fn read_pool_resized(message: stored::PoolResized) -> Result<PoolResized, ConvertError> {
    known(&message, "a pool's size")?;
    let stored::PoolResized { pool, slots, by: _, special_fields: _ } = message;
    Ok(PoolResized { pool, slots })
}
