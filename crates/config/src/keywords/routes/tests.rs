//! Each word of a route: what it becomes, and what is said about mistakes.

use proptest::prelude::*;
use types::IfName;
use vrrp::settings::routes::{Encap, IpEncap, Realms};

use super::*;
use crate::testing::Fake;

const GENERAL: &[Class] = &[Class::General];
const NUMBER: &[Class] = &[Class::InvalidNumber];
const MISSING: &[Class] = &[Class::MissingParameter];
const OLD: &[Class] = &[Class::Deprecated];
/// Said, but without effect on the status.
const REMARK: &[Class] = &[Class::Uncounted];

/// The machine of these tests.
fn machine() -> Fake {
    Fake::default()
        .file("/etc/iproute2/rt_tables", "100 vpn\n0 unspec\n")
        .file("/etc/iproute2/rt_dsfield", "0x28 AF11\n")
        .file("/etc/iproute2/rt_realms", "7 office\n")
}

/// What becomes of an entry of `static_routes`, and the classes of what is said.
fn read_line(line: &str) -> (Option<Static<Route>>, Vec<Class>) {
    let text = format!(
        "vrrp_instance M {{\ninterface eth1\nvirtual_router_id 9\nvirtual_ipaddress {{\n10.9.9.9\n}}\n}}\n\
         track_group G {{\ngroup {{\nM\n}}\n}}\nstatic_routes {{\n{line}\n}}\n"
    );
    let loaded = machine().load(text);
    let classes = loaded.diagnostics.iter().map(|said| said.class);
    let classes = classes.filter(|class| *class != Class::Pending).collect();
    let routes = loaded
        .settings
        .map_or_else(Vec::new, |settings| settings.vrrp.static_routes);
    assert!(routes.len() <= 1);
    (routes.into_iter().next(), classes)
}

/// Each line, the route as it is written back (empty: dropped), and the classes of what is said.
fn table(rows: &[(&str, &str, &[Class])]) {
    for (line, expected, classes) in rows {
        let (route, said) = read_line(line);
        let shown = route.map_or_else(String::new, |route| route.entry.to_string());
        assert_eq!(shown, *expected, "{line}");
        assert_eq!(said, *classes, "{line}");
    }
}

#[test]
fn destinations_and_types() {
    table(&[
        ("10.1.0.0/16 dev eth0", "10.1.0.0/16 dev eth0", &[]),
        ("to 10.1.0.1 dev eth0", "10.1.0.1/32 dev eth0", &[]),
        ("10.1.0.1/16 dev eth0", "10.1.0.1/16 dev eth0", &[]),
        ("default via 10.0.0.1", "0.0.0.0/0 via 10.0.0.1", &[]),
        ("any dev eth0", "0.0.0.0/0 dev eth0", &[]),
        ("all dev eth0", "0.0.0.0/0 dev eth0", &[]),
        (
            "default via fe80::1 dev eth0",
            "::/0 via fe80::1 dev eth0",
            &[],
        ),
        ("default6 dev eth0", "::/0 dev eth0", &[]),
        ("default dev eth0 pref high", "::/0 dev eth0 pref 1", &[]),
        ("blackhole 10.2.0.0/16", "blackhole 10.2.0.0/16", &[]),
        ("throw default", "throw 0.0.0.0/0", &[]),
        ("brd 10.2.0.0/16", "broadcast 10.2.0.0/16", &[]),
        ("xresolve 10.2.0.0/16", "xresolve 10.2.0.0/16", &[]),
        ("7 10.2.0.0/16", "unreachable 10.2.0.0/16", &[]),
        ("0x7 10.2.0.0/16", "unreachable 10.2.0.0/16", &[]),
        ("200 10.2.0.0/16", "200 10.2.0.0/16", &[]),
        (
            "10.1.0.0/16 blackhole 10.2.0.0/16",
            "blackhole 10.2.0.0/16",
            REMARK,
        ),
        ("10.1.0.0/33 dev eth0", "10.1.0.0/32 dev eth0", NUMBER),
        ("10.1.0.0/16x dev eth0", "10.1.0.0/16 dev eth0", NUMBER),
        ("10.1.0.0/ dev eth0", "10.1.0.0/0 dev eth0", REMARK),
        ("dev eth0", "", GENERAL),
        ("300 10.2.0.0/16", "", GENERAL),
        ("10/8 dev eth0", "", GENERAL),
        ("to blackhole 10.2.0.0/16", "", GENERAL),
        ("blackhole dev eth0", "", GENERAL),
        ("10.1.0.0/16 bogus dev eth0", "", GENERAL),
        ("blackhole", "", MISSING),
        ("to", "", MISSING),
    ]);
}

