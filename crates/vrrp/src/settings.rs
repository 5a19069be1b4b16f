//! What the VRRP core is told: the resolved configuration, with every default applied.
//!
//! `config` builds these from the text of `keepalived.conf`; the core never learns the file's syntax.
//! Field names are keepalived's keywords where there is one.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use serde::{Deserialize, Serialize};
use types::{Centiseconds, Family, IfName, Prefix, Priority, Version, Vrid, Weight};

mod authentication;
mod few;
pub mod global;
mod links;
pub mod routes;
pub mod rules;
mod trackers;
mod unicast;
mod virtual_interface;

pub use authentication::{
    AntiReplay, AuthHmac, AuthPass, Authentication, HmacKey, HmacMode, Secret,
};
pub use few::Few;
pub use links::{Debounce, ExtraGarp, GarpGroup, Linkbeat, LinkbeatMethod, TrackGroup};
pub use routes::Route;
pub use rules::Rule;
pub use trackers::{FileInit, FileSettings, ParameterMatch, ProcessSettings, TrackWeight, Tracked};
pub use unicast::{OldChecksum, Unicast, UnicastPeer};
pub use virtual_interface::{
    AddressDevice, Device, DeviceKind, IpvlanMode, VirtualInterface, VirtualInterfaceKind,
};

/// Everything the core is told at start and at every reload.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// What concerns all instances together.
    pub global: global::GlobalSettings,
    /// The virtual routers, in the order of the file. Names are unique.
    pub instances: Vec<InstanceSettings>,
    /// Groups of instances that change state together, in the order of the file. Names are unique.
    pub sync_groups: Vec<SyncGroupSettings>,
    /// The scripts that some instance tracks. Names are unique.
    pub scripts: Vec<ScriptSettings>,
    /// Least time between two gratuitous ARPs on one interface (`vrrp_garp_interval`); zero: no limit.
    pub garp_interval: Duration,
    /// Least time between two unsolicited neighbour advertisements on one interface (`vrrp_gna_interval`).
    pub gna_interval: Duration,
    /// Addresses that are there as long as the daemon runs (`static_ipaddress`).
    pub static_ipaddress: Vec<Static<VirtualAddress>>,
    /// Routes that are there as long as the daemon runs (`static_routes`).
    pub static_routes: Vec<Static<Route>>,
    /// Rules that are there as long as the daemon runs (`static_rules`).
    pub static_rules: Vec<Static<Rule>>,
    /// The files that some instance tracks. Names are unique.
    pub track_files: Vec<FileSettings>,
    /// The processes that some instance tracks. Names are unique.
    pub track_processes: Vec<ProcessSettings>,
    /// Names of the BFD sessions that some instance tracks.
    pub bfd_sessions: Vec<String>,
    /// What static addresses, routes and rules can depend on. Names are unique.
    pub track_groups: Vec<TrackGroup>,
    /// Limits on gratuitous ARPs that some interfaces share.
    pub garp_groups: Vec<GarpGroup>,
    /// Interfaces whose link is asked for.
    pub linkbeat: Vec<Linkbeat>,
    /// Interfaces whose state must last before it counts.
    pub debounce: Vec<Debounce>,
    /// The devices of addresses that are not on their instance's own. Names are unique.
    pub address_devices: Vec<AddressDevice>,
}

/// Something that does not depend on the state of any instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Static<T> {
    /// What is there.
    pub entry: T,
    /// `track_group`: its interface concerns the instances of this group; `None`: nobody.
    pub track_group: Option<String>,
}

