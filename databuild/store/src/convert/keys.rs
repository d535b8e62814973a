//! Events of keys that come and go, both ways.

use super::form::Stored;
use super::ConvertError;
use databuild_core::event::{KeysAdded, KeysRetired};
use databuild_proto::v1 as stored;

impl Stored for KeysAdded {
    type Message = stored::KeysAdded;
    const WHAT: &'static str = "added keys";

    fn store(&self) -> stored::KeysAdded {
        let KeysAdded { space, keys, back } = self;
        let (space, keys, back) = (space.clone(), keys.clone(), back.clone());
        stored::KeysAdded { space, keys, back, ..Default::default() }
    }

    fn of_known(message: stored::KeysAdded) -> Result<KeysAdded, ConvertError> {
        let stored::KeysAdded { space, keys, by: _, back, special_fields: _ } = message;
        Ok(KeysAdded { space, keys, back })
    }
}

impl Stored for KeysRetired {
    type Message = stored::KeysRetired;
    const WHAT: &'static str = "retired keys";

    fn store(&self) -> stored::KeysRetired {
        let KeysRetired { space, keys } = self;
        stored::KeysRetired { space: space.clone(), keys: keys.clone(), ..Default::default() }
    }

    fn of_known(message: stored::KeysRetired) -> Result<KeysRetired, ConvertError> {
        let stored::KeysRetired { space, keys, by: _, special_fields: _ } = message;
        Ok(KeysRetired { space, keys })
    }
}
