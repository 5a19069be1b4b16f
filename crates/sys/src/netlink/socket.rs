//! A netlink socket: opened, bound, and believing nobody but the kernel.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::io::retry_on_intr;
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{self, AddressFamily, Protocol, SendFlags, SocketFlags, SocketType};

use crate::batch::Datagram;
use crate::{Error, option};

/// The kernel answers before `send` returns. Longer than this means that the answer was lost.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// An open socket.
pub(crate) struct Socket {
    fd: OwnedFd,
    port_id: u32,
}

impl Socket {
    /// For requests: waits for answers, which are short (without a copy of the request) and explain errors.
    pub(super) fn for_requests(receive_buffer: usize) -> Result<Self, Error> {
        // No protocol is number 0, which is NETLINK_ROUTE.
        Self::that_asks(None, receive_buffer)
    }

    /// The same for the packet filter.
    pub(crate) fn for_packet_filter(receive_buffer: usize) -> Result<Self, Error> {
        Self::that_asks(Some(netlink::NETFILTER), receive_buffer)
    }

    /// The same for families that have no protocol number of their own.
    pub(crate) fn for_generic(receive_buffer: usize) -> Result<Self, Error> {
        Self::that_asks(Some(netlink::GENERIC), receive_buffer)
    }

    fn that_asks(protocol: Option<Protocol>, receive_buffer: usize) -> Result<Self, Error> {
        let socket = Self::open(protocol, 0, SocketFlags::CLOEXEC, receive_buffer)?;
        sockopt::set_socket_timeout(&socket.fd, Timeout::Recv, Some(ANSWER_TIMEOUT))
            .map_err(Error::system("limit the wait on a netlink socket"))?;
        let want = |name, what| option::set_int(&socket.fd, libc::SOL_NETLINK, name, 1, what);
        want(
            libc::NETLINK_CAP_ACK,
            "ask for short netlink acknowledgements",
        )?;
        want(libc::NETLINK_EXT_ACK, "ask for netlink error texts")?;
        // Lists of routes are then cut to ours by the kernel (Linux 4.20; before, we pass over the others ourselves).
        if let Err(problem) = want(libc::NETLINK_GET_STRICT_CHK, "ask for short netlink lists") {
            log::debug!("{problem}");
        }
        Ok(socket)
    }

    /// For notifications of `groups`: never waits.
    pub(super) fn for_notifications(groups: u32, receive_buffer: usize) -> Result<Self, Error> {
        Self::open(
            None,
            groups,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            receive_buffer,
        )
    }

    fn open(
        protocol: Option<Protocol>,
        groups: u32,
        flags: SocketFlags,
        receive_buffer: usize,
    ) -> Result<Self, Error> {
        let fd = net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)
            .map_err(Error::system("open a netlink socket"))?;
        option::set_receive_buffer(&fd, receive_buffer)?;
        // Port 0: the kernel picks a free one. An unbound socket would hear no notifications.
        net::bind(&fd, &SocketAddrNetlink::new(0, groups))
            .map_err(Error::system("bind a netlink socket"))?;
        let address =
            net::getsockname(&fd).map_err(Error::system("ask for the port of a netlink socket"))?;
        let address = SocketAddrNetlink::try_from(address)
            .map_err(Error::system("understand the port of a netlink socket"))?;
        Ok(Self {
            fd,
            port_id: address.pid(),
        })
    }

    /// The port that the kernel gave us: never 0, which is the kernel's own.
    pub(super) const fn port_id(&self) -> u32 {
        self.port_id
    }

    /// Sends requests to the kernel, which has dealt with them when this returns.
    pub(crate) fn send(&self, requests: &[u8]) -> Result<(), Error> {
        // The kernel takes a datagram whole or not at all: the length says nothing.
        retry_on_intr(|| net::send(&self.fd, requests, SendFlags::empty()))
            .map(|_all| ())
            .map_err(Error::system("send a netlink request"))
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Whether a datagram comes from the kernel: any process may send to our port, and only the sender's port,
/// 0 for the kernel, tells (`struct sockaddr_nl`: family, padding, port, groups).
pub(crate) fn is_from_kernel(datagram: &Datagram<'_>) -> bool {
    match datagram.name {
        [f0, f1, _, _, p0, p1, p2, p3, ..] => {
            i32::from(u16::from_ne_bytes([*f0, *f1])) == libc::AF_NETLINK
                && u32::from_ne_bytes([*p0, *p1, *p2, *p3]) == 0
        }
        _ => false,
    }
}
