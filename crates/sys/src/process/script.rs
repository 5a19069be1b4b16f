//! Scripts: programs of the operator's, run as a given user in a clean environment
//! (keepalived: "execution environment of all scripts").

mod beginning;

use std::ffi::{CString, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::{env, io};

pub use self::beginning::{Beginning, NotExecuted};
use super::own_binary::{CHANNEL_VARIABLE, c_strings, join, pointers};
use super::{Pid, limits, pidfd, scheduling};
use rustix::thread::CpuSet;

use crate::error::Error;
use crate::signals;
use crate::users;

/// The status of a script that never ran: the file is gone, not executable, or not a program.
///
/// A script can exit with this status itself, as shells do for a command that they do not find: [`Beginning`] tells which it
/// was. keepalived turns it into 0, which counts as success.
pub const EXIT_NOT_EXECUTED: i32 = 127;

/// The status of a script that never ran because we could not become its user; see [`EXIT_NOT_EXECUTED`].
pub const EXIT_WRONG_IDENTITY: i32 = 125;

/// What a script must not find in its environment: how to split words, what to load, and our own channel.
const HIDDEN_VARIABLES: [&str; 4] = ["IFS", "LD_PRELOAD", "LD_LIBRARY_PATH", CHANNEL_VARIABLE];

/// Who a process is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// User number.
    pub uid: u32,
    /// Group number.
    pub gid: u32,
    /// Supplementary groups, all of them. `None`: those we have when user and group stay the same, else
    /// none but the group itself.
    pub groups: Option<Vec<u32>>,
}

/// A script to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script<'a> {
    /// The file to execute, absolute.
    pub path: &'a Path,
    /// Its words, the name it is called by included.
    pub arguments: &'a [String],
    /// Whom it runs as.
    pub credentials: &'a Credentials,
}

/// A script that was started. Dropping this does not end it.
#[derive(Debug)]
pub struct ScriptProcess {
    /// Its number, valid until [`reap`](super::reap) has returned it.
    pub pid: Pid,
    /// Becomes readable when it ends; `None` on Linux before 5.3.
    pub pidfd: Option<OwnedFd>,
    /// Whether its program was executed.
    pub beginning: Beginning,
}

/// How the child becomes its user.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Identity {
    /// It is already.
    Keep,
    /// Same user and group, other supplementary groups.
    Groups,
    /// Everything.
    Change,
}

/// Starts a script and does not wait for it, not even for its beginning.
///
/// It runs in a process group of its own; standard input, output and error are /dev/null and no other
/// descriptor is open; signals have their default actions and none is blocked; scheduling and nice value are
/// the normal ones; the umask is ours; IFS, LD_PRELOAD and LD_LIBRARY_PATH are not in its environment. It gets
/// SIGTERM when this thread ends. A file without `#!` line is handed to /bin/sh. If it cannot begin it
/// exits with [`EXIT_NOT_EXECUTED`] or [`EXIT_WRONG_IDENTITY`], and [`Beginning::problem`] says why.
///
/// # Errors
/// When a word contains a NUL, or no process can be made.
pub fn spawn_script(script: &Script<'_>) -> Result<ScriptProcess, Error> {
    let path = CString::new(script.path.as_os_str().as_bytes()).map_err(Error::object(
        "run a script whose path contains a NUL:",
        &script.path.display(),
    ))?;
    let words = c_strings(script.arguments.iter().map(OsString::from).collect())?;
    let shell_words = shell_words(&path, &words);
    let environment = c_strings(
        env::vars_os()
            .filter(|(name, _)| !HIDDEN_VARIABLES.iter().any(|hidden| name == hidden))
            .map(|(name, value)| join(&name, &value))
            .collect(),
    )?;
    let (words, shell_words, environment) = (
        pointers(&words),
        pointers(&shell_words),
        pointers(&environment),
    );
    let beginning = Beginning::new()?;
    let prepared = Prepared {
        beginning: &beginning,
        path: &path,
        words: &words,
        shell_words: &shell_words,
        environment: &environment,
        uid: script.credentials.uid,
        gid: script.credentials.gid,
        groups: script
            .credentials
            .groups
            .as_deref()
            .unwrap_or(std::slice::from_ref(&script.credentials.gid)),
        identity: identity(script.credentials)?,
        open_files: limits::original_open_files(),
        realtime: scheduling::original_realtime(),
        cpus: scheduling::original_cpus(),
        parent: Pid::own().get(),
    };
    // SAFETY: what follows in the child is system calls on memory prepared above.
    match unsafe { libc::fork() } {
        0 => prepared.be_script(),
        pid => {
            let pid = Pid::new(pid)
                .ok_or_else(io::Error::last_os_error)
                .map_err(Error::object("start script", &script.path.display()))?;
            // The child does this too; whoever is first, the group exists when we return, so that it can be
            // killed. Once the child has executed its program it refuses this, and needs it no more.
            // SAFETY: no memory is involved.
            unsafe { libc::setpgid(pid.get(), pid.get()) };
            Ok(ScriptProcess {
                pid,
                pidfd: pidfd(pid),
                beginning,
            })
        }
    }
}

