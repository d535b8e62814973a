//! Errors as the user meets them: one line that says what and what to do, a stable code, an exit code.

use crate::api::ErrorBody;
use crate::daemon::DaemonError;
use crate::errors::{exit_code_of, find, kind_of, Kind};

/// An error with what to do about it.
#[derive(Debug)]
pub struct CliError {
    kind: Kind,
    code: String,
    message: String,
    hints: Vec<String>,
}

impl std::fmt::Display for CliError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{}] {}", self.code, self.message)
    }
}

impl CliError {
    /// An error with a code of the catalog, from which the exit code follows.
    pub fn new(code: &str, message: impl Into<String>) -> CliError {
        CliError::of(kind_of(code), code, message)
    }

    fn of(kind: Kind, code: &str, message: impl Into<String>) -> CliError {
        CliError { kind, code: code.to_owned(), message: message.into(), hints: Vec::new() }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> CliError {
        self.hints.push(hint.into());
        self
    }

    /// The stable code.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// What happened.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    pub fn hints(&self) -> &[String] {
        &self.hints
    }

    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        exit_code_of(self.kind)
    }

    /// From a command line that makes no sense. What clap says in paragraphs becomes a message and hints.
    pub fn from_usage(error: &clap::Error) -> CliError {
        let text = error.render().to_string();
        if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
            // It is help and no message; clap has one for options without a subcommand after it.
            let usage = text.lines().find_map(|line| line.strip_prefix("Usage: ")).unwrap_or_default();
            let command = usage.split(" [").next().unwrap_or_default();
            let message = format!("'{command}' requires a subcommand but one was not provided");
            return CliError::new("usage", message).hint(format!("usage: {usage}")).hint("try '--help'.");
        }
        let one_line = |part: &str| part.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut parts = text.split("\n\n").map(one_line).filter(|part| !part.is_empty());
        let message = parts.next().unwrap_or_default();
        let message = message.strip_prefix("error: ").unwrap_or(&message);
        let hint = |error: CliError, part: String| {
            let known = [("tip: ", ""), ("Usage: ", "usage: "), ("For more information, ", "")];
            let found = known.iter().find_map(|(head, said)| Some((part.strip_prefix(head)?, said)));
            error.hint(found.map_or_else(|| part.clone(), |(rest, said)| format!("{said}{rest}")))
        };
        parts.fold(CliError::new("usage", message), hint)
    }

    /// From an error answer of the server.
    pub fn from_server(status: u16, body: ErrorBody) -> CliError {
        // A newer server may say what this program does not know.
        let by_status = || match status {
            500.. if status != 503 => Kind::Bug,
            401 | 403 | 503 => Kind::Unavailable,
            _ => Kind::Invalid,
        };
        let kind = find(&body.error).map_or_else(by_status, |entry| entry.kind);
        CliError::of(kind, &body.error, body.message)
    }
}

impl From<DaemonError> for CliError {
    fn from(error: DaemonError) -> CliError {
        // A server that cannot start says why as `[code] message`.
        if let DaemonError::StartFailed { message, .. } = &error {
            let said = message.strip_prefix('[').and_then(|rest| rest.split_once("] "));
            if let Some((code, message)) = said {
                let kind = find(code).map_or(Kind::Unavailable, |entry| entry.kind);
                return CliError::of(kind, code, format!("the server did not start: {message}"));
            }
        }
        CliError::new(error.code(), error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::super::args::Cli;
    use super::*;
    use clap::Parser as _;

    fn said(args: &[&str]) -> (String, Vec<String>) {
        let args = std::iter::once("databuild").chain(args.iter().copied());
        let error = CliError::from_usage(&Cli::try_parse_from(args).unwrap_err());
        assert_eq!((error.code.as_str(), error.exit_code()), ("usage", 2));
        (error.message, error.hints)
    }

    #[test]
    fn a_command_line_that_makes_no_sense_is_an_error_like_others() {
        let (message, hints) = said(&["biuld", "x"]);
        assert_eq!(message, "unrecognized subcommand 'biuld'");
        assert_eq!(hints[0], "a similar subcommand exists: 'build'");
        assert!(hints.iter().any(|hint| hint.starts_with("usage: databuild ")), "{hints:?}");
        assert_eq!(hints.last().unwrap(), "try '--help'.");

        let (message, _) = said(&["build"]);
        assert_eq!(message, "the following required arguments were not provided: <REF>...");
        let (message, _) = said(&["build", "x", "--class", "slow"]);
        assert!(
            message.starts_with("invalid value 'slow' for '--class <CLASS>' [possible values: "),
            "{message}"
        );
    }

    #[test]
    fn a_command_without_its_verb_is_an_error_too() {
        for (args, command) in [
            (&["--json", "want"][..], "databuild want"),
            (&["want", "--json"], "databuild want"),
            (&["--json", "keys"], "databuild keys"),
            (&["--json"], "databuild"),
            (&[], "databuild"),
        ] {
            let (message, hints) = said(args);
            let missing = format!("'{command}' requires a subcommand but one was not provided");
            assert!(message.starts_with(&missing), "{args:?}: {message}");
            assert_eq!(hints[0], format!("usage: {command} [OPTIONS] <COMMAND>"), "{args:?}");
        }
    }

    #[test]
    fn the_workspace_named_last_counts() {
        let cli = Cli::try_parse_from(["databuild", "--workspace", "/a", "status", "--workspace", "/b"]);
        assert_eq!(cli.unwrap().global.workspace, Some("/b".into()));
    }
}
