//! Parameter files: how the rules talk to the tool.
//!
//! One item a line. The first line is the command; then come options (`--name=value`) and directives,
//! whose fields are separated by tabs and whose first field is a keyword. Bazel writes the lines
//! without any escaping, so a file name with a newline or a tab shows up as a malformed directive and
//! is refused, never misread.

use crate::error::ToolError;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// A parsed parameter file.
#[derive(Debug)]
pub struct Params {
    command: String,
    options: Vec<(String, String)>,
    directives: Vec<Vec<String>>,
}

impl Params {
    /// Reads the file named by an `@FILE` argument.
    ///
    /// # Errors
    /// An argument of another form, an unreadable file, or names that are not UTF-8.
    pub fn read(arg: &OsStr) -> Result<Params, ToolError> {
        let path = arg
            .to_str()
            .and_then(|arg| arg.strip_prefix('@'))
            .ok_or_else(|| ToolError::Usage(format!("expected @FILE, got {}", arg.display())))?;
        let bytes = std::fs::read(path).map_err(|source| ToolError::read(path, source))?;
        Params::parse(&bytes)
    }

    /// Parses the content of a parameter file.
    ///
    /// # Errors
    /// No command, an option without a value, or names that are not UTF-8.
    pub fn parse(bytes: &[u8]) -> Result<Params, ToolError> {
        let mut params = Params { command: String::new(), options: Vec::new(), directives: Vec::new() };
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let line = std::str::from_utf8(line).map_err(|_| ToolError::BadName {
                name: String::from_utf8_lossy(line).into_owned(),
                why: "is not UTF-8",
            })?;
            if params.command.is_empty() {
                line.clone_into(&mut params.command);
            } else if let Some(option) = line.strip_prefix("--") {
                let (name, value) = option
                    .split_once('=')
                    .ok_or_else(|| ToolError::Usage(format!("option `{line}` has no value")))?;
                params.options.push((name.to_owned(), value.to_owned()));
            } else {
                params.directives.push(line.split('\t').map(str::to_owned).collect());
            }
        }
        if params.command.is_empty() {
            return Err(ToolError::Usage("the parameter file is empty".to_owned()));
        }
        Ok(params)
    }

    /// What is to be done.
    #[must_use]
    pub fn command(&self) -> &str {
        &self.command
    }

    /// The value of an option, if it is given.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// The value of an option that must be given.
    ///
    /// # Errors
    /// It is not.
    pub fn required(&self, name: &str) -> Result<&str, ToolError> {
        self.option(name).ok_or_else(|| ToolError::Usage(format!("`{}` needs --{name}=", self.command)))
    }

    /// The path given by an option that must be given.
    ///
    /// # Errors
    /// It is not.
    pub fn path(&self, name: &str) -> Result<PathBuf, ToolError> {
        self.required(name).map(PathBuf::from)
    }

    /// The directives in their order, fields split.
    pub fn directives(&self) -> impl Iterator<Item = Vec<&str>> {
        self.directives.iter().map(|fields| fields.iter().map(String::as_str).collect())
    }
}

/// Refuses a path that a line of a manifest cannot hold.
///
/// # Errors
/// It contains a line break; tabs never get this far.
pub fn check_path(path: &str) -> Result<(), ToolError> {
    if path.contains(['\n', '\r']) {
        return Err(ToolError::BadName { name: path.to_owned(), why: "contains a line break" });
    }
    Ok(())
}

/// The error for a directive that no command knows.
#[must_use]
pub fn unknown_directive(fields: &[&str]) -> ToolError {
    ToolError::BadName {
        name: fields.join("\t"),
        why: "cannot stand in a manifest: it contains a tab or a newline, or the directive is unknown",
    }
}

/// Writes an output in one go.
///
/// # Errors
/// It cannot be written.
pub fn write_output(path: &Path, content: &[u8]) -> Result<(), ToolError> {
    std::fs::write(path, content).map_err(|source| ToolError::write(path, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_options_and_directives_are_told_apart() {
        let params = Params::parse("manifest\n--out=a=b\nfile\tx y\tz\n".as_bytes()).unwrap();
        assert_eq!(params.command(), "manifest");
        assert_eq!(params.required("out").unwrap(), "a=b");
        assert_eq!(params.directives().collect::<Vec<_>>(), [["file", "x y", "z"]]);
        assert!(params.required("unused").is_err());
    }

    #[test]
    fn names_that_are_not_utf8_are_refused() {
        let error = Params::parse(b"manifest\nfile\t\xff\tz\n").unwrap_err();
        assert!(
            error.report().starts_with("error[bad_file_name]: the file name file\\t"),
            "{}",
            error.report()
        );
    }

    #[test]
    fn empty_files_and_valueless_options_are_usage_errors() {
        assert_eq!(Params::parse(b"\n").unwrap_err().exit_code(), 2);
        assert_eq!(Params::parse(b"merge\n--out\n").unwrap_err().exit_code(), 2);
    }
}
