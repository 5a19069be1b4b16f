//! Files that somebody else writes: noticing that they changed (inotify), reading them, writing their first content.
//!
//! Not the files are watched but the directories that they are in, so that one that does not exist yet, or is replaced by a
//! rename, is noticed, too.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, ReadFlags, WatchFlags};
use rustix::fs::{FileType, Mode, OFlags, StatVfsMountFlags};
use rustix::io::Errno;

use crate::error::Error;

/// What happens to a file in a directory that can change its content, and what happens to the directory.
const INTERESTING: WatchFlags = WatchFlags::CLOSE_WRITE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);

/// Room for some hundred events: 16 bytes each, and the file's name.
const BUFFER: usize = 16 << 10;

/// Events per [`FileWatch::drain`], more or less, so that somebody who writes without end does not hold up the timers.
const MOST_EVENTS: usize = 4096;

/// Something happened to a watched file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileEvent {
    /// It was written, removed or replaced: read it.
    Changed(PathBuf),
    /// Its directory was removed, renamed or unmounted: nothing more will be heard of the file until it is watched anew.
    Lost(PathBuf),
    /// The kernel had more to tell than it kept: read all files.
    Overflow,
}

/// Hears of changes of files. Never waits: [`AsFd`] tells when to [`drain`](Self::drain).
#[derive(Debug)]
pub struct FileWatch {
    fd: OwnedFd,
    /// The files, by the kernel's number for their directory and their name in it. Two paths can mean one file.
    files: BTreeMap<i32, BTreeMap<OsString, BTreeSet<PathBuf>>>,
}

impl FileWatch {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// When this user has no inotify instance left (`fs.inotify.max_user_instances`), or no descriptor.
    pub fn new() -> Result<Self, Error> {
        let fd = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)
            .map_err(Error::system("watch files"))?;
        Ok(Self {
            fd,
            files: BTreeMap::new(),
        })
    }

    /// Begins to watch a file, which need not exist. To be read after this: what happened before is not told.
    ///
    /// # Errors
    /// When its directory does not exist or must not be read, or too many are watched (`fs.inotify.max_user_watches`).
    pub fn watch(&mut self, file: &Path) -> Result<(), Error> {
        let (Some(directory), Some(name)) = (file.parent(), file.file_name()) else {
            let reason = io::Error::from(io::ErrorKind::InvalidInput);
            return Err(Error::object("watch", &file.display())(reason));
        };
        let number = inotify::add_watch(&self.fd, directory, INTERESTING)
            .map_err(Error::object("watch directory", &directory.display()))?;
        let names = self.files.entry(number).or_default();
        names
            .entry(name.to_owned())
            .or_default()
            .insert(file.to_owned());
        Ok(())
    }

    /// Appends what happened to the watched files; what happened to others in their directories is left out.
    ///
    /// # Errors
    /// Not expected. What was heard before is in `events` all the same.
    pub fn drain(&mut self, events: &mut Vec<FileEvent>) -> Result<(), Error> {
        let mut buffer = vec![MaybeUninit::uninit(); BUFFER];
        let mut reader = inotify::Reader::new(&self.fd, &mut buffer);
        let mut heard = 0;
        // What has been read is told, too, or it would be lost.
        while heard < MOST_EVENTS || !reader.is_buffer_empty() {
            heard += 1;
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(Error::system("hear of files")(errno)),
            };
            let flags = event.events();
            if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                events.push(FileEvent::Overflow);
            }
            let lost = ReadFlags::IGNORED | ReadFlags::UNMOUNT | ReadFlags::MOVE_SELF;
            if flags.intersects(lost) {
                let names = self.files.remove(&event.wd()).unwrap_or_default();
                events.extend(names.into_values().flatten().map(FileEvent::Lost));
                if flags.contains(ReadFlags::MOVE_SELF) {
                    // It is watched where it is now, which does not concern us. The kernel answers with `IGNORED`.
                    match inotify::remove_watch(&self.fd, event.wd()) {
                        // Removed since: the kernel has forgotten it already.
                        Ok(()) | Err(Errno::INVAL) => {}
                        Err(errno) => return Err(Error::system("forget a directory")(errno)),
                    }
                }
            } else if let Some(name) = event.file_name()
                && let Some(names) = self.files.get(&event.wd())
                && let Some(files) = names.get(OsStr::from_bytes(name.to_bytes()))
            {
                events.extend(files.iter().cloned().map(FileEvent::Changed));
            }
        }
        Ok(())
    }
}

impl AsFd for FileWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Links that lead to links: as many as the kernel follows.
const MOST_LINKS: usize = 40;

/// Where a file is, or will be, once all symbolic links are followed.
///
/// # Errors
/// When its directory does not exist, or links lead in a circle.
pub fn resolved(file: &Path) -> Result<PathBuf, Error> {
    let mut file = file.to_owned();
    for _ in 0..MOST_LINKS {
        if let Ok(whole) = std::fs::canonicalize(&file) {
            return Ok(whole);
        }
        let (Some(directory), Some(name)) = (file.parent(), file.file_name()) else {
            break;
        };
        let directory = std::fs::canonicalize(directory)
            .map_err(Error::object("find directory", &directory.display()))?;
        match std::fs::read_link(directory.join(name)) {
            // A link to what does not exist yet.
            Ok(target) => file = directory.join(target),
            Err(_no_link) => return Ok(directory.join(name)),
        }
    }
    let reason = io::Error::from_raw_os_error(libc::ELOOP);
    Err(Error::object("find", &file.display())(reason))
}

