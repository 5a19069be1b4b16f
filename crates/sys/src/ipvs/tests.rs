//! The exact bytes, and that what is written is what is read.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use types::ipvs::{Forwarding, GueChecksum, Netmask, PersistenceOptions, Protocol, Tunnel};
use types::{Family, IfName};

use super::*;
use crate::netlink::message::Messages;

/// What follows the generic header of a command.
fn body(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut buffer = Vec::new();
    let request = Request {
        kind: 30,
        flags: 5,
        sequence: 7,
    };
    let mut writer = Writer::new(&mut buffer, request);
    write(&mut writer);
    writer.finish().unwrap();
    Messages::new(&buffer)
        .next()
        .unwrap()
        .unwrap()
        .payload
        .to_vec()
}

fn written(command: &Command) -> Vec<u8> {
    body(|message| encode::write(message, command))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn service(address: &str, protocol: Protocol, port: u16) -> ServiceKey {
    ServiceKey::Address {
        address: address.parse().unwrap(),
        port,
        protocol,
    }
}

fn key(address: &str, port: u16) -> DestinationKey {
    DestinationKey {
        address: address.parse().unwrap(),
        port,
    }
}

fn plain(scheduler: &str) -> ServiceOptions {
    ServiceOptions {
        scheduler: scheduler.to_owned(),
        one_packet: false,
        scheduler_flags: [false; 3],
        persistence: None,
    }
}

const fn to(forwarding: Forwarding, weight: u32) -> DestinationOptions {
    DestinationOptions {
        forwarding,
        weight,
        upper_threshold: 0,
        lower_threshold: 0,
    }
}

/// keepalived's order: family, protocol, address, port; scheduler, engine, flags and mask, timeout, netmask.
#[test]
#[cfg(target_endian = "little")]
fn bytes_of_services() {
    let http = service("10.0.0.1", Protocol::Tcp, 80);
    let key_of_http = "0600010002000000 0600020006000000 140003000a000001000000000000000000000000 \
                       0600040000500000";
    for (command, expected) in [
        (
            Command::AddService(http, plain("wlc")),
            format!(
                "54000180 {key_of_http} 08000600776c6300 0c00070000000000ffffffff 0800080000000000 \
                 08000900ffffffff"
            ),
        ),
        (
            Command::RemoveService(http),
            format!("30000180 {key_of_http}"),
        ),
        (
            Command::EditService(
                service("fd00::1", Protocol::Sctp, 5060),
                ServiceOptions {
                    one_packet: true,
                    scheduler_flags: [true, true, false],
                    persistence: Some(PersistenceOptions {
                        timeout: 300,
                        netmask: Netmask::V6(64),
                        engine: Some("sip".to_owned()),
                    }),
                    ..plain("sh")
                },
            ),
            "5c000180 060001000a000000 0600020084000000 14000300fd000000000000000000000000000001 \
             0600040013c40000 0700060073680000 08000b0073697000 0c0007001d000000ffffffff \
             080008002c010000 0800090040000000"
                .to_owned(),
        ),
        (
            Command::AddService(
                ServiceKey::Mark {
                    mark: 1000,
                    family: Family::V4,
                },
                ServiceOptions {
                    persistence: Some(PersistenceOptions {
                        timeout: 360,
                        netmask: Netmask::V4(Ipv4Addr::new(255, 255, 255, 0)),
                        engine: None,
                    }),
                    ..plain("rr")
                },
            ),
            "38000180 0600010002000000 08000500e8030000 0700060072720000 0c00070001000000ffffffff \
             0800080068010000 08000900ffffff00"
                .to_owned(),
        ),
        (Command::Flush, String::new()),
    ] {
        assert_eq!(hex(&written(&command)), expected.replace(' ', ""));
    }
}

/// keepalived's order: family, address, port; method, weight, tunnel, thresholds.
#[test]
#[cfg(target_endian = "little")]
fn bytes_of_destinations() {
    let mark = ServiceKey::Mark {
        mark: 5,
        family: Family::V4,
    };
    let of_mark = "14000180 0600010002000000 0800050005000000";
    let gue = Forwarding::Tunnel(Tunnel::Gue {
        port: 5555,
        checksum: GueChecksum::Full,
    });
    let gre = Forwarding::Tunnel(Tunnel::Gre { checksum: true });
    let v4 = "06000b0002000000 140001000a010001000000000000000000000000 0600020000500000";
    for (command, expected) in [
        (
            Command::AddDestination(mark, key("10.1.0.1", 80), to(Forwarding::Nat, 3)),
            format!(
                "48000280 {v4} 0800030000000000 0800040003000000 0800050000000000 0800060000000000"
            ),
        ),
        (
            Command::EditDestination(
                mark,
                key("10.1.0.1", 80),
                DestinationOptions {
                    upper_threshold: 100,
                    lower_threshold: 50,
                    ..to(gue, 1)
                },
            ),
            format!(
                "60000280 {v4} 0800030002000000 0800040001000000 05000d0001000000 06000e0015b30000 \
                 06000f0001000000 0800050064000000 0800060032000000"
            ),
        ),
        (
            Command::AddDestination(mark, key("fd00:1::1", 0), to(gre, 0)),
            "58000280 06000b000a000000 14000100fd000001000000000000000000000001 0600020000000000 \
             0800030002000000 0800040000000000 05000d0002000000 06000f0001000000 0800050000000000 \
             0800060000000000"
                .to_owned(),
        ),
        (
            Command::AddDestination(
                mark,
                key("10.1.0.1", 80),
                to(Forwarding::DirectRouting, 2_147_483_647),
            ),
            format!(
                "48000280 {v4} 0800030003000000 08000400ffffff7f 0800050000000000 0800060000000000"
            ),
        ),
        (
            Command::RemoveDestination(mark, key("10.1.0.1", 80)),
            format!("28000280 {v4}"),
        ),
    ] {
        let expected = format!("{of_mark} {expected}");
        assert_eq!(hex(&written(&command)), expected.replace(' ', ""));
    }
}

fn full_daemon(group: &str) -> SyncDaemon {
    SyncDaemon {
        role: SyncRole::Master,
        interface: IfName::new("eth0").unwrap(),
        id: 51,
        longest: Some(1400),
        group: Some(group.parse().unwrap()),
        port: Some(8849),
        ttl: Some(2),
    }
}

#[test]
#[cfg(target_endian = "little")]
fn bytes_of_sync_daemons() {
    let bare = SyncDaemon {
        role: SyncRole::Backup,
        longest: None,
        group: None,
        port: None,
        ttl: None,
        ..full_daemon("224.0.0.99")
    };
    for (daemon, expected) in [
        (
            full_daemon("224.0.0.99"),
            "40000380 0800010001000000 090002006574683000000000 0800030033000000 0600040078050000 \
             08000500e0000063 0600070091220000 0500080002000000",
        ),
        (
            bare,
            "20000380 0800010002000000 090002006574683000000000 0800030033000000",
        ),
    ] {
        let bytes = body(|message| daemon.write(message));
        assert_eq!(hex(&bytes), expected.replace(' ', ""));
    }
    let stop = body(|message| daemon::write_stop(message, SyncRole::Master, 7));
    assert_eq!(
        hex(&stop),
        "14000380080001000100000008000300 07000000".replace(' ', "")
    );
}

#[test]
fn sync_daemons_are_read_as_they_were_written() {
    for group in ["224.0.0.99", "ff02::99"] {
        let daemon = full_daemon(group);
        let bytes = body(|message| daemon.write(message));
        assert_eq!(SyncDaemon::decode(&bytes), Ok(Some(daemon)));
    }
    assert_eq!(SyncDaemon::decode(&[]), Ok(None));
}

/// What a kernel adds later does not matter, and what it leaves out has its old meaning.
#[test]
fn unknown_and_missing_attributes() {
    let http = service("10.0.0.1", Protocol::Tcp, 80);
    let answer = body(|message| {
        message.attribute(77, &[1, 2, 3]);
        message.nested(numbers::SERVICE, |service| {
            service.attribute(99, &[]);
            service.attribute(1, &2_u16.to_ne_bytes());
            service.attribute(2, &6_u16.to_ne_bytes());
            service.attribute(3, &[10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            service.attribute(4, &[0, 80]);
            service.attribute(6, b"from-2031\0");
        });
    });
    let read = decode::service(&answer).unwrap().unwrap();
    assert_eq!((read.key, read.options), (http, plain("from-2031")));
    // A protocol that we never balance.
    let icmp = body(|message| {
        message.nested(numbers::SERVICE, |service| {
            service.attribute(1, &2_u16.to_ne_bytes());
            service.attribute(2, &1_u16.to_ne_bytes());
        });
    });
    assert_eq!(decode::service(&icmp), Ok(None));
    // Before Linux 3.18 a destination has the family of its service.
    let old = body(|message| {
        message.nested(numbers::DESTINATION, |destination| {
            destination.attribute(1, &Ipv6Addr::LOCALHOST.octets());
            destination.attribute(2, &[0, 80]);
            destination.attribute(3, &1_u32.to_ne_bytes());
        });
    });
    let read = decode::destination(&old, Family::V6).unwrap().unwrap();
    assert_eq!(read.key, key("::1", 80));
    assert_eq!(read.options, to(Forwarding::DirectRouting, 0));
}

#[test]
fn statistics_in_both_forms() {
    let counts = |message: &mut Writer<'_>, wide: bool| {
        for kind in 1..=10_u16 {
            // The short form has bytes in eight bytes.
            if wide || kind == 4 || kind == 5 {
                message.attribute(kind, &u64::from(kind).to_ne_bytes());
            } else {
                message.attribute(kind, &u32::from(kind).to_ne_bytes());
            }
        }
        message.attribute(11, &[]);
    };
    let expected = Statistics {
        connections: 1,
        packets_in: 2,
        packets_out: 3,
        bytes_in: 4,
        bytes_out: 5,
        connection_rate: 6,
        packet_rate_in: 7,
        packet_rate_out: 8,
        byte_rate_in: 9,
        byte_rate_out: 10,
    };
    for wide in [false, true] {
        let number = if wide { 12 } else { 10 };
        let answer = body(|message| {
            message.nested(numbers::DESTINATION, |destination| {
                destination.nested(number, |statistics| counts(statistics, wide));
                if wide {
                    // A short form behind the long one does not count.
                    destination.nested(10, |short| short.attribute(1, &9_u32.to_ne_bytes()));
                }
            });
        });
        let read = decode::destination(&answer, Family::V4).unwrap().unwrap();
        assert_eq!(read.statistics, expected);
    }
}

#[test]
fn versions_of_kernels() {
    let release = |text| {
        let Release { major, minor } = Release::parse(text);
        (major, minor)
    };
    assert_eq!(release("6.1.0-18-amd64"), (6, 1));
    assert_eq!(release("5.10"), (5, 10));
    assert_eq!(release("4.18.0-553.el8_10.x86_64"), (4, 18));
    for strange in ["", "linux", "7", "7-next", "."] {
        assert!(!Release::parse(strange).lacks((9999, 0)), "{strange}");
    }
    let http = service("10.0.0.1", Protocol::Tcp, 80);
    let add =
        |address, forwarding| Command::AddDestination(http, key(address, 80), to(forwarding, 1));
    let gue = |checksum| Forwarding::Tunnel(Tunnel::Gue { port: 1, checksum });
    let gre = Forwarding::Tunnel(Tunnel::Gre { checksum: false });
    let flagged = ServiceOptions {
        scheduler_flags: [true, false, false],
        ..plain("sh")
    };
    for (command, since) in [
        (add("10.1.0.1", gue(GueChecksum::None)), Some("5.2")),
        (add("10.1.0.1", gue(GueChecksum::Full)), Some("5.3")),
        (add("10.1.0.1", gue(GueChecksum::Remote)), Some("5.3")),
        (add("fd00::1", gre), Some("5.3")),
        (
            add("fd00::1", Forwarding::Tunnel(Tunnel::Ipip)),
            Some("3.18"),
        ),
        (add("10.1.0.1", Forwarding::Tunnel(Tunnel::Ipip)), None),
        (add("10.1.0.1", Forwarding::Nat), None),
        (Command::AddService(http, flagged), Some("3.11")),
        (Command::AddService(http, plain("sh")), None),
        (Command::Flush, None),
    ] {
        let refusal = |kernel| encode::unknown_to(Release::parse(kernel), &command);
        match since {
            None => assert_eq!(refusal("3.2"), None),
            Some(since) => {
                assert_eq!(refusal(since), None);
                let refusal = refusal("3.2").unwrap();
                assert_eq!(refusal.reason(), Reason::Unsupported);
                let expected = format!("need Linux {since}, this is 3.2 (10.0.0.1:tcp:80");
                assert!(refusal.to_string().contains(&expected), "{refusal}");
            }
        }
    }
}

fn an_address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u8; 16]>().prop_map(IpAddr::from),
    ]
}

