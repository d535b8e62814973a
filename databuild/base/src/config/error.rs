//! What can be wrong with settings.

use super::given::Source;
use super::keys::KEYS;
use databuild_core::text::{nearest, shown};
use std::path::{Path, PathBuf};

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the settings in {}: {error}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// It is no TOML.
    #[error("{}: line {line}: {what}", .path.display())]
    NoToml {
        /// The file.
        path: PathBuf,
        /// Where it goes wrong.
        line: usize,
        /// How.
        what: String,
    },
    /// It names what is no setting.
    #[error("{}: there is no setting `{}`; {}", .path.display(), shown(.name), instead(.name))]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// A value that the setting does not take.
    #[error("{source_of}: {what}")]
    Value {
        /// The setting.
        key: &'static str,
        /// Where it stands.
        source_of: Source,
        /// What is wrong with it.
        what: String,
    },
}

impl ConfigError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            ConfigError::Unreadable { .. } | ConfigError::NoToml { .. } => "settings_unreadable",
            ConfigError::Unknown { .. } => "unknown_setting",
            // What is typed wrongly is wrong usage.
            ConfigError::Value { source_of: Source::Flag(_), .. } => "usage",
            ConfigError::Value { .. } => "bad_setting",
        }
    }

    pub(super) fn no_toml(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
        let at = error.span().map_or(0, |span| span.start);
        let line = text.get(..at).unwrap_or_default().matches('\n').count() + 1;
        let what = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
        ConfigError::NoToml { path: path.to_owned(), line, what }
    }
}

/// What to write instead of a name that no setting has.
fn instead(name: &str) -> String {
    let quoted = |names: Vec<String>| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>();
    match nearest(name, KEYS.iter().map(|key| key.name)) {
        near if near.is_empty() => {
            let all = KEYS.iter().map(|key| key.name.to_owned()).collect();
            format!("these are: {}", quoted(all).join(", "))
        }
        near => format!("did you mean {}?", quoted(near).join(" or ")),
    }
}