#[test]
fn addresses_and_families() {
    table(&[
        (
            "10.1.0.0/16 src 10.0.0.9 via 10.0.0.1",
            "10.1.0.0/16 src 10.0.0.9 via 10.0.0.1",
            &[],
        ),
        (
            "via inet 10.0.0.1 10.1.0.0/16",
            "10.1.0.0/16 via 10.0.0.1",
            &[],
        ),
        (
            "default via inet6 fe80::1 dev eth0",
            "::/0 via fe80::1 dev eth0",
            &[],
        ),
        ("10.1.0.0/16 gw 10.0.0.1", "10.1.0.0/16 via 10.0.0.1", OLD),
        (
            "fd00::/64 from fd01::/64 dev eth0",
            "fd00::/64 from fd01::/64 dev eth0",
            &[],
        ),
        ("10.1.0.0/16 src fe80::1", "", GENERAL),
        ("10.1.0.0/16 src x", "", GENERAL),
        ("10.1.0.0/16 src 10.0.0.1/24", "", GENERAL),
        ("10.1.0.0/16 via fe80::1", "", GENERAL),
        ("10.1.0.0/16 via inet6 10.0.0.1", "", GENERAL),
        ("10.1.0.0/16 from fd00::1", "", GENERAL),
        ("fd00::/64 from 10.0.0.1", "", GENERAL),
        ("fd00::/64 from any", "", GENERAL),
        ("10.1.0.0/16 src", "", MISSING),
        ("10.1.0.0/16 via", "", MISSING),
        ("10.1.0.0/16 via inet", "", MISSING),
    ]);
}

#[test]
fn a_family_word_is_taken_as_meant_and_else_as_keepalived_does() {
    table(&[
        ("default dev eth0 inet6", "::/0 dev eth0", &[]),
        ("inet6 default dev eth0", "::/0 dev eth0", REMARK),
        ("inet 10.1.0.0/16 dev eth0", "10.1.0.0/16 dev eth0", REMARK),
        ("inet6 to default dev eth0", "::/0 dev eth0", REMARK),
        ("inet6 x fd00::/64 dev eth0", "fd00::/64 dev eth0", REMARK),
        ("inet to fd00::/64 dev eth0", "", GENERAL),
        ("inet6 to 10.0.0.0/8 dev eth0", "", GENERAL),
        ("inet6 x", "", GENERAL),
    ]);
}

