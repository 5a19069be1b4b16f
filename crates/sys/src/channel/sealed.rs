//! Memory that cannot change any more, for what is too long for a message.

use std::ops::Deref;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags};

use super::ChannelError;
use crate::error::Error;
use crate::mapping::Mapping;

/// The most that [`read_sealed`] takes in: a configuration of 36 000 real servers is some 20 MiB.
pub(super) const LARGEST_MEMORY: u64 = 1 << 30;

/// What sealed memory must promise: neither its length nor its content changes, nor the promise.
const SEALS: SealFlags = SealFlags::SHRINK
    .union(SealFlags::GROW)
    .union(SealFlags::WRITE)
    .union(SealFlags::SEAL);

/// Puts `bytes` into a file that exists in memory only and that nobody, ourselves included, can change any
/// more. The descriptor closes on exec; send it over a [`Channel`](super::Channel).
///
/// # Errors
/// When there is not enough memory.
pub fn sealed_memory(bytes: &[u8]) -> Result<OwnedFd, Error> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Linux before 6.3 does not know NOEXEC_SEAL; later ones want to be told.
    let fd = rustix::fs::memfd_create(c"evervip", flags | MemfdFlags::NOEXEC_SEAL)
        .or_else(|_| rustix::fs::memfd_create(c"evervip", flags))
        .map_err(Error::system("create a file in memory"))?;
    let mut rest = bytes;
    while !rest.is_empty() {
        match rustix::io::write(&fd, rest) {
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(Error::system("write a file in memory")(errno)),
        }
    }
    rustix::fs::fcntl_add_seals(&fd, SEALS).map_err(Error::system("seal a file in memory"))?;
    Ok(fd)
}

/// The content of [`sealed_memory`], without a copy of it. `None`: there is none, and nothing is mapped.
#[derive(Debug)]
pub struct SealedBytes(Option<Mapping>);

/// The content of what [`sealed_memory`] made in another process.
///
/// # Errors
/// When it is not sealed (it could change while we read), longer than 1 GiB, or there is no room for it.
pub fn read_sealed(memory: impl AsFd) -> Result<SealedBytes, ChannelError> {
    let memory = memory.as_fd();
    // What cannot be sealed at all, such as a pipe, answers with an error.
    let seals = rustix::fs::fcntl_get_seals(memory).unwrap_or(SealFlags::empty());
    if !seals.contains(SEALS) {
        return Err(ChannelError::NotSealed);
    }
    let stat = rustix::fs::fstat(memory).map_err(Error::system("measure a file in memory"))?;
    let length = u64::try_from(stat.st_size).unwrap_or(0);
    if length > LARGEST_MEMORY {
        return Err(ChannelError::TooMuchMemory { length });
    }
    let length = usize::try_from(length).unwrap_or(0);
    if length == 0 {
        return Ok(SealedBytes(None));
    }
    // All of it is read, so that all of it may as well be there at once.
    let flags = MapFlags::PRIVATE | MapFlags::POPULATE;
    let bytes = Mapping::of_file(memory, length, ProtFlags::READ, flags)
        .map_err(Error::system("map a file in memory"))?;
    Ok(SealedBytes(Some(bytes)))
}

impl Deref for SealedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            // SAFETY: so many bytes are mapped for as long as self lives; their seals keep everybody from changing them and the
            // file from becoming shorter.
            Some(bytes) => unsafe {
                std::slice::from_raw_parts(bytes.start().as_ptr(), bytes.length())
            },
            None => &[],
        }
    }
}
