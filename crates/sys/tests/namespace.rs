//! The network half against a real kernel, in network namespaces of its own: two hosts on a bridge.
//!
//! Needs no privilege where the machine lets ordinary users make user namespaces.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise; the whole file is one"
)]

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use evervip_sys::SendError;
use evervip_sys::advert_socket::{AdvertReceiver, AdvertSender, Memberships, ReceiveSummary};
use evervip_sys::link_socket::{Frames, LinkSocket};
use evervip_sys::namespace::{NetworkNamespace, enter_private_user_namespace};
use evervip_sys::netlink::{
    Address, AddressChange, Change, Changed, Drained, Encap, Event, Insert, KernelAddress,
    KernelNextHop, KernelRoute, KernelRule, Link, Monitor, Reason, Route, RouteChange, RouteSocket,
    RoutingEvent, RuleChange, TunnelHeader,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use types::{Family, IfIndex, IfName, MacAddress, Prefix, Vrid};

fn main() -> ExitCode {
    if !rustix::process::geteuid().is_root() {
        enter_private_user_namespace().unwrap();
    }
    let tests: &[(&str, fn())] = &[
        (
            "interfaces are made, changed, listed and removed",
            interfaces,
        ),
        (
            "three hundred addresses in one call",
            three_hundred_addresses,
        ),
        ("refusals come back with their change", refusals),
        ("options of addresses reach the kernel", address_options),
        (
            "the monitor tells what changed and who did it",
            monitor_events,
        ),
        (
            "routes and rules are made, told of, listed and removed",
            routes_and_rules,
        ),
        (
            "routes of other makers do not reach the monitor",
            foreign_routes,
        ),
        ("only the kernel is believed", forged_messages),
        ("an overrun is told once, and nothing else with it", overrun),
        ("IPv4 adverts arrive as they were sent", ipv4_adverts),
        ("IPv6 adverts arrive as they were sent", ipv6_adverts),
        (
            "the filter lets only our virtual routers through",
            filtering,
        ),
        ("long adverts are marked as truncated", truncated_adverts),
        ("a storm is received in portions", storm),
        ("failures to send say why", send_failures),
        ("memberships beyond the limit of a socket", many_memberships),
        ("frames arrive as they were sent", frames),
    ];
    let mut failed = 0;
    for (name, test) in tests {
        let passed = panic::catch_unwind(AssertUnwindSafe(test)).is_ok();
        println!("{} {name}", if passed { "ok    " } else { "FAILED" });
        failed += usize::from(!passed);
    }
    println!("{} passed, {failed} failed", tests.len() - failed);
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Two hosts, each with an `eth0`, on a bridge in a third namespace.
struct Lab {
    hub: NetworkNamespace,
    a: Host,
    b: Host,
}

struct Host {
    namespace: NetworkNamespace,
    route: RouteSocket,
    eth0: IfIndex,
    v4: Ipv4Addr,
    v6: Ipv6Addr,
}

impl Lab {
    fn new() -> Self {
        let a = NetworkNamespace::create_for_this_thread().unwrap();
        let b = NetworkNamespace::create_for_this_thread().unwrap();
        let hub = NetworkNamespace::create_for_this_thread().unwrap();
        let mut route = RouteSocket::new().unwrap();
        route.add_bridge(&name("br0")).unwrap();
        let bridge = index(&mut route, "br0");
        route.set_up(bridge).unwrap();
        for (port, host) in [("port-a", &a), ("port-b", &b)] {
            route
                .add_veth(&name(port), &name("eth0"), Some(host.as_fd()))
                .unwrap();
            let port = index(&mut route, port);
            route.set_master(port, Some(bridge)).unwrap();
            route.set_up(port).unwrap();
        }
        let a = Host::new(a, Ipv4Addr::new(192, 0, 2, 1), "fe80::a".parse().unwrap());
        let b = Host::new(b, Ipv4Addr::new(192, 0, 2, 2), "fe80::b".parse().unwrap());
        let lab = Self { hub, a, b };
        lab.wait_for_the_bridge();
        lab
    }

    /// A port forwards when its carrier has been noticed, which may take the kernel a second.
    fn wait_for_the_bridge(&self) {
        let (mut sender, mut receiver, _memberships) = self.advert_sockets(Family::V4, [1]);
        for _attempt in 0..200 {
            let vrrp = advert(1, 0);
            sender
                .send(
                    self.a.eth0,
                    self.a.v4.into(),
                    Family::V4.vrrp_group(),
                    255,
                    &vrrp,
                )
                .unwrap();
            if wait(&receiver, 25) {
                while receiver.receive(|_| {}).unwrap().more {}
                return;
            }
        }
        panic!("nothing passes the bridge");
    }

    /// A sender on one host, and on the other a receiver for these VRIDs that is in the VRRP group.
    fn advert_sockets(
        &self,
        family: Family,
        vrids: impl IntoIterator<Item = u8>,
    ) -> (AdvertSender, AdvertReceiver, Memberships) {
        self.a.namespace.enter().unwrap();
        let sender = AdvertSender::new(family).unwrap();
        self.b.namespace.enter().unwrap();
        let mut receiver = AdvertReceiver::new(family).unwrap();
        receiver.listen_for(&set(vrids)).unwrap();
        let mut memberships = Memberships::new();
        memberships.join(self.b.eth0, family.vrrp_group()).unwrap();
        (sender, receiver, memberships)
    }
}

impl Host {
    fn new(namespace: NetworkNamespace, v4: Ipv4Addr, v6: Ipv6Addr) -> Self {
        namespace.enter().unwrap();
        let mut route = RouteSocket::new().unwrap();
        let eth0 = index(&mut route, "eth0");
        for link in route.links().unwrap() {
            if link.name.as_str() == "lo" || link.index == eth0 {
                route.set_up(link.index).unwrap();
            }
        }
        let mut link_local = KernelAddress::new(Prefix::new(v6.into(), 64).unwrap());
        link_local.nodad = true;
        let addresses = [
            KernelAddress::new(Prefix::new(v4.into(), 24).unwrap()),
            link_local,
        ];
        all_ok(
            &mut route,
            &addresses.map(|address| AddressChange::Add {
                interface: eth0,
                address,
            }),
        );
        Self {
            namespace,
            route,
            eth0,
            v4,
            v6,
        }
    }
}

fn name(text: &str) -> IfName {
    IfName::new(text).unwrap()
}

fn link(route: &mut RouteSocket, text: &str) -> Link {
    route
        .link(&name(text))
        .unwrap()
        .unwrap_or_else(|| panic!("no interface {text}"))
}

fn index(route: &mut RouteSocket, text: &str) -> IfIndex {
    link(route, text).index
}

fn set(vrids: impl IntoIterator<Item = u8>) -> BTreeSet<Vrid> {
    vrids
        .into_iter()
        .map(|vrid| Vrid::new(vrid).unwrap())
        .collect()
}

/// Whether the descriptor becomes readable within so many milliseconds.
fn wait(fd: &impl AsFd, milliseconds: i64) -> bool {
    let timeout = Timespec {
        tv_sec: milliseconds / 1000,
        tv_nsec: milliseconds % 1000 * 1_000_000,
    };
    poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&timeout)).unwrap() > 0
}

