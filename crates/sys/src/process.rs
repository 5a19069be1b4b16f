//! Child processes and what a process can say about itself.
//!
//! A parent starts its children by executing its own program again ([`spawn_self`]); scripts run in the
//! tight environment that operators know from keepalived ([`spawn_script`]). Both return before the child
//! has begun, and [`reap`] tells how it ended.

use std::ffi::CString;
use std::io;
use std::num::NonZeroI32;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::time::Duration;

use rustix::fs::Mode;
use rustix::process::{PidfdFlags, pidfd_open};

use crate::error::Error;

mod limits;
mod own_binary;
mod scheduling;
mod script;

pub use limits::{most_open_files, raise_open_files};
pub use own_binary::{CHANNEL_VARIABLE, inherited_descriptor, spawn_self};
pub use scheduling::{limit_realtime, lock_memory, set_cpus, set_nice, set_realtime, stepped_down};
pub use script::{
    Beginning, Credentials, EXIT_NOT_EXECUTED, EXIT_WRONG_IDENTITY, NotExecuted, Script,
    ScriptProcess, spawn_script,
};

/// The number of a process, always positive: 0 and negative numbers mean groups and "everybody" to the
/// system calls that take one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pid(NonZeroI32);

impl Pid {
    /// `None` for 0 and below.
    pub fn new(pid: i32) -> Option<Self> {
        NonZeroI32::new(pid).filter(|pid| pid.get() > 0).map(Self)
    }

    /// This process.
    pub fn own() -> Self {
        Self(rustix::process::getpid().as_raw_nonzero())
    }

    /// The process that started this one, or took it over; `None` when it lives outside of our namespace.
    pub fn parent() -> Option<Self> {
        // SAFETY: no memory is involved.
        Self::new(unsafe { libc::getppid() })
    }

    /// The number.
    pub fn get(self) -> i32 {
        self.0.get()
    }
}

impl std::fmt::Display for Pid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A child that was started. Dropping this does not end it.
#[derive(Debug)]
pub struct Child {
    /// Its number, valid until [`reap`] has returned it.
    pub pid: Pid,
    /// Becomes readable when it ends; `None` on Linux before 5.3.
    pub pidfd: Option<OwnedFd>,
}

impl Child {
    fn new(pid: Pid) -> Self {
        Self {
            pid,
            pidfd: pidfd(pid),
        }
    }
}

/// A descriptor that becomes readable when the process ends; `None` on Linux before 5.3, or when there is
/// no such process.
pub fn pidfd(pid: Pid) -> Option<OwnedFd> {
    let pid = rustix::process::Pid::from_raw(pid.get())?;
    pidfd_open(pid, PidfdFlags::empty()).ok()
}

/// A child that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Its number, free for reuse from now on.
    pub pid: Pid,
    /// How it ended.
    pub status: ExitStatus,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// By itself, with this status, 0..=255.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// The next child that has ended, or `None` when there is none (any more).
///
/// # Errors
/// Not expected.
pub fn reap() -> Result<Option<Exit>, Error> {
    wait(-1, libc::WNOHANG)
}

/// Waits until this child has ended.
///
/// # Errors
/// When it is not a child of ours, or was reaped already.
pub fn wait_for(pid: Pid) -> Result<ExitStatus, Error> {
    match wait(pid.get(), 0)? {
        Some(exit) => Ok(exit.status),
        None => Err(Error::object("wait for process", &pid)(
            io::Error::from_raw_os_error(libc::ECHILD),
        )),
    }
}

fn wait(which: i32, flags: libc::c_int) -> Result<Option<Exit>, Error> {
    loop {
        let mut status = 0;
        // SAFETY: the status is ours to write.
        let pid = unsafe { libc::waitpid(which, &raw mut status, flags) };
        if let Some(pid) = Pid::new(pid) {
            let status = if libc::WIFSIGNALED(status) {
                ExitStatus::Signal(libc::WTERMSIG(status))
            } else {
                ExitStatus::Code(libc::WEXITSTATUS(status))
            };
            return Ok(Some(Exit { pid, status }));
        }
        let error = io::Error::last_os_error();
        match (pid, error.raw_os_error()) {
            (0, _) | (_, Some(libc::ECHILD)) => return Ok(None),
            (_, Some(libc::EINTR)) => {}
            _ => return Err(Error::system("wait for a child")(error)),
        }
    }
}

