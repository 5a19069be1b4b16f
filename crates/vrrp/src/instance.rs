//! One virtual router: its state, what it remembers, and the four ways in which its state changes.
//!
//! The functions here *apply* a decision; they are called from `election.rs`, `sync_group.rs` and `reload.rs`, which take it.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use types::{Centiseconds, Claim, Family, IfIndex, IfName, Instant, Priority, Version, Vrid};
use wire::vrrp::{Coverage, HOP_LIMIT, Message};

use crate::action::{Action, Announced, Announcement, Event, Report, Subject, Truce};
use crate::deadlines::Armed;
use crate::devices::Devices;
use crate::firewall::{Blocked, Firewall};
use crate::flood::Changes;
use crate::garp::{Block, Pace, Schedule, Which};
use crate::holdings::Holdings;
use crate::interfaces::Interfaces;
use crate::loss::{self, Losses};
use crate::proof::{Proof, WallClock};
use crate::routing::Routing;
use crate::settings::{
    Authentication, Few, InitialState, InstanceSettings, OldChecksum, VirtualAddress,
};
use crate::startup::Startup;
use crate::state::{
    Backup, BackupEntry, BackupTimer, Farewell, Master, Rogue, State, StateName, Telling,
};
use crate::statistics::{Counters, LastTimes};
use crate::timers;
use crate::track::Faults;

/// What all instances have in common.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) interfaces: Interfaces,
    pub(crate) devices: Devices,
    pub(crate) holdings: Holdings,
    pub(crate) routing: Routing,
    pub(crate) firewall: Firewall,
    pub(crate) queue: VecDeque<Queued>,
    pub(crate) pace: Pace,
    pub(crate) clock: WallClock,
    /// How many adverts are in the queue.
    pub(crate) adverts_waiting: usize,
    pub(crate) startup: Startup,
    /// State changes of all instances so far.
    pub(crate) transitions: u64,
}

/// Something to do, or a recipe for many things: a block of announcements is made one by one as the host asks.
#[derive(Debug)]
pub(crate) enum Queued {
    Action(Action),
    Block(Block),
}

impl Shared {
    pub(crate) fn act(&mut self, action: Action) {
        self.adverts_waiting += usize::from(matches!(action, Action::SendAdvert { .. }));
        self.queue.push_back(Queued::Action(action));
    }

    /// What thousands of instances have to do at once is some megabytes, and rare.
    pub(crate) fn give_back_room(&mut self) {
        if self.queue.capacity() > USUAL_QUEUE {
            self.queue = VecDeque::new();
        }
    }

    pub(crate) fn report(&mut self, name: &Arc<str>, event: Event) {
        self.act(Action::Report(Report::new(name, event)));
    }
}

/// Actions that the queue keeps room for.
const USUAL_QUEUE: usize = 256;

/// Addresses that a new master takes up in one go, before it announces them.
const PORTION: usize = 32;

/// Adverts that leave in one wake-up: well below a millisecond of work.
const TOGETHER: usize = 64;
/// Parts of an interval that adverts are spread over.
const SLOTS: u32 = 64;

/// What the packets of an instance are known by. Equal in old and new settings: they mean the same instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity {
    vrid: Vrid,
    family: Family,
    interface: Option<IfName>,
    vrf: Option<IfName>,
    on_a_device_of_its_own: bool,
    /// The group that packets go to, or the source that peers know.
    known_by: Result<IpAddr, Option<IpAddr>>,
}

