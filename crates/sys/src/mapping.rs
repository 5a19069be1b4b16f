//! Mapped memory, which goes with its owner. What is in it, and who else may change that, its owner knows.

use std::os::fd::BorrowedFd;
use std::ptr::{self, NonNull};

use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags};

/// Bytes that are mapped; at an address that nothing else uses, aligned to a page.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

impl Mapping {
    /// Memory that is shared with the processes that are forked from now on. All zero.
    pub(crate) fn shared(length: usize) -> Result<Self, Errno> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the kernel chooses an address that nothing else uses.
        let start = unsafe {
            rustix::mm::mmap_anonymous(ptr::null_mut(), length, access, MapFlags::SHARED)
        }?;
        Self::owned(start.cast(), length)
    }

    /// The first bytes of a file. It must not become shorter than that.
    pub(crate) fn of_file(
        file: BorrowedFd<'_>,
        length: usize,
        access: ProtFlags,
        flags: MapFlags,
    ) -> Result<Self, Errno> {
        debug_assert!(!flags.contains(MapFlags::FIXED));
        // SAFETY: the kernel chooses an address that nothing else uses.
        let start = unsafe { rustix::mm::mmap(ptr::null_mut(), length, access, flags, file, 0) }?;
        Self::owned(start.cast(), length)
    }

    fn owned(start: *mut u8, length: usize) -> Result<Self, Errno> {
        let start = NonNull::new(start).ok_or(Errno::NOMEM)?;
        Ok(Self { start, length })
    }

    /// The first of them.
    pub(crate) const fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// How many there are.
    pub(crate) const fn length(&self) -> usize {
        self.length
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this mapping was made by us with this length, and its owner, who goes with it, has given no reference away.
        // Unmapping what was mapped cannot fail.
        let unmapped = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.length) };
        debug_assert!(unmapped.is_ok());
    }
}
