//! `keepalived.data`: the state of everything, for people and for a handful of parsers.
//!
//! Objects are indented by one blank, their fields by three, entries of lists by five; parsers rely on it.

mod statics;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use types::{Family, Instant, Version};
use vrrp::settings::{
    AntiReplay, AuthHmac, Authentication, HmacMode, InstanceSettings, IpvlanMode, OldChecksum,
    ParameterMatch, Preempt, PreferredLifetime, TrackWeight, Tracked, Unicast, VirtualAddress,
    VirtualInterfaceKind,
};
use vrrp::{
    BfdView, FileView, InstanceView, ProcessView, ScriptState, ScriptView, StateName, Vrrp,
};

use crate::page::Page;

/// What a dump needs beyond the core's own state.
#[derive(Debug)]
pub struct Context<'a> {
    /// Turns the core's time into the calendar's.
    pub clock: WallClock,
    /// `router_id`.
    pub router_id: &'a str,
    /// `json_version`: 1 or 2.
    pub json_version: u8,
    /// The command line of each tracked script, by its name.
    pub commands: &'a BTreeMap<String, String>,
    /// The notify scripts of each instance, by its name.
    pub notify: &'a BTreeMap<String, Vec<NotifyScript>>,
    /// Names of the instances with `notify_deleted`.
    pub notify_deleted: &'a BTreeSet<String>,
    /// How a point in calendar time (seconds since 1970) reads: `Sat Nov 21 10:00:00 2026`.
    pub calendar: fn(i64) -> String,
}

/// A notify script of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifyScript {
    /// When it runs.
    pub when: NotifyWhen,
    /// Its command line, each word in single quotes.
    pub command: String,
    /// Whom it runs as.
    pub uid: u32,
    /// With which group.
    pub gid: u32,
}

/// When a notify script runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotifyWhen {
    /// `notify_backup`.
    Backup,
    /// `notify_master`.
    Master,
    /// `notify_fault`.
    Fault,
    /// `notify_stop`.
    Stop,
    /// `notify_deleted`.
    Deleted,
    /// `notify`.
    Any,
    /// `notify_master_rx_lower_pri`.
    MasterRxLowerPri,
}

impl NotifyWhen {
    /// What `keepalived.data` calls it.
    const fn title(self) -> &'static str {
        match self {
            Self::Backup => "Backup",
            Self::Master => "Master",
            Self::Fault => "Fault",
            Self::Stop => "Stop",
            Self::Deleted => "Deleted",
            Self::Any => "Generic",
            Self::MasterRxLowerPri => "Master rx lower pri",
        }
    }
}

/// How the core's clock relates to the calendar's.
#[derive(Clone, Copy, Debug)]
pub struct WallClock {
    /// A moment on the core's clock ...
    pub now: Instant,
    /// ... and the same moment in nanoseconds since 1970.
    pub unix_nanos: i128,
}

impl WallClock {
    /// Seconds since 1970, with a fraction, of a moment on the core's clock.
    #[must_use]
    pub fn wall(&self, at: Instant) -> f64 {
        let micros = self.nanos(at) / 1000;
        // A double holds microseconds exactly until the year 2255.
        #[expect(clippy::cast_precision_loss, reason = "see above")]
        let micros = micros as f64;
        micros / 1e6
    }

    fn nanos(&self, at: Instant) -> i128 {
        self.unix_nanos + i128::from(at.as_nanos()) - i128::from(self.now.as_nanos())
    }

    /// Seconds since 1970 and the microseconds beyond; 0 for what has not been yet.
    pub(crate) fn parts(&self, at: Option<Instant>) -> (i64, i128) {
        let nanos = at.map_or(0, |at| self.nanos(at));
        let seconds = nanos.div_euclid(1_000_000_000);
        let micros = nanos.rem_euclid(1_000_000_000) / 1000;
        (i64::try_from(seconds).unwrap_or(0), micros)
    }
}

/// `weight 10 reverse`.
fn weight(weight: TrackWeight, reverse: bool) -> String {
    format!("weight {}", signed(weight, reverse))
}

