//! Groups: the whole table of what their members meet with, and stories of reloads.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use types::{Priority, Vrid, Weight};

use crate::ScriptOutcome::Exited;
use crate::settings::{InitialState, InstanceSettings, Settings, SyncGroupSettings, TrackScript};
use crate::testbench::{Bench, eth, instance, script, virtual_address};
use crate::{Release, StateName};

const NAMES: [&str; 3] = ["A", "B", "C"];

/// A member: each on an interface of its own, each waits a little longer than the one before.
fn member(number: u8) -> InstanceSettings {
    let name = NAMES[usize::from(number)];
    InstanceSettings {
        vrid: Vrid::new(number + 1).unwrap(),
        interface: Some(eth(number.into())),
        priority: Priority::new(150 - 20 * number).unwrap(),
        virtual_ipaddress: vec![virtual_address(
            &format!("198.18.{number}.100"),
            eth(number.into()),
        )]
        .into(),
        ..instance(name)
    }
}

fn group(name: &str, members: &[&str]) -> SyncGroupSettings {
    SyncGroupSettings {
        name: name.to_string(),
        members: members.iter().map(ToString::to_string).collect(),
        smtp_alert: false,
    }
}

fn settings(instances: Vec<InstanceSettings>, groups: Vec<SyncGroupSettings>) -> Settings {
    Settings {
        instances,
        sync_groups: groups,
        ..Settings::default()
    }
}

/// The first `count` members, all in group G.
fn whole(count: u8) -> Settings {
    settings(
        (0..count).map(member).collect(),
        vec![group("G", &NAMES[..usize::from(count)])],
    )
}

fn with_each(mut settings: Settings, change: impl Fn(&mut InstanceSettings)) -> Settings {
    settings.instances.iter_mut().for_each(change);
    settings
}

fn tracking(mut settings: Settings, member: usize) -> Settings {
    settings.instances[member].track_script = vec![TrackScript {
        script: String::from("check"),
        weight: Weight::FAULT,
        reverse: false,
    }]
    .into();
    settings.scripts = vec![script("check")];
    settings
}

/// Started, and as much later that everybody who may is master.
fn later(settings: Settings) -> Bench {
    let (mut bench, _) = Bench::with(settings);
    bench.run(8_000);
    bench
}

fn states(bench: &Bench) -> Vec<&'static str> {
    let each = bench.vrrp.instances().map(|view| view.state.word());
    each.collect()
}

fn without_logs(said: Vec<String>) -> Vec<String> {
    let is_log = |what: &String| what.starts_with("log ") || what.contains(" log ");
    said.into_iter().filter(|what| !is_log(what)).collect()
}

fn told(said: &[String]) -> Vec<&String> {
    said.iter()
        .filter(|what| what.contains('(') && !what.contains("log "))
        .collect()
}

