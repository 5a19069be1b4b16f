//! Sending and receiving VRRP advertisements (RFC 9568 5.1): raw sockets of IP protocol 112, and of 51 for those that
//! follow an authentication header (RFC 2338 5.3.6.3).
//!
//! A handful of sockets serve all virtual routers of the process: per family one [`AdvertSender`], which is
//! told interface and source with each message, and one [`AdvertReceiver`], which lets through the VRIDs in
//! use. [`Memberships`] keeps the host in the multicast groups; the receivers hear what any socket joined.
//!
//! DEVIATION(keepalived): it opens a pair of sockets per interface, family and group. What is on the wire
//! is the same.

mod memberships;
mod receiver;
mod sender;

pub use crate::batch::ReceiveSummary;
pub use memberships::Memberships;
pub use receiver::{AdvertReceiver, Received};
pub use sender::AdvertSender;

/// The IP protocol number of VRRP (RFC 9568 5.1.1.4).
const PROTOCOL: u8 = 112;

/// Where the checksum is in a VRRP header of either version (RFC 9568 5.2.8).
const CHECKSUM_OFFSET: libc::c_int = 6;

/// Opens a raw, non-blocking socket of a protocol.
fn open(family: types::Family, protocol: u8) -> Result<socket2::Socket, crate::Error> {
    use socket2::{Domain, Protocol, Socket, Type};

    let domain = match family {
        types::Family::V4 => Domain::IPV4,
        types::Family::V6 => Domain::IPV6,
    };
    Socket::new(
        domain,
        Type::RAW.nonblocking(),
        Some(Protocol::from(i32::from(protocol))),
    )
    .map_err(crate::Error::system("open a raw socket for VRRP"))
}
