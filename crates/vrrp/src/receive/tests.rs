//! Every receive check has a packet that trips it, and nothing else.
//!
//! For each kind of instance there is one advert that is heard, and a list of what can be wrong with it, in the order of the
//! checks. Each fault is counted as what it is and as nothing else, and leaves the timer alone; of two faults the one that is
//! looked for first is named.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::num::NonZeroU8;
use core::time::Duration;

use types::{Family, IfIndex, Priority, Version};
use wire::checksum::Checksum;
use wire::trailer;
use wire::vrrp::PROTOCOL;

use super::*;
use crate::StateName;
use crate::proof::WallClock;
use crate::settings::{AntiReplay, AuthHmac, HmacKey, HmacMode, InitialState, Secret, Unicast};
use crate::testbench::{Bench, eth, instance, ip, password, virtual_address};

const SENDER: &str = "198.18.0.9";
/// The wall clock when a packet arrives.
const EPOCH: Duration = Duration::from_secs(1_700_000_000);
/// How far clocks may be apart, in seconds.
const WINDOW: u16 = 5;

/// A packet, and all that can be wrong with it.
#[derive(Clone)]
struct Craft {
    /// Who seals it, and how.
    sender: InstanceSettings,
    source: IpAddr,
    destination: IpAddr,
    hop_limit: u8,
    version: u8,
    packet_type: u8,
    priority: u8,
    /// How many addresses it claims to have more than it has.
    miscounted: u8,
    /// Version 2: authentication type and interval; version 3: interval.
    fifth: u8,
    sixth: u8,
    addresses: Vec<IpAddr>,
    pass: [u8; 8],
    garbled: bool,
    missing: usize,
    surplus: usize,
    /// How many bytes the IP header promises beyond those that come.
    promised: usize,
    sealed: bool,
    /// How old its time stamp is, in seconds.
    age: u64,
    /// Whether the same packet was heard before.
    heard_before: bool,
    /// What somebody did to the sealed packet.
    tampered: fn(&mut [u8]),
}

impl Craft {
    /// The advert that an instance of these settings hears.
    fn heard_by(settings: &InstanceSettings) -> Self {
        let (fifth, sixth, pass) = match (settings.version, &settings.authentication) {
            (Version::V3, _) => (0, 100, [0; 8]),
            (Version::V2, Authentication::Pass(pass)) => (auth_type::PASS, 1, *pass.bytes()),
            (Version::V2, Authentication::Ah(_)) => (auth_type::AH, 1, [0; 8]),
            (Version::V2, Authentication::None | Authentication::Hmac(_)) => {
                (auth_type::NONE, 1, [0; 8])
            }
        };
        let (source, ours) = match settings.family {
            Family::V4 => (SENDER, "198.18.0.5"),
            Family::V6 => ("fe80::9", "fe80::5"),
        };
        Self {
            sender: settings.clone(),
            source: ip(source),
            destination: match settings.unicast {
                Some(_) => ip(ours),
                None => settings.mcast_dst_ip,
            },
            hop_limit: 255,
            version: settings.version.number(),
            packet_type: vrrp::ADVERTISEMENT,
            priority: 200,
            miscounted: 0,
            fifth,
            sixth,
            addresses: settings
                .virtual_ipaddress
                .iter()
                .map(|address| address.prefix.address())
                .collect(),
            pass,
            garbled: false,
            missing: 0,
            surplus: 0,
            promised: 0,
            sealed: true,
            age: 0,
            heard_before: false,
            tampered: |_| (),
        }
    }

    /// The VRRP message, its checksum right unless it is to be wrong.
    fn message(&self) -> Vec<u8> {
        let count = u8::try_from(self.addresses.len()).unwrap();
        let mut bytes = vec![
            self.version << 4 | self.packet_type,
            self.sender.vrid.get(),
            self.priority,
            count.wrapping_add(self.miscounted),
            self.fifth,
            self.sixth,
            0,
            0,
        ];
        for address in &self.addresses {
            match address {
                IpAddr::V4(address) => bytes.extend(address.octets()),
                IpAddr::V6(address) => bytes.extend(address.octets()),
            }
        }
        if self.version == 2 && self.sender.family == Family::V4 {
            bytes.extend(self.pass);
        }
        let sum = Checksum::new().with(&bytes);
        let sum = if self.version == 2 {
            sum
        } else {
            sum.with_pseudo_header(self.source, self.destination, PROTOCOL, bytes.len())
        };
        let sum = sum.finish() ^ u16::from(self.garbled);
        bytes[6..8].copy_from_slice(&sum.to_be_bytes());
        bytes
    }