#[test]
fn names_and_numbers() {
    table(&[
        ("10.1.0.0/16 table main", "10.1.0.0/16", &[]),
        ("10.1.0.0/16 table 0", "10.1.0.0/16", &[]),
        ("10.1.0.0/16 table vpn", "10.1.0.0/16 table 100", &[]),
        ("10.1.0.0/16 table 0x64", "10.1.0.0/16 table 100", &[]),
        ("10.1.0.0/16 table nosuch", "", GENERAL),
        ("10.1.0.0/16 table 4294967296", "", GENERAL),
        ("10.1.0.0/16 table", "", MISSING),
        ("10.1.0.0/16 tos 0x10", "10.1.0.0/16 tos 16", &[]),
        ("10.1.0.0/16 dsfield AF11", "10.1.0.0/16 tos 40", &[]),
        ("10.1.0.0/16 tos lowdelay", "", GENERAL),
        ("10.1.0.0/16 tos 256", "", GENERAL),
        ("10.1.0.0/16 tos 08", "", GENERAL),
        ("10.1.0.0/16 scope link", "10.1.0.0/16 scope 253", &[]),
        ("10.1.0.0/16 scope 77", "10.1.0.0/16 scope 77", &[]),
        ("10.1.0.0/16 scope xx", "", GENERAL),
        ("10.1.0.0/16 metric 5", "10.1.0.0/16 metric 5", &[]),
        ("10.1.0.0/16 priority 0", "10.1.0.0/16 metric 0", &[]),
        ("10.1.0.0/16 preference 010", "10.1.0.0/16 metric 10", &[]),
        ("10.1.0.0/16 metric 5x", "", NUMBER),
        ("10.1.0.0/16 metric -1", "", NUMBER),
        ("10.1.0.0/16 metric 4294967296", "", NUMBER),
        ("10.1.0.0/16 realms 3", "10.1.0.0/16 realms 3", &[]),
        (
            "10.1.0.0/16 realms office/0x14",
            "10.1.0.0/16 realms 7/20",
            &[],
        ),
        ("10.1.0.0/16 realms a", "", GENERAL),
        ("10.1.0.0/16 realms 256", "", GENERAL),
        ("10.1.0.0/16 realms 3/", "", GENERAL),
        ("fd00::/64 realms 3", "", GENERAL),
        ("fd00::/64 pref high", "fd00::/64 pref 1", &[]),
        ("fd00::/64 pref low", "fd00::/64 pref 3", &[]),
        ("fd00::/64 pref 5", "fd00::/64 pref 5", &[]),
        ("fd00::/64 pref x", "", NUMBER),
        ("10.1.0.0/16 pref high", "", GENERAL),
        ("fd00::/64 expires 60", "fd00::/64 expires 60", &[]),
        ("fd00::/64 expires 60s", "", NUMBER),
        ("10.1.0.0/16 expires 60", "", GENERAL),
    ]);
}

#[test]
fn protocols_other_than_ours_need_no_track() {
    table(&[
        ("10.1.0.0/16 protocol 18", "10.1.0.0/16", &[]),
        ("10.1.0.0/16 protocol keepalived", "10.1.0.0/16", &[]),
        ("10.1.0.0/16 protocol static", "10.1.0.0/16", GENERAL),
        (
            "10.1.0.0/16 protocol static no_track",
            "10.1.0.0/16 protocol 4 no_track",
            &[],
        ),
        ("10.1.0.0/16 protocol xx", "", GENERAL),
        ("10.1.0.0/16 protocol 256", "", GENERAL),
    ]);
}

