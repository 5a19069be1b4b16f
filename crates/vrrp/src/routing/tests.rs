//! Routes and rules, seen from outside: what a core asks for, and what it makes of what the kernel tells.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use types::{Family, IfIndex, Prefix};

use crate::settings::routes::{Insertion, NextHop, Table};
use crate::settings::rules::{Lookup, RuleAction};
use crate::settings::{InstanceSettings, Route, Rule, Settings};
use crate::testbench::{Bench, eth, instance, ip};
use crate::{Release, SeenRoute, StateName};

fn prefix(text: &str) -> Prefix {
    let (address, length) = text.split_once('/').unwrap();
    Prefix::new(ip(address), length.parse().unwrap()).unwrap()
}

/// `10.0.N.0/24 dev ethN`, and more.
fn route(number: u32, change: impl FnOnce(&mut Route)) -> Route {
    let mut route = Route::new(prefix(&alloc::format!("10.0.{number}.0/24")));
    route.interface = Some(eth(number));
    change(&mut route);
    route
}

fn rule(preference: u32) -> Rule {
    Rule::new(Family::V4, preference, RuleAction::Lookup(Lookup::new(100)))
}

fn index(number: u32) -> Option<IfIndex> {
    IfIndex::new(number + 2)
}

/// The route of [`route`] as the kernel tells of it.
fn seen(number: u32) -> SeenRoute {
    let route = route(number, |_| ());
    SeenRoute {
        destination: route.destination,
        from: None,
        kind: route.kind,
        tos: 0,
        table: 254,
        protocol: 18,
        scope: 0,
        metric: 0,
        ways: vec![(None, index(number))],
    }
}

fn with(routes: Vec<Route>, rules: Vec<Rule>) -> InstanceSettings {
    InstanceSettings {
        virtual_routes: routes.into(),
        virtual_rules: rules.into(),
        ..instance("VI")
    }
}

fn settings(instances: Vec<InstanceSettings>) -> Settings {
    Settings {
        instances,
        ..Settings::default()
    }
}

/// What a step made it ask the kernel for.
fn asked(said: Vec<String>) -> Vec<String> {
    said.into_iter()
        .filter(|what| {
            ["add", "remove", "replace"]
                .iter()
                .any(|verb| what.contains(verb))
                && !what.contains("log")
        })
        .collect()
}

const NOTHING: [&str; 0] = [];

#[test]
fn addresses_come_first_and_go_last() {
    let mut bench = Bench::one(with(vec![route(0, |_| ())], vec![rule(300)]));
    let seen = asked(bench.run(4_000));
    let seen: Vec<&str> = seen
        .iter()
        .map(|line| line.split_once(' ').unwrap().1)
        .collect();
    assert_eq!(
        seen,
        [
            "add 198.18.0.100",
            "add route 10.0.0.0/24 dev eth0",
            "add rule preference 300 table 100"
        ]
    );
    assert_eq!(
        asked(bench.advert("198.18.0.9", 200)),
        [
            "remove rule preference 300 table 100",
            "remove route 10.0.0.0/24 dev eth0",
            "remove 198.18.0.100"
        ]
    );
}

#[test]
fn a_reload_replaces_what_has_other_options_only() {
    let before = vec![
        route(0, |_| ()),
        route(1, |_| ()),
        route(2, |r| r.insertion = Insertion::Append),
    ];
    let mut bench = Bench::master(with(before, vec![rule(300)]));
    let source = |r: &mut Route| r.source = Some(ip("198.18.0.5"));
    let after = vec![
        route(0, source),
        route(1, |_| ()),
        route(2, |r| {
            (r.insertion, r.source) = (Insertion::Append, Some(ip("198.18.0.5")))
        }),
    ];
    let said = bench.settings(settings(vec![with(after, vec![rule(300)])]));
    assert_eq!(
        asked(said),
        [
            "replace route 10.0.0.0/24 src 198.18.0.5 dev eth0",
            "remove route 10.0.2.0/24 dev eth2 append",
            "add route 10.0.2.0/24 src 198.18.0.5 dev eth2 append",
        ],
        "what stands behind others cannot be replaced"
    );
    // Another metric is another route; the new one comes before the old one goes.
    let after = vec![route(0, source), route(1, |r| r.metric = Some(7))];
    let said = bench.settings(settings(vec![with(after, vec![rule(301)])]));
    assert_eq!(
        asked(said),
        [
            "add route 10.0.1.0/24 dev eth1 metric 7",
            "add rule preference 301 table 100",
            "remove rule preference 300 table 100",
            "remove route 10.0.1.0/24 dev eth1",
            "remove route 10.0.2.0/24 src 198.18.0.5 dev eth2 append",
        ]
    );
}

