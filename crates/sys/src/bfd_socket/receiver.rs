//! One socket per port that hears all sessions, of both families.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{bind, sockopt};
use types::bfd::Port;
use types::{Family, IfIndex};

use super::open;
use crate::arrival::{Arrival, sender};
use crate::batch::{Batch, Datagram, MAX_SLOTS, ReceiveSummary};
use crate::{Error, option};

/// What comes while we do not run must not make a session fail. A thousand sessions that send every 10 ms are 100 000 packets
/// a second, and with the usual multiplier of 5 a session is down after 50 ms: until then 5000 packets come. The kernel charges
/// each with the memory that it takes, 832 bytes on the loopback interface, some 2300 as most drivers put them, and it doubles
/// what is asked for: room for 7000 of the latter. It is a limit; memory is taken by packets that wait, and by no others.
/// Without privilege it is no more than `net.core.rmem_max`.
const RECEIVE_BUFFER: usize = 8 << 20;

/// Calls of `recvmmsg` per [`BfdReceiver::receive`]: 512 packets, so that the timers get their turn.
const BATCHES: u32 = 8;

/// Hears the control packets that come to one port, of both families and from all interfaces. Never waits: [`AsFd`] tells when
/// to [`Self::receive`].
pub struct BfdReceiver {
    fd: OwnedFd,
    port: Port,
    family: Family,
    batch: Batch,
}

/// A packet that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// The sender. A link-local address has the interface for its scope, so an answer finds its way.
    pub source: SocketAddr,
    /// The address that it was sent to: one of ours as a rule; or a group, or a broadcast address.
    pub destination: IpAddr,
    /// Where it came in.
    pub interface: IfIndex,
    /// The time to live or hop limit that it had left; `None` if the kernel did not tell.
    pub hop_limit: Option<u8>,
    /// What was in it.
    pub payload: Payload,
}

/// The content of a packet: its beginning, and how long it was.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Payload {
    bytes: [u8; Self::KEPT],
    length: usize,
}

impl Payload {
    /// What is kept of a packet, in bytes: a control packet has 24, with the longest authentication 52 (RFC 5880 section 4.4).
    pub const KEPT: usize = 64;

    fn new(datagram: &Datagram<'_>) -> Self {
        let mut bytes = [0; Self::KEPT];
        for (to, from) in bytes.iter_mut().zip(datagram.data) {
            *to = *from;
        }
        let length = datagram.length;
        Self { bytes, length }
    }

    /// The content, or the first [`Self::KEPT`] bytes of it.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&self.bytes)
    }

    /// How many bytes there were, kept or not.
    pub const fn length(&self) -> usize {
        self.length
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes: {:02x?}", self.length, self.bytes())
    }
}

impl BfdReceiver {
    /// Opens the socket, in the network namespace of this thread. Where there is no IPv6 it hears IPv4 alone: see
    /// [`Self::hears`].
    ///
    /// # Errors
    /// When the port is taken, and that error names it; when an option is not to be had.
    pub fn new(port: Port) -> Result<Self, Error> {
        const OPTION: &str = "prepare the socket that receives BFD packets";
        let (fd, family) = match open(Family::V6) {
            // Not compiled in, switched off at boot (ipv6.disable=1), or not allowed to this service.
            Err(Errno::AFNOSUPPORT) => open(Family::V4).map(|fd| (fd, Family::V4)),
            other => other.map(|fd| (fd, Family::V6)),
        }
        .map_err(Error::system("open a socket for BFD packets"))?;
        option::set_receive_buffer(&fd, RECEIVE_BUFFER)?;
        let mut options = vec![
            (libc::IPPROTO_IP, libc::IP_RECVTTL),
            (libc::IPPROTO_IP, libc::IP_PKTINFO),
        ];
        if family == Family::V6 {
            sockopt::set_ipv6_v6only(&fd, false).map_err(Error::system(OPTION))?;
            options.extend([
                (libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT),
                (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
            ]);
        }
        for (level, name) in options {
            option::set_int(&fd, level, name, 1, OPTION)?;
        }
        let any = match family {
            Family::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Family::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        // From here on packets come: they have everything that was asked for.
        bind(&fd, &SocketAddr::new(any, port.number()))
            .map_err(Error::object("receive BFD packets on", &port))?;
        Ok(Self {
            fd,
            port,
            family,
            batch: Batch::new(MAX_SLOTS, Payload::KEPT),
        })
    }

    /// The port.
    pub const fn port(&self) -> Port {
        self.port
    }

    /// Whether packets of a family come in here: those of IPv4 always, those of IPv6 if there is IPv6 at all.
    pub fn hears(&self, family: Family) -> bool {
        family == Family::V4 || self.family == Family::V6
    }

    /// Adds what is waiting to `into`, oldest first; at most 512 packets, then the caller should look at its timers and call
    /// again. Allocates only where `into` is not large enough.
    ///
    /// # Errors
    /// When the socket fails.
    pub fn receive(&mut self, into: &mut Vec<Received>) -> Result<ReceiveSummary, Error> {
        self.batch
            .receive_some(&self.fd, BATCHES, |datagram| {
                let received = describe(datagram);
                into.extend(received);
                received.is_some()
            })
            .map_err(Error::object("receive BFD packets on", &self.port))
    }
}

impl AsFd for BfdReceiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn describe(datagram: &Datagram<'_>) -> Option<Received> {
    let Arrival {
        destination,
        interface,
        hop_limit,
    } = Arrival::read(datagram.control);
    Some(Received {
        source: sender(datagram.name)?,
        destination: destination?,
        interface: interface?,
        hop_limit,
        payload: Payload::new(datagram),
    })
}
