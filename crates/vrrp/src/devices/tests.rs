use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use types::{Family, IfIndex, IfName, MacAddress, Vrid};

use crate::settings::{
    AddressDevice, InstanceSettings, OldChecksum, Settings, Unicast, UnicastPeer, VirtualInterface,
    VirtualInterfaceKind,
};
use crate::testbench::{Bench, eth, instance, ip, virtual_address};
use crate::{Carrier, Interface, InterfaceAddress, InterfaceKind, Packet, Release, StateName};

fn name(text: &str) -> IfName {
    IfName::new(text).unwrap()
}

fn number(number: u32) -> IfIndex {
    IfIndex::new(number).unwrap()
}

/// With a macvlan called vrrp.51, and its address on it.
fn with_macvlan() -> InstanceSettings {
    let base = instance("A");
    let device = VirtualInterface {
        name: name("vrrp.51"),
        group: None,
        kind: VirtualInterfaceKind::Macvlan {
            address: InstanceSettings::virtual_mac(base.family, base.vrid),
            announce_link: false,
        },
        transmit_on_base: false,
    };
    InstanceSettings {
        virtual_ipaddress: vec![virtual_address("198.18.0.100", name("vrrp.51"))].into(),
        virtual_interface: Some(Box::new(device)),
        ..base
    }
}

/// The same over IPv6.
fn with_macvlan_v6() -> InstanceSettings {
    InstanceSettings {
        family: Family::V6,
        mcast_dst_ip: Family::V6.vrrp_group(),
        virtual_ipaddress: vec![virtual_address("fe80::100", name("vrrp.51"))].into(),
        ..with_macvlan()
    }
}

fn to_one_peer() -> Unicast {
    Unicast {
        peers: vec![UnicastPeer {
            address: ip("198.18.0.9"),
            min_ttl: 0,
            max_ttl: u8::MAX,
        }],
        check_source: false,
        ttl: None,
        old_checksum: OldChecksum::Detect,
    }
}

fn change(settings: &mut InstanceSettings, change: impl FnOnce(&mut VirtualInterface)) {
    change(settings.virtual_interface.as_mut().unwrap());
}

/// The macvlan as the kernel tells of it: above eth0, whose number is 2.
fn macvlan(index: u32, usable: bool) -> Interface {
    Interface {
        index: number(index),
        name: name("vrrp.51"),
        usable,
        mac: Some(MacAddress([0, 0, 0x5e, 0, 1, 51])),
        kind: InterfaceKind::Macvlan { private: true },
        base: Some(number(2)),
        master: None,
    }
}

impl Bench {
    fn tell(&mut self, interface: Interface) -> Vec<String> {
        self.vrrp.handle_interface(self.now, interface);
        self.drain()
    }

    fn gone(&mut self, index: u32) -> Vec<String> {
        self.vrrp.handle_interface_gone(self.now, number(index));
        self.drain()
    }
}

fn start(settings: InstanceSettings) -> (Bench, Vec<String>) {
    Bench::with(Settings {
        instances: vec![settings],
        ..Settings::default()
    })
}

/// A master whose macvlan is number 51.
fn master() -> Bench {
    let (mut bench, _) = start(with_macvlan());
    bench.tell(macvlan(51, true));
    bench.run(4_000);
    assert_eq!(bench.state(0), StateName::Master);
    bench
}

#[test]
fn a_start_waits_for_the_device_without_a_word() {
    let (mut bench, said) = start(with_macvlan());
    assert_eq!(said, ["make vrrp.51"]);
    assert_eq!(bench.state(0), StateName::Fault);
    // First the kernel tells that it is there, then that it is up.
    assert_eq!(bench.tell(macvlan(51, false)), ["join 224.0.0.18"]);
    assert_eq!(bench.link(0, true), [] as [&str; 0]);
    assert_eq!(
        bench.tell(macvlan(51, true)),
        ["(A) Entering BACKUP STATE (init)"]
    );
    let said = bench.run(4_000).join("\n");
    assert!(
        said.contains("advert 150") && said.contains("add 198.18.0.100"),
        "{said}"
    );
    assert_eq!(bench.vrrp.devices().count(), 1);
}

