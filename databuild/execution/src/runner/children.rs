//! Waiting for children: the calls `std` has no words for.

use super::protocol::{Outcome, ResourceUse};

/// Reaps an ended child; `None` if it is not a child or has not ended.
pub(super) fn wait_for(pid: u32) -> Option<(Outcome, ResourceUse)> {
    let pid = libc::pid_t::try_from(pid).ok()?;
    let mut status = 0;
    // SAFETY: rusage is plain numbers, valid as zeros; both pointers are valid.
    let (got, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        let got = libc::wait4(pid, &mut status, libc::WNOHANG, &mut usage);
        (got, usage)
    };
    if got != pid {
        return None;
    }
    let outcome = if libc::WIFSIGNALED(status) {
        Outcome::Signal(libc::WTERMSIG(status))
    } else {
        Outcome::Code(libc::WEXITSTATUS(status))
    };
    let ms = |time: libc::timeval| {
        let whole = u64::try_from(time.tv_sec).unwrap_or(0) * 1000;
        whole + u64::try_from(time.tv_usec).unwrap_or(0) / 1000
    };
    let usage = ResourceUse {
        user_ms: ms(usage.ru_utime),
        sys_ms: ms(usage.ru_stime),
        max_rss_kb: u64::try_from(usage.ru_maxrss).unwrap_or(0),
    };
    Some((outcome, usage))
}

/// The next child that has ended, without reaping it.
pub(super) fn next_ended_child() -> Option<u32> {
    // SAFETY: siginfo is plain memory, valid as zeros, and si_pid may be read
    // after waitid, which leaves it 0 when no child has ended.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        if libc::waitid(libc::P_ALL, 0, &mut info, flags) < 0 {
            return None;
        }
        u32::try_from(info.si_pid()).ok().filter(|&pid| pid != 0)
    }
}

/// Whether the runner has any child, ended ones included.
pub(super) fn has_children() -> bool {
    // SAFETY: as in `next_ended_child`.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        libc::waitid(libc::P_ALL, 0, &mut info, flags) == 0
    }
}
