use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use types::Priority;

use crate::settings::global::GlobalSettings;
use crate::settings::{InitialState, InstanceSettings, OldChecksum, Unicast, UnicastPeer};
use crate::testbench::{Bench, instance, ip};
use crate::{Settings, StateName};

fn settings(startup: u64, after_boot: u64, instance: InstanceSettings) -> Settings {
    Settings {
        global: GlobalSettings {
            startup_delay: Duration::from_millis(startup),
            delay_after_boot: Duration::from_millis(after_boot),
            ..GlobalSettings::default()
        },
        instances: vec![instance],
        ..Settings::default()
    }
}

/// Master_Down_Interval of priority 150: 3414 ms.
fn became_master(seen: &[String]) -> Option<u64> {
    let line = seen.iter().find(|what| what.contains("MASTER STATE"))?;
    line.split(' ').next()?.parse().ok()
}

fn completed(seen: &[String]) -> Option<u64> {
    let line = seen
        .iter()
        .find(|what| what.ends_with("log Delayed start completed"))?;
    line.split(' ').next()?.parse().ok()
}

#[test]
fn all_timers_count_from_the_end_of_the_delay() {
    let (mut bench, said) = Bench::with(settings(2_500, 0, instance("VI")));
    assert!(
        said.contains(&String::from("(VI) Entering BACKUP STATE (init)")),
        "{said:?}"
    );
    let seen = bench.run(10_000);
    assert_eq!(completed(&seen), Some(2_500));
    assert_eq!(became_master(&seen), Some(2_500 + 3_414));
    assert!(
        seen[0].ends_with("Delayed start completed"),
        "nothing is sent before: {seen:?}"
    );
}

#[test]
fn adverts_are_thrown_away_meanwhile() {
    let (mut bench, _) = Bench::with(settings(2_500, 0, instance("VI")));
    for _ in 0..4 {
        bench.run(500);
        assert_eq!(bench.advert("198.18.0.9", 200), Vec::<String>::new());
    }
    assert_eq!(bench.view(0).statistics.advert_rcvd, 0);
    assert_eq!(bench.view(0).master, None);
    bench.run(1_000);
    bench.advert("198.18.0.9", 200);
    assert_eq!(bench.view(0).statistics.advert_rcvd, 1);
    assert_eq!(became_master(&bench.run(3_000)), None);
}

#[test]
fn an_owner_waits_too() {
    let mut owner = instance("VI");
    owner.priority = Priority::OWNER;
    owner.state = InitialState::Master;
    let (mut bench, _) = Bench::with(settings(2_500, 0, owner));
    let seen = bench.run(5_000);
    assert_eq!(became_master(&seen), Some(2_500));
    assert!(seen[0].ends_with("Delayed start completed"), "{seen:?}");
}

#[test]
fn the_later_of_the_two_delays_counts() {
    for (startup, after_boot, uptime, end) in [
        (2_000, 0, 5, Some(2_000)),
        (0, 60_000, 57, Some(3_000)),
        (2_000, 60_000, 57, Some(3_000)),
        (4_000, 60_000, 57, Some(4_000)),
        (0, 60_000, 61, None),
        (0, 0, 0, None),
    ] {
        let mut bench = Bench::idle();
        bench
            .vrrp
            .handle_uptime(bench.now, Duration::from_secs(uptime));
        bench.settings(settings(startup, after_boot, instance("VI")));
        let seen = bench.run(10_000);
        assert_eq!(completed(&seen), end, "{startup} {after_boot} {uptime}");
        assert_eq!(became_master(&seen), Some(end.unwrap_or(0) + 3_414));
    }
}

#[test]
fn a_reload_computes_what_is_left() {
    // From 5 s to 3 s, to 1 s, and to none, after 2 s.
    for (delay, end) in [(3_000, 3_000), (1_000, 2_000), (0, 2_000), (9_000, 9_000)] {
        let (mut bench, _) = Bench::with(settings(5_000, 0, instance("VI")));
        bench.run(2_000);
        bench.settings(settings(delay, 0, instance("VI")));
        let seen = bench.run(15_000);
        assert_eq!(completed(&seen), Some(end), "{delay}");
        assert_eq!(became_master(&seen), Some(end + 3_414), "{delay}");
    }
}

#[test]
fn it_does_not_come_again() {
    let (mut bench, _) = Bench::with(settings(0, 0, instance("VI")));
    let mut seen = bench.run(4_000);
    assert_eq!(bench.state(0), StateName::Master);
    seen.clear();
    bench.vrrp.handle_uptime(bench.now, Duration::from_secs(10));
    bench.settings(settings(60_000, 600_000, instance("VI")));
    let seen = bench.run(3_000);
    assert_eq!(seen.len(), 3, "an advert each second: {seen:?}");
    assert!(seen.iter().all(|what| what.ends_with("advert 150")));
}

/// A fault that comes and goes meanwhile does not let anybody begin early, and the source is not announced.
#[test]
fn a_fault_meanwhile() {
    let mut unicast = instance("VI");
    unicast.unicast = Some(alloc::boxed::Box::new(Unicast {
        peers: vec![UnicastPeer {
            address: ip("198.18.0.9"),
            min_ttl: 0,
            max_ttl: 255,
        }],
        check_source: false,
        ttl: None,
        old_checksum: OldChecksum::Detect,
    }));
    let (mut bench, _) = Bench::with(settings(5_000, 0, unicast));
    bench.run(1_000);
    bench.link(0, false);
    let said = bench.link(0, true);
    assert_eq!(said, ["(VI) Entering BACKUP STATE"]);
    assert_eq!(became_master(&bench.run(15_000)), Some(8_414));
}

#[test]
fn who_resumes_does_not_wait() {
    let mut bench = Bench::idle();
    bench.vrrp.resume([String::from("VI")]);
    let said = bench.settings(settings(5_000, 0, instance("VI")));
    assert!(said.contains(&String::from("advert 150")), "{said:?}");
    assert_eq!(bench.state(0), StateName::Master);
}
