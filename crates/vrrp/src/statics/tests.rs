use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use types::{Family, IfIndex, Prefix};

use super::*;
use crate::settings::Settings;
use crate::settings::routes::RouteType;
use crate::settings::rules::{Lookup, RuleAction};
use crate::testbench::{Bench, eth, instance, ip, virtual_address};
use crate::{Release, SeenRoute};

const NOTHING: [&str; 0] = [];

fn fixed<T>(entry: T) -> Static<T> {
    Static {
        entry,
        track_group: None,
    }
}

fn route() -> Route {
    let mut route = Route::new(Prefix::new(ip("10.0.1.0"), 24).unwrap());
    route.interface = Some(eth(1));
    route
}

fn rule() -> Rule {
    Rule::new(Family::V4, 300, RuleAction::Lookup(Lookup::new(100)))
}

fn settings() -> Settings {
    Settings {
        static_ipaddress: vec![fixed(virtual_address("198.18.1.60", eth(1)))],
        static_routes: vec![fixed(route())],
        static_rules: vec![fixed(rule())],
        ..Settings::default()
    }
}

fn gone() -> SeenRoute {
    SeenRoute {
        destination: route().destination,
        from: None,
        kind: RouteType::UNICAST,
        tos: 0,
        table: 254,
        protocol: 18,
        scope: 0,
        metric: 0,
        ways: vec![(None, IfIndex::new(3))],
    }
}

/// Without what goes to the log.
fn asked(said: Vec<String>) -> Vec<String> {
    said.into_iter()
        .filter(|what| !what.contains("log"))
        .collect()
}

#[test]
fn there_from_start_to_stop_without_any_instance() {
    let (mut bench, said) = Bench::with(settings());
    assert_eq!(
        asked(said),
        [
            "add 198.18.1.60",
            "add route 10.0.1.0/24 dev eth1",
            "add rule preference 300 table 100"
        ]
    );
    assert_eq!(asked(bench.settings(settings())), NOTHING);
    bench.vrrp.handle_stop(bench.now, Release::Nothing);
    assert_eq!(
        asked(bench.drain()),
        [
            "remove rule preference 300 table 100",
            "remove route 10.0.1.0/24 dev eth1",
            "remove 198.18.1.60"
        ],
        "they do not stay, whatever else does"
    );
}

#[test]
fn what_becomes_static_is_not_touched() {
    let mut held = instance("VI");
    held.virtual_routes = vec![route()].into();
    let mut bench = Bench::master(held);
    let changed = Settings {
        instances: vec![instance("VI")],
        static_routes: vec![fixed(route())],
        ..Settings::default()
    };
    let said = bench.settings(changed);
    assert!(said.iter().all(|what| !what.contains("route")), "{said:?}");
}

#[test]
fn what_somebody_removes_is_put_back() {
    let (mut bench, _) = Bench::with(settings());
    let said = bench.address(1, "198.18.1.60", 32, false);
    assert_eq!(
        said,
        [
            "log somebody removed the static address 198.18.1.60/32 of eth1: it is put back",
            "add 198.18.1.60"
        ]
    );
    bench.vrrp.handle_route_gone(bench.now, &gone());
    assert_eq!(asked(bench.drain()), ["add route 10.0.1.0/24 dev eth1"]);
    bench.vrrp.handle_rule_gone(bench.now, &rule());
    assert_eq!(asked(bench.drain()), ["add rule preference 300 table 100"]);
}

#[test]
fn no_track_leaves_it_to_whoever_took_it() {
    let mut untracked = settings();
    untracked.static_ipaddress[0].entry.no_track = true;
    untracked.static_routes[0].entry.no_track = true;
    untracked.static_rules[0].entry.no_track = true;
    let (mut bench, _) = Bench::with(untracked);
    assert_eq!(bench.address(1, "198.18.1.60", 32, false), NOTHING);
    bench.vrrp.handle_route_gone(bench.now, &gone());
    bench.vrrp.handle_rule_gone(bench.now, &rule());
    assert_eq!(bench.drain(), NOTHING);
    // But an interface that comes up has them.
    bench.link(1, false);
    assert_eq!(
        asked(bench.link(1, true)),
        ["add 198.18.1.60", "add route 10.0.1.0/24 dev eth1 no_track"]
    );
}

