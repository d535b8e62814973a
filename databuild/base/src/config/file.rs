//! Files of settings.

use super::error::ConfigError;
use super::given::{Given, Source};
use super::keys::Key;
use crate::os::read_left;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// Bytes that a file of settings may have.
const LONGEST: u64 = 1 << 20;

/// The user's file, whether or not there is one: below `XDG_CONFIG_HOME`, or else below `.config` at home. None if neither is
/// known.
#[must_use]
pub fn user_file(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")))?;
    Some(folder.join("databuild").join("config.toml"))
}

/// What a file says; none if it is not there. A path in it is taken from its folder.
pub(super) fn read(path: &Path) -> Result<Option<Vec<Given>>, ConfigError> {
    let unreadable = |error| ConfigError::Unreadable { path: path.to_owned(), error };
    // It may be a link, as of those who keep such files elsewhere.
    let real = match path.canonicalize() {
        Ok(real) => real,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let Some(bytes) = read_left(&real, LONGEST).map_err(unreadable)? else { return Ok(None) };
    let text = String::from_utf8(bytes)
        .map_err(|_| unreadable(io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8")))?;
    parse(path, &text).map(Some)
}

fn parse(path: &Path, text: &str) -> Result<Vec<Given>, ConfigError> {
    let table: toml::Table = text.parse().map_err(|error| ConfigError::no_toml(path, text, &error))?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let mut found = Vec::new();
    for (name, value) in table {
        let Some(key) = Key::find(&name) else {
            return Err(ConfigError::Unknown { path: path.to_owned(), name });
        };
        let source = Source::File(path.to_owned());
        let texts = match texts(&value) {
            Some(texts) => texts,
            None => {
                let what = format!("`{name}` is a {}, which no setting is", value.type_str());
                return Err(ConfigError::Value { key: key.name, source_of: source, what });
            }
        };
        let list = value.is_array();
        found.push(Given { key, texts, list, source, folder: folder.to_owned() });
    }
    Ok(found)
}

fn texts(value: &toml::Value) -> Option<Vec<String>> {
    match value {
        toml::Value::Array(values) => values.iter().map(text).collect(),
        value => Some(vec![text(value)?]),
    }
}

fn text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        _ => None,
    }
}
