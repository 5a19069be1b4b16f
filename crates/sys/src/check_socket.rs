//! The sockets of health checks: opened without waiting, read and written without waiting.
//!
//! What the kernel says of a connection is sorted here: [`Trouble`] is the server's or the network's, and the check has
//! failed; an [`Obstacle`] is ours, and nothing was found out.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    self, AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, ipproto, sockopt,
};
use types::IfName;

use crate::Error;
use crate::option::set_int;

/// What a check is carried by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// A TCP connection.
    Stream,
    /// A connected UDP socket, which hears of ICMP errors of all kinds.
    Datagrams,
    /// A connected, unprivileged ICMP socket: the kernel fills in id and checksum, and passes on answers to us only. What is
    /// received begins with the ICMP header.
    Echo,
}

/// Restrictions of our own end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin<'a> {
    /// Its address; of the destination's family.
    pub address: Option<IpAddr>,
    /// Its port. Without a meaning for [`Carrier::Echo`].
    pub port: Option<NonZeroU16>,
    /// The interface that packets leave and enter by (SO_BINDTODEVICE).
    pub interface: Option<&'a IfName>,
    /// The mark of packets (SO_MARK); 0: none.
    pub mark: u32,
}

/// What the kernel has to say of a connection that does not work.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Trouble {
    /// Which one.
    pub kind: TroubleKind,
    /// In the kernel's words.
    pub reason: io::Error,
}

/// Kinds of trouble that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TroubleKind {
    /// Nobody listens there, or the other end has reset the connection (ECONNREFUSED, ECONNRESET).
    Refused,
    /// There is no way there (ENETUNREACH, EHOSTUNREACH, ENETDOWN, EHOSTDOWN).
    Unreachable,
    /// Anything else.
    Other,
}

