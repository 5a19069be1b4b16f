use super::*;
use crate::lints::tests::{found, instance, lints_of};
use crate::testing::Fake;

fn with_vips(vips: &str) -> String {
    format!(
        "vrrp_instance A {{\ninterface eth0\nvirtual_router_id 1\npriority 100\nvirtual_ipaddress {{\n{vips}\n}}\n}}\n"
    )
}

/// The messages about addresses outside, on a machine whose interfaces have these addresses.
fn outside(addresses: &[(&str, &str)], vips: &str) -> Vec<String> {
    let machine = addresses
        .iter()
        .fold(Fake::default(), |machine, (interface, address)| {
            machine.address(interface, address)
        });
    lints_of(machine, &with_vips(vips))
        .into_iter()
        .filter(|lint| lint.lint == Some("vip_outside_subnet"))
        .map(|lint| lint.message)
        .collect()
}

#[test]
fn an_address_that_nobody_looks_for_there() {
    let eth0 = [("eth0", "10.0.0.5/24"), ("eth0", "10.1.0.5/16")];
    assert_eq!(
        outside(&eth0, "192.168.1.1"),
        [
            "instance A: 192.168.1.1 belongs to no subnet of eth0, which has 10.0.0.0/24, 10.1.0.0/16"
        ]
    );
    assert_eq!(
        outside(
            &eth0,
            "10.0.0.7\n192.168.1.1/24\n192.168.1.2/24\n192.168.1.3"
        ),
        [
            "instance A: 192.168.1.1 belongs to no subnet of eth0, which has 10.0.0.0/24, 10.1.0.0/16 (nor do 1 more)"
        ],
        "an address with a subnet makes room for others, not for itself"
    );
    let both = [("eth0", "10.0.0.5/24"), ("eth1", "10.2.0.5/24")];
    assert_eq!(
        outside(&both, "10.2.0.9/24"),
        ["instance A: 10.2.0.9 belongs to no subnet of eth0, which has 10.0.0.0/24"]
    );
}

#[test]
fn addresses_where_they_belong_or_may_be_meant() {
    let eth0 = [("eth0", "10.0.0.5/24")];
    assert!(outside(&eth0, "10.0.0.255\n10.0.0.0/24").is_empty());
    assert!(outside(&eth0, "192.168.1.1 peer 192.168.1.2").is_empty());
    assert!(outside(&eth0, "192.168.1.1 dev lo").is_empty(), "loopback");
    assert!(
        outside(&eth0, "192.168.1.1 dev eth1").is_empty(),
        "not known"
    );
    assert!(outside(&eth0, "2001:db8::1").is_empty(), "no subnet at all");
    assert!(outside(&[], "192.168.1.1").is_empty(), "nothing is known");
    let clouds = [("eth0", "10.0.0.5/32")];
    assert!(
        outside(&clouds, "10.0.0.6").is_empty(),
        "a host has no subnet"
    );
}

#[test]
fn ipv6_has_link_local_addresses() {
    let eth0 = [("eth0", "2001:db8::5/64"), ("eth0", "fe80::5/64")];
    assert!(outside(&eth0, "fe80::1").is_empty());
    assert!(outside(&eth0, "2001:db8::99").is_empty());
    assert_eq!(
        outside(&eth0, "2001:db8:1::1"),
        ["instance A: 2001:db8:1::1 belongs to no subnet of eth0, which has 2001:db8::/64"]
    );
}

#[test]
fn one_address_of_two_instances() {
    let vip = "virtual_ipaddress {\n10.9.9.9\n}";
    let both = format!("{}{}", instance("A", 1, vip), instance("B", 2, vip));
    let lints = found(&both, "vip_twice");
    assert_eq!(lints.len(), 1);
    assert_eq!(
        lints[0].message,
        "instances A and B both have 10.9.9.9 on eth0"
    );
    let elsewhere = "virtual_ipaddress {\n10.9.9.9 dev eth1\n}";
    let apart = format!("{}{}", instance("A", 1, vip), instance("B", 2, elsewhere));
    assert!(found(&apart, "vip_twice").is_empty());
}

#[test]
fn one_address_that_comes_and_goes_with_both() {
    let vip = "virtual_ipaddress {\n10.9.9.9\n}";
    let group = "vrrp_sync_group G {\ngroup {\nA\nB\n}\n}\n";
    let both = format!("{group}{}{}", instance("A", 1, vip), instance("B", 2, vip));
    assert!(found(&both, "vip_twice").is_empty());
    let own = format!("use_vmac\n{vip}");
    let apart = format!("{}{}", instance("A", 1, &own), instance("B", 2, &own));
    assert!(found(&apart, "vip_twice").is_empty());
}

#[test]
fn a_static_address_makes_room() {
    let text = format!(
        "static_ipaddress {{\n192.168.1.5/24 dev eth0\n}}\n{}",
        with_vips("192.168.1.1")
    );
    let machine = Fake::default().address("eth0", "10.0.0.5/24");
    let lints = lints_of(machine, &text);
    assert!(
        lints
            .iter()
            .all(|lint| lint.lint != Some("vip_outside_subnet"))
    );
}

#[test]
fn networks() {
    for (address, length, expected) in [
        ("10.1.2.3", 24, "10.1.2.0"),
        ("10.1.2.3", 0, "0.0.0.0"),
        ("10.1.2.3", 32, "10.1.2.3"),
        ("2001:db8::1", 64, "2001:db8::"),
        ("2001:db8::1", 0, "::"),
    ] {
        let address: IpAddr = address.parse().unwrap();
        assert_eq!(network(address, length).to_string(), expected);
    }
}
