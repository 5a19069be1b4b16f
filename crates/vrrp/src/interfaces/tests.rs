use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::testbench::{eth, ip};

const INDEX: u32 = 2;

/// eth0 with 02:00:00:00:00:05, of which fe80::ff:fe00:5 follows, and these addresses in this order.
fn with(addresses: &[&str]) -> Interfaces {
    let index = IfIndex::new(INDEX).unwrap();
    let mut interfaces = Interfaces::default();
    let interface = Interface {
        index,
        name: eth(0),
        usable: true,
        mac: Some(MacAddress([2, 0, 0, 0, 0, 5])),
        kind: InterfaceKind::Other,
        base: None,
        master: None,
    };
    interfaces.present(Instant::ZERO, interface, Delays::default());
    for text in addresses {
        let (text, tentative) = match text.strip_suffix(" tentative") {
            Some(text) => (text, true),
            None => (*text, false),
        };
        interfaces.address_present(InterfaceAddress {
            interface: index,
            prefix: Prefix::new(ip(text), if text.contains(':') { 64 } else { 24 }).unwrap(),
            tentative,
        });
    }
    interfaces
}

fn source(addresses: &[&str], family: Family) -> Option<IpAddr> {
    let managed = |prefix: Prefix| prefix.address() == ip("fe80::1");
    with(addresses).source(&eth(0), family, managed)
}

#[test]
fn which_address_is_the_source() {
    for (addresses, family, expected) in [
        (
            &["198.18.0.9", "198.18.0.1"][..],
            Family::V4,
            Some("198.18.0.9"),
        ),
        (&["fe80::7", "198.18.0.1"], Family::V4, Some("198.18.0.1")),
        (&["198.18.0.9 tentative"], Family::V4, None),
        // No global one, no managed one, none that is being tested.
        (&["fd00::5", "198.18.0.1"], Family::V6, None),
        (&["fe80::1"], Family::V6, None),
        (
            &["fe80::ff:fe00:5 tentative", "fe80::9"],
            Family::V6,
            Some("fe80::9"),
        ),
        // The one of the MAC address, then the lowest, whatever the order.
        (
            &["fe80::2", "fe80::ff:fe00:5"],
            Family::V6,
            Some("fe80::ff:fe00:5"),
        ),
        (
            &["fe80::ff:fe00:5", "fe80::2"],
            Family::V6,
            Some("fe80::ff:fe00:5"),
        ),
        (
            &["fe80::9", "fe80::a", "fe80::8"],
            Family::V6,
            Some("fe80::8"),
        ),
    ] {
        assert_eq!(source(addresses, family), expected.map(ip), "{addresses:?}");
    }
}

/// The kernel makes the address that the rule calls derived (seen on Linux 6.18).
#[test]
fn what_the_kernel_makes_of_a_mac_address() {
    let seen = derived_from(MacAddress([0xb6, 0x6f, 0xe3, 0x1a, 0xb1, 0x7d]));
    assert_eq!(IpAddr::V6(seen), ip("fe80::b46f:e3ff:fe1a:b17d"));
}

proptest! {
    /// Over IPv6 the order in which addresses are told does not matter.
    #[test]
    fn a_new_reading_finds_the_same_source(
        numbers in prop::collection::btree_set(2..200_u16, 0..6),
        turn in 0..6_usize,
    ) {
        let texts: Vec<alloc::string::String> =
            numbers.iter().map(|number| alloc::format!("fe80::{number:x}")).collect();
        let mut texts: Vec<&str> = texts.iter().map(alloc::string::String::as_str).collect();
        let before = source(&texts, Family::V6);
        let length = texts.len().max(1);
        texts.rotate_left(turn % length);
        prop_assert_eq!(source(&texts, Family::V6), before);
    }
}
