//! One core on virtual time, for tests that tell a story: at t this arrives, exactly that leaves.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use types::{Claim, Family, IfIndex, IfName, Instant, MacAddress, Prefix, Priority, Version, Vrid};
use wire::vrrp::{Advert, Message};

use crate::settings::{
    AuthPass, Authentication, GarpSettings, InstanceSettings, ScriptSettings, Settings,
    VirtualAddress,
};
use crate::{
    Action, Blocked, Carrier, DeviceAction, InstanceView, Interface, InterfaceAddress,
    InterfaceKind, Packet, RoutingChange, StateName, Vrrp,
};

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn eth(number: u32) -> IfName {
    IfName::new(&format!("eth{number}")).unwrap()
}

fn index(number: u32) -> IfIndex {
    IfIndex::new(number + 2).unwrap()
}

pub(crate) fn virtual_address(text: &str, interface: IfName) -> VirtualAddress {
    VirtualAddress::new(Prefix::host(ip(text)), interface)
}

/// VRID 51 on eth0, version 3, one second, priority 150, one address.
pub(crate) fn instance(name: &str) -> InstanceSettings {
    InstanceSettings {
        version: Version::V3,
        priority: Priority::new(150).unwrap(),
        virtual_ipaddress: vec![virtual_address("198.18.0.100", eth(0))].into(),
        garp: GarpSettings {
            master_delay: 0,
            master_repeat: 1,
            lower_prio_delay: 0,
            lower_prio_repeat: 1,
            ..GarpSettings::default()
        },
        ..InstanceSettings::new(name, eth(0), Vrid::new(51).unwrap())
    }
}

pub(crate) fn script(name: &str) -> ScriptSettings {
    ScriptSettings {
        name: name.to_string(),
        identity: String::new(),
        interval: Duration::from_secs(1),
        timeout: None,
        rise: 1,
        fall: 1,
    }
}

pub(crate) fn password(text: &str) -> Authentication {
    Authentication::Pass(AuthPass::new(text.as_bytes()))
}

/// A router at 198.18.0.5 (and fe80::5) on eth0, eth1, eth2.
pub(crate) struct Bench {
    pub(crate) vrrp: Vrrp,
    pub(crate) now: Instant,
}

impl Bench {
    pub(crate) fn idle() -> Self {
        let mut bench = Self {
            vrrp: Vrrp::new(),
            now: Instant::ZERO,
        };
        let interfaces = (0..3).map(|number| Self::interface(number, true)).collect();
        let addresses = (0..3).flat_map(Self::addresses).collect();
        bench.vrrp.handle_snapshot(bench.now, interfaces, addresses);
        bench
    }

    pub(crate) fn interface(number: u32, usable: bool) -> Interface {
        Interface {
            index: index(number),
            name: eth(number),
            usable,
            mac: Some(MacAddress([2, 0, 0, 0, 0, 5])),
            kind: InterfaceKind::Other,
            base: None,
            master: None,
        }
    }

    pub(crate) fn addresses(number: u32) -> Vec<InterfaceAddress> {
        [format!("198.18.{number}.5"), "fe80::5".to_string()]
            .iter()
            .map(|text| InterfaceAddress {
                interface: index(number),
                prefix: Prefix::new(ip(text), if text.contains(':') { 64 } else { 24 }).unwrap(),
                tentative: false,
            })
            .collect()
    }

    pub(crate) fn with(settings: Settings) -> (Self, Vec<String>) {
        let mut bench = Self::idle();
        let said = bench.settings(settings);
        (bench, said)
    }

    /// One instance, started and listening.
    pub(crate) fn one(settings: InstanceSettings) -> Self {
        Self::with(Settings {
            instances: vec![settings],
            ..Settings::default()
        })
        .0
    }

    /// One instance that has become master.
    pub(crate) fn master(settings: InstanceSettings) -> Self {
        let mut bench = Self::one(settings);
        bench.run_until_quiet_master();
        bench
    }

