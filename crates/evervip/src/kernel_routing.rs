//! Routes and rules, between the core's words and the kernel's: names become numbers, and back.

use sys::netlink::{
    Encap, Insert, KernelNextHop, KernelRoute, KernelRule, Route as ToldRoute, RouteChange,
    RuleChange, TunnelHeader,
};
use types::{IfIndex, IfName};
use vrrp::settings::routes::{self, Insertion, Realms, RouteType, Table};
use vrrp::settings::rules::{FirewallMark, Lookup, Range, RuleAction};
use vrrp::settings::{Route, Rule};
use vrrp::{SeenRoute, Vrrp};

/// The protocol number that marks what is ours in the kernel (keepalived's own, in iproute2's tables).
pub(crate) const PROTOCOL: u8 = routes::KEEPALIVED_PROTOCOL;

/// Who knows the numbers of names.
pub(crate) trait Names {
    /// The number of an interface, if there is one of this name.
    fn index(&self, interface: &IfName) -> Option<IfIndex>;

    /// The table of the VRF with this device, if there is one.
    fn table(&self, device: &IfName) -> Option<u32>;
}

impl Names for Vrrp {
    fn index(&self, interface: &IfName) -> Option<IfIndex> {
        self.interface_index(interface)
    }

    fn table(&self, device: &IfName) -> Option<u32> {
        self.vrf_table(device)
    }
}

/// Actions of a rule (`FR_ACT_...` of `linux/fib_rules.h`).
const LOOKUP: u8 = 1;
const GOTO: u8 = 2;
const NOP: u8 = 3;
const BLACKHOLE: u8 = 6;
const UNREACHABLE: u8 = 7;
const PROHIBIT: u8 = 8;

/// Where a route goes among others.
pub(crate) const fn insert(insertion: Insertion) -> Insert {
    match insertion {
        Insertion::Prepend => Insert::Before,
        Insertion::Add => Insert::Alone,
        Insertion::Append => Insert::Behind,
    }
}

/// The request to make a route; `None` when an interface or a VRF that it names is not there: then it is not, either.
pub(crate) fn add_route(route: &Route, insert: Insert, names: &impl Names) -> Option<RouteChange> {
    let route = kernel_route(route, names)?;
    Some(RouteChange::Add { route, insert })
}

/// The request to remove a route; `None` as for [`add_route`].
pub(crate) fn remove_route(route: &Route, names: &impl Names) -> Option<RouteChange> {
    let route = kernel_route(route, names)?;
    Some(RouteChange::Remove { route })
}

fn kernel_route(route: &Route, names: &impl Names) -> Option<KernelRoute> {
    let index = |name: &Option<_>| match name {
        Some(name) => names.index(name).map(Some),
        None => Some(None),
    };
    let mut kernel = KernelRoute::new(route.destination, route.protocol);
    kernel.from = route.from;
    kernel.kind = route.kind.0;
    kernel.source = route.source;
    kernel.via = route.via;
    kernel.interface = index(&route.interface)?;
    kernel.onlink = route.onlink;
    kernel.tos = route.tos;
    kernel.table = match &route.table {
        Table::Number(number) => *number,
        Table::Vrf(device) => names.table(device)?,
    };
    kernel.scope = route.scope;
    kernel.metric = route.metric;
    kernel.encap = route.encap.as_ref().map(encap);
    kernel.expires = route.expires;
    for (metric, value) in &route.metrics {
        kernel.metrics.push((*metric as u16, value.value));
        if value.locked {
            kernel.locks |= 1 << *metric as u16;
        }
    }
    if let Some(algorithm) = &route.congestion {
        kernel.congestion = Some(algorithm.name.clone());
        if algorithm.locked {
            kernel.locks |= 1 << LOCK_OF_CONGESTION;
        }
    }
    kernel.realms = route.realms.map(realms);
    kernel.preference = route.preference;
    kernel.ttl_propagate = route.ttl_propagate;
    for hop in &route.next_hops {
        kernel.next_hops.push(KernelNextHop {
            via: hop.via,
            interface: index(&hop.interface)?,
            // 1 to 256, as the settings say.
            hops: u8::try_from(hop.weight.saturating_sub(1)).unwrap_or(u8::MAX),
            onlink: hop.onlink,
            encap: hop.encap.as_ref().map(encap),
            realms: hop.realms.map(realms),
        });
    }
    Some(kernel)
}

/// `RTAX_CC_ALGO`.
const LOCK_OF_CONGESTION: u16 = 16;

