//! Signals as bytes in a pipe, so that the event loop can wait for them.

use std::ffi::{c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

use rustix::pipe::{pipe_with, PipeFlags};

/// The pipe's writing end, for the handler; -1 before [`SignalPipe::install`].
static WRITE_END: AtomicI32 = AtomicI32::new(-1);

/// What arrived since the last look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Arrived {
    /// A child may have changed its state.
    pub(super) child: bool,
    /// Somebody asks the runner to end.
    pub(super) terminate: bool,
}

/// The reading end.
#[derive(Debug)]
pub(super) struct SignalPipe {
    read: OwnedFd,
    _write: OwnedFd,
}

extern "C" fn on_signal(signal: c_int) {
    // SAFETY: errno of this thread is saved and restored around write, which is
    // async-signal-safe. A full pipe loses the byte, but then bytes of the same
    // meaning are waiting (only the one for SIGTERM could be crowded out, by
    // 65,536 unread SIGCHLDs).
    unsafe {
        let errno = *libc::__errno_location();
        let byte = signal as u8;
        libc::write(WRITE_END.load(Ordering::Relaxed), (&raw const byte).cast(), 1);
        *libc::__errno_location() = errno;
    }
}

impl SignalPipe {
    /// Sets every signal back to its default (but for the two that Rust's stack
    /// guard handles, which exec sets back), then handles SIGCHLD, SIGTERM,
    /// SIGINT, and SIGHUP, ignores SIGPIPE and SIGXFSZ, and unblocks all.
    pub(super) fn install() -> io::Result<Self> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        WRITE_END.store(write.as_raw_fd(), Ordering::Relaxed);
        // SAFETY: the handler only does what a handler may; the structures are
        // fully set before use. Setting fails for SIGKILL and SIGSTOP, which is
        // right. The plain system call reaches the two signals the C library
        // keeps for itself and some starters leave ignored; the kernel's
        // structure of all zeros is the default action.
        unsafe {
            let default = [0u64; 4];
            for signal in 1..=libc::SIGRTMAX() {
                if !matches!(signal, libc::SIGSEGV | libc::SIGBUS) {
                    libc::syscall(
                        libc::SYS_rt_sigaction,
                        signal as libc::c_long,
                        default.as_ptr(),
                        ptr::null_mut::<c_void>(),
                        8 as libc::c_ulong,
                    );
                }
            }
            libc::signal(libc::SIGPIPE, libc::SIG_IGN);
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_signal as *const () as usize;
            action.sa_flags = libc::SA_RESTART;
            libc::sigemptyset(&mut action.sa_mask);
            for signal in [libc::SIGCHLD, libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
                if libc::sigaction(signal, &action, ptr::null_mut()) < 0 {
                    return Err(io::Error::last_os_error());
                }
            }
            let mut none = MaybeUninit::<libc::sigset_t>::uninit();
            libc::sigemptyset(none.as_mut_ptr());
            libc::pthread_sigmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut());
        }
        Ok(Self { read, _write: write })
    }

    /// The descriptor to wait on.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.read.as_fd()
    }

    /// Takes what arrived.
    pub(super) fn take(&self) -> Arrived {
        let mut arrived = Arrived::default();
        let mut buffer = [0u8; 256];
        while let Ok(read) = rustix::io::read(&self.read, &mut buffer) {
            for &byte in buffer.get(..read).unwrap_or_default() {
                match c_int::from(byte) {
                    libc::SIGCHLD => arrived.child = true,
                    _ => arrived.terminate = true,
                }
            }
            if read < buffer.len() {
                break;
            }
        }
        arrived
    }
}
