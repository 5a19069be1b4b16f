//! Rules, as the kernel's little machine runs them: expressions that load into registers, compare and judge.

use types::Family;

use super::numbers;
use super::set::Set;
use crate::netlink::message::Writer;

/// `IPPROTO_IGMP`.
const IGMP: u8 = 2;
/// `IPPROTO_ICMPV6`.
const ICMPV6: u8 = 58;
/// A kind of device, padded as the kernel loads it (`IFNAMSIZ`).
const MACVLAN: &[u8; 16] = b"macvlan\0\0\0\0\0\0\0\0\0";
/// The upper ten bits of an IPv6 address.
const LINK_LOCAL_MASK: [u8; 16] = [0xff, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const LINK_LOCAL: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Which end of a packet is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Where it comes from; its interface is the one it leaves by.
    Source,
    /// Where it goes to; its interface is the one it came by.
    Destination,
}

/// One step of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The packet is IGMP (IPv4 header).
    IsIgmp,
    /// The packet is ICMPv6, with nothing between it and the IPv6 header. What neighbour discovery is by this, is without
    /// extension headers (RFC 6980).
    IsPlainIcmpv6,
    /// The packet is ICMPv6 behind any header: reports of multicast listeners have a router alert before them.
    IsIcmpv6,
    /// Its ICMPv6 type is this.
    TypeIs(u8),
    /// Its ICMPv6 type is in a set.
    TypeIn(Set),
    /// It leaves by a macvlan.
    LeavesByMacvlan,
    /// The interface that it leaves by is in a set.
    OutIn(Set),
    /// One of its addresses is in a set.
    AddressIn(End, Set),
    /// One of its addresses is a link-local one.
    IsLinkLocal(End),
    /// One of its addresses, together with the index of its interface, is in a set.
    AddressAndIndexIn(End, Set),
    /// One of its addresses, together with the name of its interface, is in a set.
    AddressAndNameIn(End, Set),
    /// A copy goes to the packet's destination, by the interface that a map names for the one it leaves by.
    DuplicateBy(Set),
    /// It goes no further.
    Drop,
    /// It is not looked at any more.
    Accept,
    /// Another chain judges it.
    GoTo(&'static str),
}

impl Step {
    /// Whether it ends a rule: what is counted is counted before it.
    const fn is_verdict(self) -> bool {
        matches!(self, Self::Drop | Self::Accept | Self::GoTo(_))
    }

    /// What it looks a packet up in.
    pub(super) const fn set(self) -> Option<Set> {
        match self {
            Self::TypeIn(set)
            | Self::OutIn(set)
            | Self::AddressIn(_, set)
            | Self::AddressAndIndexIn(_, set)
            | Self::AddressAndNameIn(_, set)
            | Self::DuplicateBy(set) => Some(set),
            Self::IsIgmp
            | Self::IsPlainIcmpv6
            | Self::IsIcmpv6
            | Self::TypeIs(_)
            | Self::LeavesByMacvlan
            | Self::IsLinkLocal(_)
            | Self::Drop
            | Self::Accept
            | Self::GoTo(_) => None,
        }
    }
}

/// How addresses lie in the headers of a family.
#[derive(Clone, Copy, Debug)]
pub(super) struct AddressLayout {
    source: u32,
    destination: u32,
    length: u32,
}

impl AddressLayout {
    const V4: Self = Self {
        source: 12,
        destination: 16,
        length: 4,
    };
    const V6: Self = Self {
        source: 8,
        destination: 24,
        length: 16,
    };

    pub(super) const fn of(family: Family) -> Self {
        match family {
            Family::V4 => Self::V4,
            Family::V6 => Self::V6,
        }
    }
}

/// Writes the expressions of a rule into its list. With `counters` a verdict is counted.
pub(super) fn write(list: &mut Writer<'_>, layout: AddressLayout, steps: &[Step], counters: bool) {
    for step in steps {
        if counters && step.is_verdict() {
            count(list);
        }
        write_step(list, layout, *step);
    }
}

