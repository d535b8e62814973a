//! Paths on the command line.
//!
//! `bazel run` starts programs in their runfiles folder and says in a variable where the user is. A relative path means
//! something only from there.

use clap::builder::{PathBufValueParser, TypedValueParser};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The variable by which `bazel run` says where it was called.
const CALLED_FROM: &str = "BUILD_WORKING_DIRECTORY";
/// Standard input, where it can be named like a file.
pub const STDIN: &str = "-";

/// A path as the user means it.
pub fn given(path: &Path) -> PathBuf {
    resolve(path, std::env::var_os(CALLED_FROM).as_deref())
}

/// The folder in which the user called the program.
pub fn called_from() -> std::io::Result<PathBuf> {
    Ok(std::env::current_dir()?.join(given(Path::new("."))))
}

/// Parses an argument that is a path.
pub fn parser() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().map(|path| given(&path))
}

fn resolve(path: &Path, called_from: Option<&OsStr>) -> PathBuf {
    let called_from = called_from.map(Path::new).filter(|folder| folder.is_absolute());
    match called_from {
        Some(folder) if path.is_relative() && path != Path::new(STDIN) => folder.join(path),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_are_taken_from_where_bazel_run_was_called() {
        let of = |path: &str, from: Option<&str>| resolve(Path::new(path), from.map(OsStr::new));
        assert_eq!(of("x/y", Some("/ada")), Path::new("/ada/x/y"));
        assert_eq!(of("../y", Some("/ada")), Path::new("/ada/../y"));
        assert_eq!(of("/x", Some("/ada")), Path::new("/x"));
        assert_eq!(of("-", Some("/ada")), Path::new("-"));
        for elsewhere in [None, Some(""), Some("not/absolute")] {
            assert_eq!(of("x", elsewhere), Path::new("x"));
        }
    }
}