/// One virtual router on one interface (`vrrp_instance`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceSettings {
    /// Its name in the file; unique.
    pub name: String,
    /// Where it sends and listens. It need not exist yet. `None`: wherever the routes to its unicast peers lead; it then
    /// has a source address.
    pub interface: Option<IfName>,
    /// Without an interface: the VRF device whose routes count (`vrf`).
    pub vrf: Option<IfName>,
    /// The family of its adverts.
    pub family: Family,
    /// The version of its adverts.
    pub version: Version,
    /// `virtual_router_id`.
    pub vrid: Vrid,
    /// The configured priority; 255 is the address owner. Trackers move the effective one.
    pub priority: Priority,
    /// The state it wants to begin in. Only an owner gets there without waiting (keepalived's own way).
    pub state: InitialState,
    /// Time between two adverts of ours. VRRPv2: whole seconds.
    pub advert_int: Centiseconds,
    /// How many intervals of silence make a master dead, 1..=100; the RFC's figure is 3.
    pub down_timer_adverts: u8,
    /// What a backup does when the master's priority is below its own.
    pub preempt: Preempt,
    /// How adverts are authenticated. VRRPv3 has nothing but keepalived's own trailer.
    pub authentication: Authentication,
    /// Addresses that adverts list (`virtual_ipaddress`), in the order of the file. Whoever needs one for longer shares it.
    pub virtual_ipaddress: Few<Arc<VirtualAddress>>,
    /// Addresses that go with the state but are not advertised (`virtual_ipaddress_excluded`).
    pub virtual_ipaddress_excluded: Few<Arc<VirtualAddress>>,
    /// Routes that go with the state (`virtual_routes`), in the order of the file.
    pub virtual_routes: Few<Route>,
    /// Rules that go with the state (`virtual_rules`), in the order of the file.
    pub virtual_rules: Few<Rule>,
    /// Source of the adverts (`mcast_src_ip`); `None`: the interface's first own address.
    pub mcast_src_ip: Option<IpAddr>,
    /// Adverts go to single routers; `None`: to the group.
    pub unicast: Option<Box<Unicast>>,
    /// Destination of multicast adverts (`mcast_dst_ip`, `vrrp_mcast_group4`, `vrrp_mcast_group6`).
    pub mcast_dst_ip: IpAddr,
    /// The instance's own interface going down is not a fault.
    pub dont_track_primary: bool,
    /// Further interfaces whose state counts; the instance's own is implied unless `dont_track_primary`.
    pub track_interface: Few<TrackInterface>,
    /// Scripts whose result counts. Each names one of [`Settings::scripts`].
    pub track_script: Few<TrackScript>,
    /// Files whose content counts.
    pub track_file: Few<Tracked>,
    /// Processes whose presence counts.
    pub track_process: Few<Tracked>,
    /// BFD sessions whose state counts.
    pub track_bfd: Few<Tracked>,
    /// The loss of `mcast_src_ip` is a fault.
    pub track_src_ip: bool,
    /// The schedule of gratuitous ARPs and unsolicited neighbour advertisements.
    pub garp: GarpSettings,
    /// Do not answer a lower-priority advert with one of our own.
    pub lower_prio_no_advert: bool,
    /// Answer a higher-priority advert with one of our own before giving way.
    pub higher_prio_send_advert: bool,
    /// An owner pays no attention to other routers' adverts.
    pub owner_ignore_adverts: bool,
    /// Compare the advertised addresses with ours only when the master changes.
    pub skip_check_adv_addr: bool,
    /// Announce changes of the effective priority.
    pub notify_priority_changes: bool,
    /// The device that it makes for itself; `None`: it uses `interface` as it is.
    pub virtual_interface: Option<Box<VirtualInterface>>,
    /// Addresses on other interfaces, or of the other family, get a macvlan there too (`use_vmac_addr`). Their `interface`
    /// names it already.
    pub use_vmac_addr: bool,
    /// Why nothing that can happen makes it work, in words: a configuration fault.
    pub unusable: Option<Box<str>>,
    /// The kernel is told to promote secondary addresses on the interface (`promote_secondaries`).
    pub promote_secondaries: bool,
    /// Checksums of VRRPv3 over IPv4 leave the pseudo header out.
    pub v3_checksum_as_v2: bool,
    /// Packets to the virtual addresses are taken although another router owns them (RFC 9568 Accept_Mode).
    pub accept: bool,
    /// Changes of state are mailed.
    pub smtp_alert: bool,
    /// Bytes of its socket's receive buffer; `None`: the system's own figure.
    pub kernel_rx_buf_size: Option<u32>,
    /// A master that slept while a backup of this priority took over becomes backup (`timer_expired_backup`), 1 to 254.
    pub timer_expired_backup: Option<u8>,
    /// Gratuitous ARPs on further interfaces.
    pub garp_extra_if: Option<ExtraGarp>,
    /// The interface of the IPVS synchronisation that follows this instance (`lvs_sync_daemon_interface`).
    pub lvs_sync_daemon_interface: Option<IfName>,
}

