//! Named pipes that lines are written to: for whoever reads, and without ever waiting for it.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::Error;

/// Bits that a new one is made with; the umask takes some away (keepalived: 0644).
const MODE: u32 = 0o644;

/// A named pipe, open for writing. Dropping it closes it; the file stays, unless [`remove`](Self::remove) is called.
#[derive(Debug)]
pub struct Fifo {
    path: PathBuf,
    fd: OwnedFd,
    is_ours: bool,
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Written {
    /// It is in the pipe, whole.
    All,
    /// The pipe is full: nobody reads, or not fast enough. Nothing of it was written.
    Full,
}

impl Fifo {
    /// Opens the named pipe at `path`, and makes it if there is nothing. `owner` (user and group) gets it; without one it
    /// belongs to us. One that exists is used if it belongs to us or to the owner. Symbolic links are not followed.
    ///
    /// # Errors
    /// When something else is there, it is somebody else's, or we may not make one.
    pub fn open(path: &Path, owner: Option<(u32, u32)>) -> Result<Self, Error> {
        let made = match rustix::fs::mkfifoat(rustix::fs::CWD, path, Mode::from_bits_truncate(MODE))
        {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(errno) => return Err(Error::object("make the FIFO", &path.display())(errno)),
        };
        let opened = Self::open_there(path, owner, made);
        if opened.is_err() && made {
            // Nobody knows of it yet, and the error that led here is the one to tell.
            rustix::fs::unlink(path).ok();
        }
        opened
    }

    fn open_there(path: &Path, owner: Option<(u32, u32)>, made: bool) -> Result<Self, Error> {
        let failed = |what| {
            let object = path.display().to_string();
            move |reason| Error::Object {
                what,
                object,
                reason,
            }
        };
        // Open for reading, too: a pipe that nobody reads can be written to, and the end of a reader is no error.
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|errno| failed("open the FIFO")(errno.into()))?;
        let status =
            rustix::fs::fstat(&fd).map_err(|errno| failed("look at the FIFO")(errno.into()))?;
        if FileType::from_raw_mode(status.st_mode) != FileType::Fifo {
            let problem = io::Error::new(io::ErrorKind::AlreadyExists, "it is something else");
            return Err(failed("write to the FIFO")(problem));
        }
        let own = rustix::process::geteuid().as_raw();
        if !may_use(status.st_uid, own, owner, made) {
            let problem = format!("it belongs to user {}", status.st_uid);
            return Err(failed("write to the FIFO")(io::Error::new(
                io::ErrorKind::PermissionDenied,
                problem,
            )));
        }
        if made && let Some((user, group)) = owner {
            let (user, group) = (
                rustix::fs::Uid::from_raw(user),
                rustix::fs::Gid::from_raw(group),
            );
            rustix::fs::fchown(&fd, Some(user), Some(group))
                .map_err(|errno| failed("give away the FIFO")(errno.into()))?;
        }
        Ok(Self {
            path: path.to_owned(),
            fd,
            is_ours: made,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a line of at most 4096 bytes, whole or not at all, and does not wait.
    ///
    /// # Errors
    /// Not expected.
    pub fn write(&self, line: &[u8]) -> Result<Written, Error> {
        match rustix::io::write(&self.fd, line) {
            Ok(length) if length == line.len() => Ok(Written::All),
            // Only what is longer than the kernel writes in one go could be cut.
            Ok(_) | Err(Errno::AGAIN | Errno::INTR) => Ok(Written::Full),
            Err(errno) => Err(Error::object("write to the FIFO", &self.path.display())(
                errno,
            )),
        }
    }

    /// Whether everything that was written has been read.
    #[must_use]
    pub fn is_read(&self) -> bool {
        rustix::io::ioctl_fionread(&self.fd).is_ok_and(|waiting| waiting == 0)
    }

    /// Removes the file, if [`open`](Self::open) made it.
    ///
    /// # Errors
    /// When it cannot be removed. That it is gone already is none.
    pub fn remove(self) -> Result<(), Error> {
        if !self.is_ours {
            return Ok(());
        }
        match rustix::fs::unlink(&self.path) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(Error::object("remove the FIFO", &self.path.display())(
                errno,
            )),
        }
    }
}

/// Whether a pipe of this user may be written to, and given away if we have just `made` one. What we made is ours: else
/// somebody has put another one in its place.
fn may_use(user: u32, own: u32, owner: Option<(u32, u32)>, made: bool) -> bool {
    user == own || (!made && owner.is_some_and(|(owner, _)| user == owner))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read as _;
    use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};

