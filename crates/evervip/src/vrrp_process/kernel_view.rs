//! What the kernel says, in the core's words; and which of it is only the echo of what we did ourselves.

use std::collections::BTreeMap;

use sys::netlink::{Address, Event, IpvlanReach, Link, LinkKind};
use types::{IfIndex, IfName, Instant, MacAddress, Prefix};
use vrrp::settings::IpvlanMode;
use vrrp::{Interface, InterfaceAddress, InterfaceKind, Vrrp};

use super::routing;

/// An interface as the core wants to know it.
fn interface(link: &Link) -> Interface {
    Interface {
        index: link.index,
        name: link.name,
        usable: link.up && link.running,
        mac: link
            .mac
            .filter(|mac| !link.noarp && *mac != MacAddress([0; 6])),
        kind: match link.kind {
            LinkKind::Other => InterfaceKind::Other,
            LinkKind::Macvlan { private } => InterfaceKind::Macvlan { private },
            LinkKind::Ipvlan { layer2, reach } => InterfaceKind::Ipvlan {
                layer2,
                mode: match reach {
                    IpvlanReach::Bridge => IpvlanMode::Bridge,
                    IpvlanReach::Private => IpvlanMode::Private,
                    IpvlanReach::Vepa => IpvlanMode::Vepa,
                },
            },
            LinkKind::Vrf { .. } => InterfaceKind::Vrf,
        },
        base: link.lower,
        master: link.master,
    }
}

/// An address as the core wants to know it.
pub(super) fn address(address: &Address) -> InterfaceAddress {
    InterfaceAddress {
        interface: address.interface,
        prefix: address.prefix,
        tentative: address.tentative || address.dadfailed,
    }
}

/// Removals of ours that the kernel has not told us about yet.
///
/// Each removal is remembered until its echo has come: it must not look as if somebody had taken the address away after we
/// have put it back. That a notification names our socket is not enough: with the first address of a network the kernel
/// removes all others of it, in our name, and those are losses (and IPv6 notifications name nobody).
#[derive(Debug, Default)]
pub(super) struct Echoes {
    expected: BTreeMap<(IfIndex, Prefix), u32>,
    /// What interfaces said that are asked for their link: it counts instead of what the kernel takes for running.
    pub(super) answers: BTreeMap<IfName, bool>,
}

impl Echoes {
    /// An interface as the core wants to know it, with the answer of one that was asked.
    pub(super) fn interface(&self, link: &Link) -> Interface {
        let mut interface = interface(link);
        if let Some(answer) = self.answers.get(&link.name) {
            interface.usable = link.up && *answer;
        }
        interface
    }

    /// We removed an address, and the kernel agreed.
    pub(super) fn expect(&mut self, interface: IfIndex, prefix: Prefix) {
        *self.expected.entry((interface, prefix)).or_default() += 1;
    }

    /// Whether a removal that we are told of is one of ours.
    fn is_ours(&mut self, interface: IfIndex, prefix: Prefix) -> bool {
        let Some(count) = self.expected.get_mut(&(interface, prefix)) else {
            return false;
        };
        *count -= 1;
        if *count == 0 {
            self.expected.remove(&(interface, prefix));
        }
        true
    }

    /// Notifications were lost: nothing is expected any more.
    pub(super) fn forget(&mut self) {
        self.expected.clear();
    }

