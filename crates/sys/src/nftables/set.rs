//! The sets and maps of a table, and what is in them.

use std::net::{IpAddr, Ipv6Addr};

use types::{Family, IfIndex, IfName};

use super::numbers;
use super::rule::number;
use crate::netlink::message::Writer;

/// One of the sets that rules look things up in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Set {
    VmacMap,
    Vmacs,
    ParentLinkLocal,
    MldReport,
    NeighbourDiscovery,
    Vips,
    VipsLinkLocal,
}

impl Set {
    /// Its name, which is keepalived's.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::VmacMap => "vmac_map",
            Self::Vmacs => "vmac_set",
            Self::ParentLinkLocal => "parent_link_local",
            Self::MldReport => "mld-report",
            Self::NeighbourDiscovery => "neighbor-discovery",
            Self::Vips => "vips",
            Self::VipsLinkLocal => "vips_link_local",
        }
    }

    /// How the messages of one batch know it.
    pub(super) const fn id(self) -> u32 {
        match self {
            Self::VmacMap => 1,
            Self::Vmacs => 2,
            Self::ParentLinkLocal => 3,
            Self::MldReport => 4,
            Self::NeighbourDiscovery => 5,
            Self::Vips => 6,
            Self::VipsLinkLocal => 7,
        }
    }

    /// The ICMPv6 types of a set that never changes: RFC 4861 (solicitation, advertisement), RFC 2710 and RFC 3810
    /// (reports).
    pub(super) const fn constants(self) -> &'static [u8] {
        match self {
            Self::NeighbourDiscovery => &[135, 136],
            Self::MldReport => &[131, 143],
            Self::VmacMap
            | Self::Vmacs
            | Self::ParentLinkLocal
            | Self::Vips
            | Self::VipsLinkLocal => &[],
        }
    }

    /// Type and length of its keys, and the byte order that nft prints them in.
    pub(super) const fn keys(self, family: Family, by_index: bool) -> (u32, u32, Order) {
        match (self, family) {
            (Self::VmacMap | Self::Vmacs, _) => (numbers::TYPE_INDEX, 4, Order::Host),
            (Self::MldReport | Self::NeighbourDiscovery, _) => {
                (numbers::TYPE_ICMPV6, 1, Order::Network)
            }
            (Self::Vips, Family::V4) => (numbers::TYPE_IPV4, 4, Order::Network),
            (Self::Vips, Family::V6) => (numbers::TYPE_IPV6, 16, Order::Network),
            (Self::VipsLinkLocal, _) if by_index => (
                numbers::pair(numbers::TYPE_IPV6, numbers::TYPE_INDEX),
                20,
                Order::Unsaid,
            ),
            (Self::VipsLinkLocal | Self::ParentLinkLocal, _) => (
                numbers::pair(numbers::TYPE_IPV6, numbers::TYPE_NAME),
                32,
                Order::Unsaid,
            ),
        }
    }

    /// Writes what makes it, behind the table's name.
    pub(super) fn write(self, message: &mut Writer<'_>, family: Family, by_index: bool) {
        let (kind, length, order) = self.keys(family, by_index);
        let is_map = self == Self::VmacMap;
        let flags = match self {
            Self::VmacMap => numbers::SET_IS_MAP,
            Self::MldReport | Self::NeighbourDiscovery => numbers::SET_IS_CONSTANT,
            Self::Vmacs | Self::ParentLinkLocal | Self::Vips | Self::VipsLinkLocal => 0,
        };
        message.text(numbers::SET_NAME, self.name());
        number(message, numbers::SET_FLAGS, flags);
        number(message, numbers::SET_KEY_TYPE, kind);
        number(message, numbers::SET_KEY_LENGTH, length);
        if is_map {
            number(message, numbers::SET_DATA_TYPE, numbers::TYPE_INDEX);
            number(message, numbers::SET_DATA_LENGTH, 4);
        }
        number(message, numbers::SET_ID, self.id());
        let mut user_data = order.told(numbers::KEY_ORDER);
        if is_map {
            user_data.extend(Order::Host.told(numbers::DATA_ORDER));
        }
        message.attribute(numbers::SET_USER_DATA, &user_data);
    }
}

