//! Packets of Debian's keepalived 2.2.7, and what becomes of every bit that is changed in one.

use alloc::vec::Vec;

use types::{Centiseconds, Claim, Family, Priority, Version, Vrid};

use super::*;
use crate::vrrp::Message;

const KEY: &[u8; 8] = b"secret-7";

/// What keepalived 2.2.7 sent: whole packets.
const PACKETS: [&str; 3] = [
    "45c0004000010000ff3314a4c6120001e000001270040000c612000100000001a39d4222415174bb3965600c2133960102018053c61200640000000000000000",
    "45c0004000020000ff3314a3c6120001e000001270040000c61200010000000283ae0b18c8de4dc8be43c9692133960102018053c61200640000000000000000",
    "45c0004000030000ff3314a2c6120001e000001270040000c612000100000003d384330aef59bebe382e886e2133960102018053c61200640000000000000000",
];

fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn accepted(packet: &[u8]) -> bool {
    let Some(datagram) = ipv4::Datagram::parse(packet) else {
        return false;
    };
    Header::parse(datagram.payload)
        .is_some_and(|(header, message)| header.is_signed_with(KEY, &datagram.header, message))
}

#[test]
fn keepalives_packets_are_accepted_and_made_alike() {
    for (sequence, packet) in (1..).zip(PACKETS) {
        let packet = bytes(packet);
        assert!(accepted(&packet));
        let (source, destination) = (Ipv4Addr::new(198, 18, 0, 1), Ipv4Addr::new(224, 0, 0, 18));
        let message = Message {
            version: Version::V2,
            vrid: Vrid::new(51).unwrap(),
            claim: Claim::At(Priority::new(150).unwrap()),
            advert_int: Centiseconds::from_seconds(1),
            addresses: &["198.18.0.100".parse().unwrap()],
            auth_pass: None,
            family: Family::V4,
            between: (source.into(), destination.into()),
        }
        .encode_behind_ah();
        let ip = ipv4::Header {
            source,
            destination,
            ttl: 255,
            protocol: PROTOCOL,
            identification: u16::try_from(sequence).unwrap(),
            payload_length: u16::try_from(LENGTH + message.len()).unwrap(),
        };
        let header = Header::sign(sequence, KEY, &ip, &message);
        let mut made = [&ip.encode()[..], &header.encode(), &message].concat();
        made[10..12].copy_from_slice(&packet[10..12]);
        assert_eq!(made, packet, "but for the checksum of the IP header");
    }
}

#[test]
fn every_changed_bit_is_noticed_but_those_that_routers_change() {
    let packet = bytes(PACKETS[0]);
    for bit in 0..8 * packet.len() {
        let mut changed = packet.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        // Type of service, fragment field, TTL (which the receiver judges by itself), header checksum.
        let may_change = [1, 6, 7, 8, 10, 11].contains(&(bit / 8));
        assert_eq!(accepted(&changed), may_change, "bit {bit}");
    }
}

#[test]
fn unicast_packets_do_not_cover_the_ttl_but_the_destination() {
    let ip = ipv4::Header {
        source: Ipv4Addr::new(198, 18, 0, 1),
        destination: Ipv4Addr::new(198, 18, 0, 2),
        ttl: 255,
        protocol: PROTOCOL,
        identification: 7,
        payload_length: 32,
    };
    let message = [0x21, 51, 100, 0, 2, 1, 0, 0];
    let header = Header::sign(9, KEY, &ip, &message);
    let farther = ipv4::Header { ttl: 9, ..ip };
    assert!(header.is_signed_with(KEY, &farther, &message));
    let elsewhere = ipv4::Header {
        destination: Ipv4Addr::new(198, 18, 0, 3),
        ..ip
    };
    assert!(!header.is_signed_with(KEY, &elsewhere, &message));
    assert!(!header.is_signed_with(b"Secret-7", &ip, &message));
}

#[test]
fn round_trip_and_every_truncation() {
    let packet = bytes(PACKETS[2]);
    let (header, rest) = Header::parse(&packet[20..]).unwrap();
    assert_eq!(header.encode(), packet[20..44]);
    assert_eq!((header.sequence, rest), (3, &packet[44..]));
    assert!((0..LENGTH).all(|length| Header::parse(&packet[20..20 + length]).is_none()));
}
