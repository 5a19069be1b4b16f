use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use types::Priority;

use crate::StateName;
use crate::settings::InstanceSettings;
use crate::testbench::{Bench, eth, instance, virtual_address};

const NOTHING: [&str; 0] = [];

fn with(change: impl FnOnce(&mut InstanceSettings)) -> InstanceSettings {
    let mut settings = instance("VI");
    change(&mut settings);
    settings
}

fn two_addresses() -> Bench {
    Bench::master(with(|s| {
        s.virtual_ipaddress
            .push(virtual_address("198.18.0.101", eth(0)));
        s.garp.master_repeat = 2;
    }))
}

#[test]
fn a_lost_address_is_put_back_and_announced_alone() {
    let mut bench = two_addresses();
    assert_eq!(
        bench.address(0, "198.18.0.101", 32, false),
        [
            "log (VI) somebody removed 198.18.0.101/32 from eth0: it is put back",
            "add 198.18.0.101",
            "garp 198.18.0.101",
            "garp 198.18.0.101",
        ]
    );
    assert_eq!(bench.state(0), StateName::Master);
    assert_eq!(
        bench.run(1_500).len(),
        1,
        "adverts go on, and nothing else happens"
    );
    // What is not ours, or not there any more, is nobody's loss.
    assert_eq!(bench.address(0, "198.18.0.101", 24, false), NOTHING);
    assert_eq!(bench.address(1, "198.18.0.101", 32, false), NOTHING);
}

#[test]
fn an_untracked_address_is_left_to_whoever_took_it() {
    let mut bench = Bench::master(with(|s| {
        alloc::sync::Arc::make_mut(&mut s.virtual_ipaddress[0]).no_track = true;
    }));
    assert_eq!(bench.address(0, "198.18.0.100", 32, false), NOTHING);
    assert_eq!(bench.state(0), StateName::Master);
}

#[test]
fn a_backup_has_nothing_to_lose() {
    let mut bench = Bench::one(instance("VI"));
    assert_eq!(bench.address(0, "198.18.0.100", 32, false), NOTHING);
}

/// An address on an interface that is down comes back with the interface, and is announced.
#[test]
fn an_interface_that_is_down_is_not_fought_for() {
    let mut bench = Bench::master(with(|s| s.dont_track_primary = true));
    assert_eq!(bench.link(0, false), NOTHING);
    assert_eq!(bench.address(0, "198.18.0.100", 32, false), NOTHING);
    assert_eq!(
        bench.link(0, true),
        ["add 198.18.0.100", "garp 198.18.0.100"]
    );
}

/// What is held on an interface that gets another name goes: it is not there that it is wanted.
#[test]
fn a_renamed_interface_keeps_nothing() {
    let renamed = |name: u32| crate::Interface {
        name: eth(name),
        ..Bench::interface(0, true)
    };
    for by_snapshot in [false, true] {
        let mut bench = two_addresses();
        if by_snapshot {
            let held = ["198.18.0.100", "198.18.0.101"].map(|text| crate::InterfaceAddress {
                interface: renamed(0).index,
                prefix: types::Prefix::host(text.parse().unwrap()),
                tentative: false,
            });
            let addresses = Bench::addresses(0).into_iter().chain(held).collect();
            bench
                .vrrp
                .handle_snapshot(bench.now, vec![renamed(9)], addresses);
        } else {
            bench.vrrp.handle_interface(bench.now, renamed(9));
        }
        let said = bench.drain();
        assert_eq!(
            said[..4],
            [
                "remove 198.18.0.100",
                "remove 198.18.0.101",
                "log (VI) interface eth0 is down or missing",
                "(VI) Entering FAULT STATE",
            ],
            "{by_snapshot}"
        );
        bench.vrrp.handle_interface(bench.now, renamed(0));
        bench.drain();
        let seen = bench.run(3_500);
        assert!(
            seen.iter().any(|what| what.ends_with("add 198.18.0.101")),
            "{seen:?}"
        );
    }
}

fn lose(bench: &mut Bench) -> bool {
    let said = bench.address(0, "198.18.0.100", 32, false);
    let put_back = said.contains(&String::from("add 198.18.0.100"));
    assert_eq!(put_back, !said.contains(&String::from("advert 0")));
    assert_eq!(put_back, bench.state(0) == StateName::Master);
    put_back
}

/// Somebody removes the address as often as it is there: five times are endured, then the instance rests for a second
/// between two attempts, however short its skew time.
#[test]
fn a_fight_is_given_up() {
    for priority in [100, 150, 254] {
        let mut bench = Bench::master(with(|s| {
            s.priority = Priority::new(priority).unwrap();
            s.advert_int = types::Centiseconds::new(1);
            s.virtual_ipaddress
                .push(virtual_address("198.18.0.101", eth(0)));
        }));
        for _ in 0..5 {
            bench.run(1);
            assert!(lose(&mut bench));
        }
        let said = bench.address(0, "198.18.0.100", 32, false);
        assert_eq!(
            said,
            [
                "log (VI) somebody keeps removing 198.18.0.100/32 from eth0: leaving MASTER for a while; see \
                 docs/network-managers.md",
                "advert 0",
                "log (VI) sent 0 priority",
                "remove 198.18.0.101",
                "(VI) Entering BACKUP STATE",
            ]
        );
        for _ in 0..20 {
            assert_eq!(bench.run(999), NOTHING);
            bench.run(1);
            assert_eq!(bench.state(0), StateName::Master);
            assert!(!lose(&mut bench));
        }
        // Ten quiet seconds, and its patience is back.
        bench.run(12_000);
        for _ in 0..5 {
            assert!(lose(&mut bench));
        }
        assert!(!lose(&mut bench));
    }
}

