//! Carries out what the core decides.
//!
//! The actions of one drain are sorted by kind, each kind in its own order: adverts leave at once; what is blocked is blocked in
//! the packet filter; groups are joined; all changes of addresses, routes and rules go to the kernel in one batch; what is no
//! longer blocked is let through; then gratuitous ARPs and neighbour advertisements leave, then log lines and scripts. A
//! thousand instances that become master together so cost one netlink exchange, and no log line stands between an advert and
//! the announcement of its address. Devices are made and removed at once, after what came before them. Only an instance with
//! many addresses has it another way: when no advert waits any more, each portion of them is announced before the kernel gets
//! the next.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use config::Settings;
use log::{debug, error, info, warn};
use sys::advert_socket::{AdvertSender, Memberships};
use sys::igmp::NoLocalReports;
use sys::link_socket::{Frames, LinkSocket};
use sys::netlink::{
    AddressChange, Change, ChangeError, Changed, Event, Insert, KernelAddress, LinkKind, Refusal,
    RouteChange, RouteSocket,
};
use sys::process::Exit;
use sys::sysctl::Overrides;
use types::{Family, IfIndex, IfName, Instant};
use vrrp::settings::{PreferredLifetime, Rule, ScriptSettings, VirtualAddress};
use vrrp::{
    Action, Announcement, Carrier, Detail, DeviceAction, Interface, InterfaceAddress, Report,
    RoutingChange, ScriptOutcome, SeenRoute, Vrrp,
};
use wire::arp::GratuitousArp;
use wire::ndisc::NeighbourAdvertisement;

use super::culprit::Culprits;
use super::devices::{Devices, Refused};
use super::exchange::persist;
use super::fifo_lines;
use super::firewall::PacketFilter;
use super::kernel_view::{self, Echoes};
use super::notify;
use super::routing::{Complaints, Interest};
use super::scripts::Scripts;
use crate::child::fifo::Fifos;
use crate::kernel_routing::{self, PROTOCOL};
use crate::messages::Role;

/// How long a reading of an interface's forwarding switch is good (keepalived: 5 s).
const FORWARDING_IS_FRESH: Duration = Duration::from_secs(5);

/// Address changes that are worth an exchange with the kernel of their own, when their announcements are there too: well
/// below a millisecond of work.
const PORTION: usize = 32;

/// Actions of one drain after which memory is worth giving back: they lived for a moment, and there is a hole for each.
const MANY: usize = 1000;

/// Announcements that are made ready before the first of them leaves.
const FRAMES: usize = 256;

pub(super) struct Hands {
    route: RouteSocket,
    senders: BTreeMap<Family, AdvertSender>,
    link: LinkSocket,
    frames: Frames,
    memberships: Memberships,
    scripts: Scripts,
    devices: Devices,
    filter: PacketFilter,
    fifos: Fifos,
    /// `disable_local_igmp` is in force.
    no_local_reports: Option<NoLocalReports>,
    mtus: BTreeMap<IfName, u32>,
    /// The tables of VRFs, as they were when everything was read.
    vrfs: Vec<(IfName, u32)>,
    echoes: Echoes,
    culprits: Culprits,
    forwarding: BTreeMap<IfIndex, (Instant, bool)>,
    /// Where sending has failed, to say it only once.
    cannot_send: BTreeSet<(Option<IfIndex>, IpAddr)>,
    /// Groups that could not be joined; tried again when something about the interfaces changes.
    failed_joins: BTreeSet<(IfIndex, IpAddr)>,
    complaints: Complaints,
    /// Of which routes and rules we want to hear.
    interest: Interest,
    lost_track: bool,
    later: Later,
    /// A drain had many actions.
    many: bool,
}

/// What waits for the end of a drain.
#[derive(Default)]
struct Later {
    changes: Vec<Request>,
    /// A macvlan's membership is not to be reported before the filter knows the macvlan.
    joins: Vec<(IfIndex, IpAddr)>,
    announcements: Vec<(IfIndex, types::MacAddress, IpAddr)>,
    words: Vec<Words>,
    failed_scripts: Vec<Arc<str>>,
}

