//! How many files this process may have open: as many as the system lets it have.
//!
//! The usual 1,024 are few for a server with connections and for a runner with two pipes for each job. Programs that are
//! started from here get the limit that was found: some of them walk through all numbers up to it.

use std::io;
use std::sync::OnceLock;

/// The limit that was found, if it was raised.
static FOUND: OnceLock<libc::rlimit> = OnceLock::new();

/// Raises the limit as far as the system lets, and returns it. Where it cannot be raised it stays as it is.
pub fn raise_open_files() -> u64 {
    let Ok(found) = limit() else { return 1_024 };
    if found.rlim_cur >= found.rlim_max {
        return found.rlim_cur;
    }
    let most = libc::rlimit { rlim_cur: found.rlim_max, rlim_max: found.rlim_max };
    // SAFETY: a valid limit.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &most) } != 0 {
        return found.rlim_cur;
    }
    // A process that raises the limit twice keeps the limit that it found first.
    let _ = FOUND.set(found);
    most.rlim_cur
}

/// In a child before exec: gives it the limit that was found. Neither allocates nor locks.
///
/// # Errors
/// The system refuses.
pub fn restore_open_files() -> io::Result<()> {
    let Some(found) = FOUND.get() else { return Ok(()) };
    // SAFETY: a valid limit.
    match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, found) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn limit() -> io::Result<libc::rlimit> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: room for a limit.
    match unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } {
        0 => Ok(limit),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;

    #[test]
    fn the_limit_is_raised_for_this_process_and_not_for_its_children() {
        let before = limit().unwrap();
        let raised = raise_open_files();
        assert_eq!((raised, raise_open_files()), (before.rlim_max, before.rlim_max));
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "ulimit -n"]);
        // SAFETY: `restore_open_files` makes one system call.
        unsafe { command.pre_exec(restore_open_files) };
        let said = String::from_utf8(command.output().unwrap().stdout).unwrap();
        assert_eq!(said.trim(), before.rlim_cur.to_string());
    }
}
