//! The election, told as stories, and its table of states and events in full.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use types::{Centiseconds, Priority, Version};

use crate::settings::{Few, GarpSettings, InitialState, InstanceSettings, Preempt, Settings};
use crate::testbench::{Bench, eth, instance, ip, script, virtual_address};
use crate::{Release, StateName};

const BETTER: &str = "198.18.0.9";
const WORSE: &str = "198.18.0.1";

fn with(change: impl FnOnce(&mut InstanceSettings)) -> InstanceSettings {
    let mut settings = instance("VI");
    change(&mut settings);
    settings
}

fn priority(priority: u8) -> Priority {
    Priority::new(priority).unwrap()
}

#[test]
fn a_backup_waits_master_down_then_advertises_before_it_takes_the_addresses() {
    let (mut bench, said) = Bench::with(Settings {
        instances: vec![instance("VI")],
        ..Settings::default()
    });
    assert_eq!(
        said,
        ["join 224.0.0.18", "(VI) Entering BACKUP STATE (init)"]
    );
    // 3 * 1 s + (256 - 150) / 256 s
    assert_eq!(
        bench.run(3_600),
        [
            "3414 advert 150",
            "3414 add 198.18.0.100",
            "3414 garp 198.18.0.100",
            "3414 (VI) Entering MASTER STATE"
        ]
    );
    assert_eq!(bench.run(2_000), ["4414 advert 150", "5414 advert 150"]);
}

#[test]
fn many_addresses_are_taken_up_and_announced_in_portions() {
    let excluded = (0..69).map(|n| virtual_address(&format!("198.18.1.{n}"), eth(0)));
    let (mut bench, _) = Bench::with(Settings {
        instances: vec![with(|s| {
            s.virtual_ipaddress_excluded = excluded.collect();
            s.garp.master_repeat = 2;
        })],
        ..Settings::default()
    });
    let seen = bench.run(3_600);
    let of = |what: &str| -> Vec<&str> {
        let lines = seen.iter().filter_map(|line| line.split_once(what));
        lines.map(|(_, address)| address).collect()
    };
    let addresses = of(" add ");
    assert_eq!((addresses.len(), addresses[0]), (70, "198.18.0.100"));
    // In the order of the file, each twice: a first round for each portion, then the second one for all.
    assert_eq!(of(" garp "), [addresses.clone(), addresses].concat());
    let kinds: Vec<&str> = seen
        .iter()
        .map(|line| line.split(' ').nth(1).unwrap())
        .collect();
    let runs: Vec<(&str, usize)> = kinds
        .chunk_by(|a, b| a == b)
        .map(|run| (run[0], run.len()))
        .collect();
    let portions = [32, 32, 6].map(|count| [("add", count), ("garp", count)]);
    let mut expected = vec![("advert", 1)];
    expected.extend(portions.concat());
    expected.last_mut().unwrap().1 += 70;
    expected.push(("(VI)", 1));
    assert_eq!(runs, expected);
}

#[test]
fn adverts_that_wait_are_counted() {
    let owner = |name: &str| InstanceSettings {
        name: String::from(name),
        ..with(|s| (s.priority, s.state) = (Priority::OWNER, InitialState::Master))
    };
    let mut vrrp = crate::Vrrp::new();
    let now = types::Instant::ZERO;
    vrrp.handle_snapshot(now, vec![Bench::interface(0, true)], Bench::addresses(0));
    vrrp.handle_settings(
        now,
        Settings {
            instances: vec![owner("A"), owner("B")],
            ..Settings::default()
        },
    );
    while vrrp.poll_action().is_some() {}
    vrrp.handle_timeout(now + Duration::from_millis(1));
    let mut left = Vec::new();
    loop {
        left.push(vrrp.adverts_waiting());
        if vrrp.poll_action().is_none() {
            break;
        }
    }
    // The advert of A, what follows it, the advert of B.
    assert_eq!((left.first(), left.last()), (Some(&2), Some(&0)));
    assert!(
        left.is_sorted_by(|a, b| a >= b) && left.contains(&1),
        "{left:?}"
    );
}