fn all_ok(route: &mut RouteSocket, changes: &[AddressChange]) {
    let results = route.change_addresses(changes).unwrap();
    assert_eq!(results.len(), changes.len());
    for result in results {
        result.unwrap();
    }
}

/// 150 addresses of each family.
fn three_hundred(interface: IfIndex) -> (Vec<AddressChange>, Vec<AddressChange>) {
    let addresses: Vec<_> = (0..300_u16)
        .map(|number| {
            let [high, low] = number.to_be_bytes();
            let address: IpAddr = if number % 2 == 0 {
                Ipv4Addr::new(10, 9, high, low).into()
            } else {
                Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, number).into()
            };
            let mut address = KernelAddress::new(Prefix::host(address));
            address.nodad = true;
            address.protocol = Some(18);
            address
        })
        .collect();
    let add = |address: &KernelAddress| AddressChange::Add {
        interface,
        address: address.clone(),
    };
    let remove = |address: &KernelAddress| AddressChange::Remove {
        interface,
        address: address.clone(),
    };
    (
        addresses.iter().map(add).collect(),
        addresses.iter().map(remove).collect(),
    )
}

/// The start of a VRRPv3 advert, of a recognisable priority.
fn advert(vrid: u8, priority: u8) -> Vec<u8> {
    vec![0x31, vrid, priority, 1, 0, 100, 0, 0, 192, 0, 2, 100]
}

fn drain(monitor: &mut Monitor) -> Vec<Event> {
    let mut events = Vec::new();
    while monitor.drain(&mut events).unwrap() != Drained::Complete {}
    assert_eq!(monitor.passed_over(), 0);
    events
}

/// Drains until there are `count` events or nothing more comes: of a new IPv6 address the kernel tells late.
fn collect(monitor: &mut Monitor, count: usize) -> Vec<Event> {
    let mut events = Vec::new();
    while events.len() < count && wait(monitor, 2000) {
        events.extend(drain(monitor));
    }
    events
}

/// What a receiver tells of a packet.
#[derive(Debug, PartialEq)]
struct Packet {
    family: Family,
    interface: IfIndex,
    source: IpAddr,
    destination: IpAddr,
    hop_limit: u8,
    datagram: Vec<u8>,
}

/// Receives until there are `count` packets or nothing more comes. A unicast packet waits for its neighbour's
/// hardware address.
fn receive(receiver: &mut AdvertReceiver, count: usize) -> Vec<Packet> {
    let mut packets = Vec::new();
    while packets.len() < count && wait(receiver, 2000) {
        let summary = receiver
            .receive(|received| {
                assert!(!received.truncated);
                packets.push(Packet {
                    family: received.family,
                    interface: received.interface,
                    source: received.source,
                    destination: received.destination,
                    hop_limit: received.hop_limit,
                    datagram: received.datagram.to_vec(),
                });
            })
            .unwrap();
        assert_eq!((summary.dropped, summary.more), (0, false));
    }
    packets
}

fn interfaces() {
    let mut lab = Lab::new();
    lab.hub.enter().unwrap();
    let mut route = RouteSocket::new().unwrap();
    let bridge = link(&mut route, "br0");
    assert!(bridge.up && bridge.broadcast && bridge.multicast && !bridge.loopback && !bridge.noarp);
    assert_eq!(
        (bridge.hardware, bridge.mtu, bridge.master, bridge.lower),
        (1, 1500, None, None)
    );
    let snooping = fs::read_to_string("/sys/class/net/br0/bridge/multicast_snooping");
    // /sys shows the namespace that it was mounted in: there may be no bridge to be seen.
    assert!(snooping.is_err() || snooping.is_ok_and(|text| text == "0\n"));
    let port = link(&mut route, "port-a");
    assert_eq!(
        (port.master, port.lower),
        (Some(bridge.index), None),
        "the other end is elsewhere"
    );
    assert!(port.up && port.running && port.mac.is_some());
    assert_eq!(route.links().unwrap().len(), 4, "lo, br0, port-a, port-b");
    assert!(link(&mut route, "lo").loopback);
    assert_eq!(route.link(&name("absent")).unwrap(), None);

    let mac = MacAddress([2, 0, 0x5e, 0, 1, 51]);
    route.set_mac(port.index, mac).unwrap();
    route.set_mtu(port.index, 1400).unwrap();
    route.rename(port.index, &name("other")).unwrap();
    route.set_master(port.index, None).unwrap();
    let changed = link(&mut route, "other");
    assert_eq!(
        (changed.index, changed.mac, changed.mtu, changed.master),
        (port.index, Some(mac), 1400, None)
    );

    lab.a.route.set_down(lab.a.eth0).unwrap();
    let eth0 = link(&mut lab.a.route, "eth0");
    assert!(!eth0.up && !eth0.running);
    route.delete_link(port.index).unwrap();
    assert_eq!(
        lab.a.route.link(&name("eth0")).unwrap(),
        None,
        "a pair goes together"
    );
    let error = route.delete_link(port.index).unwrap_err();
    assert!(
        error.to_string().starts_with("cannot delete interface "),
        "{error}"
    );
    let error = route.add_bridge(&name("br0")).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("cannot add the bridge br0: File exists"),
        "{error}"
    );

    route.add_veth(&name("left"), &name("right"), None).unwrap();
    let (left, right) = (link(&mut route, "left"), link(&mut route, "right"));
    assert_eq!(
        (left.lower, right.lower),
        (Some(right.index), Some(left.index))
    );
    route
        .move_to_namespace(right.index, lab.b.namespace.as_fd())
        .unwrap();
    assert_eq!(link(&mut lab.b.route, "right").mac, right.mac);
}