fn a_service() -> impl Strategy<Value = ServiceKey> {
    let protocol = prop_oneof![
        Just(Protocol::Tcp),
        Just(Protocol::Udp),
        Just(Protocol::Sctp)
    ];
    let family = prop_oneof![Just(Family::V4), Just(Family::V6)];
    prop_oneof![
        (an_address(), any::<u16>(), protocol).prop_map(|(address, port, protocol)| {
            ServiceKey::Address {
                address,
                port,
                protocol,
            }
        }),
        (1..=u32::MAX, family).prop_map(|(mark, family)| ServiceKey::Mark { mark, family }),
    ]
}

fn some_options(family: Family) -> impl Strategy<Value = ServiceOptions> {
    let netmask = match family {
        Family::V4 => any::<[u8; 4]>()
            .prop_map(|mask| Netmask::V4(mask.into()))
            .boxed(),
        Family::V6 => (1..=128_u8).prop_map(Netmask::V6).boxed(),
    };
    let persistence = (
        1..=2_678_400_u32,
        netmask,
        proptest::option::of("[a-z]{1,15}"),
    )
        .prop_map(|(timeout, netmask, engine)| PersistenceOptions {
            timeout,
            netmask,
            engine,
        });
    (
        "[a-z-]{0,15}",
        any::<bool>(),
        any::<[bool; 3]>(),
        proptest::option::of(persistence),
    )
        .prop_map(
            |(scheduler, one_packet, scheduler_flags, persistence)| ServiceOptions {
                scheduler,
                one_packet,
                scheduler_flags,
                persistence,
            },
        )
}

