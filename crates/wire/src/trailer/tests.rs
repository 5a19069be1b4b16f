//! The vectors that keepalived 2.4.3 accepts, and what becomes of every bit that is changed in one.

use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::vrrp::Advert;

/// A vector: which key, version, VRID, source, message, trailer.
type Vector = (Key, Version, u8, &'static str, &'static str, &'static str);

#[derive(Clone, Copy, Debug)]
enum Key {
    A,
    B,
    C,
}

impl Key {
    fn id(self) -> u8 {
        match self {
            Self::A => 1,
            Self::B => 7,
            Self::C => 255,
        }
    }

    fn bytes(self) -> Vec<u8> {
        match self {
            Self::A => (0..0x20).collect(),
            Self::B => b"an-ascii-passphrase-of-forty-two-bytes-ok!".to_vec(),
            Self::C => (0x80..0xc0).collect(),
        }
    }
}

/// T1 to T8 of the specification.
const VECTORS: [Vector; 8] = [
    (
        Key::A,
        Version::V3,
        51,
        "198.51.100.10",
        "3133c8010064573dc0000264",
        "0101000068000000800000001b84bc4e8e43892dc6d98448f8ee2265",
    ),
    (
        Key::A,
        Version::V3,
        51,
        "198.51.100.10",
        "3133c80100644402c0000264",
        "0101000068000000800000001b84bc4e8e43892dc6d98448f8ee2265",
    ),
    (
        Key::A,
        Version::V3,
        51,
        "fe80::10",
        "3133c8010064a2e9fe800000000000000000000000000100",
        "010100006800000080000000c8c56146ebfd66ee10ec4d8186461b78",
    ),
    (
        Key::A,
        Version::V2,
        51,
        "198.51.100.10",
        "2133c80100015465c00002640000000000000000",
        "010100006800000080000000d0b9391b8d008f779ef2e8cf66238947",
    ),
    (
        Key::B,
        Version::V3,
        7,
        "10.1.2.1",
        "31079602003234260a0102030a010204",
        "0107000069000001fffe0003857dc1062cc79e3a6b7dfff39fd24055",
    ),
    (
        Key::B,
        Version::V2,
        7,
        "10.1.2.1",
        "210700020002c6eb0a0102030a0102040000000000000000",
        "01070000690000020001ffff11447fef773fef079e6aa5a86b87cd70",
    ),
    (
        Key::B,
        Version::V3,
        255,
        "fe80::a:b",
        "31fffe020fff16f7fe80000000000000000000000001000120010db8000000000000000000010001",
        "0107000069000003000000004f04c9d057f0cdaa53b333def541591c",
    ),
    (
        Key::C,
        Version::V3,
        1,
        "192.0.2.11",
        "3101640100642403c0000201",
        "01ff0000fffffffffffffffff25020052ee8c6dd4bd5759a2a1200dd",
    ),
];

/// What the signature of T1 was made of, and all of it.
const T1_INPUT: &str = "04033300c633640a0000000000000000000000003133c80100640000c000026401010000680000008000000000000000000000000000000000000000";
const T1_HMAC: &str = "1b84bc4e8e43892dc6d98448f8ee2265f674824d1bfd1c6e62aa1b5f4312fe4a";

fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn signed<'a>(vector: &Vector, message: &'a [u8]) -> Signed<'a> {
    Signed {
        version: vector.1,
        vrid: Vrid::new(vector.2).unwrap(),
        source: vector.3.parse().unwrap(),
        message,
    }
}

fn trailer(vector: &Vector) -> (Vec<u8>, Trailer) {
    let bytes = bytes(vector.5);
    let trailer = Trailer::parse(bytes.first_chunk().unwrap()).unwrap();
    (bytes, trailer)
}

#[test]
fn every_vector_is_made_and_accepted() {
    for vector in &VECTORS {
        let message = bytes(vector.4);
        let (bytes, expected) = trailer(vector);
        let signed = signed(vector, &message);
        let key = vector.0.bytes();
        let made = Trailer::sign(vector.0.id(), expected.sequence, &key, &signed);
        assert_eq!(made, expected, "{vector:?}");
        assert_eq!(made.encode().as_slice(), bytes, "{vector:?}");
        assert!(expected.is_signed_with(&key, &signed), "{vector:?}");
        let family = Family::of(signed.source);
        let whole = [message.as_slice(), &bytes].concat();
        let (head, tail) = Advert::split_trailer(family, &whole);
        assert_eq!(
            (head, tail.unwrap().as_slice()),
            (message.as_slice(), bytes.as_slice())
        );
        assert!(Advert::parse(family, head).is_ok() && Advert::parse(family, &whole).is_err());
        for other in [Key::A, Key::B, Key::C] {
            let same = other.id() == vector.0.id();
            assert_eq!(
                expected.is_signed_with(&other.bytes(), &signed),
                same,
                "{other:?}"
            );
        }
    }
}

