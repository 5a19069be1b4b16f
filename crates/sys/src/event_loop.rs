//! One epoll set per process: who has something to say is told apart by a number of the host's choice.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::epoll;
use rustix::io::Errno;
use rustix::time::Timespec;

use crate::error::Error;

/// Events taken from the kernel per call. A process has a handful of descriptors; what does not fit is
/// still there at the next call, because the set is level triggered.
const EVENTS_PER_WAIT: usize = 64;

/// Events taken from the kernel per call of [`EventLoop::wait_for_changes`].
const CHANGES_PER_CALL: usize = 128;

/// What has become of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The host's number for it.
    pub token: u64,
    /// There is something to read, or the other end has closed its side.
    pub readable: bool,
    /// There is room to write; a connection that was on its way is there, or will never be.
    pub writable: bool,
    /// Something is wrong with it.
    pub broken: bool,
    /// The other end has closed its side: what there is to read has an end.
    pub ending: bool,
}

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

    /// Reports `token` each time that `source` becomes readable or writable, or its other end goes away, by
    /// [`wait_for_changes`](Self::wait_for_changes): once, not again until something new happens. So a descriptor that lives for a
    /// moment costs one system call, but whoever hears of it must read until there is nothing left, or remember that there is.
    ///
    /// # Errors
    /// As for [`add`](Self::add).
    pub fn add_for_changes(&self, source: impl AsFd, token: u64) -> Result<(), Error> {
        epoll::add(
            &self.epoll,
            source,
            epoll::EventData::new_u64(token),
            epoll::EventFlags::IN
                | epoll::EventFlags::OUT
                | epoll::EventFlags::RDHUP
                | epoll::EventFlags::ET,
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

    /// Waits for at most `limit` (`None`: for as long as it takes), and tells `hear` what has become of descriptors, of whatever
    /// kind they are: at most 128 at a time. Interrupted by a signal handler it waits on. Returns how many it told; none: the
    /// time was up, to the microsecond or up to a millisecond late.
    ///
    /// Cheaper than a [timer](crate::timer) in the set for whoever can be that late: no call arms it, none reads it.
    ///
    /// # Errors
    /// Not expected.
    pub fn wait_for_changes(
        &self,
        limit: Option<Duration>,
        mut hear: impl FnMut(Change),
    ) -> Result<usize, Error> {
        let mut room = [const { MaybeUninit::uninit() }; CHANGES_PER_CALL];
        let limit = limit.map(|limit| Timespec {
            // Who waits for longer than a day may look again.
            tv_sec: i64::try_from(limit.as_secs().min(86_400)).unwrap_or(0),
            tv_nsec: i64::from(limit.subsec_nanos()),
        });
        let events = loop {
            match epoll::wait(&self.epoll, &mut room, limit.as_ref()) {
                Ok((events, _)) => break events,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(Error::system("wait for events")(errno)),
            }
        };
        for event in events.iter() {
            // The structure is packed: no references into it.
            let (flags, data) = (event.flags, event.data);
            hear(Change {
                token: data.u64(),
                readable: flags.contains(epoll::EventFlags::IN),
                writable: flags.contains(epoll::EventFlags::OUT),
                broken: flags.intersects(epoll::EventFlags::ERR | epoll::EventFlags::HUP),
                ending: flags.intersects(epoll::EventFlags::RDHUP | epoll::EventFlags::HUP),
            });
        }
        Ok(events.len())
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
    use super::*;
    use crate::clock;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

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
    fn a_wait_ends_with_its_limit_and_not_before() {
        let events = EventLoop::new().unwrap();
        let (near, mut far) = UnixStream::pair().unwrap();
        events.add(&near, 1).unwrap();
        let limit = Duration::from_micros(20_300);
        let begin = clock::now();
        let nobody = |change| panic!("{change:?}");
        assert_eq!(events.wait_for_changes(Some(limit), nobody).unwrap(), 0);
        assert!(clock::now().since(begin) >= limit);
        assert_eq!(
            events
                .wait_for_changes(Some(Duration::ZERO), nobody)
                .unwrap(),
            0
        );
        far.write_all(b"x").unwrap();
        for limit in [Some(limit), None] {
            let mut heard = Vec::new();
            events
                .wait_for_changes(limit, |change| heard.push((change.token, change.readable)))
                .unwrap();
            assert_eq!(heard, [(1, true)]);
        }
    }

    #[test]
    fn changes_are_reported_once() {
        let events = EventLoop::new().unwrap();
        let (near, mut far) = UnixStream::pair().unwrap();
        let (level, mut other_far) = UnixStream::pair().unwrap();
        events.add_for_changes(&near, 7).unwrap();
        events.add(&level, 8).unwrap();
        let changes = || {
            let mut heard = Vec::new();
            let count = events
                .wait_for_changes(Some(Duration::ZERO), |change| heard.push(change))
                .unwrap();
            assert_eq!(count, heard.len());
            heard
        };
        let idle = Change {
            token: 7,
            readable: false,
            writable: true,
            broken: false,
            ending: false,
        };
        assert_eq!(changes(), [idle]);
        assert_eq!(changes(), []);

        far.write_all(b"x").unwrap();
        let readable = Change {
            readable: true,
            ..idle
        };
        assert_eq!(changes(), [readable]);
        assert_eq!(changes(), [], "though nobody has read it");
        other_far.write_all(b"z").unwrap();
        for _ in 0..2 {
            assert_eq!(
                changes().len(),
                1,
                "in the same set another one is level triggered"
            );
        }
        far.write_all(b"y").unwrap();
        assert!(changes().contains(&readable));
        drop(far);
        assert!(
            changes()
                .iter()
                .any(|change| change.token == 7 && change.ending),
            "gone"
        );
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
