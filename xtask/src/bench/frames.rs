//! What captured frames say, as far as the benchmarks care.

use std::net::Ipv4Addr;

use lab::{Direction, Frame};
use types::{Claim, Family};
use wire::arp::GratuitousArp;
use wire::ethernet;
use wire::ipv4::Datagram;
use wire::vrrp::{Advert, PROTOCOL};

/// A frame that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// An advert over IPv4.
    Advert {
        /// Of this virtual router.
        vrid: u8,
        /// Its priority, or that its sender leaves.
        claim: Claim,
    },
    /// A gratuitous ARP for this address.
    Garp(Ipv4Addr),
}

/// What a frame is; `None` for what does not count.
pub(super) fn look(frame: &Frame) -> Option<Seen> {
    if let Some(garp) = GratuitousArp::parse(&frame.bytes) {
        return Some(Seen::Garp(garp.address));
    }
    let (header, payload) = ethernet::Header::parse(&frame.bytes)?;
    if header.ethertype != ethernet::IPV4 {
        return None;
    }
    let datagram = Datagram::parse(payload)?;
    if datagram.header.protocol != PROTOCOL {
        return None;
    }
    let advert = Advert::parse(Family::V4, datagram.payload).ok()?;
    Some(Seen::Advert {
        vrid: advert.vrid,
        claim: advert.claim,
    })
}

/// Whether a frame is an advert that passed in this direction.
pub(super) fn is_advert(frame: &Frame, direction: Direction) -> bool {
    frame.direction == direction && matches!(look(frame), Some(Seen::Advert { .. }))
}

/// When the kernel had it, in nanoseconds of the wall clock.
pub(super) fn nanos(frame: &Frame) -> i64 {
    frame
        .at
        .seconds()
        .saturating_mul(1_000_000_000)
        .saturating_add(i64::from(frame.at.nanos()))
}
