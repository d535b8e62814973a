//! The names of files that belong to a log.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The file beside `path` whose name ends with `suffix`, too.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}