    fn run_until_quiet_master(&mut self) {
        while self.state(0) != StateName::Master {
            self.now = self.vrrp.next_deadline().unwrap().max(self.now);
            self.vrrp.handle_timeout(self.now);
            let _ = self.drain();
        }
    }

    pub(crate) fn settings(&mut self, settings: Settings) -> Vec<String> {
        self.vrrp.handle_settings(self.now, settings);
        self.drain()
    }

    pub(crate) fn link(&mut self, number: u32, usable: bool) -> Vec<String> {
        self.vrrp
            .handle_interface(self.now, Self::interface(number, usable));
        self.drain()
    }

    pub(crate) fn link_gone(&mut self, number: u32) -> Vec<String> {
        self.vrrp.handle_interface_gone(self.now, index(number));
        self.drain()
    }

    pub(crate) fn address(
        &mut self,
        number: u32,
        text: &str,
        length: u8,
        there: bool,
    ) -> Vec<String> {
        let prefix = Prefix::new(ip(text), length).unwrap();
        if there {
            let address = InterfaceAddress {
                interface: index(number),
                prefix,
                tentative: false,
            };
            self.vrrp.handle_address(self.now, address);
        } else {
            self.vrrp
                .handle_address_gone(self.now, index(number), prefix);
        }
        self.drain()
    }

    /// Lets time pass, serving every deadline; what happened, each with its time in milliseconds.
    pub(crate) fn run(&mut self, millis: u64) -> Vec<String> {
        let end = self.now + Duration::from_millis(millis);
        let mut seen = Vec::new();
        loop {
            match self.vrrp.next_deadline() {
                Some(at) if at <= end => {
                    self.now = at.max(self.now);
                    self.vrrp.handle_timeout(self.now);
                    let at = self.now.as_nanos() / 1_000_000;
                    seen.extend(self.drain().into_iter().map(|what| format!("{at} {what}")));
                }
                _ => break,
            }
        }
        self.now = end;
        seen
    }

    /// An advert like ours from another router.
    pub(crate) fn advert(&mut self, from: &str, priority: u8) -> Vec<String> {
        self.advert_for(0, from, priority, |_| ())
    }

    pub(crate) fn advert_for(
        &mut self,
        instance: usize,
        from: &str,
        priority: u8,
        change: impl FnOnce(&mut Vec<u8>),
    ) -> Vec<String> {
        let bytes = self.advert_bytes(instance, from, priority, change);
        self.packet(instance, from, 255, &bytes)
    }

    pub(crate) fn advert_bytes(
        &self,
        instance: usize,
        from: &str,
        priority: u8,
        change: impl FnOnce(&mut Vec<u8>),
    ) -> Vec<u8> {
        let settings = self.view(instance).settings;
        let addresses: Vec<IpAddr> = settings
            .virtual_ipaddress
            .iter()
            .map(|a| a.prefix.address())
            .collect();
        let auth_pass = match &settings.authentication {
            Authentication::None | Authentication::Ah(_) | Authentication::Hmac(_) => None,
            Authentication::Pass(pass) => Some(pass.bytes()),
        };
        let message = Message {
            version: settings.version,
            vrid: settings.vrid,
            claim: Claim::from_wire(priority),
            advert_int: settings.advert_int,
            addresses: &addresses,
            auth_pass,
            family: settings.family,
            between: (ip(from), self.destination(instance)),
        };
        let mut bytes = message.encode();
        change(&mut bytes);
        bytes
    }

    pub(crate) fn packet(
        &mut self,
        instance: usize,
        from: &str,
        hop_limit: u8,
        payload: &[u8],
    ) -> Vec<String> {
        self.packet_as(Carrier::Vrrp, instance, from, hop_limit, payload)
    }

