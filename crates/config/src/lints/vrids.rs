//! Virtual router ids that meet on one segment.

use std::collections::BTreeMap;

use types::MacAddress;
use vrrp::settings::{InstanceSettings, VirtualInterfaceKind};

use super::Lint;
use super::addresses::Subnets;
use super::vrrp::Router;
use crate::diagnostics::{Diagnostic, Reporter, Span};

/// One id twice on one segment.
pub(super) const SAME_SEGMENT: Lint = Lint {
    name: "vrid_twice_on_segment",
    what: "two instances with one `virtual_router_id` on one segment: on interfaces with addresses in one subnet, or on \
           one interface with `use_vmac`",
    why: "they have the same virtual MAC, and without a multicast group of its own each takes the other's adverts for \
          those of its own routers",
    fix: "give one of them another virtual_router_id, on all of its routers",
};

/// Compares instances that could hear each other. Those that keepalived cannot tell apart either are reported anyway.
pub(super) fn check(routers: &[Router<'_>], subnets: &Subnets, report: &mut Reporter) {
    let mut on_subnets: BTreeMap<_, &Router<'_>> = BTreeMap::new();
    let mut on_device: BTreeMap<_, &Router<'_>> = BTreeMap::new();
    for router in routers {
        let settings = router.settings;
        let (Some(interface), None) = (&settings.interface, &settings.unicast) else {
            continue;
        };
        let met = subnets.on(interface).find_map(|subnet| {
            let group = (settings.family, settings.vrid, settings.mcast_dst_ip);
            let other = *on_subnets.entry((group, subnet)).or_insert(router);
            (!other.settings.is_on(interface)).then_some((other, subnet))
        });
        if let Some((other, (network, length))) = met {
            let both = format!("and both interfaces are in {network}/{length}");
            report.lint(place(router), same_id(router, other, &both));
        }
        if let Some(address) = mac(settings) {
            let key = (interface, settings.family, settings.vrid, address);
            let other = *on_device.entry(key).or_insert(router);
            if other.settings.mcast_dst_ip != settings.mcast_dst_ip {
                let both = format!("and so one MAC on {interface}");
                report.lint(place(router), same_id(router, other, &both));
            }
        }
    }
}

fn same_id(router: &Router<'_>, other: &Router<'_>, both: &str) -> Diagnostic {
    let message = format!(
        "instances {} and {} both have virtual_router_id {}, {both}",
        other.name(),
        router.name(),
        router.settings.vrid
    );
    SAME_SEGMENT
        .found(message)
        .related(place(other), "the other one")
}

fn place(router: &Router<'_>) -> Span {
    let draft = router.draft;
    draft.vrid.as_ref().map_or(draft.span, |vrid| vrid.span)
}

/// The MAC address of an instance with a macvlan.
fn mac(settings: &InstanceSettings) -> Option<MacAddress> {
    match settings.virtual_interface.as_deref()?.kind {
        VirtualInterfaceKind::Macvlan { address, .. } => Some(address),
        VirtualInterfaceKind::Ipvlan { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::lints::tests::{found as found_in, instance, lints_of};
    use crate::testing::Fake;

    fn found(machine: Fake, vrid: u8) -> Vec<String> {
        let instance = |name: &str, interface: &str, vrid: u8| {
            format!(
                "vrrp_instance {name} {{\ninterface {interface}\nvirtual_router_id {vrid}\npriority 100\n\
                 virtual_ipaddress {{\n10.0.0.{vrid}\n}}\n}}\n"
            )
        };
        let text = format!(
            "{}{}",
            instance("A", "eth0", 7),
            instance("B", "eth1", vrid)
        );
        lints_of(machine, &text)
            .into_iter()
            .filter(|lint| lint.lint == Some("vrid_twice_on_segment"))
            .map(|lint| lint.message)
            .collect()
    }

    #[test]
    fn two_interfaces_of_one_segment() {
        let machine = Fake::default()
            .address("eth0", "10.0.0.1/24")
            .address("eth1", "10.0.0.2/24");
        assert_eq!(
            found(machine.clone(), 7),
            [
                "instances A and B both have virtual_router_id 7, and both interfaces are in 10.0.0.0/24"
            ]
        );
        assert_eq!(found(machine, 8), [""; 0]);
    }

    #[test]
    fn two_segments_or_none_that_is_known() {
        let apart = Fake::default()
            .address("eth0", "10.0.0.1/24")
            .address("eth1", "10.0.1.1/24");
        assert_eq!(found(apart, 7), [""; 0]);
        assert_eq!(found(Fake::default(), 7), [""; 0]);
    }

    #[test]
    fn link_local_and_host_addresses_say_nothing_of_a_segment() {
        let machine = Fake::default()
            .address("eth0", "fe80::1/64")
            .address("eth1", "fe80::2/64")
            .address("eth0", "10.0.0.1/32")
            .address("eth1", "10.0.0.1/32");
        assert_eq!(found(machine, 7), [""; 0]);
    }

    #[test]
    fn one_mac_twice_on_one_interface() {
        let text = |device: &str, vrid: u8| {
            let second = format!("{device}\nmcast_dst_ip 224.0.0.99");
            format!(
                "{}{}",
                instance("A", 7, device),
                instance("B", vrid, &second)
            )
        };
        let lints = found_in(&text("use_vmac", 7), "vrid_twice_on_segment");
        assert_eq!(lints.len(), 1);
        assert_eq!(
            lints[0].message,
            "instances A and B both have virtual_router_id 7, and so one MAC on eth0"
        );
        for text in [text("", 7), text("use_vmac", 8)] {
            assert!(found_in(&text, "vrid_twice_on_segment").is_empty());
        }
    }
}
