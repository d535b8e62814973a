//! Making a job process.
//!
//! `clone(CLONE_VM | CLONE_VFORK)`, as `posix_spawn` does it, but with our own
//! steps between clone and exec: a session of its own, the parent-death signal,
//! and the process record on disk. The runner stands still until the child has
//! called exec or has ended, so (1) when [`spawn`] returns, the record is
//! written and the group exists, (2) a failure comes back as a plain value, and
//! (3) no page table is copied, which is most of the cost of a fork.
//!
//! The price: a slow file system under the executable stalls the runner. Jobs
//! run from snapshots on local disk.

use std::ffi::{c_char, c_int, c_void, CStr, CString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;

use crate::os::parse_stat;
use crate::os::restore_open_files;

/// Bytes of stack for the steps before exec; they use about 2 KiB.
const STACK: usize = 64 << 10;

/// Signals the runner handles or ignores; the child must set them back, all
/// other dispositions are the default since the runner's start.
pub(super) const TOUCHED_SIGNALS: [c_int; 6] =
    [libc::SIGCHLD, libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGPIPE, libc::SIGXFSZ];

/// What the child is to become.
#[derive(Debug)]
pub(super) struct Program {
    /// Absolute path of the executable.
    pub(super) path: CString,
    /// Arguments, the first being the program's name.
    pub(super) argv: Vec<CString>,
    /// `NAME=value` strings.
    pub(super) env: Vec<CString>,
    /// Working directory.
    pub(super) cwd: CString,
    /// File mode mask.
    pub(super) umask: u32,
}

/// The descriptors the child gets. All must be above 2 and close-on-exec.
#[derive(Debug)]
pub(super) struct ChildFds<'a> {
    pub(super) stdin: BorrowedFd<'a>,
    pub(super) stdout: BorrowedFd<'a>,
    pub(super) stderr: BorrowedFd<'a>,
    /// `pid.json`, filled by the child.
    pub(super) record: BorrowedFd<'a>,
    /// The entrance of the control group it is to be in, if it is not to stay in the runner's.
    pub(super) cgroup: Option<BorrowedFd<'a>>,
}

/// A running job process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spawned {
    pub(super) pid: u32,
    pub(super) start_time: u64,
}

/// The step that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Clone,
    Session,
    Orphaned,
    Identity,
    Record,
    Cgroup,
    Cwd,
    Fds,
    Exec,
}

/// Why there is no process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SpawnError {
    pub(super) step: Step,
    pub(super) errno: c_int,
}

/// Makes job processes; owns the stack they start on.
#[derive(Debug)]
pub(super) struct Spawner {
    stack: Vec<u8>,
    runner: libc::pid_t,
    record_tail: Vec<u8>,
}

/// Everything the child reads and writes, all of it made before the clone.
struct Shared<'a> {
    path: *const c_char,
    argv: *const *const c_char,
    env: *const *const c_char,
    cwd: *const c_char,
    umask: libc::mode_t,
    stdin: RawFd,
    stdout: RawFd,
    stderr: RawFd,
    record: RawFd,
    cgroup: Option<RawFd>,
    runner: libc::pid_t,
    record_tail: &'a [u8],
    start_time: u64,
    failed: Option<(Step, c_int)>,
}

impl Spawner {
    /// For the calling process, which must stay single-threaded as far as jobs
    /// are concerned: its thread's end kills them.
    pub(super) fn new(boot_id: &str) -> Self {
        // SAFETY: getpid has no preconditions.
        let runner = unsafe { libc::getpid() };
        let boot_id = serde_json::Value::from(boot_id);
        Self {
            stack: vec![0; STACK],
            runner,
            record_tail: format!(",\"boot_id\":{boot_id}}}\n").into_bytes(),
        }
    }

