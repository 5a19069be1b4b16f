//! Golden bytes, the round trip, and that no bytes at all make the parser panic.

use alloc::vec::Vec;
use core::net::IpAddr;

use proptest::prelude::*;
use types::{Centiseconds, Claim, Family, Priority, Version, Vrid};

use super::{Advert, Coverage, Message, ParseError};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn claim(priority: u8) -> Claim {
    Claim::At(Priority::new(priority).unwrap())
}

/// Recorded from a running keepalived 2.4.3: version 2, password "12345678", priority 150.
#[test]
fn version_2_with_password_is_keepaliveds_to_the_byte() {
    let message = Message {
        version: Version::V2,
        vrid: Vrid::new(0x33).unwrap(),
        claim: claim(150),
        advert_int: Centiseconds::from_seconds(1),
        addresses: &[ip("10.9.0.100"), ip("10.9.0.101")],
        auth_pass: Some(b"12345678"),
        family: Family::V4,
        between: (ip("10.9.0.1"), ip("224.0.0.18")),
    };
    let recorded = [
        0x21, 0x33, 0x96, 0x02, 0x01, 0x01, 0x62, 0x19, 0x0a, 0x09, 0x00, 0x64, 0x0a, 0x09, 0x00,
        0x65, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38,
    ];
    assert_eq!(message.encode(), recorded);

    let advert = Advert::parse(Family::V4, &recorded).unwrap();
    assert!(advert.checksum_is_right(ip("10.9.0.1"), ip("224.0.0.18")));
    assert_eq!(
        (advert.version, advert.packet_type, advert.vrid),
        (2, 1, 0x33)
    );
    assert_eq!(advert.claim, claim(150));
    assert_eq!(advert.advert_int, Centiseconds::new(100));
    assert_eq!(advert.auth_type, super::auth_type::PASS);
    assert_eq!(advert.auth_data, Some(b"12345678"));
    assert_eq!(
        advert.addresses.iter().collect::<Vec<_>>(),
        [ip("10.9.0.100"), ip("10.9.0.101")]
    );
}

#[test]
fn version_3_covers_the_pseudo_header() {
    let between = (ip("198.18.0.1"), ip("224.0.0.18"));
    let message = Message {
        version: Version::V3,
        vrid: Vrid::new(1).unwrap(),
        claim: Claim::Leaving,
        advert_int: Centiseconds::new(4095),
        addresses: &[ip("198.18.0.100")],
        auth_pass: None,
        family: Family::V4,
        between,
    };
    let bytes = message.encode();
    assert_eq!(bytes[..6], [0x31, 1, 0, 1, 0x0f, 0xff]);
    let advert = Advert::parse(Family::V4, &bytes).unwrap();
    assert!(advert.checksum_is_right(between.0, between.1));
    assert!(
        !advert.checksum_is_right(ip("198.18.0.2"), between.1),
        "another sender, another sum"
    );
    assert_eq!(advert.claim, Claim::Leaving);
}

/// Which sums each kind of checksum passes for: version 2 and IPv6 know one kind only.
#[test]
fn what_a_checksum_covers() {
    let (source, destination, other) = (ip("198.18.0.1"), ip("198.18.0.2"), ip("224.0.0.18"));
    let message = |version, family| Message {
        version,
        vrid: Vrid::new(1).unwrap(),
        claim: claim(100),
        advert_int: Centiseconds::new(100),
        addresses: &[],
        auth_pass: None,
        family,
        between: match family {
            Family::V4 => (source, destination),
            Family::V6 => (ip("fe80::1"), ip("fe80::2")),
        },
    };
    let passes = |version, family, sent: Coverage, expected: Coverage, to: IpAddr| {
        let bytes = message(version, family).encode_covering(sent);
        let advert = Advert::parse(family, &bytes).unwrap();
        let from = message(version, family).between.0;
        advert.checksum_covers(expected, from, to)
    };
    let (v4, v6) = (Family::V4, Family::V6);
    use Coverage::{Message as Alone, PseudoHeader};
    assert!(passes(
        Version::V3,
        v4,
        PseudoHeader,
        PseudoHeader,
        destination
    ));
    assert!(!passes(Version::V3, v4, PseudoHeader, PseudoHeader, other));
    assert!(!passes(Version::V3, v4, PseudoHeader, Alone, destination));
    assert!(passes(Version::V3, v4, Alone, Alone, destination));
    assert!(passes(Version::V3, v4, Alone, Alone, other));
    assert!(!passes(Version::V3, v4, Alone, PseudoHeader, destination));
    for sent in [Alone, PseudoHeader] {
        for expected in [Alone, PseudoHeader] {
            assert!(passes(Version::V2, v4, sent, expected, other));
            assert!(passes(Version::V3, v6, sent, expected, ip("fe80::3")));
        }
    }
}