#[test]
fn a_route_that_must_be_alone_waits_for_the_old_one_to_go() {
    let alone = |via: &str| {
        let via = Some(ip(via));
        route(0, |r| (r.insertion, r.via) = (Insertion::Add, via))
    };
    let mut bench = Bench::master(with(vec![alone("198.18.0.1")], Vec::new()));
    let said = bench.settings(settings(vec![with(vec![alone("198.18.0.2")], Vec::new())]));
    assert_eq!(
        asked(said),
        [
            "remove route 10.0.0.0/24 via 198.18.0.1 dev eth0 add",
            "add route 10.0.0.0/24 via 198.18.0.2 dev eth0 add",
        ]
    );
}

#[test]
fn what_moves_from_one_instance_to_another_is_not_touched() {
    let other = |routes, rules| InstanceSettings {
        interface: Some(eth(1)),
        ..InstanceSettings {
            name: "OTHER".to_string(),
            ..with(routes, rules)
        }
    };
    let entries = || (vec![route(2, |_| ())], vec![rule(300)]);
    let (routes, rules) = entries();
    let mut bench = Bench::with(settings(vec![
        with(routes, rules),
        other(Vec::new(), Vec::new()),
    ]))
    .0;
    bench.run(4_000);
    assert_eq!(bench.state(1), StateName::Master);
    let (routes, rules) = entries();
    let said = bench.settings(settings(vec![
        with(Vec::new(), Vec::new()),
        other(routes, rules),
    ]));
    assert_eq!(asked(said), NOTHING);
    assert_eq!(
        asked(bench.settings(settings(vec![with(Vec::new(), Vec::new())]))).len(),
        2,
        "a deleted instance lets go of its route and its rule; the other one has its address, too"
    );
}

#[test]
fn left_overs_are_taken_over_or_removed() {
    for resumes in [false, true] {
        let mut bench = Bench::idle();
        // One more that is somebody else's business.
        bench
            .vrrp
            .handle_routing_snapshot(bench.now, vec![seen(0), seen(1)], vec![rule(300)]);
        if resumes {
            bench.vrrp.resume(["VI".to_string()]);
        }
        let said = bench.settings(settings(vec![with(
            vec![route(0, |_| ()), route(2, |_| ())],
            vec![rule(300), rule(301)],
        )]));
        let expected = if resumes {
            [
                "add 198.18.0.100",
                // Nobody knows with which options it was made.
                "replace route 10.0.0.0/24 dev eth0",
                "add route 10.0.2.0/24 dev eth2",
                "add rule preference 301 table 100",
            ]
            .as_slice()
        } else {
            &[
                "remove rule preference 300 table 100",
                "remove route 10.0.0.0/24 dev eth0",
            ]
        };
        assert_eq!(asked(said), expected);
    }
}

