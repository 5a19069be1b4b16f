//! `keepalived.data`: the state of everything, for people and for a handful of parsers.
//!
//! Objects are indented by one blank, their fields by three, entries of lists by five; parsers rely on it.

mod context;
mod statics;
mod trackers;

use std::collections::BTreeMap;

use types::{Family, Instant, Version};
use vrrp::settings::{
    AntiReplay, AuthHmac, Authentication, HmacMode, InstanceSettings, IpvlanMode, OldChecksum,
    Preempt, PreferredLifetime, Unicast, VirtualAddress, VirtualInterfaceKind,
};
use vrrp::{InstanceView, StateName, Vrrp};

pub use self::context::{Context, NotifyScript, NotifyWhen, WallClock};
use crate::page::Page;

/// The whole file.
#[must_use]
pub fn data(vrrp: &Vrrp, context: &Context<'_>) -> String {
    let mut page = Page::default();
    page.section("Global definitions");
    page.object(format_args!("Router ID = {}", context.router_id));
    page.object(format_args!("json_version {}", context.json_version));
    page.statics(vrrp);
    if vrrp.instances().next().is_some() {
        page.section("VRRP Topology");
    }
    let mut group_of: BTreeMap<&str, &str> = BTreeMap::new();
    let groups: Vec<vrrp::GroupView<'_>> = vrrp.groups().collect();
    for group in &groups {
        for member in &group.members {
            group_of.insert(member, group.name);
        }
    }
    for instance in vrrp.instances() {
        page.instance(
            &instance,
            group_of.get(instance.settings.name.as_str()).copied(),
            context,
        );
    }
    if !groups.is_empty() {
        page.section("VRRP Sync groups");
    }
    for group in &groups {
        page.object(format_args!(
            "VRRP Sync Group = {}, {}",
            group.name,
            group.state.word()
        ));
        page.field(format_args!(
            "Num member fault {}, num member init {}",
            group.faulty, group.waiting
        ));
        page.field(format_args!("VRRP member instances :"));
        for member in &group.members {
            page.entry(format_args!("{member}"));
        }
    }
    if vrrp.scripts().next().is_some() {
        page.section("VRRP Scripts");
    }
    for script in vrrp.scripts() {
        page.script(&script, vrrp, context);
    }
    if vrrp.files().next().is_some() {
        page.section("VRRP Track files");
    }
    for file in vrrp.files() {
        page.file(&file, vrrp);
    }
    if vrrp.processes().next().is_some() {
        page.section("VRRP Track processes");
    }
    for processes in vrrp.processes() {
        page.processes(&processes, vrrp);
    }
    if vrrp.bfd_sessions().next().is_some() {
        page.section("VRRP Track BFDs");
    }
    for session in vrrp.bfd_sessions() {
        page.session(&session, vrrp);
    }
    if vrrp.interfaces().next().is_some() {
        page.section("Interfaces");
    }
    for interface in vrrp.interfaces() {
        page.object(format_args!("Name = {}", interface.name));
        page.field(format_args!("index = {}", interface.index));
        if let Some(mac) = interface.mac {
            page.field(format_args!("MAC = {mac}"));
        }
        let state = if interface.usable {
            "UP, RUNNING"
        } else {
            "not UP, not RUNNING"
        };
        page.field(format_args!("State = {state}"));
    }
    page.text()
}