/// Whom a signal reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// It was delivered, or waits for its receiver.
    Somebody,
    /// There is no such process (any more).
    Nobody,
}

/// Sends a signal to a process; 0 only asks whether there is one.
///
/// # Errors
/// Without the permission, or for a number that is not a signal.
pub fn kill(pid: Pid, signal: i32) -> Result<Reached, Error> {
    kill_call(pid.get(), signal, pid)
}

/// Sends a signal to every process of the group that `leader` began.
///
/// # Errors
/// As for [`kill`]; also for process 1, whose number means "everybody" here.
pub fn kill_group(leader: Pid, signal: i32) -> Result<Reached, Error> {
    if leader.get() == 1 {
        return Err(Error::object("signal process group", &leader)(
            io::Error::from_raw_os_error(libc::EINVAL),
        ));
    }
    kill_call(-leader.get(), signal, leader)
}

fn kill_call(target: i32, signal: i32, pid: Pid) -> Result<Reached, Error> {
    // SAFETY: no memory is involved.
    if unsafe { libc::kill(target, signal) } == 0 {
        return Ok(Reached::Somebody);
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() == Some(libc::ESRCH) {
        return Ok(Reached::Nobody);
    }
    Err(Error::object("send a signal to process", &pid)(error))
}

/// Sets the name that `ps -o comm` and `pidof` see: the first 15 bytes of `name`, up to a NUL if it has one.
///
/// # Errors
/// Not expected.
pub fn set_task_name(name: &str) -> Result<(), Error> {
    let bytes: Vec<u8> = name
        .bytes()
        .take(15)
        .take_while(|&byte| byte != 0)
        .collect();
    let name = CString::new(bytes).unwrap_or_default();
    rustix::thread::set_name(&name).map_err(Error::system("set the process name"))
}

/// Makes orphaned descendants children of this process, which reaps them.
///
/// # Errors
/// Not expected.
pub fn become_subreaper() -> Result<(), Error> {
    // SAFETY: this option takes a number.
    let result = unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) };
    prctl(result, "become a subreaper")
}

/// Lets the kernel send `signal` to this process when the thread that started it ends, and notices if that
/// has happened already. `parent` is who started it, as the starter knew it.
///
/// # Errors
/// When the parent is gone.
pub fn follow_parent(parent: Pid, signal: i32) -> Result<(), Error> {
    // SAFETY: this option takes a number.
    let result = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal) };
    prctl(result, "follow the parent")?;
    if Pid::parent() == Some(parent) {
        Ok(())
    } else {
        Err(Error::object("follow the parent", &parent)(
            io::Error::from_raw_os_error(libc::ESRCH),
        ))
    }
}

fn prctl(result: libc::c_int, what: &'static str) -> Result<(), Error> {
    if result == 0 {
        Ok(())
    } else {
        Err(Error::system(what)(io::Error::last_os_error()))
    }
}

/// Makes `command` die by `signal` when the thread that spawns it ends, with default signal actions, no
/// signal blocked, and a process group of its own. For tests and demonstrations.
pub fn tie_to_spawner(command: &mut std::process::Command, signal: i32) {
    command.process_group(0);
    // SAFETY: only async-signal-safe system calls run in the child. That the parent is gone already cannot
    // be told here (in a process namespace it has number 0); the spawner is waiting for this very child.
    unsafe {
        command.pre_exec(move || {
            crate::signals::restore_for_child();
            if libc::prctl(libc::PR_SET_PDEATHSIG, signal) == 0 {
                Ok(())
            } else {
                Err(io::Error::last_os_error())
            }
        });
    }
}