#[test]
fn a_route_waits_for_its_interface_and_comes_back_with_it() {
    let mut bench = Bench::master(with(vec![route(1, |r| r.no_track = true)], vec![rule(300)]));
    assert_eq!(asked(bench.link(1, false)), NOTHING);
    assert_eq!(
        asked(bench.link(1, true)),
        ["add route 10.0.1.0/24 dev eth1 no_track"],
        "the kernel may have dropped it without a word"
    );
    assert_eq!(asked(bench.link_gone(1)), NOTHING);
    let routes = vec![route(1, |_| ())];
    let said = bench.settings(settings(vec![with(routes, vec![rule(300)])]));
    assert_eq!(asked(said), NOTHING, "not while its interface is away");
    assert_eq!(
        asked(bench.link(1, true)),
        ["add route 10.0.1.0/24 dev eth1"]
    );
}

#[test]
fn other_options_while_the_interface_is_down() {
    let mut bench = Bench::master(with(vec![route(1, |_| ())], Vec::new()));
    bench.link(1, false);
    let source = route(1, |r| r.source = Some(ip("198.18.0.5")));
    let said = bench.settings(settings(vec![with(vec![source], Vec::new())]));
    assert_eq!(asked(said), ["remove route 10.0.1.0/24 dev eth1"]);
    assert_eq!(
        asked(bench.link(1, true)),
        ["add route 10.0.1.0/24 src 198.18.0.5 dev eth1"]
    );
}

#[test]
fn a_refused_route_is_asked_for_again_when_an_address_appears() {
    let mut bench = Bench::master(with(
        vec![route(0, |r| r.via = Some(ip("192.0.2.1")))],
        Vec::new(),
    ));
    let refused = route(0, |r| r.via = Some(ip("192.0.2.1")));
    bench.vrrp.handle_route_refused(&refused);
    assert_eq!(asked(bench.address(1, "fd00::9", 64, true)), NOTHING);
    assert_eq!(
        asked(bench.address(0, "192.0.2.9", 24, true)),
        ["add route 10.0.0.0/24 via 192.0.2.1 dev eth0"]
    );
    assert_eq!(asked(bench.address(0, "192.0.2.10", 24, true)), NOTHING);
}

#[test]
fn what_was_refused_is_not_removed() {
    let mut bench = Bench::master(with(vec![route(0, |_| ())], vec![rule(300)]));
    bench.vrrp.handle_route_refused(&route(0, |_| ()));
    bench.vrrp.handle_rule_refused(&rule(300));
    assert_eq!(
        asked(bench.advert("198.18.0.9", 200)),
        ["remove 198.18.0.100"]
    );
}

#[test]
fn the_loss_of_a_route_or_a_rule_is_noticed_unless_no_track() {
    let settings = |no_track| {
        with(
            vec![route(2, |r| r.no_track = no_track)],
            vec![Rule {
                no_track,
                ..rule(300)
            }],
        )
    };
    for no_track in [true, false] {
        for of_route in [true, false] {
            let mut bench = Bench::master(settings(no_track));
            let others = SeenRoute {
                metric: 9,
                ..seen(2)
            };
            bench.vrrp.handle_route_gone(bench.now, &others);
            bench.vrrp.handle_rule_gone(bench.now, &rule(301));
            assert_eq!(bench.drain(), NOTHING, "nothing of ours");
            if of_route {
                bench.vrrp.handle_route_gone(bench.now, &seen(2));
            } else {
                bench.vrrp.handle_rule_gone(bench.now, &rule(300));
            }
            let said = bench.drain();
            assert_eq!(said.is_empty(), no_track, "{said:?}");
            if no_track {
                continue;
            }
            let what = if of_route {
                "route 10.0.2.0/24 dev eth2"
            } else {
                "rule preference 300 table 100"
            };
            assert!(
                said.iter()
                    .any(|line| line.contains(&alloc::format!("somebody removed the {what}"))),
                "{said:?}"
            );
            assert_eq!(asked(said), [alloc::format!("add {what}")]);
            assert_eq!(bench.state(0), StateName::Master);
        }
    }
}