/// What could not be done before there was any connection.
#[derive(Debug, thiserror::Error)]
pub enum Obstacle {
    /// No socket could be made.
    #[error("no socket: {0}")]
    Socket(#[source] Trouble),
    /// It could not be bound, or marked, as [`Origin`] wants it.
    #[error("the socket cannot be bound: {0}")]
    Bind(#[source] Trouble),
    /// The connection could not be begun, for no reason that the other end or the network could have.
    #[error("the connection cannot be begun: {0}")]
    Connect(#[source] Trouble),
}

/// How the opening of a socket went.
#[derive(Debug)]
pub enum Opened {
    /// There is a connection; a socket for datagrams can be used at once.
    Connected(CheckSocket),
    /// The connection is on its way: the socket becomes writable when [`CheckSocket::outcome`] has something to tell.
    InProgress(CheckSocket),
    /// The network refused at once.
    Refused(Trouble),
}

/// What there was to read.
#[derive(Debug)]
pub enum Heard {
    /// So many bytes; of a datagram all, up to the size of the buffer.
    Bytes(usize),
    /// Nothing more, ever: the other end has closed its side of the stream.
    End,
    /// Nothing at the moment.
    Nothing,
    /// The connection is broken, or an ICMP error has come.
    Trouble(Trouble),
}

/// What could be written.
#[derive(Debug)]
pub enum Sent {
    /// So many bytes; of a datagram all.
    Bytes(usize),
    /// Nothing at the moment: wait until the socket is writable.
    Full,
    /// The connection is broken, an ICMP error has come, or our side does not let it out.
    Trouble(Trouble),
}

/// The socket of one check. Dropping it closes it, without waiting: a stream ends as usual (FIN), with a reset only where
/// the other end has sent something that nobody has read.
#[derive(Debug)]
pub struct CheckSocket {
    fd: OwnedFd,
    stream: bool,
}

impl CheckSocket {
    /// Opens a socket to `destination`; the port of [`Carrier::Echo`] does not matter.
    ///
    /// # Errors
    /// [`Obstacle`]: when there is no result because of something on our side.
    pub fn open(
        carrier: Carrier,
        destination: SocketAddr,
        origin: &Origin<'_>,
    ) -> Result<Opened, Obstacle> {
        let fd = socket(carrier, destination).map_err(|errno| Obstacle::Socket(trouble(errno)))?;
        bind(&fd, carrier, destination, origin)
            .map_err(|problem| Obstacle::Bind(Trouble::from(problem)))?;
        let socket = Self {
            fd,
            stream: carrier == Carrier::Stream,
        };
        loop {
            return match net::connect(&socket.fd, &destination) {
                Ok(()) => Ok(Opened::Connected(socket)),
                Err(Errno::INPROGRESS) => Ok(Opened::InProgress(socket)),
                Err(Errno::INTR) => continue,
                Err(errno) if is_of_the_network(errno) => Ok(Opened::Refused(trouble(errno))),
                Err(errno) => Err(Obstacle::Connect(trouble(errno))),
            };
        }
    }

    /// What came of a connection that was on its way, once the socket is writable.
    ///
    /// # Errors
    /// Why there is none.
    pub fn outcome(&self) -> Result<(), Trouble> {
        match sockopt::socket_error(&self.fd) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(errno)) | Err(errno) => Err(trouble(errno)),
        }
    }

    /// Whether [`outcome`](Self::outcome) has something to tell of a connection that was on its way.
    pub fn is_decided(&self) -> bool {
        self.is_ready_for(PollFlags::OUT)
    }

    /// Whether there is something to read, were it the end.
    pub fn is_readable(&self) -> bool {
        self.is_ready_for(PollFlags::IN)
    }

    fn is_ready_for(&self, what: PollFlags) -> bool {
        let mut fds = [PollFd::new(&self.fd, what)];
        let at_once = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // What cannot be asked will be heard of by trying.
        poll(&mut fds, Some(&at_once)).map_or(true, |count| count > 0)
    }

    /// Whether it is a stream.
    pub const fn is_stream(&self) -> bool {
        self.stream
    }

    /// Reads what is there.
    pub fn receive(&self, buffer: &mut [u8]) -> Heard {
        loop {
            return match net::recv(&self.fd, &mut *buffer, RecvFlags::empty()) {
                Ok((0, _)) if self.stream => Heard::End,
                Ok((count, _)) => Heard::Bytes(count),
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => Heard::Nothing,
                Err(errno) => Heard::Trouble(trouble(errno)),
            };
        }
    }

    /// Writes what there is room for: part of `bytes`, or one datagram.
    pub fn send(&self, bytes: &[u8]) -> Sent {
        loop {
            return match net::send(&self.fd, bytes, SendFlags::NOSIGNAL) {
                Ok(count) => Sent::Bytes(count),
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => Sent::Full,
                Err(errno) => Sent::Trouble(trouble(errno)),
            };
        }
    }
}

impl AsFd for CheckSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Trouble {
    /// The system's number for it (errno), to be printed beside the words; 0: it has none.
    pub fn number(&self) -> i32 {
        self.reason.raw_os_error().unwrap_or(0)
    }

