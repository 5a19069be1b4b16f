//! Pid files, locked for as long as their process lives (keepalived: "Pid files").
//!
//! The lock, not the file, says that a daemon is running: a stale file is simply written over. It belongs
//! to the open file (an open-file-description lock), so it survives going to the background.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// How often a file is opened anew because its previous owner removed it between our opening and locking it.
const ATTEMPTS: u32 = 10;

/// A pid number, a newline, and room to see that there is more than that.
const LONGEST_CONTENT: usize = 32;

/// A pid file that names this process and is locked by it. Dropping it gives up the lock but leaves the
/// file; see [`remove`](Self::remove).
#[derive(Debug)]
pub struct PidFile {
    file: File,
    path: PathBuf,
}

/// Why there is no pid file for us.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PidFileError {
    /// A living process holds the lock.
    #[error("daemon is already running: {} is locked{}", path.display(), by(*pid))]
    AlreadyRunning {
        /// The file.
        path: PathBuf,
        /// The number in it.
        pid: Option<u32>,
    },
    /// Something else lies in its place, or the file has other names too: writing to it could overwrite
    /// what was never meant to be a pid file.
    #[error("{} is not a plain file with a single name", path.display())]
    NotPlain {
        /// The file.
        path: PathBuf,
    },
    /// A system call failed.
    #[error("cannot {what} pid file {}: {reason}", path.display())]
    System {
        /// What was being done.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The kernel's reason.
        reason: io::Error,
    },
}

fn by(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" by process {pid}"))
        .unwrap_or_default()
}

impl PidFile {
    /// Creates or takes over the file, locks it, and writes the number of this process and a newline.
    /// Mode 0644 whatever the umask; a symbolic link in its place is refused.
    ///
    /// # Errors
    /// [`PidFileError::AlreadyRunning`] when a living process holds the lock.
    pub fn claim(path: &Path) -> Result<Self, PidFileError> {
        for _ in 0..ATTEMPTS {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o644)
                .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
                .open(path)
                .map_err(failed("open", path))?;
            if !lock(&file).map_err(failed("lock", path))? {
                return Err(PidFileError::AlreadyRunning {
                    path: path.to_owned(),
                    pid: content(&file),
                });
            }
            let claimed = Self {
                file,
                path: path.to_owned(),
            };
            let metadata = claimed.file.metadata().map_err(failed("examine", path))?;
            if !metadata.is_file() || metadata.nlink() > 1 {
                return Err(PidFileError::NotPlain {
                    path: path.to_owned(),
                });
            }
            if claimed.is_in_place() {
                claimed.write()?;
                return Ok(claimed);
            }
        }
        Err(failed("keep hold of", path)(io::Error::from_raw_os_error(
            libc::EBUSY,
        )))
    }

    /// Removes the file on a clean stop, unless somebody put another one in its place.
    ///
    /// # Errors
    /// When the file is ours but cannot be removed.
    pub fn remove(self) -> Result<(), PidFileError> {
        if self.is_in_place() {
            fs::remove_file(&self.path).map_err(failed("remove", &self.path))?;
        }
        Ok(())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the number of this process again, as is needed after going to the background.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn write(&self) -> Result<(), PidFileError> {
        let text = format!("{}\n", std::process::id());
        self.file
            .set_permissions(Permissions::from_mode(0o644))
            .and_then(|()| self.file.set_len(0))
            .and_then(|()| self.file.write_all_at(text.as_bytes(), 0))
            .map_err(failed("write", &self.path))
    }

    /// Whether the path still names the file that we hold.
    fn is_in_place(&self) -> bool {
        match (self.file.metadata(), fs::symlink_metadata(&self.path)) {
            (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
            _ => false,
        }
    }
}

/// Whether a living process holds the lock of this pid file. Asks without claiming; the own process counts
/// too. A file that does not exist is not locked.
///
/// # Errors
/// When the file exists but cannot be opened.
pub fn is_running(path: &Path) -> Result<bool, PidFileError> {
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed("open", path)(error)),
    };
    let mut lock = whole_file_lock();
    // SAFETY: the descriptor is open and the structure lives through the call.
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) } != 0 {
        return Err(failed("ask for the lock of", path)(
            io::Error::last_os_error(),
        ));
    }
    Ok(i32::from(lock.l_type) != libc::F_UNLCK)
}

/// Whether we have the lock now; `false` when somebody else has it.
fn lock(file: &File) -> io::Result<bool> {
    let lock = whole_file_lock();
    // SAFETY: the descriptor is open and the structure lives through the call.
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) } == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EACCES) => Ok(false),
        _ => Err(error),
    }
}

fn whole_file_lock() -> libc::flock {
    // SAFETY: it is integers throughout, of which zeroes are valid: from the start to the end of the file,
    // and the process number that open-file-description locks demand.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    // The constants are declared wider than the field they are for.
    lock.l_type = i16::try_from(libc::F_WRLCK).unwrap_or_default();
    lock.l_whence = i16::try_from(libc::SEEK_SET).unwrap_or_default();
    lock
}

/// The number in the file, if that is what is in there.
fn content(file: &File) -> Option<u32> {
    let mut text = String::new();
    let limit = u64::try_from(LONGEST_CONTENT).ok()?;
    file.take(limit).read_to_string(&mut text).ok()?;
    text.trim_end().parse().ok()
}

fn failed<'a>(what: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> PidFileError + 'a {
    move |reason| PidFileError::System {
        what,
        path: path.to_owned(),
        reason,
    }
}

#[cfg(test)]
mod tests;
