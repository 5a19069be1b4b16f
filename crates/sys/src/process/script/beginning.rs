//! Whether the program of a script was ever executed. The status of the process cannot tell: a program may exit with any.
//!
//! Parent and child share a page of memory. The child notes in it why it could not become the program; whoever does become it
//! loses the page and leaves it as it was. That takes no descriptor, of which checks may need all there are.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::Error;
use crate::mapping::Mapping;

/// Bytes that are mapped: one page holds the one number.
const LENGTH: usize = 4096;

/// Set in the number when the child could not become its user; the rest is the error number.
const IDENTITY: u32 = 1 << 16;

/// Why a program was not executed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotExecuted {
    /// The process could not become the user whom the program runs as.
    #[error("cannot run as its user: {0}")]
    Identity(#[source] io::Error),
    /// The file is gone, not executable, or not a program.
    #[error("cannot be executed: {0}")]
    Program(#[source] io::Error),
}

impl NotExecuted {
    /// Whether processes, memory or descriptors were lacking, which may pass and says nothing of the program.
    #[must_use]
    pub fn is_shortage(&self) -> bool {
        let (Self::Identity(reason) | Self::Program(reason)) = self;
        matches!(
            reason.raw_os_error(),
            Some(libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE)
        )
    }
}

/// What a process says about its beginning, see [`spawn_script`](crate::process::spawn_script).
#[derive(Debug)]
pub struct Beginning {
    page: Mapping,
}

// SAFETY: the page is only ever accessed as an atomic, and unmapped once, by the owner.
unsafe impl Send for Beginning {}

impl Beginning {
    pub(super) fn new() -> Result<Self, Error> {
        let page = Mapping::shared(LENGTH).map_err(Error::system("share memory with a script"))?;
        Ok(Self { page })
    }

    /// Why the process never became its program. Final once the process has ended; `None` before may mean that it has yet to
    /// begin.
    #[must_use]
    pub fn problem(&self) -> Option<NotExecuted> {
        let number = self.number().load(Ordering::Acquire);
        let reason = io::Error::from_raw_os_error(i32::try_from(number & !IDENTITY).ok()?);
        match number {
            0 => None,
            number if number & IDENTITY != 0 => Some(NotExecuted::Identity(reason)),
            _ => Some(NotExecuted::Program(reason)),
        }
    }

    /// In the child: it cannot become its user. Allocates nothing.
    pub(super) fn note_identity(&self, errno: libc::c_int) {
        self.note(IDENTITY, errno);
    }

    /// In the child: it cannot execute its program. Allocates nothing.
    pub(super) fn note_program(&self, errno: libc::c_int) {
        self.note(0, errno);
    }

    fn note(&self, step: u32, errno: libc::c_int) {
        // Whatever the reason: it is not zero, which says that there is none.
        let errno = errno.unsigned_abs().max(1) & !IDENTITY;
        self.number().store(step | errno, Ordering::Release);
    }

    fn number(&self) -> &AtomicU32 {
        // SAFETY: the page is mapped for as long as self lives, aligned, and any bytes are a valid number. The other process
        // accesses it as an atomic too.
        unsafe { self.page.start().cast().as_ref() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_machine_lacks_is_told_apart_from_what_is_wrong_with_the_program() {
        for (errno, shortage) in [
            (libc::EAGAIN, true),
            (libc::ENOMEM, true),
            (libc::EMFILE, true),
            (libc::ENFILE, true),
            (libc::ENOENT, false),
            (libc::EACCES, false),
            (libc::ENOEXEC, false),
        ] {
            let (program, user) = (Beginning::new().unwrap(), Beginning::new().unwrap());
            assert!(program.problem().is_none());
            program.note_program(errno);
            user.note_identity(errno);
            for beginning in [program, user] {
                let problem = beginning.problem().unwrap();
                assert_eq!(problem.is_shortage(), shortage, "{problem}");
            }
        }
    }
}