#[test]
fn what_a_predecessor_left_is_taken_over() {
    let mut bench = Bench::idle();
    bench.tell(macvlan(9, true));
    let said = bench.settings(Settings {
        instances: vec![with_macvlan()],
        ..Settings::default()
    });
    assert_eq!(
        said,
        [
            "set up vrrp.51",
            "join 224.0.0.18",
            "(A) Entering BACKUP STATE (init)"
        ]
    );
    // It is set up once.
    assert_eq!(bench.tell(macvlan(9, false)).len(), 2, "down is a fault");
    assert_eq!(bench.tell(macvlan(9, true)), ["(A) Entering BACKUP STATE"]);
}

#[test]
fn what_somebody_else_has_is_left_alone() {
    let strangers = [
        Interface {
            kind: InterfaceKind::Other,
            base: None,
            ..macvlan(9, true)
        },
        Interface {
            kind: InterfaceKind::Macvlan { private: false },
            ..macvlan(9, true)
        },
        Interface {
            base: Some(number(3)),
            ..macvlan(9, true)
        },
    ];
    for stranger in strangers {
        let mut bench = Bench::idle();
        bench.tell(stranger.clone());
        let said = bench.settings(Settings {
            instances: vec![with_macvlan()],
            ..Settings::default()
        });
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(said[0].contains("interface vrrp.51 is there and is not the device"));
        assert_eq!(said[2], "(A) Entering FAULT STATE", "{stranger:?}");
        // When it goes the way is free.
        assert_eq!(bench.gone(9)[0], "make vrrp.51");
        let said = bench.tell(macvlan(10, true));
        assert!(
            said.contains(&"(A) Entering BACKUP STATE".into()),
            "{said:?}"
        );
    }
}

#[test]
fn a_device_that_somebody_deletes_is_made_again() {
    let mut bench = master();
    let said = bench.tell(macvlan(51, false));
    assert_eq!(said.last().unwrap(), "(A) Entering FAULT STATE", "{said:?}");
    assert_eq!(bench.gone(51), ["make vrrp.51", "leave 224.0.0.18"]);
    // Nothing is asked for twice.
    assert_eq!(bench.link(1, false), [] as [&str; 0]);
    assert_eq!(bench.tell(macvlan(52, false)), ["join 224.0.0.18"]);
    assert_eq!(bench.tell(macvlan(52, true)), ["(A) Entering BACKUP STATE"]);
    let said = bench.run(4_000).join("\n");
    assert!(said.contains("add 198.18.0.100"), "{said}");
}

#[test]
fn without_its_base_there_is_nothing_to_make_it_on() {
    let mut bench = master();
    let said = bench.link(0, false);
    assert!(
        said.contains(&"(A) Entering FAULT STATE".into()),
        "{said:?}"
    );
    assert!(
        said.iter()
            .any(|line| line.contains("interface eth0, below its own, is down"))
    );
    bench.tell(macvlan(51, false));
    assert_eq!(bench.gone(51), ["leave 224.0.0.18"]);
    assert_eq!(bench.link_gone(0), [] as [&str; 0]);
    let said = bench.link(0, true);
    assert_eq!(said.first().unwrap(), "make vrrp.51", "{said:?}");
}

#[test]
fn a_refusal_is_a_fault_until_something_changes() {
    let (mut bench, _) = start(with_macvlan());
    bench
        .vrrp
        .handle_device_refused(bench.now, &name("vrrp.51"));
    let said = bench.drain();
    assert_eq!(said.last().unwrap(), "(A) Entering FAULT STATE", "{said:?}");
    assert_eq!(bench.link(1, false), [] as [&str; 0]);
    let said = bench.link(0, false);
    assert!(!said.contains(&"make vrrp.51".into()), "{said:?}");
    assert_eq!(bench.link(0, true)[0], "make vrrp.51");
}

