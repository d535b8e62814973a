//! `shim`: a small script for quick commands without Bazel.

use crate::cli::connect;
use crate::cli::error::CliError;
use crate::cli::paths;
use crate::cli::shared_args::GlobalArgs;
use crate::cli::{exit_code, output};
use clap::Args;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// How the second line of a script begins that this command wrote.
const MARK: &str = "# Written by `databuild shim`";

/// Arguments of `shim`.
#[derive(Debug, Args)]
pub struct ShimArgs {
    /// Where to write it (default: databuild in the workspace)
    #[arg(value_parser = paths::parser())]
    pub path: Option<PathBuf>,
    /// Replace a file that `shim` did not write
    #[arg(long)]
    pub force: bool,
}

/// Runs it.
///
/// # Errors
/// The script cannot be written.
pub fn run(global: &GlobalArgs, args: &ShimArgs) -> Result<u8, CliError> {
    connect::refuse_elsewhere(global, "`shim`")?;
    // The server runs from the same copy of the program, so no collector takes it.
    connect::connect(global)?;
    let workspace = connect::workspace(global)?;
    let program = std::env::current_exe()
        .map_err(|error| CliError::new("no_program", error.to_string()))
        .and_then(|path| {
            connect::store()?.binary(&path).map_err(|error| CliError::new(error.code(), error.to_string()))
        })?;
    let path = args.path.clone().unwrap_or_else(|| workspace.path().join("databuild"));
    if path.is_dir() {
        return Err(CliError::new("shim_is_folder", format!("{} is a folder", path.display()))
            .hint("name another file: databuild shim PATH"));
    }
    let enter = std::env::var("DATABUILD_ENTER").ok();
    let unwritable =
        |error: std::io::Error| CliError::new("shim_unwritable", format!("{}: {error}", path.display()));
    if !args.force && !is_ours_or_absent(&path).map_err(unwritable)? {
        let message = format!("{} exists, and `databuild shim` did not write it", path.display());
        return Err(CliError::new("shim_exists", message)
            .hint("name another file: databuild shim PATH")
            .hint("or replace it: databuild shim --force"));
    }
    let place = way_up(&path, workspace.path());
    write(&path, &script(&program, workspace.path(), place.as_deref(), enter.as_deref()))
        .map_err(unwritable)?;
    output::line(&path.display().to_string());
    if is_tracked_by_git(&path) {
        // It names folders of this machine.
        match exclude(&path) {
            Some(exclude) => output::talk(&format!("Git ignores it: {} says so", exclude.display())),
            None => {
                output::talk("it names folders of this machine; keep it out of Git:");
                output::talk(&format!("  {}", ignore_command(workspace.path(), &path)));
            }
        }
    }
    Ok(exit_code::OK)
}

/// Whether there is no such file, or one that this command wrote.
fn is_ours_or_absent(path: &Path) -> std::io::Result<bool> {
    let mut head = Vec::new();
    match std::fs::File::open(path) {
        Ok(file) => file.take(1024).read_to_end(&mut head)?,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(!path.is_symlink()),
        Err(error) => return Err(error),
    };
    Ok(String::from_utf8_lossy(&head).lines().nth(1).is_some_and(|line| line.starts_with(MARK)))
}

/// Whether Git would take a file into a commit.
fn is_tracked_by_git(path: &Path) -> bool {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let asked = std::process::Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(["check-ignore", "--quiet", "--"])
        .args(path.file_name())
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status();
    // 0: it is ignored; 128: there is no repository.
    asked.is_ok_and(|status| status.code() == Some(1))
}

/// Lets the repository of a file ignore it, in the file of this clone alone; returns that file. None if that cannot be done.
fn exclude(path: &Path) -> Option<PathBuf> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.canonicalize().ok()?;
    let asked = |what: &[&str]| {
        let git =
            std::process::Command::new("git").arg("-C").arg(&folder).arg("rev-parse").args(what).output();
        let answer = String::from_utf8(git.ok().filter(|git| git.status.success())?.stdout).ok()?;
        Some(folder.join(answer.trim_end_matches('\n')))
    };
    let top = asked(&["--show-toplevel"])?.canonicalize().ok()?;
    let name = folder.join(path.file_name()?);
    let name = name.strip_prefix(top).ok()?.to_str()?;
    // What would mean something else in a pattern.
    if name.contains(['*', '?', '[', '\\', '\n']) || name.ends_with(' ') {
        return None;
    }
    let file = asked(&["--git-path", "info/exclude"])?;
    std::fs::create_dir_all(file.parent()?).ok()?;
    let before = std::fs::read_to_string(&file).or_else(|error| match error.kind() {
        ErrorKind::NotFound => Ok(String::new()),
        _ => Err(error),
    });
    let before = before.ok()?;
    let gap = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    let mut exclude = std::fs::OpenOptions::new().create(true).append(true).open(&file).ok()?;
    exclude.write_all(format!("{gap}/{name}\n").as_bytes()).ok()?;
    Some(file)
}

fn ignore_command(workspace: &Path, path: &Path) -> String {
    let name = path.strip_prefix(workspace).unwrap_or(path);
    let ignored = path.parent().unwrap_or(workspace).join(".gitignore");
    match path.strip_prefix(workspace) {
        Ok(_) => format!("echo /{} >> {}", name.display(), workspace.join(".gitignore").display()),
        Err(_) => {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            format!("echo /{name} >> {}", ignored.display())
        }
    }
}