#[derive(Debug)]
pub(crate) struct Instance {
    /// Its place in the list.
    pub(crate) id: usize,
    pub(crate) name: Arc<str>,
    pub(crate) settings: InstanceSettings,
    /// What it has blocked.
    pub(crate) blocked: Few<Blocked>,
    pub(crate) group: Option<usize>,
    pub(crate) state: State,
    pub(crate) wants: StateName,
    pub(crate) armed: Armed,
    /// The interface that adverts leave by.
    pub(crate) interface: Option<IfIndex>,
    /// The interface that it is configured on.
    pub(crate) base: Option<IfIndex>,
    /// Its own device.
    pub(crate) device: Option<IfIndex>,
    pub(crate) source: Option<IpAddr>,
    pub(crate) faults: Faults,
    pub(crate) effective: Priority,
    /// An owner that gave up ownership because of another one.
    pub(crate) owner_lowered: bool,
    pub(crate) master_advert_int: Centiseconds,
    /// The advert as it is sent to each destination, without a proof, until something in it changes.
    messages: Vec<Arc<[u8]>>,
    pub(crate) proof: Proof,
    /// A peer computes its checksums in the old way.
    pub(crate) old_checksum_seen: bool,
    /// Which complaints about packets have been logged already.
    pub(crate) said: u32,
    /// How many changes of the master have been logged lately.
    pub(crate) changes: Changes,
    pub(crate) statistics: Counters,
    pub(crate) last: LastTimes,
    /// What was taken from it lately, if anything was.
    pub(crate) losses: Option<Box<Losses>>,
}

impl Instance {
    pub(crate) fn new(id: usize, settings: InstanceSettings) -> Self {
        let name: Arc<str> = settings.name.as_str().into();
        let effective = settings.priority;
        let master_advert_int = settings.advert_int;
        Self {
            id,
            name,
            blocked: Few::EMPTY,
            group: None,
            state: State::Init,
            wants: StateName::Backup,
            armed: Armed::default(),
            interface: None,
            base: None,
            device: None,
            source: None,
            faults: Faults::default(),
            effective,
            owner_lowered: false,
            master_advert_int,
            messages: Vec::new(),
            proof: Proof::default(),
            old_checksum_seen: false,
            said: 0,
            changes: Changes::default(),
            statistics: Counters::default(),
            last: LastTimes::default(),
            losses: None,
            settings,
        }
    }

    pub(crate) fn state_name(&self) -> StateName {
        match self.state {
            State::Init => StateName::Init,
            State::Backup(_) => StateName::Backup,
            State::Master(_) => StateName::Master,
            State::Fault { .. } => StateName::Fault,
            State::Stop => StateName::Stop,
        }
    }

    pub(crate) const fn is_master(&self) -> bool {
        matches!(self.state, State::Master(_))
    }

    /// Whether it begins as master without waiting: configured so, and the owner.
    pub(crate) fn begins_as_master(&self) -> bool {
        self.settings.state == InitialState::Master && self.settings.is_owner()
    }