#[test]
fn whoever_keeps_removing_a_rule_gets_the_better_of_us() {
    let mut bench = Bench::master(with(Vec::new(), vec![rule(300)]));
    for _time in 0..5 {
        bench.vrrp.handle_rule_gone(bench.now, &rule(300));
        assert_eq!(asked(bench.drain()), ["add rule preference 300 table 100"]);
    }
    bench.vrrp.handle_rule_gone(bench.now, &rule(300));
    let said = bench.drain();
    assert_eq!(bench.state(0), StateName::Backup);
    assert_eq!(
        asked(said),
        ["remove 198.18.0.100"],
        "the rule is not there to be removed"
    );
}

#[test]
fn what_goes_with_an_interface_is_no_loss() {
    let mut bench = Bench::master(with(vec![route(2, |_| ())], Vec::new()));
    bench.link(2, false);
    bench.vrrp.handle_route_gone(bench.now, &seen(2));
    assert_eq!(asked(bench.drain()), NOTHING);
    let mut expiring = Bench::master(with(vec![route(2, |r| r.expires = Some(60))], Vec::new()));
    expiring.vrrp.handle_route_gone(expiring.now, &seen(2));
    assert_eq!(expiring.drain(), NOTHING, "it was told to expire");
}

#[test]
fn a_snapshot_tells_what_nobody_has_told() {
    let mut bench = Bench::master(with(vec![route(2, |_| ())], vec![rule(300)]));
    bench
        .vrrp
        .handle_routing_snapshot(bench.now, vec![seen(2)], vec![rule(300)]);
    assert_eq!(bench.drain(), NOTHING);
    bench
        .vrrp
        .handle_routing_snapshot(bench.now, Vec::new(), vec![rule(300)]);
    assert!(
        bench
            .drain()
            .iter()
            .any(|line| line.contains("somebody removed the route"))
    );
}

#[test]
fn the_table_of_a_vrf_is_found_by_its_device() {
    let vrf = |r: &mut Route| r.table = Table::Vrf(eth(1));
    let mut bench = Bench::master(with(vec![route(2, vrf)], Vec::new()));
    bench.vrrp.handle_vrf(&eth(1), 77);
    assert_eq!(
        asked(bench.drain()),
        ["add route 10.0.2.0/24 dev eth2 vrf eth1"],
        "not before its table is known"
    );
    bench.vrrp.handle_route_gone(bench.now, &seen(2));
    assert_eq!(bench.drain(), NOTHING, "another table");
    let gone = SeenRoute {
        table: 77,
        ..seen(2)
    };
    bench.vrrp.handle_route_gone(bench.now, &gone);
    assert_ne!(bench.drain(), NOTHING);
}

#[test]
fn ways_are_compared_one_by_one() {
    let hop = |via: &str, number: u32| NextHop {
        via: Some(ip(via)),
        interface: Some(eth(number)),
        ..NextHop::default()
    };
    let route = Route {
        next_hops: vec![hop("fe80::1", 1), hop("fe80::2", 2)],
        ..Route::new(prefix("2001:db8::/32"))
    };
    let told = |ways| SeenRoute {
        destination: prefix("2001:db8::/32"),
        metric: 1024,
        ways,
        ..seen(0)
    };
    let (one, two) = (
        (Some(ip("fe80::1")), index(1)),
        (Some(ip("fe80::2")), index(2)),
    );
    let foreign = (Some(ip("fe80::3")), index(2));
    for (ways, ours) in [
        (vec![one, two], true),
        (vec![two], true),
        (vec![one, foreign], false),
    ] {
        let mut bench = Bench::master(with(vec![route.clone()], Vec::new()));
        bench.vrrp.handle_route_gone(bench.now, &told(ways));
        assert_eq!(!bench.drain().is_empty(), ours);
    }
}

#[test]
fn a_stop_takes_everything_or_leaves_it() {
    for (release, count) in [(Release::Everything, 3), (Release::Nothing, 0)] {
        let mut bench = Bench::master(with(vec![route(0, |_| ())], vec![rule(300)]));
        bench.vrrp.handle_stop(bench.now, release);
        assert_eq!(asked(bench.drain()).len(), count);
    }
}