#[test]
fn an_owner_that_begins_as_master_does_not_wait() {
    let owner = with(|s| (s.priority, s.state) = (Priority::OWNER, InitialState::Master));
    let (mut bench, said) = Bench::with(Settings {
        instances: vec![owner],
        ..Settings::default()
    });
    assert_eq!(said, ["join 224.0.0.18"], "nobody hears of BACKUP");
    assert_eq!(
        bench.run(0),
        [
            "0 advert 255",
            "0 add 198.18.0.100",
            "0 garp 198.18.0.100",
            "0 (VI) Entering MASTER STATE"
        ]
    );
}

#[test]
fn state_master_without_ownership_waits_like_everybody() {
    let mut bench = Bench::one(with(|s| s.state = InitialState::Master));
    assert_eq!(bench.state(0), StateName::Backup);
    assert_eq!(bench.run(3_400), Vec::<String>::new());
}

#[test]
fn each_accepted_advert_starts_the_wait_again() {
    let mut bench = Bench::one(instance("VI"));
    for _ in 0..10 {
        bench.run(3_000);
        bench.advert(BETTER, 200);
    }
    assert_eq!(bench.state(0), StateName::Backup);
    assert_eq!(bench.run(3_414), Vec::<String>::new());
    assert_eq!(bench.run(1)[0], "33414 advert 150");
}

#[test]
fn a_refused_advert_leaves_the_timer_alone() {
    let mut bench = Bench::one(instance("VI"));
    bench.run(3_000);
    let said = bench.advert_for(0, BETTER, 200, |bytes| bytes[6] ^= 1);
    assert_eq!(
        said,
        ["log (VI) packet from 198.18.0.9 ignored: wrong checksum"]
    );
    assert_eq!(
        bench.advert_for(0, BETTER, 200, |bytes| bytes[6] ^= 1),
        Vec::<String>::new(),
        "said once"
    );
    assert_eq!(bench.run(415)[0], "3414 advert 150");
    assert_eq!(bench.view(0).statistics.checksum_err, 2);
}

#[test]
fn a_leaving_master_is_succeeded_after_the_skew_time() {
    let mut bench = Bench::one(instance("VI"));
    bench.advert(BETTER, 200);
    bench.run(500);
    bench.advert(BETTER, 0);
    assert_eq!(bench.run(1_000)[0], "914 advert 150");
    assert_eq!(bench.view(0).statistics.pri_zero_rcvd, 1);
}

#[test]
fn a_lesser_master_is_preempted_when_the_old_timer_runs_out() {
    let mut bench = Bench::one(instance("VI"));
    bench.run(1_000);
    bench.advert(WORSE, 100);
    bench.run(1_000);
    bench.advert(WORSE, 100);
    assert_eq!(bench.run(2_000)[0], "3414 advert 150");
}

#[test]
fn nopreempt_lets_a_lesser_master_be() {
    let mut bench = Bench::one(with(|s| s.preempt = Preempt::Never));
    for _ in 0..20 {
        bench.advert(WORSE, 100);
        assert_eq!(bench.run(1_000), Vec::<String>::new());
    }
    assert_eq!(
        bench.run(2_500)[0],
        "22414 advert 150",
        "but not a dead one"
    );
}

/// keepalived: delay 4 s, adverts every second: takeover at about last accepted advert + Master_Down.
#[test]
fn preempt_delay_counts_from_the_first_lesser_advert() {
    let mut bench = Bench::one(with(|s| s.preempt = Preempt::After(Duration::from_secs(4))));
    let mut seen = Vec::new();
    for _ in 0..8 {
        bench.advert(WORSE, 100);
        seen.extend(bench.run(1_000));
    }
    // Accepted at 0, 1, 2, 3 s; at 4 s the delay is over.
    assert_eq!(seen[0], "6414 advert 150");
}

#[test]
fn an_equal_priority_is_accepted_by_a_backup_whatever_the_address() {
    let mut bench = Bench::one(instance("VI"));
    bench.run(3_000);
    bench.advert(WORSE, 150);
    assert_eq!(bench.run(3_000), Vec::<String>::new());
}

