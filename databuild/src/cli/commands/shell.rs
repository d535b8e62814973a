//! `shell`: an attempt once more, by hand: its code, inputs, environment and request, with a folder of its own for what it makes.
//!
//! Nothing is leased, recorded or published. The server says what the attempt was told; values of inherited variables, which may be
//! secrets, are read from the state folder, which is this user's alone, and stand in the environment of the shell and nowhere else.

use crate::api::{ReproducedOutput, ReproductionQuery, ReproductionView, RunDetail};
use crate::cli::error::CliError;
use crate::cli::output::{self, Table};
use crate::cli::shared_args::GlobalArgs;
use crate::cli::{connect, exit_code, interrupt, paths, url};
use crate::os::EnvValue;
use crate::publish::{observe, Inspected};
use clap::Args;
use databuild_core::digest::sha256_hex;
use databuild_core::text::shell_word;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Says that a folder is one of these, so that it may be made anew.
const MARK: &str = ".databuild-shell";
/// What jobs get as their file mode mask.
const MASK: u32 = 0o022;

/// Arguments of `shell`.
#[derive(Debug, Args)]
pub struct ShellArgs {
    /// The run, such as r12
    #[arg(value_name = "RUN")]
    pub run: String,
    /// The attempt (default: the last one)
    #[arg(long, value_name = "N")]
    pub attempt: Option<u32>,
    /// Where to work (default: shell/RUN-ATTEMPT in the state folder); made anew if it was one of these before
    #[arg(long, value_name = "DIR", value_parser = paths::parser())]
    pub folder: Option<PathBuf>,
    /// Run the job instead of a shell
    #[arg(long)]
    pub run_job: bool,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Report {
    run: String,
    attempt: u32,
    folder: String,
    /// Inputs that are not what the attempt read.
    changed: Vec<String>,
    /// Inherited variables that have another value than then.
    changed_env: Vec<String>,
    /// Of the job or the shell; none if a signal ended it.
    exit_code: Option<i32>,
    outputs: Vec<Compared>,
}

/// An output beside what is published.
#[derive(Debug, PartialEq, Serialize)]
struct Compared {
    partition: String,
    path: String,
    published: String,
    /// `equal`, `differs`, `not_made`, or `not_published` if there is nothing to compare with.
    verdict: &'static str,
    made_bytes: Option<u64>,
    published_bytes: Option<u64>,
}

/// Runs it.
///
/// # Errors
/// The attempt cannot be repeated by hand, or its folder cannot be made.
pub fn run(global: &GlobalArgs, args: &ShellArgs) -> Result<u8, CliError> {
    let state = connect::state_dir(global)?;
    let client = connect::attach(global)?;
    let id = url::segment(&args.run);
    let attempt = match args.attempt {
        Some(attempt) => attempt,
        None => client.get::<RunDetail>(&format!("/api/v1/runs/{id}"))?.run.attempt_count,
    };
    let own = || state.path().join("shell").join(format!("{}-{attempt}", args.run));
    let folder = std::path::absolute(args.folder.clone().unwrap_or_else(own))
        .map_err(|error| CliError::new("folder_unwritable", error.to_string()))?;
    let query = ReproductionQuery { attempt: Some(attempt), folder: folder.to_string_lossy().into_owned() };
    let view: ReproductionView = client.get(&format!(
        "/api/v1/runs/{id}/reproduction?attempt={attempt}&folder={}",
        url::query_value(&query.folder)
    ))?;
    make(&folder, &view).map_err(|error| unwritable(&folder, &error))?;
    let inherited = inherited(&state.inherited(), &view.env_inherit);
    let changed_env = other_values(&view.env_inherit, &inherited);
    if !global.json {
        tell(&folder, &view, &changed_env, args.run_job);
    }
    let mut command = if args.run_job { job(&view) } else { shell() };
    within(&mut command, &folder, &view, inherited);
    if !args.run_job {
        // Its prompt, and what the terminal is: a shell cannot do without.
        command.env("PS1", format!("({}-{}) $ ", view.run, view.attempt));
        command.envs(std::env::var_os("TERM").map(|term| ("TERM", term)));
    }
    let ended = command.status();
    let ended = ended.map_err(|error| CliError::new("shell_not_started", error.to_string()))?;
    let outputs = view.outputs.iter().map(compared).collect::<Result<Vec<_>, _>>()?;
    let report = Report {
        run: view.run,
        attempt: view.attempt,
        folder: folder.to_string_lossy().into_owned(),
        changed: view.changed,
        changed_env,
        exit_code: ended.code(),
        outputs,
    };
    if global.json {
        output::json(&report)?;
    } else {
        print(&report);
    }
    let failed = args.run_job && !ended.success();
    Ok(if failed { exit_code::WORK_FAILED } else { exit_code::OK })
}

fn unwritable(folder: &Path, error: &std::io::Error) -> CliError {
    CliError::new("folder_unwritable", format!("{}: {error}", folder.display()))
}

/// Makes the folder: the request, a script that runs the job, and folders for outputs.
fn make(folder: &Path, view: &ReproductionView) -> std::io::Result<()> {
    let is_ours = folder.join(MARK).is_file();
    match fs::read_dir(folder).map(|mut entries| entries.next().is_some()) {
        Ok(true) if !is_ours => {
            return Err(std::io::Error::other("it is not empty, and was not made by `databuild shell`"));
        }
        // What was made before would be taken for what is made now.
        Ok(_) => fs::remove_dir_all(folder)?,
        Err(_) => {}
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    fs::write(folder.join(MARK), "")?;
    fs::write(request(folder), serde_json::to_vec_pretty(&view.request)?)?;
    let argv: Vec<String> = view.argv.iter().map(|word| shell_word(word)).collect();
    let script = format!(
        "#!/bin/sh\n# {} as {}-{} ran it\nexec {} \"$@\"\n",
        view.job,
        view.run,
        view.attempt,
        argv.join(" ")
    );
    let mut run = fs::OpenOptions::new().write(true).create_new(true).mode(0o700).open(folder.join("run"))?;
    run.write_all(script.as_bytes())?;
    for output in &view.outputs {
        fs::create_dir_all(Path::new(&output.path).parent().unwrap_or(folder))?;
    }
    Ok(())
}

fn request(folder: &Path) -> PathBuf {
    folder.join("request.json")
}

/// Values of inherited variables, as the graph was registered with last.
fn inherited(path: &Path, names: &BTreeMap<String, Option<String>>) -> BTreeMap<String, EnvValue> {
    // As for the server, a file that is missing or damaged has no values.
    let bytes = fs::read(path).unwrap_or_default();
    let mut values: BTreeMap<String, EnvValue> = serde_json::from_slice(&bytes).unwrap_or_default();
    values.retain(|name, _| names.contains_key(name));
    values
}

/// Those that have another value than the attempt had, by the digests of what it had.
fn other_values(then: &BTreeMap<String, Option<String>>, now: &BTreeMap<String, EnvValue>) -> Vec<String> {
    let differs = |name: &String, then: &Option<String>| {
        now.get(name).map(|value| sha256_hex(value.as_bytes())) != *then
    };
    then.iter().filter(|(name, then)| differs(name, then)).map(|(name, _)| name.clone()).collect()
}

fn job(view: &ReproductionView) -> Command {
    let (program, arguments) =
        view.argv.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    let mut command = Command::new(program);
    // What is told on standard output is what came of it.
    command.args(arguments).stdin(Stdio::null()).stdout(std::io::stderr());
    command
}

/// A shell that reads no file of the user's: those change the environment.
fn shell() -> Command {
    let bash = Path::new("/bin/bash");
    let mut command = if bash.is_file() {
        let mut command = Command::new(bash);
        command.args(["--noprofile", "--norc"]);
        command
    } else {
        Command::new("/bin/sh")
    };
    command.arg("-i");
    command
}

/// Gives a process the environment, the working folder and the mask of the attempt.
fn within<'c>(
    command: &'c mut Command,
    folder: &Path,
    view: &ReproductionView,
    inherited: BTreeMap<String, EnvValue>,
) -> &'c mut Command {
    command.env_clear().envs(&view.env).envs(inherited);
    command.env("DATABUILD_REQUEST", request(folder)).env("DATABUILD_REPORT", folder.join("report.jsonl"));
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(MASK));
    // It is for what runs there.
    interrupt::leave_to_others();
    command.current_dir(&view.cwd)
}

