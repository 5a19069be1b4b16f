//! Virtual router ids that meet on one segment.

use std::collections::BTreeMap;

use super::Lint;
use super::addresses::Subnets;
use super::vrrp::Router;
use crate::diagnostics::Reporter;

/// One id on two interfaces of one segment.
pub(super) const SAME_SEGMENT: Lint = Lint {
    name: "vrid_twice_on_segment",
    what: "two instances with one `virtual_router_id` on interfaces that have addresses in one subnet",
    why: "on one segment they take each other's adverts for those of their own group, and share a virtual MAC",
    fix: "give one of them another virtual_router_id, on all of its routers",
};

/// Compares instances that could hear each other.
pub(super) fn check(routers: &[Router<'_>], subnets: &Subnets, report: &mut Reporter) {
    let mut first: BTreeMap<_, &Router<'_>> = BTreeMap::new();
    for router in routers {
        let settings = router.settings;
        let interface = &settings.interface;
        let met = subnets.on(interface).find_map(|subnet| {
            let group = (settings.family, settings.vrid, settings.mcast_dst_ip);
            let other = *first.entry((group, subnet)).or_insert(router);
            (other.settings.interface != *interface).then_some((other, subnet))
        });
        let Some((other, (network, length))) = met else {
            continue;
        };
        let message = format!(
            "instances {} on {} and {} on {interface} both have virtual_router_id {}, and both interfaces are in {network}/{length}",
            other.name(),
            other.settings.interface,
            router.name(),
            settings.vrid
        );
        let place = |router: &Router<'_>| {
            let draft = router.draft;
            draft.vrid.as_ref().map_or(draft.span, |at| at.span)
        };
        let lint = SAME_SEGMENT
            .found(message)
            .related(place(other), "the other one");
        report.lint(place(router), lint);
    }
}

#[cfg(test)]
mod tests {
    use crate::lints::tests::lints_of;
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
                "instances A on eth0 and B on eth1 both have virtual_router_id 7, and both interfaces are in 10.0.0.0/24"
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
}
