use alloc::vec;

use proptest::prelude::*;

use super::*;

/// Small numbers at both ends, so that claims meet.
const ADDRESSES: u8 = 12;

fn at(v6: bool, place: u8) -> IpAddr {
    let (v4, v6_bits) = if place < ADDRESSES / 2 {
        (u32::from(place), u128::from(place))
    } else {
        let down = ADDRESSES - 1 - place;
        (u32::MAX - u32::from(down), u128::MAX - u128::from(down))
    };
    if v6 {
        IpAddr::V6(Ipv6Addr::from_bits(v6_bits))
    } else {
        IpAddr::V4(Ipv4Addr::from_bits(v4))
    }
}

fn a_claim() -> impl Strategy<Value = MarkClaim> {
    let port = prop_oneof![
        Just(0),
        Just(1),
        Just(2),
        Just(80),
        Just(65534),
        Just(65535)
    ];
    let protocol = prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp)];
    (
        any::<bool>(),
        0..ADDRESSES,
        0..ADDRESSES,
        port,
        protocol,
        1..9_u32,
    )
        .prop_map(|(v6, a, b, port, protocol, mark)| MarkClaim {
            protocol,
            first: at(v6, a.min(b)),
            last: at(v6, a.max(b)),
            port,
            mark,
        })
}

/// What an entry says of a packet.
fn covers(range: &MarkRange, protocol: Protocol, to: IpAddr, port: u16) -> bool {
    range.protocol == protocol
        && range.family() == Family::of(to)
        && (range.first..=range.last).contains(&to)
        && (range.first_port..=range.last_port).contains(&port)
}

proptest! {
    #[test]
    fn each_packet_gets_the_mark_of_its_first_claim(
        claims in proptest::collection::vec(a_claim(), 0..8)
    ) {
        let marks = Marks::of(claims.iter().copied());
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            for to in (0..ADDRESSES).flat_map(|place| [at(false, place), at(true, place)]) {
                let of_address = |claim: &&MarkClaim| {
                    claim.protocol == protocol && Family::of(claim.first) == Family::of(to)
                        && (claim.first..=claim.last).contains(&to)
                };
                for port in [0, 1, 2, 3, 79, 80, 81, 65533, 65534, 65535] {
                    let claim = claims.iter().filter(of_address).find(|claim| claim.port == port && port != 0)
                        .or_else(|| claims.iter().filter(of_address).find(|claim| claim.port == 0));
                    let found: Vec<u32> = marks.iter()
                        .filter(|(range, _)| covers(range, protocol, to, port))
                        .map(|(_, mark)| mark)
                        .collect();
                    let expected: Vec<u32> = claim.map(|claim| claim.mark).into_iter().collect();
                    prop_assert_eq!(found, expected, "{} {}", to, port);
                }
            }
        }
        for (range, _) in marks.iter() {
            prop_assert!(range.first <= range.last && range.first_port <= range.last_port);
            prop_assert_eq!(Family::of(range.first), Family::of(range.last));
        }
    }

    #[test]
    fn the_changes_make_one_of_the_other(
        before in proptest::collection::vec(a_claim(), 0..8),
        after in proptest::collection::vec(a_claim(), 0..8),
    ) {
        let (have, want) = (Marks::of(before), Marks::of(after));
        let mut entries = have.entries.clone();
        for family in [Family::V4, Family::V6] {
            let changes = have.changes(&want, family);
            for (range, mark) in changes.remove {
                prop_assert_eq!(entries.remove(&range), Some(mark));
            }
            for (range, mark) in changes.add {
                prop_assert_eq!(entries.insert(range, mark), None);
                prop_assert_eq!(range.family(), family);
            }
            prop_assert_eq!(have.changes(&have, family), MarkChanges::default());
        }
        prop_assert_eq!(entries, want.entries);
    }
}

#[test]
fn every_port_but_those_that_somebody_names() {
    let claim = |first: u8, last: u8, port, mark| MarkClaim {
        protocol: Protocol::Tcp,
        first: IpAddr::from([10, 0, 0, first]),
        last: IpAddr::from([10, 0, 0, last]),
        port,
        mark,
    };
    let told = |claims: Vec<MarkClaim>| -> Vec<([u8; 2], [u16; 2], u32)> {
        let marks = Marks::of(claims);
        let last_byte = |address| number(address).to_be_bytes()[15];
        marks
            .iter()
            .map(|(range, mark)| {
                (
                    [last_byte(range.first), last_byte(range.last)],
                    [range.first_port, range.last_port],
                    mark,
                )
            })
            .collect()
    };
    assert_eq!(
        told(vec![
            claim(1, 9, 0, 7),
            claim(3, 4, 80, 8),
            claim(4, 4, 65535, 9)
        ]),
        [
            ([1, 2], [0, 65535], 7),
            ([3, 3], [0, 79], 7),
            ([3, 3], [81, 65535], 7),
            ([3, 4], [80, 80], 8),
            ([4, 4], [0, 79], 7),
            ([4, 4], [81, 65534], 7),
            ([4, 4], [65535, 65535], 9),
            ([5, 9], [0, 65535], 7),
        ]
    );
    let nothing = MarkClaim {
        last: IpAddr::from([0; 16]),
        ..claim(1, 1, 80, 7)
    };
    assert!(Marks::of([nothing, claim(9, 1, 80, 7)]).is_empty());
}
