//! Events of keys that come and go, and of inputs that are found, both ways.

use super::parts::known;
use super::ConvertError;
use databuild_core::event::{KeysAdded, KeysRetired, RunSuspended};
use databuild_core::ids::{RunId, WantId};
use databuild_proto::v1 as stored;

pub(super) fn keys_added(event: &KeysAdded) -> stored::KeysAdded {
    let KeysAdded { space, keys } = event;
    stored::KeysAdded { space: space.clone(), keys: keys.clone(), ..Default::default() }
}

pub(super) fn read_keys_added(message: stored::KeysAdded) -> Result<KeysAdded, ConvertError> {
    known(&message, "added keys")?;
    let stored::KeysAdded { space, keys, by: _, special_fields: _ } = message;
    Ok(KeysAdded { space, keys })
}

pub(super) fn keys_retired(event: &KeysRetired) -> stored::KeysRetired {
    let KeysRetired { space, keys } = event;
    stored::KeysRetired { space: space.clone(), keys: keys.clone(), ..Default::default() }
}

pub(super) fn read_keys_retired(message: stored::KeysRetired) -> Result<KeysRetired, ConvertError> {
    known(&message, "retired keys")?;
    let stored::KeysRetired { space, keys, by: _, special_fields: _ } = message;
    Ok(KeysRetired { space, keys })
}

pub(super) fn run_suspended(event: &RunSuspended) -> stored::RunSuspended {
    let RunSuspended { run, want, inputs } = event;
    stored::RunSuspended { run: run.0, want: want.0, inputs: inputs.clone(), ..Default::default() }
}

pub(super) fn read_run_suspended(message: stored::RunSuspended) -> Result<RunSuspended, ConvertError> {
    known(&message, "a suspension")?;
    let stored::RunSuspended { run, want, inputs, special_fields: _ } = message;
    Ok(RunSuspended { run: RunId(run), want: WantId(want), inputs })
}