/// Something to ask the kernel for.
enum Request {
    Add(IfIndex, Arc<VirtualAddress>),
    Remove(IfIndex, Arc<VirtualAddress>),
    Routing(RoutingChange),
}

enum Words {
    Announcement(Announcement),
    Report(Report),
}

impl Hands {
    /// `overridden`: settings of the kernel that a predecessor has left changed.
    pub(super) fn new(overridden: BTreeMap<String, i64>) -> Result<Self, sys::Error> {
        Ok(Self {
            route: RouteSocket::new()?,
            senders: BTreeMap::new(),
            link: LinkSocket::new()?,
            frames: Frames::default(),
            memberships: Memberships::new(),
            scripts: Scripts::default(),
            devices: Devices::new(overridden),
            filter: PacketFilter::default(),
            fifos: Fifos::new(Role::Vrrp),
            no_local_reports: None,
            mtus: BTreeMap::new(),
            vrfs: Vec::new(),
            echoes: Echoes::default(),
            culprits: Culprits::default(),
            forwarding: BTreeMap::new(),
            cannot_send: BTreeSet::new(),
            failed_joins: BTreeSet::new(),
            complaints: Complaints::default(),
            interest: Interest::default(),
            lost_track: false,
            later: Later::default(),
            many: false,
        })
    }

    /// Drains the core and carries everything out.
    pub(super) fn carry_out(&mut self, now: Instant, core: &mut Vrrp, settings: &Settings) {
        self.carry_out_reload(now, core, settings, settings);
    }

    /// The same after a reload: `old` has the scripts of those who are no more.
    pub(super) fn carry_out_reload(
        &mut self,
        now: Instant,
        core: &mut Vrrp,
        settings: &Settings,
        old: &Settings,
    ) {
        loop {
            let mut count = 0;
            while let Some(action) = core.poll_action() {
                count += 1;
                if self.later.changes.len() >= PORTION && core.adverts_waiting() == 0 {
                    self.work_off(&action, now, core);
                }
                if let Action::Device(action) = &action {
                    self.change_device(now, action, core);
                } else {
                    self.perform(action, settings, old);
                }
            }
            self.filter.before_addresses(now, core);
            self.join_groups();
            self.change_kernel(now, core);
            self.filter.after_addresses(now, core);
            self.many |= count >= MANY;
            if count == 0 {
                return;
            }
            self.announce_addresses(now, core);
            self.speak(now, settings, old);
            // These are inputs again, so the core is drained once more.
            for script in std::mem::take(&mut self.later.failed_scripts) {
                core.handle_script_exit(now, &script, ScriptOutcome::NotStarted);
            }
        }
    }

    /// Whether there was a drain of so many actions, since the last time that somebody asked, that they left much memory
    /// behind.
    pub(super) const fn did_much(&mut self) -> bool {
        std::mem::replace(&mut self.many, false)
    }

    /// The kernel's settings that this process has changed: what is not in there nobody puts back after a crash.
    pub(super) const fn overrides(&mut self) -> &mut Overrides {
        self.devices.overrides()
    }

    /// Puts back what a predecessor changed in the kernel and the first settings do not ask for.
    pub(super) fn put_back_inherited(&mut self) {
        self.devices.put_back_inherited();
    }

    /// What the parent does not know yet of changes in the kernel; what it was told is to be taken out.
    pub(super) fn overrides_to_tell(&mut self) -> &mut Vec<(String, Option<i64>)> {
        self.devices.untold()
    }

    fn join_groups(&mut self) {
        for (interface, group) in std::mem::take(&mut self.later.joins) {
            if let Err(problem) = self.memberships.join(interface, group) {
                error!("{problem}");
                self.failed_joins.insert((interface, group));
            }
        }
    }

    /// What is to leave a device leaves it before it goes.
    fn change_device(&mut self, now: Instant, action: &DeviceAction, core: &mut Vrrp) {
        // An address that takes no packets is blocked before it comes, here, too.
        self.filter.before_addresses(now, core);
        self.change_kernel(now, core);
        let (DeviceAction::Create { device, .. }
        | DeviceAction::SetUp { device, .. }
        | DeviceAction::Remove { device, .. }) = action;
        let refused = matches!(self.devices.perform(action, &mut self.route), Err(Refused));
        // What could not be removed says nothing about what may be made.
        if refused && !matches!(action, DeviceAction::Remove { .. }) {
            core.handle_device_refused(now, &device.name);
        }
    }

