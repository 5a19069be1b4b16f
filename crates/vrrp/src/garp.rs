//! When a master tells the link where its addresses are: the whole schedule of gratuitous ARPs (IPv4) and unsolicited
//! neighbour advertisements (IPv6).
//!
//! * On becoming MASTER: a block of `garp_master_repeat` rounds, at once; in each round every advertised address, then
//!   every excluded one. RFC 9568 6.4.1 asks for one round; switches lose packets while they learn.
//! * `garp_master_delay` later: the same block again.
//! * Then, with `garp_master_refresh`: a block of `garp_master_refresh_repeat` rounds, first after delay plus refresh,
//!   later after every refresh.
//! * On hearing a lower-priority advert: a block of `garp_lower_prio_repeat` rounds at once and another after
//!   `garp_lower_prio_delay`. Whoever sent it may have told the link that the addresses were its own.
//! * With `garp_extra_if`: every so often one round of the addresses on *further* interfaces, those that no advert of ours
//!   leaves by: switches there would forget where a virtual MAC address is.
//! * One address that was put back, or has turned out to be nobody else's: a block of it alone.
//! * With `vrrp_garp_interval`, `vrrp_gna_interval` or a `garp_group`: at most one packet per interval and line (`garp/pace.rs`);
//!   what does not fit waits its turn, an address at most one block's worth.
//!
//! An address that the kernel does not have, because it refused it or somebody took it, is not announced; nor is one that is
//! still being checked for duplicates (`-nodad`), or was found to be somebody else's.
//! Leaving MASTER ends all of it. (keepalived leaves refresh timers behind, one more with each mastership.)

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use types::Instant;

use crate::action::Action;
use crate::deadlines::Owner;
use crate::holdings::kernel_prefix;
use crate::instance::{Instance, Queued, Shared};
use crate::interfaces::Interfaces;
use crate::settings::{ExtraGarp, GarpSettings, VirtualAddress};
use crate::vrrp::Vrrp;

mod pace;

pub(crate) use pace::{AddressOf, Pace};

/// The timers of one mastership.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Schedule {
    second_block_at: Option<Instant>,
    refresh_at: Option<Instant>,
    after_lower_prio_at: Option<Instant>,
    extra_at: Option<Instant>,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// Rounds of all addresses, all reasons taken together.
    pub(crate) rounds: u32,
    /// A round of the addresses on further interfaces.
    pub(crate) further: bool,
}

impl Schedule {
    /// The timers after the first block.
    pub(crate) fn begin(settings: &GarpSettings, extra: Option<&ExtraGarp>, now: Instant) -> Self {
        let delay = Duration::from_secs(settings.master_delay.into());
        let refresh = Duration::from_secs(settings.master_refresh.into());
        Self {
            second_block_at: (!delay.is_zero()).then(|| now + delay),
            refresh_at: (!refresh.is_zero()).then(|| now + delay + refresh),
            after_lower_prio_at: None,
            extra_at: extra.map(|extra| now + extra.every),
        }
    }

    /// A lower-priority advert was heard: how many rounds leave now.
    pub(crate) fn lower_priority_heard(&mut self, settings: &GarpSettings, now: Instant) -> u32 {
        if settings.lower_prio_repeat > 0 && settings.lower_prio_delay > 0 {
            self.after_lower_prio_at =
                Some(now + Duration::from_secs(settings.lower_prio_delay.into()));
        }
        settings.lower_prio_repeat
    }

    /// What is due now.
    pub(crate) fn take_due(
        &mut self,
        settings: &GarpSettings,
        extra: Option<&ExtraGarp>,
        now: Instant,
    ) -> Due {
        let mut rounds = 0;
        if self.second_block_at.is_some_and(|at| at <= now) {
            self.second_block_at = None;
            rounds = rounds.max(settings.master_repeat);
        }
        if self.after_lower_prio_at.is_some_and(|at| at <= now) {
            self.after_lower_prio_at = None;
            rounds = rounds.max(settings.lower_prio_repeat);
        }
        if self.refresh_at.is_some_and(|at| at <= now) {
            let refresh = Duration::from_secs(settings.master_refresh.into());
            self.refresh_at = (!refresh.is_zero()).then(|| now + refresh);
            rounds = rounds.max(settings.master_refresh_repeat);
        }
        let further = self.extra_at.is_some_and(|at| at <= now);
        if further {
            self.extra_at = extra.map(|extra| now + extra.every);
        }
        Due { rounds, further }
    }