fn a_forwarding() -> impl Strategy<Value = Forwarding> {
    let checksum = prop_oneof![
        Just(GueChecksum::None),
        Just(GueChecksum::Full),
        Just(GueChecksum::Remote)
    ];
    prop_oneof![
        Just(Forwarding::Nat),
        Just(Forwarding::DirectRouting),
        Just(Forwarding::Tunnel(Tunnel::Ipip)),
        (1..=u16::MAX, checksum)
            .prop_map(|(port, checksum)| Forwarding::Tunnel(Tunnel::Gue { port, checksum })),
        any::<bool>().prop_map(|checksum| Forwarding::Tunnel(Tunnel::Gre { checksum })),
    ]
}

proptest! {
    #[test]
    fn services_are_read_as_they_were_written(
        (key, options) in a_service().prop_flat_map(|key| (Just(key), some_options(key.family())))
    ) {
        let bytes = written(&Command::AddService(key, options.clone()));
        let read = decode::service(&bytes).unwrap().unwrap();
        prop_assert_eq!((read.key, read.options), (key, options));
    }

    #[test]
    fn destinations_are_read_as_they_were_written(
        service in a_service(), address in an_address(), port: u16, forwarding in a_forwarding(),
        weight: u32, upper_threshold: u32, lower_threshold: u32,
    ) {
        let key = DestinationKey { address, port };
        let options = DestinationOptions { forwarding, weight, upper_threshold, lower_threshold };
        let bytes = written(&Command::EditDestination(service, key, options));
        let read = decode::destination(&bytes, Family::V4).unwrap().unwrap();
        prop_assert_eq!((read.key, read.options), (key, options));
        prop_assert_eq!(decode::service(&bytes).unwrap().map(|read| read.key), Some(service));
    }

    #[test]
    fn no_bytes_hurt(data in proptest::collection::vec(any::<u8>(), 0..300), first: u32) {
        let mut acknowledgements = Acknowledgements::new(first, 3);
        let whole = acknowledgements.take(&data).is_ok();
        prop_assert!(whole || !data.is_empty());
        for family in [Family::V4, Family::V6] {
            if let Ok(Some(read)) = decode::destination(&data, family) {
                let again = written(&Command::EditDestination(
                    ServiceKey::Mark { mark: 1, family }, read.key, read.options));
                let again = decode::destination(&again, family).unwrap().unwrap();
                prop_assert_eq!((again.key, again.options), (read.key, read.options));
            }
        }
        if let Ok(Some(daemon)) = SyncDaemon::decode(&data) {
            prop_assert_eq!(SyncDaemon::decode(&body(|m| daemon.write(m))), Ok(Some(daemon)));
        }
    }
}

