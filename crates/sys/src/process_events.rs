//! Processes that come and go, as the kernel tells it (the process events connector, `linux/cn_proc.h`).
//!
//! The kernel tells everything about everybody to whoever listens. A filter keeps what concerns single threads, users,
//! groups and sessions from waking us.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{self, AddressFamily, SendFlags, SocketFlags, SocketType};
use socket2::Socket;

use crate::batch::{Batch, Wait};
use crate::error::Error;
use crate::{filter, netlink as kernel, option};

/// The connector's group and number of process events.
const GROUP: u32 = 1;
const VALUE: u32 = 1;
/// Begin to tell.
const LISTEN: u32 = 1;

/// Kinds of events.
const NONE: u32 = 0;
const FORK: u32 = 1;
const EXEC: u32 = 2;
const NAME: u32 = 0x200;
const EXIT: u32 = 0x8000_0000;

/// Where things are in a datagram: behind netlink's header (16 bytes) and the connector's (20).
const EVENT: usize = 36;
/// The kind, the processor and the time come first (16 bytes).
const DATA: usize = EVENT + 16;
/// A fork tells of the parent first.
const CHILD: usize = DATA + 8;

/// The inode numbers of the namespaces that a machine begins with (`linux/nsfs.h`).
const FIRST_PROCESSES: u64 = 0xefff_fffc;
const FIRST_USERS: u64 = 0xefff_fffd;

/// Room for some thousand events: a machine that starts a build makes that many in a second.
const RECEIVE_BUFFER: usize = 1 << 20;
/// An event has 76 bytes.
const EVENT_SIZE: usize = 256;
/// Events per system call.
const SLOTS: usize = 64;
/// System calls per [`ProcessEvents::drain`], so that a fork bomb does not hold up the timers.
const BATCHES: u32 = 32;

/// The kernel answers while it is asked. A kernel that does not mean to tell us anything says nothing at all. A reload may ask
/// while adverts are due every 10 ms.
const ANSWER_TIME: Duration = Duration::from_millis(5);

/// Something happened to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessEvent {
    /// A process made another one, which is like itself until it says otherwise.
    Forked {
        /// The process.
        parent: u32,
        /// The other one.
        child: u32,
    },
    /// A process runs another program, or has another name.
    Changed(u32),
    /// A process ended.
    Ended(u32),
}

/// How much a call of [`ProcessEvents::drain`] could tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Told {
    /// Everything, or enough for once: then the descriptor stays readable.
    All,
    /// Events were lost: look at all processes.
    NotAll,
}

/// Why the kernel does not tell of processes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoProcessEvents {
    /// It tells only of the processes of the machine, to those who are of the machine.
    #[error("this is a container: only processes outside of it would be told")]
    Container,
    /// The kernel's end is in the machine's first network namespace.
    #[error("this is not the machine's first network namespace")]
    NetworkNamespace,
    /// The kernel did not answer.
    #[error("the kernel does not answer")]
    Silence,
    /// The kernel refused.
    #[error(transparent)]
    System(#[from] Error),
}

/// Hears of processes. Never waits: [`AsFd`] tells when to [`drain`](Self::drain).
pub struct ProcessEvents {
    socket: Socket,
    batch: Batch,
}