    /// A portion of addresses and what announces them has come together, and more addresses are to come: the neighbours
    /// need not wait for those. Not while the packet filter has work to do, which comes first and is one piece.
    fn work_off(&mut self, next: &Action, now: Instant, core: &mut Vrrp) {
        if matches!(next, Action::AddAddress { .. }) && self.filter.is_done() {
            self.change_kernel(now, core);
            self.announce_addresses(now, core);
        }
    }

    fn perform(&mut self, action: Action, settings: &Settings, old: &Settings) {
        match action {
            Action::SendAdvert {
                interface,
                source,
                destination,
                hop_limit,
                carrier,
                message,
            } => {
                let to = (interface, destination);
                self.send_advert(to, source, hop_limit, carrier, &message);
            }
            Action::AddAddress { interface, address } => {
                self.later.changes.push(Request::Add(interface, address));
            }
            Action::RemoveAddress { interface, address } => {
                self.later.changes.push(Request::Remove(interface, address));
            }
            Action::ChangeRouting(change) => self.later.changes.push(Request::Routing(change)),
            Action::Block(blocked) => self.filter.block(blocked),
            Action::Unblock(blocked) => self.filter.unblock(blocked),
            Action::AnnounceAddress {
                interface,
                mac,
                address,
            } => {
                self.later.announcements.push((interface, mac, address));
            }
            // They go by `change_device`.
            Action::Device(_) => {}
            Action::JoinGroup { interface, group } => self.later.joins.push((interface, group)),
            Action::LeaveGroup { interface, group } => {
                self.join_groups();
                self.failed_joins.remove(&(interface, group));
                if let Err(problem) = self.memberships.leave(interface, group) {
                    debug!("{problem}");
                }
            }
            Action::RunScript { script } => {
                let command = settings
                    .commands
                    .get(&*script)
                    .or_else(|| old.commands.get(&*script));
                if let Err(problem) = self.scripts.run(&script, command) {
                    error!("VRRP_Script({script}) cannot be started: {problem:#}");
                    self.later.failed_scripts.push(script);
                }
            }
            Action::SignalScript { script, signal } => self.scripts.signal(&script, signal),
            Action::Announce(announcement) => {
                self.later.words.push(Words::Announcement(announcement))
            }
            Action::Report(report) => self.later.words.push(Words::Report(report)),
        }
    }

    /// Opens the socket that adverts of a family leave by, ahead of the moment in which it is needed: opening it then would
    /// delay a take-over.
    pub(super) fn prepare_to_send(&mut self, family: Family) -> Result<(), sys::Error> {
        if let Entry::Vacant(entry) = self.senders.entry(family) {
            entry.insert(AdvertSender::new(family)?);
        }
        Ok(())
    }

    fn send_advert(
        &mut self,
        to: (Option<IfIndex>, IpAddr),
        source: IpAddr,
        hop_limit: Option<u8>,
        carrier: Carrier,
        message: &[u8],
    ) {
        let Some(sender) = self.senders.get_mut(&Family::of(source)) else {
            return;
        };
        let (interface, destination) = to;
        let sent = match carrier {
            Carrier::Vrrp => sender.send(interface, source, destination, hop_limit, message),
            Carrier::Ah { identification } => {
                let ends = (source, destination);
                sender.send_behind_ah(interface, ends, hop_limit, identification, message)
            }
        };
        match sent {
            Ok(()) => {
                if !self.cannot_send.is_empty() {
                    self.cannot_send.remove(&to);
                }
            }
            Err(problem) => {
                if self.cannot_send.insert(to) {
                    warn!("cannot send adverts to {destination}: {problem}");
                }
            }
        }
    }