impl InstanceSettings {
    /// A virtual router over IPv4 on an interface, with keepalived's defaults and no address yet.
    pub fn new(name: &str, interface: IfName, vrid: Vrid) -> Self {
        Self {
            name: String::from(name),
            interface: Some(interface),
            vrf: None,
            family: Family::V4,
            version: Version::V2,
            vrid,
            priority: Priority::DEFAULT,
            state: InitialState::Backup,
            advert_int: Centiseconds::from_seconds(1),
            down_timer_adverts: 3,
            preempt: Preempt::Immediately,
            authentication: Authentication::None,
            virtual_ipaddress: Few::EMPTY,
            virtual_ipaddress_excluded: Few::EMPTY,
            virtual_routes: Few::EMPTY,
            virtual_rules: Few::EMPTY,
            mcast_src_ip: None,
            unicast: None,
            mcast_dst_ip: Family::V4.vrrp_group(),
            dont_track_primary: false,
            track_interface: Few::EMPTY,
            track_script: Few::EMPTY,
            track_file: Few::EMPTY,
            track_process: Few::EMPTY,
            track_bfd: Few::EMPTY,
            track_src_ip: false,
            garp: GarpSettings::default(),
            lower_prio_no_advert: false,
            higher_prio_send_advert: false,
            owner_ignore_adverts: false,
            skip_check_adv_addr: false,
            notify_priority_changes: false,
            virtual_interface: None,
            use_vmac_addr: false,
            unusable: None,
            promote_secondaries: false,
            v3_checksum_as_v2: false,
            accept: true,
            smtp_alert: false,
            kernel_rx_buf_size: None,
            timer_expired_backup: None,
            garp_extra_if: None,
            lvs_sync_daemon_interface: None,
        }
    }

    /// Whether it runs on this interface.
    pub fn is_on(&self, interface: &IfName) -> bool {
        self.interface.as_ref() == Some(interface)
    }

    /// Its own device, or else its interface.
    pub fn runs_on(&self) -> Option<&IfName> {
        let device = self.virtual_interface.as_ref();
        device
            .map(|device| &device.name)
            .or(self.interface.as_ref())
    }

    /// Whether it runs on this device, or in this VRF.
    pub(crate) fn stands_on(&self, interface: &IfName) -> bool {
        let device = self.virtual_interface.as_ref();
        self.vrf.as_ref() == Some(interface)
            || device.is_some_and(|device| device.name == *interface)
    }

    /// Whether this router owns the addresses: configured with priority 255.
    pub const fn is_owner(&self) -> bool {
        self.priority.is_owner()
    }

    /// All addresses that come and go with mastership: the advertised ones, then the excluded ones.
    pub fn addresses(&self) -> impl Iterator<Item = &Arc<VirtualAddress>> {
        self.virtual_ipaddress
            .iter()
            .chain(&self.virtual_ipaddress_excluded)
    }
}

/// The state an instance is configured to begin in (`state`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InitialState {
    /// Wait for a master first.
    Backup,
    /// Become master at once, if it is the address owner.
    Master,
}

/// What a backup does about a master of lower priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Preempt {
    /// Take over when the timer that the last accepted advert set runs out (RFC 9568 Preempt_Mode true).
    Immediately,
    /// Leave it be (`nopreempt`).
    Never,
    /// Leave it be for this long first (`preempt_delay`); keepalived: 0 < delay <= 1000 s.
    After(Duration),
}