fn three_hundred_addresses() {
    let mut lab = Lab::new();
    let (route, eth0) = (&mut lab.a.route, lab.a.eth0);
    let before = route.addresses().unwrap();
    assert!(
        before
            .iter()
            .any(|address| address.prefix.address() == IpAddr::from(lab.a.v4))
    );
    let (add, remove) = three_hundred(eth0);
    all_ok(route, &add);
    let ours = |address: &&Address| {
        address.interface == eth0 && address.protocol.is_none_or(|value| value == 18)
    };
    let after = route.addresses().unwrap();
    assert!(after.iter().filter(ours).count() >= 300);
    for change in &add {
        let AddressChange::Add {
            address: wanted, ..
        } = change
        else {
            panic!("{change:?}")
        };
        let found = after
            .iter()
            .find(|address| address.prefix == wanted.prefix)
            .unwrap();
        assert!(!found.tentative && !found.dadfailed && found.peer.is_none());
    }
    all_ok(route, &add);
    assert_eq!(
        route.addresses().unwrap().len(),
        after.len(),
        "adding again changes nothing"
    );
    all_ok(route, &remove);
    all_ok(route, &remove);
    assert_eq!(route.addresses().unwrap().len(), before.len());
    assert_eq!(route.change_addresses(&[]).unwrap().len(), 0);
}

fn refusals() {
    let mut lab = Lab::new();
    let (route, eth0) = (&mut lab.a.route, lab.a.eth0);
    let absent = IfIndex::new(4711).unwrap();
    let good = KernelAddress::new(Prefix::host("10.1.1.1".parse().unwrap()));
    let group = KernelAddress::new(Prefix::host("ff02::12".parse().unwrap()));
    let mut label = good.clone();
    label.label = Some("far-too-long-for-a-label".to_owned());
    let changes = [
        AddressChange::Add {
            interface: eth0,
            address: good.clone(),
        },
        AddressChange::Add {
            interface: absent,
            address: good.clone(),
        },
        AddressChange::Add {
            interface: eth0,
            address: label,
        },
        AddressChange::Add {
            interface: eth0,
            address: group,
        },
        AddressChange::Remove {
            interface: absent,
            address: good.clone(),
        },
        AddressChange::Remove {
            interface: eth0,
            address: good,
        },
    ];
    let results = route.change_addresses(&changes).unwrap();
    assert!(results[0].is_ok() && results[5].is_ok());
    let reasons: Vec<_> = results[1..5]
        .iter()
        .map(|r| r.as_ref().unwrap_err().refusal.reason())
        .collect();
    assert_eq!(reasons[0], Reason::NoInterface);
    assert_eq!(reasons[1], Reason::Invalid);
    assert_ne!(reasons[2], Reason::Permission, "{reasons:?}");
    assert_eq!(reasons[3], Reason::NoInterface);
    let text = results[1].as_ref().unwrap_err().to_string();
    assert!(
        text.starts_with("cannot add 10.1.1.1/32 on interface 4711: No such device"),
        "{text}"
    );
}

fn address_options() {
    let mut lab = Lab::new();
    let (route, eth0) = (&mut lab.a.route, lab.a.eth0);
    let mut first = KernelAddress::new(Prefix::new("10.2.0.1".parse().unwrap(), 24).unwrap());
    first.scope = 253;
    first.label = Some("eth0:first".to_owned());
    first.broadcast = Some(Ipv4Addr::new(10, 2, 0, 255));
    first.noprefixroute = true;
    // The kernel wants one scope for all addresses of a network.
    let mut second = KernelAddress::new(Prefix::new("10.2.0.2".parse().unwrap(), 24).unwrap());
    second.scope = 253;
    let mut point = KernelAddress::new(Prefix::host("10.3.0.1".parse().unwrap()));
    point.peer = Some(Prefix::host("10.3.0.2".parse().unwrap()));
    let mut deprecated = KernelAddress::new(Prefix::host("fd00::1".parse().unwrap()));
    (deprecated.nodad, deprecated.preferred_lft) = (true, Some(0));
    let mut probing = KernelAddress::new(Prefix::host("fd00::2".parse().unwrap()));
    probing.preferred_lft = Some(3600);
    let all = [first, second, point, deprecated, probing];
    all_ok(
        route,
        &all.clone().map(|address| AddressChange::Add {
            interface: eth0,
            address,
        }),
    );
    let list = route.addresses().unwrap();
    let find = |text: &str| {
        list.iter()
            .find(|a| a.prefix.address() == text.parse::<IpAddr>().unwrap())
            .unwrap()
    };
    assert_eq!(
        (find("10.2.0.1").scope, find("10.2.0.1").secondary),
        (253, false)
    );
    assert_eq!(
        (find("10.2.0.2").scope, find("10.2.0.2").secondary),
        (253, true)
    );
    assert_eq!((find("10.2.0.2").peer, find("10.3.0.1").scope), (None, 0));
    assert_eq!(find("10.3.0.1").peer, Some("10.3.0.2".parse().unwrap()));
    assert!(find("fd00::1").deprecated && !find("fd00::1").tentative);
    assert!(
        !find("fd00::2").deprecated && find("fd00::2").tentative,
        "duplicate address detection runs"
    );
    all_ok(
        route,
        &all.map(|address| AddressChange::Remove {
            interface: eth0,
            address,
        }),
    );
    let left = route.addresses().unwrap();
    assert!(
        !left
            .iter()
            .any(|address| address.prefix.to_string().starts_with("10.")),
        "{left:?}"
    );
}