#[test]
fn two_masters_of_equal_priority_compare_addresses() {
    let mut bench = Bench::master(instance("VI"));
    let said = bench.advert(WORSE, 150);
    assert!(said.contains(&String::from("advert 150")), "{said:?}");
    assert_eq!(bench.state(0), StateName::Master);
    let said = bench.advert(BETTER, 150);
    assert_eq!(
        said,
        [
            "log (VI) giving way to 198.18.0.9: its priority 150, ours 150",
            "remove 198.18.0.100",
            "(VI) Entering BACKUP STATE",
        ],
        "no priority 0"
    );
}

#[test]
fn a_master_answers_a_lesser_advert_at_once_and_announces_again() {
    let mut bench = Bench::master(instance("VI"));
    bench.run(500);
    assert_eq!(
        bench.advert(WORSE, 100),
        [
            "log (VI) received lower priority advert from 198.18.0.1: 100, ours is 150",
            "advert 150",
            "garp 198.18.0.100",
            "(VI) MASTER_RX_LOWER_PRI, priority 150",
        ]
    );
    let mut quiet = Bench::master(with(|s| s.lower_prio_no_advert = true));
    assert!(
        !quiet
            .advert(WORSE, 100)
            .contains(&String::from("advert 150"))
    );
}

/// keepalived restarts its advert timer for packets that it refuses, too: junk faster than the interval silences it.
#[test]
fn junk_does_not_silence_a_master() {
    let mut bench = Bench::master(instance("VI"));
    let before = bench.view(0).statistics.advert_sent;
    for _ in 0..25 {
        bench.advert_for(0, WORSE, 100, |bytes| bytes[0] = 0x21);
        bench.run(400);
    }
    assert_eq!(bench.view(0).statistics.advert_sent - before, 10);
    // Nor do lesser adverts, when they are not answered.
    let mut bench = Bench::master(with(|s| s.lower_prio_no_advert = true));
    let before = bench.view(0).statistics.advert_sent;
    for _ in 0..25 {
        bench.advert(WORSE, 100);
        bench.run(400);
    }
    assert_eq!(bench.view(0).statistics.advert_sent - before, 10);
}

#[test]
fn higher_prio_send_advert_speaks_before_it_yields() {
    let mut bench = Bench::master(with(|s| s.higher_prio_send_advert = true));
    assert_eq!(bench.advert(BETTER, 200)[0], "advert 150");
    assert_eq!(bench.state(0), StateName::Backup);
}

#[test]
fn version_3_learns_the_masters_interval() {
    let mut bench = Bench::one(instance("VI"));
    bench.advert_for(0, BETTER, 200, |_| ());
    let fast = |bytes: &mut Vec<u8>| {
        bytes[5] = 50;
        // The interval went from 100 to 50 hundredths, so the sum of the words went down by 50.
        let sum = u16::from_be_bytes([bytes[6], bytes[7]]) + 50;
        bytes[6..8].copy_from_slice(&sum.to_be_bytes());
    };
    let said = bench.advert_for(0, BETTER, 200, fast);
    assert_eq!(
        said,
        ["log (VI) 198.18.0.9 advertises every 0.50 s, we every 1 s; following the master"]
    );
    assert_eq!(bench.view(0).master_advert_int, Centiseconds::new(50));
    assert_eq!(bench.run(2_000)[0], "1707 advert 150");
    assert_eq!(
        bench.view(0).master_advert_int,
        Centiseconds::new(100),
        "as master it is its own again"
    );
}

#[test]
fn version_2_refuses_another_interval() {
    let mut bench = Bench::one(with(|s| s.version = Version::V2));
    bench.run(3_000);
    let said = bench.advert_for(0, BETTER, 200, |bytes| {
        bytes[5] = 2;
        bytes[7] -= 1;
    });
    assert_eq!(
        said,
        ["log (VI) packet from 198.18.0.9 ignored: advertisement interval 2 s, ours is 1 s"]
    );
    assert_eq!(bench.view(0).statistics.advert_interval_err, 1);
}

#[test]
fn down_timer_adverts_shortens_the_wait() {
    let mut bench = Bench::one(with(|s| s.down_timer_adverts = 1));
    assert_eq!(bench.run(2_000)[0], "1414 advert 150");
}

