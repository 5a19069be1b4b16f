//! Children that are this very program again.

use std::ffi::{CString, OsString};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{env, io, ptr};

use super::{Child, Pid};
use crate::error::Error;

/// The environment variable that tells a child the number of the descriptor it was left. Set by
/// [`spawn_self`] only; scripts do not get to see it.
pub const CHANNEL_VARIABLE: &str = "EVERVIP_CHILD";

/// What a child that could not begin exits with; its parent treats that as any other early end.
const EXIT_NOT_STARTED: libc::c_int = 127;

/// Starts this program again, from the file it was started from even if that was replaced or deleted, with
/// the very words of this process's command line (consumers look for the configuration path in it).
///
/// The child inherits the descriptor `left` under its number, which it finds in [`CHANNEL_VARIABLE`]; the
/// standard descriptors; and the signal mask, so that a signal of ours that comes early waits until the child
/// listens. It gets SIGTERM when this thread ends, however that comes.
///
/// # Errors
/// When no process can be made.
pub fn spawn_self(left: BorrowedFd<'_>) -> Result<Child, Error> {
    let number = left.as_raw_fd();
    let words = c_strings(env::args_os().collect())?;
    let mut environment: Vec<OsString> = env::vars_os()
        .filter(|(name, _)| name != CHANNEL_VARIABLE)
        .map(|(name, value)| join(&name, &value))
        .collect();
    environment.push(OsString::from(format!("{CHANNEL_VARIABLE}={number}")));
    let environment = c_strings(environment)?;
    let (words, environment) = (pointers(&words), pointers(&environment));
    let parent = Pid::own().get();
    // SAFETY: what follows in the child is system calls on memory prepared above.
    match unsafe { libc::fork() } {
        0 => be_self(parent, number, &words, &environment),
        pid => Pid::new(pid)
            .map(Child::new)
            .ok_or_else(io::Error::last_os_error)
            .map_err(Error::system("start a child of our own")),
    }
}

fn be_self(
    parent: libc::pid_t,
    left: RawFd,
    words: &[*const libc::c_char],
    environment: &[*const libc::c_char],
) -> ! {
    // SAFETY: system calls only; the pointer lists end with a null and their strings live in the copy of
    // the parent's memory.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
        // A parent that died before the line above sends no signal any more.
        if libc::getppid() == parent {
            let flags = libc::fcntl(left, libc::F_GETFD);
            libc::fcntl(left, libc::F_SETFD, flags & !libc::FD_CLOEXEC);
            libc::execve(
                c"/proc/self/exe".as_ptr(),
                words.as_ptr(),
                environment.as_ptr(),
            );
        }
        libc::_exit(EXIT_NOT_STARTED)
    }
}

/// In a child: the descriptor that [`spawn_self`] left to it, once. `None` in a process that was started by
/// anybody else. Whether it is what it should be is for [`crate::channel::Channel::from_inherited`] to say.
pub fn inherited_descriptor() -> Option<OwnedFd> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    let number: RawFd = env::var(CHANNEL_VARIABLE).ok()?.parse().ok()?;
    // 0 to 2 belong to the standard streams.
    if number <= 2 || TAKEN.swap(true, Ordering::Relaxed) {
        return None;
    }
    // SAFETY: asks whether the number is an open descriptor.
    if unsafe { libc::fcntl(number, libc::F_GETFD) } < 0 {
        return None;
    }
    // SAFETY: it is open, nothing in this process made it (the program that started us says so, and this is
    // the first thing a child does), and it is taken once.
    Some(unsafe { OwnedFd::from_raw_fd(number) })
}

/// `NAME=value`.
pub(super) fn join(name: &std::ffi::OsStr, value: &std::ffi::OsStr) -> OsString {
    let mut entry = OsString::with_capacity(name.len() + value.len() + 1);
    entry.push(name);
    entry.push("=");
    entry.push(value);
    entry
}

/// Words as the kernel takes them.
pub(super) fn c_strings(words: Vec<OsString>) -> Result<Vec<CString>, Error> {
    words
        .into_iter()
        .map(|word| {
            let shown = word.to_string_lossy().into_owned();
            CString::new(word.into_vec())
                .map_err(Error::object("pass on, for it contains a NUL:", &shown))
        })
        .collect()
}

/// The list of their addresses, closed by a null. Valid for as long as `strings` is.
pub(super) fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings
        .iter()
        .map(|string| string.as_ptr())
        .chain([ptr::null()])
        .collect()
}