#[test]
fn metrics() {
    table(&[
        (
            "10.1.0.0/16 mtu 1400 advmss lock 1300",
            "10.1.0.0/16 mtu 1400 advmss lock 1300",
            &[],
        ),
        (
            "10.1.0.0/16 ssthresh lock 5 cwnd 3 reordering 2",
            "10.1.0.0/16 ssthresh lock 5 cwnd 3 reordering 2",
            &[],
        ),
        (
            "10.1.0.0/16 initcwnd 10 initrwnd 20 window 30",
            "10.1.0.0/16 window 30 initcwnd 10 initrwnd 20",
            &[],
        ),
        ("10.1.0.0/16 hoplimit 64", "10.1.0.0/16 hoplimit 64", &[]),
        (
            "10.1.0.0/16 quickack 1 fastopen_no_cookie 0",
            "10.1.0.0/16 quickack 1 fastopen_no_cookie 0",
            &[],
        ),
        ("10.1.0.0/16 features ecn", "10.1.0.0/16 features ecn", &[]),
        ("10.1.0.0/16 features foo", "10.1.0.0/16", GENERAL),
        ("10.1.0.0/16 mtu x", "", NUMBER),
        ("10.1.0.0/16 mtu lock lock", "", NUMBER),
        ("10.1.0.0/16 mtu 1400 lock", "", GENERAL),
        ("10.1.0.0/16 hoplimit 256", "", NUMBER),
        ("10.1.0.0/16 hoplimit lock 6", "", NUMBER),
        ("10.1.0.0/16 quickack 2", "", NUMBER),
        ("10.1.0.0/16 advmss lock", "", MISSING),
        (
            "10.1.0.0/16 congctl cubic",
            "10.1.0.0/16 congctl \"cubic\"",
            &[],
        ),
        (
            "10.1.0.0/16 congctl lock bbr",
            "10.1.0.0/16 congctl lock \"bbr\"",
            &[],
        ),
        ("10.1.0.0/16 congctl lock", "", MISSING),
        (
            "10.1.0.0/16 ttl-propagate enabled",
            "10.1.0.0/16 ttl-propagate enabled",
            &[],
        ),
        (
            "10.1.0.0/16 ttl-propagate disabled",
            "10.1.0.0/16 ttl-propagate disabled",
            &[],
        ),
        ("10.1.0.0/16 ttl-propagate x", "10.1.0.0/16", GENERAL),
        (
            "10.1.0.0/16 rtt 3s rttvar 3s rto_min 3s",
            "10.1.0.0/16 rtt 24000 rttvar 12000 rto_min 3000",
            &[],
        ),
        (
            "10.1.0.0/16 rtt lock 1600",
            "10.1.0.0/16 rtt lock 1600",
            &[],
        ),
        ("10.1.0.0/16 rtt 102", "10.1.0.0/16 rtt 1600", GENERAL),
        ("10.1.0.0/16 rttvar 103", "10.1.0.0/16 rttvar 800", GENERAL),
        (
            "10.1.0.0/16 rto_min 108",
            "10.1.0.0/16 rto_min 200",
            GENERAL,
        ),
        ("10.1.0.0/16 rtt 300s", "10.1.0.0/16 rtt 960000", GENERAL),
        (
            "10.1.0.0/16 rto_min 300.5",
            "10.1.0.0/16 rto_min 301",
            NUMBER,
        ),
        ("10.1.0.0/16 rtt 1e2", "", NUMBER),
        ("10.1.0.0/16 rtt 3us", "", NUMBER),
        ("10.1.0.0/16 rto_min -5", "", NUMBER),
    ]);
}

#[test]
fn tunnels() {
    table(&[
        (
            "10.1.0.0/16 encap ip id 5 dst 1.2.3.4 dev eth0",
            "10.1.0.0/16 dev eth0 encap ip id 5 dst 1.2.3.4",
            &[],
        ),
        (
            "10.1.0.0/16 encap ip dst 1.2.3.4 src 1.2.3.5 tos AF11 ttl 9 flags 3",
            "10.1.0.0/16 encap ip dst 1.2.3.4 src 1.2.3.5 tos 40 ttl 9 flags 3",
            &[],
        ),
        (
            "10.1.0.0/16 encap ip6 id 18446744073709551615 tc 3 hoplimit 4",
            "10.1.0.0/16 encap ip6 id 18446744073709551615 tc 3 hoplimit 4",
            &[],
        ),
        (
            "10.1.0.0/16 hoplimit 7 encap ip6 id 1 no_track",
            "10.1.0.0/16 hoplimit 7 encap ip6 id 1 no_track",
            &[],
        ),
        (
            "10.1.0.0/16 encap mpls 0x10/020",
            "10.1.0.0/16 encap mpls 16/16",
            &[],
        ),
        (
            "fd00::/64 encap ila 1:2:3:ffff",
            "fd00::/64 encap ila 1:2:3:ffff",
            &[],
        ),
        ("10.1.0.0/16 encap ip tos 8", "", GENERAL),
        ("10.1.0.0/16 encap ip dst x", "", GENERAL),
        ("10.1.0.0/16 encap ip dst fd00::1", "", GENERAL),
        ("10.1.0.0/16 encap ip id x", "", NUMBER),
        ("10.1.0.0/16 encap ip id 1 ttl 256", "", NUMBER),
        ("10.1.0.0/16 encap ip id 1 flags 65536", "", NUMBER),
        ("10.1.0.0/16 encap ip6 dst 1.2.3.4", "", GENERAL),
        ("10.1.0.0/16 encap mpls 1048576", "", GENERAL),
        ("10.1.0.0/16 encap mpls 1//2", "", GENERAL),
        (
            "10.1.0.0/16 encap mpls 1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17",
            "",
            GENERAL,
        ),
        ("10.1.0.0/16 encap mpls", "", GENERAL),
        ("fd00::/64 encap ila 1:2:3", "", GENERAL),
        ("fd00::/64 encap ila 1:2:3:12345", "", GENERAL),
        ("fd00::/64 encap ila", "", GENERAL),
        ("10.1.0.0/16 encap foo", "", GENERAL),
        ("10.1.0.0/16 encap", "", GENERAL),
        ("10.1.0.0/16 encap ip id", "", GENERAL),
        ("10.1.0.0/16 encap ip6 id 1 tc", "", GENERAL),
        ("10.1.0.0/16 encap ip id 1 tos", "", MISSING),
    ]);
}

