//! Events of pools, both ways.

use super::form::Stored;
use super::ConvertError;
use databuild_core::event::PoolResized;
use databuild_proto::v1 as stored;

impl Stored for PoolResized {
    type Message = stored::PoolResized;
    const WHAT: &'static str = "a pool's size";

    fn store(&self) -> stored::PoolResized {
        let PoolResized { pool, slots } = self;
        stored::PoolResized { pool: pool.clone(), slots: *slots, ..Default::default() }
    }

    fn of_known(message: stored::PoolResized) -> Result<PoolResized, ConvertError> {
        let stored::PoolResized { pool, slots, by: _, special_fields: _ } = message;
        Ok(PoolResized { pool, slots })
    }
}
