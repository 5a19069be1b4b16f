//! Lines as keepalived 2.2.7 writes them of the same routes and rules.

use std::collections::BTreeMap;

use types::IfName;
use vrrp::settings::routes::{CongestionControl, FEATURE_ECN};
use vrrp::settings::rules::{FirewallMark, Lookup, Range};

use super::*;

fn eth0() -> IfName {
    IfName::new("e0").unwrap()
}

fn net(address: &str, length: u8) -> Prefix {
    Prefix::new(address.parse().unwrap(), length).unwrap()
}

fn route(address: &str, length: u8) -> Route {
    Route {
        interface: Some(eth0()),
        ..Route::new(net(address, length))
    }
}

fn metrics(list: &[(Metric, u32, bool)]) -> BTreeMap<Metric, MetricValue> {
    list.iter()
        .map(|(metric, value, locked)| {
            let (value, locked) = (*value, *locked);
            (*metric, MetricValue { value, locked })
        })
        .collect()
}

fn tunnel(id: u64) -> IpEncap<std::net::Ipv4Addr> {
    IpEncap {
        id: Some(id),
        destination: Some("10.0.0.7".parse().unwrap()),
        ..IpEncap::default()
    }
}

#[test]
fn routes() {
    let everything = Route {
        source: Some("10.0.0.1".parse().unwrap()),
        via: Some("10.0.0.2".parse().unwrap()),
        onlink: true,
        tos: 4,
        table: Table::Number(7),
        protocol: 42,
        scope: 253,
        metric: Some(7),
        encap: Some(Encap::Ip(tunnel(5))),
        realms: Some(Realms { from: 1, to: 2 }),
        congestion: Some(CongestionControl {
            name: "cubic".into(),
            locked: false,
        }),
        metrics: metrics(&[
            (Metric::Rtt, 1700, false),
            (Metric::RttVar, 900, false),
            (Metric::RtoMin, 300, false),
            (Metric::Features, FEATURE_ECN, false),
            (Metric::Mtu, 1400, false),
            (Metric::HopLimit, 5, false),
            (Metric::InitCwnd, 5, false),
            (Metric::InitRwnd, 6, false),
            (Metric::QuickAck, 1, false),
            (Metric::FastOpenNoCookie, 1, false),
        ]),
        ttl_propagate: Some(true),
        no_track: true,
        ..route("10.79.0.0", 16)
    };
    let locked = Route {
        metrics: metrics(&[
            (Metric::Rtt, 12000, true),
            (Metric::RttVar, 8000, false),
            (Metric::Mtu, 1400, true),
        ]),
        insertion: Insertion::Append,
        ..route("10.80.0.0", 16)
    };
    let six = Route {
        from: Some(net("fd77::", 64)),
        via: Some("fd00::1".parse().unwrap()),
        expires: Some(44),
        metric: Some(7),
        preference: Some(3),
        insertion: Insertion::Add,
        ..route("fd10::", 64)
    };
    let hops = Route {
        interface: None,
        realms: Some(Realms { from: 0, to: 7 }),
        no_track: true,
        next_hops: vec![
            NextHop {
                via: Some("10.0.0.2".parse().unwrap()),
                interface: Some(eth0()),
                weight: 2,
                onlink: true,
                realms: Some(Realms { from: 0, to: 3 }),
                encap: Some(Encap::Ip(IpEncap {
                    traffic_class: Some(5),
                    flags: Some(17),
                    ..tunnel(4)
                })),
            },
            NextHop {
                via: Some("10.0.0.3".parse().unwrap()),
                ..NextHop::default()
            },
        ],
        ..route("10.82.0.0", 16)
    };
    let hole = Route {
        kind: RouteType::BLACKHOLE,
        insertion: Insertion::Add,
        interface: None,
        ..route("10.2.0.1", 32)
    };
    let labels = Route {
        encap: Some(Encap::Mpls(vec![100, 200])),
        table: Table::Vrf(IfName::new("red").unwrap()),
        ..route("0.0.0.0", 0)
    };
    for (route, group, expected) in [
        (
            everything,
            None,
            "prepend 10.79.0.0/16 src 10.0.0.1 tos 4 encap ip id 5 dst 10.0.0.7 via inet 10.0.0.2 dev e0 table 7 proto 42 \
             scope 253 metric 7 onlink realms 1/2 congctl cubic rtt 212.5ms rttvar 225ms rto_min 300ms features ecn mtu 1400 \
             hoplimit 5 initcwnd 5 initrwnd 6 quickack 1 fastopen_no_cookie 1 ttl-propagate enabled no_track",
        ),
        (
            locked,
            Some("tg1"),
            "append 10.80.0.0/16 dev e0 proto 18 rtt lock 1.5s rttvar 2s mtu lock 1400 track_group tg1",
        ),
        (
            six,
            None,
            "add fd10::/64 from fd77::/64 via inet6 fd00::1 dev e0 proto 18 metric 7 expires 44sec pref low",
        ),
        (
            hops,
            None,
            "prepend 10.82.0.0/16 proto 18 realm 7 nexthop via inet 10.0.0.2 dev e0 weight 2 onlink realm 3 encap ip id 4 \
             dst 10.0.0.7 tos 5 flags 0x11 nexthop via inet 10.0.0.3 no_track",
        ),
        (hole, None, "add blackhole 10.2.0.1 proto 18"),
        (
            labels,
            None,
            "prepend default encap mpls 100/200 dev e0 vrf red proto 18",
        ),
    ] {
        assert_eq!(route_text(&route, group), expected);
    }
}

