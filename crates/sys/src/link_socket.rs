//! Sending finished Ethernet frames: gratuitous ARP (RFC 5227) and unsolicited neighbour advertisements
//! (RFC 4861 7.2.6), whose source is an address that the host may only just have got.

use socket2::{Domain, SockAddr, SockAddrStorage, Socket, Type};
use types::IfIndex;

use crate::{Error, SendError, option};

/// Room for the frames of a new master of thousands of addresses on a slow link.
const SEND_BUFFER: usize = 4 << 20;

/// Sends frames on any interface; receives none.
pub struct LinkSocket {
    socket: Socket,
}

impl LinkSocket {
    /// Opens the socket, in the network namespace of this thread.
    ///
    /// # Errors
    /// Without the right to open packet sockets (CAP_NET_RAW).
    pub fn new() -> Result<Self, Error> {
        // No protocol: no incoming frame is ever copied to this socket.
        let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking(), None)
            .map_err(Error::system("open a packet socket"))?;
        option::set_send_buffer(&socket, SEND_BUFFER)?;
        Ok(Self { socket })
    }

    /// Sends a frame as it is, from its destination address to the end of its payload.
    ///
    /// # Errors
    /// The reason why the frame was not sent. Nothing is kept for later.
    pub fn send(&self, interface: IfIndex, frame: &[u8]) -> Result<(), SendError> {
        let to = address(interface, frame);
        // A frame is sent whole or not at all: the length says nothing.
        let sent = self.socket.send_to(frame, &to).map(|_whole| ());
        sent.map_err(|error| SendError::sort(error, Some(interface), None, frame.len()))
    }
}

/// `struct sockaddr_ll`: the interface, and the frame's own Ethernet type for the queueing disciplines
/// and packet sockets that go by it.
fn address(interface: IfIndex, frame: &[u8]) -> SockAddr {
    /// `AF_PACKET`, in the width that it has here.
    const FAMILY: libc::sa_family_t = 17;
    const TYPE_OFFSET: usize = 12;
    const LENGTH: libc::socklen_t = 20;
    const { assert!(size_of::<libc::sockaddr_ll>() == LENGTH as usize) };
    let ethernet_type = frame
        .get(TYPE_OFFSET..)
        .and_then(<[u8]>::first_chunk)
        .map_or(0, |bytes| u16::from_ne_bytes(*bytes));
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: `sockaddr_ll` is one of the address types that the storage is made for: large and aligned
    // enough, and zero is a value of each of its fields.
    let link = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    link.sll_family = FAMILY;
    link.sll_protocol = ethernet_type;
    link.sll_ifindex = interface.get().cast_signed();
    // SAFETY: the storage holds a `sockaddr_ll`, of this length.
    unsafe { SockAddr::new(storage, LENGTH) }
}