#[test]
fn other_addresses_are_reported_and_counted_but_the_advert_counts() {
    let mut bench = Bench::one(instance("VI"));
    bench.run(3_000);
    let mut other = Bench::one(with(|s| {
        s.virtual_ipaddress = vec![virtual_address("198.18.0.101", eth(0))].into()
    }));
    let bytes = other.advert_bytes(0, BETTER, 200, |_| ());
    let said = bench.packet(0, BETTER, 255, &bytes);
    assert_eq!(
        said[1],
        "log (VI) the advert of 198.18.0.9 does not list our 198.18.0.100"
    );
    assert_eq!(bench.view(0).statistics.addr_list_err, 1);
    assert_eq!(
        bench.run(3_000),
        Vec::<String>::new(),
        "accepted all the same"
    );
    bench.packet(0, BETTER, 255, &bytes);
    assert_eq!(bench.view(0).statistics.addr_list_err, 2);
    // skip_check_adv_addr: only when the master changes.
    let mut skipping = Bench::one(with(|s| s.skip_check_adv_addr = true));
    skipping.packet(0, BETTER, 255, &bytes);
    skipping.packet(0, BETTER, 255, &bytes);
    assert_eq!(skipping.view(0).statistics.addr_list_err, 1);
    let _ = other.drain();
}

#[test]
fn of_two_owners_the_lower_address_backs_off_at_once() {
    let owner = with(|s| (s.priority, s.state) = (Priority::OWNER, InitialState::Master));
    let mut bench = Bench::master(owner);
    let said = bench.advert(BETTER, 255);
    assert!(
        said[0].starts_with("log (VI) 198.18.0.9 has priority 255, too"),
        "{said:?}"
    );
    assert_eq!(bench.state(0), StateName::Backup);
}

#[test]
fn of_two_owners_the_higher_address_gives_in_if_the_other_does_not() {
    let owner = with(|s| (s.priority, s.state) = (Priority::OWNER, InitialState::Master));
    let mut bench = Bench::master(owner);
    for _ in 0..2 {
        bench.advert(WORSE, 255);
        bench.run(1_000);
        assert_eq!(bench.state(0), StateName::Master, "it is given time");
    }
    let said = bench.advert(WORSE, 255);
    assert!(said.contains(&String::from(
        "log (VI) another owner keeps advertising: lowering our priority to 254"
    )));
    assert_eq!(
        (bench.state(0), bench.view(0).effective_priority),
        (StateName::Backup, priority(254))
    );
    bench.advert(WORSE, 255);
    assert_eq!(bench.view(0).effective_priority, priority(254));
    bench.advert(WORSE, 100);
    assert_eq!(
        bench.view(0).effective_priority,
        Priority::OWNER,
        "the rogue is no owner any more"
    );
}

/// However fast the other one is: an answer counts as an advert of ours.
#[test]
fn a_rogue_owner_that_is_faster_than_we_are_is_counted_out() {
    let owner = with(|s| (s.priority, s.state) = (Priority::OWNER, InitialState::Master));
    let mut bench = Bench::master(owner);
    let mut heard = 0;
    while bench.state(0) == StateName::Master && heard < 100 {
        bench.run(200);
        bench.advert(WORSE, 255);
        heard += 1;
    }
    // Heard once, told twice more, and still there.
    assert_eq!((bench.state(0), heard), (StateName::Backup, 4));
    assert_eq!(bench.view(0).effective_priority, priority(254));
}

#[test]
fn a_rogue_owner_that_goes_away_is_forgotten() {
    let owner = with(|s| (s.priority, s.state) = (Priority::OWNER, InitialState::Master));
    let mut bench = Bench::master(owner);
    bench.advert(WORSE, 255);
    bench.run(10_000);
    bench.advert(WORSE, 255);
    assert_eq!(bench.state(0), StateName::Master);
}