/// The first bytes of a regular file, at most `most`; `None`: there is no such file, or it is something else. Never waits
/// for somebody at the other end of a pipe.
///
/// # Errors
/// When it is there and cannot be read.
pub fn read_start(file: &Path, most: usize) -> Result<Option<Vec<u8>>, Error> {
    let failed = |errno: Errno| Error::object("read", &file.display())(errno);
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let fd = match rustix::fs::open(file, flags, Mode::empty()) {
        Ok(fd) => fd,
        // The last one: a socket.
        Err(Errno::NOENT | Errno::NOTDIR | Errno::NXIO) => return Ok(None),
        Err(errno) => return Err(failed(errno)),
    };
    let status = rustix::fs::fstat(&fd).map_err(failed)?;
    if FileType::from_raw_mode(status.st_mode) != FileType::RegularFile {
        return Ok(None);
    }
    let mut bytes = vec![0; most];
    let mut length = 0;
    while let Some(room) = bytes.get_mut(length..).filter(|room| !room.is_empty()) {
        match rustix::io::read(&fd, room) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(failed(errno)),
        }
    }
    bytes.truncate(length);
    Ok(Some(bytes))
}

/// Why a file was not given its first content.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
    /// A file there would not be one: `/proc`, `/sys` and the like.
    #[error("it is on a file system that the kernel makes up")]
    PseudoFileSystem,
    /// Nothing can be written there.
    #[error("its file system is read-only")]
    ReadOnly,
    /// There is something, and it is not a regular file.
    #[error("it is not a regular file")]
    NotRegular,
    /// The system refused.
    #[error(transparent)]
    System(#[from] Error),
}

/// What became of the first content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initialised {
    /// It is in the file now.
    Written,
    /// There is a file already, and it was to stay.
    Kept,
}

/// Writes the first content of a file: if it does not exist, or with `overwrite` in place of what is there. `file` is what
/// [`resolved`] gave: a link in its last component is not followed.
///
/// # Errors
/// When it was not written; then nothing has changed, unless the disk filled up on the way.
pub fn initialise(file: &Path, content: &[u8], overwrite: bool) -> Result<Initialised, InitError> {
    let failed = |errno: Errno| Error::object("write", &file.display())(errno);
    let directory = file.parent().unwrap_or(Path::new("/"));
    let system = rustix::fs::statfs(directory).map_err(failed)?;
    if PSEUDO.contains(&magic(system.f_type)) {
        return Err(InitError::PseudoFileSystem);
    }
    let flags =
        OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR;
    let created = rustix::fs::open(file, flags | OFlags::CREATE | OFlags::EXCL, mode);
    let fd = match created {
        Ok(fd) => fd,
        Err(Errno::EXIST) if !overwrite => return Ok(Initialised::Kept),
        Err(Errno::EXIST) => match rustix::fs::open(file, flags, Mode::empty()) {
            Ok(fd) => fd,
            // A link, a directory, a pipe or a socket.
            Err(Errno::LOOP | Errno::ISDIR | Errno::NXIO) => return Err(InitError::NotRegular),
            Err(Errno::ROFS) => return Err(InitError::ReadOnly),
            Err(errno) => return Err(failed(errno).into()),
        },
        Err(Errno::ROFS) => return Err(InitError::ReadOnly),
        Err(errno) => return Err(failed(errno).into()),
    };
    let status = rustix::fs::fstat(&fd).map_err(failed)?;
    if FileType::from_raw_mode(status.st_mode) != FileType::RegularFile {
        return Err(InitError::NotRegular);
    }
    let mounted = rustix::fs::fstatvfs(&fd).map_err(failed)?;
    if mounted.f_flag.contains(StatVfsMountFlags::RDONLY) {
        return Err(InitError::ReadOnly);
    }
    rustix::fs::ftruncate(&fd, 0).map_err(failed)?;
    let mut rest = content;
    while !rest.is_empty() {
        match rustix::io::write(&fd, rest) {
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(failed(errno).into()),
        }
    }
    Ok(Initialised::Written)
}

/// Numbers of file systems are 32 bits wide, whatever the type that they are given in.
const fn magic(number: i64) -> u32 {
    let [a, b, c, d, ..] = number.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// File systems whose files are made up by the kernel (`linux/magic.h`).
const PSEUDO: [u32; 15] = [
    0x9fa0,      // proc
    0x6265_6572, // sysfs
    0x6462_6720, // debugfs
    0x7472_6163, // tracefs
    0x0027_e0eb, // cgroup
    0x6367_7270, // cgroup2
    0x7363_6673, // securityfs
    0x6265_6570, // configfs
    0xcafe_4a11, // bpf
    0x1cd1,      // devpts
    0x1980_0202, // mqueue
    0xde5e_81e4, // efivarfs
    0x6165_676c, // pstore
    0xf97c_ff8c, // selinux
    0x4249_4e4d, // binfmt_misc
];

#[cfg(test)]
mod tests;