#[test]
fn over_ipv6_it_has_the_link_local_address_of_what_is_below() {
    let (mut bench, said) = start(with_macvlan_v6());
    assert_eq!(said, ["make vrrp.51"]);
    assert_eq!(bench.tell(macvlan(51, false))[0], "add fe80::5");
    bench.tell(macvlan(51, true));
    // Somebody takes it away.
    let lost = types::Prefix::new(ip("fe80::5"), 64).unwrap();
    bench.vrrp.handle_address_gone(bench.now, number(51), lost);
    assert_eq!(bench.drain(), ["add fe80::5"]);
    // What is below gets another one.
    bench.address(0, "fe80::6", 64, true);
    assert_eq!(
        bench.address(0, "fe80::5", 64, false),
        ["remove fe80::5", "add fe80::6"]
    );
    assert_eq!(bench.view(0).source, Some(ip("fe80::6")));
    // Adverts that use the interface below need none.
    let mut on_base = with_macvlan_v6();
    change(&mut on_base, |device| device.transmit_on_base = true);
    let (mut bench, _) = start(on_base);
    let said = bench.tell(macvlan(51, true));
    assert!(!said.contains(&"add fe80::5".into()), "{said:?}");
}

#[test]
fn an_ipvlan_has_its_own_address_which_is_the_source() {
    let mut settings = with_macvlan();
    settings.mcast_src_ip = Some(ip("198.18.0.77"));
    change(&mut settings, |device| {
        device.kind = VirtualInterfaceKind::Ipvlan {
            address: Some(types::Prefix::new(ip("198.18.0.77"), 24).unwrap()),
            mode: crate::settings::IpvlanMode::Bridge,
        };
    });
    let (mut bench, said) = start(settings);
    assert_eq!(said, ["make vrrp.51"]);
    let ipvlan = Interface {
        kind: InterfaceKind::Ipvlan {
            layer2: true,
            mode: crate::settings::IpvlanMode::Bridge,
        },
        ..macvlan(51, true)
    };
    let said = bench.tell(ipvlan.clone());
    assert_eq!(said[0], "add 198.18.0.77", "{said:?}");
    assert_eq!(bench.view(0).source, Some(ip("198.18.0.77")));
    // One of another mode is not ours.
    let (mut bench, _) = start(bench.view(0).settings.clone());
    let other = Interface {
        kind: InterfaceKind::Ipvlan {
            layer2: true,
            mode: crate::settings::IpvlanMode::Vepa,
        },
        ..ipvlan
    };
    let said = bench.tell(other);
    assert!(
        said.contains(&"(A) Entering FAULT STATE".into()),
        "{said:?}"
    );
}

#[test]
fn who_hears_what() {
    let group = Family::V4.vrrp_group();
    let heard_on = |bench: &mut Bench, interface: u32, destination| {
        let bytes = bench.advert_bytes(0, "198.18.0.9", 200, |_| ());
        let before = bench.view(0).statistics.advert_rcvd;
        let unknown = bench.vrrp.unknown_vrid();
        let packet = Packet {
            interface: number(interface),
            source: ip("198.18.0.9"),
            destination,
            hop_limit: 255,
            carrier: Carrier::Vrrp,
            promised: bytes.len(),
            payload: &bytes,
        };
        bench.vrrp.handle_packet(bench.now, &packet);
        let _ = bench.drain();
        assert_eq!(bench.vrrp.unknown_vrid(), unknown, "it is known here");
        bench.view(0).statistics.advert_rcvd - before
    };
    // On the macvlan, be it above or below that adverts leave.
    for on_base in [false, true] {
        let mut settings = with_macvlan();
        change(&mut settings, |device| device.transmit_on_base = on_base);
        let (mut bench, _) = start(settings);
        let said = bench.tell(macvlan(51, true));
        let joins = said.iter().filter(|line| line.starts_with("join")).count();
        assert_eq!(joins, 1);
        assert_eq!(heard_on(&mut bench, 51, group), 1);
        assert_eq!(heard_on(&mut bench, 2, group), 0, "a second copy");
    }
    // What is for one address comes in wherever the address is.
    let mut settings = with_macvlan();
    settings.unicast = Some(Box::new(to_one_peer()));
    change(&mut settings, |device| device.transmit_on_base = true);
    let (mut bench, _) = start(settings);
    bench.tell(macvlan(51, true));
    assert_eq!(heard_on(&mut bench, 51, ip("198.18.0.5")), 1);
    assert_eq!(heard_on(&mut bench, 2, ip("198.18.0.5")), 1);
}