#[test]
fn faults() {
    let mut bench = Bench::master(instance("VI"));
    let said = bench.link(0, false);
    assert_eq!(
        said,
        [
            "log (VI) interface eth0 is down or missing",
            "advert 0",
            "log (VI) sent 0 priority",
            "remove 198.18.0.100",
            "(VI) Entering FAULT STATE",
        ]
    );
    assert_eq!(
        bench.run(60_000),
        Vec::<String>::new(),
        "all timers are off"
    );
    assert_eq!(bench.link(0, true), ["(VI) Entering BACKUP STATE"]);
    assert!(
        bench.run(3_500)[0].ends_with("advert 150"),
        "after a full master-down interval"
    );

    let mut owner = Bench::master(with(|s| {
        (s.priority, s.state) = (Priority::OWNER, InitialState::Master)
    }));
    owner.link(0, false);
    owner.link(0, true);
    assert_eq!(
        owner.state(0),
        StateName::Backup,
        "an owner that comes back waits like everybody"
    );

    let mut careless = Bench::master(with(|s| s.dont_track_primary = true));
    assert_eq!(careless.link(0, false), Vec::<String>::new());
}

#[test]
fn an_interface_that_is_deleted_and_made_again() {
    let mut bench = Bench::master(instance("VI"));
    let said = bench.link_gone(0);
    assert_eq!(
        said,
        [
            "log (VI) interface eth0 is down or missing",
            "(VI) Entering FAULT STATE",
            "leave 224.0.0.18",
        ],
        "there is no interface to say goodbye on"
    );
    assert_eq!(bench.link(0, true), ["join 224.0.0.18"], "no address yet");
    assert_eq!(
        bench.address(0, "198.18.0.5", 24, true),
        ["(VI) Entering BACKUP STATE"]
    );
    assert!(bench.run(3_500)[0].ends_with("advert 150"));
}

#[test]
fn a_virtual_address_is_no_source() {
    let mut bench = Bench::one(instance("VI"));
    bench.address(0, "198.18.0.100", 32, true);
    bench.address(0, "198.18.0.5", 24, false);
    assert_eq!(bench.state(0), StateName::Fault);
    bench.address(0, "198.18.0.7", 24, true);
    assert_eq!(bench.view(0).source, Some(ip("198.18.0.7")));
    assert_eq!(bench.state(0), StateName::Backup);
}

#[test]
fn left_overs_of_a_dead_predecessor_are_removed_at_start() {
    let mut bench = Bench::idle();
    bench.address(0, "198.18.0.100", 32, true);
    let said = bench.settings(Settings {
        instances: vec![instance("VI")],
        ..Settings::default()
    });
    assert_eq!(
        said,
        [
            "join 224.0.0.18",
            "(VI) Entering BACKUP STATE (init)",
            "remove 198.18.0.100"
        ]
    );
}

#[test]
fn a_resumed_master_carries_on_with_its_addresses() {
    let mut bench = Bench::idle();
    bench.address(0, "198.18.0.100", 32, true);
    bench.vrrp.resume([String::from("VI")]);
    let said = bench.settings(Settings {
        instances: vec![instance("VI")],
        ..Settings::default()
    });
    assert_eq!(
        said,
        [
            "join 224.0.0.18",
            "log (VI) was MASTER before the restart and stays MASTER",
            "advert 150",
            "garp 198.18.0.100",
        ],
        "the address is not touched"
    );
}

