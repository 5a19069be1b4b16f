//! What the kernel has: interfaces and the addresses on them, as the host told us.

use alloc::collections::BTreeMap;
use core::net::{IpAddr, Ipv6Addr};

use types::{Family, IfIndex, IfName, Instant, MacAddress, Prefix};

use crate::debounce::{Delays, Link};

use crate::settings::IpvlanMode;

/// An interface as the kernel describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its number.
    pub index: IfIndex,
    /// Its name.
    pub name: IfName,
    /// Whether packets get through: IFF_UP and IFF_RUNNING. `interface_up_down_delays` is for the core to apply.
    pub usable: bool,
    /// Its Ethernet address; `None` where it has none, or does no ARP.
    pub mac: Option<MacAddress>,
    /// What kind of device it is.
    pub kind: InterfaceKind,
    /// The interface that it is built upon, if that is in the same network namespace.
    pub base: Option<IfIndex>,
    /// The bridge, bond or VRF that it belongs to.
    pub master: Option<IfIndex>,
}

/// What kind of device an interface is, as far as it matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InterfaceKind {
    /// Any other.
    #[default]
    Other,
    /// A macvlan.
    Macvlan {
        /// In private mode.
        private: bool,
    },
    /// An ipvlan.
    Ipvlan {
        /// It works at layer 2.
        layer2: bool,
        /// How it reaches its siblings.
        mode: IpvlanMode,
    },
    /// A VRF.
    Vrf,
}

impl InterfaceKind {
    /// Whether it is a macvlan, of whatever mode.
    pub(crate) const fn is_macvlan(self) -> bool {
        matches!(self, Self::Macvlan { .. })
    }

    /// Whether it lives and dies with the interface below it.
    const fn leans_on_its_base(self) -> bool {
        matches!(self, Self::Macvlan { .. } | Self::Ipvlan { .. })
    }
}

/// An address on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// The interface's number.
    pub interface: IfIndex,
    /// The address.
    pub prefix: Prefix,
    /// Duplicate address detection has not finished, or has failed: it cannot be used as a source.
    pub tentative: bool,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) interface: Interface,
    link: Link,
    addresses: BTreeMap<Prefix, AddressFacts>,
}

#[derive(Clone, Copy, Debug)]
struct AddressFacts {
    /// The kernel's own order: the first address is the one that other programs would use.
    order: u64,
    tentative: bool,
}

/// The link-local address that a kernel makes of a MAC address: its two halves around ff:fe, the universal bit inverted.
const fn derived_from(mac: MacAddress) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac.0;
    Ipv6Addr::new(
        0xfe80,
        0,
        0,
        0,
        u16::from_be_bytes([a ^ 2, b]),
        u16::from_be_bytes([c, 0xff]),
        u16::from_be_bytes([0xfe, d]),
        u16::from_be_bytes([e, f]),
    )
}

/// All interfaces, by number and by name.
#[derive(Debug, Default)]
pub(crate) struct Interfaces {
    by_index: BTreeMap<IfIndex, Entry>,
    by_name: BTreeMap<IfName, IfIndex>,
    /// Addresses may be told before their interface is.
    next_order: u64,
}

impl Interfaces {
    /// Enters or updates an interface. True when something that matters changed.
    pub(crate) fn present(&mut self, now: Instant, interface: Interface, delays: Delays) -> bool {
        self.forget_name(interface.index, Some(interface.name));
        // Two interfaces swap names, or one is re-created before we hear that the old one went: the new owner of a
        // name takes it.
        self.by_name.insert(interface.name, interface.index);
        match self.by_index.get_mut(&interface.index) {
            Some(entry) if entry.interface == interface => false,
            Some(entry) => {
                if entry.interface.name != interface.name {
                    // Another interface as far as anybody is concerned.
                    entry.link = Link::default();
                }
                entry.link.heard(now, interface.usable, delays);
                entry.interface = interface;
                true
            }
            None => {
                let mut link = Link::default();
                link.heard(now, interface.usable, delays);
                self.by_index.insert(
                    interface.index,
                    Entry {
                        interface,
                        link,
                        addresses: BTreeMap::new(),
                    },
                );
                true
            }
        }
    }

