//! What is blocked, and when.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use types::{Priority, Vrid};

use crate::settings::{InstanceSettings, Settings};
use crate::testbench::{Bench, eth, instance, virtual_address};
use crate::{Release, StateName};

/// It holds one address for forwarding only.
fn forwards(name: &str) -> InstanceSettings {
    InstanceSettings {
        accept: false,
        ..instance(name)
    }
}

fn settings(instances: Vec<InstanceSettings>) -> Settings {
    Settings {
        instances,
        ..Settings::default()
    }
}

/// What concerns addresses, in order.
fn of_addresses(said: Vec<String>) -> Vec<String> {
    let words = ["add ", "remove ", "block ", "unblock ", "garp "];
    said.into_iter()
        .map(|what| {
            what.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ')
                .into()
        })
        .filter(|what: &String| words.iter().any(|word| what.starts_with(word)))
        .collect()
}

fn blocked(bench: &Bench) -> usize {
    bench.vrrp.blocked().count()
}

#[test]
fn blocked_before_it_is_there_and_until_it_is_gone() {
    let mut bench = Bench::one(forwards("V"));
    assert_eq!(blocked(&bench), 0, "a backup blocks nothing");
    let said = bench.run(4_000);
    assert!(said[0].ends_with("advert 150"), "{said:?}");
    assert_eq!(
        of_addresses(said),
        [
            "block 198.18.0.100",
            "add 198.18.0.100",
            "garp 198.18.0.100"
        ]
    );
    let said = bench.advert("198.18.0.9", 200);
    assert_eq!(bench.state(0), StateName::Backup);
    assert_eq!(
        of_addresses(said),
        ["remove 198.18.0.100", "unblock 198.18.0.100"]
    );
    assert_eq!(blocked(&bench), 0);
}

#[test]
fn who_accepts_or_owns_blocks_nothing() {
    for settings in [
        instance("V"),
        InstanceSettings {
            priority: Priority::OWNER,
            ..forwards("V")
        },
    ] {
        assert_eq!(blocked(&Bench::master(settings)), 0);
    }
}

#[test]
fn excluded_addresses_are_blocked_too_and_link_local_ones_on_their_interface() {
    let bench = Bench::master(InstanceSettings {
        virtual_ipaddress_excluded: vec![
            virtual_address("fe80::100", eth(0)),
            virtual_address("fe80::100", eth(1)),
            virtual_address("fd00::100", eth(1)),
        ]
        .into(),
        ..forwards("V")
    });
    let said: Vec<String> = bench
        .vrrp
        .blocked()
        .map(|blocked| crate::testbench::words(&crate::Action::Block(blocked.clone())))
        .collect();
    assert_eq!(
        said,
        [
            "block 198.18.0.100",
            "block fd00::100",
            "block fe80::100 on eth0",
            "block fe80::100 on eth1"
        ]
    );
}

#[test]
fn a_fault_and_a_stop_end_it() {
    let mut bench = Bench::master(forwards("V"));
    let said = bench.link(0, false);
    assert_eq!(
        of_addresses(said),
        ["remove 198.18.0.100", "unblock 198.18.0.100"]
    );
    let mut bench = Bench::master(forwards("V"));
    bench.vrrp.handle_stop(bench.now, Release::Everything);
    assert_eq!(
        of_addresses(bench.drain()),
        ["remove 198.18.0.100", "unblock 198.18.0.100"]
    );
    // Addresses that stay, stay as they are.
    let mut bench = Bench::master(forwards("V"));
    bench.vrrp.handle_stop(bench.now, Release::Nothing);
    assert_eq!(of_addresses(bench.drain()), Vec::<String>::new());
}

#[test]
fn a_reload_touches_only_what_changes() {
    let mut bench = Bench::master(forwards("V"));
    let priority = InstanceSettings {
        priority: Priority::new(151).unwrap(),
        ..forwards("V")
    };
    let said = bench.settings(settings(vec![priority.clone()]));
    assert_eq!(of_addresses(said), Vec::<String>::new());

    let two = InstanceSettings {
        virtual_ipaddress: vec![
            virtual_address("198.18.0.101", eth(0)),
            virtual_address("198.18.0.100", eth(0)),
        ]
        .into(),
        ..priority.clone()
    };
    let said = of_addresses(bench.settings(settings(vec![two])));
    assert_eq!(said[..2], ["block 198.18.0.101", "add 198.18.0.101"]);
    assert!(
        said[2..].iter().all(|what| what.starts_with("garp")),
        "{said:?}"
    );

    let said = bench.settings(settings(vec![priority.clone()]));
    assert_eq!(
        of_addresses(said),
        ["remove 198.18.0.101", "unblock 198.18.0.101"]
    );

    let accepting = InstanceSettings {
        accept: true,
        ..priority.clone()
    };
    let said = bench.settings(settings(vec![accepting]));
    assert_eq!(of_addresses(said), ["unblock 198.18.0.100"]);
    let said = bench.settings(settings(vec![priority]));
    assert_eq!(of_addresses(said), ["block 198.18.0.100"]);
    let said = bench.settings(settings(Vec::new()));
    assert_eq!(
        of_addresses(said),
        ["remove 198.18.0.100", "unblock 198.18.0.100"]
    );
    assert_eq!(blocked(&bench), 0);
}

#[test]
fn an_address_that_moves_to_another_master_stays_blocked() {
    let other = |name, addresses: &[&str]| InstanceSettings {
        vrid: Vrid::new(52).unwrap(),
        virtual_ipaddress: addresses
            .iter()
            .map(|text| virtual_address(text, eth(0)))
            .collect(),
        ..forwards(name)
    };
    let (mut bench, _) = Bench::with(settings(vec![forwards("A"), other("B", &["198.18.0.101"])]));
    bench.run(4_000);
    assert_eq!(blocked(&bench), 2);
    let said = bench.settings(settings(vec![other(
        "B",
        &["198.18.0.101", "198.18.0.100"],
    )]));
    let said: Vec<String> = of_addresses(said)
        .into_iter()
        .filter(|what| !what.starts_with("garp"))
        .collect();
    assert_eq!(said, Vec::<String>::new());
    assert_eq!(blocked(&bench), 2);
}

#[test]
fn two_instances_with_one_address_block_it_once() {
    let second = InstanceSettings {
        vrid: Vrid::new(52).unwrap(),
        ..forwards("B")
    };
    let (mut bench, _) = Bench::with(settings(vec![forwards("A"), second]));
    let said = of_addresses(bench.run(4_000));
    let blocks = said.iter().filter(|what| what.starts_with("block"));
    assert_eq!(blocks.count(), 1, "{said:?}");
    let said = bench.advert_for(0, "198.18.0.9", 200, |_| ());
    assert_eq!(of_addresses(said), Vec::<String>::new());
    let said = bench.advert_for(1, "198.18.0.9", 200, |_| ());
    assert_eq!(
        of_addresses(said),
        ["remove 198.18.0.100", "unblock 198.18.0.100"]
    );
}