#[test]
fn scripts_hold_fault_and_weigh() {
    use crate::ScriptOutcome::Exited;
    use crate::settings::TrackScript;
    let tracked = |weight| TrackScript {
        script: String::from("check"),
        weight: types::Weight::new(weight).unwrap(),
        reverse: false,
    };
    let settings = |weight| Settings {
        instances: vec![with(|s| s.track_script = vec![tracked(weight)].into())],
        scripts: vec![crate::settings::ScriptSettings {
            interval: Duration::from_secs(60),
            ..script("check")
        }],
        ..Settings::default()
    };
    // Unweighted: nothing happens, and nobody is told, before the first result.
    let (mut bench, said) = Bench::with(settings(0));
    assert_eq!(said, ["join 224.0.0.18"]);
    assert_eq!(
        (bench.run(0), bench.state(0)),
        (vec![String::from("0 run check")], StateName::Fault)
    );
    bench.vrrp.handle_script_exit(bench.now, "check", Exited(0));
    assert_eq!(
        bench.drain(),
        [
            "log VRRP_Script(check) succeeded",
            "(VI) Entering BACKUP STATE (init)"
        ]
    );
    assert!(bench.run(60_000).contains(&String::from("60000 run check")));
    bench.vrrp.handle_script_exit(bench.now, "check", Exited(1));
    let said = bench.drain();
    assert_eq!(
        said[0],
        "log VRRP_Script(check) failed (exited with status 1)"
    );
    assert_eq!(said.last().unwrap(), "(VI) Entering FAULT STATE");
    // Weighted: it starts without, and the priority follows.
    let (mut bench, _) = Bench::with(settings(20));
    assert_eq!(bench.view(0).effective_priority, priority(150));
    bench.run(0);
    bench.vrrp.handle_script_exit(bench.now, "check", Exited(0));
    assert_eq!(
        bench.drain(),
        [
            "log VRRP_Script(check) succeeded",
            "log (VI) Changing effective priority from 150 to 170"
        ]
    );
    // 3 s + (256 - 170) / 256 s: the wait moved with the priority.
    let adverts: Vec<String> = bench
        .run(3_400)
        .into_iter()
        .filter(|what| what.contains("advert"))
        .collect();
    assert_eq!(adverts, ["3335 advert 170"]);
}

#[test]
fn a_stop_says_goodbye_and_leaves_nothing() {
    let mut bench = Bench::master(instance("VI"));
    bench.vrrp.handle_stop(bench.now, Release::Everything);
    assert_eq!(
        bench.drain(),
        [
            "advert 0",
            "log (VI) sent 0 priority",
            "remove 198.18.0.100",
            "(VI) Stopping"
        ]
    );
    assert_eq!(bench.vrrp.next_deadline(), None);
    let mut keeping = Bench::master(instance("VI"));
    keeping.vrrp.handle_stop(keeping.now, Release::Nothing);
    assert_eq!(keeping.drain(), ["(VI) Stopping"]);
}

#[test]
fn adverts_keep_the_beat_of_their_deadlines() {
    let mut bench = Bench::master(instance("VI"));
    let first = bench.vrrp.next_deadline().unwrap();
    // Woken 300 ms late, the next one is due 700 ms later, not a second later.
    bench.now = first + Duration::from_millis(300);
    bench.vrrp.handle_timeout(bench.now);
    assert_eq!(bench.drain(), ["advert 150"]);
    assert_eq!(
        bench.vrrp.next_deadline(),
        Some(first + Duration::from_secs(1))
    );
    // Asleep for five beats: one advert, and the count starts anew.
    bench.now = first + Duration::from_millis(5_300);
    bench.vrrp.handle_timeout(bench.now);
    assert_eq!(bench.drain(), ["advert 150"]);
    assert_eq!(
        bench.vrrp.next_deadline(),
        Some(bench.now + Duration::from_secs(1))
    );
}

/// A thousand masters are not to speak all at once, nor one at a time.
#[test]
fn many_masters_share_out_the_interval() {
    let instances: Vec<InstanceSettings> = (0..250_u8)
        .flat_map(|number| (0..2).map(move |link| (number, link)))
        .map(|(number, link)| InstanceSettings {
            name: format!("VI_{link}_{number}"),
            vrid: types::Vrid::new(number + 1).unwrap(),
            interface: Some(eth(link)),
            virtual_ipaddress: Few::EMPTY,
            ..instance("")
        })
        .collect();
    let (mut bench, _) = Bench::with(Settings {
        instances,
        ..Settings::default()
    });
    bench.run(3_500);
    let mut beats: alloc::collections::BTreeMap<String, usize> =
        alloc::collections::BTreeMap::new();
    for seen in bench.run(10_000) {
        let (at, what) = seen.split_once(' ').unwrap();
        assert_eq!(what, "advert 150");
        *beats.entry(String::from(at)).or_default() += 1;
    }
    assert_eq!(beats.values().sum::<usize>(), 500 * 10);
    assert_eq!(*beats.values().max().unwrap(), 64);
    assert_eq!(beats.len(), 8 * 10, "eight beats a second");
}

