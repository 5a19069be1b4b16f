//! Adverts to single routers: who gets them, whose are listened to, and for which instance they are.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;

use types::{Claim, Family, IfIndex, Priority, Version, Vrid};
use wire::vrrp::{Advert, Coverage, Message};

use crate::settings::{InstanceSettings, OldChecksum, Settings, Unicast, UnicastPeer};
use crate::testbench::{Bench, eth, instance, ip, password, virtual_address};
use crate::{Action, Packet, StateName};

const OURS: &str = "198.18.0.5";
const PEER: &str = "198.18.0.9";
const OTHER: &str = "198.18.0.8";
const STRANGER: &str = "198.18.0.7";

fn peers(addresses: &[&str]) -> Unicast {
    Unicast {
        peers: addresses
            .iter()
            .map(|text| UnicastPeer {
                address: ip(text),
                min_ttl: 0,
                max_ttl: 255,
            })
            .collect(),
        check_source: false,
        ttl: None,
        old_checksum: OldChecksum::Detect,
    }
}

fn with(name: &str, unicast: Unicast) -> InstanceSettings {
    InstanceSettings {
        unicast: Some(Box::new(unicast)),
        ..instance(name)
    }
}

fn settings(instances: Vec<InstanceSettings>) -> Settings {
    Settings {
        instances,
        ..Settings::default()
    }
}

/// An advert on its way out.
#[derive(Debug)]
struct Sent {
    interface: Option<IfIndex>,
    source: IpAddr,
    destination: IpAddr,
    hop_limit: Option<u8>,
    message: Arc<[u8]>,
}

fn sent(bench: &mut Bench) -> Vec<Sent> {
    let mut all = Vec::new();
    while let Some(action) = bench.vrrp.poll_action() {
        if let Action::SendAdvert {
            interface,
            source,
            destination,
            hop_limit,
            message,
            ..
        } = action
        {
            all.push(Sent {
                interface,
                source,
                destination,
                hop_limit,
                message,
            });
        }
    }
    all
}

/// What a master sends when its interval is over.
fn next_adverts(bench: &mut Bench) -> Vec<Sent> {
    bench.now = bench.vrrp.next_deadline().unwrap();
    bench.vrrp.handle_timeout(bench.now);
    sent(bench)
}

#[test]
fn every_peer_gets_an_advert_of_its_own() {
    let (v4, v6) = ([PEER, OTHER], ["fe80::9", "fe80::8"]);
    for (version, family, ttl, expected) in [
        (Version::V2, Family::V4, None, Some(255)),
        (Version::V3, Family::V4, None, Some(255)),
        (Version::V3, Family::V4, Some(7), Some(7)),
        (Version::V3, Family::V4, Some(0), Some(0)),
        (Version::V3, Family::V6, None, None),
        (Version::V3, Family::V6, Some(255), Some(255)),
    ] {
        let (addresses, source, vip) = match family {
            Family::V4 => (v4, OURS, "198.18.0.100"),
            Family::V6 => (v6, "fe80::5", "fe80::64"),
        };
        let mut bench = Bench::master(InstanceSettings {
            version,
            family,
            mcast_dst_ip: family.vrrp_group(),
            virtual_ipaddress: vec![virtual_address(vip, eth(0))].into(),
            ..with(
                "VI",
                Unicast {
                    ttl,
                    ..peers(&addresses)
                },
            )
        });
        let counted = bench.view(0).statistics.advert_sent;
        let all = next_adverts(&mut bench);
        assert_eq!(bench.view(0).statistics.advert_sent, counted + 1);
        let to: Vec<IpAddr> = all.iter().map(|sent| sent.destination).collect();
        assert_eq!(to, addresses.map(ip), "in the order of the file");
        for sent in &all {
            assert_eq!(sent.source, ip(source));
            assert_eq!(sent.hop_limit, expected);
            assert!(sent.interface.is_some());
            let advert = Advert::parse(family, &sent.message).unwrap();
            assert!(advert.checksum_is_right(sent.source, sent.destination));
        }
        let alike = (version, family) != (Version::V3, Family::V4);
        assert_eq!(Arc::ptr_eq(&all[0].message, &all[1].message), alike);
        bench
            .vrrp
            .handle_stop(bench.now, crate::Release::Everything);
        let farewell = sent(&mut bench);
        assert_eq!(farewell.len(), 2);
        for sent in farewell {
            let advert = Advert::parse(family, &sent.message).unwrap();
            assert_eq!(advert.claim, Claim::Leaving);
            assert!(advert.checksum_is_right(sent.source, sent.destination));
        }
    }
}

