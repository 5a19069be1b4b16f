//! A node's model kernel: interfaces, the addresses on them, multicast memberships, and what it tells the core about.
//!
//! Each change returns the notices that Linux would send for it, in Linux's order.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use types::{Family, IfIndex, IfName, MacAddress, Prefix};
use vrrp::settings::Rule;
use vrrp::{Blocked, Interface, InterfaceAddress, InterfaceKind, RoutingChange, SeenRoute};

use crate::network::Lan;
use crate::routing::{Deleted, RoutingTables, seen};
use crate::scenario::{LANS, interface_name, own_address};

/// Something that the kernel tells whoever listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// An interface appeared or changed.
    Interface(Interface),
    /// An interface was deleted.
    InterfaceGone(IfIndex),
    /// An address appeared or changed.
    Address(InterfaceAddress),
    /// An address was deleted.
    AddressGone(IfIndex, Prefix),
    /// A route was deleted.
    RouteGone(SeenRoute),
    /// A rule was deleted.
    RuleGone(Rule),
}

/// One interface.
#[derive(Clone, Debug)]
pub(crate) struct Nic {
    /// Its number; another one each time that it is made.
    pub index: IfIndex,
    /// Its name; it stays.
    pub name: IfName,
    /// The LAN that it is on.
    pub lan: Lan,
    mac: MacAddress,
    admin_up: bool,
    carrier: bool,
    /// Addresses, and whether each is tentative.
    addresses: BTreeMap<Prefix, bool>,
    groups: BTreeSet<IpAddr>,
}

impl Nic {
    /// Whether packets get through.
    #[must_use]
    pub(crate) const fn usable(&self) -> bool {
        self.admin_up && self.carrier
    }

    /// Whether the address is there.
    #[must_use]
    pub(crate) fn has(&self, prefix: Prefix) -> bool {
        self.addresses.contains_key(&prefix)
    }

    /// Whether the address is there and not tentative.
    #[must_use]
    pub(crate) fn can_send_from(&self, prefix: Prefix) -> bool {
        self.addresses.get(&prefix) == Some(&false)
    }

    /// Its Ethernet address.
    #[must_use]
    pub(crate) const fn mac(&self) -> MacAddress {
        self.mac
    }

    /// Whether it is a member of the group.
    #[must_use]
    pub(crate) fn is_member(&self, group: IpAddr) -> bool {
        self.groups.contains(&group)
    }

    /// Whether a packet with this destination is for us.
    #[must_use]
    pub(crate) fn receives(&self, destination: IpAddr) -> bool {
        if destination.is_multicast() {
            return self.is_member(destination);
        }
        // A tentative address receives nothing but neighbour discovery.
        let usable =
            |(prefix, tentative): (&Prefix, &bool)| prefix.address() == destination && !*tentative;
        self.addresses.iter().any(usable)
    }

    /// All addresses.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = Prefix> + '_ {
        self.addresses.keys().copied()
    }

    fn interface(&self) -> Interface {
        Interface {
            index: self.index,
            name: self.name,
            usable: self.usable(),
            mac: Some(self.mac),
            kind: InterfaceKind::Other,
            base: None,
            master: None,
        }
    }

    fn address(&self, prefix: Prefix, tentative: bool) -> InterfaceAddress {
        InterfaceAddress {
            interface: self.index,
            prefix,
            tentative,
        }
    }
}

/// The kernel of one node.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    node: usize,
    nics: BTreeMap<Lan, Nic>,
    blocked: BTreeSet<Blocked>,
    routing: RoutingTables,
    next_index: u32,
}

impl Kernel {
    /// A freshly booted kernel: every interface up, with its own addresses.
    #[must_use]
    pub(crate) fn boot(node: usize) -> Self {
        let mut kernel = Self {
            node,
            nics: BTreeMap::new(),
            blocked: BTreeSet::new(),
            routing: RoutingTables::default(),
            next_index: 2,
        };
        for lan in 0..LANS {
            kernel.make_interface(lan);
        }
        kernel
    }

    /// The interface on a LAN, if it exists.
    #[must_use]
    pub(crate) fn nic(&self, lan: Lan) -> Option<&Nic> {
        self.nics.get(&lan)
    }

    /// The interface with this number.
    #[must_use]
    pub(crate) fn by_index(&self, index: IfIndex) -> Option<&Nic> {
        self.nics.values().find(|nic| nic.index == index)
    }

