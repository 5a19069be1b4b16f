//! Which devices are made, how they are called, and which address is put on which: as keepalived 2.2.7 does.

use crate::Settings;
use crate::machine::DeviceFacts;
use crate::testing::Fake;

fn instance(name: &str, vrid: u8, inside: &str) -> String {
    format!("vrrp_instance {name} {{\nvirtual_router_id {vrid}\npriority 100\n{inside}\n}}\n")
}

fn load(machine: Fake, text: &str) -> (Settings, Vec<String>) {
    let loaded = machine.load(text);
    let messages = loaded.diagnostics.into_iter();
    (
        loaded.settings.unwrap(),
        messages.map(|said| said.message).collect(),
    )
}

/// The devices of instances, `NAME@BASE`, then those of addresses, in their order.
fn devices(settings: &Settings) -> Vec<String> {
    let instances = settings.vrrp.instances.iter();
    let own = instances.filter_map(|instance| {
        let device = instance.virtual_interface.as_ref()?;
        Some(format!("{}@{}", device.name, instance.interface.as_ref()?))
    });
    let others = settings.vrrp.address_devices.iter();
    own.chain(others.map(|device| format!("{}@{} {}", device.name, device.base, device.address)))
        .collect()
}

fn places(settings: &Settings, instance: usize) -> Vec<String> {
    settings.vrrp.instances[instance]
        .addresses()
        .map(|address| format!("{} {}", address.prefix.address(), address.interface))
        .collect()
}

const EVERYWHERE: &str = "virtual_ipaddress {\n198.18.0.100\n198.18.0.101 dev eth0\n198.18.0.102 dev eth0 use_vmac\n\
     198.19.0.103 dev eth1\n198.19.0.104 dev eth1 use_vmac\n}\n\
     virtual_ipaddress_excluded {\nfd00:18::5\nfd00:18::6 use_vmac\nfd00:18::7 dev eth0\nfd00:18::8 dev eth1 use_vmac\n}";

#[test]
fn addresses_are_put_where_keepalived_puts_them() {
    let text = instance("A", 51, &format!("interface eth0\nuse_vmac\n{EVERYWHERE}"));
    let (settings, _) = load(Fake::default(), &text);
    assert_eq!(
        devices(&settings),
        [
            "vrrp.51@eth0",
            "vrrp1.51@eth1 00:00:5e:00:01:33",
            "vrrp6.51@eth0 00:00:5e:00:02:33",
            "vrrp2.51@eth1 00:00:5e:00:02:33",
        ]
    );
    assert_eq!(
        places(&settings, 0),
        [
            "198.18.0.100 vrrp.51",
            "198.18.0.101 vrrp.51",
            "198.18.0.102 vrrp.51",
            "198.19.0.103 eth1",
            "198.19.0.104 vrrp1.51",
            "fd00:18::5 eth0",
            "fd00:18::6 vrrp6.51",
            "fd00:18::7 eth0",
            "fd00:18::8 vrrp2.51",
        ]
    );
    let tracked: Vec<_> = settings.vrrp.instances[0]
        .track_interface
        .iter()
        .map(|track| track.interface.as_str())
        .collect();
    assert_eq!(tracked, ["eth1", "vrrp1.51", "vrrp6.51", "vrrp2.51"]);
}

#[test]
fn use_vmac_addr_is_for_all_that_is_not_at_home() {
    let inside = format!("interface eth0\nuse_vmac\nuse_vmac_addr\n{EVERYWHERE}");
    let (settings, _) = load(Fake::default(), &instance("A", 52, &inside));
    let places = places(&settings, 0);
    let on: Vec<_> = places
        .iter()
        .filter_map(|place| place.split(' ').nth(1))
        .collect();
    assert_eq!(
        on,
        [
            "vrrp.52", "vrrp.52", "vrrp.52", "vrrp1.52", "vrrp1.52", "vrrp6.52", "vrrp6.52",
            "vrrp6.52", "vrrp2.52"
        ]
    );
}

#[test]
fn an_instance_without_a_device_can_have_addresses_on_one() {
    let inside = "interface eth0\nvirtual_ipaddress {\n198.18.0.1\n198.18.0.2 use_vmac\n198.18.0.3 dev eth1 use_vmac\n}\n\
                  virtual_ipaddress_excluded {\nfd00:18::9 use_vmac\n}";
    let text = format!(
        "global_defs {{\nvmac_prefix mine\nvmac_addr_prefix theirs\n}}\n{}",
        instance("A", 54, inside)
    );
    let (settings, _) = load(Fake::default(), &text);
    assert_eq!(
        places(&settings, 0),
        [
            "198.18.0.1 eth0",
            "198.18.0.2 theirs.54",
            "198.18.0.3 theirs1.54",
            "fd00:18::9 theirs6.54",
        ]
    );
}