    /// Asks the kernel for everything at once, in the order in which the core did.
    fn change_kernel(&mut self, now: Instant, core: &mut Vrrp) {
        let mut requests = std::mem::take(&mut self.later.changes);
        // What the kernel would not replace is removed and made anew, in a second round.
        while !requests.is_empty() {
            let changes: Vec<Change>;
            (requests, changes) = requests
                .into_iter()
                .filter_map(|request| {
                    let change = request.change(core)?;
                    Some((request, change))
                })
                .unzip();
            let results = match persist(|| self.route.change_routing(&changes)) {
                Ok(results) => results,
                Err(problem) => {
                    error!("{problem}: addresses or routes may be missing or left behind");
                    self.lost_track = true;
                    return;
                }
            };
            let done = std::mem::take(&mut requests);
            for (request, result) in done.into_iter().zip(results) {
                if let Some(instead) = self.account_for(now, request, result, core) {
                    requests.extend(instead);
                }
            }
        }
    }

    /// Nobody knows what the kernel has: an exchange with it failed as a whole, again and again.
    pub(super) const fn lost_track(&self) -> bool {
        self.lost_track
    }

    /// Tells the core what became of a request; yields what to ask for instead.
    fn account_for(
        &mut self,
        now: Instant,
        request: Request,
        result: Result<Changed, ChangeError>,
        core: &mut Vrrp,
    ) -> Option<[Request; 2]> {
        let refusal = result.as_ref().err().map(ChangeError::refusal);
        match (request, refusal) {
            (Request::Remove(interface, address), None) => {
                if matches!(result, Ok(Changed::Now)) {
                    self.echoes.expect(interface, Vrrp::kernel_prefix(&address));
                }
            }
            // Whether it is still being tested for duplicates nobody will tell us: it was before we asked.
            (Request::Add(interface, address), None)
                if address.dad && matches!(result, Ok(Changed::Already)) =>
            {
                let there = InterfaceAddress {
                    interface,
                    prefix: Vrrp::kernel_prefix(&address),
                    tentative: false,
                };
                core.handle_address(now, there);
            }
            (Request::Add(..), None) => {}
            (Request::Add(interface, address), Some(refusal)) => {
                refused("add", &address, refusal);
                core.handle_address_refused(interface, Vrrp::kernel_prefix(&address));
            }
            (Request::Remove(_, address), Some(refusal)) => refused("remove", &address, refusal),
            (Request::Routing(change), refusal) => {
                return self.account_for_routing(change, refusal, core);
            }
        }
        None
    }

    fn account_for_routing(
        &mut self,
        change: RoutingChange,
        refusal: Option<&Refusal>,
        core: &mut Vrrp,
    ) -> Option<[Request; 2]> {
        let complaints = &mut self.complaints;
        match (change, refusal) {
            (RoutingChange::AddRoute { route }, None) => {
                complaints.done(|| format!("route {route}"));
            }
            (RoutingChange::AddRoute { route }, Some(refusal)) => {
                complaints.refused("add", format!("route {route}"), refusal);
                core.handle_route_refused(&route);
            }
            (RoutingChange::ReplaceRoute { .. }, None) => {}
            (RoutingChange::ReplaceRoute { old, new }, Some(refusal)) if old == new => {
                complaints.refused("replace", format!("route {new}"), refusal);
                core.handle_route_not_replaced(&new);
            }
            (RoutingChange::ReplaceRoute { old, new }, Some(refusal)) => {
                debug!("cannot replace the route {new}: {refusal}; removing and adding it");
                return Some([
                    Request::Routing(RoutingChange::RemoveRoute { route: old }),
                    Request::Routing(RoutingChange::AddRoute { route: new }),
                ]);
            }
            (RoutingChange::AddRule { rule }, None) => complaints.done(|| format!("rule {rule}")),
            (RoutingChange::AddRule { rule }, Some(refusal)) => {
                complaints.refused("add", format!("rule {rule}"), refusal);
                core.handle_rule_refused(&rule);
            }
            (RoutingChange::RemoveRoute { .. } | RoutingChange::RemoveRule { .. }, None) => {}
            (RoutingChange::RemoveRoute { route }, Some(refusal)) => {
                complaints.refused("remove", format!("route {route}"), refusal);
            }
            (RoutingChange::RemoveRule { rule }, Some(refusal)) => {
                complaints.refused("remove", format!("rule {rule}"), refusal);
            }
        }
        None
    }