    /// An interface is no longer known by the name that it had, unless that is `keep`, or another interface has it by now.
    fn forget_name(&mut self, index: IfIndex, keep: Option<IfName>) {
        if let Some(known) = self.by_index.get(&index)
            && keep != Some(known.interface.name)
            && self.by_name.get(&known.interface.name) == Some(&index)
        {
            self.by_name.remove(&known.interface.name);
        }
    }

    /// Removes an interface and its addresses. True when it was there.
    pub(crate) fn gone(&mut self, index: IfIndex) -> bool {
        self.forget_name(index, None);
        self.by_index.remove(&index).is_some()
    }

    /// Enters or updates an address. True when something changed.
    pub(crate) fn address_present(&mut self, address: InterfaceAddress) -> bool {
        let Some(entry) = self.by_index.get_mut(&address.interface) else {
            return false;
        };
        let order = self.next_order;
        self.next_order += 1;
        let facts = AddressFacts {
            order,
            tentative: address.tentative,
        };
        match entry.addresses.get_mut(&address.prefix) {
            Some(known) if known.tentative == address.tentative => false,
            Some(known) => {
                known.tentative = address.tentative;
                true
            }
            None => {
                entry.addresses.insert(address.prefix, facts);
                true
            }
        }
    }

    /// Removes an address. True when it was there.
    pub(crate) fn address_gone(&mut self, index: IfIndex, prefix: Prefix) -> bool {
        self.by_index
            .get_mut(&index)
            .is_some_and(|entry| entry.addresses.remove(&prefix).is_some())
    }

    /// Whether the address is there.
    pub(crate) fn has_address(&self, index: IfIndex, prefix: Prefix) -> bool {
        self.by_index
            .get(&index)
            .is_some_and(|entry| entry.addresses.contains_key(&prefix))
    }

    /// Whether the address is there, and may still turn out to be somebody else's, or has.
    pub(crate) fn is_tentative(&self, index: IfIndex, prefix: Prefix) -> bool {
        self.by_index
            .get(&index)
            .and_then(|entry| entry.addresses.get(&prefix))
            .is_some_and(|facts| facts.tentative)
    }

    /// Whether the address is there, and nobody else's as far as is known.
    pub(crate) fn is_there(&self, index: IfIndex, prefix: Prefix) -> bool {
        self.by_index
            .get(&index)
            .and_then(|entry| entry.addresses.get(&prefix))
            .is_some_and(|facts| !facts.tentative)
    }

