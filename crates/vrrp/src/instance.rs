//! One virtual router: its state, what it remembers, and the four ways in which its state changes.
//!
//! The functions here *apply* a decision; they are called from `election.rs`, `sync_group.rs` and `reload.rs`, which take it.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use types::{Centiseconds, Claim, Family, IfIndex, IfName, Instant, Priority};
use wire::vrrp::Message;

use crate::action::{Action, Announced, Announcement, Event, Report, Subject};
use crate::deadlines::Armed;
use crate::garp::{AddressOf, Pace, Schedule};
use crate::holdings::Holdings;
use crate::interfaces::Interfaces;
use crate::proof::{Proof, WallClock};
use crate::settings::{Authentication, InitialState, InstanceSettings, VirtualAddress};
use crate::state::{
    Backup, BackupEntry, BackupTimer, Farewell, Master, Rogue, State, StateName, Telling,
};
use crate::statistics::{LastTimes, Statistics};
use crate::timers;
use crate::track::Faults;

/// What all instances have in common.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) interfaces: Interfaces,
    pub(crate) holdings: Holdings,
    pub(crate) queue: VecDeque<Queued>,
    pub(crate) pace: Pace,
    pub(crate) clock: WallClock,
    /// State changes of all instances so far.
    pub(crate) transitions: u64,
}

/// Something to do, or a recipe for many things: a block of announcements is made one by one as the host asks.
#[derive(Debug)]
pub(crate) enum Queued {
    Action(Action),
    Block {
        instance: usize,
        rounds: u32,
        next: usize,
    },
}

impl Shared {
    pub(crate) fn act(&mut self, action: Action) {
        self.queue.push_back(Queued::Action(action));
    }

    pub(crate) fn report(&mut self, name: &Arc<str>, event: Event) {
        self.act(Action::Report(Report::new(name, event)));
    }
}

/// Adverts that leave in one wake-up: well below a millisecond of work.
const TOGETHER: usize = 64;
/// Parts of an interval that adverts are spread over.
const SLOTS: u32 = 64;

#[derive(Debug)]
pub(crate) struct Instance {
    /// Its place in the list.
    pub(crate) id: usize,
    pub(crate) name: Arc<str>,
    pub(crate) settings: InstanceSettings,
    /// Advertised addresses, then excluded ones.
    pub(crate) addresses: Vec<Arc<VirtualAddress>>,
    advertised: Vec<IpAddr>,
    pub(crate) group: Option<usize>,
    pub(crate) state: State,
    pub(crate) wants: StateName,
    pub(crate) armed: Armed,
    pub(crate) interface: Option<IfIndex>,
    pub(crate) source: Option<IpAddr>,
    pub(crate) faults: Faults,
    pub(crate) effective: Priority,
    /// An owner that gave up ownership because of another one.
    pub(crate) owner_lowered: bool,
    pub(crate) master_advert_int: Centiseconds,
    /// The advert as it is sent, without a proof, until something in it changes.
    message: Option<Arc<[u8]>>,
    pub(crate) proof: Proof,
    /// Which complaints about packets have been logged already.
    pub(crate) said: u32,
    pub(crate) statistics: Statistics,
    pub(crate) last: LastTimes,
}

impl Instance {
    pub(crate) fn new(id: usize, settings: InstanceSettings) -> Self {
        let name: Arc<str> = settings.name.as_str().into();
        let effective = settings.priority;
        let master_advert_int = settings.advert_int;
        let mut instance = Self {
            id,
            name,
            addresses: Vec::new(),
            advertised: Vec::new(),
            group: None,
            state: State::Init,
            wants: StateName::Backup,
            armed: Armed::default(),
            interface: None,
            source: None,
            faults: Faults::default(),
            effective,
            owner_lowered: false,
            master_advert_int,
            message: None,
            proof: Proof::default(),
            said: 0,
            statistics: Statistics::default(),
            last: LastTimes::default(),
            settings,
        };
        instance.settings_changed();
        instance
    }

