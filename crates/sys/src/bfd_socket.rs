//! The sockets of BFD (RFC 5881 section 4, RFC 5883 section 5): UDP, one for all that comes in on a port, and one for each
//! session to send from.
//!
//! What comes in may be a forgery from the other side of the world until its TTL has been looked at, so a
//! [`Received`] tells it, with the address that it was sent to. Nothing is judged here: the core knows what each session
//! asks for.
//!
//! Packets go out without a mark in their traffic class, as keepalived's do (seen on the wire).

mod ports;
mod receiver;
mod sender;

pub use crate::batch::ReceiveSummary;
pub use ports::SourcePorts;
pub use receiver::{BfdReceiver, Payload, Received};
pub use sender::{BfdSender, Origin, SendFailure, SendFailureKind, Sent};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, socket_with};
use std::os::fd::OwnedFd;
use types::Family;

/// Opens a UDP socket that never waits.
fn open(family: Family) -> Result<OwnedFd, Errno> {
    let family = match family {
        Family::V4 => AddressFamily::INET,
        Family::V6 => AddressFamily::INET6,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    socket_with(family, SocketType::DGRAM, flags, Some(ipproto::UDP))
}