fn monitor_events() {
    let mut lab = Lab::new();
    lab.a.namespace.enter().unwrap();
    let mut monitor = Monitor::new().unwrap();
    let mut other = RouteSocket::new().unwrap();
    let (route, eth0) = (&mut lab.a.route, lab.a.eth0);
    assert_ne!(route.port_id(), other.port_id());
    assert!(route.port_id() != 0 && other.port_id() != 0);
    assert!(!wait(&monitor, 0), "{:?}", drain(&mut monitor));

    let mut deaf = Monitor::new().unwrap();
    deaf.ignore_additions_of(route.port_id()).unwrap();
    let (add, remove) = three_hundred(eth0);
    all_ok(route, &add);
    let mut events = collect(&mut monitor, 300);
    all_ok(&mut other, &remove);
    events.extend(collect(&mut monitor, 300));
    let mut seen = [0; 4];
    for event in &events {
        match event {
            Event::Address { address, port_id } if address.prefix.family() == Family::V4 => {
                assert_eq!((*port_id, address.interface), (route.port_id(), eth0));
                seen[0] += 1;
            }
            Event::AddressGone { address, port_id } if address.prefix.family() == Family::V4 => {
                assert_eq!((*port_id, address.interface), (other.port_id(), eth0));
                seen[1] += 1;
            }
            Event::Address { port_id, .. } => {
                assert_eq!(*port_id, 0, "of IPv6 the kernel does not tell");
                seen[2] += 1;
            }
            Event::AddressGone { port_id, .. } => {
                assert_eq!(*port_id, 0, "of IPv6 the kernel does not tell");
                seen[3] += 1;
            }
            Event::Link(link) => assert_eq!(link.index, eth0),
            Event::LinkGone { .. } | Event::Routing(_) => panic!("{event:?}"),
        }
    }
    assert_eq!(seen, [150; 4]);
    let heard = collect(&mut deaf, 450);
    let of_v4 = |event: &&Event| match event {
        Event::Address { address, .. } => {
            assert_eq!(address.prefix.family(), Family::V6, "{event:?}");
            false
        }
        Event::AddressGone { address, .. } => address.prefix.family() == Family::V4,
        Event::Link(_) | Event::LinkGone { .. } | Event::Routing(_) => false,
    };
    assert_eq!(heard.iter().filter(of_v4).count(), 150);

    route.set_down(eth0).unwrap();
    let events = drain(&mut monitor);
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::Link(link) if link.index == eth0 && !link.up))
    );

    // A port that leaves its bridge is not gone.
    lab.hub.enter().unwrap();
    let mut monitor = Monitor::new().unwrap();
    let mut route = RouteSocket::new().unwrap();
    let port = index(&mut route, "port-a");
    route.set_master(port, None).unwrap();
    let gone = |events: &[Event]| {
        let gone = |event: &Event| match event {
            Event::LinkGone { index, name } => Some((*index, name.to_string())),
            Event::Link(_)
            | Event::Address { .. }
            | Event::AddressGone { .. }
            | Event::Routing(_) => None,
        };
        events.iter().filter_map(gone).collect::<Vec<_>>()
    };
    let events = drain(&mut monitor);
    assert!(!events.is_empty());
    assert_eq!(gone(&events), []);
    route.delete_link(port).unwrap();
    assert_eq!(gone(&drain(&mut monitor)), [(port, "port-a".to_owned())]);
}

/// Any process may send netlink messages to any port, with whatever content.
fn prefix(address: &str, length: u8) -> Prefix {
    Prefix::new(address.parse().unwrap(), length).unwrap()
}

fn add_route(route: &KernelRoute) -> Change {
    Change::Route(Box::new(RouteChange::Add {
        route: route.clone(),
        insert: Insert::Before,
    }))
}

fn remove_route(route: &KernelRoute) -> Change {
    Change::Route(Box::new(RouteChange::Remove {
        route: route.clone(),
    }))
}

/// Routes and rules with as many options as the kernels of test machines have.
fn some_routing(interface: IfIndex) -> (Vec<KernelRoute>, Vec<KernelRule>) {
    let via = |number: u8| Some(IpAddr::from([192, 0, 2, number]));
    let mut rich = KernelRoute::new(prefix("198.18.0.0", 24), 18);
    (rich.via, rich.interface, rich.onlink) = (via(254), Some(interface), true);
    (rich.table, rich.metric, rich.tos) = (1000, Some(50), 0x10);
    rich.source = via(1);
    rich.metrics = vec![(2, 1400), (3, 8000), (4, 800), (10, 64), (13, 300), (15, 1)];
    rich.locks = 1 << 2;
    let mut ways = KernelRoute::new(prefix("198.18.1.0", 24), 18);
    let hop = |number: u8, hops: u8| KernelNextHop {
        via: via(number),
        interface: Some(interface),
        hops,
        onlink: false,
        encap: None,
        realms: None,
    };
    ways.next_hops = vec![hop(253, 0), hop(254, 9)];
    let mut hole = KernelRoute::new(prefix("0.0.0.0", 0), 18);
    (hole.kind, hole.table) = (6, 70000);
    let mut tunnel = KernelRoute::new(prefix("198.18.2.0", 24), 18);
    tunnel.interface = Some(interface);
    tunnel.encap = Some(Encap::Ip(TunnelHeader {
        id: Some(7),
        destination: Some(Ipv4Addr::new(198, 18, 9, 9)),
        source: None,
        traffic_class: None,
        hop_limit: Some(64),
        flags: None,
    }));
    let mut v6 = KernelRoute::new(prefix("2001:db8:1::", 48), 18);
    v6.via = Some("fe80::99".parse().unwrap());
    v6.interface = Some(interface);
    (v6.preference, v6.expires) = (Some(1), Some(600));
    let mut v6_ways = KernelRoute::new(prefix("2001:db8:2::", 48), 18);
    v6_ways.next_hops = ["fe80::98", "fe80::99"]
        .map(|via| KernelNextHop {
            via: Some(via.parse().unwrap()),
            ..hop(0, 0)
        })
        .to_vec();
    let mut rule = KernelRule::new(Family::V4, 300, 1, 18);
    rule.from = Some(prefix("192.0.2.0", 24));
    rule.mark = Some((7, 0xff));
    rule.input = Some(name("eth0"));
    rule.users = Some((0, 1000));
    rule.ip_protocol = Some(6);
    rule.destination_ports = Some((80, 88));
    (rule.table, rule.suppress_prefix_length) = (1000, Some(0));
    let mut forbidden = KernelRule::new(Family::V6, 301, 8, 18);
    forbidden.to = Some(prefix("2001:db8:3::", 48));
    forbidden.invert = true;
    let mut jump = KernelRule::new(Family::V4, 302, 2, 18);
    jump.goto = Some(32766);
    (
        vec![rich, ways, hole, tunnel, v6, v6_ways],
        vec![rule, forbidden, jump],
    )
}

