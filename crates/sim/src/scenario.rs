//! What a seed draws before time begins: the routers, how each node is configured, and how fast the world turns.
//!
//! Three rules keep every drawn configuration one that can work. Members of a sync group are configured alike on a node,
//! and every node has the same groups: otherwise A may be the better router for one member and B for the other, and the
//! group can rightly be nowhere. Version 2 routers of a VRID agree on interval and password: the RFC refuses all others.
//! And all agree on what a checksum covers. In everything else the nodes may differ: priorities, intervals of version 3,
//! addresses, the key that signs, who preempts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU8;
use std::time::Duration;

use types::{Centiseconds, Family, IfName, Prefix, Priority, Version, Vrid, Weight};
use vrrp::settings::global::GlobalSettings;
use vrrp::settings::{
    AntiReplay, AuthHmac, AuthPass, Authentication, Few, GarpSettings, HmacKey, HmacMode,
    InitialState, InstanceSettings, OldChecksum, Preempt, ScriptSettings, Secret,
    SyncGroupSettings, TrackInterface, TrackScript, Unicast, UnicastPeer, VirtualAddress,
};
use vrrp::{Settings, timers};

use crate::network::Lan;
use crate::random::Random;
use crate::{routing, tracked};

/// How many LANs there are, and interfaces on each node.
pub(crate) const LANS: Lan = 2;
/// How many sync groups there are at most.
const GROUPS: u8 = 2;
/// The scripts that a node may track.
pub(crate) const SCRIPTS: [&str; 2] = ["check", "probe"];
/// How many virtual addresses a router has at most.
pub(crate) const ADDRESSES: u8 = 4;

/// A world before time begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scenario {
    /// The longest advertisement interval; the world's own measure of time.
    pub unit: Duration,
    /// Time on the wire.
    pub latency: Duration,
    /// How each node is configured at first.
    pub nodes: Vec<Settings>,
}

/// What all nodes agree on about one virtual router.
#[derive(Clone, Copy, Debug)]
struct Router {
    vrid: u8,
    lan: Lan,
    version: Version,
    family: Family,
    interval: Centiseconds,
    password: bool,
    /// Its adverts are signed.
    signed: bool,
    /// Which of the groups it is a member of.
    group: Option<u8>,
    checksum: ChecksumStyle,
    /// Its adverts go to each of the other nodes.
    unicast: bool,
}

/// What a checksum of version 3 over IPv4 covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ChecksumStyle {
    /// What RFC 9568 says.
    Rfc,
    /// No addresses (`v3_checksum_as_v2`).
    AsV2,
    /// The multicast group instead of the peer (`old_unicast_checksum`).
    Old,
}

/// What the members of a unit (a group, or an instance alone) have in common on one node.
#[derive(Clone, Debug)]
struct Character {
    priority: Priority,
    state: InitialState,
    preempt: Preempt,
    down_timer_adverts: u8,
    dont_track_primary: bool,
    track_interface: Vec<TrackInterface>,
    track_script: Vec<TrackScript>,
    tracked: tracked::Lists,
}

#[derive(Clone, Copy, Debug)]
enum Priorities {
    Any,
    Equal,
    Narrow,
}

