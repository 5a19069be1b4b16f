//! Ethernet II headers.

use types::MacAddress;

/// Bytes in the header.
pub const HEADER_LENGTH: usize = 14;
/// Ethertype of IPv4.
pub const IPV4: u16 = 0x0800;
/// Ethertype of ARP.
pub const ARP: u16 = 0x0806;
/// Ethertype of IPv6.
pub const IPV6: u16 = 0x86dd;

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// To whom.
    pub destination: MacAddress,
    /// From whom.
    pub source: MacAddress,
    /// What follows; see the constants of this module.
    pub ethertype: u16,
}

impl Header {
    /// The bytes on the wire.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_LENGTH] {
        let mut bytes = [0; HEADER_LENGTH];
        let [d0, d1, d2, d3, d4, d5] = self.destination.0;
        let [s0, s1, s2, s3, s4, s5] = self.source.0;
        let [e0, e1] = self.ethertype.to_be_bytes();
        bytes.copy_from_slice(&[d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, e0, e1]);
        bytes
    }

    /// Splits a frame into its header and what follows; `None` when it is too short.
    #[must_use]
    pub fn parse(frame: &[u8]) -> Option<(Self, &[u8])> {
        let (destination, rest) = frame.split_first_chunk::<6>()?;
        let (source, rest) = rest.split_first_chunk::<6>()?;
        let (ethertype, payload) = rest.split_first_chunk::<2>()?;
        let header = Self {
            destination: MacAddress(*destination),
            source: MacAddress(*source),
            ethertype: u16::from_be_bytes(*ethertype),
        };
        Some((header, payload))
    }
}