/// What distinguishes a route, as a request has it.
fn known_by(route: &KernelRoute, interface: IfIndex) -> Route {
    let v6 = route.destination.family() == Family::V6;
    Route {
        destination: route.destination,
        from: route.from,
        kind: route.kind,
        tos: route.tos,
        table: route.table,
        protocol: route.protocol,
        scope: route.scope,
        metric: route.metric.unwrap_or(if v6 { 1024 } else { 0 }),
        via: route.via,
        interface: route.interface.map(|_| interface),
        next_hops: route
            .next_hops
            .iter()
            .map(|hop| (hop.via, hop.interface))
            .collect(),
    }
}

fn routes_and_rules() {
    let mut lab = Lab::new();
    lab.a.namespace.enter().unwrap();
    let interface = lab.a.eth0;
    let route = &mut lab.a.route;
    let mut monitor = Monitor::new().unwrap();
    monitor.watch_routing(18).unwrap();
    let (routes, rules) = some_routing(interface);
    let add_rule =
        |rule: &KernelRule| Change::Rule(Box::new(RuleChange::Add { rule: rule.clone() }));
    let mut changes: Vec<Change> = routes.iter().map(add_route).collect();
    changes.extend(rules.iter().map(add_rule));
    for result in route.change_routing(&changes).unwrap() {
        assert_eq!(result.unwrap(), Changed::Now);
    }
    let listed = route.routes(18).unwrap();
    for wanted in &routes {
        assert!(
            listed.contains(&known_by(wanted, interface)),
            "{wanted:?} in {listed:?}"
        );
    }
    assert_eq!(listed.len(), routes.len());
    let mut listed = route.rules(18).unwrap();
    listed.sort_by_key(|rule| rule.preference);
    assert_eq!(listed, rules);

    let own = route.port_id();
    let told = collect(&mut monitor, changes.len());
    let told_routes = told
        .iter()
        .filter(|event| matches!(event, Event::Routing(RoutingEvent::Route { port_id, .. }) if *port_id == own));
    let told_rules = told
        .iter()
        .filter(|event| matches!(event, Event::Routing(RoutingEvent::Rule { port_id, .. }) if *port_id == own));
    assert_eq!(
        (told_routes.count(), told_rules.count()),
        (routes.len(), rules.len()),
        "{told:?}"
    );

    // Once more: IPv6 routes that expire begin anew, all others are there already.
    for (change, result) in changes.iter().zip(route.change_routing(&changes).unwrap()) {
        let changed = result.unwrap();
        assert!(changed == Changed::Already, "{change:?}: {changed:?}");
    }
    let mut other = routes[0].clone();
    other.metrics = vec![(2, 1300)];
    let replace = Change::Route(Box::new(RouteChange::Add {
        route: other.clone(),
        insert: Insert::Instead,
    }));
    let done = route.change_routing(&[replace]).unwrap();
    assert_eq!(*done[0].as_ref().unwrap(), Changed::Now);
    assert_eq!(route.routes(18).unwrap().len(), routes.len());

    drain(&mut monitor);
    let mut changes: Vec<Change> = rules
        .iter()
        .map(|rule| Change::Rule(Box::new(RuleChange::Remove { rule: rule.clone() })))
        .collect();
    changes.extend(routes.iter().map(remove_route));
    for result in route.change_routing(&changes).unwrap() {
        assert_eq!(result.unwrap(), Changed::Now);
    }
    assert_eq!(route.routes(18).unwrap(), []);
    assert_eq!(route.rules(18).unwrap(), []);
    let told = collect(&mut monitor, changes.len());
    let gone = told.iter().filter(|event| {
        matches!(
            event,
            Event::Routing(RoutingEvent::RouteGone { .. } | RoutingEvent::RuleGone { .. })
        )
    });
    assert!(gone.count() >= changes.len(), "{told:?}");
    for result in route.change_routing(&changes).unwrap() {
        assert_eq!(result.unwrap(), Changed::Already);
    }

    let mut nowhere = KernelRoute::new(prefix("198.18.3.0", 24), 18);
    nowhere.via = Some(IpAddr::from([203, 0, 113, 1]));
    let refused = route.change_routing(&[add_route(&nowhere)]).unwrap();
    let text = refused[0].as_ref().unwrap_err().to_string();
    assert!(
        text.starts_with("cannot add the route to 198.18.3.0/24 in table 254: "),
        "{text}"
    );
}

