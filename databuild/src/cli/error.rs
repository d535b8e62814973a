//! Errors as the user meets them: one line that says what and what to do, a stable code, an exit code.

use super::exit_code;
use crate::api::ErrorBody;
use crate::daemon::DaemonError;

/// What kind of trouble it is; decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The command line makes no sense.
    Usage,
    /// The workspace or graph is not usable.
    Configuration,
    /// The server cannot be reached.
    Unreachable,
    /// A bug of ours.
    Bug,
    /// Ctrl-C.
    Interrupted,
}

/// An error with what to do about it.
#[derive(Debug)]
pub struct CliError {
    kind: Kind,
    code: String,
    message: String,
    hints: Vec<String>,
}

impl CliError {
    /// An error of a kind.
    pub fn new(kind: Kind, code: impl Into<String>, message: impl Into<String>) -> CliError {
        CliError { kind, code: code.into(), message: message.into(), hints: Vec::new() }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> CliError {
        self.hints.push(hint.into());
        self
    }

    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Usage => exit_code::USAGE,
            Kind::Configuration => exit_code::CONFIGURATION,
            Kind::Unreachable => exit_code::UNREACHABLE,
            Kind::Bug => exit_code::BUG,
            Kind::Interrupted => exit_code::INTERRUPTED,
        }
    }

    /// Tells the user; with `json` on stdout, where a program reads.
    pub fn print(&self, json: bool) {
        if json {
            let body = serde_json::json!({"error": self.code, "message": self.message, "hints": self.hints});
            println!("{body}");
            return;
        }
        eprintln!("error[{}]: {}", self.code, self.message);
        for hint in &self.hints {
            eprintln!("  hint: {hint}");
        }
    }

    /// From an error answer of the server.
    pub fn from_server(status: u16, body: ErrorBody) -> CliError {
        let kind = match (status, body.error.as_str()) {
            (_, "graph_invalid" | "no_graph" | "disk_full" | "state_unwritable") => Kind::Configuration,
            (400 | 404 | 409 | 422, _) => Kind::Usage,
            (401 | 403 | 503, _) => Kind::Unreachable,
            _ => Kind::Bug,
        };
        CliError::new(kind, body.error, body.message)
    }
}

impl From<DaemonError> for CliError {
    fn from(error: DaemonError) -> CliError {
        let kind = match error.code() {
            "state_dir_unwritable" | "state_dir_odd" => Kind::Configuration,
            _ => Kind::Unreachable,
        };
        CliError::new(kind, error.code(), error.to_string())
    }
}