/// The byte order of the values of a type, for nft.
#[derive(Clone, Copy)]
pub(super) enum Order {
    /// Each part of a pair has its own.
    Unsaid,
    Host,
    Network,
}

impl Order {
    /// As nft keeps it: a kind, a length, and a number in the machine's order.
    pub(super) fn told(self, kind: u8) -> Vec<u8> {
        let order: u32 = match self {
            Self::Unsaid => 0,
            Self::Host => 1,
            Self::Network => 2,
        };
        let mut bytes = vec![kind, 4];
        bytes.extend(order.to_ne_bytes());
        bytes
    }
}

/// How an interface is named in a set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InterfaceKey {
    /// By its number: it must be told anew when the interface is made again.
    Index(IfIndex),
    /// By its name.
    Name(IfName),
}

/// Something in a set or a map of a table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Element {
    /// An address of the table's family that takes and sends nothing (set `vips`).
    Address(IpAddr),
    /// The same for a link-local address, which means something only together with an interface
    /// (set `vips_link_local`).
    LinkLocal(Ipv6Addr, InterfaceKey),
    /// A macvlan of a virtual router, and the interface below it (map `vmac_map`).
    Macvlan {
        /// The macvlan.
        device: IfIndex,
        /// The interface below.
        parent: IfIndex,
    },
    /// A macvlan that sends no router solicitations (set `vmac_set`).
    NoSolicitation(IfIndex),
    /// The link-local address of the interface below, which a macvlan has too, and does not advertise
    /// (set `parent_link_local`).
    ParentLinkLocal(Ipv6Addr, IfName),
}

/// Bytes of an interface's name as the kernel loads it (`IFNAMSIZ`).
const NAME_LENGTH: usize = 16;

impl Element {
    pub(super) const fn set(&self) -> Set {
        match self {
            Self::Address(_) => Set::Vips,
            Self::LinkLocal(..) => Set::VipsLinkLocal,
            Self::Macvlan { .. } => Set::VmacMap,
            Self::NoSolicitation(_) => Set::Vmacs,
            Self::ParentLinkLocal(..) => Set::ParentLinkLocal,
        }
    }

    /// What it is found by.
    pub(super) fn key(&self) -> Vec<u8> {
        match self {
            Self::Address(IpAddr::V4(address)) => address.octets().to_vec(),
            Self::Address(IpAddr::V6(address)) => address.octets().to_vec(),
            Self::LinkLocal(address, InterfaceKey::Index(index)) => {
                let mut key = address.octets().to_vec();
                key.extend(index.get().to_ne_bytes());
                key
            }
            Self::LinkLocal(address, InterfaceKey::Name(name))
            | Self::ParentLinkLocal(address, name) => {
                let mut key = address.octets().to_vec();
                let end = key.len() + NAME_LENGTH;
                key.extend(name.as_str().as_bytes());
                key.resize(end, 0);
                key
            }
            Self::Macvlan { device: index, .. } | Self::NoSolicitation(index) => {
                index.get().to_ne_bytes().to_vec()
            }
        }
    }

    /// What a map has for its key.
    pub(super) const fn value(&self) -> Option<u32> {
        match self {
            Self::Macvlan { parent, .. } => Some(parent.get()),
            Self::Address(_)
            | Self::LinkLocal(..)
            | Self::NoSolicitation(_)
            | Self::ParentLinkLocal(..) => None,
        }
    }

    /// Writes it into a list of elements. One that is to go is known by its key alone.
    pub(super) fn write(&self, list: &mut Writer<'_>, with_value: bool) {
        write_element(list, &self.key(), |element| {
            if let Some(value) = self.value()
                && with_value
            {
                element.nested(numbers::ELEMENT_DATA, |data| {
                    data.attribute(numbers::DATA_VALUE, &value.to_ne_bytes());
                });
            }
        });
    }
}

/// Writes an element with this key, and what `more` writes.
pub(super) fn write_element(list: &mut Writer<'_>, key: &[u8], more: impl FnOnce(&mut Writer<'_>)) {
    list.nested(numbers::LIST_ELEMENT, |element| {
        element.nested(numbers::ELEMENT_KEY, |data| {
            data.attribute(numbers::DATA_VALUE, key)
        });
        more(element);
    });
}