/// `/bin/sh PATH ARGUMENTS...`
fn shell_words(path: &CString, words: &[CString]) -> Vec<CString> {
    [c"/bin/sh".to_owned(), path.clone()]
        .into_iter()
        .chain(words.iter().skip(1).cloned())
        .collect()
}

fn identity(wanted: &Credentials) -> Result<Identity, Error> {
    let ours = users::current_ids()?;
    if !ours.are_all(wanted.uid, wanted.gid) {
        return Ok(Identity::Change);
    }
    Ok(match &wanted.groups {
        Some(groups) if !ours.has_exactly(groups) => Identity::Groups,
        Some(_) | None => Identity::Keep,
    })
}

/// Everything the child needs, so that it allocates nothing.
struct Prepared<'a> {
    beginning: &'a Beginning,
    path: &'a CString,
    words: &'a [*const libc::c_char],
    shell_words: &'a [*const libc::c_char],
    environment: &'a [*const libc::c_char],
    uid: u32,
    gid: u32,
    groups: &'a [u32],
    identity: Identity,
    open_files: Option<libc::rlimit>,
    realtime: Option<libc::rlimit>,
    cpus: Option<CpuSet>,
    parent: libc::pid_t,
}

impl Prepared<'_> {
    /// The child from its first instruction to the exec. Only async-signal-safe calls.
    fn be_script(&self) -> ! {
        // SAFETY: system calls on numbers and on memory that lives in the copy of the parent's; the pointer
        // lists end with a null.
        unsafe {
            libc::setpgid(0, 0);
            self.reset_scheduling();
            if !redirect_standard_streams() {
                self.beginning.note_program(*libc::__errno_location());
                libc::_exit(EXIT_NOT_EXECUTED);
            }
            close_from_three();
            if !self.change_identity() {
                self.beginning.note_identity(*libc::__errno_location());
                libc::_exit(EXIT_WRONG_IDENTITY);
            }
            // After the change of user, which clears it.
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
            signals::restore_for_child();
            // A parent that died before that line sends no signal any more.
            if libc::getppid() == self.parent {
                libc::execve(
                    self.path.as_ptr(),
                    self.words.as_ptr(),
                    self.environment.as_ptr(),
                );
                if *libc::__errno_location() == libc::ENOEXEC {
                    libc::execve(
                        c"/bin/sh".as_ptr(),
                        self.shell_words.as_ptr(),
                        self.environment.as_ptr(),
                    );
                }
                self.beginning.note_program(*libc::__errno_location());
            } else {
                // Nobody is there to hear it.
                self.beginning.note_program(libc::ESRCH);
            }
            libc::_exit(EXIT_NOT_EXECUTED)
        }
    }

    /// Locked memory is not inherited; the rest is put back. Best effort: a script with the wrong nice
    /// value is better than none.
    ///
    /// # Safety
    /// Only for a child that is about to execute a program.
    unsafe fn reset_scheduling(&self) {
        // SAFETY: the structures live through their calls.
        unsafe {
            if libc::sched_getscheduler(0) != libc::SCHED_OTHER {
                let normal: libc::sched_param = std::mem::zeroed();
                libc::sched_setscheduler(0, libc::SCHED_OTHER, &raw const normal);
            }
            if libc::getpriority(libc::PRIO_PROCESS, 0) != 0 {
                libc::setpriority(libc::PRIO_PROCESS, 0, 0);
            }
            if let Some(limit) = &self.open_files {
                libc::setrlimit(libc::RLIMIT_NOFILE, limit);
            }
            if let Some(limit) = &self.realtime {
                libc::setrlimit(libc::RLIMIT_RTTIME, limit);
            }
        }
        // Nothing but the system call, on the copy of the parent's.
        if let Some(cpus) = &self.cpus {
            rustix::thread::sched_setaffinity(None, cpus).ok();
        }
    }

    /// Whether the child is now the user it should be.
    ///
    /// # Safety
    /// Only for a child that is about to execute a program.
    unsafe fn change_identity(&self) -> bool {
        let (uid, gid, groups) = (self.uid, self.gid, self.groups);
        // SAFETY: the list is as long as said.
        unsafe {
            let groups_set = || libc::setgroups(groups.len(), groups.as_ptr()) == 0;
            match self.identity {
                Identity::Keep => true,
                Identity::Groups => groups_set(),
                Identity::Change => {
                    groups_set()
                        && libc::setresgid(gid, gid, gid) == 0
                        && libc::setresuid(uid, uid, uid) == 0
                }
            }
        }
    }
}

/// # Safety
/// Only for a child that is about to execute a program.
unsafe fn redirect_standard_streams() -> bool {
    // SAFETY: a constant path; the descriptors belong to this child alone.
    unsafe {
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        if null < 0 {
            return false;
        }
        (0..=2).all(|standard| libc::dup2(null, standard) == standard)
    }
}

/// # Safety
/// Only for a child that is about to execute a program: it pulls the descriptors from under their owners.
unsafe fn close_from_three() {
    /// Where the slow way stops; nobody inherits descriptors beyond.
    const SLOW_LIMIT: libc::c_int = 65_536;
    // SAFETY: as above.
    unsafe {
        if libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0) != 0 {
            // Linux before 5.9.
            for descriptor in 3..SLOW_LIMIT {
                libc::close(descriptor);
            }
        }
    }
}

#[cfg(test)]
mod tests;