    /// Tells the core of an event, unless it is our own doing. `own_port` is the socket that we make changes with.
    pub(super) fn tell(&mut self, now: Instant, event: &Event, own_port: u32, core: &mut Vrrp) {
        match event {
            Event::Link(link) => {
                core.handle_interface(now, self.interface(link));
                if let LinkKind::Vrf { table } = link.kind {
                    core.handle_vrf(&link.name, table);
                }
            }
            Event::LinkGone { index, .. } => {
                self.expected.retain(|(interface, _), _| interface != index);
                core.handle_interface_gone(now, *index);
            }
            Event::Address { port_id, .. } if *port_id == own_port => {}
            // Older than a removal of ours, of which the kernel has yet to tell.
            Event::Address { address: old, .. }
                if self.expected.contains_key(&(old.interface, old.prefix)) => {}
            Event::Address { address: known, .. } if known.dadfailed => {
                core.handle_duplicate_address(now, address(known));
            }
            Event::Address { address: known, .. } => core.handle_address(now, address(known)),
            Event::Routing(event) => routing::tell(now, event, own_port, core),
            Event::AddressGone { address: lost, .. } => {
                if !self.is_ours(lost.interface, lost.prefix) {
                    core.handle_address_gone(now, lost.interface, lost.prefix);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(text: &str, port_id: u32) -> Event {
        Event::AddressGone {
            address: Address {
                interface: IfIndex::new(2).unwrap(),
                prefix: Prefix::host(text.parse().unwrap()),
                peer: None,
                scope: 0,
                tentative: false,
                dadfailed: false,
                deprecated: false,
                secondary: false,
                protocol: Some(18),
            },
            port_id,
        }
    }

    /// A router that knows of two addresses; what it still knows of after the events.
    fn after(echoes: &mut Echoes, events: &[Event]) -> Vec<bool> {
        let mut core = Vrrp::new();
        let index = IfIndex::new(2).unwrap();
        let name = IfName::new("eth0").unwrap();
        let interface = Interface {
            index,
            name,
            usable: true,
            mac: None,
            kind: InterfaceKind::Other,
            base: None,
            master: None,
        };
        let addresses = ["198.18.0.1", "fd00::1"].map(|text| InterfaceAddress {
            interface: index,
            prefix: Prefix::host(text.parse().unwrap()),
            tentative: false,
        });
        core.handle_snapshot(Instant::ZERO, vec![interface], addresses.to_vec());
        for event in events {
            echoes.tell(Instant::ZERO, event, 77, &mut core);
        }
        addresses
            .map(|address| core.has_address(address.interface, address.prefix))
            .to_vec()
    }

    #[test]
    fn what_is_older_than_a_removal_of_ours_is_not_news() {
        let index = IfIndex::new(2).unwrap();
        let Event::AddressGone { address, .. } = lost("fd00::7", 0) else {
            panic!()
        };
        let there = Event::Address {
            address: address.clone(),
            port_id: 0,
        };
        let has = |echoes: &mut Echoes, events: &[Event]| {
            let mut core = Vrrp::new();
            core.handle_snapshot(
                Instant::ZERO,
                vec![Interface {
                    index,
                    name: IfName::new("eth0").unwrap(),
                    usable: true,
                    mac: None,
                    kind: InterfaceKind::Other,
                    base: None,
                    master: None,
                }],
                Vec::new(),
            );
            for event in events {
                echoes.tell(Instant::ZERO, event, 77, &mut core);
            }
            core.has_address(index, address.prefix)
        };
        assert!(has(&mut Echoes::default(), std::slice::from_ref(&there)));
        let mut echoes = Echoes::default();
        echoes.expect(index, address.prefix);
        let events = [there.clone(), lost("fd00::7", 0)];
        assert!(!has(&mut echoes, &events));
        assert!(has(&mut echoes, &[there]), "nothing is expected any more");
    }

    #[test]
    fn removals_of_others_are_told_and_our_own_are_not() {
        let others = [lost("198.18.0.1", 0), lost("fd00::1", 0)];
        assert_eq!(after(&mut Echoes::default(), &others), [false, false]);
        let own = [lost("198.18.0.1", 77), lost("fd00::1", 0)];
        let mut echoes = Echoes::default();
        echoes.expect(
            IfIndex::new(2).unwrap(),
            Prefix::host("198.18.0.1".parse().unwrap()),
        );
        echoes.expect(
            IfIndex::new(2).unwrap(),
            Prefix::host("fd00::1".parse().unwrap()),
        );
        assert_eq!(after(&mut echoes, &own), [true, true]);
        assert_eq!(
            after(&mut echoes, &own),
            [false, false],
            "one echo for each removal; what the kernel takes along is a loss, whatever the port"
        );
    }
}