#[test]
fn losses_far_apart_are_no_fight() {
    let mut bench = Bench::master(instance("VI"));
    for _ in 0..50 {
        bench.run(10_001);
        assert!(lose(&mut bench));
    }
}

/// All addresses at once are one event: each comes back, few are named.
#[test]
fn a_flush_is_put_back_in_few_words() {
    let address = |number: usize| format!("198.18.{}.{}", 100 + number / 200, number % 200 + 1);
    let mut bench = Bench::master(with(|s| {
        s.virtual_ipaddress = (0..1000)
            .map(|number| virtual_address(&address(number), eth(0)))
            .collect();
    }));
    for _ in 0..5 {
        let mut said = Vec::new();
        for number in 0..1000 {
            said.extend(bench.address(0, &address(number), 32, false));
        }
        let count = |what: &str| said.iter().filter(|line| line.starts_with(what)).count();
        assert_eq!((count("add"), count("garp")), (1000, 1000));
        assert!(count("log") <= 17, "{}", count("log"));
        bench.run(100);
    }
    assert_eq!(bench.state(0), StateName::Master);
}

/// Duplicate address detection of a virtual address: it is announced when the kernel has found it to be ours.
#[test]
fn an_address_under_test_is_not_announced() {
    let mut address = virtual_address("fd00:18::100", eth(0));
    address.dad = true;
    let settings = with(|s| {
        s.family = types::Family::V6;
        s.mcast_dst_ip = types::Family::V6.vrrp_group();
        s.virtual_ipaddress = vec![address, virtual_address("fd00:18::101", eth(0))].into();
        s.garp.master_delay = 1;
    });
    let mut bench = Bench::one(settings.clone());
    let announced = |said: &[String], address: &str| {
        let end = format!("garp {address}");
        said.iter().filter(|what| what.ends_with(&end)).count()
    };
    let said = bench.run(3_500);
    assert_eq!(announced(&said, "fd00:18::100"), 0);
    assert_eq!(announced(&said, "fd00:18::101"), 1);
    // The echo of the request says nothing new.
    let prefix = types::Prefix::host("fd00:18::100".parse().unwrap());
    let mut heard = crate::InterfaceAddress {
        interface: Bench::addresses(0)[0].interface,
        prefix,
        tentative: true,
    };
    bench.vrrp.handle_address(bench.now, heard);
    assert_eq!(bench.drain(), NOTHING);
    heard.tentative = false;
    bench.vrrp.handle_address(bench.now, heard);
    assert_eq!(bench.drain(), ["garp fd00:18::100"]);
    let said = bench.run(1_000);
    assert_eq!(
        announced(&said, "fd00:18::100"),
        1,
        "as any other: {said:?}"
    );
    // Another mastership, another test; this time somebody else has it.
    bench.link(0, false);
    bench.link(0, true);
    bench.run(3_500);
    bench.vrrp.handle_duplicate_address(bench.now, heard);
    assert_eq!(
        bench.drain(),
        [
            "log (VI) another host has fd00:18::100/128, too: it is not announced on eth0; remove it there, \
             then here: it is put back and tested again"
        ]
    );
    assert_eq!(announced(&bench.run(2_000), "fd00:18::100"), 0);
}

/// Of a group, only the address that was taken comes back; when it is given up, all members leave and return together.
#[test]
fn a_group_leaves_together() {
    let other = InstanceSettings {
        interface: Some(eth(1)),
        virtual_ipaddress: vec![virtual_address("198.18.1.100", eth(1))].into(),
        ..instance("B")
    };
    let settings = crate::Settings {
        instances: vec![instance("A"), other],
        sync_groups: vec![crate::settings::SyncGroupSettings {
            name: "G".into(),
            members: vec!["A".into(), "B".into()],
            smtp_alert: false,
        }],
        ..crate::Settings::default()
    };
    let (mut bench, _) = Bench::with(settings);
    bench.run(4_000);
    for times in 1..=6 {
        bench.address(0, "198.18.0.100", 32, false);
        let expected = if times < 6 {
            StateName::Master
        } else {
            StateName::Backup
        };
        assert_eq!((bench.state(0), bench.state(1)), (expected, expected));
    }
    assert_eq!(bench.run(999), NOTHING);
    bench.run(1);
    assert_eq!(
        (bench.state(0), bench.state(1)),
        (StateName::Master, StateName::Master)
    );
}