fn write_step(list: &mut Writer<'_>, layout: AddressLayout, step: Step) {
    match step {
        Step::IsIgmp => {
            payload(list, numbers::NETWORK_HEADER, 9, 1);
            compare(list, &[IGMP]);
        }
        Step::IsPlainIcmpv6 => {
            payload(list, numbers::NETWORK_HEADER, 6, 1);
            compare(list, &[ICMPV6]);
        }
        Step::IsIcmpv6 => {
            meta(list, numbers::META_PROTOCOL, numbers::FIRST);
            compare(list, &[ICMPV6]);
        }
        Step::TypeIs(kind) => {
            payload(list, numbers::TRANSPORT_HEADER, 0, 1);
            compare(list, &[kind]);
        }
        Step::TypeIn(set) => {
            payload(list, numbers::TRANSPORT_HEADER, 0, 1);
            lookup(list, set);
        }
        Step::LeavesByMacvlan => {
            meta(list, numbers::META_OUT_KIND, numbers::FIRST);
            compare(list, MACVLAN);
        }
        Step::OutIn(set) => {
            meta(list, numbers::META_OUT_INDEX, numbers::FIRST);
            lookup(list, set);
        }
        Step::AddressIn(end, set) => {
            address(list, layout, end);
            lookup(list, set);
        }
        Step::IsLinkLocal(end) => {
            address(list, layout, end);
            mask(list, &LINK_LOCAL_MASK);
            compare(list, &LINK_LOCAL);
        }
        Step::AddressAndIndexIn(end, set) => {
            address(list, layout, end);
            let key = match end {
                End::Source => numbers::META_OUT_INDEX,
                End::Destination => numbers::META_IN_INDEX,
            };
            meta(list, key, numbers::SECOND);
            lookup(list, set);
        }
        Step::AddressAndNameIn(end, set) => {
            address(list, layout, end);
            let key = match end {
                End::Source => numbers::META_OUT_NAME,
                End::Destination => numbers::META_IN_NAME,
            };
            meta(list, key, numbers::SECOND);
            lookup(list, set);
        }
        Step::DuplicateBy(map) => {
            address(list, layout, End::Destination);
            meta(list, numbers::META_OUT_INDEX, numbers::SECOND);
            expression(list, "lookup", |data| {
                data.text(numbers::LOOKUP_SET, map.name());
                number(data, numbers::LOOKUP_FROM, numbers::SECOND);
                number(data, numbers::LOOKUP_TO, numbers::SECOND);
                number(data, numbers::LOOKUP_SET_ID, map.id());
            });
            expression(list, "dup", |data| {
                number(data, numbers::DUPLICATE_TO, numbers::FIRST);
                number(data, numbers::DUPLICATE_BY, numbers::SECOND);
            });
        }
        Step::Drop => verdict(list, numbers::DROP, None),
        Step::Accept => verdict(list, numbers::ACCEPT, None),
        Step::GoTo(chain) => verdict(list, numbers::GOTO, Some(chain)),
    }
}

/// The rule that gives packets of a protocol the mark that a map has for their destination, and asks no further.
pub(super) struct MarkRule<'a> {
    /// The number of the protocol.
    pub(super) protocol: u8,
    /// The map, from destination address and port to mark.
    pub(super) map: &'a str,
    /// How the messages of one batch know it.
    pub(super) map_id: u32,
    /// Packets that get a mark are counted.
    pub(super) counters: bool,
}

/// Where ports lie in TCP, UDP and SCTP: the source's, then the destination's.
const DESTINATION_PORT: u32 = 2;

/// Writes the expressions of such a rule into its list.
pub(super) fn write_marking(list: &mut Writer<'_>, layout: AddressLayout, rule: &MarkRule<'_>) {
    meta(list, numbers::META_PROTOCOL, numbers::FIRST);
    compare(list, &[rule.protocol]);
    address(list, layout, End::Destination);
    // Directly behind the address.
    let behind = if layout.length == AddressLayout::V4.length {
        numbers::BEHIND_FOUR_BYTES
    } else {
        numbers::SECOND
    };
    load(list, numbers::TRANSPORT_HEADER, DESTINATION_PORT, 2, behind);
    expression(list, "lookup", |data| {
        data.text(numbers::LOOKUP_SET, rule.map);
        number(data, numbers::LOOKUP_FROM, numbers::FIRST);
        number(data, numbers::LOOKUP_TO, numbers::FIRST);
        number(data, numbers::LOOKUP_SET_ID, rule.map_id);
    });
    expression(list, "meta", |data| {
        number(data, numbers::META_KEY, numbers::META_MARK);
        number(data, numbers::META_FROM, numbers::FIRST);
    });
    if rule.counters {
        count(list);
    }
    verdict(list, numbers::RETURN, None);
}

