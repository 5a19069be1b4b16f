//! Bytes that drive a VRRP core: settings, packets, time, links, addresses, scripts, in any order.
//!
//! A body, not a test: the fuzz target and `crates/sim/tests/fuzz_corpus.rs` include it. The core must never panic, never
//! ask for a deadline that does not pass, and never ask for endless work; its addresses must follow its state.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU8;
use std::time::Duration;

use types::{
    Centiseconds, Claim, Family, IfIndex, IfName, Instant, MacAddress, Prefix, Priority, Version,
    Vrid, Weight,
};
use vrrp::settings::global::GlobalSettings;
use vrrp::settings::{
    AntiReplay, AuthHmac, AuthPass, Authentication, Debounce, ExtraGarp, FileSettings,
    GarpSettings, HmacKey, HmacMode, InitialState, InstanceSettings, OldChecksum, ParameterMatch,
    Preempt, ProcessSettings, ScriptSettings, Secret, SyncGroupSettings, TrackScript, TrackWeight,
    Tracked, Unicast, UnicastPeer, VirtualAddress,
};
use vrrp::{
    Action, Carrier, Interface, InterfaceAddress, InterfaceKind, Packet, Release, ScriptOutcome,
    Settings, StateName, Vrrp, file_number,
};
use wire::vrrp::Message;

/// The bytes of an input, zeroes after their end.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }
}

/// A core and the addresses that it has asked for.
struct Host {
    vrrp: Vrrp,
    now: Instant,
    held: BTreeSet<Prefix>,
}

/// One input.
pub(crate) fn run(data: &[u8]) {
    let mut bytes = Bytes(data);
    let mut host = Host {
        vrrp: Vrrp::new(),
        now: Instant::ZERO,
        held: BTreeSet::new(),
    };
    let interfaces = vec![interface(true)];
    let own = own_addresses();
    host.vrrp.handle_snapshot(host.now, interfaces, own);
    host.drain();
    host.vrrp.handle_settings(host.now, settings(&mut bytes));
    host.drain();
    // Each step takes a byte, so the input bounds the loop.
    while !bytes.0.is_empty() {
        let stopped = host.step(&mut bytes);
        host.drain();
        if stopped {
            return;
        }
    }
}

impl Host {
    fn step(&mut self, bytes: &mut Bytes<'_>) -> bool {
        match bytes.next() % 12 {
            0 => self.wait(Duration::from_millis(bytes.next().into())),
            1 | 2 => {
                if let Some(deadline) = self.vrrp.next_deadline() {
                    self.wait(deadline.since(self.now));
                }
            }
            3..=5 => self.well_formed(bytes),
            6 => self.junk(bytes),
            7 => self
                .vrrp
                .handle_interface(self.now, interface(bytes.next().is_multiple_of(2))),
            8 => self.address_gone(bytes.next()),
            9 => {
                let outcome = ScriptOutcome::Exited(i32::from(bytes.next() % 2));
                self.vrrp.handle_script_exit(self.now, "check", outcome);
            }
            10 => self.vrrp.handle_settings(self.now, settings(bytes)),
            _ => match bytes.next() {
                3 => {
                    let clock = Duration::from_secs(bytes.next().into());
                    self.vrrp.handle_wall_clock(self.now, clock);
                }
                4 => self.vrrp.handle_file(
                    self.now,
                    "file",
                    file_number(&[bytes.next(), bytes.next()]),
                ),
                5 => {
                    let count = u32::from(bytes.next() % 4);
                    self.vrrp.handle_process_count(self.now, "process", count);
                }
                6 => {
                    let up = bytes.next().is_multiple_of(2);
                    self.vrrp.handle_bfd(self.now, "session", up);
                }
                7 => {
                    let uptime = Duration::from_millis(bytes.next().into());
                    self.vrrp.handle_uptime(self.now, uptime);
                }
                8 => {
                    let prefix = virtual_address(Family::V6, bytes.next() % 4).prefix;
                    self.vrrp
                        .handle_duplicate_address(self.now, address(prefix));
                }
                9 => {
                    let mut renamed = interface(true);
                    renamed.name = IfName::new("eth1").expect("a name");
                    self.vrrp.handle_interface(self.now, renamed);
                }
                0 => {
                    self.vrrp.handle_stop(self.now, Release::Everything);
                    return true;
                }
                1 => {
                    // It takes its addresses with it.
                    self.held.clear();
                    self.vrrp.handle_interface_gone(self.now, index());
                }
                2 => {
                    let there = own_addresses();
                    let held = self.held.iter().map(|prefix| address(*prefix));
                    let all = there.into_iter().chain(held).collect();
                    self.vrrp
                        .handle_snapshot(self.now, vec![interface(true)], all);
                }
                _ => {
                    for own in own_addresses() {
                        self.vrrp.handle_address(self.now, own);
                    }
                }
            },
        }
        false
    }

