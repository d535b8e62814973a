//! `shim`: a small script for quick commands without Bazel.

use super::super::args::{Cli, ShimArgs};
use super::super::connect;
use super::super::error::{CliError, Kind};
use super::super::{exit_code, output};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Runs it.
///
/// # Errors
/// The script cannot be written.
pub fn run(cli: &Cli, args: &ShimArgs) -> Result<u8, CliError> {
    // Registers the graph, so that the shim has one to follow.
    connect::connect(cli)?;
    let workspace = connect::workspace(cli)?;
    let program = std::env::current_exe()
        .map_err(|error| CliError::new(Kind::Bug, "no_program", error.to_string()))
        .and_then(|path| {
            connect::store()?
                .binary(&path)
                .map_err(|error| CliError::new(Kind::Configuration, error.code(), error.to_string()))
        })?;
    let path = args.path.clone().unwrap_or_else(|| workspace.path().join("databuild"));
    if path.is_dir() {
        return Err(CliError::new(Kind::Usage, "shim_is_folder", format!("{} is a folder", path.display()))
            .hint("name another file: databuild shim PATH"));
    }
    let enter = std::env::var("DATABUILD_ENTER").ok();
    write(&path, &script(&program, workspace.path(), enter.as_deref())).map_err(|error| {
        CliError::new(Kind::Configuration, "shim_unwritable", format!("{}: {error}", path.display()))
    })?;
    output::line(&path.display().to_string());
    Ok(exit_code::OK)
}

/// The script. `enter` is the command that `bazelw` names where programs built by Bazel need another system
/// than the machine's own.
fn script(program: &Path, workspace: &Path, enter: Option<&str>) -> String {
    let export = enter.map(|enter| format!("export DATABUILD_ENTER={}\n", quote(enter))).unwrap_or_default();
    let enter = enter.map(|enter| format!("{} ", quote(enter))).unwrap_or_default();
    format!(
        "#!/bin/sh\n\
         # Written by `databuild shim`: runs DataBuild without Bazel, on the graph registered last.\n\
         # Changes to BUILD files and code count once `bazel run //:databuild` has built them.\n\
         program={program}\n\
         if [ ! -x \"$program\" ]; then\n\
         \x20 echo \"databuild: $program is gone; run: bazel run //:databuild -- shim\" >&2\n\
         \x20 exit 4\n\
         fi\n\
         {export}exec {enter}\"$program\" --workspace {workspace} \"$@\"\n",
        program = quote(&program.to_string_lossy()),
        workspace = quote(&workspace.to_string_lossy()),
    )
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let temporary = path.with_extension("new");
    std::fs::write(&temporary, text)?;
    std::fs::set_permissions(&temporary, std::fs::Permissions::from_mode(0o755))?;
    std::fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_quotes_survive_the_shell() {
        let text = script(Path::new("/a b/it's"), Path::new("/w"), Some("/e x/enter"));
        assert!(text.contains(r"program='/a b/it'\''s'"), "{text}");
        assert!(text.contains(r#"exec '/e x/enter' "$program""#), "{text}");
        // So that a shim written by a shim enters as well.
        assert!(text.contains("export DATABUILD_ENTER='/e x/enter'\n"), "{text}");
        assert!(!script(Path::new("/p"), Path::new("/w"), None).contains("DATABUILD_ENTER"));
    }
}