#[test]
fn no_group_is_joined() {
    let (mut bench, said) = Bench::with(settings(vec![with("VI", peers(&[PEER]))]));
    assert_eq!(said, ["(VI) Entering BACKUP STATE (init)"]);
    let said = bench.settings(settings(vec![instance("VI")]));
    assert!(said.contains(&String::from("join 224.0.0.18")), "{said:?}");
    let said = bench.settings(settings(vec![with("VI", peers(&[PEER]))]));
    assert!(said.contains(&String::from("leave 224.0.0.18")), "{said:?}");
}

#[test]
fn an_advert_of_a_peer_counts_and_a_better_one_wins() {
    let mut bench = Bench::master(with("VI", peers(&[PEER, OTHER])));
    assert_eq!(
        bench.advert_for(0, PEER, 100, |_| ()),
        [
            "log (VI) received lower priority advert from 198.18.0.9: 100, ours is 150",
            "advert 150 to 198.18.0.9",
            "advert 150 to 198.18.0.8",
            "garp 198.18.0.100",
            "(VI) MASTER_RX_LOWER_PRI, priority 150"
        ]
    );
    assert_eq!(
        bench.advert(PEER, 200),
        [
            "log (VI) giving way to 198.18.0.9: its priority 200, ours 150",
            "remove 198.18.0.100",
            "(VI) Entering BACKUP STATE"
        ]
    );
}

#[test]
fn strangers_and_the_time_to_live() {
    let limited = |check_source| {
        let mut unicast = peers(&[PEER, OTHER]);
        unicast.check_source = check_source;
        (unicast.peers[0].min_ttl, unicast.peers[0].max_ttl) = (60, 64);
        with("VI", unicast)
    };
    // source check, sender, TTL -> counts; received, TTL errors, strangers
    for (check, from, ttl, counts, counters) in [
        (false, PEER, 1, true, (1, 0, 0)),
        (false, STRANGER, 1, true, (1, 0, 0)),
        (true, PEER, 59, false, (1, 1, 0)),
        (true, PEER, 60, true, (1, 0, 0)),
        (true, PEER, 64, true, (1, 0, 0)),
        (true, PEER, 65, false, (1, 1, 0)),
        (true, OTHER, 0, true, (1, 0, 0)),
        (true, OTHER, 255, true, (1, 0, 0)),
        (true, STRANGER, 62, false, (1, 0, 1)),
    ] {
        let case = (check, from, ttl);
        let mut bench = Bench::one(limited(check));
        bench.run(1_000);
        let before = bench.view(0).deadline;
        let bytes = bench.advert_bytes(0, from, 200, |_| ());
        bench.packet(0, from, ttl, &bytes);
        let view = bench.view(0);
        assert_eq!(view.deadline > before, counts, "{case:?}");
        assert_eq!(view.master.is_some(), counts, "{case:?}");
        let seen = view.statistics;
        assert_eq!(
            (seen.advert_rcvd, seen.ip_ttl_err, seen.unicast_src_err),
            counters,
            "{case:?}"
        );
    }
    let mut bench = Bench::one(limited(true));
    assert_eq!(
        bench.advert(STRANGER, 0),
        ["log (VI) packet from 198.18.0.7 ignored: the sender is none of the unicast peers"]
    );
    assert_eq!(bench.advert(STRANGER, 0), Vec::<String>::new(), "said once");
    assert_eq!(
        bench.advert(PEER, 200),
        [
            "log (VI) packet from 198.18.0.9 ignored: TTL or hop limit 255, 60 to 64 expected from this peer"
        ]
    );
    assert_eq!(bench.view(0).statistics.pri_zero_rcvd, 0);
}