    /// Time passes; every deadline on the way is served.
    fn wait(&mut self, span: Duration) {
        let end = self.now + span;
        for _ in 0..10_000 {
            match self.vrrp.next_deadline() {
                Some(deadline) if deadline <= end => {
                    self.now = self.now.max(deadline);
                    self.vrrp.handle_timeout(self.now);
                    self.drain();
                }
                _ => {
                    self.now = end;
                    return;
                }
            }
        }
        panic!("deadlines without end before {end:?}");
    }

    fn well_formed(&mut self, bytes: &mut Bytes<'_>) {
        let family = if bytes.next().is_multiple_of(2) {
            Family::V4
        } else {
            Family::V6
        };
        let source = match family {
            Family::V4 => IpAddr::V4(Ipv4Addr::new(198, 18, 0, bytes.next())),
            Family::V6 => IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, bytes.next().into())),
        };
        let to_us = bytes.next().is_multiple_of(4);
        let destination = own_addresses()
            .into_iter()
            .map(|own| own.prefix.address())
            .find(|own| to_us && Family::of(*own) == family)
            .unwrap_or_else(|| family.vrrp_group());
        let listed = [virtual_address(family, 0).prefix.address()];
        let message = Message {
            version: version(bytes),
            vrid: vrid(bytes.next() % 2),
            claim: Claim::from_wire(bytes.next()),
            advert_int: Centiseconds::new(u16::from(bytes.next()) * 10),
            addresses: &listed,
            auth_pass: None,
            family,
            between: (source, destination),
        }
        .encode();
        self.packet(Carrier::Vrrp, source, destination, &message);
    }

    fn junk(&mut self, bytes: &mut Bytes<'_>) {
        let length = usize::from(bytes.next() % 48);
        let payload: Vec<u8> = (0..length).map(|_| bytes.next()).collect();
        let source = IpAddr::V4(Ipv4Addr::new(198, 18, 0, bytes.next()));
        let carrier = if bytes.next().is_multiple_of(4) {
            let identification = 1;
            Carrier::Ah { identification }
        } else {
            Carrier::Vrrp
        };
        self.packet(carrier, source, Family::V4.vrrp_group(), &payload);
    }

    fn packet(&mut self, carrier: Carrier, source: IpAddr, destination: IpAddr, payload: &[u8]) {
        let packet = Packet {
            interface: index(),
            source,
            destination,
            hop_limit: 255,
            carrier,
            promised: payload.len(),
            payload,
        };
        self.vrrp.handle_packet(self.now, &packet);
    }

    fn address_gone(&mut self, which: u8) {
        let prefix = match which % 4 {
            0 | 1 => own_addresses()[usize::from(which % 2)].prefix,
            _ => virtual_address(Family::V4, which % 3).prefix,
        };
        self.held.remove(&prefix);
        self.vrrp.handle_address_gone(self.now, index(), prefix);
    }

    fn drain(&mut self) {
        for _ in 0..5_000 {
            let Some(action) = self.vrrp.poll_action() else {
                self.check();
                return;
            };
            match action {
                Action::AddAddress { address, .. } => {
                    self.held.insert(Vrrp::kernel_prefix(&address));
                }
                Action::RemoveAddress { address, .. } => {
                    self.held.remove(&Vrrp::kernel_prefix(&address));
                }
                Action::SendAdvert { message, .. } => assert!(message.len() >= 8),
                Action::ChangeRouting(_)
                | Action::Block(_)
                | Action::Unblock(_)
                | Action::Device(_)
                | Action::AnnounceAddress { .. }
                | Action::JoinGroup { .. }
                | Action::LeaveGroup { .. }
                | Action::RunScript { .. }
                | Action::SignalScript { .. }
                | Action::Announce(_)
                | Action::Report(_) => {}
            }
        }
        panic!("actions without end");
    }

    /// Who is not master has none of its addresses.
    fn check(&self) {
        let masters: BTreeSet<Prefix> = self
            .vrrp
            .instances()
            .filter(|view| view.state == StateName::Master)
            .flat_map(|view| {
                view.settings
                    .addresses()
                    .map(|address| Vrrp::kernel_prefix(address))
            })
            .collect();
        let strays: Vec<&Prefix> = self.held.difference(&masters).collect();
        assert!(strays.is_empty(), "{strays:?} held by nobody");
    }
}

