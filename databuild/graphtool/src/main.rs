//! The build-time tool of the DataBuild rules: fingerprints a job's executable and runfiles, lists the
//! sources it is made of, and assembles and checks a graph file.
//!
//! It runs in Bazel actions only. Its command line is private to `rules/`: one argument, `@FILE`, the
//! path of a parameter file as Bazel's multiline format writes it (see [`params`]).
//!
//! Invariants: outputs depend on nothing but the files and parameters named, byte for byte; an output
//! is written only when all of it is known to be right; problems go to stderr as
//! `error[code]: message`, followed by `  help: what to do`.

mod assemble;
mod digest;
mod error;
mod fingerprint;
mod manifest;
mod params;
mod sources;

use error::ToolError;
use params::Params;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run(std::env::args_os().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprint!("{}", error.report());
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(mut args: impl Iterator<Item = std::ffi::OsString>) -> Result<(), ToolError> {
    let (Some(arg), None) = (args.next(), args.next()) else {
        return Err(ToolError::Usage("expected one argument, @FILE".to_owned()));
    };
    let params = Params::read(&arg)?;
    match params.command() {
        "manifest" => fingerprint::run(&params),
        "merge" => manifest::merge(&params),
        "sources" => sources::run(&params),
        "assemble" => assemble::run(&params),
        other => Err(ToolError::Usage(format!("unknown command `{other}`"))),
    }
}

#[cfg(test)]
mod tests;
