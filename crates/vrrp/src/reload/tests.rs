//! What a reload does, and above all what it does not.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;
use types::{Centiseconds, Priority, Vrid};

use crate::settings::{InstanceSettings, Settings, VirtualAddress};
use crate::testbench::{Bench, eth, instance, virtual_address};
use crate::{Release, StateName};

fn settings(instances: Vec<InstanceSettings>) -> Settings {
    Settings {
        instances,
        ..Settings::default()
    }
}

fn named(name: &str, vrid: u8, addresses: &[&str]) -> InstanceSettings {
    InstanceSettings {
        vrid: Vrid::new(vrid).unwrap(),
        virtual_ipaddress: addresses
            .iter()
            .map(|text| virtual_address(text, eth(0)))
            .collect(),
        ..instance(name)
    }
}

/// Two masters.
fn bench(a: &[&str], b: &[&str]) -> Bench {
    let (mut bench, _) = Bench::with(settings(vec![named("A", 1, a), named("B", 2, b)]));
    bench.run(3_500);
    assert_eq!(
        (bench.state(0), bench.state(1)),
        (StateName::Master, StateName::Master)
    );
    bench
}

#[test]
fn the_same_settings_again_change_nothing() {
    let mut bench = bench(&["198.18.0.100"], &["198.18.0.101"]);
    let deadline = bench.vrrp.next_deadline();
    let said = bench.settings(settings(vec![
        named("A", 1, &["198.18.0.100"]),
        named("B", 2, &["198.18.0.101"]),
    ]));
    assert_eq!(said, Vec::<String>::new());
    assert_eq!(bench.vrrp.next_deadline(), deadline);
}

/// keepalived: the name is not part of what makes an instance the same.
#[test]
fn another_name_is_nobodys_business() {
    let mut bench = bench(&["198.18.0.100"], &["198.18.0.101"]);
    let deadline = bench.vrrp.next_deadline();
    let said = bench.settings(settings(vec![
        named("X", 1, &["198.18.0.100"]),
        named("A", 2, &["198.18.0.101"]),
    ]));
    assert_eq!(said, Vec::<String>::new());
    assert_eq!(bench.vrrp.next_deadline(), deadline);
    let said = bench.advert_for(1, "198.18.0.9", 200, |_| ());
    assert!(
        said.contains(&String::from("(A) Entering BACKUP STATE")),
        "{said:?}"
    );
    // With its name it may change something else, too.
    let said = bench.settings(settings(vec![named("Y", 1, &["198.18.0.102"])]));
    assert_eq!(
        said,
        [
            "(A) Removed by reload",
            "add 198.18.0.102",
            "garp 198.18.0.102",
            "advert 150",
            "remove 198.18.0.100"
        ]
    );
}

#[test]
fn an_address_that_moves_is_not_touched() {
    let mut bench = bench(&["198.18.0.100", "198.18.0.102"], &["198.18.0.101"]);
    let said = bench.settings(settings(vec![
        named("A", 1, &["198.18.0.100"]),
        named("B", 2, &["198.18.0.101", "198.18.0.102", "198.18.0.103"]),
    ]));
    let touched: Vec<&String> = said
        .iter()
        .filter(|what| what.starts_with("add") || what.starts_with("remove"))
        .collect();
    assert_eq!(touched, ["add 198.18.0.103"]);
    assert_eq!(
        said.iter()
            .filter(|what| what.starts_with("advert"))
            .count(),
        2,
        "one each: {said:?}"
    );
    assert_eq!(
        said.iter().filter(|what| what.starts_with("garp")).count(),
        3,
        "B has new addresses: {said:?}"
    );
}

#[test]
fn a_deleted_master_says_goodbye_and_its_neighbour_goes_on() {
    let mut bench = bench(&["198.18.0.100"], &["198.18.0.101"]);
    let said = bench.settings(settings(vec![named("B", 2, &["198.18.0.101"])]));
    assert_eq!(
        said,
        [
            "advert 0",
            "log (A) sent 0 priority",
            "(A) Removed by reload",
            "remove 198.18.0.100"
        ]
    );
    let beats: Vec<String> = bench.run(2_000);
    assert_eq!(beats, ["4414 advert 150", "5414 advert 150"]);
}

