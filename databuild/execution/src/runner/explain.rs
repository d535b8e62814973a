//! Words for a start that failed.

use std::ffi::{CStr, OsStr};
use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::spawn::{Program, SpawnError, Step};

/// Says what went wrong, looking at the files for what the error number
/// alone does not tell.
pub(super) fn explain(error: SpawnError, program: &Program) -> String {
    let system = io::Error::from_raw_os_error(error.errno);
    let path = Path::new(OsStr::from_bytes(program.path.to_bytes()));
    let shown = path.display();
    match error.step {
        Step::Clone => format!("no process could be made: {system}"),
        Step::Session | Step::Fds | Step::Identity => {
            format!("the job's process could not be set up: {system}")
        }
        Step::Orphaned => "the runner ended".to_owned(),
        Step::Record => format!("the job's process could not be recorded in the spool: {system}"),
        Step::Cgroup => format!("the job's process could not enter its control group: {system}"),
        Step::Cwd => format!("the working directory {} cannot be used: {system}", lossy(&program.cwd)),
        Step::Exec => match error.errno {
            libc::ENOENT if !path.exists() => format!("the executable {shown} does not exist"),
            libc::ENOENT | libc::ENOTDIR | libc::ELOOP | libc::EACCES | libc::EPERM
                if interpreter_at_fault(path, error.errno) =>
            {
                let interpreter = interpreter(path).unwrap_or_default();
                format!(
                    "the interpreter {interpreter:?} named in the first line of {shown} \
                     cannot be run: {system}"
                )
            }
            libc::ENOENT => format!("the program loader that {shown} asks for does not exist"),
            libc::EACCES if path.is_dir() => format!("{shown} is a folder, not an executable"),
            libc::EACCES => format!("{shown} is not executable; chmod +x it"),
            libc::ENOEXEC => format!(
                "{shown} is neither a program of this machine nor a script \
                 with a #! line"
            ),
            libc::E2BIG => format!("arguments and environment of {shown} are too long"),
            libc::ETXTBSY => format!("{shown} is still being written by another process"),
            _ => format!("{shown} could not be run: {system}"),
        },
    }
}

fn lossy(text: &CStr) -> String {
    String::from_utf8_lossy(text.to_bytes()).into_owned()
}

/// The script itself is fine (there, a file, executable), so its first line is
/// not.
fn interpreter_at_fault(path: &Path, errno: i32) -> bool {
    interpreter(path).is_some()
        && fs::metadata(path).is_ok_and(|meta| {
            meta.is_file() && (errno != libc::EACCES || meta.permissions().mode() & 0o111 != 0)
        })
}

fn interpreter(path: &Path) -> Option<String> {
    let mut line = Vec::new();
    fs::File::open(path).ok()?.take(256).read_to_end(&mut line).ok()?;
    let line = line.strip_prefix(b"#!")?;
    let line = line.split(|&byte| byte == b'\n').next()?;
    let text = String::from_utf8_lossy(line);
    // A carriage return, the classic of files from elsewhere, stays visible.
    Some(text.trim_matches([' ', '\t']).split([' ', '\t']).next()?.to_owned())
}