    /// As it arrives.
    fn arrives(&self, now: types::Instant) -> (Carrier, Vec<u8>) {
        let message: Arc<[u8]> = self.message().into();
        let (carrier, bytes) = if self.sealed {
            let time = WallClock::new(now, EPOCH - Duration::from_secs(self.age)).at(now);
            // A new memory each time: two packets of the same time have the same number.
            let mut proof = Proof::default();
            let seal = proof.seal(&self.sender, self.source, &message, time);
            seal.unwrap()
                .put_on(&message, self.source, self.destination)
        } else {
            (Carrier::Vrrp, message)
        };
        let mut bytes = bytes.to_vec();
        if self.sealed {
            (self.tampered)(&mut bytes);
        }
        bytes.truncate(bytes.len() - self.missing);
        bytes.extend(vec![0; self.surplus]);
        (carrier, bytes)
    }

    fn send(&self, bench: &mut Bench) {
        let (carrier, bytes) = self.arrives(bench.now);
        let packet = Packet {
            interface: IfIndex::new(2).unwrap(),
            source: self.source,
            destination: self.destination,
            hop_limit: self.hop_limit,
            carrier,
            promised: bytes.len() + self.promised,
            payload: &bytes,
        };
        bench.vrrp.handle_packet(bench.now, &packet);
        let _ = bench.drain();
    }
}

/// Something that is wrong, or only worth counting.
struct Fault {
    what: &'static str,
    spoil: fn(&mut Craft),
    /// The counters that it raises, in the order of `Statistics`.
    counted: &'static [&'static str],
}

const fn fault(
    what: &'static str,
    counted: &'static [&'static str],
    spoil: fn(&mut Craft),
) -> Fault {
    Fault {
        what,
        spoil,
        counted,
    }
}

impl Fault {
    /// Whether the advert is heard all the same.
    fn is_heard(&self) -> bool {
        self.counted.contains(&HEARD) && !REFUSED_LATE.contains(&self.counted)
    }
}

/// What an advert that is heard is counted as.
const HEARD: &str = "advert_rcvd";
const LENGTH: &[&str] = &["packet_len_err"];
const TTL: &[&str] = &["ip_ttl_err"];
const VERSION: &[&str] = &["version_err"];
const TYPE: &[&str] = &["invalid_type_rcvd"];
const CHECKSUM: &[&str] = &["checksum_err"];
const DESTINATION: &[&str] = &["addr_list_err"];
const MISMATCH: &[&str] = &["authtype_mismatch"];
const FAILURE: &[&str] = &["auth_failure"];
const MALFORMED: &[&str] = &["auth_ext_malformed"];
const INVALID: &[&str] = &["auth_ext_invalid_hmac"];
/// These count as received (keepalived: the source is looked at last).
const REFUSED_LATE: [&[&str]; 2] = [&[HEARD, "unicast_src_err"], &[HEARD, "ip_ttl_err"]];

/// What every version over the group has in common, before the version is known to be right.
const fn first_of_all() -> [Fault; 5] {
    [
        fault("a byte is missing", LENGTH, |p| p.missing = 1),
        fault("a byte too many", LENGTH, |p| p.surplus = 1),
        fault("an address too many", LENGTH, |p| p.surplus = 4),
        fault("an address less than it says", LENGTH, |p| p.miscounted = 1),
        fault("it came through a router", TTL, |p| p.hop_limit = 254),
    ]
}

/// What comes after authentication.
const fn last_of_all() -> [Fault; 3] {
    [
        fault("another type", TYPE, |p| p.packet_type = 2),
        fault("the IP header promises more", LENGTH, |p| p.promised = 4),
        fault("a wrong checksum", CHECKSUM, |p| p.garbled = true),
    ]
}

/// To us alone, over the group.
const fn to_us(address: fn(&mut Craft)) -> Fault {
    fault("to one address", DESTINATION, address)
}