fn settings(bytes: &mut Bytes<'_>) -> Settings {
    let count = bytes.next() % 4;
    let instances: Vec<InstanceSettings> =
        (0..count).map(|number| instance(number, bytes)).collect();
    let group = bytes.next();
    let members: Vec<String> = instances
        .iter()
        .enumerate()
        .filter(|(number, _)| group & (1 << number) != 0)
        .map(|(_, instance)| instance.name.clone())
        .collect();
    let script = ScriptSettings {
        name: String::from("check"),
        identity: String::new(),
        interval: Duration::from_millis(u64::from(bytes.next()) + 1),
        timeout: None,
        rise: u32::from(bytes.next() % 4),
        fall: u32::from(bytes.next() % 4),
    };
    let global = GlobalSettings {
        startup_delay: Duration::from_millis(u64::from(bytes.next() % 4) * 50),
        delay_after_boot: Duration::from_millis(u64::from(bytes.next() % 4) * 100),
        ..GlobalSettings::default()
    };
    let processes = ProcessSettings {
        name: String::from("process"),
        command: String::from("process"),
        parameters: Vec::new(),
        full_command: false,
        matching: ParameterMatch::Exact,
        quorum: u16::from(bytes.next() % 4),
        quorum_max: None,
        fork_delay: Duration::from_millis(bytes.next().into()),
        terminate_delay: Duration::from_millis(bytes.next().into()),
        weight: TrackWeight::FAULT,
        reverse: false,
    };
    let debounce = Debounce {
        interface: interface(true).name,
        down: Duration::from_millis(u64::from(bytes.next()) * 16),
        up: Duration::from_millis(u64::from(bytes.next()) * 16),
    };
    Settings {
        global,
        instances,
        track_files: vec![FileSettings {
            name: String::from("file"),
            path: String::from("/run/file"),
            init: None,
            weight: TrackWeight::ONE,
            reverse: false,
        }],
        track_processes: vec![processes],
        bfd_sessions: vec![String::from("session")],
        debounce: vec![debounce],
        sync_groups: if members.is_empty() {
            Vec::new()
        } else {
            vec![SyncGroupSettings {
                name: String::from("VG"),
                members,
                smtp_alert: false,
            }]
        },
        scripts: vec![script],
        garp_interval: Duration::from_millis(u64::from(bytes.next() % 4)),
        ..Settings::default()
    }
}

fn instance(number: u8, bytes: &mut Bytes<'_>) -> InstanceSettings {
    let flags = bytes.next();
    let version = version(bytes);
    let family = if number.is_multiple_of(2) {
        Family::V4
    } else {
        Family::V6
    };
    InstanceSettings {
        family,
        version,
        priority: Priority::new(bytes.next()).unwrap_or(Priority::DEFAULT),
        state: if flags & 1 == 0 {
            InitialState::Backup
        } else {
            InitialState::Master
        },
        advert_int: match version {
            Version::V2 => Centiseconds::from_seconds(bytes.next() % 3 + 1),
            Version::V3 => Centiseconds::new(u16::from(bytes.next()) + 1),
        },
        down_timer_adverts: bytes.next() % 5 + 1,
        preempt: match bytes.next() {
            0..100 => Preempt::Immediately,
            100..200 => Preempt::Never,
            delay => Preempt::After(Duration::from_millis(delay.into())),
        },
        authentication: match (flags & 6, version, family) {
            (2, Version::V2, _) => Authentication::Pass(AuthPass::new(b"secret")),
            (4, Version::V2, Family::V4) => Authentication::Ah(AuthPass::new(b"secret")),
            (6, _, _) => Authentication::Hmac(Box::new(signed(flags))),
            _ => Authentication::None,
        },
        virtual_ipaddress: (0..=bytes.next() % 2)
            .map(|which| virtual_address(family, number / 2 * 2 + which))
            .collect(),
        mcast_dst_ip: family.vrrp_group(),
        dont_track_primary: flags & 4 != 0,
        track_script: if flags & 8 != 0 {
            vec![TrackScript {
                script: String::from("check"),
                weight: Weight::new(i16::from(bytes.next()) - 128).unwrap_or(Weight::FAULT),
                reverse: flags & 16 != 0,
            }]
            .into()
        } else {
            Vec::new().into()
        },
        track_file: tracked("file", flags & 2, bytes).into(),
        track_process: tracked("process", flags & 32, bytes).into(),
        track_bfd: tracked("session", flags & 64, bytes).into(),
        garp: GarpSettings {
            master_delay: u32::from(bytes.next() % 3),
            master_repeat: 1,
            master_refresh: u32::from(bytes.next() % 3),
            ..GarpSettings::default()
        },
        lower_prio_no_advert: flags & 32 != 0,
        higher_prio_send_advert: flags & 64 != 0,
        owner_ignore_adverts: flags & 128 != 0,
        unicast: unicast(family, bytes),
        v3_checksum_as_v2: flags & 3 == 3,
        notify_priority_changes: flags & 1 != 0,
        timer_expired_backup: (flags & 5 == 5).then_some(flags.max(1)),
        garp_extra_if: (flags & 9 == 9).then_some(ExtraGarp {
            every: Duration::from_secs(1),
            all: flags & 16 != 0,
        }),
        ..InstanceSettings::new(&format!("VI_{number}"), name(), vrid(number / 2))
    }
}

