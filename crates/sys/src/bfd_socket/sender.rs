//! One socket per session that its packets leave from.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU8;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{SendFlags, bind, sendto, sockopt};
use types::Family;

use super::{SourcePorts, open};
use crate::{Error, filter};

/// What the packets of a session have of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The neighbour's family, and that of the source.
    pub family: Family,
    /// The source address; `None`: the kernel chooses, for each packet. A link-local address cannot be one, since it
    /// would take an interface to tell which one is meant.
    pub source: Option<IpAddr>,
    /// The time to live or hop limit that packets leave with.
    pub hop_limit: NonZeroU8,
}

/// Sends the packets of one session, all from the same port (RFC 5881 section 4). Never waits, and never hears anything.
#[derive(Debug)]
pub struct BfdSender {
    fd: OwnedFd,
    local: SocketAddr,
}

/// What has become of a packet that was not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Sent {
    /// The kernel has taken it.
    Whole,
    /// There is no room for it at the moment (EAGAIN, ENOBUFS, ENOMEM). It is gone: the next one is as good.
    Full,
}

/// Why a packet cannot be sent.
#[derive(Debug)]
pub struct SendFailure {
    /// Whose fault it is.
    pub kind: SendFailureKind,
    /// Where it should have gone.
    pub to: SocketAddr,
    /// The source address and port.
    pub from: SocketAddr,
    /// The kernel's reason.
    pub reason: io::Error,
}

/// Failures that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendFailureKind {
    /// There is no way there (ENETUNREACH, EHOSTUNREACH, ENETDOWN, EHOSTDOWN, ENODEV, ENXIO; ECONNREFUSED).
    Unreachable,
    /// The source address is not on this host any more; where the kernel chooses, there is none to choose (EADDRNOTAVAIL;
    /// others, if it turns out to be that).
    Source,
    /// A firewall or a prohibiting route does not let it out (EPERM, EACCES).
    Permission,
    /// Anything else, such as the source and the destination being of different families.
    Other,
}

impl BfdSender {
    /// Opens a socket, in the network namespace of this thread, and binds it to one of `ports`: to the first one that is free,
    /// beginning with one that `seed` chooses. Sessions should have different seeds, so that nobody can guess their ports, and
    /// their ports differ (RFC 5881 section 4).
    ///
    /// DEVIATION(keepalived): it leaves the port of a session without a source address to the kernel, which may choose one below
    /// 49152; a peer that looks at it would refuse the packets.
    ///
    /// # Errors
    /// When the source address is not on this host (it may come later), when no port is free, or when an option is not to be
    /// had.
    pub fn new(origin: &Origin, ports: SourcePorts, seed: u64) -> Result<Self, Error> {
        const OPTION: &str = "prepare a socket that sends BFD packets";
        let fd = open(origin.family).map_err(Error::system("open a socket for BFD packets"))?;
        // The port is open to everybody, and nobody would ever read what comes.
        socket2::SockRef::from(&fd)
            .attach_filter(&filter::drop_all())
            .map_err(Error::system(OPTION))?;
        match origin.family {
            Family::V4 => sockopt::set_ip_ttl(&fd, origin.hop_limit.get().into()),
            // Otherwise nobody could have the port for IPv4.
            Family::V6 => sockopt::set_ipv6_v6only(&fd, true)
                .and_then(|()| sockopt::set_ipv6_unicast_hops(&fd, Some(origin.hop_limit.get()))),
        }
        .map_err(Error::system(OPTION))?;
        let local = bind_to_one_of(&fd, origin, ports, seed)?;
        Ok(Self { fd, local })
    }

    /// The source address, unspecified if the kernel chooses it, and the port.
    pub const fn local(&self) -> SocketAddr {
        self.local
    }

    /// Sends a packet. A link-local destination should have its scope, as in [`Received::source`](super::Received::source):
    /// without one the kernel takes the first interface that has link-local routes.
    ///
    /// # Errors
    /// Why it was not sent. Nothing is kept for later, and the next packet may pass.
    pub fn send(&self, payload: &[u8], to: SocketAddr) -> Result<Sent, SendFailure> {
        loop {
            return match sendto(&self.fd, payload, SendFlags::NOSIGNAL, &to) {
                // A datagram is sent whole or not at all.
                Ok(_whole) => Ok(Sent::Whole),
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN | Errno::NOBUFS | Errno::NOMEM) => Ok(Sent::Full),
                Err(errno) => Err(SendFailure {
                    kind: self.sort(errno),
                    to,
                    from: self.local,
                    reason: errno.into(),
                }),
            };
        }
    }

    fn sort(&self, errno: Errno) -> SendFailureKind {
        match errno {
            // IPv4 says this of a source that is gone, by kernel version; and of a missing route, or of a black hole, too.
            Errno::NETUNREACH | Errno::INVAL if self.source_is_gone() => SendFailureKind::Source,
            Errno::NETUNREACH
            | Errno::HOSTUNREACH
            | Errno::NETDOWN
            | Errno::HOSTDOWN
            | Errno::NODEV
            | Errno::NXIO
            | Errno::CONNREFUSED => SendFailureKind::Unreachable,
            Errno::ADDRNOTAVAIL => SendFailureKind::Source,
            Errno::PERM | Errno::ACCESS => SendFailureKind::Permission,
            _ => SendFailureKind::Other,
        }
    }

    /// Whether no socket could be bound to the source address any more.
    fn source_is_gone(&self) -> bool {
        let any_port = SocketAddr::new(self.local.ip(), 0);
        if any_port.ip().is_unspecified() {
            return false;
        }
        let tried = open(Family::of(any_port.ip())).and_then(|fd| bind(&fd, &any_port));
        tried == Err(Errno::ADDRNOTAVAIL)
    }
}

impl AsFd for BfdSender {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Passes over the ports that others have.
fn bind_to_one_of(
    fd: &OwnedFd,
    origin: &Origin,
    ports: SourcePorts,
    seed: u64,
) -> Result<SocketAddr, Error> {
    let any = match origin.family {
        Family::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Family::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let address = origin.source.unwrap_or(any);
    for port in ports.beginning_at(seed) {
        let local = SocketAddr::new(address, port);
        match bind(fd, &local) {
            Ok(()) => return Ok(local),
            Err(Errno::ADDRINUSE) => {}
            Err(errno) => return Err(Error::object("bind to", &local)(errno)),
        }
    }
    let all = format!("the ports {ports} of {address}: none is free");
    Err(Error::object("bind to any of", &all)(Errno::ADDRINUSE))
}

impl fmt::Display for SendFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            to,
            from,
            reason,
        } = self;
        match kind {
            SendFailureKind::Unreachable => write!(f, "no way to {to}: {reason}"),
            SendFailureKind::Source if from.ip().is_unspecified() => {
                write!(f, "no address on this host to send to {to} from: {reason}")
            }
            SendFailureKind::Source => {
                write!(
                    f,
                    "source address {} is not on this host: {reason}",
                    from.ip()
                )
            }
            SendFailureKind::Permission => {
                write!(
                    f,
                    "not permitted to send to {to}, by a firewall or a route: {reason}"
                )
            }
            SendFailureKind::Other => write!(f, "cannot send from {from} to {to}: {reason}"),
        }
    }
}

impl std::error::Error for SendFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.reason)
    }
}