    pub(crate) fn packet_as(
        &mut self,
        carrier: Carrier,
        instance: usize,
        from: &str,
        hop_limit: u8,
        payload: &[u8],
    ) -> Vec<String> {
        let settings = self.view(instance).settings;
        let (interface, destination) = (settings.interface, self.destination(instance));
        let interface = self
            .vrrp
            .interfaces()
            .find(|i| Some(&i.name) == interface.as_ref())
            .map(|i| i.index)
            .unwrap_or(index(0));
        let packet = Packet {
            interface,
            source: ip(from),
            destination,
            hop_limit,
            carrier,
            promised: payload.len(),
            payload,
        };
        self.vrrp.handle_packet(self.now, &packet);
        self.drain()
    }

    /// Where the others send what an instance is to hear: to the group, or to it.
    pub(crate) fn destination(&self, instance: usize) -> IpAddr {
        let view = self.view(instance);
        match (&view.settings.unicast, view.source) {
            (Some(_), Some(source)) => source,
            _ => view.settings.mcast_dst_ip,
        }
    }

    pub(crate) fn view(&self, instance: usize) -> InstanceView<'_> {
        self.vrrp.instances().nth(instance).unwrap()
    }

    pub(crate) fn state(&self, instance: usize) -> StateName {
        self.view(instance).state
    }

    /// All actions in words; equal announcements in a row are counted.
    pub(crate) fn drain(&mut self) -> Vec<String> {
        let mut said: Vec<String> = Vec::new();
        while let Some(action) = self.vrrp.poll_action() {
            said.push(words(&action));
        }
        said
    }
}

/// One action in words.
pub(crate) fn words(action: &Action) -> String {
    match action {
        Action::SendAdvert {
            message,
            source,
            carrier,
            destination,
            ..
        } => {
            let family = Family::of(*source);
            let (proof, message) = match carrier {
                Carrier::Ah { .. } => (" with a header", &message[wire::ah::LENGTH..]),
                Carrier::Vrrp => match Advert::split_trailer(family, message) {
                    (message, Some(_)) => (" signed", message),
                    (message, None) => ("", message),
                },
            };
            let claim = Advert::parse(family, message).unwrap().claim.to_wire();
            if destination.is_multicast() {
                format!("advert {claim}{proof}")
            } else {
                format!("advert {claim}{proof} to {destination}")
            }
        }
        Action::AddAddress { address, .. } => format!("add {}", address.prefix.address()),
        Action::RemoveAddress { address, .. } => format!("remove {}", address.prefix.address()),
        Action::ChangeRouting(change) => match change {
            RoutingChange::AddRoute { route } => format!("add route {route}"),
            RoutingChange::ReplaceRoute { new, .. } => format!("replace route {new}"),
            RoutingChange::RemoveRoute { route } => format!("remove route {route}"),
            RoutingChange::AddRule { rule } => format!("add rule {rule}"),
            RoutingChange::RemoveRule { rule } => format!("remove rule {rule}"),
        },
        Action::Block(blocked) => format!("block {}", target(blocked)),
        Action::Unblock(blocked) => format!("unblock {}", target(blocked)),
        Action::AnnounceAddress { address, .. } => format!("garp {address}"),
        Action::Device(DeviceAction::Create { device, .. }) => format!("make {}", device.name),
        Action::Device(DeviceAction::SetUp { device, .. }) => format!("set up {}", device.name),
        Action::Device(DeviceAction::Remove { device, .. }) => format!("delete {}", device.name),
        Action::JoinGroup { group, .. } => format!("join {group}"),
        Action::LeaveGroup { group, .. } => format!("leave {group}"),
        Action::RunScript { script } => format!("run {script}"),
        Action::SignalScript { script, signal } => format!("{signal:?} {script}"),
        Action::Announce(announcement) => announcement.to_string(),
        Action::Report(report) => format!("log {report}"),
    }
}

fn target(blocked: &Blocked) -> String {
    match &blocked.interface {
        Some(interface) => format!("{} on {interface}", blocked.address),
        None => blocked.address.to_string(),
    }
}