fn tracked(name: &str, wanted: u8, bytes: &mut Bytes<'_>) -> Vec<Tracked> {
    if wanted == 0 {
        return Vec::new();
    }
    let weight = bytes.next();
    vec![Tracked {
        name: String::from(name),
        weight: TrackWeight::new(i16::from(weight) - 128).unwrap_or(TrackWeight::FAULT),
        reverse: weight.is_multiple_of(5),
    }]
}

fn signed(flags: u8) -> AuthHmac {
    let key = |id: u8| HmacKey {
        id: NonZeroU8::new(id).expect("not zero"),
        secret: Secret::new(&[id; 32]).expect("long enough"),
    };
    AuthHmac {
        keys: vec![key(1), key(2)],
        active_key: NonZeroU8::MIN,
        mode: match flags & 24 {
            0 => HmacMode::ReceiveOnly,
            8 => HmacMode::Permissive,
            _ => HmacMode::Enforce,
        },
        anti_replay: if flags & 32 == 0 {
            AntiReplay::Time { window: 5 }
        } else {
            AntiReplay::Monotonic
        },
    }
}

/// Up to three peers, or none though there should be some; mostly multicast.
fn unicast(family: Family, bytes: &mut Bytes<'_>) -> Option<Box<Unicast>> {
    let what = bytes.next();
    if !what.is_multiple_of(3) {
        return None;
    }
    let peers = (0..what % 4)
        .map(|_| UnicastPeer {
            address: match family {
                Family::V4 => IpAddr::V4(Ipv4Addr::new(198, 18, 0, bytes.next())),
                Family::V6 => {
                    let last = bytes.next().into();
                    IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last))
                }
            },
            min_ttl: bytes.next(),
            max_ttl: 255,
        })
        .collect();
    Some(Box::new(Unicast {
        peers,
        check_source: what & 16 != 0,
        ttl: (what & 32 != 0).then_some(what),
        old_checksum: match what >> 6 {
            0 => OldChecksum::Never,
            1 => OldChecksum::Always,
            _ => OldChecksum::Detect,
        },
    }))
}

fn version(bytes: &mut Bytes<'_>) -> Version {
    if bytes.next().is_multiple_of(2) {
        Version::V3
    } else {
        Version::V2
    }
}

fn vrid(number: u8) -> Vrid {
    Vrid::new(number + 1).expect("never zero")
}

fn name() -> IfName {
    IfName::new("eth0").expect("a name")
}

fn index() -> IfIndex {
    IfIndex::new(2).expect("not zero")
}

fn interface(usable: bool) -> Interface {
    Interface {
        index: index(),
        name: name(),
        usable,
        mac: Some(MacAddress([2, 0, 0, 0, 0, 1])),
        kind: InterfaceKind::Other,
        base: None,
        master: None,
    }
}

fn address(prefix: Prefix) -> InterfaceAddress {
    InterfaceAddress {
        interface: index(),
        prefix,
        tentative: false,
    }
}

fn own_addresses() -> Vec<InterfaceAddress> {
    ["198.18.0.5/24", "fe80::5/64"]
        .iter()
        .filter_map(|text| text.split_once('/'))
        .map(|(host, length)| {
            let host = host.parse().expect("an address");
            let length = length.parse().expect("a length");
            address(Prefix::new(host, length).expect("a prefix"))
        })
        .collect()
}

fn virtual_address(family: Family, number: u8) -> VirtualAddress {
    let host = 100 + number;
    let host = match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::new(198, 18, 0, host)),
        Family::V6 => IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 1, host.into())),
    };
    VirtualAddress::new(Prefix::host(host), name())
}