#[test]
fn a_reload_touches_only_what_changes() {
    let with = |instances: Vec<InstanceSettings>, of_addresses: &[&str]| Settings {
        instances,
        address_devices: of_addresses
            .iter()
            .map(|text| AddressDevice {
                name: name(text),
                base: eth(1),
                family: Family::V4,
                address: InstanceSettings::virtual_mac(Family::V4, Vrid::new(51).unwrap()),
            })
            .collect(),
        ..Settings::default()
    };
    let mut bench = master();
    assert_eq!(
        bench.settings(with(vec![with_macvlan()], &[])),
        [] as [&str; 0]
    );
    let mut grouped = with_macvlan();
    change(&mut grouped, |device| device.group = Some(7));
    let said = bench.settings(with(vec![grouped], &["vrrp1.51"]));
    assert_eq!(said[..2], ["set up vrrp.51", "make vrrp1.51"], "{said:?}");
    assert_eq!(bench.state(0), StateName::Master);
    let elsewhere = Interface {
        index: number(60),
        name: name("vrrp1.51"),
        base: Some(number(3)),
        ..macvlan(60, true)
    };
    bench.tell(elsewhere);
    let said = bench.settings(with(vec![with_macvlan()], &[]));
    assert_eq!(said[0], "set up vrrp.51");
    assert_eq!(said.last().unwrap(), "delete vrrp1.51");
    // On another interface it is another device.
    let mut moved = with_macvlan();
    moved.interface = Some(eth(1));
    let said = bench.settings(with(vec![moved], &[]));
    let place = |what: &str| said.iter().position(|line| line == what);
    assert!(place("advert 0").is_some(), "{said:?}");
    assert!(place("advert 0") < place("delete vrrp.51"), "{said:?}");
    assert!(place("delete vrrp.51") < place("make vrrp.51"), "{said:?}");
}

#[test]
fn an_address_of_a_master_that_waits_for_its_device_is_announced_when_it_comes() {
    let mut bench = master();
    let mut settings = with_macvlan();
    settings.virtual_ipaddress_excluded =
        vec![virtual_address("198.18.1.9", name("vrrp1.51"))].into();
    let said = bench.settings(Settings {
        instances: vec![settings],
        address_devices: vec![AddressDevice {
            name: name("vrrp1.51"),
            base: eth(1),
            family: Family::V4,
            address: MacAddress([0, 0, 0x5e, 0, 1, 51]),
        }],
        ..Settings::default()
    });
    assert!(said.contains(&"make vrrp1.51".into()));
    let elsewhere = Interface {
        name: name("vrrp1.51"),
        base: Some(number(3)),
        ..macvlan(60, true)
    };
    let said = bench.tell(elsewhere);
    assert!(said.contains(&"add 198.18.1.9".into()), "{said:?}");
    assert!(said.contains(&"garp 198.18.1.9".into()), "{said:?}");
    assert_eq!(bench.state(0), StateName::Master);
}

#[test]
fn a_stop_removes_it_and_one_that_keeps_everything_does_not() {
    for (release, expected) in [(Release::Everything, true), (Release::Nothing, false)] {
        let mut bench = master();
        bench.vrrp.handle_stop(bench.now, release);
        let said = bench.drain();
        assert_eq!(
            said.contains(&"delete vrrp.51".into()),
            expected,
            "{said:?}"
        );
    }
}

#[test]
fn a_device_follows_its_base_into_a_vrf() {
    let mut bench = master();
    let vrf = Interface {
        index: number(80),
        name: name("red"),
        usable: true,
        mac: None,
        kind: InterfaceKind::Vrf,
        base: None,
        master: None,
    };
    bench.tell(vrf);
    let in_vrf = Interface {
        master: Some(number(80)),
        ..Bench::interface(0, true)
    };
    assert_eq!(bench.tell(in_vrf), ["set up vrrp.51"]);
    let bridged = Interface {
        master: Some(number(4)),
        ..Bench::interface(0, true)
    };
    assert_eq!(bench.tell(bridged), ["set up vrrp.51"], "no VRF any more");
}