    /// The interface with this name.
    #[must_use]
    pub(crate) fn by_name(&self, name: &IfName) -> Option<&Nic> {
        self.nics.values().find(|nic| nic.name == *name)
    }

    fn by_index_mut(&mut self, index: IfIndex) -> Option<&mut Nic> {
        self.nics.values_mut().find(|nic| nic.index == index)
    }

    /// All interfaces.
    pub(crate) fn nics(&self) -> impl Iterator<Item = &Nic> {
        self.nics.values()
    }

    /// Everything, as a dump of it would say.
    #[must_use]
    pub(crate) fn snapshot(&self) -> (Vec<Interface>, Vec<InterfaceAddress>) {
        let interfaces = self.nics.values().map(Nic::interface).collect();
        let addresses = self
            .nics
            .values()
            .flat_map(|nic| {
                nic.addresses
                    .iter()
                    .map(|(prefix, tentative)| nic.address(*prefix, *tentative))
            })
            .collect();
        (interfaces, addresses)
    }

    /// Makes the interface if it is not there.
    pub(crate) fn make_interface(&mut self, lan: Lan) -> Vec<Notice> {
        let Some(index) = IfIndex::new(self.next_index) else {
            return Vec::new();
        };
        if self.nics.contains_key(&lan) {
            return Vec::new();
        }
        self.next_index += 1;
        let number = u8::try_from(self.node).unwrap_or(u8::MAX);
        let nic = Nic {
            index,
            name: interface_name(lan),
            lan,
            mac: MacAddress([2, 0, 0, 0, lan, number]),
            admin_up: true,
            carrier: true,
            addresses: [Family::V4, Family::V6]
                .into_iter()
                .map(|family| (own_address(self.node, lan, family), false))
                .collect(),
            groups: BTreeSet::new(),
        };
        let mut notices = vec![Notice::Interface(nic.interface())];
        notices.extend(
            nic.addresses()
                .map(|prefix| Notice::Address(nic.address(prefix, false))),
        );
        self.nics.insert(lan, nic);
        notices
    }

    /// Deletes the interface with everything on it.
    pub(crate) fn delete_interface(&mut self, lan: Lan) -> Vec<Notice> {
        let Some(gone) = self.nics.remove(&lan) else {
            return Vec::new();
        };
        let mut notices = vec![Notice::InterfaceGone(gone.index)];
        let routes = self.routing.link_lost(&gone.name, gone.index);
        notices.extend(routes.into_iter().map(Notice::RouteGone));
        notices
    }

    /// Plugs the cable in or out.
    pub(crate) fn set_carrier(&mut self, lan: Lan, carrier: bool) -> Vec<Notice> {
        let Some(nic) = self.nics.get_mut(&lan) else {
            return Vec::new();
        };
        if nic.carrier == carrier {
            return Vec::new();
        }
        nic.carrier = carrier;
        vec![Notice::Interface(nic.interface())]
    }

    /// `ip link set down`: the IPv6 addresses go first, the IPv4 ones stay.
    pub(crate) fn take_down(&mut self, lan: Lan) -> Vec<Notice> {
        let Some(nic) = self.nics.get_mut(&lan) else {
            return Vec::new();
        };
        if !nic.admin_up {
            return Vec::new();
        }
        nic.admin_up = false;
        let gone: Vec<Prefix> = nic
            .addresses()
            .filter(|prefix| prefix.family() == Family::V6)
            .collect();
        let mut notices = Vec::new();
        for prefix in gone {
            nic.addresses.remove(&prefix);
            notices.push(Notice::AddressGone(nic.index, prefix));
        }
        notices.push(Notice::Interface(nic.interface()));
        let routes = self.routing.link_lost(&nic.name, nic.index);
        notices.extend(routes.into_iter().map(Notice::RouteGone));
        notices
    }

    /// `ip link set up`: the link-local address comes back, tentative until [`finish_detection`](Self::finish_detection).
    pub(crate) fn bring_up(&mut self, lan: Lan) -> Vec<Notice> {
        let link_local = own_address(self.node, lan, Family::V6);
        let Some(nic) = self.nics.get_mut(&lan) else {
            return Vec::new();
        };
        if nic.admin_up {
            return Vec::new();
        }
        nic.admin_up = true;
        nic.addresses.insert(link_local, true);
        vec![
            Notice::Interface(nic.interface()),
            Notice::Address(nic.address(link_local, true)),
        ]
    }

