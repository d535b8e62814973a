//! Signals whose disposition a program inherits from its parent, and that decide whether it works at all.
//!
//! Somebody may start us with SIGCHLD ignored, and then no child can be waited for. And a limit on the size of files ends
//! a program by SIGXFSZ without a word, unless it ignores that; then a write fails, and the error says what happened.

use std::io;

/// Sets what this process needs. To be called first thing in `main`.
pub fn settle_signals() {
    // SAFETY: sets dispositions that are no handlers, of signals that can be set.
    unsafe {
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}

/// In a child before exec: gives the program the usual dispositions. Neither allocates nor locks.
///
/// # Errors
/// The system refuses.
pub fn restore_signals() -> io::Result<()> {
    // SAFETY: one system call, which sets no handler.
    match unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_DFL) } {
        libc::SIG_ERR => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
    use std::process::Command;

    /// Dispositions are those of a whole process, so this test starts itself again.
    #[test]
    fn a_bad_inheritance_is_set_right_and_not_handed_on() {
        let role = "DATABUILD_TEST_ROLE";
        if let Some(folder) = std::env::var_os(role) {
            settle_signals();
            let error = std::fs::write(std::path::Path::new(&folder).join("file"), "x").unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EFBIG));
            let mut child = Command::new("/bin/sh");
            child.args(["-c", "kill -XFSZ $$; exit 3"]);
            assert_eq!(child.status().unwrap().code(), Some(3), "it inherits what is ignored");
            // SAFETY: `restore_signals` makes one system call.
            unsafe { child.pre_exec(restore_signals) };
            assert_eq!(child.status().unwrap().signal(), Some(libc::SIGXFSZ));
            println!("settled");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let module = module_path!().split_once("::").unwrap().1;
        let mut again = Command::new(std::env::current_exe().unwrap());
        let test = format!("{module}::a_bad_inheritance_is_set_right_and_not_handed_on");
        again.args([&test, "--exact", "--nocapture"]).env(role, folder.path());
        // SAFETY: two system calls on plain values.
        unsafe {
            again.pre_exec(|| {
                libc::signal(libc::SIGCHLD, libc::SIG_IGN);
                let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
                match libc::setrlimit(libc::RLIMIT_FSIZE, &none) {
                    0 => Ok(()),
                    _ => Err(io::Error::last_os_error()),
                }
            });
        }
        let output = again.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("settled"), "{output:?}");
    }
}
