//! Virtual addresses and the subnets of the interfaces that they go on.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use types::{Family, IfName, Prefix};
use vrrp::settings::{Static, VirtualAddress};

use super::Lint;
use super::vrrp::Router;
use crate::diagnostics::{Reporter, Span};
use crate::draft::AddressDraft;
use crate::machine::Machine;

/// An address that its interface has no subnet for.
pub(super) const VIP_OUTSIDE: Lint = Lint {
    name: "vip_outside_subnet",
    what: "a virtual address that lies in no subnet of the interface it goes on",
    why: "hosts on that segment do not look for it there, so nobody reaches it unless routers lead to it",
    fix: "correct the address or its interface (`ADDRESS/LENGTH dev INTERFACE`), unless the routers are meant to have no \
          address of their own there",
};

/// An address of two instances.
pub(super) const VIP_TWICE: Lint = Lint {
    name: "vip_twice",
    what: "a virtual address that two instances have on one interface, unless one sync group moves both",
    why: "whichever of the two stops being master removes the address that the other one still serves",
    fix: "leave it to one of them",
};

/// The subnets that interfaces have on this machine, as far as they are known.
pub(super) struct Subnets {
    /// Each network with its length; host addresses and link-local networks are not in it.
    known: BTreeMap<IfName, BTreeSet<(IpAddr, u8)>>,
}

impl Subnets {
    /// Asks for each interface that an instance runs on or puts an address on.
    pub(super) fn of(routers: &[Router<'_>], machine: &dyn Machine) -> Self {
        let mut interfaces: BTreeSet<&IfName> = BTreeSet::new();
        for router in routers {
            interfaces.extend(&router.settings.interface);
            interfaces.extend(router.settings.addresses().map(|vip| &vip.interface));
        }
        let known = interfaces
            .into_iter()
            .filter(|name| {
                let facts = machine.interface(name.as_str());
                facts.is_some_and(|facts| !facts.loopback)
            })
            .filter_map(|name| {
                let addresses = machine.addresses(name.as_str())?;
                let subnets = addresses.into_iter().filter_map(subnet).collect();
                Some((*name, subnets))
            })
            .collect();
        Self { known }
    }

    /// The networks of an interface, with their lengths.
    pub(super) fn on(&self, interface: &IfName) -> impl Iterator<Item = (IpAddr, u8)> {
        self.known.get(interface).into_iter().flatten().copied()
    }

    /// Those of one family in words; empty: there are none.
    fn named(&self, interface: &IfName, family: Family) -> String {
        /// More would not help.
        const NAMED: usize = 4;
        let mut all = self
            .on(interface)
            .filter(|(network, _)| Family::of(*network) == family)
            .map(|(network, length)| format!("{network}/{length}"));
        let mut text = all.by_ref().take(NAMED).collect::<Vec<_>>().join(", ");
        let more = all.count();
        if more > 0 {
            text.push_str(&format!(" and {more} more"));
        }
        text
    }
}

/// The network of an address, if it says anything about who else is on the segment.
fn subnet(prefix: Prefix) -> Option<(IpAddr, u8)> {
    let length = prefix.length();
    let tells = length < prefix.family().host_prefix_length() && !is_link_local(prefix.address());
    tells.then(|| (network(prefix.address(), length), length))
}

/// An address without its host bits.
fn network(address: IpAddr, length: u8) -> IpAddr {
    let host_bits = Family::of(address)
        .host_prefix_length()
        .saturating_sub(length);
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(host_bits.into()).unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(host_bits.into()).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
    }
}

const fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// Networks of one interface, to look addresses up in.
#[derive(Default)]
struct Networks {
    all: BTreeSet<(IpAddr, u8)>,
    lengths: BTreeSet<u8>,
}

impl Networks {
    fn insert(&mut self, (network, length): (IpAddr, u8)) {
        self.all.insert((network, length));
        self.lengths.insert(length);
    }

    /// At most one look for each of the 128 lengths.
    fn contain(&self, address: IpAddr) -> bool {
        let most = Family::of(address).host_prefix_length();
        self.lengths
            .iter()
            .filter(|length| **length <= most)
            .any(|length| self.all.contains(&(network(address, *length), *length)))
    }
}