#[test]
fn another_vrid_is_another_router() {
    let mut bench = bench(&["198.18.0.100"], &["198.18.0.101"]);
    let said = bench.settings(settings(vec![
        named("A", 9, &["198.18.0.100"]),
        named("B", 2, &["198.18.0.101"]),
    ]));
    assert!(
        said.contains(&String::from("advert 0"))
            && said.contains(&String::from("remove 198.18.0.100")),
        "{said:?}"
    );
    assert_eq!(
        (bench.state(0), bench.state(1)),
        (StateName::Backup, StateName::Master)
    );
}

#[test]
fn another_priority_is_advertised_at_once_and_shifts_a_backups_wait() {
    let mut bench = bench(&["198.18.0.100"], &["198.18.0.101"]);
    let lower = InstanceSettings {
        priority: Priority::new(90).unwrap(),
        ..named("A", 1, &["198.18.0.100"])
    };
    let said = bench.settings(settings(vec![
        lower.clone(),
        named("B", 2, &["198.18.0.101"]),
    ]));
    assert_eq!(
        said,
        [
            "log (A) Changing effective priority from 150 to 90",
            "advert 90"
        ]
    );

    let (mut backup, _) = Bench::with(settings(vec![named("A", 1, &["198.18.0.100"])]));
    backup.run(1_000);
    backup.settings(settings(vec![lower]));
    // 3 s + (256 - 90) / 256 s, counted from the beginning.
    assert_eq!(backup.run(4_000)[0], "3648 advert 90");
}

#[test]
fn an_owner_that_lowered_itself_takes_a_new_priority_at_once() {
    let owner = |priority| InstanceSettings {
        priority: Priority::new(priority).unwrap(),
        state: crate::settings::InitialState::Master,
        ..named("A", 1, &["198.18.0.100"])
    };
    let (mut bench, _) = Bench::with(settings(vec![owner(255)]));
    bench.run(1_000);
    for _ in 0..3 {
        bench.advert("198.18.0.1", 255);
        bench.run(1_000);
    }
    assert_eq!(bench.view(0).effective_priority, Priority::MAX_BACKUP);
    bench.settings(settings(vec![owner(100)]));
    assert_eq!(bench.view(0).effective_priority, Priority::DEFAULT);
}

#[test]
fn another_label_is_removed_before_it_is_added() {
    let mut bench = bench(&["198.18.0.100"], &["198.18.0.101"]);
    let mut a = named("A", 1, &["198.18.0.100"]);
    a.virtual_ipaddress = vec![VirtualAddress {
        label: Some("eth0:1".into()),
        ..virtual_address("198.18.0.100", eth(0))
    }]
    .into();
    let said = bench.settings(settings(vec![a, named("B", 2, &["198.18.0.101"])]));
    assert_eq!(said[..2], ["remove 198.18.0.100", "add 198.18.0.100"]);
    bench.vrrp.handle_stop(bench.now, Release::Everything);
    assert_eq!(
        bench
            .drain()
            .iter()
            .filter(|what| what.starts_with("remove"))
            .count(),
        2
    );
}

/// A reading of the kernel is older than what we do about it.
#[test]
fn a_snapshot_does_not_undo_what_we_do_because_of_it() {
    let mut bench = bench(&["198.18.0.100", "198.18.0.102"], &["198.18.0.101"]);
    let mut addresses = Bench::addresses(0);
    let eth0 = addresses[0].interface;
    for held in ["198.18.0.101", "198.18.0.102"] {
        let prefix = types::Prefix::host(held.parse().unwrap());
        addresses.push(crate::InterfaceAddress {
            interface: eth0,
            prefix,
            tentative: false,
        });
    }
    let interfaces = (0..3)
        .map(|number| Bench::interface(number, true))
        .collect();
    bench.vrrp.handle_snapshot(bench.now, interfaces, addresses);
    let said = bench.drain();
    assert_eq!(
        said,
        [
            "log (A) somebody removed 198.18.0.100/32 from eth0: it is put back",
            "add 198.18.0.100",
            "garp 198.18.0.100",
        ]
    );
    let lost = bench.address(0, "198.18.0.100", 32, false);
    assert_eq!(lost, said, "it counts as there from then on");
}

/// What a reload is about to take away is no source for those who stay.
#[test]
fn an_outgoing_address_is_no_source() {
    let a = InstanceSettings {
        mcast_src_ip: Some("198.18.0.7".parse().unwrap()),
        ..named("A", 1, &["198.18.0.100"])
    };
    let b = named("B", 2, &["198.18.0.101"]);
    let (mut bench, _) = Bench::with(settings(vec![a, b.clone()]));
    bench.run(3_500);
    bench.address(0, "198.18.0.5", 24, false);
    assert_eq!(
        (bench.state(0), bench.state(1)),
        (StateName::Master, StateName::Fault)
    );
    bench.settings(settings(vec![b]));
    assert_eq!(bench.view(0).source, None, "not the address that A held");
}