#[test]
fn lengths() {
    // Priority 100, one address, version 3: 12 bytes over IPv4, 24 over IPv6.
    let header = [0x31, 7, 100, 1, 0, 100, 0, 0];
    let of_length = |length: usize| {
        let mut bytes = header.to_vec();
        bytes.resize(length, 0);
        bytes
    };
    let expected = |family, length: usize| {
        Advert::parse(family, &of_length(length)).map(|advert| advert.length())
    };
    for length in 8..12 {
        assert_eq!(
            expected(Family::V4, length),
            Err(ParseError {
                got: length,
                expected: 12
            })
        );
    }
    assert_eq!(expected(Family::V4, 12), Ok(12));
    assert!(expected(Family::V4, 13).is_err());
    assert_eq!(expected(Family::V4, 14), Ok(12), "padding of two bytes");
    assert_eq!(expected(Family::V4, 18), Ok(12), "padding of six bytes");
    assert!(
        expected(Family::V4, 16).is_err(),
        "four bytes could be an address"
    );
    assert_eq!(expected(Family::V6, 24), Ok(24));
    assert!(
        expected(Family::V6, 26).is_err(),
        "no IPv6 packet is that short"
    );
    for length in 0..8 {
        assert!(Advert::parse(Family::V4, &header[..length]).is_err());
    }
}

type AnyMessage = (Version, Family, u8, u8, u16, Vec<[u8; 16]>, Option<[u8; 8]>);

fn any_message() -> impl Strategy<Value = AnyMessage> {
    (
        prop_oneof![Just(Version::V2), Just(Version::V3)],
        prop_oneof![Just(Family::V4), Just(Family::V6)],
        1..=255_u8,
        any::<u8>(),
        1..=255_u16,
        prop::collection::vec(any::<[u8; 16]>(), 0..40),
        any::<Option<[u8; 8]>>(),
    )
}

proptest! {
    #[test]
    fn what_is_encoded_is_parsed((version, family, vrid, priority, seconds, addresses, pass) in any_message()) {
        let addresses: Vec<IpAddr> = addresses
            .iter()
            .map(|bytes| match family {
                Family::V4 => IpAddr::from(*bytes.first_chunk::<4>().unwrap()),
                Family::V6 => IpAddr::from(*bytes),
            })
            .collect();
        let between = match family {
            Family::V4 => (ip("198.18.0.1"), ip("224.0.0.18")),
            Family::V6 => (ip("fe80::1"), ip("ff02::12")),
        };
        let advert_int = match version {
            Version::V2 => Centiseconds::new(seconds * 100),
            Version::V3 => Centiseconds::new(seconds * 16),
        };
        let pass = pass.filter(|_| version == Version::V2);
        let message = Message {
            version,
            vrid: Vrid::new(vrid).unwrap(),
            claim: Claim::from_wire(priority),
            advert_int,
            addresses: &addresses,
            auth_pass: pass.as_ref(),
            family,
            between,
        };
        let bytes = message.encode();
        let advert = Advert::parse(family, &bytes).unwrap();
        prop_assert_eq!(advert.version, version.number());
        prop_assert_eq!(advert.vrid, vrid);
        prop_assert_eq!(advert.claim, Claim::from_wire(priority));
        prop_assert_eq!(advert.advert_int, advert_int);
        prop_assert_eq!(advert.addresses.iter().collect::<Vec<_>>(), addresses);
        prop_assert!(advert.checksum_is_right(between.0, between.1));
        // One flipped bit anywhere is noticed, where the sum is ours to check.
        if family == Family::V4 {
            for at in 0..bytes.len() {
                let mut broken = bytes.clone();
                broken[at] ^= 0x10;
                if let Ok(advert) = Advert::parse(family, &broken) {
                    let same_rules = advert.version == version.number();
                    prop_assert!(!same_rules || !advert.checksum_is_right(between.0, between.1), "byte {}", at);
                }
            }
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for family in [Family::V4, Family::V6] {
            if let Ok(advert) = Advert::parse(family, &bytes) {
                prop_assert!(advert.length() <= bytes.len());
                prop_assert_eq!(advert.addresses.iter().count(), usize::from(bytes[3]));
            }
        }
    }
}