/// Goes to the background: a grandchild in a session of its own carries on, in `/`, with standard input,
/// output and error on /dev/null; the process that called exits with status 0. For programs with a single
/// thread only.
///
/// # Errors
/// When no process can be made or /dev/null cannot be opened; we are then still, or half, in the foreground.
pub fn daemonise() -> Result<(), Error> {
    let null = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")
        .map_err(Error::object("open", &"/dev/null"))?;
    fork_and_leave()?;
    rustix::process::setsid().map_err(Error::system("start a session"))?;
    // Once more, so that the daemon leads no session and never acquires a terminal.
    fork_and_leave()?;
    rustix::process::chdir("/").map_err(Error::object("change directory to", &"/"))?;
    rustix::stdio::dup2_stdin(&null)
        .and_then(|()| rustix::stdio::dup2_stdout(&null))
        .and_then(|()| rustix::stdio::dup2_stderr(&null))
        .map_err(Error::system("redirect standard input and output"))
}

fn fork_and_leave() -> Result<(), Error> {
    // SAFETY: the caller has a single thread, so the child can do whatever the parent could.
    match unsafe { libc::fork() } {
        -1 => Err(Error::system("go to the background")(
            io::Error::last_os_error(),
        )),
        0 => Ok(()),
        // SAFETY: leaves at once; what is buffered in memory is the child's to write.
        _ => unsafe { libc::_exit(0) },
    }
}

/// Sets the file mode creation mask (its lowest nine bits) and returns the one before.
pub fn set_umask(mask: u32) -> u32 {
    rustix::process::umask(Mode::from_bits_truncate(mask & 0o777)).bits()
}

/// Processor time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResourceUsage {
    /// Of this process, in its own code.
    pub user: Duration,
    /// Of this process, in the kernel.
    pub system: Duration,
    /// Of the children that were reaped, and theirs, in their own code.
    pub children_user: Duration,
    /// Of the children that were reaped, and theirs, in the kernel.
    pub children_system: Duration,
}

/// Gives memory that was freed back to the kernel. Worth its time after something large and short-lived, such as the
/// reading of a configuration: the allocator would keep it for ever.
pub fn give_back_memory() {
    // SAFETY: it only touches what the allocator holds free. Only glibc's has it.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// What this process and its reaped children have used so far.
pub fn resource_usage() -> ResourceUsage {
    let (user, system) = usage_of(libc::RUSAGE_SELF);
    let (children_user, children_system) = usage_of(libc::RUSAGE_CHILDREN);
    ResourceUsage {
        user,
        system,
        children_user,
        children_system,
    }
}

/// What a process had used when it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Its exit status; `None`: a signal ended it.
    pub status: Option<i32>,
    /// Processor time, its own and the kernel's for it.
    pub time: Duration,
    /// The most memory that was resident at any time, in KiB.
    pub peak_memory: u64,
}

/// Waits for the end of a child.
///
/// # Errors
/// When somebody else has waited for it already.
pub fn wait_measured(child: std::process::Child) -> Result<Finished, Error> {
    let failed = Error::system("wait for a child");
    let Ok(pid) = libc::pid_t::try_from(child.id()) else {
        return Err(failed(io::Error::from_raw_os_error(libc::ECHILD)));
    };
    let mut status = 0;
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    loop {
        // SAFETY: both places are ours to write.
        if unsafe { libc::wait4(pid, &raw mut status, 0, usage.as_mut_ptr()) } == pid {
            break;
        }
        let problem = io::Error::last_os_error();
        if problem.kind() != io::ErrorKind::Interrupted {
            return Err(failed(problem));
        }
    }
    // It is reaped: the number may be somebody else's by now.
    drop(child);
    // SAFETY: zeroes are a valid one, and the call has succeeded.
    let usage = unsafe { usage.assume_init() };
    Ok(Finished {
        status: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
        time: duration(usage.ru_utime).saturating_add(duration(usage.ru_stime)),
        peak_memory: u64::try_from(usage.ru_maxrss).unwrap_or(0),
    })
}

fn usage_of(who: libc::c_int) -> (Duration, Duration) {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the structure is ours to write; zeroes are a valid one if the call failed, which it does not
    // for these two targets.
    let usage = unsafe {
        libc::getrusage(who, usage.as_mut_ptr());
        usage.assume_init()
    };
    (duration(usage.ru_utime), duration(usage.ru_stime))
}

fn duration(time: libc::timeval) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let micros = u64::try_from(time.tv_usec).unwrap_or(0);
    Duration::from_secs(seconds).saturating_add(Duration::from_micros(micros))
}

#[cfg(test)]
mod tests;