impl Scenario {
    /// Draws a world.
    pub(crate) fn draw(random: &mut Random) -> Self {
        let nodes = random.between(2, 5);
        let routers = draw_routers(random);
        let unit = routers
            .iter()
            .map(|router| router.interval.as_duration())
            .max()
            .unwrap_or_default();
        let latency = random.span(Duration::from_micros(50), Duration::from_micros(200));
        let style = match random.below(3) {
            0 => Priorities::Any,
            1 => Priorities::Equal,
            _ => Priorities::Narrow,
        };
        let all_preempt = random.percent(50);
        let skew = random.percent(20);
        let owners = Owners::draw(&routers, nodes, random);
        let nodes = (0..nodes)
            .map(|node| {
                let draw_character = |random: &mut Random, owner: bool| {
                    let mut character = Character::draw(style, all_preempt, unit, random);
                    if owner {
                        character.become_owner(random);
                    }
                    character
                };
                let groups: Vec<Character> = (0..GROUPS)
                    .map(|group| draw_character(random, owners.of_group(node, group)))
                    .collect();
                let instances: Vec<InstanceSettings> = routers
                    .iter()
                    .map(|router| {
                        let together = router
                            .group
                            .and_then(|group| groups.get(usize::from(group)));
                        let character = match together {
                            Some(character) => character.clone(),
                            None => draw_character(random, owners.of_router(node, router.vrid)),
                        };
                        let mut instance = draw_instance(router, character, skew, random);
                        if router.unicast {
                            let others = (0..nodes).filter(|other| *other != node);
                            instance.unicast = Some(Box::new(draw_unicast(router, others, random)));
                        }
                        instance
                    })
                    .collect();
                draw_settings(instances, &routers, unit, random)
            })
            .collect();
        Self {
            unit,
            latency,
            nodes,
        }
    }
}

/// Who has priority 255: nobody, one node, or by somebody's mistake two.
struct Owners {
    of_routers: Vec<(u8, u64)>,
    of_groups: Vec<(u8, u64)>,
}

impl Owners {
    fn draw(routers: &[Router], nodes: u64, random: &mut Random) -> Self {
        let mut draw = |what: u8| -> Vec<(u8, u64)> {
            let count = match random.below(100) {
                0..80 => 0,
                80..97 => 1,
                _ => 2,
            };
            (0..count).map(|_| (what, random.below(nodes))).collect()
        };
        Self {
            of_routers: routers
                .iter()
                .flat_map(|router| draw(router.vrid))
                .collect(),
            of_groups: (0..GROUPS).flat_map(&mut draw).collect(),
        }
    }

    fn of_group(&self, node: u64, group: u8) -> bool {
        self.of_groups.contains(&(group, node))
    }

    fn of_router(&self, node: u64, vrid: u8) -> bool {
        self.of_routers.contains(&(vrid, node))
    }
}

/// Which routers go together: nobody, some of them, or two and two.
fn draw_groups(count: u8, random: &mut Random) -> Vec<Option<u8>> {
    let alone = vec![None; count.into()];
    if random.percent(50) {
        return alone;
    }
    let size = random.byte(1, count);
    let second = random.percent(50);
    (0..count)
        .map(|router| match router < size {
            true => Some(0),
            false => second.then_some(1),
        })
        .collect()
}

fn draw_routers(random: &mut Random) -> Vec<Router> {
    let count = if random.percent(20) {
        4
    } else {
        random.byte(1, 3)
    };
    let any_v2 = random.percent(35);
    let unit = if any_v2 {
        200
    } else {
        random
            .one_of(&[1, 2, 5, 10, 20, 50, 100, 200])
            .copied()
            .unwrap_or(100)
    };
    let groups = draw_groups(count, random);
    (1..=count)
        .map(|vrid| {
            let version = if any_v2 && random.percent(70) {
                Version::V2
            } else {
                Version::V3
            };
            let interval = match version {
                Version::V2 => 100 * random.between(1, 2),
                // Not too far apart, or the fast router has a thousand adverts in the time that the slow one needs.
                Version::V3 => random.between((unit / 4).max(1), unit),
            };
            let family = if random.percent(50) {
                Family::V4
            } else {
                Family::V6
            };
            Router {
                vrid,
                lan: u8::from(random.percent(30)),
                version,
                family,
                interval: Centiseconds::new(u16::try_from(interval).unwrap_or(100)),
                // Over IPv6 version 2 has no field for a password.
                password: version == Version::V2 && family == Family::V4 && random.percent(40),
                signed: random.percent(25),
                group: groups.get(usize::from(vrid - 1)).copied().flatten(),
                checksum: match random.below(10) {
                    0..7 => ChecksumStyle::Rfc,
                    7..9 => ChecksumStyle::AsV2,
                    _ => ChecksumStyle::Old,
                },
                unicast: random.percent(35),
            }
        })
        .collect()
}