fn expression(list: &mut Writer<'_>, name: &str, data: impl FnOnce(&mut Writer<'_>)) {
    list.nested(numbers::LIST_ELEMENT, |element| {
        element.text(numbers::EXPRESSION_NAME, name);
        element.nested(numbers::EXPRESSION_DATA, data);
    });
}

/// Numbers are in network byte order here, unlike elsewhere in netlink.
pub(super) fn number(writer: &mut Writer<'_>, kind: u16, value: u32) {
    writer.attribute(kind, &value.to_be_bytes());
}

fn value(writer: &mut Writer<'_>, kind: u16, bytes: &[u8]) {
    writer.nested(kind, |data| data.attribute(numbers::DATA_VALUE, bytes));
}

/// Loads part of the packet into the first register.
fn payload(list: &mut Writer<'_>, base: u32, offset: u32, length: u32) {
    load(list, base, offset, length, numbers::FIRST);
}

fn load(list: &mut Writer<'_>, base: u32, offset: u32, length: u32, to: u32) {
    expression(list, "payload", |data| {
        number(data, numbers::PAYLOAD_TO, to);
        number(data, numbers::PAYLOAD_BASE, base);
        number(data, numbers::PAYLOAD_OFFSET, offset);
        number(data, numbers::PAYLOAD_LENGTH, length);
    });
}

fn address(list: &mut Writer<'_>, layout: AddressLayout, end: End) {
    let offset = match end {
        End::Source => layout.source,
        End::Destination => layout.destination,
    };
    payload(list, numbers::NETWORK_HEADER, offset, layout.length);
}

fn meta(list: &mut Writer<'_>, key: u32, to: u32) {
    expression(list, "meta", |data| {
        number(data, numbers::META_KEY, key);
        number(data, numbers::META_TO, to);
    });
}

/// Ends the rule unless the first register holds `bytes`.
fn compare(list: &mut Writer<'_>, bytes: &[u8]) {
    expression(list, "cmp", |data| {
        number(data, numbers::COMPARE_FROM, numbers::FIRST);
        number(data, numbers::COMPARE_OPERATION, numbers::EQUAL);
        value(data, numbers::COMPARE_DATA, bytes);
    });
}

fn mask(list: &mut Writer<'_>, bits: &[u8; 16]) {
    expression(list, "bitwise", |data| {
        number(data, numbers::BITWISE_FROM, numbers::FIRST);
        number(data, numbers::BITWISE_TO, numbers::FIRST);
        number(data, numbers::BITWISE_LENGTH, 16);
        value(data, numbers::BITWISE_MASK, bits);
        value(data, numbers::BITWISE_XOR, &[0; 16]);
    });
}

/// Ends the rule unless the first register, and as much behind it as the keys are long, is in the set.
fn lookup(list: &mut Writer<'_>, set: Set) {
    expression(list, "lookup", |data| {
        data.text(numbers::LOOKUP_SET, set.name());
        number(data, numbers::LOOKUP_FROM, numbers::FIRST);
        number(data, numbers::LOOKUP_SET_ID, set.id());
    });
}

fn count(list: &mut Writer<'_>) {
    expression(list, "counter", |data| {
        data.attribute(numbers::COUNTER_BYTES, &[0; 8]);
        data.attribute(numbers::COUNTER_PACKETS, &[0; 8]);
    });
}

fn verdict(list: &mut Writer<'_>, code: u32, chain: Option<&str>) {
    expression(list, "immediate", |data| {
        number(data, numbers::IMMEDIATE_TO, numbers::REGISTER_OF_VERDICT);
        data.nested(numbers::IMMEDIATE_DATA, |data| {
            data.nested(numbers::DATA_VERDICT, |verdict| {
                number(verdict, numbers::VERDICT_CODE, code);
                if let Some(chain) = chain {
                    verdict.text(numbers::VERDICT_CHAIN, chain);
                }
            });
        });
    });
}
