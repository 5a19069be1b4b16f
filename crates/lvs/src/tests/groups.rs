//! Groups: many IPVS services for one virtual server, many virtual servers for one IPVS service, marks that nftables sets.

use super::*;
use crate::settings::global::Nftables;
use crate::settings::{Group, GroupEntry, GroupId};
use types::Family;

fn address(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 9, last))
}

fn range(first: u8, last: u8) -> GroupEntry {
    GroupEntry::Addresses {
        first: address(first),
        last: address(last),
        port: 80,
    }
}

fn group(name: &str, entries: &[GroupEntry]) -> Group {
    Group {
        name: name.into(),
        entries: entries.to_vec(),
    }
}

/// A virtual server of a group, with these servers.
fn user(group: u32, ordinal: u32, protocol: Protocol, servers: &[(u8, u32)]) -> VirtualServer {
    let mut service = virtual_server(&[]);
    service.service = Service::Group {
        group: GroupId(group),
        ordinal,
        protocol: Some(protocol),
        family: Some(Family::V4),
    };
    let servers = servers.iter();
    service.real_servers = servers
        .map(|(number, weight)| real_server(*number, *weight))
        .collect();
    service
}

impl Bench {
    /// All services, as `KEY SCHEDULER .1:2 .3:4`.
    fn tables(&self) -> Vec<String> {
        let services = self.kernel.services.iter();
        services
            .map(|(key, (options, destinations))| {
                let rows: Vec<String> = destinations
                    .iter()
                    .map(|(name, options)| format!(" .{}:{}", last(name.address), options.weight))
                    .collect();
                format!("{key} {}{}", options.scheduler, rows.concat())
            })
            .collect()
    }
}

#[test]
fn two_virtual_servers_share_the_services_of_a_group() {
    let settings = |users: Vec<VirtualServer>| Settings {
        virtual_servers: users,
        groups: vec![group("G", &[range(1, 2)])],
        ..Settings::default()
    };
    let first = user(0, 0, Protocol::Tcp, &[(1, 1), (2, 2)]);
    let mut second = user(0, 1, Protocol::Tcp, &[(2, 7), (3, 3)]);
    second.scheduler = "rr".into();
    let mut bench = Bench::begin(settings(vec![first.clone(), second.clone()]));
    // The first one says how; a server of both has the greater weight.
    assert_eq!(
        bench.tables(),
        [
            "10.0.9.1:tcp:80 wlc .1:1 .2:7 .3:3",
            "10.0.9.2:tcp:80 wlc .1:1 .2:7 .3:3"
        ]
    );
    // It fails for both at once; for each it comes back by itself.
    bench.round(&[2]);
    assert_eq!(bench.tables()[1], "10.0.9.2:tcp:80 wlc .1:1 .3:3");
    bench.round(&[]);
    assert_eq!(bench.tables()[1], "10.0.9.2:tcp:80 wlc .1:1 .2:7 .3:3");
    // One of them goes: services stay, for the other one has them still.
    bench.settings(settings(vec![user(0, 0, Protocol::Tcp, &[(2, 7), (3, 3)])]));
    assert_eq!(bench.tables()[0], "10.0.9.1:tcp:80 wlc .2:7 .3:3");
    bench.settings(settings(vec![first.clone()]));
    assert_eq!(bench.tables()[0], "10.0.9.1:tcp:80 wlc .1:1 .2:2");
    bench.settings(settings(vec![first.clone(), second.clone()]));
    assert_eq!(bench.tables()[0], "10.0.9.1:tcp:80 wlc .1:1 .2:7 .3:3");
    bench.settings(Settings::default());
    assert_eq!(bench.tables(), [""; 0]);
}

/// A mark is one service, whichever protocols its packets have.
#[test]
fn a_mark_is_shared_between_protocols() {
    let mark = GroupEntry::Mark {
        mark: 9,
        family: None,
    };
    let settings = Settings {
        virtual_servers: vec![
            user(0, 0, Protocol::Tcp, &[(1, 1)]),
            user(0, 1, Protocol::Udp, &[(2, 2)]),
        ],
        groups: vec![group("G", &[mark, range(1, 1)])],
        ..Settings::default()
    };
    let bench = Bench::begin(settings);
    assert_eq!(
        bench.tables(),
        [
            "10.0.9.1:tcp:80 wlc .1:1",
            "10.0.9.1:udp:80 wlc .2:2",
            "Fwm 9 wlc .1:1 .2:2"
        ]
    );
}

