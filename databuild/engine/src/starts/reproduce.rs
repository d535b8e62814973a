//! What a process needs that is to be an attempt of the past once more: its command line, its environment and its request, with
//! other places for its outputs. Nothing of it is leased, recorded or published.
//!
//! It is put together from what the attempt was told, which its executor kept, and by the same functions as a start.

use super::compose;
use crate::attempt::environment::{runfiles_environment, usable};
use crate::attempt::request::{InputFile, Request};
use crate::snapshot::SnapshotRef;
use databuild_core::graph::Job;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// An attempt to be repeated by hand.
#[derive(Debug, Clone)]
pub struct Reproduction {
    /// Executable and arguments.
    pub argv: Vec<String>,
    /// All variables but those that are inherited.
    pub env: BTreeMap<String, String>,
    /// Names of the variables that are inherited, whose values may be secrets.
    pub env_inherit: Vec<String>,
    /// What the job is asked; its outputs are in the folder.
    pub request: Request,
    /// Inputs that are not what they were, or are gone.
    pub changed: Vec<String>,
}

/// Puts an attempt together that is to work in `folder`. It looks at inputs, and reads those that were touched since.
///
/// # Errors
/// An argument cannot be filled in.
pub fn reproduce(
    job: &Job,
    mut request: Request,
    snapshot: &SnapshotRef,
    base_env: &[(String, String)],
    folder: &Path,
) -> Result<Reproduction, String> {
    for (number, output) in request.outputs.iter_mut().enumerate() {
        let name = output.final_path.as_deref().and_then(Path::file_name).unwrap_or_default();
        let path = output.path.as_ref().map(|_| folder.join("outputs").join(number.to_string()).join(name));
        output.path = path;
    }
    let arguments = compose::arguments(job, &request)?;
    let executable = snapshot.file(&job.program.executable).to_string_lossy().into_owned();
    // As a start has them: see `Starter::environment`.
    let base = usable(base_env).into_iter().map(|(name, value)| (name, text(value.as_ref())));
    let mut env: BTreeMap<String, String> = base.collect();
    env.extend(job.program.env.clone());
    env.extend(runfiles_environment(&snapshot.runfiles().to_string_lossy()));
    env.insert("DATABUILD_RUN_ID".to_owned(), request.run.clone());
    env.insert("DATABUILD_ATTEMPT".to_owned(), request.attempt.to_string());
    let declared = |name: &&String| !job.program.env.contains_key(*name);
    let env_inherit = job.program.env_inherit.iter().filter(declared).cloned().collect();
    let inputs = request.inputs.values().flatten().chain(&request.discovered);
    let changed = inputs.filter(|input| !is_as_then(input)).map(|input| input.partition.clone()).collect();
    Ok(Reproduction {
        argv: std::iter::once(executable).chain(arguments).collect(),
        env,
        env_inherit,
        request,
        changed,
    })
}

fn text(value: &std::ffi::OsStr) -> String {
    value.to_string_lossy().into_owned()
}

/// Whether an input holds what the attempt read, as far as files tell.
fn is_as_then(input: &InputFile) -> bool {
    let is_file = input.path.is_some() || input.paths.is_some();
    if input.empty || !is_file {
        return true;
    }
    let mark = |path: &PathBuf| crate::publish::imprint(path).ok().flatten().map(|found| found.mark.0);
    let known = input.change_mark.as_ref().and_then(|mark| u64::from_str_radix(mark, 16).ok());
    let untouched = known.is_some() && input.path.as_ref().and_then(mark) == known;
    untouched || input.holds_its_version()
}