/// One address that a master holds, with what the kernel is told about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VirtualAddress {
    /// The address and its prefix length.
    pub prefix: Prefix,
    /// The interface it is put on; it may be a device that we make.
    pub interface: IfName,
    /// The kernel's scope number: 0 universe, 253 link, 254 host.
    pub scope: u8,
    /// `label`, at most 15 characters; IPv4 only.
    pub label: Option<Box<str>>,
    /// `brd`, with `+` and `-` already computed; IPv4 only.
    pub broadcast: Option<Ipv4Addr>,
    /// The other end of a point-to-point address; its prefix length then counts.
    pub peer: Option<Prefix>,
    /// Perform duplicate address detection (`-nodad`); off by default for virtual addresses. IPv6 only.
    pub dad: bool,
    /// `home` (mobile IPv6).
    pub home: bool,
    /// `mngtmpaddr`.
    pub mngtmpaddr: bool,
    /// `noprefixroute`: the kernel makes no route for the prefix.
    pub noprefixroute: bool,
    /// `autojoin`: the kernel joins the multicast address.
    pub autojoin: bool,
    /// `preferred_lft`: how long the address is preferred as a source; IPv6 only.
    pub preferred_lft: PreferredLifetime,
    /// Its loss does not concern the instance.
    pub no_track: bool,
    /// `use_vmac`: its `interface` is a device with the virtual router's MAC.
    pub use_vmac: bool,
}

impl VirtualAddress {
    /// An address on an interface, without options.
    pub const fn new(prefix: Prefix, interface: IfName) -> Self {
        Self {
            prefix,
            interface,
            scope: 0,
            label: None,
            broadcast: None,
            peer: None,
            dad: false,
            home: false,
            mngtmpaddr: false,
            noprefixroute: false,
            autojoin: false,
            preferred_lft: PreferredLifetime::Forever,
            no_track: false,
            use_vmac: false,
        }
    }
}

/// How long an IPv6 address may be chosen as a source of new connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PreferredLifetime {
    /// Without end.
    Forever,
    /// For so many seconds; 0: never, the address is deprecated from the start.
    Seconds(u32),
}

/// A tracked interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackInterface {
    /// Which.
    pub interface: IfName,
    /// What its state adds to the priority; 0: down is a fault.
    pub weight: Weight,
    /// `reverse`: without a weight, up counts as down; with one, the sign of what is added is turned.
    pub reverse: bool,
}

/// A tracked script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackScript {
    /// Name of one of [`Settings::scripts`].
    pub script: String,
    /// What its result adds to the priority; 0: a failure is a fault.
    pub weight: Weight,
    /// `reverse`: without a weight, success counts as failure; with one, the sign of what is added is turned.
    pub reverse: bool,
}

/// A check script (`vrrp_script`), without what it takes to run it: that is the host's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptSettings {
    /// Its name in the file; unique.
    pub name: String,
    /// Identifies the command and the user it runs as. A reload keeps a script's result only if name and
    /// identity are the same.
    pub identity: String,
    /// Time between two starts.
    pub interval: Duration,
    /// How long a run may take; `None`: the interval.
    pub timeout: Option<Duration>,
    /// Consecutive successes that make it good, 1 or more.
    pub rise: u32,
    /// Consecutive failures that make it bad, 1 or more.
    pub fall: u32,
}

/// When a master tells the link where its addresses are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GarpSettings {
    /// `garp_master_delay`: seconds from becoming master to the second block; 0: no second block.
    pub master_delay: u32,
    /// `garp_master_repeat`: rounds in a block, at least 1.
    pub master_repeat: u32,
    /// `garp_master_refresh`: seconds between later blocks; 0: none.
    pub master_refresh: u32,
    /// `garp_master_refresh_repeat`: rounds in a later block, at least 1.
    pub master_refresh_repeat: u32,
    /// `garp_lower_prio_delay`: seconds from a lower-priority advert to the second block; 0: none.
    pub lower_prio_delay: u32,
    /// `garp_lower_prio_repeat`: rounds in the blocks after a lower-priority advert; 0: none.
    pub lower_prio_repeat: u32,
}

impl Default for GarpSettings {
    /// keepalived's defaults.
    fn default() -> Self {
        Self {
            master_delay: 5,
            master_repeat: 5,
            master_refresh: 0,
            master_refresh_repeat: 1,
            lower_prio_delay: 5,
            lower_prio_repeat: 5,
        }
    }
}

/// Instances that change state together (`vrrp_sync_group`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncGroupSettings {
    /// Its name in the file; unique.
    pub name: String,
    /// Names of its members, in the order of the file; no instance is in two groups, no group is empty.
    pub members: Vec<String>,
    /// Changes of the group's state are mailed.
    pub smtp_alert: bool,
}