fn foreign_routes() {
    let mut lab = Lab::new();
    lab.a.namespace.enter().unwrap();
    let interface = lab.a.eth0;
    // So small that the routes of others would overrun it.
    let mut monitor = Monitor::with_receive_buffer(4096).unwrap();
    monitor.watch_routing(18).unwrap();
    let foreign: Vec<Change> = (0..1000_u16)
        .map(|number| {
            let [high, low] = number.to_be_bytes();
            let destination = Prefix::host(IpAddr::from([198, 18, high, low]));
            let mut route = KernelRoute::new(destination, 186);
            route.interface = Some(interface);
            add_route(&route)
        })
        .collect();
    for result in lab.a.route.change_routing(&foreign).unwrap() {
        result.unwrap();
    }
    let mut ours = KernelRoute::new(prefix("198.19.0.0", 16), 18);
    ours.interface = Some(interface);
    let changes = [add_route(&ours), remove_route(&ours)];
    for result in lab.a.route.change_routing(&changes).unwrap() {
        result.unwrap();
    }
    let told = collect(&mut monitor, 2);
    assert!(
        matches!(
            told[..],
            [
                Event::Routing(RoutingEvent::Route { .. }),
                Event::Routing(RoutingEvent::RouteGone { .. })
            ]
        ),
        "{told:?}"
    );
    assert_eq!(lab.a.route.routes(186).unwrap().len(), 1000);
    assert_eq!(lab.a.route.routes(18).unwrap(), []);
}

fn forged_messages() {
    use rustix::net::netlink::SocketAddrNetlink;
    use rustix::net::{
        AddressFamily, SendFlags, SocketAddrAny, SocketType, getsockname, sendto, socket,
    };

    let mut lab = Lab::new();
    lab.a.namespace.enter().unwrap();
    let mut monitor = Monitor::new().unwrap();
    let forger = socket(AddressFamily::NETLINK, SocketType::RAW, None).unwrap();
    let victim: SocketAddrAny = getsockname(&monitor).unwrap();
    let victim = SocketAddrNetlink::try_from(victim).unwrap();
    // RTM_DELLINK of eth0, as the kernel would tell it.
    let mut message = vec![0; 32];
    message[0] = 44;
    message[4] = 17;
    message[20..24].copy_from_slice(&lab.a.eth0.get().to_ne_bytes());
    message.extend([9, 0, 3, 0]);
    message.extend(b"eth0\0\0\0\0");
    for port in [victim.pid(), lab.a.route.port_id()] {
        let sent = sendto(
            &forger,
            &message,
            SendFlags::empty(),
            &SocketAddrNetlink::new(port, 0),
        );
        assert!(sent.is_ok(), "{sent:?}");
    }
    let mut events = Vec::new();
    assert_eq!(monitor.drain(&mut events).unwrap(), Drained::Complete);
    assert_eq!((events, monitor.passed_over()), (Vec::new(), 1));
    assert_eq!(
        link(&mut lab.a.route, "eth0").index,
        lab.a.eth0,
        "the answer is found behind the forgery"
    );
}

fn overrun() {
    let mut lab = Lab::new();
    lab.a.namespace.enter().unwrap();
    let mut monitor = Monitor::with_receive_buffer(4096).unwrap();
    let mut large = Monitor::new().unwrap();
    let (add, remove) = three_hundred(lab.a.eth0);
    all_ok(&mut lab.a.route, &add);
    let mut events = vec![Event::LinkGone {
        index: lab.a.eth0,
        name: name("before"),
    }];
    assert_eq!(monitor.drain(&mut events).unwrap(), Drained::Overrun);
    assert_eq!(events.len(), 1, "only what was there before");
    assert!(
        collect(&mut large, 300).len() >= 300,
        "a larger buffer loses nothing"
    );
    // The last of the new addresses may have been told only now.
    while wait(&monitor, 100) {
        while monitor.drain(&mut events).unwrap() != Drained::Complete {}
    }
    all_ok(&mut lab.a.route, &remove[..2]);
    assert_eq!(collect(&mut monitor, 2).len(), 2, "it hears again");
}

fn ipv4_adverts() {
    let lab = Lab::new();
    let (mut sender, mut receiver, mut memberships) = lab.advert_sockets(Family::V4, [51]);
    lab.a.namespace.enter().unwrap();
    let mut own = AdvertReceiver::new(Family::V4).unwrap();
    own.listen_for(&set([51])).unwrap();
    let mut own_memberships = Memberships::new();
    own_memberships
        .join(lab.a.eth0, Family::V4.vrrp_group())
        .unwrap();

    let group = Family::V4.vrrp_group();
    let hidden = IpAddr::from([203, 0, 113, 9]);
    let unicast = IpAddr::from(lab.b.v4);
    let source = IpAddr::from(lab.a.v4);
    sender
        .send(lab.a.eth0, source, group, 255, &advert(51, 1))
        .unwrap();
    // keepalived's mcast_src_ip need not be an address of the host.
    sender
        .send(lab.a.eth0, hidden, group, 255, &advert(51, 2))
        .unwrap();
    sender
        .send(lab.a.eth0, source, unicast, 64, &advert(51, 3))
        .unwrap();
    sender
        .send(None, source, unicast, None, &advert(51, 4))
        .unwrap();
    let expected = [
        (1, source, group, 255),
        (2, hidden, group, 255),
        (3, source, unicast, 64),
        (4, source, unicast, 255),
    ];
    let packets = receive(&mut receiver, 4);
    assert_eq!(packets.len(), 4);
    for (packet, (number, source, destination, hop_limit)) in packets.into_iter().zip(expected) {
        let checksum: [u8; 2] = packet.datagram[10..12].try_into().unwrap();
        assert_ne!(
            checksum,
            [0, 0],
            "the kernel fills in the header's checksum"
        );
        let mut datagram = vec![0x45, 0xc0, 0, 32, 0, number, 0, 0, hop_limit, 112];
        datagram.extend(checksum);
        for address in [source, destination] {
            let IpAddr::V4(address) = address else {
                panic!("{address}")
            };
            datagram.extend(address.octets());
        }
        datagram.extend(advert(51, number));
        let (family, interface) = (Family::V4, lab.b.eth0);
        assert_eq!(
            packet,
            Packet {
                family,
                interface,
                source,
                destination,
                hop_limit,
                datagram
            }
        );
    }
    assert!(!wait(&own, 0), "a sender does not hear itself");

    memberships.leave(lab.b.eth0, group).unwrap();
    memberships.leave(lab.b.eth0, group).unwrap();
    sender
        .send(lab.a.eth0, source, group, 255, &advert(51, 4))
        .unwrap();
    assert!(!wait(&receiver, 100), "not in the group any more");
    lab.b.namespace.enter().unwrap();
    memberships.join(lab.b.eth0, group).unwrap();
    memberships.join(lab.b.eth0, group).unwrap();
    sender
        .send(lab.a.eth0, source, group, 255, &advert(51, 5))
        .unwrap();
    assert!(wait(&receiver, 1000), "in it again");
}

