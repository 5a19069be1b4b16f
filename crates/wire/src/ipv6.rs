//! The IPv6 header (RFC 8200), without extension headers.

use core::net::Ipv6Addr;

/// Bytes in the header.
pub const HEADER_LENGTH: usize = 40;
/// Next header of ICMPv6.
pub const ICMPV6: u8 = 58;

/// A header that is directly followed by its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Sender.
    pub source: Ipv6Addr,
    /// Receiver.
    pub destination: Ipv6Addr,
    /// Hops left.
    pub hop_limit: u8,
    /// What follows: 112 is VRRP, 58 ICMPv6.
    pub next_header: u8,
    /// Bytes after the header.
    pub payload_length: u16,
}

impl Header {
    /// The bytes on the wire, with traffic class 0 and flow label 0.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_LENGTH] {
        let mut bytes = [0; HEADER_LENGTH];
        let (fixed, addresses) = bytes.split_at_mut(8);
        let [l0, l1] = self.payload_length.to_be_bytes();
        fixed.copy_from_slice(&[0x60, 0, 0, 0, l0, l1, self.next_header, self.hop_limit]);
        let (source, destination) = addresses.split_at_mut(16);
        source.copy_from_slice(&self.source.octets());
        destination.copy_from_slice(&self.destination.octets());
        bytes
    }

    /// Splits a packet into its header and what follows; `None` when it is not IPv6 or too short.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let ([first, _, _, _, l0, l1, next_header, hop_limit], rest) =
            bytes.split_first_chunk::<8>()?;
        let (source, rest) = rest.split_first_chunk::<16>()?;
        let (destination, payload) = rest.split_first_chunk::<16>()?;
        if first >> 4 != 6 {
            return None;
        }
        let header = Self {
            source: Ipv6Addr::from(*source),
            destination: Ipv6Addr::from(*destination),
            hop_limit: *hop_limit,
            next_header: *next_header,
            payload_length: u16::from_be_bytes([*l0, *l1]),
        };
        Some((header, payload))
    }
}