impl Character {
    fn draw(style: Priorities, all_preempt: bool, unit: Duration, random: &mut Random) -> Self {
        let priority = match style {
            Priorities::Any => random.byte(1, 254),
            Priorities::Equal => 100,
            Priorities::Narrow => random.byte(100, 103),
        };
        let track_script = SCRIPTS
            .iter()
            .filter(|_| random.percent(25))
            .copied()
            .collect::<Vec<_>>();
        Self {
            priority: Priority::new(priority).unwrap_or(Priority::DEFAULT),
            state: if random.percent(30) {
                InitialState::Master
            } else {
                InitialState::Backup
            },
            preempt: if all_preempt {
                Preempt::Immediately
            } else {
                draw_preempt(unit, random)
            },
            down_timer_adverts: if random.percent(80) {
                3
            } else {
                random.byte(1, 5)
            },
            dont_track_primary: random.percent(10),
            track_interface: if random.percent(10) {
                vec![TrackInterface {
                    interface: interface_name(random.byte(0, LANS - 1)),
                    weight: draw_weight(random),
                    reverse: false,
                }]
            } else {
                Vec::new()
            },
            track_script: track_script
                .into_iter()
                .map(|script| TrackScript {
                    script: script.to_owned(),
                    weight: draw_weight(random),
                    reverse: random.percent(10),
                })
                .collect(),
            tracked: tracked::draw_lists(random),
        }
    }

    fn become_owner(&mut self, random: &mut Random) {
        self.priority = Priority::OWNER;
        // An owner always takes over (RFC 9568 6.1); `config` does not let `nopreempt` through.
        self.preempt = Preempt::Immediately;
        self.state = if random.percent(50) {
            InitialState::Master
        } else {
            InitialState::Backup
        };
    }
}

/// A draw of `preempt`, `nopreempt` and `preempt_delay`.
pub(crate) fn draw_preempt(unit: Duration, random: &mut Random) -> Preempt {
    match random.below(10) {
        0..5 => Preempt::Immediately,
        5..8 => Preempt::Never,
        _ => Preempt::After(random.span(unit, unit * 15)),
    }
}

pub(crate) fn draw_weight(random: &mut Random) -> Weight {
    let weight = random.one_of(&[0, 0, -20, 20, -200, 60]).copied();
    weight
        .and_then(|weight| Weight::new(weight).ok())
        .unwrap_or(Weight::FAULT)
}

/// A draw of when a master announces.
pub(crate) fn draw_garp(random: &mut Random) -> GarpSettings {
    let mut small = |most: u64| u32::try_from(random.between(0, most)).unwrap_or(0);
    GarpSettings {
        master_delay: small(3),
        master_repeat: small(2) + 1,
        master_refresh: small(4),
        master_refresh_repeat: small(1) + 1,
        lower_prio_delay: small(3),
        lower_prio_repeat: small(2),
    }
}

