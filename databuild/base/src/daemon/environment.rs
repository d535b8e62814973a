//! Which variables of the user's shell the server gets. Everything else stays
//! behind: a shell holds secrets, and a server that lives for days must not
//! depend on which terminal happened to start it.

use std::ffi::{OsStr, OsString};

/// The variable that names the descriptor of the ready pipe.
pub const READY_FD_ENV: &str = "DATABUILD_READY_FD";

/// Variables handed on by their exact names.
const NAMES: &[&str] = &[
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "TZ",
    "PATH",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
];

/// Variables handed on by the beginning of their names.
const PREFIXES: &[&str] = &["LC_", "DATABUILD_"];

/// Variables that belong to one process and mean nothing, or worse, in another:
/// the ready pipe's number, and what a job is told about its own run (a job may
/// call the command line), and what a command is told of a server elsewhere.
const PRIVATE: &[&str] = &[
    READY_FD_ENV,
    "DATABUILD_REQUEST",
    "DATABUILD_REPORT",
    "DATABUILD_RUN_ID",
    "DATABUILD_ATTEMPT",
    "DATABUILD_SERVER_URL",
    "DATABUILD_SERVER_TOKEN",
    "DATABUILD_TOKEN_FILE",
];

/// Whether the server gets the variable `name`.
pub fn is_allowed(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else {
        return false;
    };
    !PRIVATE.contains(&name) && (NAMES.contains(&name) || PREFIXES.iter().any(|p| name.starts_with(p)))
}

/// The part of `env` that the server gets.
pub fn allowed(
    env: impl IntoIterator<Item = (OsString, OsString)>,
) -> impl Iterator<Item = (OsString, OsString)> {
    env.into_iter().filter(|(name, _)| is_allowed(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_named_variables_pass() {
        for (name, expected) in [
            ("PATH", true),
            ("LC_ALL", true),
            ("DATABUILD_ANYTHING", true),
            ("XDG_RUNTIME_DIR", true),
            ("DATABUILD_READY_FD", false),
            ("DATABUILD_REQUEST", false),
            ("DATABUILD_SERVER_TOKEN", false),
            ("AWS_SECRET_ACCESS_KEY", false),
            ("LD_PRELOAD", false),
            ("PATHEXT", false),
            ("path", false),
            ("", false),
        ] {
            assert_eq!(is_allowed(OsStr::new(name)), expected, "{name}");
        }
    }
}
