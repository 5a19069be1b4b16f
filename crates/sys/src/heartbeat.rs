//! A time stamp that outlives the process that made it: the VRRP child notes when it last served all
//! timers that were due, and the parent reads that after the child died, to know for how long nobody
//! spoke for its virtual routers.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::mm::{MapFlags, ProtFlags};
use types::Instant;

use crate::channel::ChannelError;
use crate::error::Error;
use crate::mapping::Mapping;

/// Bytes that are mapped: one page holds the one number.
const LENGTH: usize = 4096;

/// A point in time in memory that several processes share. Reading and writing it costs no system call.
#[derive(Debug)]
pub struct Heartbeat {
    memory: OwnedFd,
    page: Mapping,
}

// SAFETY: the page is only ever accessed as an atomic, and unmapped once, by the owner.
unsafe impl Send for Heartbeat {}

impl Heartbeat {
    /// New shared memory; no beat yet.
    ///
    /// # Errors
    /// When there is no memory left.
    pub fn create() -> Result<Self, Error> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        // Linux before 6.3 does not know NOEXEC_SEAL; later ones want to be told.
        let memory =
            rustix::fs::memfd_create(c"evervip-heartbeat", flags | MemfdFlags::NOEXEC_SEAL)
                .or_else(|_| rustix::fs::memfd_create(c"evervip-heartbeat", flags))
                .map_err(Error::system("create a file in memory"))?;
        rustix::fs::ftruncate(&memory, LENGTH as u64)
            .map_err(Error::system("size a file in memory"))?;
        // A length that cannot change is what keeps every access to the page from a bus error.
        rustix::fs::fcntl_add_seals(
            &memory,
            SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL,
        )
        .map_err(Error::system("seal a file in memory"))?;
        Self::map(memory)
    }

    /// The same memory, from the descriptor that another process sent.
    ///
    /// # Errors
    /// When it is not what [`create`](Self::create) makes.
    pub fn from_fd(memory: OwnedFd) -> Result<Self, ChannelError> {
        let seals = rustix::fs::fcntl_get_seals(&memory).unwrap_or(SealFlags::empty());
        if !seals.contains(SealFlags::SHRINK) {
            return Err(ChannelError::NotSealed);
        }
        let stat = rustix::fs::fstat(&memory).map_err(Error::system("measure a file in memory"))?;
        if usize::try_from(stat.st_size) != Ok(LENGTH) {
            return Err(ChannelError::TooMuchMemory {
                length: u64::try_from(stat.st_size).unwrap_or(0),
            });
        }
        Ok(Self::map(memory)?)
    }

    /// The descriptor to send to the other process.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.memory.as_fd()
    }

    /// Notes that everything due at `now` has been served.
    pub fn beat(&self, now: Instant) {
        self.number().store(now.as_nanos(), Ordering::Release);
    }

    /// The latest beat, by whichever process; [`Instant::ZERO`] when there was none.
    #[must_use]
    pub fn last(&self) -> Instant {
        Instant::from_nanos(self.number().load(Ordering::Acquire))
    }

    fn map(memory: OwnedFd) -> Result<Self, Error> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        let page = Mapping::of_file(memory.as_fd(), LENGTH, access, MapFlags::SHARED)
            .map_err(Error::system("map a file in memory"))?;
        Ok(Self { memory, page })
    }

    fn number(&self) -> &AtomicU64 {
        // SAFETY: the page is mapped for as long as self lives, aligned, cannot shrink, and any bytes are a
        // valid number. The other processes access it as an atomic too.
        unsafe { self.page.start().cast().as_ref() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beat_is_seen_through_the_other_mapping() {
        let child = Heartbeat::create().unwrap();
        let parent = Heartbeat::from_fd(child.fd().try_clone_to_owned().unwrap()).unwrap();
        assert_eq!(parent.last(), Instant::ZERO);
        child.beat(Instant::from_nanos(12_345));
        assert_eq!(parent.last(), Instant::from_nanos(12_345));
        drop(child);
        assert_eq!(
            parent.last(),
            Instant::from_nanos(12_345),
            "it outlives its writer"
        );
    }

    #[test]
    fn other_memory_is_refused() {
        let sealed = crate::channel::sealed_memory(&[0; 100]).unwrap();
        assert!(matches!(
            Heartbeat::from_fd(sealed),
            Err(ChannelError::TooMuchMemory { length: 100 })
        ));
        let loose = rustix::fs::memfd_create(c"x", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)
            .unwrap();
        assert!(matches!(
            Heartbeat::from_fd(loose),
            Err(ChannelError::NotSealed)
        ));
    }
}