fn draw_instance(
    router: &Router,
    character: Character,
    skew: bool,
    random: &mut Random,
) -> InstanceSettings {
    let mut advert_int = router.interval;
    if skew && router.version == Version::V3 {
        advert_int = Centiseconds::new(advert_int.get() * if random.percent(50) { 2 } else { 1 });
    }
    let count = random.byte(1, ADDRESSES - 1);
    let name = format!("VI_{}", router.vrid);
    let [track_file, track_process, track_bfd] = character.tracked;
    let mut settings = InstanceSettings {
        family: router.family,
        version: router.version,
        priority: character.priority,
        state: character.state,
        advert_int,
        down_timer_adverts: character.down_timer_adverts,
        timer_expired_backup: (character.preempt == Preempt::Never).then_some(254),
        preempt: character.preempt,
        authentication: if router.signed {
            signed(random)
        } else if router.password {
            password("secret")
        } else {
            Authentication::None
        },
        virtual_ipaddress: (0..count)
            .map(|number| virtual_address(router.vrid, router.lan, router.family, number))
            .collect(),
        virtual_ipaddress_excluded: if random.percent(20) {
            let other_lan = (router.lan + 1) % LANS;
            vec![virtual_address(
                router.vrid,
                other_lan,
                router.family,
                ADDRESSES,
            )]
            .into()
        } else {
            Few::EMPTY
        },
        mcast_dst_ip: router.family.vrrp_group(),
        dont_track_primary: character.dont_track_primary,
        track_interface: character.track_interface.into(),
        track_script: character.track_script.into(),
        track_file: track_file.into(),
        track_process: track_process.into(),
        track_bfd: track_bfd.into(),
        garp: draw_garp(random),
        lower_prio_no_advert: random.percent(15),
        higher_prio_send_advert: random.percent(15),
        skip_check_adv_addr: random.percent(20),
        v3_checksum_as_v2: router.checksum == ChecksumStyle::AsV2,
        notify_priority_changes: random.percent(20),
        accept: !random.percent(25),
        ..InstanceSettings::new(&name, interface_name(router.lan), vrid(router.vrid))
    };
    routing::draw(&mut settings, random);
    settings
}

/// The other nodes as peers.
fn draw_unicast(
    router: &Router,
    others: impl Iterator<Item = u64>,
    random: &mut Random,
) -> Unicast {
    let address = |node: u64| {
        let node = usize::try_from(node).unwrap_or(usize::MAX);
        own_address(node, router.lan, router.family).address()
    };
    Unicast {
        peers: others
            .map(|node| UnicastPeer {
                address: address(node),
                // Every node is one hop away, whatever it puts into its packets.
                min_ttl: 64,
                max_ttl: 255,
            })
            .collect(),
        check_source: random.percent(60),
        ttl: random.percent(50).then(|| random.byte(64, 255)),
        old_checksum: match router.checksum {
            ChecksumStyle::Old => OldChecksum::Always,
            ChecksumStyle::Rfc | ChecksumStyle::AsV2 if random.percent(30) => OldChecksum::Never,
            ChecksumStyle::Rfc | ChecksumStyle::AsV2 => OldChecksum::Detect,
        },
    }
}

fn draw_settings(
    instances: Vec<InstanceSettings>,
    routers: &[Router],
    unit: Duration,
    random: &mut Random,
) -> Settings {
    let sync_groups = (0..GROUPS)
        .map(|group| SyncGroupSettings {
            name: format!("VG_{group}"),
            members: routers
                .iter()
                .filter(|router| router.group == Some(group))
                .map(|router| format!("VI_{}", router.vrid))
                .collect(),
            smtp_alert: false,
        })
        .filter(|group| !group.members.is_empty())
        .collect();
    let scripts = SCRIPTS
        .iter()
        .filter(|name| {
            instances.iter().any(|instance| {
                instance
                    .track_script
                    .iter()
                    .any(|tracked| tracked.script == **name)
            })
        })
        .map(|name| draw_script(name, unit, random))
        .collect();
    let mut pace = || {
        if random.percent(15) {
            random.span(Duration::from_millis(1), Duration::from_millis(50))
        } else {
            Duration::ZERO
        }
    };
    let (garp_interval, gna_interval) = (pace(), pace());
    // One world in seven begins late; nothing is drawn for it, so the others stay as they are.
    let startup_delay = if unit.as_millis().is_multiple_of(7) {
        unit * 3
    } else {
        Duration::ZERO
    };
    let mut settings = Settings {
        global: GlobalSettings {
            startup_delay,
            ..GlobalSettings::default()
        },
        instances,
        sync_groups,
        scripts,
        garp_interval,
        gna_interval,
        ..Settings::default()
    };
    tracked::define(&mut settings, unit, random);
    settings
}

