use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::StateName;
use crate::settings::InstanceSettings;
use crate::testbench::{Bench, eth, instance, ip, virtual_address};

/// A master with priority 150 that answers no lower-priority advert, so that what is said stands alone.
fn settings() -> InstanceSettings {
    let mut settings = instance("VI");
    settings.lower_prio_no_advert = true;
    settings.garp.lower_prio_repeat = 0;
    settings
        .virtual_ipaddress
        .push(virtual_address("198.18.0.101", eth(0)));
    settings
}

/// Master for 100 ms, or for as long as it takes to be settled.
fn master(settled: bool) -> Bench {
    let mut bench = Bench::master(settings());
    bench.run(if settled { 3_500 } else { 100 });
    bench
}

fn two_masters(said: &[String]) -> Vec<&str> {
    let about = said.iter().filter(|what| what.contains("two masters"));
    about.map(String::as_str).collect()
}

const BEGIN: &str =
    "log (VI) two masters: 198.18.0.9 is MASTER, too, with priority 100, ours is 150";

#[test]
fn a_handover_is_none() {
    let mut bench = master(false);
    assert_eq!(
        two_masters(&bench.advert("198.18.0.9", 100)),
        Vec::<&str>::new()
    );
    assert_eq!(bench.view(0).rival, None);
    let seen = bench.run(10_000);
    assert_eq!(two_masters(&seen), Vec::<&str>::new());
    assert!(!seen.iter().any(|what| what.contains("garp")), "{seen:?}");
    assert_eq!(bench.view(0).statistics.dual_master, 0);
}

#[test]
fn the_second_advert_shows_it() {
    let mut bench = master(false);
    bench.advert("198.18.0.9", 100);
    let since = bench.now;
    bench.run(1_000);
    assert_eq!(two_masters(&bench.advert("198.18.0.9", 100)), [BEGIN]);
    let rival = bench.view(0).rival.unwrap();
    assert_eq!((rival.address, rival.since), (ip("198.18.0.9"), since));
    assert_eq!(bench.view(0).statistics.dual_master, 1);
    // However long it lasts, it is said once.
    for _ in 0..10 {
        bench.run(1_000);
        assert_eq!(
            two_masters(&bench.advert("198.18.0.9", 100)),
            Vec::<&str>::new()
        );
    }
    assert_eq!(bench.view(0).statistics.dual_master, 1);
}

#[test]
fn a_settled_master_knows_at_once() {
    let mut bench = master(true);
    assert_eq!(two_masters(&bench.advert("198.18.0.9", 100)), [BEGIN]);
}

/// 3 s and the skew time of priority 150 after the last advert.
#[test]
fn the_winner_announces_its_addresses_when_the_other_is_silent() {
    let mut bench = master(true);
    bench.advert("198.18.0.9", 100);
    bench.run(1_000);
    bench.advert("198.18.0.9", 100);
    let since = bench.now.as_nanos() / 1_000_000;
    let seen: Vec<String> = bench.run(5_000);
    let at = since + 3_414;
    let seen: Vec<&String> = seen
        .iter()
        .filter(|what| !what.ends_with("advert 150"))
        .collect();
    assert_eq!(
        seen,
        [
            &alloc::format!(
                "{at} log (VI) no longer two masters, after 4.4 s: 198.18.0.9 is silent; we stay MASTER and announce our \
                 addresses"
            ),
            &alloc::format!("{at} garp 198.18.0.100"),
            &alloc::format!("{at} garp 198.18.0.101"),
        ]
    );
    assert_eq!(bench.view(0).rival, None);
    // The next one is another one.
    bench.advert("198.18.0.9", 100);
    assert_eq!(bench.view(0).statistics.dual_master, 2);
}

#[test]
fn a_goodbye_ends_it() {
    let mut bench = master(true);
    bench.advert("198.18.0.9", 100);
    bench.run(500);
    assert_eq!(
        bench.advert("198.18.0.9", 0),
        [
            "log (VI) no longer two masters, after 0.5 s: 198.18.0.9 is silent; we stay MASTER and announce our addresses",
            "garp 198.18.0.100",
            "garp 198.18.0.101",
            "advert 150",
        ]
    );
}

#[test]
fn who_loses_says_so_and_announces_nothing() {
    let mut bench = master(true);
    bench.advert("198.18.0.9", 100);
    bench.run(500);
    let said = bench.advert("198.18.0.9", 200);
    assert_eq!(
        two_masters(&said),
        ["log (VI) no longer two masters, after 0.5 s: we give way to 198.18.0.9"]
    );
    assert!(!said.iter().any(|what| what.contains("garp")), "{said:?}");
    assert_eq!(bench.state(0), StateName::Backup);
}

#[test]
fn a_fault_ends_it_too() {
    let mut bench = master(true);
    bench.advert("198.18.0.9", 100);
    bench.run(500);
    assert_eq!(
        two_masters(&bench.link(0, false)),
        ["log (VI) no longer two masters, after 0.5 s: we leave MASTER to 198.18.0.9"]
    );
}

/// A slow rival is waited for as long as its own interval asks for.
#[test]
fn its_own_interval_counts() {
    let mut bench = master(true);
    let slow = vec![(4, 0x07), (5, 0xd0)];
    bench.advert_for(0, "198.18.0.9", 100, |bytes| {
        for (place, value) in slow {
            bytes[place] = value;
        }
        // The sum of the changed bytes: 100 cs become 2000 cs.
        let sum = u16::from_be_bytes([bytes[6], bytes[7]]);
        let (sum, carry) = sum.overflowing_sub(2000 - 100);
        let sum = if carry { sum - 1 } else { sum };
        bytes[6..8].copy_from_slice(&sum.to_be_bytes());
    });
    assert_eq!(bench.view(0).statistics.dual_master, 1);
    bench.run(59_000);
    assert!(bench.view(0).rival.is_some());
    bench.run(10_000);
    assert!(bench.view(0).rival.is_none());
}

/// A better router that appears is no rival: giving way is what it expects of us.
#[test]
fn giving_way_at_once_is_no_dual_master() {
    let mut bench = master(true);
    assert_eq!(
        two_masters(&bench.advert("198.18.0.9", 200)),
        Vec::<&str>::new()
    );
    assert_eq!(bench.view(0).statistics.dual_master, 0);
}

/// Anybody can send lesser adverts and goodbyes in turn; what that costs has a rate.
#[test]
fn goodbyes_between_adverts_are_no_flood() {
    let mut bench = Bench::master(instance("VI"));
    bench.run(10_000);
    let mut said = Vec::new();
    for _ in 0..100 {
        for priority in [100, 0] {
            said.extend(bench.advert("198.18.0.9", priority));
        }
    }
    let count = |what: &str| said.iter().filter(|line| line.starts_with(what)).count();
    assert!(count("garp") <= 10, "{}", count("garp"));
    assert!(count("log") <= 10, "{}", count("log"));
}

#[test]
fn a_stranger_s_goodbye_does_not_end_it() {
    let mut bench = master(true);
    bench.advert("198.18.0.9", 100);
    bench.run(500);
    assert_eq!(
        two_masters(&bench.advert("198.18.0.8", 0)),
        Vec::<&str>::new()
    );
}