#[test]
fn a_fight_is_slowed_down_to_once_a_second() {
    let (mut bench, _) = Bench::with(settings());
    let mut at_once = 0;
    for _time in 0..10 {
        let said = bench.address(1, "198.18.1.60", 32, false);
        at_once += usize::from(said.iter().any(|what| what.starts_with("add")));
    }
    assert_eq!(at_once, usize::try_from(PATIENCE).unwrap());
    assert_eq!(bench.run(999), NOTHING);
    assert_eq!(bench.run(2), ["1000 add 198.18.1.60"]);
    let said = bench.address(1, "198.18.1.60", 32, false);
    assert_eq!(asked(said), NOTHING, "still fighting");
    assert_eq!(asked(bench.run(1_000)).len(), 1);
    // A reload does not forget what was put off.
    assert_eq!(asked(bench.address(1, "198.18.1.60", 32, false)), NOTHING);
    assert_eq!(asked(bench.settings(settings())), ["add 198.18.1.60"]);
    bench.run(11_000);
    let said = bench.address(1, "198.18.1.60", 32, false);
    assert_eq!(asked(said), ["add 198.18.1.60"], "patience is back");
}

#[test]
fn a_flush_of_thousands_is_put_back_and_named_in_part() {
    let addresses = |count: u16| -> Vec<_> {
        (0..count)
            .map(|number| {
                let [high, low] = number.to_be_bytes();
                let text = alloc::format!("10.9.{high}.{low}");
                fixed(virtual_address(&text, eth(1)))
            })
            .collect()
    };
    let (mut bench, _) = Bench::with(Settings {
        static_ipaddress: addresses(1000),
        ..Settings::default()
    });
    let (mut said, mut added) = (0, 0);
    for fixed in addresses(1000) {
        let text = fixed.entry.prefix.address().to_string();
        for what in bench.address(1, &text, 32, false) {
            said += usize::from(what.starts_with("log"));
            added += usize::from(what.starts_with("add"));
        }
    }
    assert_eq!((said, added), (NAMED, 1000));
}

#[test]
fn a_static_address_comes_with_its_interface() {
    let mut bench = Bench::idle();
    bench.link_gone(1);
    let said = bench.settings(settings());
    assert_eq!(asked(said), ["add rule preference 300 table 100"]);
    assert_eq!(
        asked(bench.link(1, true)),
        ["add 198.18.1.60", "add route 10.0.1.0/24 dev eth1"]
    );
}

/// Adverts left from a static address that a reload takes away, or that is not put back at once.
#[test]
fn a_source_that_was_static_is_given_up_with_it() {
    let mut bench = Bench::idle();
    let index = IfIndex::new(9).unwrap();
    let interface = crate::Interface {
        index,
        name: eth(7),
        ..Bench::interface(0, true)
    };
    bench.vrrp.handle_interface(bench.now, interface);
    let mut one = instance("A");
    one.interface = Some(eth(7));
    one.virtual_ipaddress = vec![virtual_address("198.18.7.100", eth(7))].into();
    let with = |address: &str| Settings {
        instances: vec![one.clone()],
        static_ipaddress: vec![fixed(virtual_address(address, eth(7)))],
        ..Settings::default()
    };
    bench.settings(with("198.18.7.1"));
    bench.run(4_000);
    assert_eq!(bench.view(0).source, Some(ip("198.18.7.1")));
    bench.settings(with("198.18.7.2"));
    bench.run(4_000);
    assert_eq!(bench.view(0).source, Some(ip("198.18.7.2")));
    for _ in 0..6 {
        let prefix = Prefix::host(ip("198.18.7.2"));
        bench.vrrp.handle_address_gone(bench.now, index, prefix);
        bench.drain();
    }
    assert_eq!(bench.view(0).source, None, "it is put back later");
    bench.run(2_000);
    assert_eq!(bench.view(0).source, Some(ip("198.18.7.2")));
}