    /// What comes and goes with mastership: advertised addresses, then excluded ones.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &Arc<VirtualAddress>> {
        self.settings.addresses()
    }

    /// One of them, by its place.
    pub(crate) fn address(&self, place: usize) -> Option<&Arc<VirtualAddress>> {
        let (advertised, excluded) = (
            &self.settings.virtual_ipaddress,
            &self.settings.virtual_ipaddress_excluded,
        );
        advertised
            .get(place)
            .or_else(|| excluded.get(place.checked_sub(advertised.len())?))
    }

    /// What adverts list.
    pub(crate) fn advertised(&self) -> impl ExactSizeIterator<Item = IpAddr> {
        let advertised = self.settings.virtual_ipaddress.iter();
        advertised.map(|address| address.prefix.address())
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Backup(backup) => Some(backup.master_down_at),
            State::Master(master) => {
                let rogue = match master.rogue {
                    Rogue::Watching { until } => Some(until),
                    Rogue::None | Rogue::Counting { .. } => None,
                };
                [
                    Some(master.advert_at),
                    master.garp.deadline(),
                    rogue,
                    self.rival_deadline(),
                ]
                .into_iter()
                .flatten()
                .min()
            }
            State::Init | State::Fault { .. } | State::Stop => None,
        }
    }

    pub(crate) fn skew(&self) -> Duration {
        timers::skew(
            self.settings.version,
            self.effective,
            self.master_advert_int,
        )
    }

    pub(crate) fn master_down(&self) -> Duration {
        timers::master_down(
            self.settings.version,
            self.effective,
            self.master_advert_int,
            self.settings.down_timer_adverts,
        )
    }

    /// The source or the priority changed: the next advert is encoded anew.
    pub(crate) fn forget_message(&mut self) {
        self.messages.clear();
    }

    /// Whom adverts go to: the group, or every peer.
    fn destinations(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let unicast = self.settings.unicast.as_deref();
        let group = unicast.is_none().then_some(self.settings.mcast_dst_ip);
        let peers = unicast.map(|unicast| unicast.peers.as_slice());
        let peers = peers.unwrap_or_default().iter().map(|peer| peer.address);
        group.into_iter().chain(peers)
    }

    /// The source of adverts, if there is a way out for them.
    fn ready_to_send(&self) -> Option<IpAddr> {
        let anywhere = self.settings.interface.is_none() && self.settings.vrf.is_none();
        let way_out = self.interface.is_some() || anywhere;
        self.source.filter(|_| way_out)
    }

    /// An advert for each destination, in their order.
    fn encode(&self, claim: Claim, source: IpAddr) -> Vec<Arc<[u8]>> {
        let settings = &self.settings;
        let old = settings
            .unicast
            .as_deref()
            .is_some_and(|unicast| unicast.old_checksum == OldChecksum::Always);
        let coverage = if settings.v3_checksum_as_v2 {
            Coverage::Message
        } else {
            Coverage::PseudoHeader
        };
        // The only thing in it that depends on the destination is the checksum of version 3 over IPv4.
        let all_alike = (settings.version, settings.family) != (Version::V3, Family::V4)
            || coverage == Coverage::Message
            || old
            || settings.unicast.is_none();
        if all_alike {
            let message = self.encode_for(settings.mcast_dst_ip, claim, source, coverage);
            return self.destinations().map(|_| Arc::clone(&message)).collect();
        }
        self.destinations()
            .map(|destination| self.encode_for(destination, claim, source, coverage))
            .collect()
    }

    fn encode_for(
        &self,
        destination: IpAddr,
        claim: Claim,
        source: IpAddr,
        coverage: Coverage,
    ) -> Arc<[u8]> {
        let auth_pass = match &self.settings.authentication {
            Authentication::None | Authentication::Ah(_) | Authentication::Hmac(_) => None,
            Authentication::Pass(pass) => Some(pass.bytes()),
        };
        let addresses: Vec<IpAddr> = self.advertised().collect();
        let message = Message {
            version: self.settings.version,
            vrid: self.settings.vrid,
            claim,
            advert_int: self.settings.advert_int,
            addresses: &addresses,
            auth_pass,
            family: self.settings.family,
            between: (source, destination),
        };
        match &self.settings.authentication {
            Authentication::Ah(_) => message.encode_behind_ah().into(),
            Authentication::None | Authentication::Pass(_) | Authentication::Hmac(_) => {
                message.encode_covering(coverage).into()
            }
        }
    }

    /// Proves an advert and hands out one for each destination; false: it has no proof and is not worth sending.
    fn transmit(
        &mut self,
        messages: &[Arc<[u8]>],
        source: IpAddr,
        now: Instant,
        shared: &mut Shared,
    ) -> bool {
        let time = shared.clock.at(now);
        // They differ in their checksums at most, which no proof of all of them covers.
        let any = messages.first().map(AsRef::as_ref).unwrap_or_default();
        let Some(seal) = self.proof.seal(&self.settings, source, any, time) else {
            return false;
        };
        let hop_limit = match self.settings.unicast.as_deref() {
            None => Some(HOP_LIMIT),
            Some(unicast) => unicast
                .ttl
                .or((self.settings.family == Family::V4).then_some(HOP_LIMIT)),
        };
        for (destination, message) in self.destinations().zip(messages) {
            let (carrier, message) = seal.put_on(message, source, destination);
            shared.act(Action::SendAdvert {
                interface: self.interface,
                source,
                destination,
                hop_limit,
                carrier,
                message,
            });
        }
        self.statistics.advert_sent += 1;
        self.last.advert_sent = Some(now);
        true
    }

    /// Sends an advert and counts the interval from now.
    pub(crate) fn send_advert(&mut self, now: Instant, shared: &mut Shared) {
        if let Some(source) = self.ready_to_send() {
            if self.messages.is_empty() {
                self.messages = self.encode(Claim::At(self.effective), source);
            }
            let messages = core::mem::take(&mut self.messages);
            self.transmit(&messages, source, now, shared);
            self.messages = messages;
        }
        if let State::Master(master) = &mut self.state {
            master.advert_at = now + self.settings.advert_int.as_duration();
        }
    }

    pub(crate) fn send_farewell(&mut self, now: Instant, shared: &mut Shared) {
        if let Some(source) = self.ready_to_send() {
            let messages = self.encode(Claim::Leaving, source);
            if self.transmit(&messages, source, now, shared) {
                self.statistics.pri_zero_sent += 1;
                shared.report(&self.name, Event::SentPriorityZero);
            }
        }
    }

    /// Tells the neighbours where the source of adverts to peers is: while we could not send, somebody else may have had it.
    fn announce_source(&self, shared: &mut Shared) {
        let interface = self.settings.interface.as_ref();
        let interface = interface.and_then(|name| shared.interfaces.by_name(name));
        if self.settings.unicast.is_some()
            && let (Some(interface), Some(address)) = (interface, self.source)
            && let (index, Some(mac)) = (interface.index, interface.mac)
        {
            shared.act(Action::AnnounceAddress {
                interface: index,
                mac,
                address,
            });
        }
    }

    /// Makes sure that the kernel has every address that we hold.
    pub(crate) fn hold_addresses(&self, shared: &mut Shared) {
        for address in self.addresses() {
            Self::hold_address(address, shared);
        }
    }

    fn hold_address(address: &Arc<VirtualAddress>, shared: &mut Shared) {
        for action in shared.holdings.claim(address, &mut shared.interfaces) {
            shared.queue.push_back(Queued::Action(action));
        }
    }

    /// Makes sure that the kernel has every address, and announces them. Many of them are taken up in portions, each
    /// with the first of its announcements behind it: the first announcement does not wait until the kernel has all.
    fn take_up_addresses(&self, now: Instant, shared: &mut Shared) {
        let rounds = self.settings.garp.master_repeat;
        let count = self.addresses().count();
        let paced = [Family::V4, Family::V6]
            .iter()
            .any(|family| !shared.pace.is_free(*family));
        if count <= PORTION || rounds == 0 || paced {
            self.hold_addresses(shared);
            self.announce_addresses(rounds, now, shared);
            return;
        }
        let mut addresses = self.addresses();
        for first in (0..count).step_by(PORTION) {
            for address in addresses.by_ref().take(PORTION) {
                Self::hold_address(address, shared);
            }
            let end = count.min(first + PORTION);
            self.announce(Which::Portion { first, end }, 1, now, shared);
        }
        self.announce_addresses(rounds - 1, now, shared);
    }

    /// Lets go of addresses held before.
    pub(crate) fn release_addresses<'a>(
        addresses: impl Iterator<Item = &'a Arc<VirtualAddress>>,
        shared: &mut Shared,
    ) {
        for address in addresses {
            if let Some(action) = shared.holdings.release(address, &mut shared.interfaces) {
                shared.act(action);
            }
        }
    }

    /// -> MASTER. The advert leaves first: every backup that hears it stays quiet while we set up.
    pub(crate) fn enter_master(&mut self, now: Instant, telling: Telling, shared: &mut Shared) {
        let garp = Schedule::begin(
            &self.settings.garp,
            self.settings.garp_extra_if.as_ref(),
            now,
        );
        if self.proof.is_used_up(&self.settings) {
            self.proof.begin_anew();
        }
        self.state = State::Master(Master {
            advert_at: now,
            garp,
            rogue: Rogue::None,
            rival: None,
            answered_at: None,
        });
        self.wants = StateName::Master;
        self.master_advert_int = self.settings.advert_int;
        self.said = 0;
        self.statistics.become_master += 1;
        self.last.transition = Some(now);
        shared.transitions += 1;
        self.send_advert(now, shared);
        self.take_a_slot(now);
        self.block_addresses(shared);
        self.take_up_addresses(now, shared);
        self.hold_routing(shared);
        self.tell(Announced::Master, telling, shared);
    }

    /// Hundreds of instances that become master together would send all their adverts in one go, for ever: some
    /// milliseconds of work in which nothing else is heard or said. So the first interval of the later ones is shorter, by
    /// a part that depends on their place in the list. Early is always allowed; the beat is regular from then on. Up to
    /// [`TOGETHER`] instances are not concerned.
    fn take_a_slot(&mut self, now: Instant) {
        let slot = u32::try_from(self.id / TOGETHER).unwrap_or(0) % SLOTS;
        let interval = self.settings.advert_int.as_duration();
        if let State::Master(master) = &mut self.state {
            master.advert_at = now + interval * (SLOTS - slot) / SLOTS;
        }
    }

    /// MASTER -> nothing yet: takes the addresses away. The caller says which state comes next.
    fn leave_master(&mut self, now: Instant, farewell: Farewell, shared: &mut Shared) {
        if !self.is_master() {
            return;
        }
        self.rival_ends(Truce::WeLeft, now, shared);
        if farewell == Farewell::PriorityZero {
            self.send_farewell(now, shared);
        }
        shared.pace.forget(self.id);
        self.release_routing(shared);
        Self::release_addresses(self.addresses(), shared);
        Self::unblock_addresses(core::mem::take(&mut self.blocked), shared);
        self.statistics.release_master += 1;
    }

    /// -> BACKUP, with a timer.
    pub(crate) fn enter_backup(
        &mut self,
        now: Instant,
        entry: BackupEntry,
        telling: Telling,
        shared: &mut Shared,
    ) {
        self.leave_master(now, entry.farewell, shared);
        let initial = matches!(self.state, State::Init | State::Fault { announced: false });
        if self.state == (State::Fault { announced: true }) && !shared.startup.holds(now) {
            self.announce_source(shared);
        }
        if matches!(self.state, State::Init | State::Fault { .. }) {
            self.master_advert_int = self.settings.advert_int;
        }
        let master_down = self.wait_of(entry.timer);
        self.state = State::Backup(Backup {
            master_down_at: shared.startup.timers_from(now) + master_down,
            master_down,
            master: entry.master,
            preempt_at: None,
        });
        self.wants = StateName::Backup;
        self.said = 0;
        self.last.transition = Some(now);
        shared.transitions += 1;
        self.tell(Announced::Backup { initial }, telling, shared);
    }

    /// How long a timer runs.
    pub(crate) fn wait_of(&self, timer: BackupTimer) -> Duration {
        match timer {
            BackupTimer::MasterDown => self.master_down(),
            BackupTimer::Skew => self.skew(),
            BackupTimer::Rest => self.skew().max(loss::REST),
            BackupTimer::AtOnce => Duration::ZERO,
        }
    }

    /// -> FAULT, or to waiting for scripts.
    pub(crate) fn enter_fault(&mut self, now: Instant, telling: Telling, shared: &mut Shared) {
        self.leave_master(now, Farewell::PriorityZero, shared);
        self.state = State::Fault { announced: true };
        self.wants = StateName::Fault;
        self.said = 0;
        self.last.transition = Some(now);
        shared.transitions += 1;
        self.tell(Announced::Fault, telling, shared);
    }

    /// -> STOP, for good: by the end of the daemon or by a reload without this instance.
    pub(crate) fn enter_stop(
        &mut self,
        now: Instant,
        farewell: Farewell,
        what: Announced,
        shared: &mut Shared,
    ) {
        if self.wants == StateName::Stop {
            return;
        }
        self.leave_master(now, farewell, shared);
        self.state = State::Stop;
        self.wants = StateName::Stop;
        self.last.transition = Some(now);
        shared.transitions += 1;
        self.tell(what, Telling::Tell, shared);
    }

    pub(crate) fn tell(&self, what: Announced, telling: Telling, shared: &mut Shared) {
        if telling == Telling::Tell {
            shared.act(Action::Announce(Announcement {
                subject: Subject::Instance(Arc::clone(&self.name)),
                what,
                priority: self.effective.get(),
            }));
        }
    }

    /// The identity that decides whether a reload means this instance: everything that its packets are known by. Its name
    /// is our own business.
    pub(crate) fn identity(settings: &InstanceSettings) -> Identity {
        Identity {
            vrid: settings.vrid,
            family: settings.family,
            interface: settings.interface,
            vrf: settings.vrf,
            on_a_device_of_its_own: settings.virtual_interface.is_some(),
            known_by: match &settings.unicast {
                None => Ok(settings.mcast_dst_ip),
                Some(_) => Err(settings.mcast_src_ip),
            },
        }
    }
}

#[cfg(test)]
mod tests;