/// A multicast instance has no use for TTL limits: 255 it must be.
#[test]
fn the_checks_of_multicast_are_not_those_of_unicast() {
    let mut bench = Bench::one(instance("VI"));
    let bytes = bench.advert_bytes(0, PEER, 200, |_| ());
    bench.packet(0, PEER, 254, &bytes);
    assert_eq!(bench.view(0).statistics.ip_ttl_err, 1);
    assert_eq!(bench.view(0).statistics.advert_rcvd, 0);
}

#[test]
fn which_checksums_are_sent_and_accepted() {
    let group = Family::V4.vrrp_group();
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Sum {
        Rfc,
        Old,
        AsV2,
        Garbled,
    }
    use OldChecksum::{Always, Detect, Never};
    // peers or not, mode, v3_checksum_as_v2 -> what is sent, what is accepted
    for (unicast, mode, as_v2, sends, accepts) in [
        (false, Detect, false, Sum::Rfc, &[Sum::Rfc][..]),
        (false, Detect, true, Sum::AsV2, &[Sum::Rfc, Sum::AsV2]),
        (true, Detect, false, Sum::Rfc, &[Sum::Rfc, Sum::Old]),
        (true, Never, false, Sum::Rfc, &[Sum::Rfc]),
        (true, Always, false, Sum::Old, &[Sum::Old]),
        (
            true,
            Detect,
            true,
            Sum::AsV2,
            &[Sum::Rfc, Sum::Old, Sum::AsV2, Sum::Garbled],
        ),
    ] {
        let case = (unicast, mode, as_v2);
        let configured = InstanceSettings {
            unicast: unicast.then(|| {
                Box::new(Unicast {
                    old_checksum: mode,
                    ..peers(&[PEER, OTHER])
                })
            }),
            v3_checksum_as_v2: as_v2,
            ..instance("VI")
        };
        let mut bench = Bench::master(configured.clone());
        for sent in next_adverts(&mut bench) {
            let advert = Advert::parse(Family::V4, &sent.message).unwrap();
            let covers = |coverage, to| advert.checksum_covers(coverage, sent.source, to);
            let right = match sends {
                Sum::Rfc => covers(Coverage::PseudoHeader, sent.destination),
                Sum::Old => covers(Coverage::PseudoHeader, group),
                Sum::AsV2 | Sum::Garbled => covers(Coverage::Message, group),
            };
            assert!(right, "{case:?}");
        }
        for sum in [Sum::Rfc, Sum::Old, Sum::AsV2, Sum::Garbled] {
            if !unicast && sum == Sum::Old {
                continue; // The same as the RFC's.
            }
            let mut bench = Bench::one(configured.clone());
            let to = bench.destination(0);
            let message = Message {
                version: Version::V3,
                vrid: Vrid::new(51).unwrap(),
                claim: Claim::At(Priority::new(200).unwrap()),
                advert_int: configured.advert_int,
                addresses: &[ip("198.18.0.100")],
                auth_pass: None,
                family: Family::V4,
                between: (ip(PEER), if sum == Sum::Old { group } else { to }),
            };
            let mut bytes = message.encode_covering(match sum {
                Sum::AsV2 => Coverage::Message,
                Sum::Rfc | Sum::Old | Sum::Garbled => Coverage::PseudoHeader,
            });
            if sum == Sum::Garbled {
                bytes[6] ^= 1;
            }
            let said = bench.packet(0, PEER, 255, &bytes);
            let view = bench.view(0);
            let good = accepts.contains(&sum);
            assert_eq!(
                view.statistics.advert_rcvd,
                u64::from(good),
                "{case:?} {sum:?}"
            );
            assert_eq!(
                view.statistics.checksum_err,
                u64::from(!good),
                "{case:?} {sum:?}"
            );
            let noticed = mode == Detect && !as_v2 && sum == Sum::Old;
            assert_eq!(view.old_checksum_seen, noticed, "{case:?} {sum:?}");
            let words = said.iter().any(|said| said.contains("before 1.3.7"));
            assert_eq!(words, noticed, "{said:?}");
            let again = bench.packet(0, PEER, 255, &bytes);
            assert!(again.is_empty(), "said once: {again:?}");
        }
    }
}