#[test]
fn names() {
    let vip = |n: u8| format!("virtual_ipaddress {{\n198.18.0.{n}\n}}");
    let on = |interface: &str, line: &str, n| format!("interface {interface}\n{line}\n{}", vip(n));
    // Somebody else's interface has the name.
    let text = instance("A", 53, &on("eth0", "use_vmac", 1))
        + &instance("B", 53, &on("eth1", "use_vmac", 2));
    let (settings, said) = load(Fake::default().interface("vrrp.53"), &text);
    assert_eq!(devices(&settings), ["vrrp1.53@eth0", "vrrp2.53@eth1"]);
    assert_eq!(said, [] as [&str; 0]);
    // A predecessor's device.
    let machine = Fake::default().device("vrrp.53", "eth0", DeviceFacts::PrivateMacvlan);
    let (settings, _) = load(machine, &text);
    assert_eq!(devices(&settings), ["vrrp.53@eth0", "vrrp1.53@eth1"]);
    // One of its kind over another interface is not.
    let machine = Fake::default().device("vrrp.53", "eth1", DeviceFacts::PrivateMacvlan);
    let (settings, _) = load(machine, &text);
    assert_eq!(devices(&settings), ["vrrp1.53@eth0", "vrrp.53@eth1"]);
    // A name that another line has.
    let text = instance("A", 53, &on("eth0", "use_vmac", 1))
        + &instance("B", 7, &on("eth1", "use_vmac name vrrp.53", 2));
    let (settings, _) = load(Fake::default(), &text);
    assert_eq!(devices(&settings), ["vrrp1.53@eth0", "vrrp.53@eth1"]);
    // A name that cannot be had.
    let machine = Fake::default().device("mine", "eth0", DeviceFacts::Other);
    let text = instance("A", 53, &on("eth0", "use_vmac mine", 1));
    let (settings, said) = load(machine, &text);
    assert_eq!(devices(&settings), ["vrrp.53@eth0"]);
    assert_eq!(
        said,
        [
            "instance A: mine is there and is no private macvlan on eth0; the device is called vrrp.53"
        ]
    );
    // Long prefixes are cut, not the number.
    let text = format!(
        "global_defs {{\nvmac_prefix abcdefghijklmn\n}}\n{}{}",
        instance("A", 253, &on("eth0", "use_vmac", 1)),
        instance("B", 253, &on("eth1", "use_vmac", 2))
    );
    let (settings, _) = load(Fake::default(), &text);
    assert_eq!(
        devices(&settings),
        ["abcdefghijk.253@eth0", "abcdefghij1.253@eth1"]
    );
    // Over IPv6, and an ipvlan.
    let v6 = "interface eth0\nuse_vmac\nvirtual_ipaddress {\nfe80::1\n}";
    let ipvlan = on("eth0", "use_ipvlan 198.18.0.9/24", 3);
    let (settings, _) = load(
        Fake::default(),
        &(instance("A", 9, v6) + &instance("B", 9, &ipvlan)),
    );
    assert_eq!(devices(&settings), ["vrrp.9@eth0", "vrrp1.9@eth0"]);
}

#[test]
fn one_macvlan_of_an_address_on_an_interface() {
    let vip = |n: u8| format!("virtual_ipaddress {{\n198.18.0.{n} dev eth2 use_vmac\n}}");
    let a = instance("A", 5, &format!("interface eth0\n{}", vip(1)));
    let b = instance("B", 5, &format!("interface eth1\n{}", vip(2)));
    let machine = || Fake::default().interface("eth2");
    let (settings, said) = load(machine(), &format!("{a}{b}"));
    assert_eq!(devices(&settings), ["vrrp.5@eth2 00:00:5e:00:01:05"]);
    assert_eq!(settings.vrrp.instances[0].unusable, None);
    assert_eq!(
        settings.vrrp.instances[1].unusable.as_deref(),
        Some("it has addresses on a macvlan of instance A")
    );
    assert_eq!(
        said,
        ["instance B stays in FAULT: it has addresses on a macvlan of instance A"]
    );
    let group = "vrrp_sync_group G {\ngroup {\nA\nB\n}\n}\n";
    let (settings, said) = load(machine(), &format!("{a}{b}{group}"));
    assert_eq!(said, [] as [&str; 0]);
    assert_eq!(settings.vrrp.instances[1].unusable, None);
    // Two instances with one address of their own.
    let own = |name, n| {
        let vip = format!("virtual_ipaddress {{\n198.18.0.{n}\n}}");
        instance(
            name,
            n,
            &format!("interface eth0\nuse_vmac 02:00:00:00:00:07\n{vip}"),
        )
    };
    let (settings, _) = load(machine(), &(own("A", 1) + &own("B", 2)));
    assert_eq!(
        settings.vrrp.instances[1].unusable.as_deref(),
        Some("instance A has a macvlan with address 02:00:00:00:00:07 on eth0 already")
    );
}

#[test]
fn no_macvlan_stands_on_what_is_no_ethernet() {
    let mut machine = Fake::default().interface("tun0");
    machine.interfaces.get_mut("tun0").unwrap().ethernet = false;
    let text = instance(
        "A",
        5,
        "interface tun0\nuse_vmac\nvirtual_ipaddress {\n198.18.0.1\n}",
    );
    let (settings, said) = load(machine, &text);
    assert_eq!(devices(&settings), [] as [&str; 0]);
    assert_eq!(places(&settings, 0), ["198.18.0.1 tun0"]);
    assert_eq!(
        said,
        ["instance A runs on tun0 itself: it is no Ethernet, so no macvlan can stand on it"]
    );
}

#[test]
fn groups_by_number_and_by_name() {
    let load_with = |words: &str| {
        let machine = Fake::default().file("/etc/iproute2/group", "7 vips\n");
        let inside =
            format!("interface eth0\nuse_vmac {words}\nvirtual_ipaddress {{\n198.18.0.1\n}}");
        let (settings, said) = load(machine, &instance("A", 5, &inside));
        let device = settings.vrrp.instances[0].virtual_interface.clone();
        (device.unwrap().group, said)
    };
    assert_eq!(load_with("group 12"), (Some(12), vec![]));
    assert_eq!(load_with("group vips"), (Some(7), vec![]));
    let (group, said) = load_with("group vipz");
    assert_eq!(group, None);
    assert_eq!(said, ["unknown device group 'vipz' is ignored"]);
}
