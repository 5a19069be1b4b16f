//! Gratuitous ARP (RFC 826, RFC 5227 section 1.1): "this address is at this Ethernet address".

use core::net::Ipv4Addr;

use types::MacAddress;

use crate::ethernet;

/// Bytes in a gratuitous ARP frame, Ethernet header included.
pub const FRAME_LENGTH: usize = ethernet::HEADER_LENGTH + 28;

/// An announcement of an IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GratuitousArp {
    /// The address that is announced.
    pub address: Ipv4Addr,
    /// Where it is now.
    pub mac: MacAddress,
}

impl GratuitousArp {
    /// The frame: a broadcast *request* whose sender and target address are the same, target hardware address
    /// all ones. That is what keepalived sends, and what every switch and host knows how to read.
    #[must_use]
    pub fn encode(&self) -> [u8; FRAME_LENGTH] {
        let mut frame = [0; FRAME_LENGTH];
        let (header, body) = frame.split_at_mut(ethernet::HEADER_LENGTH);
        let ethernet = ethernet::Header {
            destination: MacAddress::BROADCAST,
            source: self.mac,
            ethertype: ethernet::ARP,
        };
        header.copy_from_slice(&ethernet.encode());
        let [m0, m1, m2, m3, m4, m5] = self.mac.0;
        let [a0, a1, a2, a3] = self.address.octets();
        body.copy_from_slice(&[
            0, 1, // hardware: Ethernet
            8, 0, // protocol: IPv4
            6, 4, // lengths of their addresses
            0, 1, // request
            m0, m1, m2, m3, m4, m5, a0, a1, a2, a3, // sender
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, a0, a1, a2, a3, // target
        ]);
        frame
    }

    /// Reads a captured frame; `None` unless it announces an address.
    #[must_use]
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let (ethernet, body) = ethernet::Header::parse(frame)?;
        let ([0, 1, 8, 0, 6, 4, 0, 1 | 2], rest) = body.split_first_chunk::<8>()? else {
            return None;
        };
        let (mac, rest) = rest.split_first_chunk::<6>()?;
        let (sender, rest) = rest.split_first_chunk::<4>()?;
        let (_target_mac, rest) = rest.split_first_chunk::<6>()?;
        let target = rest.first_chunk::<4>()?;
        let announces = ethernet.ethertype == ethernet::ARP && sender == target;
        announces.then(|| Self {
            address: Ipv4Addr::from(*sender),
            mac: MacAddress(*mac),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes() {
        let arp = GratuitousArp {
            address: Ipv4Addr::new(198, 18, 0, 100),
            mac: MacAddress([2, 0, 0, 0, 0, 0xa]),
        };
        let frame = arp.encode();
        let expected = [
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 0xa, 8, 6, //
            0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 0xa, 198, 18, 0, 100, //
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 198, 18, 0, 100,
        ];
        assert_eq!(frame, expected);
        assert_eq!(GratuitousArp::parse(&frame), Some(arp));
        assert!((0..FRAME_LENGTH).all(|length| GratuitousArp::parse(&frame[..length]).is_none()));
    }
}
