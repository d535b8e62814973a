//! Why something cannot be shown.

use crate::store::StoreError;
use databuild_core::ids::{RunId, WantId};

/// Why something cannot be shown.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ShowError {
    /// It never was.
    #[error("there is no want `{0}`")]
    UnknownWant(WantId),
    /// It never was.
    #[error("there is no run `{0}`")]
    UnknownRun(RunId),
    /// The history cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ShowError {
    /// Stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            ShowError::UnknownWant(_) => "want_not_found",
            ShowError::UnknownRun(_) => "run_not_found",
            ShowError::Store(error) => error.code(),
        }
    }
}