    fn announce_addresses(&mut self, now: Instant, core: &Vrrp) {
        let announcements = std::mem::take(&mut self.later.announcements);
        // A piece at a time: the frames of thousands of addresses would be megabytes.
        for piece in announcements.chunks(FRAMES) {
            for (interface, mac, address) in piece {
                let (interface, mac) = (*interface, *mac);
                match *address {
                    IpAddr::V4(address) => {
                        let frame = GratuitousArp { address, mac }.encode();
                        self.frames.push(interface, &frame);
                    }
                    IpAddr::V6(address) => {
                        let router = self.forwards(now, interface, core);
                        let announcement = NeighbourAdvertisement {
                            address,
                            mac,
                            router,
                        };
                        self.frames.push(interface, &announcement.encode());
                    }
                }
            }
            self.link.send_all(&self.frames, |place, problem| {
                if let Some((_, _, address)) = piece.get(place) {
                    debug!("cannot announce {address}: {problem}");
                }
            });
            self.frames.clear();
        }
    }

    /// Whether an interface forwards IPv6 packets: the R flag of its neighbour advertisements.
    fn forwards(&mut self, now: Instant, index: IfIndex, core: &Vrrp) -> bool {
        if let Some((read_at, forwards)) = self.forwarding.get(&index)
            && now.since(*read_at) < FORWARDING_IS_FRESH
        {
            return *forwards;
        }
        let forwards = core
            .interfaces()
            .find(|interface| interface.index == index)
            .is_some_and(|interface| {
                let switch = format!("/proc/sys/net/ipv6/conf/{}/forwarding", interface.name);
                std::fs::read_to_string(Path::new(&switch)).is_ok_and(|text| text.trim() != "0")
            });
        self.forwarding.insert(index, (now, forwards));
        forwards
    }

    fn speak(&mut self, now: Instant, settings: &Settings, old: &Settings) {
        for words in std::mem::take(&mut self.later.words) {
            match words {
                Words::Report(report) => match report.detail() {
                    Detail::Normal => {
                        let who = if matches!(
                            report.event,
                            vrrp::Event::AddressLost { .. }
                                | vrrp::Event::RoutingLost { .. }
                                | vrrp::Event::StaticLost { .. }
                        ) {
                            self.culprits.words(now, self.route.port_id())
                        } else {
                            String::new()
                        };
                        info!("{report}{who}");
                    }
                    Detail::Detailed => debug!("{report}"),
                },
                Words::Announcement(announcement) => {
                    info!("{announcement}");
                    for command in notify::commands(&announcement, settings, old) {
                        if let Err(problem) = self.scripts.notify(&command) {
                            error!("cannot run {}: {problem:#}", command.path);
                        }
                    }
                    fifo_lines::tell(&mut self.fifos, &announcement, settings, old);
                }
            }
        }
    }

    /// Interfaces and addresses as the kernel has them now.
    pub(super) fn read_kernel(
        &mut self,
    ) -> Result<(Vec<Interface>, Vec<InterfaceAddress>), sys::Error> {
        let links = self.route.links()?;
        self.mtus = links.iter().map(|link| (link.name, link.mtu)).collect();
        let vrfs = links.iter().filter_map(|link| match link.kind {
            LinkKind::Vrf { table } => Some((link.name, table)),
            LinkKind::Other | LinkKind::Macvlan { .. } | LinkKind::Ipvlan { .. } => None,
        });
        self.vrfs = vrfs.collect();
        let interfaces = links
            .iter()
            .map(|link| self.echoes.interface(link))
            .collect();
        let addresses = self
            .route
            .addresses()?
            .iter()
            .map(kernel_view::address)
            .collect();
        Ok((interfaces, addresses))
    }

    /// Tells the core which tables VRFs have, after everything was read.
    pub(super) fn tell_vrfs(&mut self, core: &mut Vrrp) {
        for (device, table) in std::mem::take(&mut self.vrfs) {
            core.handle_vrf(&device, table);
        }
    }