/// The way from the folder of a script to the workspace that it is in, such as `../..`; none if it is elsewhere.
fn way_up(path: &Path, workspace: &Path) -> Option<String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.canonicalize().ok()?;
    let below = folder.strip_prefix(workspace.canonicalize().ok()?).ok()?.components().count();
    Some(std::iter::repeat_n("..", below).fold(".".to_owned(), |way, up| format!("{way}/{up}")))
}

/// The script. One in the workspace finds that from its own place, so that a copy or a moved workspace has one that is
/// its own; `way_up` leads there. `enter` is the command that `bazelw` names where programs built by Bazel need another system
/// than the machine's own.
fn script(program: &Path, workspace: &Path, way_up: Option<&str>, enter: Option<&str>) -> String {
    let export = enter.map(|enter| format!("export DATABUILD_ENTER={}\n", quote(enter))).unwrap_or_default();
    let enter = enter.map(|enter| format!("{} ", quote(enter))).unwrap_or_default();
    format!(
        "#!/bin/sh\n\
         {MARK}: runs DataBuild without Bazel, on the graph registered last.\n\
         # Changes to BUILD files and code count once Bazel built them and `deploy`, `build`, `plan` or `invoke` registered them.\n\
         program={program}\n\
         if [ ! -x \"$program\" ]; then\n\
         \x20 echo \"databuild: $program is gone; run: bazel run //:databuild -- shim\" >&2\n\
         \x20 exit 4\n\
         fi\n\
         workspace={workspace}\n\
         {export}exec {enter}\"$program\" --workspace \"$workspace\" \"$@\"\n",
        program = quote(&program.to_string_lossy()),
        workspace = match way_up {
            Some(way) => format!("$(dirname -- \"$(readlink -f -- \"$0\")\")/{way}"),
            None => quote(&workspace.to_string_lossy()),
        },
    )
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Replaces the file as a whole; nobody sees half of it, and no other file is touched.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (temporary, mut file) = (0..100)
        .find_map(|number| {
            let at = path.with_file_name(format!(".{name}.{}-{number}", std::process::id()));
            let opened = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o755).open(&at);
            match opened {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => None,
                opened => Some(opened.map(|file| (at, file))),
            }
        })
        .unwrap_or_else(|| Err(ErrorKind::AlreadyExists.into()))?;
    let written = file
        .write_all(text.as_bytes())
        // Whatever the mask says.
        .and_then(|()| file.set_permissions(std::fs::Permissions::from_mode(0o755)))
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_in_the_workspace_finds_that_from_its_own_place() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = folder.path().join("w");
        std::fs::create_dir_all(workspace.join("tools/bin")).unwrap();
        let way = |path: &str| way_up(&folder.path().join(path), &workspace);
        assert_eq!(way("w/databuild").as_deref(), Some("."));
        assert_eq!(way("w/tools/bin/db").as_deref(), Some("./../.."));
        assert_eq!(way("db"), None);
        // A program that says what it is told; the workspace is copied, and the script is called through a link.
        let says = folder.path().join("says");
        write(&says, "#!/bin/sh\necho \"$@\"\n").unwrap();
        let copy = folder.path().join("a copy");
        std::fs::create_dir_all(copy.join("tools/bin")).unwrap();
        let shim = copy.join("tools/bin/db");
        write(&shim, &script(&says, &workspace, Some("./../.."), None)).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&shim, &link).unwrap();
        for program in [&shim, &link] {
            let said = std::process::Command::new(program).arg("status").output().unwrap();
            let said = String::from_utf8(said.stdout).unwrap();
            let place = said.strip_prefix("--workspace ").unwrap().strip_suffix(" status\n").unwrap();
            assert_eq!(Path::new(place).canonicalize().unwrap(), copy.canonicalize().unwrap());
        }
    }

    #[test]
    fn paths_with_quotes_survive_the_shell() {
        let text = script(Path::new("/a b/it's"), Path::new("/w"), None, Some("/e x/enter"));
        assert!(text.contains(r"program='/a b/it'\''s'"), "{text}");
        assert!(text.contains(r#"exec '/e x/enter' "$program""#), "{text}");
        // So that a shim written by a shim enters as well.
        assert!(text.contains("export DATABUILD_ENTER='/e x/enter'\n"), "{text}");
        assert!(!script(Path::new("/p"), Path::new("/w"), None, None).contains("DATABUILD_ENTER"));
    }

    #[test]
    fn only_what_shim_wrote_is_replaced_and_no_file_beside_it_is_touched() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("mine.new"), "precious").unwrap();
        std::fs::write(at("mine.sh"), "#!/bin/sh\necho mine\n").unwrap();
        assert!(!is_ours_or_absent(&at("mine.sh")).unwrap());
        assert!(is_ours_or_absent(&at("none")).unwrap());
        std::os::unix::fs::symlink("nowhere", at("dangling")).unwrap();
        assert!(!is_ours_or_absent(&at("dangling")).unwrap());

        write(&at("mine"), &script(Path::new("/p"), Path::new("/w"), None, None)).unwrap();
        assert!(is_ours_or_absent(&at("mine")).unwrap());
        write(&at("mine"), &script(Path::new("/q"), Path::new("/w"), None, None)).unwrap();
        assert!(std::fs::read_to_string(at("mine")).unwrap().contains("'/q'"));
        assert_eq!(std::fs::metadata(at("mine")).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(std::fs::read_to_string(at("mine.new")).unwrap(), "precious");
        assert!(write(&at("no/folder/shim"), "").is_err());
        let names = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names, 4, "nothing temporary is left");
    }
}