    /// The words alone.
    pub fn text(&self) -> String {
        let mut text = self.reason.to_string();
        let number = format!(" (os error {})", self.number());
        if let Some(words) = text.strip_suffix(&number) {
            text.truncate(words.len());
        }
        text
    }
}

impl From<Error> for Trouble {
    fn from(problem: Error) -> Self {
        let reason = match problem {
            Error::System { reason, .. } | Error::Object { reason, .. } => reason,
            other @ (Error::Refused { .. } | Error::Reply { .. }) => io::Error::other(other),
        };
        Self {
            kind: kind(reason.raw_os_error()),
            reason,
        }
    }
}

fn socket(carrier: Carrier, destination: SocketAddr) -> Result<OwnedFd, Errno> {
    let (family, icmp) = match destination {
        SocketAddr::V4(_) => (AddressFamily::INET, ipproto::ICMP),
        SocketAddr::V6(_) => (AddressFamily::INET6, ipproto::ICMPV6),
    };
    let (kind, protocol): (_, Option<Protocol>) = match carrier {
        Carrier::Stream => (SocketType::STREAM, None),
        Carrier::Datagrams => (SocketType::DGRAM, None),
        Carrier::Echo => (SocketType::DGRAM, Some(icmp)),
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    net::socket_with(family, kind, flags, protocol)
}

/// Puts the restrictions on a new socket: device, mark, then address and port.
fn bind(
    fd: &OwnedFd,
    carrier: Carrier,
    destination: SocketAddr,
    origin: &Origin<'_>,
) -> Result<(), Error> {
    if carrier != Carrier::Stream {
        hear_icmp_errors(fd, destination)?;
    }
    let socket = socket2::SockRef::from(fd);
    if let Some(interface) = origin.interface {
        socket
            .bind_device(Some(interface.as_str().as_bytes()))
            .map_err(Error::object("bind to interface", interface))?;
    }
    if origin.mark != 0 {
        socket
            .set_mark(origin.mark)
            .map_err(Error::object("set mark", &origin.mark))?;
    }
    let port = origin.port.filter(|_| carrier != Carrier::Echo);
    if origin.address.is_none() && port.is_none() {
        return Ok(());
    }
    if carrier == Carrier::Stream {
        share_ports(fd, port.is_some())?;
    }
    let any = match destination {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let own = SocketAddr::new(
        origin.address.unwrap_or(any),
        port.map_or(0, NonZeroU16::get),
    );
    net::bind(fd, &own).map_err(Error::object("bind to", &own))
}

/// Every ICMP error is an error of the socket, not only those that the kernel takes for final.
fn hear_icmp_errors(fd: &OwnedFd, destination: SocketAddr) -> Result<(), Error> {
    let (level, name) = match destination {
        SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_RECVERR),
        SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_RECVERR),
    };
    set_int(fd, level, name, 1, "ask for ICMP errors")
}

/// Keeps checks out of each other's way whose own end is restricted.
fn share_ports(fd: &OwnedFd, port_is_given: bool) -> Result<(), Error> {
    if port_is_given {
        // The connection of the check before this one is still in TIME_WAIT.
        return sockopt::set_socket_reuseaddr(fd, true)
            .map_err(Error::system("reuse the port of an earlier connection"));
    }
    // The port is chosen when the destination is known: otherwise all checks from one address, wherever they go, would have
    // to share the 28 000 that there are. IPv6 sockets take the option, too.
    const IP_BIND_ADDRESS_NO_PORT: libc::c_int = 24;
    set_int(
        fd,
        libc::IPPROTO_IP,
        IP_BIND_ADDRESS_NO_PORT,
        1,
        "leave the choice of a port for later",
    )
}

/// What makes a check fail when `connect` says it at once (keepalived: as it sorts them); anything else is our own fault.
fn is_of_the_network(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::NETUNREACH
            | Errno::HOSTUNREACH
            | Errno::CONNREFUSED
            | Errno::HOSTDOWN
            | Errno::NETDOWN
            | Errno::CONNRESET
            | Errno::CONNABORTED
            | Errno::TIMEDOUT
    )
}

fn trouble(errno: Errno) -> Trouble {
    Trouble {
        kind: kind(Some(errno.raw_os_error())),
        reason: errno.into(),
    }
}

fn kind(number: Option<i32>) -> TroubleKind {
    match number {
        Some(libc::ECONNREFUSED | libc::ECONNRESET) => TroubleKind::Refused,
        Some(libc::ENETUNREACH | libc::EHOSTUNREACH | libc::ENETDOWN | libc::EHOSTDOWN) => {
            TroubleKind::Unreachable
        }
        _ => TroubleKind::Other,
    }
}

#[cfg(test)]
mod tests;