/// What is heard, and counted as something besides.
const fn remarks() -> [Fault; 7] {
    const OTHERS: &[&str] = &[HEARD, "addr_list_err"];
    [
        fault("another address", OTHERS, |p| {
            p.addresses[0] = match p.sender.family {
                Family::V4 => ip("198.18.0.77"),
                Family::V6 => ip("fe80::77"),
            };
        }),
        fault("an address more", OTHERS, |p| {
            let one = p.addresses[0];
            p.addresses.push(one);
        }),
        fault("an address less", OTHERS, |p| p.addresses.truncate(1)),
        fault("no address at all", OTHERS, |p| p.addresses.clear()),
        fault("255 addresses", OTHERS, |p| {
            p.addresses = vec![p.addresses[1]; 255];
        }),
        fault("the same addresses in another order", &[HEARD], |p| {
            p.addresses.reverse();
        }),
        fault("it leaves", &[HEARD, "pri_zero_rcvd"], |p| p.priority = 0),
    ]
}

fn router(version: Version, authentication: Authentication) -> InstanceSettings {
    InstanceSettings {
        version,
        authentication,
        virtual_ipaddress: vec![
            virtual_address("198.18.0.100", eth(0)),
            virtual_address("198.18.0.101", eth(0)),
        ]
        .into(),
        ..instance("VI")
    }
}

fn signing() -> Authentication {
    let key = |id: u8| HmacKey {
        id: NonZeroU8::new(id).unwrap(),
        secret: Secret::new(&[id; 32]).unwrap(),
    };
    Authentication::Hmac(Box::new(AuthHmac {
        keys: [1, 2].map(key).into(),
        active_key: NonZeroU8::new(1).unwrap(),
        mode: HmacMode::Enforce,
        anti_replay: AntiReplay::Time { window: WINDOW },
    }))
}

fn to_peers() -> InstanceSettings {
    InstanceSettings {
        unicast: Some(Box::new(Unicast {
            peers: vec![UnicastPeer {
                address: ip(SENDER),
                min_ttl: 250,
                max_ttl: 254,
            }],
            check_source: true,
            ttl: None,
            old_checksum: OldChecksum::Detect,
        })),
        ..router(Version::V3, Authentication::None)
    }
}

fn v6() -> InstanceSettings {
    InstanceSettings {
        family: Family::V6,
        mcast_dst_ip: Family::V6.vrrp_group(),
        virtual_ipaddress: vec![
            virtual_address("fe80::100", eth(0)),
            virtual_address("fd00:18::100", eth(0)),
        ]
        .into(),
        ..router(Version::V3, Authentication::None)
    }
}

/// A byte of the trailer.
fn trailing(bytes: &mut [u8], offset: usize) -> &mut u8 {
    let start = bytes.len() - trailer::LENGTH;
    &mut bytes[start + offset]
}

/// One kind of instance.
struct Kind {
    name: &'static str,
    settings: InstanceSettings,
    /// What the advert that it hears has that its settings do not tell.
    heard: fn(&mut Craft),
    /// In the order of the checks.
    faults: Vec<Fault>,
}