/// To whom an address belongs.
#[derive(Clone, Copy)]
pub(crate) enum Owner<'a> {
    /// An instance.
    Instance(&'a InstanceSettings),
    /// Nobody: it is a static one, with the `track_group` that it names.
    Static(Option<&'a str>),
}

/// An address as every dump writes it: `192.0.2.1/24 dev eth0 scope global set`. The exporters take the first word as
/// the address and the third as the interface.
pub(crate) fn address_text(address: &VirtualAddress, held: bool, of: Owner<'_>) -> String {
    let mut text = match address.prefix {
        prefix if prefix.length() == prefix.family().host_prefix_length() => {
            prefix.address().to_string()
        }
        prefix => prefix.to_string(),
    };
    let mut add = |words: std::fmt::Arguments<'_>| {
        text += &format!(" {words}");
    };
    if let Some(broadcast) = address.broadcast {
        add(format_args!("brd {broadcast}"));
    }
    add(format_args!("dev {}", address.interface));
    if let Owner::Instance(of) = of
        && let (Some(own), Some(base)) = (&of.virtual_interface, &of.interface)
        && own.name == address.interface
    {
        text += &format!("@{base}");
    }
    let mut add = |words: std::fmt::Arguments<'_>| {
        text += &format!(" {words}");
    };
    if address.use_vmac {
        add(format_args!("use_vmac"));
    }
    match address.scope {
        0 => add(format_args!("scope global")),
        200 => add(format_args!("scope site")),
        253 => add(format_args!("scope link")),
        254 => add(format_args!("scope host")),
        255 => add(format_args!("scope nowhere")),
        number => add(format_args!("scope {number}")),
    }
    if let Some(label) = &address.label {
        add(format_args!("label {label}"));
    }
    if let Some(peer) = address.peer {
        add(format_args!("peer {peer}"));
    }
    for (set, word) in [
        (address.home, "home"),
        (address.dad, "-nodad"),
        (address.mngtmpaddr, "mngtmpaddr"),
        (address.noprefixroute, "noprefixroute"),
        (address.autojoin, "autojoin"),
        (address.no_track, "no_track"),
    ] {
        if set {
            add(format_args!("{word}"));
        }
    }
    if let Owner::Static(Some(group)) = of {
        add(format_args!("track_group {group}"));
    }
    if address.prefix.family() == Family::V6 {
        match address.preferred_lft {
            PreferredLifetime::Seconds(0) => add(format_args!("deprecated")),
            PreferredLifetime::Seconds(seconds) => add(format_args!("preferred_lft {seconds}")),
            PreferredLifetime::Forever => add(format_args!("preferred_lft forever")),
        }
    }
    if held {
        add(format_args!("set"));
    }
    text
}

impl Page {
    fn extension(&mut self, hmac: &AuthHmac) {
        self.field(format_args!("Authentication extension = HMAC-SHA256-128"));
        self.entry(format_args!(
            "Keys = {}, active key id = {}",
            hmac.keys.len(),
            hmac.active_key
        ));
        let mode = match hmac.mode {
            HmacMode::Enforce => "enforce",
            HmacMode::Permissive => "permissive",
            HmacMode::ReceiveOnly => "receive-only",
        };
        self.entry(format_args!("Mode = {mode}"));
        match hmac.anti_replay {
            AntiReplay::Time { window } => {
                self.entry(format_args!("Anti replay = time, window = {window} sec"));
            }
            AntiReplay::Monotonic => self.entry(format_args!("Anti replay = monotonic")),
        }
    }