#[test]
fn several_ways() {
    table(&[
        (
            "10.1.0.0/16 nexthop via 10.0.0.1 dev eth0 weight 2 onlink nexthop via inet 10.0.0.2 realms 3",
            "10.1.0.0/16 nexthop via 10.0.0.1 dev eth0 weight 2 onlink nexthop via 10.0.0.2 realms 3",
            &[],
        ),
        (
            "default nexthop via fe80::1 dev eth0",
            "::/0 nexthop via fe80::1 dev eth0",
            &[],
        ),
        (
            "10.1.0.0/16 nexthop encap ip id 5 weight 256",
            "10.1.0.0/16 nexthop weight 256 encap ip id 5",
            &[],
        ),
        ("10.1.0.0/16 nexthop", "10.1.0.0/16", REMARK),
        (
            "10.1.0.0/16 nexthop via 10.0.0.1 nexthop via x nexthop via 10.0.0.3",
            "10.1.0.0/16 nexthop via 10.0.0.1",
            GENERAL,
        ),
        ("10.1.0.0/16 nexthop via fe80::1", "10.1.0.0/16", GENERAL),
        (
            "10.1.0.0/16 nexthop via inet6 10.0.0.1",
            "10.1.0.0/16",
            GENERAL,
        ),
        (
            "10.1.0.0/16 nexthop via 10.0.0.1 weight 0",
            "10.1.0.0/16",
            GENERAL,
        ),
        (
            "10.1.0.0/16 nexthop via 10.0.0.1 weight 257",
            "10.1.0.0/16",
            NUMBER,
        ),
        (
            "10.1.0.0/16 nexthop via 10.0.0.1 mtu 1400",
            "10.1.0.0/16 nexthop via 10.0.0.1",
            GENERAL,
        ),
        ("10.1.0.0/16 nexthop bogus", "10.1.0.0/16", GENERAL),
        ("10.1.0.0/16 nexthop via", "", MISSING),
        ("10.1.0.0/16 nexthop via 10.0.0.1 encap foo", "", GENERAL),
        ("10.1.0.0/16 nexthop realms x", "", GENERAL),
        (
            "10.1.0.0/16 via 10.0.0.1 or 10.0.0.2 dev eth0",
            "10.1.0.0/16 dev eth0 nexthop via 10.0.0.1 nexthop via 10.0.0.2",
            OLD,
        ),
        ("10.1.0.0/16 or x", "", &[Class::Deprecated, Class::General]),
        (
            "10.1.0.0/16 or 10.0.0.2 nexthop via 10.0.0.3",
            "",
            &[Class::Deprecated, Class::General],
        ),
    ]);
}

