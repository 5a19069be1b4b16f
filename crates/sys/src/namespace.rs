//! Namespaces: for tests and demonstrations that need hosts and cables without touching the machine's own,
//! and for `net_namespace`.
//!
//! A namespace belongs to a *thread*: a program can hold several hosts, one thread each.

use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::{fs, io, ptr};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::error::Error;

mod init;

pub use init::Init;

/// A network with interfaces, addresses, routes and sockets of its own. It lives for as long as a thread is
/// in it or somebody holds this handle.
#[derive(Debug)]
pub struct NetworkNamespace {
    handle: OwnedFd,
}

impl NetworkNamespace {
    /// Moves the calling thread into a new network namespace with nothing but a loopback interface that is
    /// down, and into a mount namespace of its own, so that what it mounts nobody else sees. Threads and
    /// processes that this thread starts later are in both.
    ///
    /// # Errors
    /// Without the privilege; see [`enter_private_user_namespace`].
    pub fn create_for_this_thread() -> Result<Self, Error> {
        unshare(
            libc::CLONE_NEWNET | libc::CLONE_NEWNS,
            "create a network namespace",
        )?;
        mount_call(None, "/", None, libc::MS_REC | libc::MS_PRIVATE, None)
            .map_err(Error::system("make mounts private"))?;
        Self::current()
    }

    /// The network namespace of the calling thread.
    ///
    /// # Errors
    /// When /proc is not mounted.
    pub fn current() -> Result<Self, Error> {
        Self::open(Path::new("/proc/thread-self/ns/net"))
    }

    /// The network namespace that `path` leads to, such as `/run/netns/NAME`.
    ///
    /// # Errors
    /// When there is no such file. What kind of file it is shows when it is entered.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let handle = File::open(path).map_err(Error::object("open", &path.display()))?;
        Ok(Self {
            handle: handle.into(),
        })
    }

    /// Moves the calling thread into this network namespace.
    ///
    /// # Errors
    /// Without the privilege.
    pub fn enter(&self) -> Result<(), Error> {
        move_into_link_name_space(self.handle.as_fd(), Some(LinkNameSpaceType::Network))
            .map_err(Error::system("enter a network namespace"))
    }
}

impl AsFd for NetworkNamespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

/// Makes an ordinary user root over namespaces to come: moves this process into a new user namespace in
/// which the caller is user 0 and group 0, and nobody else exists. For programs with a single thread only.
///
/// # Errors
/// When the process has other threads already, or when the machine does not allow it to ordinary users.
pub fn enter_private_user_namespace() -> Result<(), Error> {
    let (uid, gid) = (
        rustix::process::geteuid().as_raw(),
        rustix::process::getegid().as_raw(),
    );
    unshare(libc::CLONE_NEWUSER, "create a user namespace")?;
    // user_namespaces(7): the group map can only be written once setgroups is given up.
    for (path, text) in [
        ("/proc/self/setgroups", "deny".to_owned()),
        ("/proc/self/uid_map", format!("0 {uid} 1")),
        ("/proc/self/gid_map", format!("0 {gid} 1")),
    ] {
        fs::write(path, text).map_err(Error::object("write", &path))?;
    }
    Ok(())
}

/// Gives the processes that the calling thread starts from now on a process numbering of their own. The
/// first of them is process 1 there: see [`Init`]. The thread itself stays where it is, and cannot start
/// further threads.
///
/// # Errors
/// Without the privilege.
pub fn unshare_pid_namespace() -> Result<(), Error> {
    unshare(libc::CLONE_NEWPID, "create a process namespace")
}

/// Mounts a /proc that shows the process namespace of the caller.
///
/// # Errors
/// Without the privilege.
pub fn mount_proc() -> Result<(), Error> {
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    mount_call(Some("proc"), "/proc", Some("proc"), flags, None)
        .map_err(Error::object("mount", &"/proc"))
}

/// Mounts an empty file system in memory over `path`, for the calling thread's mount namespace. Everybody
/// can write to it, as to /tmp.
///
/// # Errors
/// When the directory does not exist, or without the privilege.
pub fn mount_tmpfs(path: &Path) -> Result<(), Error> {
    let flags = libc::MS_NOSUID | libc::MS_NODEV;
    mount_call(Some("tmpfs"), path, Some("tmpfs"), flags, Some("mode=1777"))
        .map_err(Error::object("mount a tmpfs on", &path.display()))
}

fn unshare(flags: libc::c_int, what: &'static str) -> Result<(), Error> {
    // SAFETY: none of the flags used here separates the threads' descriptors or memory.
    if unsafe { libc::unshare(flags) } == 0 {
        Ok(())
    } else {
        Err(Error::system(what)(io::Error::last_os_error()))
    }
}

fn mount_call(
    source: Option<&str>,
    target: impl AsRef<Path>,
    kind: Option<&str>,
    flags: libc::c_ulong,
    options: Option<&str>,
) -> io::Result<()> {
    let text = |text: Option<&str>| text.map(CString::new).transpose();
    let target = CString::new(target.as_ref().as_os_str().as_bytes())?;
    let (source, kind, options) = (text(source)?, text(kind)?, text(options)?);
    let pointer = |text: &Option<CString>| text.as_ref().map_or(ptr::null(), |text| text.as_ptr());
    // SAFETY: every pointer is null or a C string that lives through the call.
    let result = unsafe {
        libc::mount(
            pointer(&source),
            target.as_ptr(),
            pointer(&kind),
            flags,
            pointer(&options).cast(),
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
