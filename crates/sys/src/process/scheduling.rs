//! How a process runs: on which processors, before whom, and whether its memory may be swapped out.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::mm::MlockAllFlags;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::CpuSet;

use crate::error::Error;

/// The limit on time at real-time priority before we set one.
static ORIGINAL_REALTIME: OnceLock<Rlimit> = OnceLock::new();

/// The processors that we could run on before we chose some.
static ORIGINAL_CPUS: OnceLock<CpuSet> = OnceLock::new();

/// This process ran for too long at real-time priority, and is an ordinary one since.
static STEPPED_DOWN: AtomicBool = AtomicBool::new(false);

/// Sets the nice value, -20 (first) to 19 (last).
///
/// # Errors
/// Without the right to run before others (CAP_SYS_NICE).
pub fn set_nice(nice: i8) -> Result<(), Error> {
    rustix::process::setpriority_process(None, i32::from(nice))
        .map_err(Error::object("set the nice value to", &nice))
}

/// Goes to the real-time scheduler (SCHED_RR) with this priority, 1 to 99; `None`: to the ordinary one. Children do not
/// inherit it.
///
/// # Errors
/// Without the right to it (CAP_SYS_NICE), or in a group of processes that has no real-time share.
pub fn set_realtime(priority: Option<u8>) -> Result<(), Error> {
    let what = "change to real-time priority";
    let policy = match priority {
        Some(_) => libc::SCHED_RR | libc::SCHED_RESET_ON_FORK,
        None => libc::SCHED_OTHER,
    };
    let shown = priority.unwrap_or(0);
    schedule(policy, i32::from(shown)).map_err(Error::object(what, &shown))
}

fn schedule(policy: libc::c_int, priority: libc::c_int) -> Result<(), io::Error> {
    // SAFETY: plain integers, for which zero is a value.
    let mut parameters: libc::sched_param = unsafe { std::mem::zeroed() };
    parameters.sched_priority = priority;
    // SAFETY: the structure lives through the call, and is only read.
    if unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Limits how long this process runs at real-time priority without waiting for anything (the soft RLIMIT_RTTIME; the hard
/// one, which kills, stays as it is). Who exceeds it becomes an ordinary process, which [`stepped_down`] tells: a machine
/// must stay usable whatever we do, but a router that is killed for working hard helps nobody. Scripts get the limit as it
/// was before; `None` sets that again.
///
/// # Errors
/// When the hard limit is below it.
pub fn limit_realtime(limit: Option<Duration>) -> Result<(), Error> {
    let original = *ORIGINAL_REALTIME.get_or_init(|| getrlimit(Resource::Rttime));
    let Some(limit) = limit else {
        return setrlimit(Resource::Rttime, original).map_err(Error::system(
            "take the limit of time at real-time priority away",
        ));
    };
    let micros = u64::try_from(limit.as_micros()).unwrap_or(u64::MAX);
    handle_excess();
    setrlimit(
        Resource::Rttime,
        Rlimit {
            current: Some(micros),
            maximum: original.maximum,
        },
    )
    .map_err(Error::object(
        "limit the time at real-time priority (in microseconds) to",
        &micros,
    ))
}

/// The limit as a script should find it; `None` when we never changed it.
pub(super) fn original_realtime() -> Option<libc::rlimit> {
    let unlimited = |value: Option<u64>| value.unwrap_or(libc::RLIM_INFINITY);
    ORIGINAL_REALTIME.get().map(|limit| libc::rlimit {
        rlim_cur: unlimited(limit.current),
        rlim_max: unlimited(limit.maximum),
    })
}

/// The one signal handler of this program: whoever is meant by SIGXCPU is busy, and reads no descriptor.
extern "C" fn step_down(_signal: libc::c_int) {
    // SAFETY: a system call on a structure of this function, and an atomic: both may be used in a handler. What the call
    // does to errno is undone.
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        let ordinary: libc::sched_param = std::mem::zeroed();
        libc::sched_setscheduler(0, libc::SCHED_OTHER, &raw const ordinary);
        *errno = before;
    }
    STEPPED_DOWN.store(true, Ordering::Relaxed);
}

fn handle_excess() {
    // SAFETY: zeroes are a valid structure; the handler keeps the rules above, and interrupted calls go on.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        let handler: extern "C" fn(libc::c_int) = step_down;
        action.sa_sigaction = handler as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(libc::SIGXCPU, &raw const action, std::ptr::null_mut());
    }
}

/// Whether this process ran for too long at real-time priority since this was last asked, and is an ordinary one now.
#[must_use]
pub fn stepped_down() -> bool {
    STEPPED_DOWN.swap(false, Ordering::Relaxed)
}

/// Runs on these processors only; with none, on all that it could run on at first.
///
/// # Errors
/// When there is none of them.
pub fn set_cpus(cpus: &[u16]) -> Result<(), Error> {
    let failed = |errno: rustix::io::Errno| {
        let list: Vec<String> = cpus.iter().map(ToString::to_string).collect();
        Error::object("run on processors only:", &list.join(" "))(errno)
    };
    let before = match ORIGINAL_CPUS.get() {
        Some(before) => before,
        None => {
            let now = rustix::thread::sched_getaffinity(None).map_err(failed)?;
            ORIGINAL_CPUS.get_or_init(|| now)
        }
    };
    let mut set = CpuSet::new();
    for cpu in cpus.iter().map(|cpu| usize::from(*cpu)) {
        if cpu < CpuSet::MAX_CPU {
            set.set(cpu);
        }
    }
    let set = if cpus.is_empty() { before } else { &set };
    rustix::thread::sched_setaffinity(None, set).map_err(failed)
}

/// The processors as a script should find them; `None` when we never chose.
pub(super) fn original_cpus() -> Option<CpuSet> {
    ORIGINAL_CPUS.get().copied()
}

/// Keeps all memory of this process, now and later, from being swapped out; or no longer does.
///
/// # Errors
/// Beyond the limit of locked memory, without the right to exceed it (CAP_IPC_LOCK).
pub fn lock_memory(lock: bool) -> Result<(), Error> {
    if lock {
        rustix::mm::mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE)
            .map_err(Error::system("keep the memory from being swapped out"))
    } else {
        rustix::mm::munlockall().map_err(Error::system("unlock the memory"))
    }
}