#[test]
fn the_rest() {
    table(&[
        (
            "10.1.0.0/16 dev eth0 dev eth1 onlink",
            "10.1.0.0/16 dev eth1 onlink",
            &[],
        ),
        ("10.1.0.0/16 oif eth0 add", "10.1.0.0/16 dev eth0 add", &[]),
        ("10.1.0.0/16 append prepend", "10.1.0.0/16", &[]),
        ("10.1.0.0/16 append", "10.1.0.0/16 append", &[]),
        ("10.1.0.0/16 as to 10.0.0.4", "10.1.0.0/16", GENERAL),
        ("10.1.0.0/16 as", "", MISSING),
        ("10.1.0.0/16 vrf eth1", "10.1.0.0/16 vrf eth1", &[]),
        ("10.1.0.0/16 vrf nosuch", "", GENERAL),
        ("10.1.0.0/16 dev nosuch", "", GENERAL),
        ("10.1.0.0/16 dev", "", MISSING),
        ("10.1.0.0/16 replace", "", GENERAL),
        ("10.1.0.0/16 realm 3", "", GENERAL),
    ]);
}

#[test]
fn track_groups_are_for_static_routes_with_an_interface() {
    for (line, group, classes) in [
        ("10.1.0.0/16 dev eth0", None, &[][..]),
        ("10.1.0.0/16 dev eth0 track_group G", Some("G"), &[]),
        ("10.1.0.0/16 track_group G dev eth0", Some("G"), &[]),
        ("10.1.0.0/16 via 10.0.0.1 track_group G", None, GENERAL),
        ("10.1.0.0/16 dev eth0 track_group H", None, GENERAL),
        ("10.1.0.0/16 dev eth0 no_track track_group G", None, REMARK),
    ] {
        let (route, said) = read_line(line);
        assert_eq!(route.unwrap().track_group.as_deref(), group, "{line}");
        assert_eq!(said, classes, "{line}");
    }
    let instance = "vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\n10.0.0.1\n}\n\
                    virtual_routes {\n10.1.0.0/16 dev eth1\n10.2.0.0/16 dev eth1 track_group G\n}\n}";
    let loaded = machine().load(instance);
    let routes = &loaded.settings.unwrap().vrrp.instances[0].virtual_routes;
    assert_eq!(routes.len(), 1, "the second one names a group");
    let interfaces: Vec<_> = routes[0].interfaces().map(IfName::as_str).collect();
    assert_eq!(interfaces, ["eth1"]);
}

#[test]
fn values() {
    let (route, said) = read_line(
        "local fd00::7/64 dev eth1 table vpn protocol 99 no_track scope host encap ip6 dst fd00::1 flags 2",
    );
    assert_eq!(said, []);
    let expected = Route {
        kind: RouteType(2),
        interface: Some(IfName::new("eth1").unwrap()),
        table: Table::Number(100),
        protocol: 99,
        scope: 254,
        encap: Some(Encap::Ip6(IpEncap {
            destination: Some("fd00::1".parse().unwrap()),
            flags: Some(2),
            ..IpEncap::default()
        })),
        no_track: true,
        ..Route::new(Prefix::new("fd00::7".parse().unwrap(), 64).unwrap())
    };
    let route = route.unwrap().entry;
    assert_eq!(route, expected);
    assert_eq!(route.interfaces().count(), 0, "no_track");
    let (route, _) = read_line("10.0.0.0/8 realms 3/4 encap ila 1:2:3:4");
    let route = route.unwrap().entry;
    assert_eq!(route.realms, Some(Realms { from: 3, to: 4 }));
    assert_eq!(route.encap, Some(Encap::Ila(0x0001_0002_0003_0004)));
    assert_eq!(route.interfaces().count(), 0);
}

#[test]
fn what_was_probably_meant() {
    for (line, help) in [
        ("10.1.0.0/16 tabel main", "did you mean 'table'?"),
        ("10.1.0.0/16 blackhoel default", "did you mean 'blackhole'?"),
        ("10.1.0.0/16 table mian", "did you mean 'main'?"),
        ("10.1.0.0/16 encap mpsl 3", "did you mean 'mpls'?"),
        ("10.1.0.0/16 nexthop weigth 3", "did you mean 'weight'?"),
    ] {
        let loaded = machine().load(format!("static_routes {{\n{line}\n}}"));
        assert!(
            loaded
                .diagnostics
                .iter()
                .any(|said| said.help.as_deref() == Some(help)),
            "{line}: {:?}",
            loaded.diagnostics
        );
    }
}