#[test]
fn entries_come_and_go() {
    let settings = |entries: &[GroupEntry]| Settings {
        virtual_servers: vec![user(0, 0, Protocol::Tcp, &[(1, 1)])],
        groups: vec![group("G", entries)],
        ..Settings::default()
    };
    let mut bench = Bench::begin(settings(&[range(1, 2)]));
    bench.round(&[]);
    bench.lines("");
    bench.settings(settings(&[range(2, 3)]));
    let keys = |bench: &Bench| {
        let tables = bench.tables();
        let keys: Vec<String> = tables.iter().map(|row| row[7..8].to_owned()).collect();
        keys.join(" ")
    };
    assert_eq!(keys(&bench), "2 3");
    assert_eq!(
        bench.lines(" group G"),
        [
            "VS [[10.0.9.1]:tcp:80-10.0.9.2] in group G no longer exists",
            "VS [[10.0.9.2]:tcp:80-10.0.9.3] added into group G"
        ]
    );
    bench.settings(settings(&[GroupEntry::Mark {
        mark: 4,
        family: Some(Family::V6),
    }]));
    assert_eq!(bench.tables(), ["Fwm 4 inet6 wlc .1:1"]);
    assert_eq!(bench.lines("VS [FWM 4] added into group G").len(), 1);
    bench.settings(settings(&[range(2, 2)]));
    assert_eq!(
        bench.lines(" group G"),
        [
            "VS [4] in group G no longer exists",
            "VS [[10.0.9.2]:tcp:80] added into group G"
        ]
    );
}

/// A number that nftables sets is a group's and a protocol's for good.
#[test]
fn marks_survive_reloads() {
    let settings = |names: &[&str]| Settings {
        virtual_servers: (0..)
            .zip(names)
            .map(|(at, _)| user(at, 0, Protocol::Tcp, &[(1, 1)]))
            .collect(),
        groups: (1..)
            .zip(names)
            .map(|(number, name)| group(name, &[range(10 * number, 10 * number + 3)]))
            .collect(),
        global: crate::settings::global::GlobalSettings {
            nftables: Nftables {
                table: Some("t".into()),
                ..Nftables::default()
            },
            ..Default::default()
        },
        ..Settings::default()
    };
    let marks =
        |bench: &Bench| -> Vec<u32> { bench.marked.0.iter().map(|claim| claim.mark).collect() };
    let mut bench = Bench::begin(settings(&["A", "B"]));
    assert_eq!(bench.tables(), ["Fwm 1000 wlc .1:1", "Fwm 1001 wlc .1:1"]);
    assert_eq!((marks(&bench), bench.marked.1), (vec![1000, 1001], 1));
    // Nothing new is told when nothing is new.
    bench.settings(settings(&["A", "B"]));
    assert_eq!(bench.marked.1, 1);
    bench.settings(settings(&["B"]));
    assert_eq!(bench.tables(), ["Fwm 1001 wlc .1:1"]);
    assert_eq!((marks(&bench), bench.marked.1), (vec![1001], 2));
    // Packets with 1000 may still be under way.
    bench.settings(settings(&["C", "B"]));
    assert_eq!(bench.tables(), ["Fwm 1001 wlc .1:1", "Fwm 1002 wlc .1:1"]);
    bench.settings(settings(&["A", "C", "B"]));
    assert_eq!(
        bench.tables(),
        [
            "Fwm 1000 wlc .1:1",
            "Fwm 1001 wlc .1:1",
            "Fwm 1002 wlc .1:1"
        ]
    );
    // Nor does a successor begin anew, which knows nothing of A: its own reload of today could otherwise give C another
    // number, and nobody would ever remove the old one's service.
    bench.settings(settings(&["C", "B"]));
    let given: Vec<_> = bench.lvs.given_marks().collect();
    assert_eq!((given.len(), bench.lvs.count_of_marks()), (3, 3));
    let mut successor = Bench::new();
    successor.lvs.handle_predecessor([], given);
    successor.settings(settings(&["C", "B"]));
    assert_eq!(successor.tables(), bench.tables());
    assert_eq!(successor.marked.0, bench.marked.0);
    successor.settings(settings(&["C", "B", "D"]));
    assert_eq!(successor.tables()[2], "Fwm 1003 wlc .1:1");
    bench.lvs.handle_stop(false);
    bench.drain();
    assert_eq!((bench.tables(), marks(&bench)), (vec![], vec![]));
}