#[test]
fn rules() {
    let lookup = |table| RuleAction::Lookup(Lookup::new(table));
    let everything = Rule {
        from: Some(net("10.3.0.0", 16)),
        to: Some(net("10.4.0.0", 16)),
        tos: 4,
        mark: Some(FirewallMark {
            mark: 6,
            mask: Some(0xff),
        }),
        input: Some(IfName::new("lo").unwrap()),
        output: Some(eth0()),
        ip_protocol: Some(6),
        source_ports: Some(Range { first: 1, last: 5 }),
        destination_ports: Some(Range { first: 9, last: 10 }),
        users: Some(Range { first: 1, last: 2 }),
        tunnel_id: Some(7),
        ..Rule::new(
            Family::V4,
            99,
            RuleAction::Lookup(Lookup {
                realms: Some(Realms { from: 3, to: 4 }),
                suppress_prefix_length: Some(4),
                suppress_group: Some(5),
                ..Lookup::new(8)
            }),
        )
    };
    let grouped = Rule {
        from: Some(net("10.9.0.1", 32)),
        input: Some(eth0()),
        ..Rule::new(Family::V4, 100, lookup(8))
    };
    let six = Rule {
        invert: true,
        input: Some(eth0()),
        ..Rule::new(Family::V6, 9, lookup(5))
    };
    let to_six = Rule {
        to: Some(net("fd01::", 64)),
        protocol: 44,
        no_track: true,
        ..Rule::new(Family::V6, 88, RuleAction::Unreachable)
    };
    let device = Rule {
        input: Some(eth0()),
        ..Rule::new(Family::V4, 400, RuleAction::L3mdev)
    };
    let rule = |action| Rule::new(Family::V4, 6, action);
    for (rule, group, expected) in [
        (
            everything,
            None,
            "from 10.3.0.0/16 to 10.4.0.0/16 priority 99 tos 0x4 fwmark 0x6/0xff iif lo oif e0 suppress_prefixlen 4 \
             suppress_ifgroup 5 tunnel-id 7 uidrange 1-2 protocol 18 ipproto 6 sport 1-5 dport 9-10 realms 3/4 lookup 8",
        ),
        (
            grouped,
            Some("tg1"),
            "from 10.9.0.1 priority 100 tos 0x0 iif e0 protocol 18 lookup 8 track_group tg1",
        ),
        (
            six,
            None,
            "inet6 not from all priority 9 tos 0x0 iif e0 protocol 18 lookup 5",
        ),
        (
            to_six,
            None,
            "from all to fd01::/64 priority 88 tos 0x0 protocol 44 type unreachable no_track",
        ),
        (
            device,
            None,
            "from all priority 400 tos 0x0 iif e0 l3mdev protocol 18 lookup 0",
        ),
        (
            rule(RuleAction::Goto(32766)),
            None,
            "from all priority 6 tos 0x0 protocol 18 goto 32766",
        ),
        (
            rule(RuleAction::Blackhole),
            None,
            "from all priority 6 tos 0x0 protocol 18 type blackhole",
        ),
        (
            rule(RuleAction::Prohibit),
            None,
            "from all priority 6 tos 0x0 protocol 18 type prohibit",
        ),
        (
            rule(RuleAction::Nop),
            None,
            "from all priority 6 tos 0x0 protocol 18 nop",
        ),
    ] {
        assert_eq!(rule_text(&rule, group), expected);
    }
}