pub(crate) fn draw_script(name: &str, unit: Duration, random: &mut Random) -> ScriptSettings {
    let mut few = |most: u64| u32::try_from(random.between(1, most)).unwrap_or(1);
    let (rise, fall) = (few(3), few(3));
    ScriptSettings {
        name: name.to_owned(),
        identity: format!("/bin/{name}"),
        interval: random.span(unit, unit * 3),
        timeout: random.percent(40).then(|| random.span(unit, unit * 4)),
        rise,
        fall,
    }
}

/// `eth0`, `eth1`.
#[must_use]
pub(crate) fn interface_name(lan: Lan) -> IfName {
    match IfName::new(&format!("eth{lan}")) {
        Ok(name) => name,
        Err(error) => unreachable!("eth{lan} is a name: {error}"),
    }
}

pub(crate) fn vrid(number: u8) -> Vrid {
    match Vrid::new(number) {
        Ok(vrid) => vrid,
        Err(error) => unreachable!("routers are numbered from 1: {error}"),
    }
}

/// Seconds that the clocks of routers that sign may differ.
const WINDOW: u16 = 5;

/// Two keys that all know, one of which signs: any node may be ahead of the others on the way from one to the next.
fn signed(random: &mut Random) -> Authentication {
    let ids = [NonZeroU8::MIN, NonZeroU8::MAX];
    let keys = ids.into_iter().filter_map(|id| {
        let secret = Secret::new(&[id.get(); Secret::LEAST])?;
        Some(HmacKey { id, secret })
    });
    Authentication::Hmac(Box::new(AuthHmac {
        keys: keys.collect(),
        active_key: *random.one_of(&ids).unwrap_or(&NonZeroU8::MIN),
        mode: if random.percent(50) {
            HmacMode::Enforce
        } else {
            HmacMode::Permissive
        },
        anti_replay: AntiReplay::Time { window: WINDOW },
    }))
}

/// A password for version 2.
#[must_use]
pub(crate) fn password(text: &str) -> Authentication {
    Authentication::Pass(AuthPass::new(text.as_bytes()))
}

/// The `number`th virtual address of a router; the first one over IPv6 is link-local, as RFC 9568 5.2.9 demands.
#[must_use]
pub(crate) fn virtual_address(vrid: u8, lan: Lan, family: Family, number: u8) -> VirtualAddress {
    let last = 100 + vrid * 10 + number;
    let address = match (family, number) {
        (Family::V4, _) => IpAddr::V4(Ipv4Addr::new(198, 18, lan, last)),
        (Family::V6, 0) => IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 1, last.into())),
        (Family::V6, _) => IpAddr::V6(Ipv6Addr::new(
            0xfd00,
            0x18,
            0,
            lan.into(),
            0,
            0,
            1,
            last.into(),
        )),
    };
    VirtualAddress::new(Prefix::host(address), interface_name(lan))
}

/// The node's own address of a family on a LAN. The higher the node's number, the higher the address, on every LAN.
#[must_use]
pub(crate) fn own_address(node: usize, lan: Lan, family: Family) -> Prefix {
    let host = u8::try_from(node).unwrap_or(u8::MAX - 1) + 1;
    let (address, length) = match family {
        Family::V4 => (IpAddr::V4(Ipv4Addr::new(198, 18, lan, host)), 24),
        Family::V6 => (
            IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, host.into())),
            64,
        ),
    };
    Prefix::new(address, length).unwrap_or_else(|_| Prefix::host(address))
}

/// How long this instance may wait for a silent master, whatever interval it has learnt: `longest` is the longest of any
/// node's, and no priority waits longer than the lowest.
#[must_use]
pub(crate) fn longest_master_down(instance: &InstanceSettings, longest: Centiseconds) -> Duration {
    timers::master_down(
        instance.version,
        Priority::MIN,
        longest.max(instance.advert_int),
        instance.down_timer_adverts,
    )
}