fn ipv6_adverts() {
    let lab = Lab::new();
    let (mut sender, mut receiver, mut memberships) = lab.advert_sockets(Family::V6, [51]);
    let group = Family::V6.vrrp_group();
    let (source, unicast) = (IpAddr::from(lab.a.v6), IpAddr::from(lab.b.v6));
    let mut second = advert(51, 2);
    second[6..8].copy_from_slice(&[0xde, 0xad]);
    sender
        .send(lab.a.eth0, source, group, 255, &advert(51, 1))
        .unwrap();
    sender
        .send(lab.a.eth0, source, group, 255, &second)
        .unwrap();
    sender
        .send(lab.a.eth0, source, unicast, 63, &advert(51, 3))
        .unwrap();
    // The kernel's own hop limit.
    sender
        .send(lab.a.eth0, source, unicast, None, &advert(51, 4))
        .unwrap();
    let expected = [
        (1, group, 255),
        (2, group, 255),
        (3, unicast, 63),
        (4, unicast, 64),
    ];
    let packets = receive(&mut receiver, 4);
    assert_eq!(packets.len(), 4);
    for (packet, (number, destination, hop_limit)) in packets.into_iter().zip(expected) {
        let checksum: [u8; 2] = packet.datagram[6..8].try_into().unwrap();
        assert!(
            ![[0, 0], [0xde, 0xad]].contains(&checksum),
            "the kernel fills in the checksum"
        );
        let mut datagram = advert(51, number);
        datagram[6..8].copy_from_slice(&checksum);
        let (family, interface) = (Family::V6, lab.b.eth0);
        assert_eq!(
            packet,
            Packet {
                family,
                interface,
                source,
                destination,
                hop_limit,
                datagram
            }
        );
    }

    memberships.leave(lab.b.eth0, group).unwrap();
    sender
        .send(lab.a.eth0, source, group, 255, &advert(51, 4))
        .unwrap();
    assert!(!wait(&receiver, 100), "not in the group any more");
}

fn filtering() {
    let lab = Lab::new();
    let ours = [1, 31, 32, 51, 64, 200, 255];
    for family in [Family::V4, Family::V6] {
        let (mut sender, mut receiver, _memberships) = lab.advert_sockets(family, ours);
        let source = match family {
            Family::V4 => IpAddr::from(lab.a.v4),
            Family::V6 => IpAddr::from(lab.a.v6),
        };
        let mut send_all = || {
            for vrid in 0..=255 {
                sender
                    .send(
                        lab.a.eth0,
                        source,
                        family.vrrp_group(),
                        255,
                        &advert(vrid, 1),
                    )
                    .unwrap();
            }
        };
        let mut receive_all = || {
            let mut vrids = Vec::new();
            let offset = if family == Family::V4 { 21 } else { 1 };
            while wait(&receiver, 50) {
                let summary = receiver
                    .receive(|received| vrids.push(received.datagram[offset]))
                    .unwrap();
                assert_eq!(summary.dropped, 0);
            }
            vrids
        };
        send_all();
        assert_eq!(receive_all(), ours, "{family}");
        receiver.listen_for(&set(1..=255)).unwrap();
        send_all();
        let mut count = 0;
        while wait(&receiver, 50) {
            count += receiver.receive(|_| {}).unwrap().delivered;
        }
        assert_eq!(count, 255, "{family}");
        receiver.listen_for(&set([])).unwrap();
        send_all();
        assert!(!wait(&receiver, 50), "{family}");
    }
}

fn truncated_adverts() {
    let mut lab = Lab::new();
    lab.hub.enter().unwrap();
    let mut route = RouteSocket::new().unwrap();
    for port in ["port-a", "port-b", "br0"] {
        let port = index(&mut route, port);
        route.set_mtu(port, 9000).unwrap();
    }
    for host in [&mut lab.a, &mut lab.b] {
        host.route.set_mtu(host.eth0, 9000).unwrap();
    }
    let mut long = advert(51, 1);
    long.resize(8000, 7);
    for (family, source) in [
        (Family::V4, IpAddr::from(lab.a.v4)),
        (Family::V6, IpAddr::from(lab.a.v6)),
    ] {
        let (mut sender, mut receiver, _memberships) = lab.advert_sockets(family, [51]);
        sender
            .send(lab.a.eth0, source, family.vrrp_group(), 255, &long)
            .unwrap();
        sender
            .send(lab.a.eth0, source, family.vrrp_group(), 255, &advert(51, 2))
            .unwrap();
        assert!(wait(&receiver, 1000));
        let mut seen = Vec::new();
        let summary = receiver
            .receive(|received| seen.push((received.truncated, received.datagram.len())))
            .unwrap();
        assert_eq!(summary.delivered, 2);
        let header = if family == Family::V4 { 20 } else { 0 };
        assert_eq!(seen, [(true, 4224), (false, header + 12)], "{family}");
    }
}

fn storm() {
    let lab = Lab::new();
    let (mut sender, mut receiver, _memberships) = lab.advert_sockets(Family::V4, [51]);
    for _ in 0..1000 {
        sender
            .send(
                lab.a.eth0,
                lab.a.v4.into(),
                Family::V4.vrrp_group(),
                255,
                &advert(51, 1),
            )
            .unwrap();
    }
    assert!(wait(&receiver, 1000));
    let mut received = 0;
    let first = receiver.receive(|_| received += 1).unwrap();
    assert_eq!(
        first,
        ReceiveSummary {
            delivered: 512,
            dropped: 0,
            more: true
        }
    );
    while wait(&receiver, 100) {
        let summary = receiver.receive(|_| received += 1).unwrap();
        assert!(summary.delivered > 0);
    }
    assert_eq!(received, 1000);
}

