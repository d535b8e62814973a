//! What can go wrong in the tool, and how it is told.

use databuild_core::graph::GraphProblem;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// A failure of one invocation.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// The rules and the tool do not fit together.
    #[error("{0}")]
    Usage(String),
    /// A file that the build says exists cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// An output cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A socket, pipe or device among a job's files.
    #[error("{} is neither a file nor a directory", .0.display())]
    SpecialFile(PathBuf),
    /// A directory link that leads back to a directory above it.
    #[error("the link {} leads back into the directory it stands in", .0.display())]
    LinkLoop(PathBuf),
    /// A name that a manifest cannot hold.
    #[error("the file name {} {why}", name.escape_debug())]
    BadName {
        /// The name, lossily decoded.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Two different files claim one runfiles path.
    #[error("two different files claim the runfiles path {0}")]
    Conflict(String),
    /// A file that should be a manifest is none.
    #[error("{}, line {line}: not a line of a code manifest", path.display())]
    BadManifest {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// The graph is not sound.
    #[error("the graph has {} problem(s)", .0.len())]
    Graph(Vec<GraphProblem>),
}

impl ToolError {
    /// A reading failure at `path`.
    pub fn read(path: impl AsRef<Path>, source: std::io::Error) -> ToolError {
        ToolError::Read { path: path.as_ref().to_owned(), source }
    }

    /// A writing failure at `path`.
    pub fn write(path: impl AsRef<Path>, source: std::io::Error) -> ToolError {
        ToolError::Write { path: path.as_ref().to_owned(), source }
    }

    /// 1: something in the user's build is wrong; 2: the tool was called wrongly.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            ToolError::Usage(_) => 2,
            _ => 1,
        }
    }

    /// The text for stderr, newline at the end.
    #[must_use]
    pub fn report(&self) -> String {
        let (code, help) = match self {
            ToolError::Graph(problems) => {
                let mut out = String::new();
                for problem in problems {
                    let _ = writeln!(out, "error[{}]: {problem}\n  help: {}", problem.code, problem.help);
                }
                return out;
            }
            ToolError::Usage(_) => ("graphtool_usage", "use the rules and the graph tool of one release"),
            ToolError::Read { .. } => {
                ("unreadable_file", "make the file readable, or take it out of the job's data")
            }
            ToolError::Write { .. } => {
                ("unwritable_output", "look at the free space and the rights of Bazel's output folder")
            }
            ToolError::SpecialFile(_) => ("special_file", "take it out of the job's data"),
            ToolError::LinkLoop(_) => ("link_loop", "take the link out of the job's data"),
            ToolError::BadName { .. } => {
                ("bad_file_name", "rename the file, or take it out of the job's data")
            }
            ToolError::Conflict(_) => ("runfiles_conflict", "let one target only provide that path"),
            ToolError::BadManifest { .. } => {
                ("bad_manifest", "use the rules and the graph tool of one release")
            }
        };
        format!("error[{code}]: {self}\n  help: {help}\n")
    }
}
