//! Values of `env_inherit` names, as the client that registered the graph had them.
//!
//! They may be secrets: they stand in one file of mode 0600 in the state folder and in jobs'
//! environments, never in the event log, in arguments or in logs.

use crate::os::{read_left, replace_file, EnvValue};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// No environment is longer.
const LONGEST: u64 = 64 << 20;

/// By name.
pub(crate) type Values = BTreeMap<String, EnvValue>;

/// The values and the file that keeps them over restarts.
#[derive(Debug)]
pub(crate) struct Inherited {
    path: PathBuf,
    values: Mutex<Values>,
    /// The content of the file. It is locked while the file is written.
    kept: Mutex<Values>,
}

impl Inherited {
    /// Reads what an earlier server kept; a missing or damaged file is no values.
    pub(crate) fn load(path: &Path) -> Inherited {
        let bytes = read_left(path, LONGEST).ok().flatten();
        let values: Values = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Inherited { path: path.to_owned(), kept: Mutex::new(values.clone()), values: Mutex::new(values) }
    }

    /// Replaces the values, for all that begins from now on, and gives those before. They are lost with this process until
    /// they are [kept](Inherited::keep).
    pub(crate) fn replace(&self, values: Values) -> Values {
        std::mem::replace(&mut *self.values(), values)
    }

    /// Writes the values as they are now to the file, if it has others. Waits for the disk; readers do not wait for it.
    pub(crate) fn keep(&self) -> std::io::Result<()> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let values = self.values().clone();
        if *kept != values {
            replace_file(&self.path, &serde_json::to_vec(&values)?)?;
            *kept = values;
        }
        Ok(())
    }

    /// The value of one name.
    pub(crate) fn get(&self, name: &str) -> Option<EnvValue> {
        self.values().get(name).cloned()
    }

    fn values(&self) -> MutexGuard<'_, Values> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(path: &Path, what: &str) {
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        match what {
            "a pipe" => {
                rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap()
            }
            "no end" => std::os::unix::fs::symlink("/dev/zero", path).unwrap(),
            text => std::fs::write(path, text).unwrap(),
        }
    }

    #[test]
    fn whatever_is_in_its_place_is_no_values_and_is_replaced() {
        for what in ["a pipe", "no end", "{\"A\": \"1\"", ""] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("inherited.json");
            put(&path, what);
            let inherited = Inherited::load(&path);
            assert!(inherited.get("A").is_none(), "{what}");
            assert!(inherited.replace(BTreeMap::from([("A".to_owned(), "2".into())])).is_empty());
            assert_eq!(inherited.get("A"), Some("2".into()));
            inherited.keep().unwrap();
            assert_eq!(Inherited::load(&path).get("A"), Some("2".into()), "{what}");
        }
    }
}