    /// Starts `program`; on success its record is written and it is past exec.
    pub(super) fn spawn(&mut self, program: &Program, fds: &ChildFds<'_>) -> Result<Spawned, SpawnError> {
        let argv = pointers(&program.argv);
        let env = pointers(&program.env);
        let mut shared = Shared {
            path: program.path.as_ptr(),
            argv: argv.as_ptr(),
            env: env.as_ptr(),
            cwd: program.cwd.as_ptr(),
            umask: program.umask as libc::mode_t,
            stdin: fds.stdin.as_raw_fd(),
            stdout: fds.stdout.as_raw_fd(),
            stderr: fds.stderr.as_raw_fd(),
            record: fds.record.as_raw_fd(),
            cgroup: fds.cgroup.map(|fd| fd.as_raw_fd()),
            runner: self.runner,
            record_tail: &self.record_tail,
            start_time: 0,
            failed: None,
        };
        let shared_ptr: *mut Shared<'_> = &mut shared;
        // SAFETY: the child runs `child_main` on our spare stack (16-aligned top)
        // while this thread is suspended by CLONE_VFORK, so nothing else touches
        // the stack, `shared`, or what it points to until exec or exit. All
        // signals are blocked meanwhile, so no handler runs in the child before
        // it has set the dispositions back.
        let pid = unsafe {
            let top = self.stack.as_mut_ptr().add(STACK);
            let top = top.sub(top as usize % 16);
            let mut all = MaybeUninit::<libc::sigset_t>::uninit();
            let mut before = MaybeUninit::<libc::sigset_t>::uninit();
            libc::sigfillset(all.as_mut_ptr());
            libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), before.as_mut_ptr());
            let pid = libc::clone(
                child_main,
                top.cast::<c_void>(),
                libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD,
                shared_ptr.cast::<c_void>(),
            );
            let errno = io::Error::last_os_error();
            libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut());
            if pid < 0 {
                return Err(SpawnError { step: Step::Clone, errno: errno.raw_os_error().unwrap_or(0) });
            }
            pid
        };
        // SAFETY: the child is past exec or dead; the memory is ours again. Read
        // through the pointer that was given away, as it wrote through it.
        let (failed, start_time) = unsafe {
            (
                ptr::read_volatile(&raw const (*shared_ptr).failed),
                ptr::read_volatile(&raw const (*shared_ptr).start_time),
            )
        };
        match failed {
            None => Ok(Spawned { pid: pid.unsigned_abs(), start_time }),
            Some((step, errno)) => {
                // SAFETY: reaps exactly the child made above; a null status is allowed.
                unsafe {
                    while libc::waitpid(pid, ptr::null_mut(), 0) < 0
                        && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
                    {
                    }
                }
                Err(SpawnError { step, errno })
            }
        }
    }
}

fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}

/// Runs in the child, in the runner's memory: only system calls, no allocation,
/// no panic, no return into the runner's frames.
extern "C" fn child_main(arg: *mut c_void) -> c_int {
    // SAFETY: `arg` is the `Shared` of `spawn`, exclusively ours until exec.
    let shared = unsafe { &mut *arg.cast::<Shared<'_>>() };
    // SAFETY: the same, and we are the child.
    let failed = unsafe { become_job(shared) };
    shared.failed = Some(failed);
    // SAFETY: ends only the child, without running the runner's exit handlers.
    unsafe { libc::_exit(127) }
}

/// Returns only on failure.
///
/// # Safety
/// To be called only in the child of [`Spawner::spawn`].
unsafe fn become_job(shared: &mut Shared<'_>) -> (Step, c_int) {
    // SAFETY: plain system calls; every pointer comes from `Spawner::spawn` and
    // lives until exec.
    unsafe {
        if libc::setsid() < 0 {
            return (Step::Session, errno());
        }
        if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong) < 0 {
            return (Step::Session, errno());
        }
        // If the runner died before prctl, the signal will never come.
        if libc::getppid() != shared.runner {
            return (Step::Orphaned, libc::ESRCH);
        }
        let pid = libc::getpid();
        match own_start_time() {
            Ok(start_time) => shared.start_time = start_time,
            Err(errno) => return (Step::Identity, errno),
        }
        if let Err(errno) = write_record(shared, pid.unsigned_abs()) {
            return (Step::Record, errno);
        }
        if let Some(entrance) = shared.cgroup {
            if libc::write(entrance, c"0".as_ptr().cast(), 1) < 0 {
                return (Step::Cgroup, errno());
            }
        }
        libc::umask(shared.umask);
        if libc::chdir(shared.cwd) < 0 {
            return (Step::Cwd, errno());
        }
        for (from, to) in [(shared.stdin, 0), (shared.stdout, 1), (shared.stderr, 2)] {
            if libc::dup2(from, to) < 0 {
                return (Step::Fds, errno());
            }
        }
        // Everything of ours is close-on-exec already; this is for descriptors
        // nobody meant to keep. Older kernels lack the call.
        libc::syscall(
            libc::SYS_close_range,
            3 as libc::c_ulong,
            libc::c_uint::MAX as libc::c_ulong,
            libc::CLOSE_RANGE_CLOEXEC as libc::c_ulong,
        );
        for signal in TOUCHED_SIGNALS {
            libc::signal(signal, libc::SIG_DFL);
        }
        if restore_open_files().is_err() {
            return (Step::Fds, errno());
        }
        let mut none = MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut());
        libc::execve(shared.path, shared.argv, shared.env);
        (Step::Exec, errno())
    }
}

