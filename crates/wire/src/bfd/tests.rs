//! The RFC's layout, recorded packets, every refusal and their order, the round trip, and that no bytes panic.

use alloc::string::ToString;
use core::num::{NonZeroU8, NonZeroU32};
use core::time::Duration;

use proptest::prelude::*;

use super::{ControlPacket, Diagnostic, LENGTH, LONGEST_INTERVAL, Refusal, State};

const PLAIN: ControlPacket = ControlPacket {
    diagnostic: Diagnostic::None,
    state: State::Down,
    poll: false,
    is_final: false,
    control_plane_independent: false,
    authenticated: false,
    demand: false,
    multiplier: NonZeroU8::MIN,
    my_discriminator: NonZeroU32::MIN,
    your_discriminator: 0,
    desired_min_tx: Duration::ZERO,
    required_min_rx: Duration::ZERO,
    required_min_echo_rx: Duration::ZERO,
};

fn read(bytes: &[u8]) -> Result<ControlPacket, Refusal> {
    ControlPacket::decode(bytes, bytes.len())
}

/// `PLAIN` with bytes of ours in it, as `(at, byte)`.
fn spoilt(changes: &[(usize, u8)]) -> [u8; LENGTH] {
    let mut bytes = PLAIN.encode();
    for (at, byte) in changes {
        bytes[*at] = *byte;
    }
    bytes
}

#[test]
fn the_layout_of_the_rfc() {
    let packet = ControlPacket {
        diagnostic: Diagnostic::PathDown,
        state: State::Init,
        multiplier: NonZeroU8::new(3).unwrap(),
        my_discriminator: NonZeroU32::new(0x0102_0304).unwrap(),
        your_discriminator: 0x0506_0708,
        desired_min_tx: Duration::from_micros(0x090a_0b0c),
        required_min_rx: Duration::from_micros(0x0d0e_0f10),
        required_min_echo_rx: Duration::from_micros(0x1112_1314),
        ..PLAIN
    };
    let bytes = [
        0x25, 0x80, 3, 24, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
    ];
    assert_eq!(packet.encode(), bytes);
    assert_eq!(read(&bytes), Ok(packet));
}

#[test]
fn each_flag_has_its_bit() {
    let table = [
        (
            ControlPacket {
                poll: true,
                ..PLAIN
            },
            0x60,
        ),
        (
            ControlPacket {
                is_final: true,
                ..PLAIN
            },
            0x50,
        ),
        (
            ControlPacket {
                control_plane_independent: true,
                ..PLAIN
            },
            0x48,
        ),
        (
            ControlPacket {
                authenticated: true,
                ..PLAIN
            },
            0x44,
        ),
        (
            ControlPacket {
                demand: true,
                ..PLAIN
            },
            0x42,
        ),
    ];
    for (packet, second) in table {
        let bytes = packet.encode();
        assert_eq!(bytes, spoilt(&[(1, second)]));
        assert_eq!(read(&bytes), Ok(packet));
    }
}

#[test]
fn numbers_and_words() {
    for (number, state) in (0..).zip(State::ALL) {
        let packet = ControlPacket {
            state,
            your_discriminator: 1,
            ..PLAIN
        };
        assert_eq!(state.number(), number);
        assert_eq!(packet.encode()[1], number << 6);
        assert_eq!(read(&packet.encode()), Ok(packet));
    }
    for (number, diagnostic) in (0..).zip(Diagnostic::ALL) {
        let packet = ControlPacket {
            diagnostic,
            ..PLAIN
        };
        assert_eq!(diagnostic.number(), number);
        assert_eq!(packet.encode()[0], 0x20 | number);
        assert_eq!(read(&packet.encode()), Ok(packet));
    }
    assert_eq!(
        State::ALL.map(|s| s.to_string()),
        ["AdminDown", "Down", "Init", "Up"]
    );
    assert_eq!(
        Diagnostic::ALL.map(|d| d.to_string()),
        [
            "No Diagnostic",
            "Control Detection Time Expired",
            "Echo Function Failed",
            "Neighbor Signaled Session Down",
            "Forwarding Plane Reset",
            "Path Down",
            "Concatenated Path Down",
            "Administratively Down",
            "Reverse Concatenated Path Down",
        ]
    );
}