/// An edit of a configuration with up to four instances.
fn any_instances() -> impl Strategy<Value = Vec<InstanceSettings>> {
    let one = (
        0..4_usize,
        1..=3_u8,
        prop::collection::btree_set(100..110_u8, 0..5),
        1..=3_u16,
        1..=2_u8,
    );
    prop::collection::vec(one, 0..5).prop_map(|rows| {
        let mut instances: Vec<InstanceSettings> = Vec::new();
        for (name, vrid, addresses, seconds, priority) in rows {
            let name = ["A", "B", "C", "D"][name];
            if instances
                .iter()
                .any(|i| i.name == name || i.vrid.get() == vrid)
            {
                continue;
            }
            let texts: Vec<String> = addresses
                .iter()
                .map(|last| alloc::format!("198.18.0.{last}"))
                .collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            instances.push(InstanceSettings {
                advert_int: Centiseconds::new(seconds * 100),
                priority: Priority::new(priority * 100).unwrap(),
                ..named(name, vrid, &texts)
            });
        }
        instances
    })
}

proptest! {
    /// Whatever the edits: an address in the kernel is added once and removed once, what all masters hold is what the
    /// kernel has, and an address held before and after is not touched in between.
    #[test]
    fn the_kernel_has_what_the_masters_hold(edits in prop::collection::vec((any_instances(), 0..6_000_u64), 1..8)) {
        let mut bench = Bench::idle();
        let mut kernel = alloc::collections::BTreeSet::<String>::new();
        let apply = |kernel: &mut alloc::collections::BTreeSet<String>, said: &[String]| {
            for what in said {
                let what = what.split_once(' ').map_or(what.as_str(), |(first, rest)| {
                    if first.bytes().all(|b| b.is_ascii_digit()) { rest } else { what.as_str() }
                });
                if let Some(address) = what.strip_prefix("add ") {
                    assert!(kernel.insert(String::from(address)), "{address} added twice");
                }
                if let Some(address) = what.strip_prefix("remove ") {
                    assert!(kernel.remove(address), "{address} removed twice");
                }
            }
        };
        let held = |bench: &Bench| -> alloc::collections::BTreeSet<String> {
            bench.vrrp.instances()
                .filter(|instance| instance.state == StateName::Master)
                .flat_map(|instance| instance.settings.addresses().map(|a| alloc::format!("{}", a.prefix.address())))
                .collect()
        };
        for (instances, millis) in edits {
            let before = held(&bench);
            let said = bench.settings(settings(instances));
            let after = held(&bench);
            for kept in before.intersection(&after) {
                let touch = |verb: &str| said.contains(&alloc::format!("{verb} {kept}"));
                prop_assert!(!touch("add") && !touch("remove"), "{} touched: {:?}", kept, said);
            }
            apply(&mut kernel, &said);
            prop_assert_eq!(&kernel, &after);
            let seen = bench.run(millis);
            apply(&mut kernel, &seen);
            prop_assert_eq!(&kernel, &held(&bench));
        }
        bench.vrrp.handle_stop(bench.now, Release::Everything);
        let said = bench.drain();
        apply(&mut kernel, &said);
        prop_assert!(kernel.is_empty());
    }
}

/// The kernel tells of a new address late: by then it may be gone again with its instance.
#[test]
fn a_late_echo_of_an_address_that_was_let_go_is_no_news() {
    let settings = Settings {
        instances: vec![instance("VI")],
        ..Settings::default()
    };
    let mut bench = Bench::master(instance("VI"));
    bench.settings(Settings::default());
    bench.address(0, "198.18.0.100", 32, true);
    let said = bench.settings(settings);
    assert!(
        !said.iter().any(|line| line.starts_with("remove")),
        "nothing is left over: {said:?}"
    );
    // Somebody else adds it later: that is no echo.
    bench.settings(Settings::default());
    bench.run(1_000);
    bench.address(0, "198.18.0.100", 32, true);
    let said = bench.settings(Settings {
        instances: vec![instance("VI")],
        ..Settings::default()
    });
    assert!(
        said.contains(&String::from("remove 198.18.0.100")),
        "{said:?}"
    );
}