/// # Safety
/// As [`become_job`].
unsafe fn own_start_time() -> Result<u64, c_int> {
    const PATH: &CStr = c"/proc/self/stat";
    let mut buffer = [0u8; 1024];
    // SAFETY: a valid path and a buffer with its length.
    let read = unsafe {
        let fd = libc::open(PATH.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        if fd < 0 {
            return Err(errno());
        }
        let read = libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len());
        let failed = errno();
        libc::close(fd);
        usize::try_from(read).map_err(|_| failed)?
    };
    buffer.get(..read).and_then(parse_stat).map(|stat| stat.start_time).ok_or(libc::EPROTO)
}

/// # Safety
/// As [`become_job`].
unsafe fn write_record(shared: &Shared<'_>, pid: u32) -> Result<(), c_int> {
    let mut text = Text::default();
    text.push(b"{\"pid\":");
    text.push_number(u64::from(pid));
    text.push(b",\"start_time\":");
    text.push_number(shared.start_time);
    text.push(b",\"pgid\":");
    text.push_number(u64::from(pid));
    text.push(shared.record_tail);
    // SAFETY: the buffer is valid for its length.
    let written = unsafe { libc::write(shared.record, text.bytes.as_ptr().cast(), text.len) };
    match usize::try_from(written) {
        Ok(written) if written == text.len => Ok(()),
        Ok(_) => Err(libc::ENOSPC),
        Err(_) => Err(errno()),
    }
}

/// A line built without allocating. What does not fit is cut; the longest
/// record has about 150 bytes.
struct Text {
    bytes: [u8; 512],
    len: usize,
}

impl Default for Text {
    fn default() -> Self {
        Self { bytes: [0; 512], len: 0 }
    }
}

impl Text {
    fn push(&mut self, more: &[u8]) {
        for &byte in more {
            if let Some(slot) = self.bytes.get_mut(self.len) {
                *slot = byte;
                self.len += 1;
            }
        }
    }

    fn push_number(&mut self, number: u64) {
        let mut digits = [0u8; 20];
        let mut rest = number;
        let mut start = digits.len();
        while let Some(slot) = start.checked_sub(1).and_then(|at| digits.get_mut(at)) {
            *slot = b'0' + (rest % 10) as u8;
            start -= 1;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.push(digits.get(start..).unwrap_or_default());
    }
}

fn errno() -> c_int {
    // SAFETY: errno's address is valid for the calling thread.
    unsafe { *libc::__errno_location() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_full() {
        for number in [0, 7, 10, 4_194_304, u64::MAX] {
            let mut text = Text::default();
            text.push_number(number);
            assert_eq!(text.bytes[..text.len], *number.to_string().as_bytes());
        }
    }
}