impl ProcessEvents {
    /// Begins to listen.
    ///
    /// # Errors
    /// Without the right (CAP_NET_ADMIN), in a container, and with a kernel that was built without them.
    pub fn new() -> Result<Self, NoProcessEvents> {
        // To others the kernel says nothing, and does not say so.
        let is_first = |path: &str, number| {
            std::fs::metadata(path).is_ok_and(|metadata| metadata.ino() == number)
        };
        if !is_first("/proc/self/ns/pid", FIRST_PROCESSES)
            || !is_first("/proc/self/ns/user", FIRST_USERS)
        {
            return Err(NoProcessEvents::Container);
        }
        let fd = net::socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            Some(netlink::CONNECTOR),
        )
        .map_err(Error::system("open a socket for process events"))?;
        option::set_receive_buffer(&fd, RECEIVE_BUFFER)?;
        let socket = Socket::from(fd);
        socket
            .attach_filter(&filter::program(&interesting()))
            .map_err(Error::system("filter process events"))?;
        net::bind(&socket, &SocketAddrNetlink::new(0, GROUP))
            .map_err(Error::system("listen for process events"))?;
        let mut events = Self {
            socket,
            batch: Batch::new(SLOTS, EVENT_SIZE),
        };
        events.ask()?;
        Ok(events)
    }

    /// Asks for a receive buffer of so many bytes, beyond the system's limit with `force` only; never less than without this.
    ///
    /// # Errors
    /// When the kernel refuses every size.
    pub fn set_receive_buffer(&self, bytes: usize, force: bool) -> Result<(), Error> {
        option::enlarge_receive_buffer(&self.socket, RECEIVE_BUFFER, bytes, force)
    }

    /// Asks for events and waits for the answer.
    fn ask(&mut self) -> Result<(), NoProcessEvents> {
        match net::send(&self.socket, &request(), SendFlags::empty()) {
            Ok(_whole) => {}
            Err(rustix::io::Errno::CONNREFUSED) => return Err(NoProcessEvents::NetworkNamespace),
            Err(errno) => return Err(Error::system("ask for process events")(errno).into()),
        }
        let until = crate::clock::now() + ANSWER_TIME;
        loop {
            let answer = self.batch.receive(&self.socket, Wait::No);
            if answer.is_ok() {
                // Somebody else may listen already, and the kernel tell us of processes before it answers.
                for datagram in self.batch.datagrams() {
                    if kernel::is_from_kernel(&datagram)
                        && number(datagram.data, EVENT) == Some(NONE)
                    {
                        return match number(datagram.data, DATA) {
                            Some(0) | None => Ok(()),
                            Some(code) => {
                                let code = i32::try_from(code).unwrap_or(libc::EPERM);
                                let reason = io::Error::from_raw_os_error(code);
                                Err(Error::system("ask for process events")(reason).into())
                            }
                        };
                    }
                }
                continue;
            }
            let left = until.since(crate::clock::now());
            if left.is_zero() {
                return Err(NoProcessEvents::Silence);
            }
            let limit = Timespec {
                tv_sec: 0,
                tv_nsec: i64::from(left.subsec_nanos()),
            };
            let mut waited = [PollFd::new(&self.socket, PollFlags::IN)];
            match poll(&mut waited, Some(&limit)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(Error::system("wait for process events")(errno).into()),
            }
        }
    }

    /// Appends what happened to `events`.
    ///
    /// # Errors
    /// When the socket fails.
    pub fn drain(&mut self, events: &mut Vec<ProcessEvent>) -> Result<Told, Error> {
        let mut told = Told::All;
        for _batch in 0..BATCHES {
            match self.batch.receive(&self.socket, Wait::No) {
                Ok(received) => {
                    let datagrams = self.batch.datagrams();
                    events.extend(
                        datagrams
                            .filter(kernel::is_from_kernel)
                            .filter_map(|datagram| understood(datagram.data)),
                    );
                    if received < SLOTS {
                        break;
                    }
                }
                Err(problem) if problem.kind() == io::ErrorKind::WouldBlock => break,
                Err(problem) if problem.raw_os_error() == Some(libc::ENOBUFS) => {
                    told = Told::NotAll;
                }
                Err(problem) => return Err(Error::system("hear of processes")(problem)),
            }
        }
        Ok(told)
    }
}

impl AsFd for ProcessEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// `struct nlmsghdr`, `struct cn_msg`, and the one word that it carries.
fn request() -> Vec<u8> {
    const LENGTH: u32 = 16 + 20 + 4;
    const DONE: u16 = 3;
    let mut bytes = Vec::with_capacity(40);
    bytes.extend(LENGTH.to_ne_bytes());
    bytes.extend(DONE.to_ne_bytes());
    bytes.extend([0; 10]);
    for word in [GROUP, VALUE, 0, 0] {
        bytes.extend(word.to_ne_bytes());
    }
    bytes.extend(4_u16.to_ne_bytes());
    bytes.extend([0; 2]);
    bytes.extend(LISTEN.to_ne_bytes());
    bytes
}

/// `None`: too short, or of no interest.
fn understood(datagram: &[u8]) -> Option<ProcessEvent> {
    let word = |at| number(datagram, at);
    let whole = |at| word(at).filter(|thread| word(at + 4) == Some(*thread));
    match word(EVENT)? {
        FORK => Some(ProcessEvent::Forked {
            parent: word(DATA + 4)?,
            child: whole(CHILD)?,
        }),
        EXEC => Some(ProcessEvent::Changed(word(DATA + 4)?)),
        NAME => whole(DATA).map(ProcessEvent::Changed),
        EXIT => whole(DATA).map(ProcessEvent::Ended),
        _ => None,
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*word))
}