fn encap(encap: &routes::Encap) -> Encap {
    match encap {
        routes::Encap::Ip(header) => Encap::Ip(tunnel(header)),
        routes::Encap::Ip6(header) => Encap::Ip6(tunnel(header)),
        routes::Encap::Mpls(labels) => Encap::Mpls(labels.clone()),
        routes::Encap::Ila(locator) => Encap::Ila(*locator),
    }
}

fn tunnel<Address: Copy>(header: &routes::IpEncap<Address>) -> TunnelHeader<Address> {
    TunnelHeader {
        id: header.id,
        destination: header.destination,
        source: header.source,
        traffic_class: header.traffic_class,
        hop_limit: header.hop_limit,
        flags: header.flags,
    }
}

fn realms(realms: Realms) -> u32 {
    u32::from(realms.from) << 16 | u32::from(realms.to)
}

/// The request to make a rule.
pub(crate) fn add_rule(rule: &Rule) -> RuleChange {
    let rule = kernel_rule(rule);
    RuleChange::Add { rule }
}

/// The request to remove a rule.
pub(crate) fn remove_rule(rule: &Rule) -> RuleChange {
    let rule = kernel_rule(rule);
    RuleChange::Remove { rule }
}

fn kernel_rule(rule: &Rule) -> KernelRule {
    let action = match rule.action {
        RuleAction::Lookup(_) | RuleAction::L3mdev => LOOKUP,
        RuleAction::Goto(_) => GOTO,
        RuleAction::Nop => NOP,
        RuleAction::Blackhole => BLACKHOLE,
        RuleAction::Unreachable => UNREACHABLE,
        RuleAction::Prohibit => PROHIBIT,
    };
    let mut kernel = KernelRule::new(rule.family, rule.preference, action, rule.protocol);
    match rule.action {
        RuleAction::Lookup(lookup) => {
            kernel.table = lookup.table;
            kernel.realms = lookup.realms.map(realms);
            kernel.suppress_prefix_length = lookup.suppress_prefix_length;
            kernel.suppress_group = lookup.suppress_group;
        }
        RuleAction::Goto(target) => kernel.goto = Some(target),
        RuleAction::L3mdev => kernel.l3mdev = true,
        RuleAction::Nop
        | RuleAction::Blackhole
        | RuleAction::Unreachable
        | RuleAction::Prohibit => {}
    }
    kernel.invert = rule.invert;
    kernel.from = rule.from;
    kernel.to = rule.to;
    kernel.tos = rule.tos;
    kernel.mark = rule
        .mark
        .map(|mark| (mark.mark, mark.mask.unwrap_or(u32::MAX)));
    kernel.input.clone_from(&rule.input);
    kernel.output.clone_from(&rule.output);
    kernel.tunnel_id = rule.tunnel_id;
    kernel.users = rule.users.map(|range| (range.first, range.last));
    kernel.ip_protocol = rule.ip_protocol;
    kernel.source_ports = rule.source_ports.map(|range| (range.first, range.last));
    kernel.destination_ports = rule
        .destination_ports
        .map(|range| (range.first, range.last));
    kernel
}

/// A route of the kernel as the core wants to know it.
pub(crate) fn seen_route(route: ToldRoute) -> SeenRoute {
    let ways = if route.next_hops.is_empty() {
        vec![(route.via, route.interface)]
    } else {
        route.next_hops
    };
    SeenRoute {
        destination: route.destination,
        from: route.from,
        kind: RouteType(route.kind),
        tos: route.tos,
        table: route.table,
        protocol: route.protocol,
        scope: route.scope,
        metric: route.metric,
        ways,
    }
}

