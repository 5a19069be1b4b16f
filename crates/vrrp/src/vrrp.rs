//! [`Vrrp`]: all virtual routers of a host behind one door.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use types::{Family, IfIndex, IfName, Instant, Prefix};

use crate::action::{Action, Announced, Carrier, Event, Signal};
use crate::deadlines::{Deadlines, Owner};
use crate::holdings::kernel_prefix;
use crate::instance::{Instance, Queued, Shared};
use crate::interfaces::{Interface, InterfaceAddress};
use crate::proof::WallClock;
use crate::receive::Packet;
use crate::script::{Script, ScriptOutcome, ScriptView};
use crate::state::{Farewell, State, Telling};
use crate::sync_group::{Group, GroupView};
use crate::track::{self, Faults, ScriptVerdicts};
use crate::view::InstanceView;

/// The VRRP core: see the crate's documentation for the contract.
#[derive(Debug, Default)]
pub struct Vrrp {
    pub(crate) instances: Vec<Instance>,
    pub(crate) groups: Vec<Group>,
    pub(crate) scripts: Vec<Script>,
    pub(crate) verdicts: ScriptVerdicts,
    pub(crate) shared: Shared,
    pub(crate) deadlines: Deadlines,
    /// Who listens to what: interface, family, VRID. Without an interface: on every one. Several differ by the multicast
    /// group, the source or the peers.
    pub(crate) listeners: BTreeMap<(Option<IfIndex>, Family, u8), Vec<usize>>,
    pub(crate) memberships: BTreeSet<(IfIndex, IpAddr)>,
    /// Names of instances that were master when a predecessor of this process ended a moment ago.
    pub(crate) resuming: BTreeSet<String>,
    pub(crate) started: bool,
    unknown_vrid: u64,
}

/// What a stop leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// Nothing: masters say goodbye and addresses are removed.
    Everything,
    /// Everything: no goodbye, addresses stay (`--dont-release-vrrp`).
    Nothing,
}

impl Vrrp {
    /// A core without settings. Tell it about interfaces and addresses with [`handle_snapshot`](Self::handle_snapshot)
    /// before the first [`handle_settings`](Self::handle_settings).
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Names the instances that a predecessor left as master, not longer ago than any backup waits. They carry on as
    /// master instead of beginning as backup. Call it before the first settings.
    pub fn resume(&mut self, masters: impl IntoIterator<Item = String>) {
        self.resuming = masters.into_iter().collect();
    }

    /// The next thing to do; `None` when there is nothing left to do for the last input.
    pub fn poll_action(&mut self) -> Option<Action> {
        loop {
            let (instance, rounds, next) = match self.shared.queue.front()? {
                Queued::Block {
                    instance,
                    rounds,
                    next,
                } => (*instance, *rounds, *next),
                Queued::Action(_) => match self.shared.queue.pop_front() {
                    Some(Queued::Action(action)) => return Some(action),
                    Some(Queued::Block { .. }) | None => return None,
                },
            };
            let count = self
                .instances
                .get(instance)
                .map_or(0, |instance| instance.addresses.len());
            // Where the block stands after this address.
            let position = match next + 1 {
                following if following < count => Some((rounds, following)),
                _ if rounds > 1 && count > 0 => Some((rounds - 1, 0)),
                _ => None,
            };
            match (position, self.shared.queue.front_mut()) {
                (Some((rounds_left, following)), Some(Queued::Block { rounds, next, .. })) => {
                    *rounds = rounds_left;
                    *next = following;
                }
                _ => {
                    self.shared.queue.pop_front();
                }
            }
            if let Some(action) = self.announcement(instance, next) {
                return Some(action);
            }
        }
    }