/// Every state of a group and everything that one member, the last one, can meet with: the states after it, and what is
/// done and told.
#[test]
fn table() {
    type Make = fn(u8) -> Bench;
    let makes: [(&str, Make); 6] = [
        ("waiting", |count| {
            let settings = tracking(whole(count), usize::from(count) - 1);
            let (mut bench, _) = Bench::with(settings);
            bench.run(0);
            bench
        }),
        ("backup", |count| Bench::with(whole(count)).0),
        // All but the last one want to be master.
        ("almost", |count| {
            let (mut bench, _) = Bench::with(whole(count));
            let last = usize::from(count) - 1;
            bench.run(2_000);
            bench.advert_for(last, &format!("198.18.{last}.9"), 200, |_| ());
            bench.run(2_000);
            bench
        }),
        ("master", |count| later(whole(count))),
        ("fault", |count| {
            let mut bench = later(whole(count));
            bench.link(0, false);
            bench
        }),
        ("last one's fault", |count| {
            let mut bench = later(whole(count));
            bench.link(u32::from(count) - 1, false);
            bench
        }),
    ];
    type Event = fn(&mut Bench, usize) -> Vec<String>;
    fn advert(bench: &mut Bench, last: usize, priority: u8) -> Vec<String> {
        bench.advert_for(last, &format!("198.18.{last}.9"), priority, |_| ())
    }
    let events: [(&str, Event); 10] = [
        ("higher priority", |b, last| advert(b, last, 200)),
        ("lower priority", |b, last| advert(b, last, 50)),
        ("priority 0", |b, last| advert(b, last, 0)),
        ("its timer", |b, last| {
            let Some(at) = b.view(last).deadline else {
                return vec![String::from("it has none")];
            };
            // The others' timers have been served when it is due.
            let wait = at.since(b.now).as_millis() + 1;
            b.run(u64::try_from(wait).unwrap())
        }),
        ("link down", |b, last| {
            b.link(u32::try_from(last).unwrap(), false)
        }),
        ("link up", |b, last| {
            b.link(u32::try_from(last).unwrap(), true)
        }),
        ("another's link up", |b, _| b.link(0, true)),
        ("script succeeds", |b, _| {
            b.vrrp.handle_script_exit(b.now, "check", Exited(0));
            b.drain()
        }),
        ("script fails", |b, _| {
            b.vrrp.handle_script_exit(b.now, "check", Exited(1));
            b.drain()
        }),
        ("stop", |b, _| {
            b.vrrp.handle_stop(b.now, Release::Everything);
            b.drain()
        }),
    ];
    let mut table = String::new();
    for count in [2, 3] {
        for (state, make) in makes {
            for (event, happen) in events {
                let mut bench = make(count);
                let last = usize::from(count) - 1;
                let said = without_logs(happen(&mut bench, last));
                let after = states(&bench).join(" ");
                let group = bench.vrrp.groups().next().unwrap().state.word();
                let said = if said.is_empty() {
                    String::from(" -")
                } else {
                    said.iter().map(|what| format!("\n    {what}")).collect()
                };
                table += &format!("{state}, {event}: {after} (G {group}){said}\n");
            }
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn all_become_master_when_the_last_one_may() {
    let (mut bench, said) = Bench::with(whole(2));
    assert_eq!(
        told(&said),
        [
            "VRRP_Group(G) Syncing instances to BACKUP state",
            "(A) Entering BACKUP STATE (init)",
            "(B) Entering BACKUP STATE (init)",
        ],
        "keepalived: at start the group speaks first"
    );
    // A may at 3414 ms, B at 3492 ms.
    assert_eq!(
        bench.run(3_700),
        [
            "3492 advert 130",
            "3492 add 198.18.1.100",
            "3492 garp 198.18.1.100",
            "3492 (B) Entering MASTER STATE",
            "3492 advert 150",
            "3492 add 198.18.0.100",
            "3492 garp 198.18.0.100",
            "3492 (A) Entering MASTER STATE",
            "3492 VRRP_Group(G) Syncing instances to MASTER state",
        ]
    );
}

#[test]
fn who_gives_way_takes_all_along_without_a_goodbye() {
    let mut bench = later(whole(3));
    let said = bench.advert_for(1, "198.18.1.9", 200, |_| ());
    assert_eq!(
        told(&said),
        [
            "(B) Entering BACKUP STATE",
            "(A) Entering BACKUP STATE",
            "(C) Entering BACKUP STATE",
            "VRRP_Group(G) Syncing instances to BACKUP state"
        ]
    );
    assert!(!said.contains(&String::from("advert 0")), "{said:?}");
}

/// The fault that counts is the last one to go.
#[test]
fn faults_of_several_members_end_together() {
    let mut bench = later(whole(2));
    let said = bench.link(1, false);
    assert_eq!(
        told(&said),
        [
            "(B) Entering FAULT STATE",
            "(A) Entering FAULT STATE",
            "VRRP_Group(G) Syncing instances to FAULT state"
        ]
    );
    assert_eq!(said.iter().filter(|what| *what == "advert 0").count(), 2);
    assert_eq!(told(&bench.link(0, false)), Vec::<&String>::new());
    assert_eq!(told(&bench.link(1, true)), Vec::<&String>::new());
    assert_eq!(
        told(&bench.link(0, true)),
        [
            "(A) Entering BACKUP STATE",
            "(B) Entering BACKUP STATE",
            "VRRP_Group(G) Syncing instances to BACKUP state"
        ]
    );
}

#[test]
fn a_fault_at_start_is_everybodys() {
    let mut bench = Bench::idle();
    bench.link(1, false);
    let said = bench.settings(whole(3));
    assert_eq!(
        told(&said),
        [
            "(A) Entering FAULT STATE",
            "(B) Entering FAULT STATE",
            "(C) Entering FAULT STATE",
            "VRRP_Group(G) Syncing instances to FAULT state"
        ]
    );
}

#[test]
fn one_member_waits_for_its_script_and_all_wait() {
    let (mut bench, said) = Bench::with(tracking(whole(2), 1));
    assert_eq!(told(&said), Vec::<&String>::new());
    assert_eq!(told(&bench.run(500)), Vec::<&String>::new());
    bench.vrrp.handle_script_exit(bench.now, "check", Exited(0));
    assert_eq!(
        told(&bench.drain()),
        [
            "VRRP_Group(G) Syncing instances to BACKUP state",
            "(B) Entering BACKUP STATE (init)",
            "(A) Entering BACKUP STATE (init)",
        ]
    );
    let (mut bench, _) = Bench::with(tracking(whole(2), 1));
    bench.run(0);
    bench.vrrp.handle_script_exit(bench.now, "check", Exited(1));
    assert_eq!(
        told(&bench.drain()),
        [
            "(B) Entering FAULT STATE",
            "(A) Entering FAULT STATE",
            "VRRP_Group(G) Syncing instances to FAULT state"
        ]
    );
}

fn own(settings: &mut InstanceSettings) {
    settings.priority = Priority::OWNER;
    settings.state = InitialState::Master;
}

#[test]
fn owners_of_everything_begin_as_masters() {
    let (mut bench, said) = Bench::with(with_each(whole(2), own));
    assert_eq!(told(&said), Vec::<&String>::new());
    assert_eq!(
        told(&bench.run(0)),
        [
            "0 (A) Entering MASTER STATE",
            "0 (B) Entering MASTER STATE",
            "0 VRRP_Group(G) Syncing instances to MASTER state",
        ]
    );
}

/// keepalived: in a group where any member is not an owner wanting MASTER, nobody begins as MASTER.
#[test]
fn an_owner_among_others_begins_as_backup() {
    let mut some = whole(2);
    own(&mut some.instances[0]);
    let (mut bench, _) = Bench::with(some);
    assert_eq!(states(&bench), ["BACKUP", "BACKUP"]);
    let seen = bench.run(8_000);
    assert!(told(&seen).iter().all(|what| what.starts_with("3492 ")));
    assert_eq!(states(&bench), ["MASTER", "MASTER"]);
}

#[test]
fn a_group_of_one_is_a_router_with_two_names() {
    let (mut bench, said) = Bench::with(whole(1));
    assert_eq!(told(&said).len(), 2);
    assert_eq!(
        told(&bench.run(3_500)),
        [
            "3414 (A) Entering MASTER STATE",
            "3414 VRRP_Group(G) Syncing instances to MASTER state",
        ]
    );
}

#[test]
fn a_resumed_group_says_nothing() {
    let mut bench = Bench::idle();
    bench.vrrp.resume([String::from("A"), String::from("B")]);
    let said = bench.settings(whole(2));
    assert_eq!(states(&bench), ["MASTER", "MASTER"]);
    assert_eq!(told(&said), Vec::<&String>::new());
    // Only half a group was master when the predecessor died: nobody is now.
    let mut bench = Bench::idle();
    bench.vrrp.resume([String::from("A")]);
    bench.settings(whole(2));
    assert_eq!(states(&bench), ["BACKUP", "BACKUP"]);
}

mod reloads {
    use super::*;

    /// What an old master must not do because of a reload, for whoever is called so.
    fn undisturbed(said: &[String], name: &str, address: &str) {
        for forbidden in [
            format!("({name}) Entering"),
            format!("remove {address}"),
            format!("add {address}"),
            String::from("advert 0"),
        ] {
            let met = said.iter().find(|what| what.contains(&forbidden));
            assert_eq!(met, None, "{said:?}");
        }
    }

    #[test]
    fn a_member_added_to_masters_joins_them() {
        let mut bench = later(whole(2));
        let beats = [bench.view(0).deadline, bench.view(1).deadline];
        let said = bench.settings(whole(3));
        assert_eq!(
            without_logs(said.clone()),
            [
                "join 224.0.0.18",
                "advert 110",
                "add 198.18.2.100",
                "garp 198.18.2.100",
                "(C) Entering MASTER STATE",
            ],
            "the group has said MASTER already"
        );
        undisturbed(&said, "A", "198.18.0.100");
        assert_eq!(beats, [bench.view(0).deadline, bench.view(1).deadline]);
    }

    /// Another router altogether has its name: the old one says goodbye, the new one joins.
    #[test]
    fn a_replaced_member_joins_the_masters() {
        let mut bench = later(whole(2));
        let mut other = whole(2);
        other.instances[1].vrid = Vrid::new(9).unwrap();
        let said = bench.settings(other);
        assert_eq!(
            without_logs(said),
            [
                "advert 0",
                "(B) Removed by reload",
                "advert 130",
                "garp 198.18.1.100",
                "(B) Entering MASTER STATE",
            ],
            "and its address is not touched"
        );
        assert_eq!(states(&bench), ["MASTER", "MASTER"]);
    }

    /// A better router for the joiner makes all give way, as it would have at any other time.
    #[test]
    fn a_joiner_that_is_beaten_takes_all_along() {
        let mut bench = later(whole(2));
        bench.settings(whole(3));
        let said = bench.advert_for(2, "198.18.2.9", 200, |_| ());
        assert_eq!(
            told(&said),
            [
                "(C) Entering BACKUP STATE",
                "(A) Entering BACKUP STATE",
                "(B) Entering BACKUP STATE",
                "VRRP_Group(G) Syncing instances to BACKUP state"
            ]
        );
    }

    #[test]
    fn a_faulty_joiner_is_everybodys_fault() {
        let mut bench = later(whole(2));
        bench.link(2, false);
        let said = bench.settings(whole(3));
        assert_eq!(
            told(&said),
            [
                "(A) Entering FAULT STATE",
                "(B) Entering FAULT STATE",
                "(C) Entering FAULT STATE",
                "VRRP_Group(G) Syncing instances to FAULT state"
            ]
        );
    }

    #[test]
    fn a_member_that_leaves_goes_on() {
        let two = settings((0..3).map(member).collect(), vec![group("G", &["A", "B"])]);
        let mut bench = later(whole(3));
        assert_eq!(bench.settings(two.clone()), Vec::<String>::new());
        assert_eq!(states(&bench), ["MASTER", "MASTER", "MASTER"]);
        // Only the fault of another held C.
        let mut bench = later(whole(3));
        bench.link(0, false);
        assert_eq!(
            told(&bench.settings(two.clone())),
            ["(C) Entering BACKUP STATE"]
        );
        // C's own fault held the others.
        let mut bench = later(whole(3));
        bench.link(2, false);
        assert_eq!(
            told(&bench.settings(two)),
            [
                "(A) Entering BACKUP STATE",
                "(B) Entering BACKUP STATE",
                "VRRP_Group(G) Syncing instances to BACKUP state",
            ]
        );
    }

    #[test]
    fn another_name_is_nobodys_business() {
        let mut bench = later(whole(2));
        let renamed = settings((0..2).map(member).collect(), vec![group("H", &["A", "B"])]);
        assert_eq!(bench.settings(renamed), Vec::<String>::new());
        assert_eq!(bench.vrrp.groups().next().unwrap().state, StateName::Master);
        let said = bench.advert_for(0, "198.18.0.9", 200, |_| ());
        assert_eq!(
            told(&said).last().unwrap().as_str(),
            "VRRP_Group(H) Syncing instances to BACKUP state"
        );
    }

    #[test]
    fn masters_and_backups_that_are_merged_are_masters() {
        let apart = settings((0..2).map(member).collect(), Vec::new());
        let mut bench = later(apart);
        let better = |b: &mut Bench| b.advert_for(1, "198.18.1.9", 200, |_| ());
        better(&mut bench);
        assert_eq!(states(&bench), ["MASTER", "BACKUP"]);
        let said = bench.settings(whole(2));
        assert_eq!(
            without_logs(said),
            [
                "advert 130",
                "add 198.18.1.100",
                "garp 198.18.1.100",
                "(B) Entering MASTER STATE",
                "VRRP_Group(G) Syncing instances to MASTER state",
            ]
        );
        better(&mut bench);
        assert_eq!(states(&bench), ["BACKUP", "BACKUP"]);
    }

    #[test]
    fn two_groups_become_one() {
        let two = settings(
            (0..3).map(member).collect(),
            vec![group("G", &["A"]), group("H", &["B", "C"])],
        );
        let mut bench = later(two);
        bench.advert_for(0, "198.18.0.9", 200, |_| ());
        assert_eq!(states(&bench), ["BACKUP", "MASTER", "MASTER"]);
        let said = bench.settings(whole(3));
        assert_eq!(
            told(&said),
            [
                "(A) Entering MASTER STATE",
                "VRRP_Group(G) Syncing instances to MASTER state"
            ]
        );
        undisturbed(&said, "B", "198.18.1.100");
        undisturbed(&said, "C", "198.18.2.100");
    }

    /// A group keeps its name and gets other members: it says what they are.
    #[test]
    fn a_group_of_others_says_what_they_are() {
        let instances = || (0..3).map(member).collect();
        let mut bench = later(settings(instances(), vec![group("G", &["A", "B"])]));
        bench.advert_for(2, "198.18.2.9", 200, |_| ());
        assert_eq!(states(&bench), ["MASTER", "MASTER", "BACKUP"]);
        let said = bench.settings(settings(instances(), vec![group("G", &["C"])]));
        assert_eq!(
            told(&said),
            ["VRRP_Group(G) Syncing instances to BACKUP state"]
        );
        assert_eq!(states(&bench), ["MASTER", "MASTER", "BACKUP"]);
    }
}