    /// Settings are about to change: tells whether they have routes or rules of which nothing is known yet.
    pub(super) fn routing_changes(&mut self, settings: &vrrp::Settings) -> bool {
        let interest = Interest::of(settings);
        let more = interest.exceeds(&self.interest);
        self.interest = interest;
        more
    }

    /// The routes and rules that may be ours, as the kernel has them now.
    pub(super) fn read_routing(&mut self) -> Result<(Vec<SeenRoute>, Vec<Rule>), sys::Error> {
        self.interest.read(&mut self.route)
    }

    pub(super) fn tell_core(&mut self, now: Instant, event: &Event, core: &mut Vrrp) {
        if let Event::LinkGone { name, .. } = event {
            self.devices.interface_is_gone(name);
        }
        let own_port = self.route.port_id();
        self.culprits.hear(event);
        self.echoes.tell(now, event, own_port, core);
    }

    /// An interface that is asked for its link has answered; `None`: only the kernel's word counts.
    pub(super) fn link_answers(
        &mut self,
        now: Instant,
        interface: &IfName,
        answer: Option<bool>,
        core: &mut Vrrp,
    ) {
        match answer {
            Some(answer) => self.echoes.answers.insert(*interface, answer),
            None => self.echoes.answers.remove(interface),
        };
        match self.route.link(interface) {
            Ok(Some(link)) => core.handle_interface(now, self.echoes.interface(&link)),
            // That it is gone is told by the kernel.
            Ok(None) => {}
            Err(problem) => error!("{problem}: what {interface} answered has no effect yet"),
        }
    }

    /// The port of the socket that changes are made through.
    pub(super) const fn port_id(&self) -> u32 {
        self.route.port_id()
    }

    /// The event that the core was told of has been dealt with.
    pub(super) fn event_is_over(&mut self) {
        self.culprits.forget();
    }

    pub(super) fn forget_echoes(&mut self) {
        self.echoes.forget();
    }

    /// The name and outcome of a check script that ended; `None` for a notify script.
    pub(super) fn script_ended(
        &mut self,
        now: Instant,
        exit: &Exit,
    ) -> Option<(Arc<str>, ScriptOutcome)> {
        if self.fifos.ended(exit) {
            return None;
        }
        self.scripts.ended(now, exit)
    }

    pub(super) fn scripts_are_running(&self) -> bool {
        self.scripts.any_running()
    }

    /// Settings are about to change: other addresses may have to be filtered, elsewhere.
    pub(super) fn filter_changes(
        &mut self,
        settings: &vrrp::Settings,
        filter: &config::settings::global::Firewall,
    ) {
        self.filter.settings_change(settings, filter);
    }