/// `min_rx 200`, `min_tx 300`, `multiplier 4` in Debian's keepalived 2.2.7: its first packet, and the answer to a poll.
#[test]
fn packets_of_keepalived() {
    let first = [
        0x20, 0x40, 0x04, 0x18, 0x4e, 0x95, 0xe7, 0xce, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0f, 0x42,
        0x40, 0x00, 0x03, 0x0d, 0x40, 0x00, 0x00, 0x00, 0x00,
    ];
    let down = ControlPacket {
        multiplier: NonZeroU8::new(4).unwrap(),
        my_discriminator: NonZeroU32::new(0x4e95_e7ce).unwrap(),
        desired_min_tx: Duration::from_secs(1),
        required_min_rx: Duration::from_millis(200),
        ..PLAIN
    };
    assert_eq!(read(&first), Ok(down));
    assert_eq!(down.encode(), first);

    let answer = [
        0x20, 0xd0, 0x04, 0x18, 0x4e, 0x95, 0xe7, 0xce, 0x4e, 0x95, 0xe7, 0xce, 0x00, 0x04, 0x93,
        0xe0, 0x00, 0x03, 0x0d, 0x40, 0x00, 0x00, 0x00, 0x00,
    ];
    let up = ControlPacket {
        state: State::Up,
        is_final: true,
        // Two of them draw the same first number.
        your_discriminator: 0x4e95_e7ce,
        desired_min_tx: Duration::from_millis(300),
        ..down
    };
    assert_eq!(read(&answer), Ok(up));
    assert_eq!(up.encode(), answer);
}

/// bfdd of FRR 8.4.4 with `detect-multiplier 4`, `receive-interval 350`, `transmit-interval 450`, as it polls.
#[test]
fn a_packet_of_frr() {
    let recorded = [
        0x20, 0xe0, 0x04, 0x18, 0x08, 0xef, 0xcd, 0x41, 0x37, 0x37, 0x11, 0x9f, 0x00, 0x06, 0xdd,
        0xd0, 0x00, 0x05, 0x57, 0x30, 0x00, 0x00, 0xc3, 0x50,
    ];
    let packet = ControlPacket {
        state: State::Up,
        poll: true,
        multiplier: NonZeroU8::new(4).unwrap(),
        my_discriminator: NonZeroU32::new(0x08ef_cd41).unwrap(),
        your_discriminator: 0x3737_119f,
        desired_min_tx: Duration::from_millis(450),
        required_min_rx: Duration::from_millis(350),
        required_min_echo_rx: Duration::from_millis(50),
        ..PLAIN
    };
    assert_eq!(read(&recorded), Ok(packet));
    assert_eq!(packet.encode(), recorded);
}

#[test]
fn refusals_and_their_words() {
    let table = [
        (
            spoilt(&[(3, 23)]),
            "length field 23, 24 wanted, as many bytes as came",
        ),
        (
            spoilt(&[(3, 26)]),
            "length field 26, 24 wanted, as many bytes as came",
        ),
        (spoilt(&[(0, 0x00)]), "version 0, 1 wanted"),
        (spoilt(&[(0, 0x40)]), "version 2, 1 wanted"),
        (spoilt(&[(2, 0)]), "detection multiplier 0, 1 to 255 wanted"),
        (spoilt(&[(1, 0x41)]), "multipoint bit 1, 0 wanted"),
        (spoilt(&[(7, 0)]), "my discriminator 0, another wanted"),
        (
            spoilt(&[(1, 0x80)]),
            "your discriminator 0 with state Init, our discriminator or state Down or AdminDown wanted",
        ),
        (
            spoilt(&[(1, 0xc0)]),
            "your discriminator 0 with state Up, our discriminator or state Down or AdminDown wanted",
        ),
        (
            spoilt(&[(1, 0x70)]),
            "poll bit 1 and final bit 1, at most one of them wanted",
        ),
        (spoilt(&[(0, 0x29)]), "diagnostic 9, 0 to 8 wanted"),
        (spoilt(&[(0, 0x3f)]), "diagnostic 31, 0 to 8 wanted"),
    ];
    for (bytes, words) in table {
        assert_eq!(read(&bytes).unwrap_err().to_string(), words);
    }
    assert_eq!(
        read(&[]).unwrap_err().to_string(),
        "0 bytes, at least 24 wanted"
    );
}

/// Whoever breaks several rules hears of the first; one repaired after another, all are heard of, in keepalived's order.
#[test]
fn the_order_of_refusals() {
    let mut bytes = spoilt(&[(0, 0x5f), (1, 0xf1), (2, 0), (3, 30), (7, 0)]);
    assert_eq!(read(&bytes[..23]), Err(Refusal::TooShort { got: 23 }));
    let repairs = [
        (
            Refusal::Length {
                field: 30,
                received: 24,
            },
            3,
            24,
        ),
        (Refusal::Version(2), 0, 0x3f),
        (Refusal::Multiplier, 2, 1),
        (Refusal::Multipoint, 1, 0xf0),
        (Refusal::MyDiscriminator, 7, 1),
        (Refusal::YourDiscriminator(State::Up), 11, 1),
        (Refusal::PollAndFinal, 1, 0xe0),
        (Refusal::Diagnostic(31), 0, 0x28),
    ];
    for (refusal, at, byte) in repairs {
        assert_eq!(read(&bytes), Err(refusal));
        bytes[at] = byte;
    }
    assert!(read(&bytes).is_ok());
}