/// Holds an output against what is published in its place.
fn compared(output: &ReproducedOutput) -> Result<Compared, CliError> {
    let look =
        |path: &str| observe(Path::new(path)).map_err(|error| CliError::new(error.code(), error.to_string()));
    let (made, published) = (look(&output.path)?, look(&output.published)?);
    let bytes = |found: &Option<Inspected>| found.as_ref().map(|found| found.bytes);
    let verdict = match (&made, &published) {
        (None, _) => "not_made",
        (Some(_), None) => "not_published",
        (Some(made), Some(published)) if made.hash == published.hash => "equal",
        (Some(_), Some(_)) => "differs",
    };
    Ok(Compared {
        partition: output.partition.clone(),
        path: output.path.clone(),
        published: output.published.clone(),
        verdict,
        made_bytes: bytes(&made),
        published_bytes: bytes(&published),
    })
}

/// Says where one is.
fn tell(folder: &Path, view: &ReproductionView, changed_env: &[String], run_job: bool) {
    let name = format!("{}-{}", view.run, view.attempt);
    output::talk(&format!("{name} of {} in {}; nothing is published", view.job, folder.display()));
    for changed in view.changed.iter().take(10) {
        output::talk(&format!("  {changed} is not what {name} read"));
    }
    if view.changed.len() > 10 {
        output::talk(&format!("  and {}", output::count(view.changed.len() as u64 - 10, "more input")));
    }
    for name_of in changed_env {
        output::talk(&format!("  the inherited variable {name_of} has another value than then"));
    }
    if !run_job {
        output::talk(&format!("  run the job: {}", shell_word(&folder.join("run").to_string_lossy())));
        output::talk("  leave the shell to see what was made beside what is published");
    }
}

