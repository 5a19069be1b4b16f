//! Messages between a parent and its child: a pair of sockets that keeps message boundaries and can carry
//! a file, such as [memory that cannot change any more](sealed_memory) with what is too long for a message.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::OFlags;
use rustix::io::{Errno, FdFlags};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg,
    sendmsg, socketpair, sockopt,
};

use crate::error::Error;

mod sealed;

use sealed::LARGEST_MEMORY;
pub use sealed::{SealedBytes, read_sealed, sealed_memory};

/// One end of a connection between two processes that trust each other. Never waits.
#[derive(Debug)]
pub struct Channel {
    socket: OwnedFd,
}

/// What became of a message that was to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Delivery {
    /// The kernel has it; the peer can read it.
    Sent,
    /// The peer has too much to read already; nothing was sent.
    Full,
    /// There is no peer any more.
    Closed,
}

/// What there was to receive.
#[derive(Debug)]
#[must_use]
pub enum Receipt {
    /// A message.
    Message {
        /// Bytes of it, now at the start of the buffer.
        length: usize,
        /// The file that came with it.
        attachment: Option<OwnedFd>,
    },
    /// Nothing at the moment.
    Nothing,
    /// There is no peer any more and nothing left that it sent.
    Closed,
}

/// Why a descriptor that we inherited is not the parent's end of a channel, or why a message or memory is
/// not what the peer should have sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// A system call failed.
    #[error(transparent)]
    System(#[from] Error),
    /// Not a socket of the right family and type.
    #[error("inherited descriptor {fd} is not a channel to the parent")]
    NotAChannel {
        /// Its number.
        fd: i32,
    },
    /// The other end was not made by our parent.
    #[error("inherited descriptor {fd} was made by process {maker}, not by the parent {parent}")]
    NotFromParent {
        /// Its number.
        fd: i32,
        /// Who made it.
        maker: i32,
        /// Our parent now.
        parent: i32,
    },
    /// A message has at least one byte, for none means that the peer is gone.
    #[error("an empty message cannot be sent")]
    Empty,
    /// A message did not fit into the buffer; the rest of it is lost.
    #[error("a message is longer than the {room} bytes there is room for")]
    TooLong {
        /// Bytes in the buffer.
        room: usize,
    },
    /// Memory that could still change under our hands.
    #[error("received memory is not sealed")]
    NotSealed,
    /// More memory than any configuration needs.
    #[error("received memory has {length} bytes, more than {LARGEST_MEMORY}")]
    TooMuchMemory {
        /// Bytes in it.
        length: u64,
    },
}

impl Channel {
    /// Two connected ends: ours, and the one to hand to a child (see [`crate::process::spawn_self`]).
    /// Both are non-blocking and close on exec.
    ///
    /// # Errors
    /// When the kernel has no descriptors left.
    pub fn pair() -> Result<(Self, OwnedFd), Error> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (near, far) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
            .map_err(Error::system("create a channel"))?;
        Ok((Self { socket: near }, far))
    }

    /// Takes over the end that our parent left to us. A descriptor that is anything else (somebody set the
    /// environment variable by hand) is refused.
    ///
    /// # Errors
    /// When it is not a channel, or when not our parent made it: also when the parent died meanwhile.
    pub fn from_inherited(fd: OwnedFd) -> Result<Self, ChannelError> {
        let number = fd.as_raw_fd();
        let is_channel = sockopt::socket_domain(&fd) == Ok(AddressFamily::UNIX)
            && sockopt::socket_type(&fd) == Ok(SocketType::SEQPACKET);
        if !is_channel {
            return Err(ChannelError::NotAChannel { fd: number });
        }
        let maker = peer_pid(&fd)?;
        // SAFETY: no memory is involved.
        let parent = unsafe { libc::getppid() };
        if maker != parent {
            return Err(ChannelError::NotFromParent {
                fd: number,
                maker,
                parent,
            });
        }
        rustix::io::fcntl_setfd(&fd, FdFlags::CLOEXEC)
            .map_err(Error::system("keep a channel from children"))?;
        rustix::fs::fcntl_setfl(&fd, OFlags::NONBLOCK)
            .map_err(Error::system("make a channel non-blocking"))?;
        Ok(Self { socket: fd })
    }

    /// Sends one message, with a file if there is one to share.
    ///
    /// # Errors
    /// For an empty message, or one longer than the kernel carries (some 200 KiB): what is long goes into
    /// [`sealed_memory`].
    pub fn send(
        &self,
        message: &[u8],
        attachment: Option<BorrowedFd<'_>>,
    ) -> Result<Delivery, ChannelError> {
        if message.is_empty() {
            return Err(ChannelError::Empty);
        }
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let attachments = attachment.map(|fd| [fd]);
        if let Some(fds) = &attachments {
            // There is room for exactly one.
            ancillary.push(SendAncillaryMessage::ScmRights(fds));
        }
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        loop {
            match sendmsg(
                &self.socket,
                &[IoSlice::new(message)],
                &mut ancillary,
                flags,
            ) {
                Ok(_) => return Ok(Delivery::Sent),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN | Errno::NOBUFS) => return Ok(Delivery::Full),
                Err(Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN) => {
                    return Ok(Delivery::Closed);
                }
                Err(errno) => return Err(Error::system("send over a channel")(errno).into()),
            }
        }
    }

    /// Takes the next message into `buffer`.
    ///
    /// # Errors
    /// When the message is longer than the buffer; it is lost then.
    pub fn receive(&self, buffer: &mut [u8]) -> Result<Receipt, ChannelError> {
        let room = buffer.len();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let received = loop {
            match recvmsg(
                &self.socket,
                &mut [IoSliceMut::new(buffer)],
                &mut ancillary,
                flags,
            ) {
                Ok(received) => break received,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(Receipt::Nothing),
                Err(Errno::CONNRESET | Errno::NOTCONN) => return Ok(Receipt::Closed),
                Err(errno) => return Err(Error::system("receive from a channel")(errno).into()),
            }
        };
        // All descriptors are taken out, so that a surplus one is closed and not leaked.
        let mut attachment = None;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(fds) = message {
                for fd in fds {
                    attachment.get_or_insert(fd);
                }
            }
        }
        if received.bytes == 0 {
            return Ok(Receipt::Closed);
        }
        if received.flags.contains(ReturnFlags::TRUNC) {
            return Err(ChannelError::TooLong { room });
        }
        Ok(Receipt::Message {
            length: received.bytes,
            attachment,
        })
    }
}

impl From<OwnedFd> for Channel {
    /// The far end of a [pair](Self::pair) that came with a message. It is as the pair was made: non-blocking, and closed on exec.
    fn from(far: OwnedFd) -> Self {
        Self { socket: far }
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Who made the other end, by process number; 0 when it lives outside of our process namespace.
fn peer_pid(socket: &OwnedFd) -> Result<i32, Error> {
    let mut credentials = libc::ucred {
        pid: 0,
        uid: 0,
        gid: 0,
    };
    let mut length = libc::socklen_t::try_from(size_of::<libc::ucred>()).unwrap_or(0);
    // SAFETY: the kernel writes at most `length` bytes, which is the size of the structure.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut credentials).cast(),
            &raw mut length,
        )
    };
    if result == 0 {
        Ok(credentials.pid)
    } else {
        Err(Error::system("ask who made a channel")(
            io::Error::last_os_error(),
        ))
    }
}

#[cfg(test)]
mod tests;