/// Looks at the addresses of all instances. `statics` bring their subnets along.
pub(super) fn check(
    routers: &[Router<'_>],
    statics: &[Static<AddressDraft>],
    subnets: &Subnets,
    report: &mut Reporter,
) {
    if !report.wants_lints() {
        return;
    }
    let mut networks: BTreeMap<&IfName, Networks> = BTreeMap::new();
    for (name, all) in &subnets.known {
        let own = networks.entry(name).or_default();
        all.iter().for_each(|subnet| own.insert(*subnet));
    }
    for address in statics.iter().map(|fixed| &fixed.entry) {
        let interface = address.interface.as_ref();
        let own = interface.and_then(|interface| networks.get_mut(interface));
        if let (Some(own), Some(subnet)) = (own, subnet(address.prefix)) {
            own.insert(subnet);
        }
    }
    // An address that brings its subnet along makes room for others there, though not for itself.
    let mut brought: BTreeMap<&IfName, Networks> = BTreeMap::new();
    for router in routers {
        for vip in router.settings.addresses() {
            if let Some(subnet) = subnet(vip.prefix) {
                let wire = wire(router, vip);
                brought.entry(wire).or_default().insert(subnet);
            }
        }
    }
    for router in routers {
        outside(router, subnets, &networks, &brought, report);
    }
    twice(routers, report);
}

/// Each address of an instance with its place. They are in the same order, though addresses may have moved from the first
/// list to the second, and those without an interface are gone.
fn places<'a>(router: &Router<'a>) -> impl Iterator<Item = (&'a Arc<VirtualAddress>, Span)> {
    let draft = router.draft;
    let has_interface = router.settings.interface.is_some();
    let drafts = draft.vips.iter().chain(&draft.excluded);
    let spans = drafts
        .filter(move |draft| has_interface || draft.interface.is_some())
        .map(|draft| draft.span);
    router.settings.addresses().zip(spans)
}

/// The interface whose subnets an address belongs to: what is below the instance's own device.
fn wire<'a>(router: &Router<'a>, vip: &'a VirtualAddress) -> &'a IfName {
    let settings = router.settings;
    let own = settings.virtual_interface.as_ref();
    let below = own
        .filter(|own| own.name == vip.interface)
        .and(settings.interface.as_ref());
    below.unwrap_or(&vip.interface)
}

/// One lint for each interface that addresses of an instance do not belong on.
fn outside(
    router: &Router<'_>,
    subnets: &Subnets,
    networks: &BTreeMap<&IfName, Networks>,
    brought: &BTreeMap<&IfName, Networks>,
    report: &mut Reporter,
) {
    let mut lost: BTreeMap<(&IfName, Family), (&VirtualAddress, Span, usize)> = BTreeMap::new();
    for (vip, span) in places(router) {
        let address = vip.prefix.address();
        let family = vip.prefix.family();
        let wire = wire(router, vip);
        let Some(own) = networks.get(wire) else {
            continue;
        };
        let known = subnets
            .on(wire)
            .any(|(network, _)| Family::of(network) == family);
        let silent = vip.peer.is_some() || is_link_local(address) || !known;
        let guest = subnet(vip.prefix).is_none()
            && brought
                .get(wire)
                .is_some_and(|brought| brought.contain(address));
        if silent || guest || own.contain(address) {
            continue;
        }
        let entry = lost.entry((wire, family));
        entry.or_insert((vip, span, 0)).2 += 1;
    }
    for ((interface, family), (vip, span, number)) in lost {
        let more = match number {
            0 | 1 => String::new(),
            number => format!(" (nor do {} more)", number - 1),
        };
        let message = format!(
            "instance {}: {} belongs to no subnet of {interface}, which has {}{more}",
            router.name(),
            vip.prefix.address(),
            subnets.named(interface, family)
        );
        report.lint(span, VIP_OUTSIDE.found(message));
    }
}

fn twice(routers: &[Router<'_>], report: &mut Reporter) {
    let mut first: BTreeMap<(IpAddr, &IfName), (usize, Span)> = BTreeMap::new();
    for (index, router) in routers.iter().enumerate() {
        for (vip, span) in places(router) {
            let key = (vip.prefix.address(), &vip.interface);
            let (before, place) = *first.entry(key).or_insert((index, span));
            let Some(other) = routers.get(before).filter(|_| before != index) else {
                continue;
            };
            // Those of one sync group come and go together.
            if let (Some(group), Some(theirs)) = (router.group, other.group)
                && group.name == theirs.name
            {
                continue;
            }
            let message = format!(
                "instances {} and {} both have {} on {}",
                other.name(),
                router.name(),
                key.0,
                key.1
            );
            let lint = VIP_TWICE.found(message).related(place, "the first one");
            report.lint(span, lint);
        }
    }
}

#[cfg(test)]
mod tests;