fn print(report: &Report) {
    let size = |bytes: Option<u64>| bytes.map(output::bytes).unwrap_or_default();
    let mut table = Table::new(&["PARTITION", "VERDICT", "MADE", "PUBLISHED", "PATH"]);
    for output in &report.outputs {
        table.row(vec![
            output.partition.clone(),
            output.verdict.to_owned(),
            size(output.made_bytes),
            size(output.published_bytes),
            output.path.clone(),
        ]);
    }
    table.print();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(folder: &Path, published: &Path) -> ReproductionView {
        let path = folder.join("outputs/0/a b.csv").to_string_lossy().into_owned();
        ReproductionView {
            run: "r1".to_owned(),
            attempt: 2,
            job: "//:make".to_owned(),
            argv: vec![
                "/bin/sh".to_owned(),
                "-c".to_owned(),
                "printf %s \"$NAME\" >\"$1\"".to_owned(),
                "sh".to_owned(),
                path.clone(),
            ],
            env: BTreeMap::from([("NAME".to_owned(), "Åda's".to_owned())]),
            env_inherit: BTreeMap::from([("SECRET".to_owned(), Some(sha256_hex(b"s")))]),
            cwd: folder.to_string_lossy().into_owned(),
            request: serde_json::json!({"run": "r1"}),
            outputs: vec![ReproducedOutput {
                partition: "a".to_owned(),
                path,
                published: published.to_string_lossy().into_owned(),
            }],
            changed: Vec::new(),
        }
    }

    #[test]
    fn the_script_runs_the_job_in_its_environment_and_what_it_made_is_compared() {
        let at = tempfile::tempdir().unwrap();
        let (folder, published) = (at.path().join("r1-2"), at.path().join("there.csv"));
        let view = view(&folder, &published);
        make(&folder, &view).unwrap();
        let verdict = || compared(&view.outputs[0]).unwrap().verdict;
        assert_eq!(verdict(), "not_made");
        let secret = BTreeMap::from([("SECRET".to_owned(), EnvValue::from("s"))]);
        let mut command = Command::new(folder.join("run"));
        assert!(within(&mut command, &folder, &view, secret).status().unwrap().success());
        assert_eq!(fs::read_to_string(&view.outputs[0].path).unwrap(), "Åda's");
        assert_eq!(verdict(), "not_published");
        fs::write(&published, "Åda's").unwrap();
        assert_eq!(verdict(), "equal");
        fs::write(&published, "other").unwrap();
        assert_eq!(verdict(), "differs");
        // The next time begins with nothing.
        make(&folder, &view).unwrap();
        assert_eq!(verdict(), "not_made");
    }

    #[test]
    fn the_environment_is_that_of_the_attempt_alone() {
        let at = tempfile::tempdir().unwrap();
        let view = view(at.path(), at.path());
        let secret = BTreeMap::from([("SECRET".to_owned(), EnvValue::from("s"))]);
        let mut command = Command::new("/usr/bin/env");
        let told = within(&mut command, at.path(), &view, secret).output().unwrap();
        let told = String::from_utf8(told.stdout).unwrap();
        let mut names: Vec<&str> = told.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
        names.sort_unstable();
        assert_eq!(names, ["DATABUILD_REPORT", "DATABUILD_REQUEST", "NAME", "SECRET"]);
    }

    #[test]
    fn inherited_variables_that_changed_are_told_by_their_digests() {
        let then = BTreeMap::from([
            ("A".to_owned(), Some(sha256_hex(b"1"))),
            ("B".to_owned(), Some(sha256_hex(b"1"))),
            ("C".to_owned(), None),
            ("D".to_owned(), None),
        ]);
        let now = ["A", "B", "D"]
            .map(|name| (name.to_owned(), EnvValue::from(if name == "A" { "1" } else { "2" })));
        assert_eq!(other_values(&then, &BTreeMap::from(now)), ["B", "D"]);
    }

    #[test]
    fn a_folder_of_somebody_else_is_left_as_it_is() {
        let at = tempfile::tempdir().unwrap();
        fs::write(at.path().join("mine"), "x").unwrap();
        assert!(make(at.path(), &view(at.path(), at.path())).is_err());
        assert_eq!(fs::read_to_string(at.path().join("mine")).unwrap(), "x");
    }
}
