//! Unsolicited neighbour advertisements (RFC 4861 section 7.2.6): gratuitous ARP's counterpart for IPv6.

use core::net::{IpAddr, Ipv6Addr};

use types::MacAddress;

use crate::checksum::Checksum;
use crate::{ethernet, ipv6};

/// Bytes of the ICMPv6 message: header and flags, target, option.
const MESSAGE_LENGTH: usize = 8 + 16 + 8;
/// Bytes in the frame, Ethernet header included.
pub const FRAME_LENGTH: usize = ethernet::HEADER_LENGTH + ipv6::HEADER_LENGTH + MESSAGE_LENGTH;

const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
const TARGET_LINK_LAYER_ADDRESS: u8 = 2;
const ROUTER: u8 = 0x80;
const OVERRIDE: u8 = 0x20;
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_NODES_MAC: MacAddress = MacAddress([0x33, 0x33, 0, 0, 0, 1]);

/// An announcement of an IPv6 address to all nodes on the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeighbourAdvertisement {
    /// The address that is announced; also the packet's source, as keepalived does it.
    pub address: Ipv6Addr,
    /// Where it is now.
    pub mac: MacAddress,
    /// Whether the sender forwards packets (the R flag).
    pub router: bool,
}

impl NeighbourAdvertisement {
    /// The frame, with the Override flag set: who has another Ethernet address cached replaces it.
    #[must_use]
    pub fn encode(&self) -> [u8; FRAME_LENGTH] {
        let mut message = [0; MESSAGE_LENGTH];
        let (fixed, rest) = message.split_at_mut(8);
        let flags = OVERRIDE | if self.router { ROUTER } else { 0 };
        fixed.copy_from_slice(&[NEIGHBOUR_ADVERTISEMENT, 0, 0, 0, flags, 0, 0, 0]);
        let (target, option) = rest.split_at_mut(16);
        target.copy_from_slice(&self.address.octets());
        let [m0, m1, m2, m3, m4, m5] = self.mac.0;
        option.copy_from_slice(&[TARGET_LINK_LAYER_ADDRESS, 1, m0, m1, m2, m3, m4, m5]);

        let checksum = Checksum::new()
            .with_pseudo_header(
                IpAddr::V6(self.address),
                IpAddr::V6(ALL_NODES),
                ipv6::ICMPV6,
                MESSAGE_LENGTH,
            )
            .with(&message)
            .finish();
        if let Some(field) = message.get_mut(2..4) {
            field.copy_from_slice(&checksum.to_be_bytes());
        }

        let mut frame = [0; FRAME_LENGTH];
        let (header, rest) = frame.split_at_mut(ethernet::HEADER_LENGTH);
        let ethernet = ethernet::Header {
            destination: ALL_NODES_MAC,
            source: self.mac,
            ethertype: ethernet::IPV6,
        };
        header.copy_from_slice(&ethernet.encode());
        let (header, body) = rest.split_at_mut(ipv6::HEADER_LENGTH);
        let packet = ipv6::Header {
            source: self.address,
            destination: ALL_NODES,
            hop_limit: 255,
            next_header: ipv6::ICMPV6,
            payload_length: 32,
        };
        header.copy_from_slice(&packet.encode());
        body.copy_from_slice(&message);
        frame
    }

    /// Reads a captured frame; `None` unless it is a neighbour advertisement with the sender's Ethernet address.
    #[must_use]
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let (ethernet, rest) = ethernet::Header::parse(frame)?;
        let (packet, rest) = ipv6::Header::parse(rest)?;
        let ([NEIGHBOUR_ADVERTISEMENT, 0, _, _, flags, _, _, _], rest) =
            rest.split_first_chunk::<8>()?
        else {
            return None;
        };
        let (target, rest) = rest.split_first_chunk::<16>()?;
        let ([TARGET_LINK_LAYER_ADDRESS, 1], rest) = rest.split_first_chunk::<2>()? else {
            return None;
        };
        let mac = rest.first_chunk::<6>()?;
        if ethernet.ethertype != ethernet::IPV6 || packet.next_header != ipv6::ICMPV6 {
            return None;
        }
        Some(Self {
            address: Ipv6Addr::from(*target),
            mac: MacAddress(*mac),
            router: flags & ROUTER != 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_and_checksum() {
        let advertisement = NeighbourAdvertisement {
            address: "fd00:18::100".parse().unwrap(),
            mac: MacAddress([2, 0, 0, 0, 0, 0xb]),
            router: true,
        };
        let frame = advertisement.encode();
        assert_eq!(
            frame[..14],
            [0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0xb, 0x86, 0xdd]
        );
        assert_eq!(frame[14..22], [0x60, 0, 0, 0, 0, 32, 58, 255]);
        let (header, message) = ipv6::Header::parse(&frame[14..]).unwrap();
        assert_eq!(
            header.source, advertisement.address,
            "the address itself is the source"
        );
        let sum = Checksum::new()
            .with_pseudo_header(
                IpAddr::V6(header.source),
                IpAddr::V6(header.destination),
                58,
                message.len(),
            )
            .with(message);
        assert_eq!(sum.finish(), 0, "the checksum makes the sum vanish");
        assert_eq!(message[4], 0xa0, "Router and Override");
        assert_eq!(NeighbourAdvertisement::parse(&frame), Some(advertisement));
        assert!(
            (0..FRAME_LENGTH)
                .all(|length| NeighbourAdvertisement::parse(&frame[..length]).is_none())
        );
    }
}