#[test]
fn the_input_of_the_signature_is_the_one_of_the_specification() {
    let key = Key::A.bytes();
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&key).unwrap();
    mac.update(&bytes(T1_INPUT));
    assert_eq!(mac.finalize().into_bytes().as_slice(), bytes(T1_HMAC));
    assert_eq!(bytes(T1_HMAC)[..16], bytes(VECTORS[0].5)[12..]);
}

#[test]
fn every_changed_bit_is_noticed_but_the_checksums() {
    for vector in &VECTORS {
        let message = bytes(vector.4);
        let (trailer_bytes, _) = trailer(vector);
        let key = vector.0.bytes();
        for bit in 0..8 * message.len() {
            let mut changed = message.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let (_, trailer) = trailer(vector);
            let passes = trailer.is_signed_with(&key, &signed(vector, &changed));
            assert_eq!(
                passes,
                (6..8).contains(&(bit / 8)),
                "bit {bit} of {vector:?}"
            );
        }
        for bit in 0..8 * LENGTH {
            let mut changed: [u8; LENGTH] = *trailer_bytes.first_chunk().unwrap();
            changed[bit / 8] ^= 1 << (bit % 8);
            match Trailer::parse(&changed) {
                // Type and reserved bytes.
                None => assert!([0, 2, 3].contains(&(bit / 8)), "bit {bit}"),
                Some(trailer) => {
                    assert!(
                        !trailer.is_signed_with(&key, &signed(vector, &message)),
                        "bit {bit}"
                    );
                }
            }
        }
        // What is not in the message: version and VRID of the receiver, source of the packet.
        let (_, trailer) = trailer(vector);
        let right = signed(vector, &message);
        let other_version = if right.version == Version::V2 {
            Version::V3
        } else {
            Version::V2
        };
        for wrong in [
            Signed {
                version: other_version,
                ..right
            },
            Signed {
                vrid: Vrid::new(99).unwrap(),
                ..right
            },
            Signed {
                source: "10.1.2.9".parse().unwrap(),
                ..right
            },
            Signed {
                source: "fe80::99".parse().unwrap(),
                ..right
            },
        ] {
            assert!(!trailer.is_signed_with(&key, &wrong), "{wrong:?}");
        }
    }
}

#[test]
fn a_message_without_a_checksum_has_no_signature() {
    let signed = Signed {
        message: &[0x31; 7],
        ..signed(&VECTORS[0], &[])
    };
    let trailer = Trailer::sign(1, 1, &Key::A.bytes(), &signed);
    assert_eq!(trailer.signature, [0; SIGNATURE_LENGTH]);
    assert!(!trailer.is_signed_with(&Key::A.bytes(), &signed));
}

proptest! {
    #[test]
    fn a_trailer_is_found_exactly_behind_a_message(
        count in 0_u8..20,
        version in 1_u8..4,
        extra in 0_usize..64,
        v6: bool,
    ) {
        let family = if v6 { Family::V6 } else { Family::V4 };
        let mut message = Vec::from([version << 4 | 1, 51, 100, count, 0, 100, 0, 0]);
        message.resize(8 + usize::from(count) * family.address_length(), 7);
        if version == 2 && !v6 {
            message.resize(message.len() + 8, 0);
        }
        let length = message.len();
        message.resize(length + extra, 9);
        let (head, tail) = Advert::split_trailer(family, &message);
        prop_assert_eq!(tail.is_some(), extra == LENGTH);
        prop_assert_eq!(head.len(), if extra == LENGTH { length } else { length + extra });
    }

    #[test]
    fn any_bytes_read_and_written_are_the_same(any: [u8; 28]) {
        match Trailer::parse(&any) {
            Some(trailer) => prop_assert_eq!(trailer.encode(), any),
            None => prop_assert!(any[0] != 1 || any[2..4] != [0, 0]),
        }
    }
}
