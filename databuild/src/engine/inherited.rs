//! Values of `env_inherit` names, as the client that registered the graph had them.
//!
//! They may be secrets: they stand in one file of mode 0600 in the state folder and in jobs'
//! environments, never in the event log, in arguments or in logs.

use crate::system::EnvValue;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The values and the file that keeps them over restarts.
#[derive(Debug)]
pub(super) struct Inherited {
    path: PathBuf,
    values: BTreeMap<String, EnvValue>,
}

impl Inherited {
    /// Reads what an earlier server kept; a missing or damaged file is no values.
    pub(super) fn load(path: &Path) -> Inherited {
        let values = std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Inherited { path: path.to_owned(), values: values.unwrap_or_default() }
    }

    /// Replaces the values.
    pub(super) fn store(&mut self, values: BTreeMap<String, EnvValue>) -> std::io::Result<()> {
        if values == self.values {
            return Ok(());
        }
        let temporary = self.path.with_extension("new");
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(&serde_json::to_vec(&values)?)?;
        file.sync_all()?;
        std::fs::rename(&temporary, &self.path)?;
        self.values = values;
        Ok(())
    }

    /// The value of one name.
    pub(super) fn get(&self, name: &str) -> Option<&EnvValue> {
        self.values.get(name)
    }
}
