//! Ctrl-C ends the watching, never the work: the server and its jobs are in sessions of their own.

use super::error::CliError;
use super::exit_code;
use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Whether somebody pressed Ctrl-C since [`on_ctrl_c`].
pub fn happened() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// Leaves Ctrl-C to a process that has the terminal: this one goes on until that one ends.
pub fn leave_to_others() {
    extern "C" fn nothing(_: libc::c_int) {}
    let handler = nothing as extern "C" fn(libc::c_int);
    // A handler and not `SIG_IGN`, which the other process would have, too.
    // SAFETY: the handler does nothing.
    unsafe { libc::signal(libc::SIGINT, handler as libc::sighandler_t) };
}

/// Takes note of Ctrl-C from now on; the second one ends the process.
///
/// # Errors
/// No handler can be installed.
pub fn on_ctrl_c() -> Result<(), CliError> {
    extern "C" fn note(_: libc::c_int) {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            // Somebody who asks twice does not want to wait for the next answer.
            // SAFETY: _exit may be called in a signal handler.
            unsafe { libc::_exit(i32::from(exit_code::INTERRUPTED)) };
        }
    }
    let handler = note as extern "C" fn(libc::c_int);
    // SAFETY: the handler only touches an atomic and calls _exit.
    let before = unsafe { libc::signal(libc::SIGINT, handler as libc::sighandler_t) };
    if before == libc::SIG_ERR {
        let error = std::io::Error::last_os_error();
        return Err(CliError::new("no_signal_handler", error.to_string()));
    }
    Ok(())
}