/// A rule of the kernel in the words of the settings; `None` for an action that they do not know.
pub(crate) fn seen_rule(kernel: &KernelRule) -> Option<Rule> {
    let split = |both: u32| {
        let [_, from, _, to] = both.to_be_bytes();
        Realms { from, to }
    };
    let action = match (kernel.action, kernel.goto) {
        (LOOKUP, _) if kernel.l3mdev => RuleAction::L3mdev,
        (LOOKUP, _) => RuleAction::Lookup(Lookup {
            table: kernel.table,
            realms: kernel.realms.map(split),
            suppress_prefix_length: kernel.suppress_prefix_length,
            suppress_group: kernel.suppress_group,
        }),
        (GOTO, Some(target)) => RuleAction::Goto(target),
        (NOP, _) => RuleAction::Nop,
        (BLACKHOLE, _) => RuleAction::Blackhole,
        (UNREACHABLE, _) => RuleAction::Unreachable,
        (PROHIBIT, _) => RuleAction::Prohibit,
        _ => return None,
    };
    let range = |(first, last)| Range { first, last };
    let mut rule = Rule::new(kernel.family, kernel.preference, action);
    rule.invert = kernel.invert;
    rule.from = kernel.from;
    rule.to = kernel.to;
    rule.tos = kernel.tos;
    rule.mark = kernel.mark.map(|(mark, mask)| FirewallMark {
        mark,
        mask: Some(mask),
    });
    rule.input.clone_from(&kernel.input);
    rule.output.clone_from(&kernel.output);
    rule.tunnel_id = kernel.tunnel_id;
    rule.users = kernel.users.map(|(first, last)| Range { first, last });
    rule.ip_protocol = kernel.ip_protocol;
    rule.source_ports = kernel.source_ports.map(range);
    rule.destination_ports = kernel.destination_ports.map(range);
    rule.protocol = kernel.protocol;
    Some(rule)
}

#[cfg(test)]
mod tests {
    use types::{Family, Instant, MacAddress, Prefix};
    use vrrp::settings::routes::{Metric, MetricValue, NextHop};
    use vrrp::{Interface, InterfaceKind};

    use super::*;

    fn core() -> Vrrp {
        let mut core = Vrrp::new();
        let interface = Interface {
            index: IfIndex::new(7).unwrap(),
            name: IfName::new("eth0").unwrap(),
            usable: true,
            mac: Some(MacAddress([2, 0, 0, 0, 0, 7])),
            kind: InterfaceKind::Other,
            base: None,
            master: None,
        };
        core.handle_snapshot(Instant::ZERO, vec![interface], Vec::new());
        core
    }

    fn prefix(text: &str) -> Prefix {
        let (address, length) = text.split_once('/').unwrap();
        Prefix::new(address.parse().unwrap(), length.parse().unwrap()).unwrap()
    }

    #[test]
    fn names_become_numbers_or_there_is_no_request() {
        let mut route = Route::new(prefix("192.0.2.0/24"));
        route.interface = Some(IfName::new("eth0").unwrap());
        route.metrics.insert(
            Metric::Mtu,
            MetricValue {
                value: 1400,
                locked: true,
            },
        );
        route.realms = Some(Realms { from: 3, to: 4 });
        let kernel = kernel_route(&route, &core()).unwrap();
        assert_eq!(kernel.interface, IfIndex::new(7));
        assert_eq!((kernel.metrics, kernel.locks), (vec![(2, 1400)], 1 << 2));
        assert_eq!(kernel.realms, Some(0x0003_0004));
        route.next_hops = vec![NextHop {
            interface: Some(IfName::new("eth9").unwrap()),
            weight: 256,
            ..NextHop::default()
        }];
        assert_eq!(kernel_route(&route, &core()), None);
        route.next_hops[0].interface = None;
        let kernel = kernel_route(&route, &core()).unwrap();
        assert_eq!(kernel.next_hops[0].hops, 255);
        route.table = Table::Vrf(IfName::new("red").unwrap());
        assert_eq!(kernel_route(&route, &core()), None);
        let mut core = core();
        core.handle_vrf(&IfName::new("red").unwrap(), 77);
        assert_eq!(kernel_route(&route, &core).unwrap().table, 77);
    }

    #[test]
    fn a_rule_comes_back_as_it_was() {
        let mut lookup = Lookup::new(100);
        lookup.realms = Some(Realms { from: 3, to: 4 });
        lookup.suppress_prefix_length = Some(0);
        for action in [
            RuleAction::Lookup(lookup),
            RuleAction::L3mdev,
            RuleAction::Goto(400),
            RuleAction::Nop,
            RuleAction::Blackhole,
            RuleAction::Unreachable,
            RuleAction::Prohibit,
        ] {
            let mut rule = Rule::new(Family::V4, 300, action);
            rule.invert = true;
            rule.from = Some(prefix("192.0.2.0/24"));
            rule.mark = Some(FirewallMark {
                mark: 7,
                mask: Some(0xff),
            });
            rule.input = Some(IfName::new("eth0").unwrap());
            rule.users = Some(Range { first: 1, last: 2 });
            rule.destination_ports = Some(Range {
                first: 80,
                last: 80,
            });
            assert_eq!(seen_rule(&kernel_rule(&rule)), Some(rule));
        }
        assert_eq!(seen_rule(&KernelRule::new(Family::V4, 1, 99, 18)), None);
    }
}
