//! Why a request is not answered or not carried out, for whoever serves it.

use crate::api::LONGEST_TEXT;
use crate::engine::CommandError;
use crate::snapshot::SnapshotError;
use crate::store::StoreError;
use databuild_core::decide::Refusal;
use databuild_core::reference::ReferenceError;

/// Why a request is not answered or not carried out.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The request names something that is not there.
    #[error("there is no {noun} `{id}`")]
    NotFound {
        /// Stable code.
        code: &'static str,
        /// What kind of thing it names.
        noun: &'static str,
        /// The name.
        id: String,
    },
    /// The request names something by what is no id.
    #[error("`{id}` is not the id of a {noun}; {cure}")]
    BadId {
        /// Stable code.
        code: &'static str,
        /// What kind of thing it names.
        noun: &'static str,
        /// What it says.
        id: String,
        /// How to write one.
        cure: &'static str,
    },
    /// The request is about a want or a run that has ended.
    #[error("{id} is over already: {state}")]
    Ended {
        /// Stable code.
        code: &'static str,
        /// What kind of thing it is.
        noun: &'static str,
        /// Its name.
        id: String,
        /// How it ended.
        state: &'static str,
    },
    /// The request gives a text that is too long to be kept.
    #[error("`{field}` has {bytes} bytes, and {LONGEST_TEXT} is the most: shorten it")]
    TooLong {
        /// The field of the request.
        field: &'static str,
        /// How many it has.
        bytes: usize,
    },
    /// The request cannot be carried out as it stands.
    #[error("{message}")]
    Rejected {
        /// Stable code.
        code: &'static str,
        /// Why, and what to do.
        message: String,
    },
    /// The engine did not carry out a command.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The history cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The code store cannot be read or written.
    #[error(transparent)]
    Code(#[from] SnapshotError),
    /// A reference has no meaning in the graph of today.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
}

impl From<Refusal> for AppError {
    fn from(refusal: Refusal) -> AppError {
        CommandError::Refused(refusal).into()
    }
}

impl AppError {
    /// An error with this code of the catalog, which tells its kind.
    pub fn new(code: &'static str, message: impl Into<String>) -> AppError {
        AppError::Rejected { code, message: message.into() }
    }

    /// Tells that no `noun` has this id.
    pub fn not_found(code: &'static str, noun: &'static str, id: impl ToString) -> AppError {
        AppError::NotFound { code, noun, id: id.to_string() }
    }

    /// Why a command about a want or a run was not carried out. If it is not live, `state` looks up how it ended, and the
    /// answer has this code. Any other error is told as it is.
    pub fn of_command(
        error: CommandError,
        (code, noun): (&'static str, &'static str),
        id: impl ToString,
        state: impl FnOnce() -> Result<&'static str, AppError>,
    ) -> AppError {
        if !matches!(error, CommandError::Refused(Refusal::UnknownWant(_) | Refusal::UnknownRun(_))) {
            return error.into();
        }
        match state() {
            Ok(state) => AppError::Ended { code, noun, id: id.to_string(), state },
            Err(unknown) => unknown,
        }
    }

    /// Stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            AppError::NotFound { code, .. }
            | AppError::BadId { code, .. }
            | AppError::Ended { code, .. }
            | AppError::Rejected { code, .. } => code,
            AppError::TooLong { .. } => "text_too_long",
            AppError::Command(error) => error.code(),
            AppError::Store(error) => error.code(),
            AppError::Code(error) => error.code(),
            AppError::Reference(error) => error.code(),
        }
    }

    /// What the message speaks of, by name, for programs.
    #[must_use]
    pub fn details(&self) -> Vec<(String, String)> {
        match self {
            AppError::NotFound { noun, id, .. }
            | AppError::BadId { noun, id, .. }
            | AppError::Ended { noun, id, .. } => {
                vec![(format!("{noun}_id"), id.clone())]
            }
            AppError::TooLong { field, .. } => vec![("field".to_owned(), (*field).to_owned())],
            AppError::Command(CommandError::Refused(Refusal::PlanOutdated { changes, .. })) => {
                vec![("changes".to_owned(), changes.join("; "))]
            }
            AppError::Rejected { code: "invalid_pagination", .. } => {
                vec![("field".to_owned(), "limit".to_owned())]
            }
            AppError::Store(StoreError::Archived { until, .. }) => {
                vec![("first_seq".to_owned(), until.next().to_string())]
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use databuild_core::ids::{RunId, WantId};

    #[test]
    fn a_command_that_fails_says_why() {
        let store = |code, message: &str| CommandError::Store { code, message: message.to_owned() };
        let ended = || -> Result<&'static str, AppError> { Ok("satisfied") };
        let said = |error: AppError| (error.code(), error.to_string());
        let want = ("want_ended", "want");
        // Pausing, resuming, canceling and prioritizing a want, and canceling a run, can end in each of these ways.
        let cases = [
            (store("disk_full", "no space"), "disk_full", "no space"),
            (store("log_io_error", "read-only"), "log_io_error", "read-only"),
            (CommandError::ShuttingDown, "shutting_down", "the server is shutting down; ask again"),
            (Refusal::NoGraph.into(), "no_graph", &*Refusal::NoGraph.to_string()),
            (Refusal::UnknownWant(WantId(3)).into(), "want_ended", "w3 is over already: satisfied"),
        ];
        for (error, code, message) in cases {
            let answer = said(AppError::of_command(error, want, WantId(3), ended));
            assert_eq!(answer, (code, message.to_owned()));
        }
        let unknown = Refusal::UnknownRun(RunId(7)).into();
        let run = AppError::of_command(unknown, ("run_ended", "run"), RunId(7), || Ok("failed"));
        assert_eq!(run.details(), [("run_id".to_owned(), "r7".to_owned())]);
        assert_eq!(said(run), ("run_ended", "r7 is over already: failed".to_owned()));
        let never = || Err(AppError::not_found("want_not_found", "want", "w9"));
        let never = AppError::of_command(Refusal::UnknownWant(WantId(9)).into(), want, WantId(9), never);
        assert_eq!(said(never), ("want_not_found", "there is no want `w9`".to_owned()));
        let unreadable = || Err(StoreError::DiskFull { log: "x".to_owned() }.into());
        let unreadable =
            AppError::of_command(Refusal::UnknownWant(WantId(9)).into(), want, WantId(9), unreadable);
        assert_eq!(unreadable.code(), "disk_full");
    }
}