fn kinds() -> Vec<Kind> {
    let v4_alone = || to_us(|p| p.destination = ip("198.18.0.5"));
    // The sender uses a header, we do not.
    let header = |p: &mut Craft| {
        p.sender.authentication = Authentication::Ah(AuthPass::new(b"secret"));
    };
    let mut kinds = Vec::new();

    let mut faults = vec![fault("an authentication header", MISMATCH, header)];
    faults.extend(first_of_all());
    faults.extend([
        fault("version 3", VERSION, |p| p.version = 3),
        fault("version 4", VERSION, |p| p.version = 4),
        fault("no such authentication", &["invalid_authtype"], |p| {
            p.fifth = 3
        }),
        fault("a password", MISMATCH, |p| p.fifth = auth_type::PASS),
        fault("says it has a header", MISMATCH, |p| {
            p.fifth = auth_type::AH
        }),
        fault("another interval", &["advert_interval_err"], |p| {
            p.sixth = 2
        }),
    ]);
    faults.extend(last_of_all());
    faults.push(v4_alone());
    faults.extend(remarks());
    kinds.push(Kind {
        name: "version 2",
        settings: router(Version::V2, Authentication::None),
        heard: |_| (),
        faults,
    });

    let mut faults = vec![fault("an authentication header", MISMATCH, header)];
    faults.extend(first_of_all());
    faults.extend([
        fault("no such authentication", &["invalid_authtype"], |p| {
            p.fifth = 3
        }),
        fault("no authentication", MISMATCH, |p| p.fifth = auth_type::NONE),
        fault("another password", FAILURE, |p| p.pass[5] ^= 0x20),
        fault("another interval", &["advert_interval_err"], |p| {
            p.sixth = 0
        }),
    ]);
    faults.extend(last_of_all());
    faults.extend(remarks());
    kinds.push(Kind {
        name: "a password",
        settings: router(Version::V2, password("secret")),
        heard: |_| (),
        faults,
    });

    let mut faults = vec![fault("no authentication header", MISMATCH, |p| {
        p.sealed = false
    })];
    faults.extend(first_of_all());
    faults.extend([
        fault("version 3", VERSION, |p| p.version = 3),
        fault("says it has a password", MISMATCH, |p| {
            p.fifth = auth_type::PASS
        }),
        fault("another protocol follows", FAILURE, |p| {
            p.tampered = |b| b[0] = 17
        }),
        fault("another's index", FAILURE, |p| p.tampered = |b| b[7] ^= 1),
        fault("a wrong check value", FAILURE, |p| {
            p.tampered = |b| b[23] ^= 1
        }),
        fault("a changed priority", FAILURE, |p| {
            p.tampered = |b| b[26] ^= 1
        }),
        // The header covers that length.
        fault("the IP header promises more", FAILURE, |p| p.promised = 4),
        fault("a number that was used", FAILURE, |p| p.heard_before = true),
        fault("another interval", &["advert_interval_err"], |p| {
            p.sixth = 2
        }),
    ]);
    let [other_type, _, garbled] = last_of_all();
    faults.extend([other_type, garbled]);
    faults.extend(remarks());
    kinds.push(Kind {
        name: "an authentication header",
        settings: router(Version::V2, Authentication::Ah(AuthPass::new(b"secret"))),
        heard: |_| (),
        faults,
    });

    let mut faults = vec![fault("an authentication header", MISMATCH, header)];
    faults.extend(first_of_all());
    faults.extend([
        fault("version 2", VERSION, |p| {
            (p.version, p.fifth, p.sixth) = (2, 0, 1)
        }),
        fault("version 15", VERSION, |p| p.version = 15),
    ]);
    faults.extend(last_of_all());
    faults.push(v4_alone());
    faults.push(fault("another interval", &[HEARD], |p| p.sixth = 50));
    faults.extend(remarks());
    kinds.push(Kind {
        name: "version 3",
        settings: router(Version::V3, Authentication::None),
        heard: |_| (),
        faults,
    });

    let mut faults: Vec<Fault> = first_of_all().into();
    faults.extend([
        fault("version 2", VERSION, |p| {
            (p.version, p.fifth, p.sixth) = (2, 0, 1)
        }),
        fault("another type", TYPE, |p| p.packet_type = 2),
        fault("the IP header promises more", LENGTH, |p| p.promised = 4),
        to_us(|p| p.destination = ip("fe80::5")),
    ]);
    faults.extend(remarks());
    kinds.push(Kind {
        name: "IPv6",
        settings: v6(),
        heard: |_| (),
        faults,
    });

    let mut faults: Vec<Fault> = vec![
        fault("half a trailer", LENGTH, |p| p.missing = 12),
        fault("more than a trailer", LENGTH, |p| p.surplus = 4),
        fault("it came through a router", TTL, |p| p.hop_limit = 254),
        fault("version 2", VERSION, |p| {
            (p.version, p.fifth, p.sixth) = (2, 0, 1)
        }),
        fault("no trailer", &["auth_ext_missing"], |p| p.sealed = false),
        fault("another kind of trailer", MALFORMED, |p| {
            p.tampered = |b| *trailing(b, 0) = 2;
        }),
        fault("reserved bytes", MALFORMED, |p| {
            p.tampered = |b| *trailing(b, 3) = 1
        }),
        fault("too old", &["auth_ext_stale"], |p| {
            p.age = u64::from(WINDOW) + 1
        }),
        fault("a key that nobody has", &["auth_ext_unknown_key"], |p| {
            p.tampered = |b| *trailing(b, 1) = 3;
        }),
        fault("another key of ours", INVALID, |p| {
            p.tampered = |b| *trailing(b, 1) = 2
        }),
        fault("a wrong signature", INVALID, |p| {
            p.tampered = |b| *trailing(b, 27) ^= 1
        }),
        fault("a changed priority", INVALID, |p| {
            p.tampered = |b| b[2] ^= 1
        }),
        fault("a changed address", INVALID, |p| p.tampered = |b| b[8] ^= 1),
        fault("said before", &["auth_ext_replay"], |p| {
            p.heard_before = true
        }),
    ];
    faults.extend(last_of_all());
    faults.push(v4_alone());
    faults.extend(remarks());
    kinds.push(Kind {
        name: "signed",
        settings: router(Version::V3, signing()),
        heard: |_| (),
        faults,
    });

    let [missing, surplus, more, less, _] = first_of_all();
    let mut faults = vec![
        missing,
        surplus,
        more,
        less,
        fault("version 2", VERSION, |p| {
            (p.version, p.fifth, p.sixth) = (2, 0, 1)
        }),
    ];
    faults.extend(last_of_all());
    faults.extend([
        fault("a stranger", REFUSED_LATE[0], |p| {
            p.source = ip("198.18.0.8")
        }),
        fault("from too near", REFUSED_LATE[1], |p| p.hop_limit = 255),
        fault("from too far", REFUSED_LATE[1], |p| p.hop_limit = 249),
        fault("from as far as may be", &[HEARD], |p| p.hop_limit = 250),
    ]);
    faults.extend(remarks());
    kinds.push(Kind {
        name: "peers",
        settings: to_peers(),
        heard: |p| p.hop_limit = 254,
        faults,
    });
    kinds
}

