//! `ha_suspend`: nothing is checked while the address is not here, and nothing else changes.

use super::*;
use crate::settings::{Group, GroupEntry, GroupId};

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

fn suspended(weights: &[u32]) -> VirtualServer {
    let mut service = virtual_server(weights);
    service.ha_suspend = true;
    service
}

impl Bench {
    /// An interface gets the address, or loses it.
    fn address(&mut self, address: IpAddr, there: bool) {
        self.lvs.handle_address(self.now, address, there);
        self.drain();
    }
}

#[test]
fn nothing_is_checked_where_the_address_is_not() {
    let mut bench = Bench::begin(one(suspended(&[1, 2])));
    assert_eq!(bench.lines("Deactivating healthchecker").len(), 2);
    assert_eq!(
        (bench.table().as_str(), bench.news().as_str()),
        (".1:1 .2:2", "quorum_up")
    );
    bench.wait(1000);
    assert!(bench.open.is_empty(), "nobody looks");
    // It comes, on two interfaces.
    bench.address(ADDRESS, true);
    assert_eq!(bench.lines("Activating healthchecker").len(), 2);
    bench.address(ADDRESS, true);
    bench.wait(0);
    assert_eq!(bench.open.len(), 2, "somebody looks at once");
    bench.answer(&[1]);
    assert_eq!(
        (bench.table().as_str(), bench.news().as_str()),
        (".2:2", "down .1")
    );
    // It goes from one of them.
    bench.address(ADDRESS, false);
    assert_eq!(bench.lines("Suspending"), [""; 0]);
    bench.wait(10);
    assert_eq!(bench.open.len(), 2);
    // It goes: attempts that are under way end, and what is known stays.
    bench.address(ADDRESS, false);
    assert_eq!(bench.lines("Suspending healthchecker").len(), 2);
    assert!(bench.open.is_empty());
    bench.wait(1000);
    assert!(bench.open.is_empty());
    assert_eq!(
        (bench.table().as_str(), bench.news().as_str()),
        (".2:2", "")
    );
    // An address that nobody asked for does nothing, nor does one that goes twice.
    bench.address(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)), true);
    bench.address(ADDRESS, false);
    bench.wait(100);
    assert!(bench.open.is_empty());
    bench.address(ADDRESS, true);
    bench.round(&[]);
    assert_eq!(
        (bench.table().as_str(), bench.news().as_str()),
        (".1:1 .2:2", "up .1")
    );
}

#[test]
fn what_is_known_ahead_of_the_settings_counts() {
    let mut bench = Bench::new();
    bench.lvs.handle_addresses(bench.now, [ADDRESS]);
    bench.settings(one(suspended(&[1])));
    assert_eq!(bench.lines("Activating healthchecker").len(), 1);
    bench.wait(20);
    assert_eq!(bench.open.len(), 1);
    // All addresses again, this one is not among them.
    bench.lvs.handle_addresses(bench.now, []);
    bench.drain();
    assert!(bench.open.is_empty());
    assert_eq!(bench.lines("Suspending healthchecker").len(), 1);
}

#[test]
fn reloads_while_nothing_is_checked() {
    let mut bench = Bench::begin(one(suspended(&[1])));
    bench.lines("");
    // One more server is not checked either.
    bench.settings(one(suspended(&[1, 1])));
    assert_eq!(bench.lines("healthchecker").len(), 1);
    bench.wait(100);
    assert!(bench.open.is_empty());
    // Without the keyword all are.
    bench.settings(one(virtual_server(&[1, 1])));
    assert_eq!(bench.lines("Activating healthchecker").len(), 2);
    bench.wait(0);
    assert_eq!(bench.open.len(), 2);
    // With it none.
    bench.settings(one(suspended(&[1, 1])));
    assert_eq!(bench.lines("Suspending healthchecker").len(), 2);
    assert!(bench.open.is_empty());
    bench.wait(100);
    assert!(bench.open.is_empty());
    assert_eq!(bench.table(), ".1:1 .2:1");
}

#[test]
fn of_a_group_any_address_will_do() {
    let mut service = suspended(&[1]);
    service.service = Service::Group {
        group: GroupId(0),
        ordinal: 0,
        protocol: Some(Protocol::Tcp),
        family: Some(types::Family::V4),
    };
    let [first, third, last] = [1, 3, 4].map(|last| IpAddr::V4(Ipv4Addr::new(10, 0, 9, last)));
    let settings = Settings {
        groups: vec![Group {
            name: "G".into(),
            entries: vec![GroupEntry::Addresses {
                first,
                last,
                port: 80,
            }],
        }],
        ..one(service)
    };
    let mut bench = Bench::begin(settings);
    bench.wait(100);
    assert!(bench.open.is_empty());
    bench.address(third, true);
    bench.wait(0);
    assert_eq!(bench.open.len(), 1);
}

/// A take-over of many addresses, which come one by one: each is a look at the checks that it is about, not at all.
#[test]
fn an_address_costs_its_own_checks() {
    let address = |number: u32| IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + number));
    let services: Vec<VirtualServer> = (0..300)
        .map(|number| {
            let mut service = suspended(&[1, 1]);
            service.service = Service::Address {
                address: address(number),
                port: 80,
                protocol: Protocol::Tcp,
            };
            service
        })
        .collect();
    let mut bench = Bench::begin(Settings {
        virtual_servers: services,
        ..Settings::default()
    });
    for there in [true, false] {
        bench.lines("");
        bench.lvs.checks.looks.set(0);
        for number in 0..300 {
            bench.lvs.handle_address(bench.now, address(number), there);
        }
        let looks = bench.lvs.checks.looks.get();
        assert!(looks <= 600 * 3, "{looks} looks at 600 checks");
        bench.drain();
        assert_eq!(bench.lines("healthchecker").len(), 600);
    }
}
