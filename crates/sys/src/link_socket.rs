//! Sending finished Ethernet frames: gratuitous ARP (RFC 5227) and unsolicited neighbour advertisements
//! (RFC 4861 7.2.6), whose source is an address that the host may only just have got.

use std::io;
use std::os::fd::AsRawFd as _;

use socket2::{Domain, SockAddr, SockAddrStorage, Socket, Type};
use types::IfIndex;

use crate::batch::MAX_SLOTS;
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

    /// Sends many frames, in their order, with few system calls. `failed` is told the place of each that was not sent,
    /// and why; the others are sent all the same.
    pub fn send_all(&self, frames: &Frames, mut failed: impl FnMut(usize, SendError)) {
        let mut done = 0;
        while let Some(waiting) = frames.frames.get(done..).filter(|rest| !rest.is_empty()) {
            match self.send_some(frames, waiting) {
                // A call that sends nothing at all and names no reason does not exist; it would go on for ever here.
                Ok(sent) => done += sent.max(1),
                Err(error) => {
                    if let Some(frame) = waiting.first() {
                        let (interface, length) = (Some(frame.interface), frame.end - frame.start);
                        failed(done, SendError::sort(error, interface, None, length));
                    }
                    done += 1;
                }
            }
        }
    }

    /// Sends the first of these, up to [`MAX_SLOTS`], until one is refused; an error is that of the very first.
    fn send_some(&self, frames: &Frames, waiting: &[Frame]) -> io::Result<usize> {
        let mut addresses = [const { None }; MAX_SLOTS];
        // SAFETY: both are plain C structures of integers and pointers, for which zero (null) is a value.
        let (mut headers, mut vectors) = unsafe {
            (
                std::mem::zeroed::<[libc::mmsghdr; MAX_SLOTS]>(),
                std::mem::zeroed::<[libc::iovec; MAX_SLOTS]>(),
            )
        };
        let mut prepared = 0;
        let places = headers.iter_mut().zip(&mut vectors).zip(&mut addresses);
        for (frame, ((header, vector), place)) in waiting.iter().zip(places) {
            let bytes = frames.bytes.get(frame.start..frame.end).unwrap_or_default();
            let to: &mut SockAddr = place.insert(address(frame.interface, bytes));
            vector.iov_base = bytes.as_ptr().cast_mut().cast();
            vector.iov_len = bytes.len();
            let header = &mut header.msg_hdr;
            header.msg_name = to.as_ptr().cast_mut().cast();
            header.msg_namelen = to.len();
            header.msg_iov = vector;
            header.msg_iovlen = 1;
            prepared += 1;
        }
        loop {
            // SAFETY: the first `prepared` headers point to addresses, vectors and frames that live through the call,
            // which only reads them; each was counted as it was made.
            let sent = unsafe {
                libc::sendmmsg(self.socket.as_raw_fd(), headers.as_mut_ptr(), prepared, 0)
            };
            match usize::try_from(sent) {
                Ok(sent) => return Ok(sent),
                Err(_negative) => {
                    let error = io::Error::last_os_error();
                    if error.kind() != io::ErrorKind::Interrupted {
                        return Err(error);
                    }
                }
            }
        }
    }
}

/// Frames that wait to be sent together. Kept from one use to the next, it needs no new memory.
#[derive(Debug, Default)]
pub struct Frames {
    bytes: Vec<u8>,
    frames: Vec<Frame>,
}

#[derive(Debug)]
struct Frame {
    interface: IfIndex,
    start: usize,
    end: usize,
}

impl Frames {
    /// Appends a frame, from its destination address to the end of its payload.
    pub fn push(&mut self, interface: IfIndex, frame: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(frame);
        let end = self.bytes.len();
        self.frames.push(Frame {
            interface,
            start,
            end,
        });
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Forgets them all.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.frames.clear();
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
