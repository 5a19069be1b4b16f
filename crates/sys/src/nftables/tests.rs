//! What is written, read back as the kernel would.

use types::{IfIndex, IfName};

use super::*;
use crate::netlink::message::Attributes;

fn table(family: Family) -> Table {
    Table {
        family,
        name: "keepalived".to_owned(),
        priority: -1,
        counters: false,
        by_index: false,
        blocks: true,
        outgoing: true,
        macvlans: true,
    }
}

fn element(element: &Element, with_value: bool) -> Vec<Vec<u8>> {
    let mut buffer = Vec::new();
    let mut writer = Writer::new(
        &mut buffer,
        Request {
            kind: 0,
            flags: 0,
            sequence: 0,
        },
    );
    element.write(&mut writer, with_value);
    writer.finish().unwrap();
    let message = Messages::new(&buffer).next().unwrap().unwrap();
    let entry = Attributes::new(message.payload).next().unwrap().unwrap();
    entry
        .nested()
        .map(|part| {
            let value = part.unwrap().nested().next().unwrap().unwrap();
            assert_eq!(value.kind, numbers::DATA_VALUE);
            value.value.to_vec()
        })
        .collect()
}

#[test]
fn keys_have_the_length_that_their_set_says() {
    let index = IfIndex::new(0x0102_0304).unwrap();
    let name = IfName::new("fifteen_letters").unwrap();
    let v6 = "fe80::77".parse().unwrap();
    let samples = [
        (Family::V4, Element::Address("198.18.0.1".parse().unwrap())),
        (Family::V6, Element::Address("fd00::1".parse().unwrap())),
        (Family::V6, Element::LinkLocal(v6, InterfaceKey::Name(name))),
        (Family::V6, Element::ParentLinkLocal(v6, name)),
        (Family::V6, Element::NoSolicitation(index)),
        (
            Family::V4,
            Element::Macvlan {
                device: index,
                parent: index,
            },
        ),
    ];
    for (family, sample) in &samples {
        let (_, length, _) = sample.set().keys(*family, false);
        let parts = element(sample, true);
        assert_eq!(
            parts[0].len(),
            usize::try_from(length).unwrap(),
            "{sample:?}"
        );
        let is_map = sample.set() == Set::VmacMap;
        assert_eq!(parts.len(), if is_map { 2 } else { 1 }, "{sample:?}");
        assert_eq!(element(sample, false).len(), 1, "{sample:?}");
    }
    let by_index = Element::LinkLocal(v6, InterfaceKey::Index(index));
    let (_, length, _) = by_index.set().keys(Family::V6, true);
    let key = element(&by_index, true).remove(0);
    assert_eq!(key.len(), usize::try_from(length).unwrap());
    assert_eq!(key[16..], index.get().to_ne_bytes());
}

#[test]
fn every_set_that_a_rule_asks_is_made_before() {
    for (family, blocks, macvlans, outgoing, by_index) in [
        (Family::V4, true, false, true, false),
        (Family::V4, true, false, false, false),
        (Family::V4, false, true, true, false),
        (Family::V4, true, true, false, false),
        (Family::V6, true, false, true, true),
        (Family::V6, true, false, false, true),
        (Family::V6, false, true, true, false),
        (Family::V6, true, true, true, false),
        (Family::V6, true, true, false, false),
    ] {
        let table = Table {
            outgoing,
            blocks,
            macvlans,
            by_index,
            ..table(family)
        };
        let sets = table.sets();
        let chains = table.chains();
        let mut asked = Vec::new();
        for (chain, steps) in table.rules() {
            assert!(chains.iter().any(|(name, _)| *name == chain), "{chain}");
            for step in steps {
                match step {
                    Step::TypeIn(set)
                    | Step::OutIn(set)
                    | Step::AddressIn(_, set)
                    | Step::AddressAndIndexIn(_, set)
                    | Step::AddressAndNameIn(_, set)
                    | Step::DuplicateBy(set) => {
                        assert!(sets.contains(&set), "{set:?} of {table:?}");
                        asked.push(set);
                    }
                    Step::GoTo(target) => {
                        assert!(chains.iter().any(|(name, _)| *name == target), "{target}");
                    }
                    Step::IsIgmp
                    | Step::IsPlainIcmpv6
                    | Step::IsIcmpv6
                    | Step::TypeIs(_)
                    | Step::LeavesByMacvlan
                    | Step::IsLinkLocal(_)
                    | Step::Drop
                    | Step::Accept => {}
                }
            }
        }
        assert!(sets.iter().all(|set| asked.contains(set)), "{table:?}");
    }
}