    /// A reload changed the settings while we are master: only what is repeated goes on, at its new pace.
    pub(crate) fn settings_changed(
        &mut self,
        settings: &GarpSettings,
        extra: Option<&ExtraGarp>,
        now: Instant,
    ) {
        let sooner = |known: Option<Instant>, every: Duration| match known {
            _ if every.is_zero() => None,
            Some(at) => Some(at.min(now + every)),
            None => Some(now + every),
        };
        let refresh = Duration::from_secs(settings.master_refresh.into());
        self.refresh_at = sooner(self.refresh_at, refresh);
        let every = extra.map_or(Duration::ZERO, |extra| extra.every);
        self.extra_at = sooner(self.extra_at, every);
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        [
            self.second_block_at,
            self.refresh_at,
            self.after_lower_prio_at,
            self.extra_at,
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

/// A recipe for many announcements: they are made one by one as the host asks.
#[derive(Debug)]
pub(crate) struct Block {
    instance: usize,
    which: Which,
    rounds: u32,
    next: usize,
}

/// Which addresses of an instance are announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// All of them.
    All,
    /// Those on further interfaces, on all such or on virtual ones only.
    Further { all: bool },
    /// The one with this place in the list.
    One(usize),
    /// Those from one place in the list up to another, which is left out.
    Portion { first: usize, end: usize },
}

impl Block {
    fn new(instance: usize, which: Which, rounds: u32) -> Self {
        let next = match which {
            Which::One(first) | Which::Portion { first, .. } => first,
            Which::All | Which::Further { .. } => 0,
        };
        Self {
            instance,
            which,
            rounds,
            next,
        }
    }

    /// The next address, of `count` that the instance has; `None`: that was all.
    fn next(&mut self, count: usize) -> Option<usize> {
        let (first, end) = match self.which {
            Which::One(address) => (address, count.min(address + 1)),
            Which::Portion { first, end } => (first, count.min(end)),
            Which::All | Which::Further { .. } => (0, count),
        };
        if self.rounds == 0 || self.next >= end {
            return None;
        }
        let address = self.next;
        self.next += 1;
        if self.next >= end {
            self.next = first;
            self.rounds -= 1;
        }
        Some(address)
    }
}

impl Which {
    fn includes(self, instance: &Instance, address: &VirtualAddress) -> bool {
        match self {
            Self::All | Self::One(_) | Self::Portion { .. } => true,
            Self::Further { all } => {
                let own = instance.settings.virtual_interface.as_deref();
                let own = own.is_some_and(|device| device.name == address.interface);
                let near = own || instance.settings.is_on(&address.interface);
                !near && (all || address.use_vmac)
            }
        }
    }
}

impl Instance {
    /// Announces all addresses, `rounds` times; at once, or as the pace allows.
    pub(crate) fn announce_addresses(&self, rounds: u32, now: Instant, shared: &mut Shared) {
        self.announce(Which::All, rounds, now, shared);
    }

    /// Announces some addresses, `rounds` times; at once, or as the pace allows.
    pub(crate) fn announce(&self, which: Which, rounds: u32, now: Instant, shared: &mut Shared) {
        if rounds == 0 {
            return;
        }
        let mut unlimited = 0;
        let places = match which {
            Which::One(address) => address..address + 1,
            Which::Portion { first, end } => first..end,
            Which::All | Which::Further { .. } => 0..self.addresses().count(),
        };
        for place in places {
            let Some(address) = self.address(place) else {
                continue;
            };
            let family = address.prefix.family();
            if shared.pace.is_free(family) {
                unlimited += 1;
                continue;
            }
            let Some(interface) = shared.interfaces.by_name(&address.interface) else {
                continue;
            };
            let physical = shared.interfaces.physical(interface);
            if !shared.pace.limits(physical, family) {
                unlimited += 1;
            } else if which.includes(self, address) {
                let of = AddressOf {
                    instance: self.id,
                    address: place,
                };
                shared.pace.enqueue(physical, family, of, rounds, now);
            }
        }
        if unlimited > 0 {
            let block = Block::new(self.id, which, rounds);
            shared.queue.push_back(Queued::Block(block));
        }
    }

    /// The announcement of one address, if it is there, its interface does ARP, and nobody else may have the address.
    fn announcement(&self, address: usize, interfaces: &Interfaces) -> Option<Action> {
        let address = self.address(address)?;
        let interface = interfaces.by_name(&address.interface)?;
        let index = interface.index;
        if !interfaces.is_there(index, kernel_prefix(address)) {
            return None;
        }
        Some(Action::AnnounceAddress {
            interface: index,
            mac: interface.mac?,
            address: address.prefix.address(),
        })
    }
}

impl Vrrp {
    /// The next announcement of the block at the head of the queue; `None` ends the block.
    pub(crate) fn next_of_block(&mut self) -> Option<Action> {
        let Self {
            instances, shared, ..
        } = self;
        let Some(Queued::Block(block)) = shared.queue.front_mut() else {
            return None;
        };
        let instance = instances.get(block.instance)?;
        let which = block.which;
        while let Some(place) = block.next(instance.addresses().count()) {
            let Some(address) = instance.address(place) else {
                continue;
            };
            let family = address.prefix.family();
            // What is paced goes another way.
            let paced = !shared.pace.is_free(family)
                && shared
                    .interfaces
                    .by_name(&address.interface)
                    .is_some_and(|interface| {
                        let physical = shared.interfaces.physical(interface);
                        shared.pace.limits(physical, family)
                    });
            if paced || !which.includes(instance, address) {
                continue;
            }
            if let Some(action) = instance.announcement(place, &shared.interfaces) {
                return Some(action);
            }
        }
        None
    }

    /// Announcements that have waited for their turn.
    pub(crate) fn send_paced(&mut self, now: Instant) {
        while let Some(of) = self.shared.pace.take_due(now) {
            if let Some(action) = self
                .instances
                .get(of.instance)
                .and_then(|instance| instance.announcement(of.address, &self.shared.interfaces))
            {
                self.shared.act(action);
            }
        }
        self.arm_pace();
    }

    /// Enters the pace's deadline into the heap.
    pub(crate) fn arm_pace(&mut self) {
        let deadline = self.shared.pace.deadline();
        self.deadlines
            .arm(Owner::Pace, &mut self.shared.pace.armed, deadline);
    }
}

/// An announcement that waits while the settings change: of what, and how many turns.
pub(crate) struct Waiting {
    address: Arc<VirtualAddress>,
    turns: u32,
}

impl Vrrp {
    /// What waits for its turn, told apart by its address: places in lists are about to change their meaning, and instances
    /// may get other names.
    pub(crate) fn waiting_announcements(&self) -> Vec<Waiting> {
        let waiting = self.shared.pace.waiting().into_iter();
        waiting
            .filter_map(|(of, turns)| {
                let instance = self.instances.get(of.instance)?;
                Some(Waiting {
                    address: Arc::clone(instance.address(of.address)?),
                    turns,
                })
            })
            .collect()
    }

    /// Lets wait again what is still a master's.
    pub(crate) fn wait_again(&mut self, waiting: Vec<Waiting>, now: Instant) {
        if waiting.is_empty() {
            return;
        }
        let mut places = BTreeMap::new();
        for instance in self.instances.iter().filter(|i| i.is_master()) {
            for (place, address) in instance.addresses().enumerate() {
                places.insert(&**address, (instance.id, place));
            }
        }
        for wait in waiting {
            let place = places.get(&*wait.address);
            if let Some((id, place)) = place
                && let Some(instance) = self.instances.get(*id)
            {
                instance.announce(Which::One(*place), wait.turns, now, &mut self.shared);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    /// Every second for a minute: (second, rounds).
    fn blocks(settings: &GarpSettings, lower_prio_at: Option<u64>) -> Vec<(u64, u32)> {
        let mut schedule = Schedule::begin(settings, None, at(0));
        let mut seen = Vec::new();
        for second in 1..=60 {
            let mut rounds = schedule.take_due(settings, None, at(second)).rounds;
            if lower_prio_at == Some(second) {
                rounds = rounds.max(schedule.lower_priority_heard(settings, at(second)));
            }
            if rounds > 0 {
                seen.push((second, rounds));
            }
        }
        seen
    }

    #[test]
    fn default_schedule_has_one_more_block() {
        assert_eq!(blocks(&GarpSettings::default(), None), [(5, 5)]);
    }

    #[test]
    fn refresh_begins_after_delay_plus_refresh() {
        let settings = GarpSettings {
            master_refresh: 20,
            master_refresh_repeat: 2,
            ..GarpSettings::default()
        };
        assert_eq!(blocks(&settings, None), [(5, 5), (25, 2), (45, 2)]);
        let no_delay = GarpSettings {
            master_delay: 0,
            ..settings
        };
        assert_eq!(blocks(&no_delay, None), [(20, 2), (40, 2), (60, 2)]);
    }

    #[test]
    fn lower_priority_has_a_schedule_of_its_own() {
        let settings = GarpSettings {
            lower_prio_delay: 3,
            lower_prio_repeat: 4,
            ..GarpSettings::default()
        };
        assert_eq!(blocks(&settings, Some(10)), [(5, 5), (10, 4), (13, 4)]);
        let silent = GarpSettings {
            lower_prio_repeat: 0,
            ..settings
        };
        assert_eq!(blocks(&silent, Some(10)), [(5, 5)]);
    }

    #[test]
    fn further_interfaces_have_a_beat_of_their_own() {
        let extra = |every| ExtraGarp {
            every: Duration::from_secs(every),
            all: true,
        };
        let settings = GarpSettings::default();
        let mut schedule = Schedule::begin(&settings, Some(&extra(20)), at(0));
        let mut seen = Vec::new();
        for second in 1..=100 {
            // A reload makes it faster, another one ends it.
            let now = match second {
                ..50 => Some(extra(20)),
                50..70 => Some(extra(10)),
                _ => None,
            };
            if second == 50 || second == 70 {
                schedule.settings_changed(&settings, now.as_ref(), at(second));
            }
            if schedule
                .take_due(&settings, now.as_ref(), at(second))
                .further
            {
                seen.push(second);
            }
        }
        assert_eq!(seen, [20, 40, 60]);
        assert_eq!(schedule.deadline(), None);
    }
}