#[test]
fn answers_find_their_requests() {
    let mut datagram = Vec::new();
    for (sequence, code) in [
        (u32::MAX, 0),
        (1, -libc::ENOENT),
        (7, 0),
        (0, -libc::EEXIST),
        (1, 0),
    ] {
        let request = Request {
            kind: 2,
            flags: 0,
            sequence,
        };
        let mut writer = Writer::new(&mut datagram, request);
        writer.fixed(&code.to_ne_bytes());
        writer.fixed(&[0; 16]);
        writer.finish().unwrap();
    }
    // Numbers wrap; what was asked before or is answered twice does not count.
    let mut acknowledgements = Acknowledgements::new(u32::MAX, 3);
    acknowledgements.take(&datagram).unwrap();
    assert!(acknowledgements.is_complete());
    assert_eq!(
        acknowledgements.into_answers(),
        [Ok(()), Err(libc::EEXIST), Err(libc::ENOENT)]
    );
    let mut one_more = Acknowledgements::new(u32::MAX, 4);
    one_more.take(&datagram).unwrap();
    assert!(!one_more.is_complete());
}

#[test]
fn one_family_of_all() {
    let family = |name: &str| {
        body(|message| {
            message.text(2, name);
            message.attribute(1, &30_u16.to_ne_bytes());
            message.attribute(3, &1_u32.to_ne_bytes());
        })
    };
    assert_eq!(decode::family_id(&family("IPVS")), Ok(Some(30)));
    assert_eq!(decode::family_id(&family("nlctrl")), Ok(None));
    assert!(decode::family_id(&[]).is_err());
}