#[test]
fn what_is_below_a_configured_macvlan_counts_too() {
    let mut settings = instance("A");
    settings.interface = Some(name("vrrp.51"));
    let mut bench = Bench::idle();
    bench.tell(macvlan(51, true));
    let own = types::Prefix::new(ip("198.18.7.5"), 24).unwrap();
    let address = InterfaceAddress {
        interface: number(51),
        prefix: own,
        tentative: false,
    };
    bench.vrrp.handle_address(bench.now, address);
    bench.settings(Settings {
        instances: vec![settings],
        ..Settings::default()
    });
    assert_eq!(bench.state(0), StateName::Backup);
    bench.link(0, false);
    assert_eq!(bench.state(0), StateName::Fault);
    bench.link(0, true);
    assert_eq!(bench.state(0), StateName::Backup);
}

#[test]
fn an_instance_of_a_vrf_hears_and_speaks_there() {
    let mut settings = instance("A");
    settings.interface = None;
    settings.vrf = Some(name("red"));
    settings.mcast_src_ip = Some(ip("198.18.0.5"));
    settings.unicast = Some(Box::new(to_one_peer()));
    let mut bench = Bench::idle();
    let said = bench.settings(Settings {
        instances: vec![settings],
        ..Settings::default()
    });
    assert!(
        said.contains(&"(A) Entering FAULT STATE".into()),
        "{said:?}"
    );
    bench.tell(Interface {
        index: number(80),
        name: name("red"),
        usable: true,
        mac: None,
        kind: InterfaceKind::Vrf,
        base: None,
        master: None,
    });
    assert_eq!(bench.state(0), StateName::Backup);
    bench.tell(Interface {
        master: Some(number(80)),
        ..Bench::interface(1, true)
    });
    let mut heard = |interface: u32| {
        let bytes = bench.advert_bytes(0, "198.18.0.9", 200, |_| ());
        let packet = Packet {
            interface: number(interface),
            source: ip("198.18.0.9"),
            destination: ip("198.18.0.5"),
            hop_limit: 255,
            carrier: Carrier::Vrrp,
            promised: bytes.len(),
            payload: &bytes,
        };
        bench.vrrp.handle_packet(bench.now, &packet);
        bench.view(0).statistics.advert_rcvd
    };
    assert_eq!(heard(2), 0, "eth0 is outside");
    assert_eq!(heard(3), 1);
    assert_eq!(heard(80), 2);
}

/// A reload that gives a macvlan another name: the kernel switches no second one of its MAC address on.
#[test]
fn another_name_is_another_device_and_the_old_one_goes_first() {
    let mut bench = master();
    let mut renamed = with_macvlan();
    change(&mut renamed, |device| device.name = name("other"));
    renamed.virtual_ipaddress = vec![virtual_address("198.18.0.100", name("other"))].into();
    let said = bench.settings(Settings {
        instances: vec![renamed],
        ..Settings::default()
    });
    let place = |what: &str| said.iter().position(|line| line.starts_with(what));
    let (delete, make) = (place("delete vrrp.51"), place("make other"));
    assert!(delete.is_some() && delete < make, "{said:?}");
}

/// A macvlan loses its link with the interface below; both are given the time that the one below has.
#[test]
fn a_device_has_the_delays_of_its_base() {
    let (mut bench, _) = Bench::with(Settings {
        instances: vec![with_macvlan()],
        debounce: vec![crate::settings::Debounce {
            interface: eth(0),
            down: core::time::Duration::from_secs(1),
            up: core::time::Duration::from_secs(1),
        }],
        ..Settings::default()
    });
    bench.tell(macvlan(51, true));
    bench.run(8_000);
    assert_eq!(bench.state(0), StateName::Master);
    bench.link(0, false);
    bench.tell(macvlan(51, false));
    bench.run(500);
    bench.link(0, true);
    bench.tell(macvlan(51, true));
    assert_eq!(bench.state(0), StateName::Master, "a blip");
    bench.link(0, false);
    bench.tell(macvlan(51, false));
    bench.run(1_100);
    assert_eq!(bench.state(0), StateName::Fault, "no blip");
}