#[test]
fn blocks_of_announcements_go_round_all_addresses() {
    let mut bench = Bench::one(with(|s| {
        s.virtual_ipaddress
            .push(virtual_address("198.18.0.101", eth(0)));
        s.virtual_ipaddress_excluded = vec![virtual_address("198.18.0.102", eth(0))].into();
        s.garp = GarpSettings {
            master_delay: 2,
            master_repeat: 2,
            ..GarpSettings::default()
        };
    }));
    let garps = |seen: Vec<String>| -> Vec<String> {
        seen.into_iter()
            .filter(|what| what.contains("garp"))
            .collect()
    };
    let round = ["100", "101", "102"];
    let block = |at: u64| -> Vec<String> {
        (0..2)
            .flat_map(|_| round.map(|last| format!("{at} garp 198.18.0.{last}")))
            .collect()
    };
    assert_eq!(garps(bench.run(3_500)), block(3_414));
    assert_eq!(garps(bench.run(10_000)), block(5_414));
}

/// Every state and every event: the state after it, the wait that it leaves, and what is done and told.
#[test]
fn table() {
    type State = (&'static str, fn() -> Bench);
    let states: [State; 6] = [
        ("init", || {
            let mut bench = Bench::idle();
            let settings = with(|s| {
                s.track_script = vec![crate::settings::TrackScript {
                    script: String::from("check"),
                    weight: types::Weight::FAULT,
                    reverse: false,
                }]
                .into()
            });
            bench.settings(Settings {
                instances: vec![settings],
                scripts: vec![script("check")],
                ..Settings::default()
            });
            bench
        }),
        ("backup", || Bench::one(instance("VI"))),
        ("backup nopreempt", || {
            Bench::one(with(|s| s.preempt = Preempt::Never))
        }),
        ("master", || Bench::master(instance("VI"))),
        ("fault", || {
            let mut bench = Bench::one(instance("VI"));
            bench.link(0, false);
            bench
        }),
        ("stop", || {
            let mut bench = Bench::one(instance("VI"));
            bench.vrrp.handle_stop(bench.now, Release::Everything);
            bench.drain();
            bench
        }),
    ];
    type Event = fn(&mut Bench) -> Vec<String>;
    let events: [(&str, Event); 12] = [
        ("higher priority", |b| b.advert(WORSE, 200)),
        ("equal, higher address", |b| b.advert(BETTER, 150)),
        ("equal, lower address", |b| b.advert(WORSE, 150)),
        ("equal, our address", |b| b.advert("198.18.0.5", 150)),
        ("lower priority", |b| b.advert(BETTER, 100)),
        ("priority 0", |b| b.advert(BETTER, 0)),
        ("junk", |b| {
            b.advert_for(0, BETTER, 200, |bytes| bytes.truncate(7))
        }),
        ("deadline", |b| match b.vrrp.next_deadline() {
            Some(at) => {
                b.now = b.now.max(at);
                b.vrrp.handle_timeout(b.now);
                b.drain()
            }
            None => vec![String::from("(there is none)")],
        }),
        ("interface down", |b| b.link(0, false)),
        ("interface up", |b| b.link(0, true)),
        ("address lost", |b| b.address(0, "198.18.0.100", 32, false)),
        ("stop", |b| {
            b.vrrp.handle_stop(b.now, Release::Everything);
            b.drain()
        }),
    ];
    let mut table = String::new();
    for (state, make) in states {
        for (event, happen) in events {
            let mut bench = make();
            let said: Vec<String> = happen(&mut bench)
                .into_iter()
                .filter(|what| !what.starts_with("log "))
                .collect();
            let after = bench.state(0).word();
            let timer = bench.view(0).deadline.map_or_else(
                || String::from("-"),
                |at| format!("{} ms", at.since(bench.now).as_millis()),
            );
            table += &format!(
                "{state:17} {event:22} {after:7} {timer:8} {}\n",
                said.join(", ")
            );
        }
    }
    insta::assert_snapshot!(table);
}