impl Kind {
    /// The advert that an instance of this kind hears.
    fn advert(&self) -> Craft {
        let mut craft = Craft::heard_by(&self.settings);
        (self.heard)(&mut craft);
        craft
    }

    /// An instance that waits since two seconds.
    fn waits(&self, heard_before: bool) -> Bench {
        let mut bench = Bench::one(self.settings.clone());
        bench.vrrp.handle_wall_clock(bench.now, EPOCH);
        if heard_before {
            self.advert().send(&mut bench);
            assert_eq!(counters(&bench), [HEARD]);
            bench.vrrp.clear_statistics();
        }
        assert_eq!(bench.run(2_000), Vec::<String>::new());
        bench.vrrp.handle_wall_clock(bench.now, EPOCH);
        bench
    }

    /// What is counted when a spoilt advert arrives, and whether it changed how long the instance waits.
    fn try_with(&self, spoils: &[fn(&mut Craft)]) -> (Vec<String>, bool) {
        let mut spoilt = self.advert();
        for spoil in spoils {
            spoil(&mut spoilt);
        }
        let mut bench = self.waits(spoilt.heard_before);
        spoilt.send(&mut bench);
        assert_eq!(bench.state(0), StateName::Backup);
        let counted = counters(&bench);
        let mut undisturbed = self.waits(spoilt.heard_before);
        let waits_anew = bench.run(5_000) != undisturbed.run(5_000);
        (counted, waits_anew)
    }
}

/// The counters that are not zero, each as often as it was counted.
fn counters(bench: &Bench) -> Vec<String> {
    let all = format!("{:?}", bench.view(0).statistics);
    let fields = all
        .strip_prefix("Statistics { ")
        .and_then(|all| all.strip_suffix(" }"))
        .unwrap();
    fields
        .split(", ")
        .filter_map(|field| field.split_once(": "))
        .flat_map(|(name, count)| vec![name.to_string(); count.parse().unwrap()])
        .collect()
}

#[test]
fn each_fault_is_counted_as_what_it_is_and_leaves_the_timer_alone() {
    let mut faults = 0;
    for kind in kinds() {
        assert_eq!(
            kind.try_with(&[]),
            (vec![HEARD.to_string()], true),
            "{}: the advert without a fault",
            kind.name
        );
        for fault in &kind.faults {
            let (counted, waits_anew) = kind.try_with(&[fault.spoil]);
            let what = format!("{}: {}", kind.name, fault.what);
            assert_eq!(counted, fault.counted, "{what}");
            assert_eq!(waits_anew, fault.is_heard(), "{what}");
            faults += 1;
        }
    }
    assert!(faults > 100, "{faults}");
}