fn send_failures() {
    let mut lab = Lab::new();
    let absent = IfIndex::new(4711).unwrap();
    let (mut v4, _, _) = lab.advert_sockets(Family::V4, [1]);
    let (mut v6, _, _) = lab.advert_sockets(Family::V6, [1]);
    lab.a.namespace.enter().unwrap();
    let frames = LinkSocket::new().unwrap();
    let (from4, from6) = (IpAddr::from(lab.a.v4), IpAddr::from(lab.a.v6));
    let (to4, to6) = (Family::V4.vrrp_group(), Family::V6.vrrp_group());
    let message = advert(1, 1);

    let error = v4.send(lab.a.eth0, from6, to6, 255, &message).unwrap_err();
    assert!(matches!(error, SendError::Family { .. }), "{error}");
    let error = v6.send(lab.a.eth0, from6, to4, 255, &message).unwrap_err();
    assert!(matches!(error, SendError::Family { .. }), "{error}");
    let error = v6
        .send(
            lab.a.eth0,
            "fd00::dead".parse().unwrap(),
            to6,
            255,
            &message,
        )
        .unwrap_err();
    assert!(matches!(error, SendError::Source { .. }), "{error}");
    for length in [2000, 70_000] {
        let error = v4
            .send(lab.a.eth0, from4, to4, 255, &vec![0; length])
            .unwrap_err();
        assert!(
            matches!(error, SendError::TooLong { length: told, .. } if told == length),
            "{error}"
        );
    }
    let error = frames.send(lab.a.eth0, &[0; 5]).unwrap_err();
    assert!(matches!(error, SendError::Other { .. }), "{error}");
    // Each for itself: one that fails takes none of the others along.
    let mut many = Frames::default();
    for number in 0..200 {
        let length = if number % 70 == 7 { 5 } else { 60 };
        many.push(lab.a.eth0, &[0; 60][..length]);
    }
    let mut failed = Vec::new();
    frames.send_all(&many, |place, error| {
        assert!(matches!(error, SendError::Other { .. }), "{error}");
        failed.push(place);
    });
    assert_eq!((many.len(), failed), (200, vec![7, 77, 147]));

    let down =
        |error: SendError| assert!(matches!(error, SendError::InterfaceDown { .. }), "{error}");
    down(v4.send(absent, from4, to4, 255, &message).unwrap_err());
    down(v6.send(absent, from6, to6, 255, &message).unwrap_err());
    down(frames.send(absent, &[0; 60]).unwrap_err());
    lab.a.route.set_down(lab.a.eth0).unwrap();
    down(v4.send(lab.a.eth0, from4, to4, 255, &message).unwrap_err());
    let error = v6.send(lab.a.eth0, from6, to6, 255, &message).unwrap_err();
    assert!(
        matches!(
            error,
            SendError::InterfaceDown { .. } | SendError::Source { .. }
        ),
        "{error}"
    );
    down(frames.send(lab.a.eth0, &[0; 60]).unwrap_err());
}

fn many_memberships() {
    let mut lab = Lab::new();
    lab.b.namespace.enter().unwrap();
    let descriptors = || fs::read_dir("/proc/self/fd").unwrap().count();
    let before = descriptors();
    let igmp = || {
        fs::read_to_string("/proc/thread-self/net/igmp")
            .unwrap()
            .matches("EF")
            .count()
    };
    let mut memberships = Memberships::new();
    let groups: Vec<IpAddr> = (1..=65).map(|n| IpAddr::from([239, 1, 1, n])).collect();
    for group in &groups {
        memberships.join(lab.b.eth0, *group).unwrap();
        memberships.join(lab.b.eth0, *group).unwrap();
    }
    memberships
        .join(lab.b.eth0, Family::V6.vrrp_group())
        .unwrap();
    assert_eq!(igmp(), 65);
    assert!(descriptors() > before + 1, "more than one socket");
    for group in &groups[..40] {
        memberships.leave(lab.b.eth0, *group).unwrap();
    }
    assert_eq!(igmp(), 25);
    for group in &groups[..40] {
        memberships.join(lab.b.eth0, *group).unwrap();
    }
    assert_eq!(igmp(), 65);
    let error = memberships
        .join(lab.b.eth0, IpAddr::from([192, 0, 2, 1]))
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("cannot join the multicast group 192.0.2.1"),
        "{error}"
    );
    lab.b.route.delete_link(lab.b.eth0).unwrap();
    for group in &groups {
        memberships.leave(lab.b.eth0, *group).unwrap();
    }
    memberships
        .leave(lab.b.eth0, Family::V6.vrrp_group())
        .unwrap();
    assert_eq!(descriptors(), before, "empty sockets are closed");
}

fn frames() {
    use socket2::{Domain, Protocol, Socket, Type};

    const ETH_P_ARP: u16 = 0x0806;
    let lab = Lab::new();
    lab.b.namespace.enter().unwrap();
    let protocol = Protocol::from(i32::from(ETH_P_ARP.to_be()));
    let mut witness = Socket::new(Domain::PACKET, Type::RAW, Some(protocol)).unwrap();
    lab.a.namespace.enter().unwrap();
    let socket = LinkSocket::new().unwrap();
    let mut frame = vec![0xff; 6];
    frame.extend([2, 0, 0, 0, 0, 1]);
    frame.extend(ETH_P_ARP.to_be_bytes());
    frame.extend([0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 192, 0, 2, 100]);
    frame.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 192, 0, 2, 100]);
    socket.send(lab.a.eth0, &frame).unwrap();
    assert!(wait(&witness, 1000));
    let mut buffer = [0; 100];
    let length = witness.read(&mut buffer).unwrap();
    assert_eq!(buffer[..length], frame);
}
