//! Signals as readable events, so that they are served by the same loop as everything else and no code
//! ever runs in a signal handler.

use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::{io, ptr};

use rustix::io::Errno;

use crate::error::Error;

/// The highest signal number of Linux on every architecture we run on.
const LAST_SIGNAL: i32 = 64;

/// Bytes in the kernel's set of 64 signals.
const KERNEL_SIGNAL_SET: usize = 8;

/// Signals that are blocked and read from a descriptor instead.
#[derive(Debug)]
pub struct SignalSet {
    fd: OwnedFd,
}

/// One signal that arrived. Equal signals that arrive before the first is read are one, except for
/// real-time signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignalInfo {
    /// Its number, as in signal(7).
    pub number: i32,
    /// The process that sent it (for SIGCHLD: the child); 0 for the kernel or a sender outside of our
    /// process namespace.
    pub pid: u32,
}

impl SignalSet {
    /// Blocks the signals with these numbers (real-time signals included) in the calling thread and opens a
    /// descriptor, non-blocking, that reports them. Blocks nothing else. Also makes sure that writing to a
    /// closed pipe is an error and not a death (SIGPIPE ignored).
    ///
    /// # Errors
    /// When a number is not a signal that can be blocked.
    pub fn block_and_listen(numbers: &[i32]) -> Result<Self, Error> {
        let mut set = empty_set();
        for &number in numbers {
            // SAFETY: the set is initialised; the C library checks the number.
            if unsafe { libc::sigaddset(&raw mut set, number) } != 0 {
                return Err(Error::object("wait for signal", &number)(
                    io::Error::last_os_error(),
                ));
            }
        }
        // SAFETY: the set is initialised and the previous mask is not asked for.
        let result =
            unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut()) };
        if result != 0 {
            return Err(Error::system("block signals")(
                io::Error::from_raw_os_error(result),
            ));
        }
        // SAFETY: no handler is installed, so no code of ours can run at a bad moment.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
        // SAFETY: the set is initialised.
        let fd =
            unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        if fd < 0 {
            return Err(Error::system("open a signal descriptor")(
                io::Error::last_os_error(),
            ));
        }
        // SAFETY: the descriptor was just made and belongs to nobody else.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { fd })
    }

    /// The next signal that has arrived, or `None`.
    ///
    /// # Errors
    /// Not expected.
    pub fn read(&self) -> Result<Option<SignalInfo>, Error> {
        let mut record = [0_u8; size_of::<libc::signalfd_siginfo>()];
        match rustix::io::read(&self.fd, &mut record) {
            Ok(length) if length == record.len() => {}
            Ok(_) | Err(Errno::AGAIN | Errno::INTR) => return Ok(None),
            Err(errno) => return Err(Error::system("read a signal descriptor")(errno)),
        }
        // SAFETY: any bytes are a valid signalfd_siginfo, it is integers throughout; the copy is as long as
        // the structure, and read_unaligned asks for no alignment.
        let info = unsafe {
            record
                .as_ptr()
                .cast::<libc::signalfd_siginfo>()
                .read_unaligned()
        };
        let number = i32::try_from(info.ssi_signo).unwrap_or(0);
        Ok(Some(SignalInfo {
            number,
            pid: info.ssi_pid,
        }))
    }
}

impl AsFd for SignalSet {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Gives every signal its default action and blocks none: what a program expects when it starts.
///
/// Async-signal-safe: it is called between fork and exec. Failures are not looked at, for the only numbers
/// that can fail are those whose action nobody can change.
pub fn restore_for_child() {
    /// The kernel's own structure is shorter on every architecture; zeroes are the default action.
    static DEFAULT: [u64; 8] = [0; 8];
    for number in 1..=LAST_SIGNAL {
        // Not through the C library, which keeps numbers 32 and 33 for itself and would leave them ignored if
        // we were started that way.
        // SAFETY: the kernel reads the structure, which lives through the call, and writes nothing.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                number,
                &raw const DEFAULT,
                ptr::null_mut::<u64>(),
                KERNEL_SIGNAL_SET,
            )
        };
    }
    let set = empty_set();
    // SAFETY: the set is initialised and the previous mask is not asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const set, ptr::null_mut()) };
}

fn empty_set() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the whole set and cannot fail for a valid pointer.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        set.assume_init()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_read_in_place_of_acting() {
        // Blocking is per thread and these signals go to this thread alone, so that other tests never see them.
        let set = SignalSet::block_and_listen(&[libc::SIGHUP, 36, 37, 63]).unwrap();
        assert_eq!(set.read().unwrap(), None);
        for number in [libc::SIGHUP, 36, 37, 63] {
            // SAFETY: plain system calls without memory.
            unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), libc::gettid(), number) };
            assert_eq!(
                set.read().unwrap(),
                Some(SignalInfo {
                    number,
                    pid: std::process::id()
                })
            );
        }
        assert_eq!(set.read().unwrap(), None);
    }

    #[test]
    fn what_is_no_signal_is_refused() {
        assert!(SignalSet::block_and_listen(&[0]).is_err());
        assert!(SignalSet::block_and_listen(&[65]).is_err());
    }
}