    /// When something is to be carried out that failed, or to be looked at.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        self.filter.next_wake()
    }

    /// Looks at what nobody tells us of, if it is time. True: something of ours is not there, and the next drain makes it
    /// anew.
    pub(super) fn look(&mut self, now: Instant) -> bool {
        self.filter.look(now)
    }

    /// Room for the answers to our requests.
    pub(super) fn set_receive_buffer(&self, bytes: usize, force: bool) -> Result<(), sys::Error> {
        self.route.set_receive_buffer(bytes, force)
    }

    /// The MTUs of interfaces when they were last all read.
    pub(super) const fn mtus(&self) -> &BTreeMap<IfName, u32> {
        &self.mtus
    }

    /// Settings are about to change: their announcements go to their FIFOs.
    pub(super) fn fifos_change(&mut self, settings: &Settings) {
        self.fifos.settings_change(&settings.global.fifos);
    }

    /// After a reload: the state of everybody, if it is wanted.
    pub(super) fn write_states(&mut self, core: &Vrrp, settings: &Settings) {
        if settings.global.fifos.vrrp_states_on_reload {
            fifo_lines::tell_all(&mut self.fifos, core);
        }
    }

    /// Whether the last lines in a FIFO still wait for a reader of ours.
    pub(super) fn fifos_are_being_read(&self) -> bool {
        self.fifos.are_being_read()
    }

    /// Before groups are joined: whether the kernel tells switches of it (`disable_local_igmp`).
    pub(super) fn disable_local_igmp(&mut self, disable: bool) {
        let overrides = self.devices.overrides();
        let changed = match (disable, self.no_local_reports.take()) {
            (true, None) => NoLocalReports::begin(overrides).map(Some),
            (true, in_force @ Some(_)) => Ok(in_force),
            (false, Some(in_force)) => in_force.end(overrides).map(|()| None),
            (false, None) => Ok(None),
        };
        match changed {
            Ok(now) => self.no_local_reports = now,
            Err(problem) => error!("disable_local_igmp: {problem}"),
        }
    }

    /// After new settings were carried out: the devices that they want.
    pub(super) fn keep_devices(&mut self, wanted: &BTreeSet<IfName>) {
        self.devices.keep_only(wanted, &mut self.route);
    }

    /// What is left to undo when all instances have stopped. `keep`: but for what virtual addresses are on, and need.
    pub(super) fn end(&mut self, keep: bool) {
        if !keep {
            self.devices.end(&mut self.route);
        }
        self.disable_local_igmp(false);
        self.fifos.end();
        self.filter.end();
    }

    /// Settings are about to change: runs whose script changes are no longer anybody's.
    pub(super) fn scripts_change(&mut self, scripts: &[ScriptSettings]) {
        self.scripts.settings_change(scripts);
        // Peers may be gone: this would grow with every reload.
        self.cannot_send.clear();
        self.complaints.forget();
    }

    /// Interfaces have changed: what could not be joined before may be possible now.
    pub(super) fn retry_joins(&mut self) {
        self.filter.links_changed();
        for (interface, group) in std::mem::take(&mut self.failed_joins) {
            if self.memberships.join(interface, group).is_err() {
                self.failed_joins.insert((interface, group));
            }
        }
    }
}

impl Request {
    /// In the kernel's words; `None` for what is gone with its interface.
    fn change(&self, core: &Vrrp) -> Option<Change> {
        let route = |change: Option<RouteChange>| change.map(Box::new).map(Change::Route);
        match self {
            Self::Add(interface, address) => Some(Change::Address(AddressChange::Add {
                interface: *interface,
                address: kernel_address(address),
            })),
            Self::Remove(interface, address) => Some(Change::Address(AddressChange::Remove {
                interface: *interface,
                address: kernel_address(address),
            })),
            Self::Routing(RoutingChange::AddRoute { route: new }) => route(
                kernel_routing::add_route(new, kernel_routing::insert(new.insertion), core),
            ),
            Self::Routing(RoutingChange::ReplaceRoute { new, .. }) => {
                route(kernel_routing::add_route(new, Insert::Instead, core))
            }
            Self::Routing(RoutingChange::RemoveRoute { route: old }) => {
                route(kernel_routing::remove_route(old, core))
            }
            Self::Routing(RoutingChange::AddRule { rule }) => {
                Some(Change::Rule(Box::new(kernel_routing::add_rule(rule))))
            }
            Self::Routing(RoutingChange::RemoveRule { rule }) => {
                Some(Change::Rule(Box::new(kernel_routing::remove_rule(rule))))
            }
        }
    }
}

/// The core knows the interface by its name, the kernel by its number.
fn refused(doing: &str, address: &VirtualAddress, refusal: &Refusal) {
    error!(
        "cannot {doing} {} on {}: {refusal}",
        address.prefix, address.interface
    );
}

fn kernel_address(address: &VirtualAddress) -> KernelAddress {
    let mut kernel = KernelAddress::new(address.prefix);
    kernel.scope = address.scope;
    kernel.label = address.label.as_deref().map(str::to_owned);
    kernel.broadcast = address.broadcast;
    kernel.peer = address.peer;
    kernel.nodad = !address.dad;
    kernel.home = address.home;
    kernel.mngtmpaddr = address.mngtmpaddr;
    kernel.noprefixroute = address.noprefixroute;
    kernel.autojoin = address.autojoin;
    kernel.preferred_lft = match address.preferred_lft {
        PreferredLifetime::Forever => None,
        PreferredLifetime::Seconds(seconds) => Some(seconds),
    };
    kernel.protocol = Some(PROTOCOL);
    kernel
}