    /// An announcement of a block, unless its family is paced and goes another way.
    fn announcement(&self, instance: usize, address: usize) -> Option<Action> {
        let instance = self.instances.get(instance)?;
        let family = instance.addresses.get(address)?.prefix.family();
        if !self.shared.pace.interval(family).is_zero() {
            return None;
        }
        instance.announcement(address, &self.shared.interfaces)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) at the latest. It may be called too early, in vain.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// Time has passed. Hand over packets that have arrived first.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((at, owner)) = self.deadlines.pop_due(now) {
            match owner {
                Owner::Instance(id) => {
                    if self
                        .instances
                        .get_mut(id)
                        .is_some_and(|instance| instance.armed.popped(at))
                    {
                        self.handle_instance_timeout(id, now);
                        self.arm(id);
                    }
                }
                Owner::Script(id) => {
                    if self
                        .scripts
                        .get_mut(id)
                        .is_some_and(|script| script.armed.popped(at))
                    {
                        self.handle_script_timeout(id, now);
                    }
                }
                Owner::Pace => {
                    if self.shared.pace.armed.popped(at) {
                        self.send_paced(now);
                    }
                }
            }
            self.skip_out_of_date();
        }
    }

    /// Brings entries up to date that would wake the host in vain: those of backups that have heard an advert since.
    /// Done when an entry was due, not with every advert, so that all backups together cost one wake-up in a
    /// Master_Down_Interval.
    fn skip_out_of_date(&mut self) {
        while let Some((at, Owner::Instance(id))) = self.deadlines.first()
            && let Some(instance) = self.instances.get_mut(id)
            && instance.deadline().is_none_or(|deadline| deadline > at)
        {
            self.deadlines.pop();
            if instance.armed.popped(at) {
                let deadline = instance.deadline();
                self.deadlines
                    .arm(Owner::Instance(id), &mut instance.armed, deadline);
            }
        }
    }

    fn send_paced(&mut self, now: Instant) {
        while let Some(of) = self.shared.pace.take_due(now) {
            if let Some(action) = self
                .instances
                .get(of.instance)
                .and_then(|i| i.announcement(of.address, &self.shared.interfaces))
            {
                self.shared.act(action);
            }
        }
        self.arm_pace();
    }

    fn arm_pace(&mut self) {
        let deadline = self.shared.pace.deadline();
        self.deadlines
            .arm(Owner::Pace, &mut self.shared.pace.armed, deadline);
    }

    /// Everything that the kernel has, read afresh: at start, and after notifications were lost.
    pub fn handle_snapshot(
        &mut self,
        now: Instant,
        interfaces: Vec<Interface>,
        addresses: Vec<InterfaceAddress>,
    ) {
        // First all facts, then their consequences: what we do about one must not be undone by an older word about
        // another.
        let known: Vec<(IfIndex, IfName)> = self
            .shared
            .interfaces
            .all()
            .map(|interface| (interface.index, interface.name.clone()))
            .collect();
        let mut changed = Vec::new();
        for (index, name) in known {
            if !interfaces.iter().any(|interface| interface.index == index) {
                self.shared.interfaces.gone(index);
                self.shared.pace.forget_interface(index);
                changed.push(name);
            }
        }
        for interface in interfaces {
            let name = interface.name.clone();
            let before = self
                .shared
                .interfaces
                .by_index(interface.index)
                .map(|known| known.name.clone());
            if self.shared.interfaces.present(interface) {
                changed.extend(before.filter(|before| *before != name));
                changed.push(name);
            }
        }
        let there: BTreeSet<(IfIndex, Prefix)> = addresses
            .iter()
            .map(|address| (address.interface, address.prefix))
            .collect();
        let lost: Vec<(IfIndex, Prefix)> = self
            .shared
            .interfaces
            .all_addresses()
            .filter(|known| !there.contains(known))
            .collect();
        for (index, prefix) in &lost {
            self.shared.interfaces.address_gone(*index, *prefix);
        }
        let mut found = Vec::new();
        for address in addresses {
            if self.shared.interfaces.address_present(address) {
                found.push((address.interface, address.prefix));
            }
        }
        for name in changed {
            self.interface_changed(now, &name);
        }
        for (index, prefix) in lost {
            self.address_was_lost(now, index, prefix);
        }
        for (index, prefix) in found {
            self.source_may_have_changed(now, index, prefix);
        }
    }

    /// The wall clock at `now`, as the time since the Unix epoch (1970-01-01 00:00 UTC). It may jump either way.
    ///
    /// Only `auth_hmac` asks for it. Tell it with each wake-up: between two words of the host the core takes it to run like
    /// the monotonic clock.
    pub fn handle_wall_clock(&mut self, now: Instant, since_epoch: Duration) {
        self.shared.clock = WallClock::new(now, since_epoch);
    }

    /// An interface appeared or changed.
    pub fn handle_interface(&mut self, now: Instant, interface: Interface) {
        let before = self
            .shared
            .interfaces
            .by_index(interface.index)
            .map(|known| known.name.clone());
        let name = interface.name.clone();
        if !self.shared.interfaces.present(interface) {
            return;
        }
        if let Some(renamed) = before.filter(|before| *before != name) {
            self.interface_changed(now, &renamed);
        }
        self.interface_changed(now, &name);
    }

    /// An interface was deleted. Its addresses went with it.
    pub fn handle_interface_gone(&mut self, now: Instant, index: IfIndex) {
        let Some(name) = self
            .shared
            .interfaces
            .by_index(index)
            .map(|interface| interface.name.clone())
        else {
            return;
        };
        if self.shared.interfaces.gone(index) {
            self.shared.pace.forget_interface(index);
            self.interface_changed(now, &name);
        }
    }

    fn interface_changed(&mut self, now: Instant, name: &IfName) {
        self.reassess_all(now, |instance| {
            instance.settings.is_on(name)
                || instance
                    .settings
                    .track_interface
                    .iter()
                    .any(|tracked| tracked.interface == *name)
                || instance.settings.track_src_ip
        });
        self.restore_addresses(name);
        self.update_listeners();
    }

    /// Puts back what a master holds on an interface that was re-created, or came up again, without it.
    fn restore_addresses(&mut self, name: &IfName) {
        let Some(index) = self
            .shared
            .interfaces
            .by_name(name)
            .map(|interface| interface.index)
        else {
            return;
        };
        for instance in self
            .instances
            .iter()
            .filter(|instance| instance.is_master())
        {
            for address in instance
                .addresses
                .iter()
                .filter(|address| address.interface == *name)
            {
                if self
                    .shared
                    .interfaces
                    .has_address(index, kernel_prefix(address))
                {
                    continue;
                }
                self.shared.interfaces.address_present(InterfaceAddress {
                    interface: index,
                    prefix: kernel_prefix(address),
                    tentative: false,
                });
                self.shared
                    .queue
                    .push_back(Queued::Action(Action::AddAddress {
                        interface: index,
                        address: Arc::clone(address),
                    }));
            }
        }
    }

    /// Somebody added an address, or it left the tentative state.
    ///
    /// What concerns a virtual address is ignored: it may be the echo of our own request, overtaken by our next one, and
    /// an address that is there when we add it is no error. Only [`handle_snapshot`](Self::handle_snapshot) is believed.
    pub fn handle_address(&mut self, now: Instant, address: InterfaceAddress) {
        let interface = self.shared.interfaces.by_index(address.interface);
        let managed = interface.is_some_and(|interface| {
            self.shared
                .holdings
                .is_managed(&interface.name, address.prefix)
        });
        if !managed {
            self.take_address(now, address);
        }
    }

    fn take_address(&mut self, now: Instant, address: InterfaceAddress) {
        if self.shared.interfaces.address_present(address) {
            self.source_may_have_changed(now, address.interface, address.prefix);
        }
    }

    /// Somebody, not we, removed an address. The host must leave out the echo of our own removals.
    pub fn handle_address_gone(&mut self, now: Instant, interface: IfIndex, prefix: Prefix) {
        if self.shared.interfaces.address_gone(interface, prefix) {
            self.address_was_lost(now, interface, prefix);
        }
    }

    fn address_was_lost(&mut self, now: Instant, interface: IfIndex, prefix: Prefix) {
        let Some(name) = self
            .shared
            .interfaces
            .by_index(interface)
            .map(|interface| interface.name.clone())
        else {
            return;
        };
        if self.shared.holdings.wanted(&name, prefix).is_some() {
            self.address_lost(now, &name, prefix);
        } else {
            self.source_may_have_changed(now, interface, prefix);
        }
    }

    /// The kernel refused an address that we asked it to add; the host has said why.
    pub fn handle_address_refused(&mut self, interface: IfIndex, prefix: Prefix) {
        self.shared.interfaces.address_gone(interface, prefix);
    }

    /// The prefix under which the kernel will speak of a virtual address.
    #[must_use]
    pub fn kernel_prefix(address: &crate::settings::VirtualAddress) -> Prefix {
        kernel_prefix(address)
    }

    fn address_lost(&mut self, now: Instant, interface: &IfName, prefix: Prefix) {
        let holder = self.instances.iter().position(|instance| {
            instance.is_master()
                && instance.addresses.iter().any(|address| {
                    !address.no_track
                        && address.interface == *interface
                        && kernel_prefix(address) == prefix
                })
        });
        let Some(id) = holder else { return };
        if let Some(instance) = self.instances.get(id) {
            let name = Arc::clone(&instance.name);
            self.shared.report(
                &name,
                Event::AddressLost {
                    address: prefix,
                    interface: interface.clone(),
                },
            );
        }
        self.leave_after_loss(id, now);
    }

    fn source_may_have_changed(&mut self, now: Instant, index: IfIndex, prefix: Prefix) {
        let Some(name) = self
            .shared
            .interfaces
            .by_index(index)
            .map(|interface| interface.name.clone())
        else {
            return;
        };
        if self.shared.holdings.is_managed(&name, prefix) {
            return;
        }
        self.reassess_all(now, |instance| {
            let settings = &instance.settings;
            settings.is_on(&name)
                || (settings.track_src_ip && settings.mcast_src_ip == Some(prefix.address()))
        });
    }

    /// A script's run has ended, or could not begin.
    pub fn handle_script_exit(&mut self, now: Instant, script: &str, outcome: ScriptOutcome) {
        let Some(id) = self.scripts.iter().position(|known| &*known.name == script) else {
            return;
        };
        let Some(known) = self.scripts.get_mut(id) else {
            return;
        };
        let shared = &mut self.shared;
        let changed = known.handle_exit(now, outcome, |action| shared.act(action));
        self.script_served(id, changed, now);
    }

    fn handle_script_timeout(&mut self, id: usize, now: Instant) {
        let Some(script) = self.scripts.get_mut(id) else {
            return;
        };
        let shared = &mut self.shared;
        let changed = script.handle_timeout(now, |action| shared.act(action));
        self.script_served(id, changed, now);
    }

    fn script_served(&mut self, id: usize, changed: bool, now: Instant) {
        self.arm_script(id);
        let Some(script) = self.scripts.get(id) else {
            return;
        };
        if !changed {
            return;
        }
        self.verdicts
            .insert(Arc::clone(&script.name), script.verdict);
        let name = Arc::clone(&script.name);
        self.reassess_all(now, |instance| {
            instance
                .settings
                .track_script
                .iter()
                .any(|tracked| *tracked.script == *name)
        });
    }

    pub(crate) fn arm_script(&mut self, id: usize) {
        if let Some(script) = self.scripts.get_mut(id) {
            let deadline = script.deadline();
            self.deadlines
                .arm(Owner::Script(id), &mut script.armed, deadline);
        }
    }

    /// The daemon stops. Drain the actions, then there is nothing more to come.
    pub fn handle_stop(&mut self, now: Instant, release: Release) {
        for script in self.scripts.iter().filter(|script| script.is_running()) {
            self.shared
                .queue
                .push_back(Queued::Action(script.signal(Signal::Terminate)));
        }
        for instance in &mut self.instances {
            if release == Release::Nothing {
                instance.state = State::Stop;
            }
            instance.enter_stop(
                now,
                Farewell::PriorityZero,
                Announced::Stop,
                &mut self.shared,
            );
        }
        for group in &self.groups {
            self.shared.act(group.announcement(Announced::Stop));
        }
        self.deadlines.clear();
    }

    /// Reassesses all instances that something concerns.
    fn reassess_all(&mut self, now: Instant, concerns: impl Fn(&Instance) -> bool) {
        for id in 0..self.instances.len() {
            if self.instances.get(id).is_some_and(&concerns) {
                self.reassess(id, now);
            }
        }
    }

    /// Looks at everything that an instance depends on, and draws the consequences.
    pub(crate) fn reassess(&mut self, id: usize, now: Instant) {
        self.assess(id, now);
        self.settle(id, now);
        self.arm(id);
    }

    /// Recomputes interface, source, faults and priority of an instance.
    pub(crate) fn assess(&mut self, id: usize, now: Instant) {
        let Some(instance) = self.instances.get_mut(id) else {
            return;
        };
        let shared = &mut self.shared;
        let tracking = track::look(&instance.settings, &shared.interfaces, &self.verdicts);
        let settings = &instance.settings;
        let interface = settings
            .interface
            .as_ref()
            .and_then(|name| shared.interfaces.by_name(name));
        let usable = interface.is_some_and(|interface| interface.usable);
        instance.interface = interface.map(|interface| interface.index);
        let source = match settings.mcast_src_ip {
            Some(configured) => {
                let own = settings.interface.as_ref();
                (!settings.track_src_ip || shared.interfaces.is_source_somewhere(own, configured))
                    .then_some(configured)
            }
            None => Self::own_source(instance, shared),
        };
        let elsewhere = settings.interface.is_none();
        let faults = Faults {
            trackers: tracking.failed,
            interface_down: !usable && !settings.dont_track_primary && !elsewhere,
            no_source: source.is_none() || (interface.is_none() && !elsewhere),
            config_error: settings
                .unicast
                .as_deref()
                .is_some_and(|unicast| unicast.peers.is_empty()),
            scripts_pending: tracking.pending,
        };
        let before = core::mem::replace(&mut instance.faults, faults);
        if source != instance.source {
            instance.source = source;
            instance.forget_message();
        }
        let name = &instance.name;
        if faults.config_error && !before.config_error {
            shared.report(name, Event::NoPeers);
        }
        if let Some(address) = instance.settings.mcast_src_ip
            && source.is_none()
        {
            if !before.no_source {
                shared.report(name, Event::SourceGone { address });
            }
        } else if let Some(interface) = &instance.settings.interface {
            let (interface, family) = (interface.clone(), instance.settings.family);
            if faults.interface_down && !before.interface_down {
                shared.report(name, Event::InterfaceDown { interface });
            } else if faults.no_source && !faults.interface_down && !before.no_source {
                shared.report(name, Event::NoSourceAddress { interface, family });
            }
        }
        if !instance.owner_lowered {
            instance.set_priority(
                track::effective_priority(instance.settings.priority, tracking.adjustment),
                now,
                shared,
            );
        }
    }

    /// The address of its interface that an instance sends from.
    fn own_source(instance: &Instance, shared: &Shared) -> Option<IpAddr> {
        let name = instance.settings.interface.as_ref()?;
        // A source that is still good is kept: the others know us by it.
        if let Some(current) = instance.source
            && shared.interfaces.is_usable_source(name, current)
            && !shared.holdings.is_managed_address(name, current)
        {
            return Some(current);
        }
        let managed = |prefix| shared.holdings.is_managed(name, prefix);
        let family = instance.settings.family;
        shared.interfaces.source(name, family, managed)
    }

    /// Enters an instance's deadline, and the pace's, into the heap.
    pub(crate) fn arm(&mut self, id: usize) {
        if let Some(instance) = self.instances.get_mut(id) {
            let deadline = instance.deadline();
            self.deadlines
                .arm(Owner::Instance(id), &mut instance.armed, deadline);
        }
        self.arm_pace();
    }

    /// Who listens to what has changed: finds out anew, and joins and leaves groups accordingly.
    pub(crate) fn update_listeners(&mut self) {
        self.listeners.clear();
        let mut memberships = BTreeSet::new();
        for instance in &self.instances {
            let settings = &instance.settings;
            if instance.interface.is_none() && settings.interface.is_some() {
                continue;
            }
            self.listeners
                .entry((instance.interface, settings.family, settings.vrid.get()))
                .or_default()
                .push(instance.id);
            if let (Some(interface), None) = (instance.interface, &settings.unicast) {
                memberships.insert((interface, settings.mcast_dst_ip));
            }
        }
        for (interface, group) in self.memberships.difference(&memberships) {
            self.shared.act(Action::LeaveGroup {
                interface: *interface,
                group: *group,
            });
        }
        for (interface, group) in memberships.difference(&self.memberships) {
            self.shared.act(Action::JoinGroup {
                interface: *interface,
                group: *group,
            });
        }
        self.memberships = memberships;
    }

    /// The instance that a packet is for.
    pub(crate) fn recipient(&mut self, packet: &Packet<'_>) -> Option<usize> {
        let before = match packet.carrier {
            Carrier::Vrrp => 0,
            Carrier::Ah { .. } => wire::ah::LENGTH,
        };
        let vrid = *packet.payload.get(before + 1)?;
        let found = self.listener(packet, vrid);
        if found.is_none() {
            self.unknown_vrid += 1;
        }
        found
    }

    fn listener(&self, packet: &Packet<'_>, vrid: u8) -> Option<usize> {
        let on = |interface| {
            let listeners = self.listeners.get(&(interface, packet.family(), vrid));
            listeners.map(Vec::as_slice).unwrap_or_default()
        };
        let candidates = || {
            on(Some(packet.interface))
                .iter()
                .chain(on(None))
                .filter_map(|id| self.instances.get(*id))
        };
        let (to, from) = (packet.destination, packet.source);
        let mut by_group = candidates().filter(|instance| instance.settings.unicast.is_none());
        if to.is_multicast() {
            return by_group
                .find(|instance| instance.settings.mcast_dst_ip == to)
                .map(|instance| instance.id);
        }
        let addressed = || {
            candidates().filter_map(|instance| {
                let unicast = instance.settings.unicast.as_deref()?;
                let ours = instance.source.is_none_or(|source| source == to);
                ours.then_some((instance.id, unicast))
            })
        };
        let mut several = addressed();
        match (several.next(), several.next()) {
            // It went to one address instead of the group: somebody will say so.
            (None, _) => by_group.next().map(|instance| instance.id),
            (Some((only, _)), None) => Some(only),
            // Of several only the peers tell which is meant. Who is nobody's peer means none of them.
            (Some(_), Some(_)) => addressed()
                .find(|(_, unicast)| unicast.peer(from).is_some())
                .map(|(id, _)| id),
        }
    }

    /// How many packets came for a virtual router that we do not run.
    #[must_use]
    pub const fn unknown_vrid(&self) -> u64 {
        self.unknown_vrid
    }

    /// The instances, in the order of the file.
    pub fn instances(&self) -> impl Iterator<Item = InstanceView<'_>> {
        self.instances.iter().map(Instance::view)
    }

    /// The sync groups, in the order of the file.
    pub fn groups(&self) -> impl Iterator<Item = GroupView<'_>> {
        self.groups.iter().map(|group| group.view(&self.instances))
    }

    /// The tracked scripts, in the order of the file.
    pub fn scripts(&self) -> impl Iterator<Item = ScriptView<'_>> {
        self.scripts.iter().map(Script::view)
    }

    /// The interfaces as the host told us.
    pub fn interfaces(&self) -> impl Iterator<Item = &Interface> {
        self.shared.interfaces.all()
    }

    /// Whether the kernel has an address, as far as the host has told and we have asked for.
    #[must_use]
    pub fn has_address(&self, interface: IfIndex, prefix: Prefix) -> bool {
        self.shared.interfaces.has_address(interface, prefix)
    }

    /// How often an instance changed its state so far: when it is the same, so are all states.
    #[must_use]
    pub const fn transitions(&self) -> u64 {
        self.shared.transitions
    }

    /// Sets every counter to zero.
    pub fn clear_statistics(&mut self) {
        for instance in &mut self.instances {
            instance.statistics.clear();
        }
    }
}

impl Instance {
    /// A new effective priority: told, sent with the next advert, and taken into account by a backup's timer.
    fn set_priority(&mut self, priority: types::Priority, now: Instant, shared: &mut Shared) {
        if priority == self.effective {
            return;
        }
        let from = core::mem::replace(&mut self.effective, priority);
        self.forget_message();
        shared.report(&self.name, Event::PriorityChanged { from, to: priority });
        let master_down = self.master_down();
        if let State::Backup(backup) = &mut self.state {
            // The silence so far counts: only the end of the wait moves.
            let started = backup.master_down_at.before(backup.master_down);
            backup.master_down_at = (started + master_down).max(now);
            backup.master_down = master_down;
        }
        if self.settings.notify_priority_changes {
            let what = if self.is_master() {
                Announced::MasterPriority
            } else {
                Announced::BackupPriority
            };
            self.tell(what, Telling::Tell, shared);
        }
    }
}