/// `10 reverse`.
fn signed(weight: TrackWeight, reverse: bool) -> String {
    let reverse = if reverse { " reverse" } else { "" };
    format!("{}{reverse}", weight.get())
}

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

    fn trackers(&mut self, view: &InstanceView<'_>) {
        let reversed = |reverse| if reverse { " reverse" } else { "" };
        if !view.settings.track_interface.is_empty() {
            self.field(format_args!("Tracked interfaces :"));
        }
        for tracked in &view.settings.track_interface {
            let weight = tracked.weight.get();
            self.entry(format_args!(
                "{} weight {weight}{}",
                tracked.interface,
                reversed(tracked.reverse)
            ));
        }
        if !view.settings.track_script.is_empty() {
            self.field(format_args!("Tracked scripts :"));
        }
        for tracked in &view.settings.track_script {
            let weight = tracked.weight.get();
            self.entry(format_args!(
                "{} weight {weight}{}",
                tracked.script,
                reversed(tracked.reverse)
            ));
        }
        let settings = view.settings;
        self.tracked("Tracked files", ",", &settings.track_file);
        self.tracked("Tracked processes", ",", &settings.track_process);
        self.tracked("Tracked BFDs", ":", &settings.track_bfd);
    }

    /// The entries of an instance's list of files, processes or BFD sessions.
    fn tracked(&mut self, title: &str, separator: &str, list: &[Tracked]) {
        if !list.is_empty() {
            self.field(format_args!("{title} :"));
        }
        for tracked in list {
            self.entry(format_args!(
                "{}{separator} {}",
                tracked.name,
                weight(tracked.weight, tracked.reverse)
            ));
        }
    }

    /// Who tracks an object.
    fn tracking<'a>(
        &mut self,
        vrrp: &'a Vrrp,
        name: &str,
        list: impl Fn(&'a InstanceSettings) -> &'a [Tracked],
    ) {
        self.field(format_args!("Tracking instances :"));
        for instance in vrrp.instances() {
            let of_it = list(instance.settings)
                .iter()
                .filter(|tracked| tracked.name == name);
            for tracked in of_it {
                self.entry(format_args!(
                    "{}, {}",
                    instance.settings.name,
                    weight(tracked.weight, tracked.reverse)
                ));
            }
        }
    }

    fn file(&mut self, file: &FileView<'_>, vrrp: &Vrrp) {
        let settings = file.settings;
        self.object(format_args!("Track file = {}", settings.name));
        self.field(format_args!("File = {}", settings.path));
        self.field(format_args!("Status = {}", file.value));
        self.field(format_args!(
            "Weight = {}",
            signed(settings.weight, settings.reverse)
        ));
        self.tracking(vrrp, &settings.name, |instance| &instance.track_file);
    }

    fn processes(&mut self, processes: &ProcessView<'_>, vrrp: &Vrrp) {
        let settings = processes.settings;
        self.object(format_args!("VRRP Track process = {}", settings.name));
        self.field(format_args!("Process = {}", settings.command));
        if !settings.parameters.is_empty() {
            self.field(format_args!(
                "Parameters = {}",
                settings.parameters.join(" ")
            ));
        }
        match settings.matching {
            ParameterMatch::Exact if settings.parameters.is_empty() => {}
            ParameterMatch::Exact => self.field(format_args!("Param match")),
            ParameterMatch::Partial => self.field(format_args!("Param match = partial")),
            ParameterMatch::Initial => self.field(format_args!("Param match = initial")),
        }
        self.field(format_args!("Min processes = {}", settings.quorum));
        if let Some(most) = settings.quorum_max {
            self.field(format_args!("Max processes = {most}"));
        }
        self.field(format_args!("Current processes = {}", processes.count));
        self.field(format_args!("Have quorum = {}", processes.quorum));
        self.field(format_args!(
            "Weight = {}",
            signed(settings.weight, settings.reverse)
        ));
        let seconds = |delay: Duration| delay.as_secs_f64();
        self.field(format_args!(
            "Terminate delay = {:.6}s",
            seconds(settings.terminate_delay)
        ));
        self.field(format_args!(
            "Fork delay = {:.6}s",
            seconds(settings.fork_delay)
        ));
        let running = |waits| if waits { "running" } else { "not running" };
        self.field(format_args!(
            "Fork delay timer {}",
            running(processes.gaining)
        ));
        self.field(format_args!(
            "Terminate delay timer {}",
            running(processes.losing)
        ));
        self.field(format_args!("Full command = {}", settings.full_command));
        self.tracking(vrrp, &settings.name, |instance| &instance.track_process);
    }

    fn session(&mut self, session: &BfdView<'_>, vrrp: &Vrrp) {
        self.object(format_args!("VRRP Track BFD = {}", session.name));
        let state = if session.up { "up" } else { "down" };
        self.field(format_args!("Bfd is {state}"));
        self.tracking(vrrp, session.name, |instance| &instance.track_bfd);
    }

    fn script(&mut self, script: &ScriptView<'_>, vrrp: &Vrrp, context: &Context<'_>) {
        let settings = script.settings;
        self.object(format_args!("VRRP Script = {}", settings.name));
        if let Some(command) = context.commands.get(&settings.name) {
            self.field(format_args!("Command = {command}"));
        }
        self.field(format_args!(
            "Interval = {} sec",
            settings.interval.as_secs_f64()
        ));
        self.field(format_args!(
            "Timeout = {} sec",
            settings.timeout.unwrap_or_default().as_secs_f64()
        ));
        self.field(format_args!("Rise = {}", settings.rise));
        self.field(format_args!("Fall = {}", settings.fall));
        self.field(format_args!("Result = {}", script.result));
        let init = if script.good.is_none() {
            "INIT"
        } else {
            "unknown"
        };
        self.field(format_args!("Init state = {init}"));
        let status = if script.good == Some(true) {
            "GOOD"
        } else {
            "BAD"
        };
        self.field(format_args!("Status = {status}"));
        self.field(format_args!("VRRP instances :"));
        for instance in vrrp.instances() {
            for tracked in instance
                .settings
                .track_script
                .iter()
                .filter(|t| t.script == settings.name)
            {
                self.entry(format_args!(
                    "{}, weight {}",
                    instance.settings.name,
                    tracked.weight.get()
                ));
            }
        }
        let state = match script.state {
            ScriptState::Idle => "idle",
            ScriptState::Running => "running",
            ScriptState::RequestedTermination => "requested termination",
            ScriptState::ForcingTermination => "forcing termination",
        };
        self.field(format_args!("State = {state}"));
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
