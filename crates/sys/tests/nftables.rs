//! The packet filter against a real kernel, in network namespaces of its own, with `nft` (Debian's nftables) as the judge.
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
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::panic::{self, AssertUnwindSafe};
use std::process::{Command, ExitCode};

use evervip_sys::namespace::{NetworkNamespace, enter_private_user_namespace};
use evervip_sys::netlink::RouteSocket;
use evervip_sys::nftables::{Change, Element, Firewall, InterfaceKey, MarkTable, Table};
use types::ipvs::Protocol;
use types::marks::{MarkClaim, Marks};
use types::{Family, IfIndex, IfName};

fn main() -> ExitCode {
    if !rustix::process::geteuid().is_root() {
        enter_private_user_namespace().unwrap();
    }
    let tests: &[(&str, fn())] = &[
        ("tables have keepalived's shape", shape),
        ("elements come and go, rules stay", elements),
        ("what a predecessor left is replaced", left_overs),
        ("a batch is carried out whole or not at all", refusals),
        ("ten thousand addresses", many),
        ("marks have keepalived's shape", marks_shape),
        ("marks come and go, the others stay", marks_change),
        ("ten thousand marks", many_marks),
        ("marks are looked at", marks_are_looked_at),
        ("tables are looked at", tables_are_looked_at),
        ("packets get their marks", marks_effect),
        ("a blocked address neither takes nor sends", effect),
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

/// A namespace with a veth pair, and a way to its filter.
fn lab() -> (NetworkNamespace, Firewall) {
    let namespace = NetworkNamespace::create_for_this_thread().unwrap();
    let mut route = RouteSocket::new().unwrap();
    route.add_veth(&name("a0"), &name("a1"), None).unwrap();
    (namespace, Firewall::new().unwrap())
}

fn name(name: &str) -> IfName {
    IfName::new(name).unwrap()
}

fn index(name: &str) -> IfIndex {
    let links = RouteSocket::new().unwrap().links().unwrap();
    links
        .iter()
        .find(|link| link.name.as_str() == name)
        .unwrap()
        .index
}

fn nft(arguments: &[&str]) -> String {
    let output = Command::new("nft")
        .args(arguments)
        .output()
        .expect("nft: install Debian's package nftables");
    assert!(
        output.status.success(),
        "nft {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Without indentation and empty lines.
fn ruleset() -> Vec<String> {
    nft(&["list", "ruleset"])
        .lines()
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect()
}

fn table(family: Family) -> Table {
    Table {
        family,
        name: "keepalived".to_owned(),
        priority: -1,
        counters: false,
        by_index: false,
        blocks: true,
        outgoing: true,
        macvlans: false,
    }
}

fn address(text: &str) -> Element {
    Element::Address(text.parse().unwrap())
}

fn link_local(text: &str, interface: &str) -> Element {
    Element::LinkLocal(text.parse().unwrap(), InterfaceKey::Name(name(interface)))
}

const IP: &str = r#"
table ip keepalived {
set vips {
type ipv4_addr
elements = { 198.18.0.100, 198.18.0.101 }
}
chain out {
type filter hook output priority filter - 1; policy accept;
ip saddr @vips drop
}
chain in {
type filter hook input priority filter - 1; policy accept;
ip daddr @vips drop
}
}
"#;

const IP6_WITH_ALL: &str = r#"
table ip6 other {
map vmac_map {
type iface_index : iface_index
elements = { "a1" : "a0" }
}
set vmac_set {
type iface_index
elements = { "a1" }
}
set parent_link_local {
type ipv6_addr . ifname
elements = { fe80::1 . "a1" }
}
set mld-report {
type icmpv6_type
flags constant
elements = { mld-listener-report,
mld2-listener-report }
}
set vips {
type ipv6_addr
elements = { fd00:18::77 }
}
set neighbor-discovery {
type icmpv6_type
flags constant
elements = { nd-neighbor-solicit,
nd-neighbor-advert }
}
set vips_link_local {
type ipv6_addr . iface_index
elements = { fe80::77 . "a0" }
}
chain out {
type filter hook output priority 17; policy accept;
icmpv6 type nd-neighbor-advert meta oifkind "macvlan" ip6 saddr . oifname @parent_link_local counter packets 0 bytes 0 drop
icmpv6 type @mld-report meta oifkind "macvlan" dup to ip6 daddr device oif map @vmac_map counter packets 0 bytes 0 drop
icmpv6 type nd-router-solicit meta oifkind "macvlan" oif @vmac_set counter packets 0 bytes 0 drop
icmpv6 type @neighbor-discovery counter packets 0 bytes 0 accept
ip6 saddr fe80::/10 counter packets 0 bytes 0 goto out_link_local
ip6 saddr @vips counter packets 0 bytes 0 drop
}
chain in {
type filter hook input priority 17; policy accept;
icmpv6 type @neighbor-discovery counter packets 0 bytes 0 accept
ip6 daddr fe80::/10 counter packets 0 bytes 0 goto in_link_local
ip6 daddr @vips counter packets 0 bytes 0 drop
}
chain in_link_local {
ip6 daddr . iif @vips_link_local counter packets 0 bytes 0 drop
}
chain out_link_local {
ip6 saddr . oif @vips_link_local counter packets 0 bytes 0 drop
}
}
"#;

const IP_OF_MACVLANS: &str = r#"
table ip keepalived {
map vmac_map {
type iface_index : iface_index
elements = { "a1" : "a0" }
}
chain out {
type filter hook output priority filter - 1; policy accept;
ip protocol igmp meta oifkind "macvlan" dup to ip daddr device oif map @vmac_map drop
}
}
"#;

fn lines(text: &str) -> Vec<&str> {
    text.trim().lines().collect()
}

fn shape() {
    let (_namespace, mut firewall) = lab();
    let addresses = [address("198.18.0.100"), address("198.18.0.101")];
    firewall.replace(&table(Family::V4), &addresses).unwrap();
    assert_eq!(ruleset(), lines(IP));
    firewall.remove(Family::V4, "keepalived").unwrap();
    assert_eq!(ruleset(), Vec::<String>::new());

    let (a0, a1) = (index("a0"), index("a1"));
    let parent: Ipv6Addr = "fe80::1".parse().unwrap();
    let elements = [
        Element::Macvlan {
            device: a1,
            parent: a0,
        },
        Element::NoSolicitation(a1),
        Element::ParentLinkLocal(parent, name("a1")),
        address("fd00:18::77"),
        Element::LinkLocal("fe80::77".parse().unwrap(), InterfaceKey::Index(a0)),
    ];
    let all = Table {
        name: "other".to_owned(),
        priority: 17,
        counters: true,
        by_index: true,
        macvlans: true,
        ..table(Family::V6)
    };
    firewall.replace(&all, &elements).unwrap();
    assert_eq!(ruleset(), lines(IP6_WITH_ALL));
    firewall.remove(Family::V6, "other").unwrap();

    let macvlans = Table {
        blocks: false,
        macvlans: true,
        ..table(Family::V4)
    };
    firewall.replace(&macvlans, &elements[..1]).unwrap();
    assert_eq!(ruleset(), lines(IP_OF_MACVLANS));
}

/// The handles of rules and sets, which change when anything is made anew, with the elements.
fn handles(family: &str) -> (String, String) {
    let text = nft(&["-a", "list", "table", family, "keepalived"]);
    let (elements, rest): (Vec<&str>, Vec<&str>) = text
        .lines()
        .partition(|line| line.contains('{') && line.contains("elements"));
    (elements.join("|"), rest.join("\n"))
}

fn elements() {
    let (_namespace, mut firewall) = lab();
    let by_name = table(Family::V6);
    firewall.replace(&by_name, &[]).unwrap();
    let (before, rules) = handles("ip6");
    assert!(!before.contains("fd00"), "{before}");
    firewall
        .change(
            Family::V6,
            "keepalived",
            &[
                Change::Add(address("fd00:18::1")),
                Change::Add(link_local("fe80::77", "fifteen_letters")),
                Change::Add(link_local("fe80::77", "a1")),
                Change::Add(address("fd00:18::2")),
                Change::Remove(address("fd00:18::1")),
                // Twice is once.
                Change::Add(address("fd00:18::2")),
            ],
        )
        .unwrap();
    let text = ruleset().join(" ");
    assert!(text.contains("elements = { fd00:18::2 }"), "{text}");
    assert!(text.contains(r#"fe80::77 . "a1""#), "{text}");
    assert!(text.contains(r#"fe80::77 . "fifteen_letters""#), "{text}");
    firewall
        .change(
            Family::V6,
            "keepalived",
            &[
                Change::Remove(link_local("fe80::77", "fifteen_letters")),
                Change::Remove(link_local("fe80::77", "a1")),
                Change::Remove(address("fd00:18::2")),
            ],
        )
        .unwrap();
    assert_eq!(handles("ip6"), (before, rules));
}

fn left_overs() {
    let (_namespace, mut firewall) = lab();
    // With a set of another type under one of our names, and rules of others.
    nft(&[
        "add table ip keepalived; add set ip keepalived vips { type inet_service; }; \
         add chain ip keepalived in { type filter hook input priority 0; }; \
         add rule ip keepalived in tcp dport @vips drop; add rule ip keepalived in drop",
    ]);
    nft(&["add table ip mine; add chain ip mine c"]);
    let addresses = [address("198.18.0.100"), address("198.18.0.101")];
    for _once_more in 0..2 {
        firewall.replace(&table(Family::V4), &addresses).unwrap();
        let text = ruleset();
        let (mine, ours): (Vec<String>, Vec<String>) = {
            let start = text
                .iter()
                .position(|line| line == "table ip keepalived {")
                .unwrap();
            (text[..start].to_vec(), text[start..].to_vec())
        };
        assert_eq!(mine, ["table ip mine {", "chain c {", "}", "}"]);
        assert_eq!(ours, lines(IP));
    }
    firewall.remove(Family::V4, "keepalived").unwrap();
    // Nothing to remove is no mistake.
    firewall.remove(Family::V4, "keepalived").unwrap();
    assert_eq!(ruleset().join(" "), "table ip mine { chain c { } }");
}

fn refusals() {
    let (_namespace, mut firewall) = lab();
    let changes = [
        Change::Add(address("198.18.0.102")),
        Change::Remove(address("198.18.0.200")),
    ];
    let problem = firewall
        .change(Family::V4, "keepalived", &changes)
        .unwrap_err();
    assert_eq!(
        problem.to_string(),
        "cannot add elements to nftables table ip keepalived: No such file or directory (os error 2)"
    );
    let addresses = [address("198.18.0.100"), address("198.18.0.101")];
    firewall.replace(&table(Family::V4), &addresses).unwrap();
    let problem = firewall
        .change(Family::V4, "keepalived", &changes)
        .unwrap_err();
    assert_eq!(
        problem.to_string(),
        "cannot delete elements of nftables table ip keepalived: No such file or directory (os error 2)"
    );
    assert!(!problem.is_permission());
    assert_eq!(ruleset(), lines(IP), "the addition is undone");
    // A key of the wrong length for its set: the whole new table is refused, the old one stays.
    let wrong = [Element::Address(IpAddr::V6(Ipv6Addr::LOCALHOST))];
    firewall.replace(&table(Family::V4), &wrong).unwrap_err();
    assert_eq!(ruleset(), lines(IP));
    firewall
        .change(Family::V4, "keepalived", &[changes[0].clone()])
        .expect("the answers of a failed batch do not confuse the next one");
    let too_long = Table {
        name: "n".repeat(66_000),
        ..table(Family::V4)
    };
    firewall.replace(&too_long, &[]).unwrap_err();
}

fn many() {
    let (_namespace, mut firewall) = lab();
    let addresses: Vec<Element> = (0..10_000_u32)
        .map(|n| {
            Element::LinkLocal(
                (0xfe80_u128 << 112 | u128::from(n)).into(),
                InterfaceKey::Name(name("a0")),
            )
        })
        .collect();
    firewall.replace(&table(Family::V6), &addresses).unwrap();
    let count = || {
        ruleset()
            .iter()
            .filter(|line| line.contains("fe80::"))
            .count()
    };
    // Two rules name the prefix itself.
    let rules = 2;
    assert_eq!(count(), 10_000 + rules);
    let removals: Vec<Change> = addresses.into_iter().map(Change::Remove).collect();
    firewall
        .change(Family::V6, "keepalived", &removals)
        .unwrap();
    assert_eq!(count(), rules);
}

fn effect() {
    let (_namespace, mut firewall) = lab();
    let mut route = RouteSocket::new().unwrap();
    route.set_up(index("lo")).unwrap();
    let passes = |to: Ipv4Addr| {
        let receiver = UdpSocket::bind((to, 0)).unwrap();
        receiver
            .set_read_timeout(Some(std::time::Duration::from_millis(200)))
            .unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender
            .send_to(b"?", receiver.local_addr().unwrap())
            .unwrap();
        receiver.recv(&mut [0; 8]).is_ok()
    };
    let [free, blocked] = [Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 3)];
    assert!(passes(free) && passes(blocked));
    let element = Element::Address(blocked.into());
    firewall.replace(&table(Family::V4), [&element]).unwrap();
    assert!(passes(free));
    assert!(!passes(blocked));
    let sender = UdpSocket::bind((blocked, 0)).unwrap();
    sender.send_to(b"?", (free, 9)).unwrap_err();
    let back = Change::Remove(element);
    firewall.change(Family::V4, "keepalived", &[back]).unwrap();
    assert!(passes(blocked));
}

/// `ADDR[-ADDR] PORT PROTOCOL MARK`, one on each line.
fn marks(text: &str) -> Marks {
    Marks::of(
        text.lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(|line| {
                let [addresses, port, protocol, mark] =
                    line.split(' ').collect::<Vec<_>>().try_into().unwrap();
                let (first, last) = addresses.split_once('-').unwrap_or((addresses, addresses));
                MarkClaim {
                    protocol: match protocol {
                        "tcp" => Protocol::Tcp,
                        "udp" => Protocol::Udp,
                        _ => Protocol::Sctp,
                    },
                    first: first.parse().unwrap(),
                    last: last.parse().unwrap(),
                    port: port.parse().unwrap(),
                    mark: mark.parse().unwrap(),
                }
            }),
    )
}

fn mark_table(counters: bool) -> MarkTable {
    MarkTable {
        name: "keepalived_ipvs".to_owned(),
        priority: -1,
        counters,
    }
}

/// As in keepalived's words, which nft itself makes tables of.
const MARKS_IN_NFT: &str = "
table ip keepalived_ipvs {
 map tcp_map { type ipv4_addr . inet_service : mark; flags interval; elements = { 10.0.0.1 . 80 : 1000,
  10.0.0.2-10.0.0.4 . 80 : 1000, 10.0.0.9 . 0-65535 : 1003 }; }
 map sctp_map { type ipv4_addr . inet_service : mark; flags interval; elements = { 10.0.0.1 . 80 : 1001 }; }
 chain in { type filter hook input priority -1; policy accept;
  meta l4proto tcp meta mark set ip daddr . tcp dport map @tcp_map counter return;
  meta l4proto sctp meta mark set ip daddr . sctp dport map @sctp_map counter return; }
}
table ip6 keepalived_ipvs {
 map udp_map { type ipv6_addr . inet_service : mark; flags interval; elements = { fd00::1-fd00::ffff . 53 : 1002 }; }
 chain in { type filter hook input priority -1; policy accept;
  meta l4proto udp meta mark set ip6 daddr . udp dport map @udp_map counter return; }
}
";

fn marks_shape() {
    let expected = {
        let _namespace = NetworkNamespace::create_for_this_thread().unwrap();
        nft(&[MARKS_IN_NFT]);
        ruleset()
    };
    let (_namespace, mut firewall) = lab();
    let wanted = marks(
        "10.0.0.1 80 tcp 1000
         10.0.0.2-10.0.0.4 80 tcp 1000
         10.0.0.9 0 tcp 1003
         10.0.0.1 80 sctp 1001
         fd00::1-fd00::ffff 53 udp 1002",
    );
    for _once_more in 0..2 {
        firewall.replace_marks(&mark_table(true), &wanted).unwrap();
        assert_eq!(ruleset(), expected);
    }
    let without_counters = || {
        let lines = ruleset();
        assert!(lines.iter().any(|line| line.ends_with("return")));
        !lines.iter().any(|line| line.contains("counter"))
    };
    assert!(!without_counters());
    firewall.replace_marks(&mark_table(false), &wanted).unwrap();
    assert!(without_counters());
    // Nothing of the other family, whoever left it.
    let v6 = marks("fd00::1 53 udp 1002");
    firewall.replace_marks(&mark_table(false), &v6).unwrap();
    assert!(!ruleset().join(" ").contains("table ip keepalived_ipvs"));
    firewall.remove_marks("keepalived_ipvs").unwrap();
    firewall.remove_marks("keepalived_ipvs").unwrap();
    assert_eq!(ruleset(), Vec::<String>::new());
}

fn marks_change() {
    let (_namespace, mut firewall) = lab();
    let table = mark_table(false);
    let stages = [
        "",
        "10.0.0.1 80 tcp 1000",
        // Another protocol, a gap in a range.
        "10.0.0.1 80 tcp 1000
         10.0.0.4 80 tcp 1001
         10.0.0.2-10.0.0.9 80 tcp 1000
         10.0.0.1 80 udp 1002",
        "10.0.0.2-10.0.0.9 80 tcp 1000
         10.0.0.1 80 udp 1003
         fd00::1 80 tcp 1000",
        "10.0.0.1 80 udp 1003
         10.0.0.1 80 sctp 1003
         fd00::1 80 tcp 1000",
        "fd00::1 80 tcp 1001",
        "",
    ];
    let mut have = Marks::default();
    for stage in stages {
        let wanted = marks(stage);
        firewall.change_marks(&table, &have, &wanted).unwrap();
        let changed = ruleset();
        firewall.change_marks(&table, &wanted, &wanted).unwrap();
        assert_eq!(ruleset(), changed);
        // No other than what is made at once; nft lists maps in the order in which they were made.
        firewall.replace_marks(&table, &wanted).unwrap();
        let sorted = |mut lines: Vec<String>| {
            lines.sort();
            lines
        };
        assert_eq!(sorted(changed), sorted(ruleset()), "{stage}");
        // Back to what it was, so that the next change has to do with a table that was changed.
        firewall.change_marks(&table, &wanted, &have).unwrap();
        firewall.change_marks(&table, &have, &wanted).unwrap();
        have = wanted;
    }
    // Somebody removes the table: said, and put right.
    let some = marks("10.0.0.1 80 tcp 1000");
    firewall.replace_marks(&table, &some).unwrap();
    nft(&["flush ruleset"]);
    let more = marks("10.0.0.1 80 tcp 1000\n10.0.0.2 80 tcp 1000");
    let problem = firewall.change_marks(&table, &some, &more).unwrap_err();
    assert_eq!(
        problem.to_string(),
        "cannot add elements to nftables table ip keepalived_ipvs: No such file or directory (os error 2)"
    );
    firewall.replace_marks(&table, &more).unwrap();
    assert!(ruleset().join(" ").contains("10.0.0.2 . 80 : 0x000003e8"));
}

fn many_marks() {
    let (_namespace, mut firewall) = lab();
    let table = mark_table(false);
    // Every other address, so that none are one range.
    let some = |first: u32| {
        Marks::of((first..first + 10_000).map(|number| {
            let address = IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + 2 * number));
            MarkClaim {
                protocol: Protocol::Tcp,
                first: address,
                last: address,
                port: 80,
                mark: 1000 + number,
            }
        }))
    };
    let count = || {
        let list = nft(&["list", "map", "ip", "keepalived_ipvs", "tcp_map"]);
        list.matches(" . 80 : ").count()
    };
    let (first, second) = (some(0), some(5000));
    firewall.replace_marks(&table, &first).unwrap();
    assert_eq!(count(), 10_000);
    assert!(firewall.holds_marks(&table, &first).unwrap());
    firewall.change_marks(&table, &first, &second).unwrap();
    assert_eq!(count(), 10_000);
    assert!(firewall.holds_marks(&table, &second).unwrap());
    assert!(!firewall.holds_marks(&table, &first).unwrap());
    firewall
        .change_marks(&table, &second, &Marks::default())
        .unwrap();
    assert_eq!(ruleset(), Vec::<String>::new());
}

/// What we put there is found again, and whatever somebody else does to it.
fn marks_are_looked_at() {
    let (_namespace, mut firewall) = lab();
    let table = mark_table(true);
    let wanted = marks(
        "10.0.0.1 80 tcp 1000
         10.0.0.2-10.0.0.9 0 tcp 1001
         10.0.0.1 80 udp 1002
         fd00::1-fd00::9 80 tcp 1000",
    );
    assert!(!firewall.holds_marks(&table, &wanted).unwrap(), "no table");
    assert!(firewall.holds_marks(&table, &Marks::default()).unwrap());
    let name = &table.name;
    for change in [
        "flush ruleset".to_owned(),
        format!("delete table ip6 {name}"),
        format!("flush chain ip {name} in"),
        format!("add rule ip {name} in tcp dport 7 accept"),
        format!("flush map ip {name} udp_map"),
        format!("delete element ip {name} tcp_map {{ 10.0.0.1 . 80 }}"),
        format!("add element ip {name} tcp_map {{ 10.0.0.77 . 80 : 1000 }}"),
        format!(
            "delete element ip {name} tcp_map {{ 10.0.0.1 . 80 }}; add element ip {name} tcp_map {{ 10.0.0.1 . 80 : 7 }}"
        ),
    ] {
        firewall.replace_marks(&table, &wanted).unwrap();
        nft(&["add table ip somebody_else; add chain ip somebody_else in"]);
        assert!(firewall.holds_marks(&table, &wanted).unwrap(), "{change}");
        nft(&[change.as_str()]);
        assert!(!firewall.holds_marks(&table, &wanted).unwrap(), "{change}");
    }
    // After changes of ours, too.
    firewall.replace_marks(&table, &wanted).unwrap();
    let others = marks("10.0.0.1 80 tcp 1000\n10.0.0.1 80 sctp 1003");
    firewall.change_marks(&table, &wanted, &others).unwrap();
    assert!(firewall.holds_marks(&table, &others).unwrap());
    assert!(!firewall.holds_marks(&table, &wanted).unwrap());
}

/// Whatever is in a table: somebody changes it, and that is seen; we change it, and that is right.
fn tables_are_looked_at() {
    let (_namespace, mut firewall) = lab();
    let (a0, a1) = (index("a0"), index("a1"));
    let parent: Ipv6Addr = "fe80::1".parse().unwrap();
    let all: BTreeSet<Element> = [
        Element::Macvlan {
            device: a1,
            parent: a0,
        },
        Element::NoSolicitation(a1),
        Element::ParentLinkLocal(parent, name("a1")),
        address("fd00:18::77"),
        link_local("fe80::77", "a0"),
    ]
    .into();
    let full = Table {
        macvlans: true,
        counters: true,
        ..table(Family::V6)
    };
    assert!(!firewall.holds(&full, &all).unwrap(), "no table");
    for change in [
        "flush ruleset",
        "delete table ip6 keepalived",
        "flush chain ip6 keepalived in_link_local",
        "insert rule ip6 keepalived in accept",
        "flush set ip6 keepalived vips",
        "add element ip6 keepalived vips { fd00:18::78 }",
        "delete element ip6 keepalived vips_link_local { fe80::77 . \"a0\" }",
        "delete element ip6 keepalived vmac_map { \"a1\" }; add element ip6 keepalived vmac_map { \"a1\" : \"lo\" }",
        "flush set ip6 keepalived parent_link_local",
    ] {
        firewall.replace(&full, &all).unwrap();
        nft(&["add table ip somebody_else; add chain ip somebody_else in"]);
        assert!(firewall.holds(&full, &all).unwrap(), "{change}");
        nft(&[change]);
        assert!(!firewall.holds(&full, &all).unwrap(), "{change}");
    }
    // Every kind of table, with and without elements.
    for family in [Family::V4, Family::V6] {
        for (blocks, outgoing, macvlans, by_index) in [
            (true, true, false, false),
            (true, false, false, true),
            (false, false, true, false),
            (true, true, true, true),
        ] {
            let table = Table {
                blocks,
                outgoing,
                macvlans,
                by_index,
                ..table(family)
            };
            let mut holds = BTreeSet::new();
            firewall.replace(&table, &holds).unwrap();
            assert!(firewall.holds(&table, &holds).unwrap(), "{table:?}");
            let fresh = if blocks {
                match family {
                    Family::V4 => address("198.18.0.100"),
                    Family::V6 => address("fd00:18::100"),
                }
            } else {
                Element::Macvlan {
                    device: a1,
                    parent: a0,
                }
            };
            let change = Change::Add(fresh.clone());
            firewall.change(family, &table.name, &[change]).unwrap();
            assert!(!firewall.holds(&table, &holds).unwrap(), "{table:?}");
            holds.insert(fresh);
            assert!(firewall.holds(&table, &holds).unwrap(), "{table:?}");
        }
    }
    let many: BTreeSet<Element> = (0..10_000_u32)
        .map(|number| Element::Address(IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + number))))
        .collect();
    let table = table(Family::V4);
    firewall.replace(&table, &many).unwrap();
    assert!(firewall.holds(&table, &many).unwrap());
    nft(&["delete element ip keepalived vips { 10.0.39.15 }"]);
    assert!(!firewall.holds(&table, &many).unwrap());
}

/// A rule behind ours counts what comes with which mark.
fn marks_effect() {
    let (_namespace, mut firewall) = lab();
    let mut route = RouteSocket::new().unwrap();
    route.set_up(index("lo")).unwrap();
    let wanted = marks(
        "127.0.0.2-127.0.0.3 53 udp 1000
         127.0.0.3 0 udp 1001
         ::1 53 udp 1002",
    );
    firewall.replace_marks(&mark_table(true), &wanted).unwrap();
    nft(&[
        "add table inet judge; add chain inet judge in { type filter hook input priority 0; }; \
         add rule inet judge in meta mark 1000 counter; add rule inet judge in meta mark 1001 counter; \
         add rule inet judge in meta mark 1002 counter; add rule inet judge in meta l4proto udp meta mark 0 counter",
    ]);
    let v4 = UdpSocket::bind("127.0.0.1:0").unwrap();
    let v6 = UdpSocket::bind("[::1]:0").unwrap();
    for (socket, to, times) in [
        (&v4, "127.0.0.2:53", 1),
        (&v4, "127.0.0.3:53", 2),
        (&v4, "127.0.0.3:54", 4),
        (&v4, "127.0.0.2:54", 8),
        (&v6, "[::1]:53", 16),
        (&v6, "[::1]:54", 32),
    ] {
        for _ in 0..times {
            // That nobody listens there comes back as an error of a later send.
            if socket.send_to(b"x", to).is_err() {
                socket.send_to(b"x", to).unwrap();
            }
        }
    }
    let said = nft(&["list", "table", "inet", "judge"]);
    for (mark, packets) in [("0x000003e8", 3), ("0x000003e9", 4), ("0x000003ea", 16)] {
        let expected = format!("meta mark {mark} counter packets {packets} ");
        assert!(said.contains(&expected), "{expected} is missing:\n{said}");
    }
    let unmarked = "meta mark 0x00000000 counter packets 40 ";
    assert!(said.contains(unmarked), "{said}");
}