    fn instance(&mut self, view: &InstanceView<'_>, group: Option<&str>, context: &Context<'_>) {
        let settings = view.settings;
        self.object(format_args!("VRRP Instance = {}", settings.name));
        self.field(format_args!("VRRP Version = {}", settings.version.number()));
        if let Some(group) = group {
            self.field(format_args!("Sync group = {group}"));
        }
        if settings.family == Family::V6 {
            self.field(format_args!("Using Native IPv6"));
        }
        self.field(format_args!("State = {}", view.state.word()));
        if view.state == StateName::Backup {
            match view.master {
                Some(master) => {
                    self.field(format_args!("Master router = {}", master.address));
                    self.field(format_args!("Master priority = {}", master.claim.to_wire()));
                }
                None => self.field(format_args!("Master router = (none)")),
            }
            if settings.version == Version::V3 {
                let millis = view.master_advert_int.as_duration().as_millis();
                self.field(format_args!("Master advert interval = {millis} milli-sec"));
            }
        }
        self.flags(view);
        self.field(format_args!("Wantstate = {}", view.wants.word()));
        self.field(format_args!(
            "Number of config faults = {}",
            u8::from(view.config_error)
        ));
        self.field(format_args!(
            "Number of tracker faults = {}",
            view.tracker_faults
        ));
        self.interface_faults(view);
        self.field(format_args!(
            "Number of track scripts init = {}",
            view.scripts_pending
        ));
        self.time("Last transition", view.last_transition, context);
        match view.deadline {
            Some(at) => self.time("Read timeout", Some(at), context),
            None => self.field(format_args!("Read timeout = DISABLED")),
        }
        self.field(format_args!(
            "Master down timer = {} usecs",
            view.master_down.as_micros()
        ));
        self.ground(view);
        if settings.dont_track_primary {
            self.field(format_args!("VRRP interface tracking disabled"));
        }
        if settings.skip_check_adv_addr {
            self.field(format_args!("Skip checking advert IP addresses"));
        }
        let configured = if settings.mcast_src_ip.is_some() {
            " (from configuration)"
        } else {
            ""
        };
        match view.source {
            Some(source) => self.field(format_args!("Using src_ip = {source}{configured}")),
            None => self.field(format_args!("Using src_ip = (none)")),
        }
        if settings.unicast.is_none() {
            self.field(format_args!("Multicast address {}", settings.mcast_dst_ip));
        }
        let garp = &settings.garp;
        self.field(format_args!("Gratuitous ARP delay = {}", garp.master_delay));
        self.field(format_args!(
            "Gratuitous ARP repeat = {}",
            garp.master_repeat
        ));
        self.field(format_args!(
            "Gratuitous ARP refresh = {}",
            garp.master_refresh
        ));
        self.field(format_args!(
            "Gratuitous ARP refresh repeat = {}",
            garp.master_refresh_repeat
        ));
        self.field(format_args!(
            "Gratuitous ARP lower priority delay = {}",
            garp.lower_prio_delay
        ));
        self.field(format_args!(
            "Gratuitous ARP lower priority repeat = {}",
            garp.lower_prio_repeat
        ));
        self.field(format_args!(
            "Down timer adverts = {}",
            settings.down_timer_adverts
        ));
        let sends = !settings.lower_prio_no_advert;
        self.field(format_args!(
            "Send advert after receive lower priority advert = {sends}"
        ));
        let sends = settings.higher_prio_send_advert;
        self.field(format_args!(
            "Send advert after receive higher priority advert = {sends}"
        ));
        if settings.is_owner() {
            self.field(format_args!(
                "Address owner ignores received adverts = {}",
                settings.owner_ignore_adverts
            ));
        }
        self.field(format_args!("Virtual Router ID = {}", settings.vrid));
        self.field(format_args!("Priority = {}", settings.priority));
        self.field(format_args!(
            "Effective priority = {}",
            view.effective_priority
        ));
        self.field(format_args!("Total priority = {}", view.effective_priority));
        match settings.version {
            Version::V2 => self.field(format_args!(
                "Advert interval = {} sec",
                settings.advert_int.get() / 100
            )),
            Version::V3 => {
                let millis = settings.advert_int.as_duration().as_millis();
                self.field(format_args!("Advert interval = {millis} milli-sec"));
            }
        }
        match view.last_advert_sent {
            Some(at) => self.field(format_args!(
                "Last advert sent = {:.6}",
                context.clock.wall(at)
            )),
            None => self.field(format_args!("Last advert sent = 0.000000")),
        }
        let on_off = |on| if on { "enabled" } else { "disabled" };
        self.field(format_args!("Accept = {}", on_off(settings.accept)));
        let preempts = if settings.preempt == Preempt::Never {
            "disabled"
        } else {
            "enabled"
        };
        self.field(format_args!("Preempt = {preempts}"));
        if let Preempt::After(delay) = settings.preempt {
            self.field(format_args!("Preempt delay = {} secs", delay.as_secs_f64()));
        }
        self.field(format_args!(
            "Promote_secondaries = {}",
            on_off(settings.promote_secondaries)
        ));
        match &settings.authentication {
            Authentication::None if settings.version == Version::V2 => {
                self.field(format_args!("Authentication type = none"));
            }
            Authentication::None => {}
            Authentication::Hmac(hmac) => self.extension(hmac),
            Authentication::Ah(_) => {
                self.field(format_args!("Authentication type = IPSEC_AH"));
                self.field(format_args!("Password = ********"));
            }
            Authentication::Pass(_) => {
                self.field(format_args!("Authentication type = SIMPLE_PASSWORD"));
                self.field(format_args!("Password = ********"));
            }
        }
        if (settings.version, settings.family) == (Version::V3, Family::V4) {
            let on = if settings.v3_checksum_as_v2 {
                "enabled"
            } else {
                "disabled"
            };
            self.field(format_args!("VRRPv3 uses VRRPv2 checksum = {on}"));
        }
        let held = view.state == StateName::Master;
        let of = Owner::Instance(settings);
        self.field(format_args!(
            "Virtual IP ({}):",
            settings.virtual_ipaddress.len()
        ));
        for address in &settings.virtual_ipaddress {
            self.entry(format_args!("{}", address_text(address, held, of)));
        }
        if !settings.virtual_ipaddress_excluded.is_empty() {
            self.field(format_args!("Virtual IP Excluded :"));
        }
        for address in &settings.virtual_ipaddress_excluded {
            self.entry(format_args!("{}", address_text(address, held, of)));
        }
        if let Some(unicast) = &settings.unicast {
            self.unicast(unicast, view);
        }
        self.virtual_routing(settings);
        self.trackers(view);
        self.field(format_args!("Using smtp notification = no"));
        let deleted = context.notify_deleted.contains(&settings.name);
        let deleted = if deleted { "Deleted" } else { "Fault" };
        self.field(format_args!("Notify deleted = {deleted}"));
        for script in context.notify.get(&settings.name).into_iter().flatten() {
            let (title, command) = (script.when.title(), &script.command);
            let (uid, gid) = (script.uid, script.gid);
            self.field(format_args!(
                "{title} state transition script = {command}, uid:gid {uid}:{gid}"
            ));
        }
        let changes = settings.notify_priority_changes;
        self.field(format_args!("Notify priority changes = {changes}"));
    }

