//! Frames as they pass an interface, with the kernel's own time stamps: how tests and demonstrations see
//! what is really on the wire.

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::ptr;

use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, Socket, Type};
use types::IfIndex;

use crate::clock::WallTime;
use crate::error::Error;
use crate::option;

/// The longest frame kept whole: an IP packet of the largest size behind its Ethernet header.
const LONGEST_FRAME: usize = 65_535 + 14;

/// Some ten thousand adverts while the reader is busy elsewhere.
const RECEIVE_BUFFER: usize = 4 << 20;

/// Room for one time stamp and its header, aligned for that header.
const CONTROL_WORDS: usize = 8;

/// A packet socket that sees every frame that enters or leaves one interface. Never waits.
#[derive(Debug)]
pub struct CaptureSocket {
    socket: Socket,
    buffer: Box<[u8]>,
}

/// One frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapturedFrame<'a> {
    /// When the kernel had it, on the wall clock.
    pub at: WallTime,
    /// Which way it went.
    pub direction: Direction,
    /// The frame from its destination address on.
    pub bytes: &'a [u8],
}

/// Which way a frame went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Into this host.
    In,
    /// Out of this host.
    Out,
}

impl CaptureSocket {
    /// Sees what passes `interface` from now on.
    ///
    /// # Errors
    /// Without the privilege, or when there is no such interface.
    pub fn open(interface: IfIndex) -> Result<Self, Error> {
        let every = i32::from(u16::try_from(libc::ETH_P_ALL).unwrap_or_default().to_be());
        // No protocol yet, so that frames of other interfaces do not slip in before it is bound.
        let socket = Socket::new(
            Domain::PACKET,
            Type::RAW.cloexec().nonblocking(),
            None::<Protocol>,
        )
        .map_err(Error::system("open a packet socket"))?;
        option::set_receive_buffer(&socket, RECEIVE_BUFFER)?;
        option::set_int(
            &socket,
            libc::SOL_SOCKET,
            libc::SO_TIMESTAMPNS,
            1,
            "ask for time stamps",
        )?;
        socket
            .bind(&address(interface, every))
            .map_err(Error::object("capture on interface", &interface))?;
        Ok(Self {
            socket,
            buffer: vec![0; LONGEST_FRAME].into(),
        })
    }

    /// The next frame that passed, or `None` when all have been read.
    ///
    /// # Errors
    /// When the interface is down or gone; what passed before is still read first.
    pub fn next_frame(&mut self) -> Result<Option<CapturedFrame<'_>>, Error> {
        let mut control = [0_u64; CONTROL_WORDS];
        let mut from = MaybeUninit::<libc::sockaddr_ll>::zeroed();
        let mut part = libc::iovec {
            iov_base: self.buffer.as_mut_ptr().cast(),
            iov_len: self.buffer.len(),
        };
        // SAFETY: zeroes are a message header with nothing in it.
        let mut header: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
        header.msg_name = from.as_mut_ptr().cast();
        header.msg_namelen = ADDRESS_LENGTH;
        header.msg_iov = &raw mut part;
        header.msg_iovlen = 1;
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = size_of::<[u64; CONTROL_WORDS]>() as _;
        let length = loop {
            // SAFETY: every pointer in the header is to memory that lives through the call, of the length
            // that stands beside it.
            let length = unsafe {
                libc::recvmsg(self.socket.as_raw_fd(), &raw mut header, libc::MSG_DONTWAIT)
            };
            if let Ok(length) = usize::try_from(length) {
                break length;
            }
            let error = io::Error::last_os_error();
            match error.raw_os_error() {
                Some(libc::EINTR) => {}
                Some(libc::EAGAIN) => return Ok(None),
                _ => return Err(Error::system("read captured frames")(error)),
            }
        };
        // SAFETY: the kernel wrote an address, or left the zeroes, which are a valid one too.
        let from = unsafe { from.assume_init() };
        let direction = if from.sll_pkttype == libc::PACKET_OUTGOING {
            Direction::Out
        } else {
            Direction::In
        };
        let at = time_stamp(&header);
        Ok(Some(CapturedFrame {
            at,
            direction,
            bytes: self.buffer.get(..length).unwrap_or_default(),
        }))
    }
}

impl AsFd for CaptureSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "20 bytes fit into any integer"
)]
const ADDRESS_LENGTH: libc::socklen_t = size_of::<libc::sockaddr_ll>() as libc::socklen_t;

fn address(interface: IfIndex, protocol: i32) -> SockAddr {
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: `sockaddr_ll` is one of the address types that the storage is made for, and zero is a value of
    // each of its fields.
    let link = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    link.sll_family = u16::try_from(libc::AF_PACKET).unwrap_or_default();
    link.sll_protocol = u16::try_from(protocol).unwrap_or_default();
    link.sll_ifindex = interface.get().cast_signed();
    // SAFETY: the storage holds a `sockaddr_ll`, of this length.
    unsafe { SockAddr::new(storage, ADDRESS_LENGTH) }
}

/// The kernel's stamp; the origin of the clock if there is none, which the kernel does not do.
fn time_stamp(header: &libc::msghdr) -> WallTime {
    // SAFETY: the header and its control buffer are as the kernel left them; the macros of the C library
    // walk them within their lengths and give null at the end. The stamp is copied from where it lies,
    // whatever its alignment.
    unsafe {
        let mut entry = libc::CMSG_FIRSTHDR(header);
        while let Some(found) = entry.as_ref() {
            if (found.cmsg_level, found.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) {
                let time = ptr::read_unaligned(libc::CMSG_DATA(entry).cast::<libc::timespec>());
                return WallTime::new(time.tv_sec, u32::try_from(time.tv_nsec).unwrap_or(0));
            }
            entry = libc::CMSG_NXTHDR(header, entry);
        }
    }
    WallTime::new(0, 0)
}
