//! Why an output cannot be published.

use databuild_core::observation::{Blind, Blindness};
use std::io;
use std::path::{Path, PathBuf};

/// A failed publication step. What was published before is in place, unless it says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The job ended without writing its output.
    #[error("the output {} was not written", path.display())]
    OutputMissing {
        /// The staging path.
        path: PathBuf,
    },
    /// A link that does not resolve inside the output: its content could change unnoticed.
    #[error("{} is a symbolic link to {}, which is outside the output: write the file itself, or a relative link inside the output directory", path.display(), target.display())]
    LinkOutside {
        /// The link.
        path: PathBuf,
        /// Where it points.
        target: PathBuf,
    },
    /// A pipe, socket or device.
    #[error("{} is neither a file, a directory nor a symbolic link: only these can be published", path.display())]
    SpecialFile {
        /// What was found.
        path: PathBuf,
    },
    /// Somebody is still writing.
    #[error("{} changed while it was read: a process of the job is still writing to it", path.display())]
    StillChanging {
        /// The file.
        path: PathBuf,
    },
    /// It was read only in part, since nobody wants it any more.
    #[error("reading {} was given up", path.display())]
    GivenUp {
        /// The file.
        path: PathBuf,
    },
    /// A rename cannot cross file systems, so the publication would not be atomic.
    #[error("{} and {} are on different file systems: the staging path must be beside the output", staging.display(), path.display())]
    OtherFileSystem {
        /// Where the job wrote.
        staging: PathBuf,
        /// Where the output belongs.
        path: PathBuf,
    },
    /// After a crash the new output is neither staged nor in place.
    #[error("the output for {} got lost in a crash, or was changed after it: build it again", place.display())]
    OutputLost {
        /// Where it belonged.
        place: PathBuf,
    },
    /// One output of an attempt could not be published, and an old one could not be put back for it.
    #[error("{cause}; the outputs published before it were to be put back, but {} was not: {error}", place.display())]
    NotPutBack {
        /// Where the new output still is.
        place: PathBuf,
        /// Why all of them were to be put back.
        cause: Box<PublishError>,
        /// Why that one could not be.
        error: Box<PublishError>,
    },
    /// An output would be written into what is not the user's data, or replace it.
    #[error("{} cannot be an output: {} is reserved; give the dataset another path", path.display(), reserved.display())]
    Reserved {
        /// The final path.
        path: PathBuf,
        /// What belongs to DataBuild, Git or Bazel.
        reserved: PathBuf,
    },
    /// A folder with somebody's files in it is where an output belongs.
    #[error("{partition} cannot be published: {} is a folder that DataBuild did not publish, and {} is in it; move the folder away, run `databuild adopt {partition}` to count it as built, or give the dataset another path", path.display(), file.display())]
    FolderNotPublished {
        /// The final path.
        path: PathBuf,
        /// Some file in it.
        file: PathBuf,
        /// Whose place it is.
        partition: String,
    },
    /// A file is where a folder above an output belongs.
    #[error("{} cannot be published: {} is a file, and would have to be a folder{}; move the file away, or give the dataset another path", place.display(), file.display(), whose(published.as_deref()))]
    FileInTheWay {
        /// The final path.
        place: PathBuf,
        /// What is in the way.
        file: PathBuf,
        /// The partition as which a run published that file.
        published: Option<String>,
    },
    /// No room (disk or quota).
    #[error("no room left to write {}: {source}; free some space and try again", path.display())]
    DiskFull {
        /// What was being written.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// What matches a pattern cannot be named in a job's request.
    #[error("{} matches and its name is not UTF-8: rename it, or write a pattern that it does not match", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// More than a request can name.
    #[error("more than {} files match, {} among them: add a dimension, or write a narrower pattern", most, path.display())]
    TooManyMatches {
        /// One of them.
        path: PathBuf,
        /// How many may match.
        most: usize,
    },
    /// Not a pattern.
    #[error("`{pattern}` is no pattern of files: {problem}")]
    BadPattern {
        /// It.
        pattern: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// Any other system error.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// A verb, for the message.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// What to add of a file that a run published.
fn whose(published: Option<&str>) -> String {
    published.map_or_else(String::new, |partition| format!(" (it holds what was published as {partition})"))
}

impl PublishError {
    /// Stable name of the kind of error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::OutputMissing { .. } => "output_missing",
            Self::LinkOutside { .. } => "output_link_outside",
            Self::SpecialFile { .. } => "output_special_file",
            Self::StillChanging { .. } => "output_still_changing",
            Self::GivenUp { .. } => "output_given_up",
            Self::OtherFileSystem { .. } => "output_other_file_system",
            Self::OutputLost { .. } => "output_lost",
            Self::NotPutBack { .. } => "output_not_put_back",
            Self::Reserved { .. } => "output_reserved",
            Self::NotText { .. } => "match_not_text",
            Self::TooManyMatches { .. } => "too_many_matches",
            Self::BadPattern { .. } => "bad_pattern",
            Self::FolderNotPublished { .. } => "folder_not_published",
            Self::FileInTheWay { .. } => "file_in_the_way",
            Self::DiskFull { .. } => "disk_full",
            Self::Io { .. } => "output_io",
        }
    }

    /// Names the path in a system error and tells a full disk from the rest.
    pub fn io(action: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        let (path, source) = (path.to_owned(), source.into());
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::DiskFull { path, source }
            }
            _ => Self::Io { action, path, source },
        }
    }
}

/// Why data of others cannot be looked at; it is no output, and so it is told in other words.
impl From<PublishError> for Blind {
    fn from(error: PublishError) -> Blind {
        let (kind, message) = match error {
            PublishError::StillChanging { path } => (
                Blindness::Unstable,
                format!("{} kept changing while it was read; try again when nobody writes to it", path.display()),
            ),
            PublishError::SpecialFile { path } => (
                Blindness::Foreign,
                format!(
                    "{} is a pipe, a socket or a device, which has no content to compare; remove it, or observe the files \
                     beside it with observe.glob",
                    path.display()
                ),
            ),
            other => (Blindness::Unreadable, other.to_string()),
        };
        Blind { kind, message }
    }
}

/// Gives [`io::Result`]s the context an error message needs.
pub(super) trait Context<T> {
    fn context(self, action: &'static str, path: &Path) -> Result<T, PublishError>;
}

impl<T, E: Into<io::Error>> Context<T> for Result<T, E> {
    fn context(self, action: &'static str, path: &Path) -> Result<T, PublishError> {
        self.map_err(|source| PublishError::io(action, path, source))
    }
}