/// Of two faults the earlier one is named: this is the order of the checks.
#[test]
fn of_two_faults_the_one_looked_for_first_is_counted() {
    for kind in kinds() {
        for (place, first) in kind.faults.iter().enumerate() {
            for second in &kind.faults[place + 1..] {
                // Two of one check may cancel each other out: a byte less and a byte more.
                if first.is_heard() || first.counted == second.counted {
                    continue;
                }
                // Without an address there is none to change.
                if (first.what, second.what) == ("a changed address", "no address at all") {
                    continue;
                }
                let what = format!("{}: {} and {}", kind.name, first.what, second.what);
                let (counted, waits_anew) = kind.try_with(&[second.spoil, first.spoil]);
                assert_eq!(counted, first.counted, "{what}");
                assert!(!waits_anew, "{what}");
            }
        }
    }
}

#[test]
fn ethernets_padding_is_no_fault() {
    // 20 bytes of IP, 12 of version 3 with one address, 14 of padding: 46.
    let mut settings = router(Version::V3, Authentication::None);
    settings.virtual_ipaddress.pop();
    let kind = Kind {
        name: "padding",
        settings,
        heard: |_| (),
        faults: Vec::new(),
    };
    let heard = [String::from(HEARD)];
    assert_eq!(kind.try_with(&[|p| p.surplus = 14]).0, heard);
    // Not what could be another address, or a trailer.
    for spoil in [
        (|p| p.surplus = 12) as fn(&mut Craft),
        |p| p.surplus = 13,
        |p| p.surplus = 15,
        |p| p.surplus = 28,
    ] {
        assert_eq!(kind.try_with(&[spoil]).0, LENGTH);
    }
    // Nor where there is none to be: 8 addresses fill the frame.
    let kind = Kind {
        settings: InstanceSettings {
            virtual_ipaddress: (0..8)
                .map(|number| virtual_address(&format!("198.18.0.10{number}"), eth(0)))
                .collect(),
            ..router(Version::V3, Authentication::None)
        },
        ..kind
    };
    assert_eq!(kind.try_with(&[]).0, heard);
    assert_eq!(kind.try_with(&[|p| p.surplus = 2]).0, LENGTH);
}

#[test]
fn an_owner_told_to_ignore_adverts_counts_none() {
    for (ignores, counted) in [(true, &[][..]), (false, &[HEARD])] {
        let settings = InstanceSettings {
            priority: Priority::OWNER,
            state: InitialState::Master,
            owner_ignore_adverts: ignores,
            ..router(Version::V3, Authentication::None)
        };
        let mut bench = Bench::master(settings.clone());
        bench.vrrp.clear_statistics();
        let mut craft = Craft::heard_by(&settings);
        craft.addresses.reverse();
        craft.priority = 100;
        craft.send(&mut bench);
        let seen: Vec<String> = counters(&bench)
            .into_iter()
            .filter(|name| name != "advert_sent")
            .collect();
        assert_eq!(seen, counted, "ignores: {ignores}");
        assert_eq!(bench.state(0), StateName::Master);
    }
}

/// Packets that are no business of an instance do not count there at all.
#[test]
fn what_is_for_nobody_counts_nowhere() {
    let settings = router(Version::V3, Authentication::None);
    let heard = Craft::heard_by(&settings);
    let other = |spoil: fn(&mut Craft)| {
        let mut craft = heard.clone();
        spoil(&mut craft);
        craft
    };
    let mut bench = Bench::one(settings.clone());
    for (unknown, craft) in [
        (1, other(|p| p.sender.vrid = types::Vrid::new(52).unwrap())),
        // Too short to belong to anybody.
        (1, other(|p| p.missing = 15)),
        // The other family's router of this number.
        (2, {
            let mut craft = Craft::heard_by(&v6());
            craft.priority = 254;
            craft
        }),
        // Another group.
        (3, other(|p| p.destination = ip("224.0.0.19"))),
    ] {
        craft.send(&mut bench);
        assert_eq!(counters(&bench), Vec::<String>::new());
        assert_eq!(bench.vrrp.unknown_vrid(), unknown);
    }
    // The group's adverts are not for who has peers.
    let mut bench = Bench::one(to_peers());
    heard.send(&mut bench);
    assert_eq!(counters(&bench), Vec::<String>::new());

    // Who is in FAULT does not listen.
    let mut bench = Bench::one(settings);
    let _ = bench.link(0, false);
    heard.send(&mut bench);
    assert_eq!(bench.state(0), StateName::Fault);
    assert_eq!(counters(&bench), Vec::<String>::new());
    let _ = bench.link(0, true);
    heard.send(&mut bench);
    assert_eq!(counters(&bench), [HEARD]);
}
