//! Values of `env_inherit` names, as the client that registered the graph had them.
//!
//! They may be secrets: they stand in one file of mode 0600 in the state folder and in jobs'
//! environments, never in the event log, in arguments or in logs.

use crate::system::{read_left, replace_file, EnvValue};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// No environment is longer.
const LONGEST: u64 = 64 << 20;

/// The values and the file that keeps them over restarts.
#[derive(Debug)]
pub(in crate::engine) struct Inherited {
    path: PathBuf,
    values: BTreeMap<String, EnvValue>,
}

impl Inherited {
    /// Reads what an earlier server kept; a missing or damaged file is no values.
    pub(in crate::engine) fn load(path: &Path) -> Inherited {
        let bytes = read_left(path, LONGEST).ok().flatten();
        let values = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Inherited { path: path.to_owned(), values: values.unwrap_or_default() }
    }

    /// Replaces the values.
    pub(in crate::engine) fn store(&mut self, values: BTreeMap<String, EnvValue>) -> std::io::Result<()> {
        if values == self.values {
            return Ok(());
        }
        replace_file(&self.path, &serde_json::to_vec(&values)?)?;
        self.values = values;
        Ok(())
    }

    /// The value of one name.
    pub(in crate::engine) fn get(&self, name: &str) -> Option<&EnvValue> {
        self.values.get(name)
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
            let mut inherited = Inherited::load(&path);
            assert!(inherited.get("A").is_none(), "{what}");
            inherited.store(BTreeMap::from([("A".to_owned(), "2".into())])).unwrap();
            assert_eq!(Inherited::load(&path).get("A"), Some(&"2".into()), "{what}");
        }
    }
}