/// Words that routes are made of, in any order.
fn salad() -> impl Strategy<Value = String> {
    let metrics = Metric::ALL.into_iter().map(Metric::name);
    let types = RouteType::NAMES.into_iter().map(|(name, _)| name);
    let words: Vec<&'static str> = OPTIONS.into_iter().chain(metrics).chain(types).collect();
    let word = prop_oneof![
        4 => proptest::sample::select(words),
        3 => proptest::sample::select(vec![
            "10.0.0.0/8", "10.0.0.1", "fd00::/64", "fd00::1", "eth0", "eth1", "nosuch", "0", "1", "7", "300", "0x20",
            "4294967296", "3s", "ip", "ip6", "mpls", "ila", "id", "dst", "flags", "tc", "ttl", "weight", "1:2:3:4",
            "1/2", "cubic", "ecn", "enabled", "vpn", "G", "\"\"", "-1", "5.5", "link",
        ]),
    ];
    proptest::collection::vec(word, 0..12).prop_map(|words| words.join(" "))
}

/// Lines that mostly make a route: a destination and options that fit together.
fn sound() -> impl Strategy<Value = String> {
    let v4 = proptest::sample::select(vec![
        "src 10.0.0.9",
        "via 10.0.0.1",
        "gw 10.0.0.1",
        "realms 3/4",
        "inet",
        "encap ip id 3 ttl 2",
        "nexthop via 10.0.0.1",
        "or 10.0.0.3",
    ]);
    let v6 = proptest::sample::select(vec![
        "src fd00::9",
        "via fe80::1",
        "pref low",
        "expires 9",
        "from fd00::/64",
        "inet6",
        "encap ip6 dst fd00::1 tc 4",
        "nexthop via fe80::2 dev eth0 weight 3",
    ]);
    let any = || {
        proptest::sample::select(vec![
            "dev eth0",
            "onlink",
            "tos 8",
            "table vpn",
            "vrf eth1",
            "protocol 9",
            "scope link",
            "metric 7",
            "mtu lock 9",
            "rtt 300ms",
            "rttvar lock 77",
            "rto_min 2s",
            "hoplimit 3",
            "features ecn",
            "congctl lock reno",
            "quickack 1",
            "encap mpls 3/4",
            "encap ila a:b:c:d",
            "ttl-propagate disabled",
            "add",
            "append",
            "no_track",
            "track_group G",
            "window 3",
            "cwnd lock 3",
            "initrwnd 5",
        ])
    };
    let line = |destination: &'static str, options: Vec<&'static str>| {
        format!("{destination} {}", options.join(" "))
    };
    prop_oneof![
        (
            proptest::sample::select(vec![
                "10.0.0.7/8",
                "default",
                "blackhole 10.1.1.1",
                "9 0.0.0.0/0"
            ]),
            proptest::collection::vec(prop_oneof![v4, any()], 0..9)
        )
            .prop_map(move |(d, o)| line(d, o)),
        (
            proptest::sample::select(vec!["fd00::7/64", "default6", "throw ::", "to ::/0"]),
            proptest::collection::vec(prop_oneof![v6, any()], 0..9)
        )
            .prop_map(move |(d, o)| line(d, o)),
    ]
}

/// An accepted route reads back as itself, and without a word said.
fn check(line: &str) {
    let (first, _) = read_line(line);
    let Some(first) = first else { return };
    let mut shown = first.entry.to_string();
    if let Some(group) = &first.track_group {
        // Before the hops, which go to the end of the line.
        shown = shown.replacen(" nexthop", &format!(" track_group {group} nexthop"), 1);
        if !shown.contains("track_group") {
            shown = format!("{shown} track_group {group}");
        }
    }
    let (second, said) = read_line(&shown);
    assert_eq!(second, Some(first), "{line} became {shown}");
    assert_eq!(said, [], "{line} became {shown}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn word_salad_reads_back(line in salad()) {
        check(&line);
    }

    #[test]
    fn routes_read_back(line in sound()) {
        check(&line);
    }
}