    fn flags(&mut self, view: &InstanceView<'_>) {
        let Some(unicast) = &view.settings.unicast else {
            self.field(format_args!("Flags: none"));
            return;
        };
        self.field(format_args!("Flags:"));
        self.entry(format_args!("Using unicast"));
        if unicast.peers.is_empty() {
            self.entry(format_args!("If unicast go to fault state if no peers"));
        }
    }

    fn unicast(&mut self, unicast: &Unicast, view: &InstanceView<'_>) {
        if let Some(ttl) = unicast.ttl {
            self.field(format_args!("Unicast TTL = {ttl}"));
        }
        let checks = if unicast.check_source { "yes" } else { "no" };
        self.field(format_args!("Check unicast src : {checks}"));
        self.field(format_args!("Unicast Peer :"));
        for peer in &unicast.peers {
            self.entry(format_args!(
                "{} min_ttl {} max_ttl {}",
                peer.address, peer.min_ttl, peer.max_ttl
            ));
        }
        let old = match (unicast.old_checksum, view.old_checksum_seen) {
            (OldChecksum::Never, _) => "never",
            (OldChecksum::Always, _) => "config",
            (OldChecksum::Detect, true) => "auto",
            (OldChecksum::Detect, false) => "no",
        };
        self.field(format_args!("Unicast checksum compatibility = {old}"));
    }

    /// What it runs on.
    fn ground(&mut self, view: &InstanceView<'_>) {
        let settings = view.settings;
        let Some(own) = settings.virtual_interface.as_deref() else {
            match &settings.interface {
                Some(interface) => self.field(format_args!("Interface = {interface}")),
                None => self.field(format_args!("Interface = not configured")),
            }
            if let Some(vrf) = settings.vrf {
                self.field(format_args!("VRF = {vrf}"));
            }
            return;
        };
        let (name, is_up) = (own.name, !view.interface_down);
        let kind = match own.kind {
            VirtualInterfaceKind::Macvlan { address, .. } => {
                let on_base = own.transmit_on_base;
                self.field(format_args!(
                    "Use VMAC, i/f name {name}, is_up = {is_up}, xmit_base = {on_base}"
                ));
                if address != InstanceSettings::virtual_mac(settings.family, settings.vrid) {
                    self.entry(format_args!("MAC = {address}"));
                }
                "vmac"
            }
            VirtualInterfaceKind::Ipvlan { address, mode } => {
                let address = address.map(|prefix| format!(", i/f address = {prefix}"));
                let mode = match mode {
                    IpvlanMode::Bridge => "bridge",
                    IpvlanMode::Private => "private",
                    IpvlanMode::Vepa => "vepa",
                };
                self.field(format_args!(
                    "Use IPVLAN, i/f {name}, is_up = {is_up}{}, type {mode}",
                    address.unwrap_or_default()
                ));
                "ipvlan"
            }
        };
        if settings.use_vmac_addr {
            self.field(format_args!("Use VMAC for VIPs on other interfaces"));
        }
        let base = settings
            .interface
            .map_or_else(String::new, |base| base.to_string());
        let below = if own.transmit_on_base {
            ", xmit base i/f"
        } else {
            ""
        };
        self.field(format_args!("Interface = {name}, {kind} on {base}{below}"));
    }

    fn interface_faults(&mut self, view: &InstanceView<'_>) {
        if !view.interface_down && !view.base_down && !view.no_source && !view.config_error {
            self.field(format_args!("Flags of interface faults - (none)"));
            return;
        }
        self.field(format_args!("Flags of interface faults:"));
        if view.interface_down {
            self.entry(format_args!("i/f down"));
        }
        if view.base_down {
            self.entry(format_args!("base i/f down"));
        }
        if view.no_source {
            self.entry(format_args!("no source IP address"));
        }
        if view.config_error {
            self.entry(format_args!("config error"));
        }
    }

    fn time(&mut self, title: &str, at: Option<Instant>, context: &Context<'_>) {
        let (seconds, micros) = context.clock.parts(at);
        let calendar = (context.calendar)(seconds);
        // Microseconds go behind the seconds of the ctime form, before the year.
        let calendar = match calendar.rsplit_once(' ') {
            Some((front, year)) => format!("{front}.{micros:06} {year}"),
            None => calendar,
        };
        self.field(format_args!("{title} = {seconds}.{micros:06} ({calendar})"));
    }
}