/// Every other kind of packet has one checksum, whatever is configured.
#[test]
fn version_2_and_ipv6_know_one_checksum() {
    let mut bench = Bench::master(InstanceSettings {
        version: Version::V2,
        v3_checksum_as_v2: true,
        authentication: password("x"),
        ..with("VI", peers(&[PEER]))
    });
    let all = next_adverts(&mut bench);
    let advert = Advert::parse(Family::V4, &all[0].message).unwrap();
    assert!(advert.checksum_is_right(all[0].source, all[0].destination));
    let said = bench.advert_for(0, PEER, 200, |bytes| bytes[7] ^= 1);
    assert_eq!(
        said,
        ["log (VI) packet from 198.18.0.9 ignored: wrong checksum"]
    );
}

#[test]
fn peers_tell_instances_of_one_vrid_apart() {
    let (mut bench, _) = Bench::with(settings(vec![
        with("A", peers(&[PEER])),
        InstanceSettings {
            virtual_ipaddress: vec![virtual_address("198.18.0.101", eth(0))].into(),
            ..with("B", peers(&[OTHER]))
        },
        // The same VRID again, for everybody.
        InstanceSettings {
            virtual_ipaddress: vec![virtual_address("198.18.0.102", eth(0))].into(),
            ..instance("C")
        },
    ]));
    let received = |bench: &Bench| -> Vec<u64> {
        (0..3)
            .map(|id| bench.view(id).statistics.advert_rcvd)
            .collect()
    };
    bench.advert_for(0, PEER, 200, |_| ());
    assert_eq!(received(&bench), [1, 0, 0]);
    bench.advert_for(1, OTHER, 200, |_| ());
    assert_eq!(received(&bench), [1, 1, 0]);
    // To the group: that is C, whoever sends it.
    bench.advert_for(2, PEER, 200, |_| ());
    assert_eq!(received(&bench), [1, 1, 1]);
    let unknown = bench.vrrp.unknown_vrid();
    bench.advert_for(0, STRANGER, 200, |_| ());
    assert_eq!(received(&bench), [1, 1, 1], "nobody's peer");
    assert_eq!(bench.vrrp.unknown_vrid(), unknown + 1);
}

#[test]
fn what_is_sent_to_somebody_else_is_not_heard() {
    let (mut bench, _) = Bench::with(settings(vec![with("A", peers(&[PEER]))]));
    let payload = bench.advert_bytes(0, PEER, 200, |_| ());
    let interface = bench.vrrp.interfaces().next().unwrap().index;
    for destination in ["198.18.0.6", "224.0.0.18"] {
        let packet = Packet {
            interface,
            source: ip(PEER),
            destination: ip(destination),
            hop_limit: 255,
            carrier: crate::Carrier::Vrrp,
            promised: payload.len(),
            payload: &payload,
        };
        let unknown = bench.vrrp.unknown_vrid();
        bench.vrrp.handle_packet(bench.now, &packet);
        assert_eq!(bench.drain(), Vec::<String>::new());
        assert_eq!(bench.vrrp.unknown_vrid(), unknown + 1, "{destination}");
    }
}

#[test]
fn groups_tell_multicast_instances_of_one_vrid_apart() {
    let (mut bench, said) = Bench::with(settings(vec![
        instance("A"),
        InstanceSettings {
            mcast_dst_ip: ip("224.0.1.18"),
            virtual_ipaddress: vec![virtual_address("198.18.0.101", eth(0))].into(),
            ..instance("B")
        },
    ]));
    assert!(said.contains(&String::from("join 224.0.1.18")));
    bench.advert_for(0, PEER, 200, |_| ());
    bench.advert_for(1, OTHER, 200, |_| ());
    let master = |id| bench.view(id).master.map(|master| master.address);
    assert_eq!((master(0), master(1)), (Some(ip(PEER)), Some(ip(OTHER))));
}

#[test]
fn without_a_peer_it_stays_in_fault_until_there_is_one() {
    let (mut bench, said) = Bench::with(settings(vec![with("VI", peers(&[]))]));
    assert_eq!(
        said,
        [
            "log (VI) there are no unicast peers: staying in FAULT until a reload brings some",
            "(VI) Entering FAULT STATE"
        ]
    );
    assert!(bench.view(0).config_error);
    assert_eq!(bench.run(10_000), Vec::<String>::new());
    assert_eq!(
        bench.settings(settings(vec![with("VI", peers(&[PEER]))])),
        ["garp 198.18.0.5", "(VI) Entering BACKUP STATE"],
        "and tells where its own address is"
    );
}

