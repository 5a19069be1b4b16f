//! Process 1 of a process namespace: does nothing, and takes everybody with it when it goes.

use std::io::{self, Read};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::ptr;

use crate::error::Error;
use crate::process::{Pid, kill, wait_for};

/// The first process of a process namespace. When it ends, the kernel kills every other process in there;
/// it ends when this value is dropped, when the thread that made it ends, and when the program dies,
/// however it dies. Orphans in the namespace become its children and leave no zombies.
#[derive(Debug)]
pub struct Init {
    pid: Pid,
    /// The init waits for this to close.
    _lifeline: UnixStream,
}

impl Init {
    /// Starts it. To be called right after [`unshare_pid_namespace`](super::unshare_pid_namespace), in the
    /// same thread. It mounts a /proc that shows the new namespace, for the calling thread and its children.
    ///
    /// # Errors
    /// When no process can be made, or /proc cannot be mounted.
    pub fn start() -> Result<Self, Error> {
        let (mut near, far) =
            UnixStream::pair().map_err(Error::system("create a pair of sockets"))?;
        let far_number = far.as_raw_fd();
        // SAFETY: the child runs `be_init` alone, which is made of system calls and never returns, so it
        // does not matter what locks other threads held.
        let pid = match unsafe { libc::fork() } {
            0 => be_init(far_number),
            pid => Pid::new(pid)
                .ok_or_else(io::Error::last_os_error)
                .map_err(Error::system("start an init"))?,
        };
        drop(far);
        let lifeline = near
            .try_clone()
            .map_err(Error::system("copy a descriptor"))?;
        let init = Self {
            pid,
            _lifeline: lifeline,
        };
        let mut answer = [0; 4];
        near.read_exact(&mut answer)
            .map_err(Error::system("hear from an init"))?;
        match i32::from_ne_bytes(answer) {
            0 => Ok(init),
            errno => Err(Error::object("mount", &"/proc")(
                io::Error::from_raw_os_error(errno),
            )),
        }
    }

    /// Its number as seen from outside of its namespace.
    pub fn pid(&self) -> Pid {
        self.pid
    }
}

impl Drop for Init {
    fn drop(&mut self) {
        // Killing process 1 kills its whole namespace, and waiting for it waits for all of them. It is
        // gone already when somebody else killed it; nothing is left to do then.
        if kill(self.pid, libc::SIGKILL).is_ok() {
            drop(wait_for(self.pid));
        }
    }
}

/// The life of process 1. `lifeline` closes when the program that wanted it is gone.
fn be_init(lifeline: RawFd) -> ! {
    // SAFETY: system calls on numbers and on strings and buffers that live through the call; nothing
    // allocates and nothing locks, as a child of a program with threads must not.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        // Ignored, not defaulted: the kernel then reaps orphans by itself.
        libc::signal(libc::SIGCHLD, libc::SIG_IGN);
        libc::dup2(lifeline, 0);
        libc::syscall(libc::SYS_close_range, 1_u32, u32::MAX, 0);
        libc::chdir(c"/".as_ptr());
        let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
        let mounted = libc::mount(
            c"proc".as_ptr(),
            c"/proc".as_ptr(),
            c"proc".as_ptr(),
            flags,
            ptr::null(),
        );
        let answer = if mounted == 0 {
            0
        } else {
            *libc::__errno_location()
        };
        libc::write(0, (&raw const answer).cast(), 4);
        let mut byte = 0_u8;
        // Nobody writes. Process 1 gets no signal that it has no handler for, so only the end of the
        // lifeline ends the wait.
        while libc::read(0, (&raw mut byte).cast(), 1) > 0 {}
        libc::_exit(0)
    }
}