/// Lets answers through, and what happens to whole processes: where thread and process have the same number.
fn interesting() -> Vec<filter::Instruction> {
    use libc::{
        BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_MISC, BPF_RET, BPF_TAX, BPF_W, BPF_X,
    };
    let plain = filter::Instruction::plain;
    let when = |kind: u32, then| filter::Instruction {
        code: BPF_JMP | BPF_JEQ | BPF_K,
        then,
        otherwise: 0,
        // The program takes what it loads for network byte order.
        operand: u32::from_be_bytes(kind.to_ne_bytes()),
    };
    let load = |at: usize| {
        plain(
            BPF_LD | BPF_W | BPF_ABS,
            u32::try_from(at).unwrap_or(u32::MAX),
        )
    };
    let same = |then, otherwise| filter::Instruction {
        code: BPF_JMP | BPF_JEQ | BPF_X,
        then,
        otherwise,
        operand: 0,
    };
    let drop = plain(BPF_RET | BPF_K, 0);
    vec![
        load(EVENT),
        when(NONE, 13),
        when(EXEC, 12),
        when(FORK, 7),
        when(NAME, 2),
        when(EXIT, 1),
        drop,
        // 7: one process.
        load(DATA),
        plain(BPF_MISC | BPF_TAX, 0),
        load(DATA + 4),
        same(4, 5),
        // 11: the child.
        load(CHILD),
        plain(BPF_MISC | BPF_TAX, 0),
        load(CHILD + 4),
        same(0, 1),
        plain(BPF_RET | BPF_K, u32::MAX),
        drop,
    ]
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn datagram(kind: u32, words: &[u32]) -> Vec<u8> {
        let mut bytes = vec![0; EVENT];
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 12]);
        for word in words {
            bytes.extend(word.to_ne_bytes());
        }
        bytes
    }

    #[test]
    fn what_events_mean() {
        let cases: [(u32, &[u32], Option<ProcessEvent>); 12] = [
            (
                FORK,
                &[10, 10, 11, 11],
                Some(ProcessEvent::Forked {
                    parent: 10,
                    child: 11,
                }),
            ),
            (
                FORK,
                &[12, 10, 11, 11],
                Some(ProcessEvent::Forked {
                    parent: 10,
                    child: 11,
                }),
            ),
            (FORK, &[10, 10, 11, 10], None),
            (EXEC, &[11, 11], Some(ProcessEvent::Changed(11))),
            (NAME, &[11, 11], Some(ProcessEvent::Changed(11))),
            (NAME, &[12, 11], None),
            (EXIT, &[11, 11, 0, 0], Some(ProcessEvent::Ended(11))),
            (EXIT, &[12, 11, 0, 0], None),
            (NONE, &[0, 0], None),
            (0x40, &[11, 11], None),
            (EXIT, &[11], None),
            (EXEC, &[], None),
        ];
        for (kind, words, expected) in cases {
            assert_eq!(
                understood(&datagram(kind, words)),
                expected,
                "{kind:x} {words:?}"
            );
        }
        assert_eq!(understood(&[]), None);
    }

    /// Where the kernel tells us: a child of ours is heard of in order. Where it does not, it says why at once.
    #[test]
    fn a_process_comes_and_goes() {
        let mut events = match ProcessEvents::new() {
            Ok(events) => events,
            Err(problem) => {
                let problem = problem.to_string();
                assert!(problem.len() > 10, "{problem}");
                return;
            }
        };
        let mut child = Command::new("/bin/true").spawn().unwrap();
        let number = child.id();
        child.wait().unwrap();
        let ours = std::process::id();
        let until = crate::clock::now() + Duration::from_secs(10);
        let mut heard = Vec::new();
        let mut steps = Vec::new();
        while !steps.contains(&ProcessEvent::Ended(number)) && crate::clock::now() < until {
            heard.clear();
            assert_eq!(events.drain(&mut heard).unwrap(), Told::All);
            steps.extend(heard.iter().copied().filter(|event| match *event {
                ProcessEvent::Forked { child, .. } => child == number,
                ProcessEvent::Changed(of) | ProcessEvent::Ended(of) => of == number,
            }));
        }
        let forked = ProcessEvent::Forked {
            parent: ours,
            child: number,
        };
        assert_eq!(steps.first(), Some(&forked), "{steps:?}");
        assert!(steps.contains(&ProcessEvent::Changed(number)), "{steps:?}");
        assert_eq!(steps.last(), Some(&ProcessEvent::Ended(number)));
    }
}