    use super::*;
    use crate::test_directory::TestDirectory;

    fn reader(path: &Path) -> fs::File {
        fs::OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)
            .unwrap()
    }

    #[test]
    fn what_is_written_is_read_and_what_we_made_goes() {
        let directory = TestDirectory::new("fifo");
        let path = directory.path().join("fifo");
        let fifo = Fifo::open(&path, None).unwrap();
        let meta = fs::metadata(&path).unwrap();
        assert!(meta.file_type().is_fifo());
        assert_eq!(meta.permissions().mode() & 0o133, 0, "more than 0644");
        // Before anybody reads.
        assert_eq!(fifo.write(b"one\n").unwrap(), Written::All);
        assert!(!fifo.is_read());
        let mut file = reader(&path);
        assert_eq!(fifo.write(b"two\n").unwrap(), Written::All);
        let mut buffer = [0; 64];
        let length = file.read(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"one\ntwo\n");
        assert!(fifo.is_read());
        drop(file);
        assert_eq!(
            fifo.write(b"three\n").unwrap(),
            Written::All,
            "the end of a reader is no error"
        );
        fifo.remove().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn nothing_of_others_is_given_away() {
        const OWN: u32 = 0;
        let owner = Some((7, 7));
        for (user, owner, made, good) in [
            (OWN, None, true, true),
            (OWN, None, false, true),
            (OWN, owner, true, true),
            (OWN, owner, false, true),
            (7, owner, false, true),
            (7, owner, true, false),
            (7, None, false, false),
            (8, None, true, false),
            (8, owner, true, false),
            (8, owner, false, false),
        ] {
            assert_eq!(
                may_use(user, OWN, owner, made),
                good,
                "{user} {owner:?} {made}"
            );
        }
        // What we make belongs to us.
        let directory = TestDirectory::new("fifo-owner");
        let own = (
            rustix::process::geteuid().as_raw(),
            rustix::process::getegid().as_raw(),
        );
        Fifo::open(&directory.path().join("fifo"), Some(own)).unwrap();
    }

    #[test]
    fn a_full_pipe_takes_no_half_lines() {
        let directory = TestDirectory::new("fifo-full");
        let path = directory.path().join("fifo");
        let fifo = Fifo::open(&path, None).unwrap();
        let line = [b'x'; 1000];
        let mut written = 0;
        while fifo.write(&line).unwrap() == Written::All {
            written += 1;
            assert!(written < 10_000, "it is never full");
        }
        let mut all = Vec::new();
        let mut file = reader(&path);
        let mut buffer = [0; 4096];
        while let Ok(length) = file.read(&mut buffer) {
            all.extend_from_slice(&buffer[..length]);
        }
        assert_eq!(all.len(), written * line.len());
        assert_eq!(fifo.write(&line).unwrap(), Written::All);
    }

    #[test]
    fn what_was_there_stays() {
        let directory = TestDirectory::new("fifo-there");
        let path = directory.path().join("fifo");
        let first = Fifo::open(&path, None).unwrap();
        Fifo::open(&path, None).unwrap().remove().unwrap();
        assert!(path.exists());
        first.remove().unwrap();

        fs::write(&path, "a file").unwrap();
        let problem = Fifo::open(&path, None).unwrap_err().to_string();
        assert!(problem.contains("something else"), "{problem}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "a file");

        let target = directory.path().join("target");
        Fifo::open(&target, None).unwrap();
        let link = directory.path().join("link");
        symlink(&target, &link).unwrap();
        Fifo::open(&link, None).unwrap_err();

        Fifo::open(&directory.path().join("no/such"), None).unwrap_err();
    }
}