    /// The interface that packets really leave by: what a macvlan or ipvlan is built upon, or the interface itself.
    pub(crate) fn physical<'a>(&'a self, interface: &'a Interface) -> (IfIndex, &'a IfName) {
        let below = self.below(&interface.name).unwrap_or(interface);
        (below.index, &below.name)
    }

    pub(crate) fn by_name(&self, name: &IfName) -> Option<&Interface> {
        self.by_name
            .get(name)
            .and_then(|index| self.by_index.get(index))
            .map(|entry| &entry.interface)
    }

    pub(crate) fn by_index(&self, index: IfIndex) -> Option<&Interface> {
        self.by_index.get(&index).map(|entry| &entry.interface)
    }

    /// Whether an interface exists and is up now, whatever counts: that is what the kernel's routes hang on.
    pub(crate) fn is_up(&self, name: &IfName) -> bool {
        self.by_name(name).is_some_and(|interface| interface.usable)
    }

    /// Whether an interface exists and counts as one that packets get through.
    pub(crate) fn usable(&self, name: &IfName) -> bool {
        let index = self.by_name.get(name);
        let entry = index.and_then(|index| self.by_index.get(index));
        entry.is_some_and(|entry| entry.link.usable())
    }

    /// What counts of an interface's link.
    pub(crate) fn link(&mut self, index: IfIndex) -> Option<&mut Link> {
        self.by_index.get_mut(&index).map(|entry| &mut entry.link)
    }

    /// The VRF that an interface is in.
    pub(crate) fn vrf_of(&self, interface: &Interface) -> Option<IfIndex> {
        let master = self.by_index(interface.master?)?;
        (master.kind == InterfaceKind::Vrf).then_some(master.index)
    }

    /// The interface that a configured one stands and falls with: what is below a macvlan or an ipvlan.
    pub(crate) fn below(&self, name: &IfName) -> Option<&Interface> {
        let interface = self.by_name(name)?;
        let base = interface
            .base
            .filter(|_| interface.kind.leans_on_its_base())?;
        self.by_index(base)
    }

    /// The address that adverts leave from, of those that are not managed ones.
    ///
    /// * IPv4: the first in the kernel's order, which other programs would use, too; it lists the oldest first.
    /// * IPv6: a link-local one (RFC 9568 5.1.2.1). The kernel's order does not serve: it lists the newest first, so a router
    ///   that starts anew would find another one than it had. The rule looks at nothing but what is there: the address
    ///   that follows from the interface's MAC address (RFC 4291, appendix A), else the lowest.
    pub(crate) fn source(
        &self,
        name: &IfName,
        family: Family,
        managed: impl Fn(Prefix) -> bool,
    ) -> Option<IpAddr> {
        let entry = self.by_index.get(self.by_name.get(name)?)?;
        let usable = entry
            .addresses
            .iter()
            .filter(|(prefix, facts)| !facts.tentative && !managed(**prefix));
        match family {
            Family::V4 => usable
                .filter(|(prefix, _)| prefix.family() == Family::V4)
                .min_by_key(|(_, facts)| facts.order)
                .map(|(prefix, _)| prefix.address()),
            Family::V6 => {
                let derived = entry.interface.mac.map(derived_from);
                usable
                    .filter_map(|(prefix, _)| match prefix.address() {
                        IpAddr::V6(address) => Some(address),
                        IpAddr::V4(_) => None,
                    })
                    .filter(Ipv6Addr::is_unicast_link_local)
                    .min_by_key(|address| (Some(*address) != derived, *address))
                    .map(IpAddr::V6)
            }
        }
    }

    /// Whether an address can still be a source: there, and not tentative.
    pub(crate) fn is_usable_source(&self, name: &IfName, address: IpAddr) -> bool {
        let entry = self
            .by_name
            .get(name)
            .and_then(|index| self.by_index.get(index));
        let of_any_length = Prefix::shortest(address)..=Prefix::host(address);
        entry.is_some_and(|entry| {
            entry
                .addresses
                .range(of_any_length)
                .any(|(_, facts)| !facts.tentative)
        })
    }

    /// Whether an address can be a source anywhere on the host; a link-local one only where the instance is.
    pub(crate) fn is_source_somewhere(&self, own: Option<&IfName>, address: IpAddr) -> bool {
        let link_local = matches!(address, IpAddr::V6(address) if address.is_unicast_link_local());
        match own {
            Some(own) if link_local => self.is_usable_source(own, address),
            _ => self
                .by_name
                .keys()
                .any(|name| self.is_usable_source(name, address)),
        }
    }

    /// Every interface with its addresses, for a comparison with a fresh reading.
    pub(crate) fn all_addresses(&self) -> impl Iterator<Item = (IfIndex, Prefix)> + '_ {
        self.by_index
            .iter()
            .flat_map(|(index, entry)| entry.addresses.keys().map(move |prefix| (*index, *prefix)))
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Interface> {
        self.by_index.values().map(|entry| &entry.interface)
    }
}

#[cfg(test)]
mod tests;