/// The length field is compared with the datagram's length, not with that of the buffer.
#[test]
fn lengths() {
    let long = spoilt(&[(3, 28)]);
    let mut all = long.to_vec();
    all.extend([0xff; 4]);
    assert_eq!(read(&all), Ok(PLAIN), "what follows is nobody's business");
    assert_eq!(
        ControlPacket::decode(&long, 28),
        Ok(PLAIN),
        "cut by the reader"
    );
    assert_eq!(
        ControlPacket::decode(&long, 284),
        Err(Refusal::Length {
            field: 28,
            received: 284
        }),
        "compared as they are, not as bytes"
    );
    assert_eq!(
        ControlPacket::decode(&PLAIN.encode(), 23),
        Err(Refusal::TooShort { got: 23 })
    );
    for length in 0..LENGTH {
        let refusal = Err(Refusal::TooShort { got: length });
        assert_eq!(read(&PLAIN.encode()[..length]), refusal);
    }
}

#[test]
fn intervals_saturate() {
    let sent = |interval| {
        ControlPacket {
            required_min_rx: interval,
            ..PLAIN
        }
        .encode()[16..20]
            .to_vec()
    };
    assert_eq!(sent(Duration::from_nanos(1_999)), [0, 0, 0, 1]);
    assert_eq!(sent(LONGEST_INTERVAL), [0xff; 4]);
    assert_eq!(sent(LONGEST_INTERVAL + Duration::from_micros(1)), [0xff; 4]);
    assert_eq!(sent(Duration::MAX), [0xff; 4]);
}

fn any_packet() -> impl Strategy<Value = ControlPacket> {
    let micros = || any::<u32>().prop_map(|micros| Duration::from_micros(micros.into()));
    (
        (0..9_usize, 0..4_usize, any::<[bool; 5]>(), 1..=255_u8),
        (1..=u32::MAX, prop_oneof![Just(0), any::<u32>()]),
        (micros(), micros(), micros()),
    )
        .prop_map(
            |(
                (diagnostic, state, flags, multiplier),
                (mine, yours),
                (desired_min_tx, required_min_rx, required_min_echo_rx),
            )| {
                let [
                    poll,
                    is_final,
                    control_plane_independent,
                    authenticated,
                    demand,
                ] = flags;
                ControlPacket {
                    diagnostic: Diagnostic::ALL[diagnostic],
                    // Who is further has heard our discriminator.
                    state: State::ALL[if yours == 0 { state % 2 } else { state }],
                    poll,
                    is_final: is_final && !poll,
                    control_plane_independent,
                    authenticated,
                    demand,
                    multiplier: NonZeroU8::new(multiplier).unwrap(),
                    my_discriminator: NonZeroU32::new(mine).unwrap(),
                    your_discriminator: yours,
                    desired_min_tx,
                    required_min_rx,
                    required_min_echo_rx,
                }
            },
        )
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(packet in any_packet()) {
        prop_assert_eq!(read(&packet.encode()), Ok(packet));
    }

    /// No bit is without meaning: another one is another packet or a reason.
    #[test]
    fn a_flipped_bit_is_noticed(packet in any_packet()) {
        let bytes = packet.encode();
        for bit in 0..LENGTH * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 0x80 >> (bit % 8);
            match read(&flipped) {
                Ok(other) => {
                    prop_assert_ne!(other, packet, "bit {}", bit);
                    prop_assert_eq!(other.encode(), flipped, "bit {}", bit);
                }
                Err(refusal) => prop_assert!(refusal.to_string().contains("wanted"), "bit {}", bit),
            }
        }
    }

    /// Packets with foreign bytes in them, cut or longer, in a datagram that may be longer still.
    #[test]
    fn no_bytes_panic(
        packet in any_packet(),
        changes in prop::collection::vec((0..LENGTH, any::<u8>()), 0..4),
        kept in 0..=LENGTH + 8,
        more in 0..8_usize,
    ) {
        let mut bytes = packet.encode().to_vec();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        bytes[3] = u8::try_from(kept + more).unwrap();
        bytes.resize(kept, 0xff);
        let decoded = ControlPacket::decode(&bytes, kept + more);
        if kept < LENGTH {
            prop_assert_eq!(decoded, Err(Refusal::TooShort { got: kept }));
        } else if let Ok(packet) = decoded {
            let again = packet.encode();
            prop_assert_eq!(&again[..3], &bytes[..3]);
            prop_assert_eq!(&again[4..], &bytes[4..LENGTH]);
        }
    }
}