#[test]
fn a_reload_adds_and_removes_peers_and_touches_nothing_else() {
    let other = || InstanceSettings {
        vrid: Vrid::new(52).unwrap(),
        virtual_ipaddress: vec![virtual_address("198.18.0.101", eth(0))].into(),
        ..with("B", peers(&[PEER]))
    };
    let (mut bench, _) = Bench::with(settings(vec![with("A", peers(&[PEER])), other()]));
    bench.run(3_500);
    let beat = bench.view(1).deadline;
    assert_eq!(
        bench.settings(settings(vec![with("A", peers(&[OTHER, PEER])), other()])),
        ["advert 150 to 198.18.0.8", "advert 150 to 198.18.0.9"],
        "a new peer hears at once"
    );
    assert_eq!(
        bench.settings(settings(vec![with("A", peers(&[OTHER])), other()])),
        ["advert 150 to 198.18.0.8"]
    );
    assert_eq!(bench.view(1).deadline, beat);
    assert_eq!(bench.state(0), StateName::Master);
}

#[test]
fn another_source_makes_it_another_instance() {
    let from = |source: &str| InstanceSettings {
        mcast_src_ip: Some(ip(source)),
        ..with("A", peers(&[PEER]))
    };
    let mut bench = Bench::master(from(OURS));
    let said = bench.settings(settings(vec![from("198.18.0.6")]));
    assert!(
        said.contains(&String::from("advert 0 to 198.18.0.9")),
        "{said:?}"
    );
}

#[test]
fn a_configured_source_is_followed_where_that_is_wanted() {
    let from = |track_src_ip| InstanceSettings {
        mcast_src_ip: Some(ip("198.18.0.6")),
        track_src_ip,
        ..with("A", peers(&[PEER]))
    };
    let bench = Bench::one(from(false));
    assert_eq!(bench.state(0), StateName::Backup, "it need not be there");
    let (mut bench, said) = Bench::with(settings(vec![from(true)]));
    assert_eq!(
        said,
        [
            "log (A) the source address 198.18.0.6 is not on this host",
            "(A) Entering FAULT STATE"
        ]
    );
    assert_eq!(
        bench.address(0, "198.18.0.6", 24, true),
        ["garp 198.18.0.6", "(A) Entering BACKUP STATE"]
    );
    let said = bench.address(0, "198.18.0.6", 24, false);
    assert_eq!(said.last().unwrap(), "(A) Entering FAULT STATE");
    // On which interface it is does not matter.
    bench.address(1, "198.18.0.6", 32, true);
    assert_eq!(bench.state(0), StateName::Backup);
    bench.link_gone(1);
    assert_eq!(bench.state(0), StateName::Fault);
}

#[test]
fn without_an_interface_it_listens_and_sends_everywhere() {
    let (mut bench, said) = Bench::with(settings(vec![InstanceSettings {
        interface: None,
        mcast_src_ip: Some(ip("192.0.2.5")),
        ..with("VI", peers(&[PEER]))
    }]));
    assert_eq!(said, ["(VI) Entering BACKUP STATE (init)"]);
    let payload = bench.advert_bytes(0, PEER, 200, |_| ());
    let interfaces: Vec<IfIndex> = bench.vrrp.interfaces().map(|i| i.index).collect();
    for (number, interface) in (1..).zip(interfaces) {
        let packet = Packet {
            interface,
            source: ip(PEER),
            destination: ip("192.0.2.5"),
            hop_limit: 64,
            carrier: crate::Carrier::Vrrp,
            promised: payload.len(),
            payload: &payload,
        };
        bench.vrrp.handle_packet(bench.now, &packet);
        bench.drain();
        assert_eq!(bench.view(0).statistics.advert_rcvd, number);
    }
    while bench.state(0) != StateName::Master {
        bench.now = bench.vrrp.next_deadline().unwrap();
        bench.vrrp.handle_timeout(bench.now);
    }
    let all = sent(&mut bench);
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].interface, None);
    assert_eq!(all[0].source, ip("192.0.2.5"));
    assert_eq!(
        bench.link_gone(0),
        Vec::<String>::new(),
        "no interface is its own"
    );
    assert_eq!(bench.state(0), StateName::Master);
}