    /// Nobody else has our link-local address: it can be used.
    pub(crate) fn finish_detection(&mut self, lan: Lan) -> Vec<Notice> {
        let link_local = own_address(self.node, lan, Family::V6);
        let Some(nic) = self.nics.get_mut(&lan) else {
            return Vec::new();
        };
        match nic.addresses.get_mut(&link_local) {
            Some(tentative) if *tentative => *tentative = false,
            _ => return Vec::new(),
        }
        vec![Notice::Address(nic.address(link_local, false))]
    }

    /// Somebody deletes an address.
    pub(crate) fn delete_address(&mut self, lan: Lan, prefix: Prefix) -> Vec<Notice> {
        let Some(nic) = self.nics.get_mut(&lan) else {
            return Vec::new();
        };
        match nic.addresses.remove(&prefix) {
            Some(_) => vec![Notice::AddressGone(nic.index, prefix)],
            None => Vec::new(),
        }
    }

    /// The node's own address of a family is there (again).
    pub(crate) fn restore_own_address(&mut self, lan: Lan, family: Family) -> Vec<Notice> {
        let own = own_address(self.node, lan, family);
        let Some(nic) = self.nics.get_mut(&lan) else {
            return Vec::new();
        };
        // The link-local address of a link that is down comes with the link.
        if nic.has(own) || (family == Family::V6 && !nic.admin_up) {
            return Vec::new();
        }
        nic.addresses.insert(own, false);
        vec![Notice::Address(nic.address(own, false))]
    }

    /// A request to add an address. False when it was there already, or the interface is not.
    pub(crate) fn add(&mut self, index: IfIndex, prefix: Prefix) -> bool {
        self.by_index_mut(index)
            .is_some_and(|nic| nic.addresses.insert(prefix, false).is_none())
    }

    /// A request to remove an address. False when it was not there.
    pub(crate) fn remove(&mut self, index: IfIndex, prefix: Prefix) -> bool {
        self.by_index_mut(index)
            .is_some_and(|nic| nic.addresses.remove(&prefix).is_some())
    }

    /// A request to change routes or rules.
    pub(crate) fn change_routing(&mut self, change: &RoutingChange) {
        self.routing.change(change);
    }

    /// The routes and rules.
    pub(crate) const fn routing(&self) -> &RoutingTables {
        &self.routing
    }

    /// All of them, as a dump would say.
    pub(crate) fn routing_snapshot(&self) -> (Vec<SeenRoute>, Vec<Rule>) {
        self.routing
            .snapshot(|name| self.by_name(name).map(|nic| nic.index))
    }

    /// Somebody deletes a route or a rule.
    pub(crate) fn delete_routing(&mut self, place: usize) -> Vec<Notice> {
        let notice = self.routing.delete(place).map(|deleted| match deleted {
            Deleted::Route(route) => {
                let name = route.interface.as_ref();
                let nic = name.and_then(|name| self.by_name(name));
                Notice::RouteGone(seen(&route, nic.map(|nic| nic.index)))
            }
            Deleted::Rule(rule) => Notice::RuleGone(rule),
        });
        notice.into_iter().collect()
    }

    /// A request to filter an address. False when it was filtered already.
    pub(crate) fn block(&mut self, blocked: Blocked) -> bool {
        self.blocked.insert(blocked)
    }

    /// A request to filter an address no longer. False when it was not filtered.
    pub(crate) fn unblock(&mut self, blocked: &Blocked) -> bool {
        self.blocked.remove(blocked)
    }

    /// Everything that is filtered.
    pub(crate) const fn blocked(&self) -> &BTreeSet<Blocked> {
        &self.blocked
    }

    /// A request to join a group. False when already a member, or the interface is not there.
    pub(crate) fn join(&mut self, index: IfIndex, group: IpAddr) -> bool {
        self.by_index_mut(index)
            .is_some_and(|nic| nic.groups.insert(group))
    }

    /// A request to leave a group. False when not a member.
    pub(crate) fn leave(&mut self, index: IfIndex, group: IpAddr) -> bool {
        self.by_index_mut(index)
            .is_some_and(|nic| nic.groups.remove(&group))
    }

    /// The process is gone: so are its sockets, and with them the memberships. Its filter stays, until a successor makes
    /// its own in place of it.
    pub(crate) fn close_sockets(&mut self) {
        self.blocked.clear();
        for nic in self.nics.values_mut() {
            nic.groups.clear();
        }
    }
}