    /// Derives what is kept ready from the settings.
    pub(crate) fn settings_changed(&mut self) {
        let fresh: Vec<Arc<VirtualAddress>> =
            self.settings.addresses().cloned().map(Arc::new).collect();
        self.addresses = fresh;
        self.advertised = self
            .settings
            .virtual_ipaddress
            .iter()
            .map(|address| address.prefix.address())
            .collect();
        self.message = None;
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

    pub(crate) fn advertised(&self) -> &[IpAddr] {
        &self.advertised
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Backup(backup) => Some(backup.master_down_at),
            State::Master(master) => {
                let rogue = match master.rogue {
                    Rogue::Watching { until } => Some(until),
                    Rogue::None | Rogue::Counting { .. } => None,
                };
                [Some(master.advert_at), master.garp.deadline(), rogue]
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
        self.message = None;
    }

    fn encode(&self, claim: Claim, source: IpAddr) -> Arc<[u8]> {
        let auth_pass = match &self.settings.authentication {
            Authentication::None | Authentication::Ah(_) | Authentication::Hmac(_) => None,
            Authentication::Pass(pass) => Some(pass.bytes()),
        };
        let message = Message {
            version: self.settings.version,
            vrid: self.settings.vrid,
            claim,
            advert_int: self.settings.advert_int,
            addresses: &self.advertised,
            auth_pass,
            family: self.settings.family,
            between: (source, self.settings.mcast_dst_ip),
        };
        match &self.settings.authentication {
            Authentication::Ah(_) => message.encode_behind_ah().into(),
            Authentication::None | Authentication::Pass(_) | Authentication::Hmac(_) => {
                message.encode().into()
            }
        }
    }

    /// Proves an advert and hands it out; false: it has no proof and is not worth sending.
    fn transmit(
        &mut self,
        message: &Arc<[u8]>,
        (interface, source): (IfIndex, IpAddr),
        now: Instant,
        shared: &mut Shared,
    ) -> bool {
        let time = shared.clock.at(now);
        let Some(seal) = self.proof.seal(&self.settings, source, message, time) else {
            return false;
        };
        let destination = self.settings.mcast_dst_ip;
        let (carrier, message) = seal.put_on(message, source, destination);
        shared.act(Action::SendAdvert {
            interface,
            source,
            destination,
            carrier,
            message,
        });
        self.statistics.advert_sent += 1;
        self.last.advert_sent = Some(now);
        true
    }

    /// Sends an advert and counts the interval from now.
    pub(crate) fn send_advert(&mut self, now: Instant, shared: &mut Shared) {
        if let (Some(interface), Some(source)) = (self.interface, self.source) {
            let message = match &self.message {
                Some(message) => Arc::clone(message),
                None => {
                    let message = self.encode(Claim::At(self.effective), source);
                    self.message = Some(Arc::clone(&message));
                    message
                }
            };
            self.transmit(&message, (interface, source), now, shared);
        }
        if let State::Master(master) = &mut self.state {
            master.advert_at = now + self.settings.advert_int.as_duration();
        }
    }

    fn send_farewell(&mut self, now: Instant, shared: &mut Shared) {
        if let (Some(interface), Some(source)) = (self.interface, self.source) {
            let message = self.encode(Claim::Leaving, source);
            if self.transmit(&message, (interface, source), now, shared) {
                self.statistics.pri_zero_sent += 1;
                shared.report(&self.name, Event::SentPriorityZero);
            }
        }
    }

    /// Announces all addresses, `rounds` times; at once, or as the pace allows.
    pub(crate) fn announce_addresses(&self, rounds: u32, now: Instant, shared: &mut Shared) {
        if rounds == 0 {
            return;
        }
        for (address, virtual_address) in self.addresses.iter().enumerate() {
            let family = virtual_address.prefix.family();
            if shared.pace.interval(family).is_zero() {
                continue;
            }
            if let Some(interface) = shared.interfaces.by_name(&virtual_address.interface) {
                shared.pace.enqueue(
                    interface.index,
                    family,
                    AddressOf {
                        instance: self.id,
                        address,
                    },
                    rounds,
                    now,
                );
            }
        }
        let unlimited = |family| shared.pace.interval(family).is_zero();
        if unlimited(Family::V4) || unlimited(Family::V6) {
            shared.queue.push_back(Queued::Block {
                instance: self.id,
                rounds,
                next: 0,
            });
        }
    }

    /// The announcement of one address, if its interface is there and does ARP.
    pub(crate) fn announcement(&self, address: usize, interfaces: &Interfaces) -> Option<Action> {
        let address = self.addresses.get(address)?;
        let interface = interfaces.by_name(&address.interface)?;
        Some(Action::AnnounceAddress {
            interface: interface.index,
            mac: interface.mac?,
            address: address.prefix.address(),
        })
    }

    /// Makes sure that the kernel has every address that we hold.
    pub(crate) fn hold_addresses(&self, shared: &mut Shared) {
        for address in &self.addresses {
            for action in shared.holdings.claim(address, &mut shared.interfaces) {
                shared.queue.push_back(Queued::Action(action));
            }
        }
    }

    /// Lets go of addresses held before.
    pub(crate) fn release_addresses(addresses: &[Arc<VirtualAddress>], shared: &mut Shared) {
        for address in addresses {
            if let Some(action) = shared.holdings.release(address, &mut shared.interfaces) {
                shared.act(action);
            }
        }
    }

    /// -> MASTER. The advert leaves first: every backup that hears it stays quiet while we set up.
    pub(crate) fn enter_master(&mut self, now: Instant, telling: Telling, shared: &mut Shared) {
        let garp = Schedule::begin(&self.settings.garp, now);
        if self.proof.is_used_up(&self.settings) {
            self.proof.begin_anew();
        }
        self.state = State::Master(Master {
            advert_at: now,
            garp,
            rogue: Rogue::None,
        });
        self.wants = StateName::Master;
        self.master_advert_int = self.settings.advert_int;
        self.said = 0;
        self.statistics.become_master += 1;
        self.last.transition = Some(now);
        shared.transitions += 1;
        self.send_advert(now, shared);
        self.take_a_slot(now);
        self.hold_addresses(shared);
        self.announce_addresses(self.settings.garp.master_repeat, now, shared);
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
        if farewell == Farewell::PriorityZero {
            self.send_farewell(now, shared);
        }
        shared.pace.forget(self.id);
        Self::release_addresses(&self.addresses, shared);
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
        if matches!(self.state, State::Init | State::Fault { .. }) {
            self.master_advert_int = self.settings.advert_int;
        }
        let master_down = match entry.timer {
            BackupTimer::MasterDown => self.master_down(),
            BackupTimer::Skew => self.skew(),
            BackupTimer::AtOnce => Duration::ZERO,
        };
        self.state = State::Backup(Backup {
            master_down_at: now + master_down,
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

    /// The identity that decides whether a reload means this instance: everything that its packets are known by.
    pub(crate) fn identity(
        settings: &InstanceSettings,
    ) -> (String, u8, Family, Option<IfName>, IpAddr) {
        (
            settings.name.clone(),
            settings.vrid.get(),
            settings.family,
            settings.interface.clone(),
            settings.mcast_dst_ip,
        )
    }
}
