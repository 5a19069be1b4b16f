//! One epoll set per process: who has something to say is told apart by a number of the host's choice.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::epoll;
use rustix::io::Errno;
use rustix::time::Timespec;

use crate::error::Error;

/// Events taken from the kernel per call. A process has a handful of descriptors; what does not fit is
/// still there at the next call, because the set is level triggered.
const EVENTS_PER_WAIT: usize = 64;

/// What to wait for on a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Something to read, or the other end is gone.
    Read,
    /// Room to write, or the other end is gone.
    Write,
    /// Either.
    ReadWrite,
}

/// The descriptors that a process waits on, level triggered.
#[derive(Debug)]
pub struct EventLoop {
    epoll: OwnedFd,
}

impl EventLoop {
    /// A set with nothing in it.
    ///
    /// # Errors
    /// When the kernel has no descriptor left for it.
    pub fn new() -> Result<Self, Error> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)
            .map_err(Error::system("create an epoll set"))?;
        Ok(Self { epoll })
    }

    /// Reports `token` whenever `source` has something to read or its other end is gone.
    ///
    /// # Errors
    /// When `source` is in the set already or is a file, which cannot be waited on.
    pub fn add(&self, source: impl AsFd, token: u64) -> Result<(), Error> {
        self.add_for(source, token, Interest::Read)
    }

    /// Like [`add`](Self::add), for the given interest.
    ///
    /// # Errors
    /// As for [`add`](Self::add).
    pub fn add_for(&self, source: impl AsFd, token: u64, interest: Interest) -> Result<(), Error> {
        epoll::add(
            &self.epoll,
            source,
            epoll::EventData::new_u64(token),
            flags(interest),
        )
        .map_err(Error::system("add a descriptor to an epoll set"))
    }

    /// Changes the token and the interest of a descriptor in the set.
    ///
    /// # Errors
    /// When it is not in the set.
    pub fn change(&self, source: impl AsFd, token: u64, interest: Interest) -> Result<(), Error> {
        epoll::modify(
            &self.epoll,
            source,
            epoll::EventData::new_u64(token),
            flags(interest),
        )
        .map_err(Error::system("change a descriptor in an epoll set"))
    }

    /// Takes a descriptor out of the set. To be done before closing one that another process shares: the
    /// kernel keeps reporting those.
    ///
    /// # Errors
    /// When it is not in the set.
    pub fn remove(&self, source: impl AsFd) -> Result<(), Error> {
        epoll::delete(&self.epoll, source)
            .map_err(Error::system("take a descriptor out of an epoll set"))
    }

    /// Waits until at least one descriptor is ready and replaces the content of `ready` by the tokens of
    /// those that are, at most 64 at a time. Interrupted by a signal handler it waits on.
    ///
    /// # Errors
    /// Not expected.
    pub fn wait(&self, ready: &mut Vec<u64>) -> Result<(), Error> {
        self.wait_for(ready, None)
    }

    /// Takes what is ready now without waiting; `ready` may become empty.
    ///
    /// # Errors
    /// Not expected.
    pub fn poll(&self, ready: &mut Vec<u64>) -> Result<(), Error> {
        self.wait_for(
            ready,
            Some(&Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            }),
        )
    }

    fn wait_for(&self, ready: &mut Vec<u64>, limit: Option<&Timespec>) -> Result<(), Error> {
        ready.clear();
        let mut room = [const { MaybeUninit::uninit() }; EVENTS_PER_WAIT];
        let events = loop {
            match epoll::wait(&self.epoll, &mut room, limit) {
                Ok((events, _)) => break events,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(Error::system("wait for events")(errno)),
            }
        };
        ready.extend(events.iter().map(|event| event.data.u64()));
        Ok(())
    }
}

fn flags(interest: Interest) -> epoll::EventFlags {
    match interest {
        Interest::Read => epoll::EventFlags::IN,
        Interest::Write => epoll::EventFlags::OUT,
        Interest::ReadWrite => epoll::EventFlags::IN | epoll::EventFlags::OUT,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn it_reports_who_is_ready_until_they_are_served() {
        let events = EventLoop::new().unwrap();
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let (other, _kept) = UnixStream::pair().unwrap();
        events.add(&near, 7).unwrap();
        events.add(&other, 8).unwrap();
        let mut ready = vec![99];
        events.poll(&mut ready).unwrap();
        assert!(ready.is_empty());

        far.write_all(b"x").unwrap();
        for _ in 0..2 {
            events.wait(&mut ready).unwrap();
            assert_eq!(ready, [7], "level triggered");
        }
        near.read_exact(&mut [0]).unwrap();
        events.poll(&mut ready).unwrap();
        assert!(ready.is_empty());

        events.change(&near, 9, Interest::Write).unwrap();
        events.wait(&mut ready).unwrap();
        assert_eq!(ready, [9]);
        events.remove(&near).unwrap();
        events.poll(&mut ready).unwrap();
        assert!(ready.is_empty());
        assert!(events.remove(&near).is_err());
    }

    #[test]
    fn a_closed_peer_is_an_event() {
        let events = EventLoop::new().unwrap();
        let (near, far) = UnixStream::pair().unwrap();
        events.add(&near, 1).unwrap();
        drop(far);
        let mut ready = Vec::new();
        events.wait(&mut ready).unwrap();
        assert_eq!(ready, [1]);
    }
}
