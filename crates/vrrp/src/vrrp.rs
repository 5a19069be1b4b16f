//! [`Vrrp`]: all virtual routers of a host behind one door.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use types::{Family, IfIndex, Instant, Prefix};

use crate::action::{Action, Announced, Signal};
use crate::clash::Clashes;
use crate::deadlines::{Deadlines, Owner};
use crate::debounce::AllDelays;
use crate::devices::DeviceView;
use crate::instance::{Instance, Queued, Shared};
use crate::interfaces::Interface;
use crate::listeners::Listeners;
use crate::proof::WallClock;
use crate::script::{Script, ScriptView};
use crate::state::{Farewell, State, StateName};
use crate::statics::Statics;
use crate::sync_group::{Group, GroupView};
use crate::track::ScriptVerdicts;
use crate::view::InstanceView;
use crate::watched::Watched;

/// The VRRP core: see the crate's documentation for the contract.
#[derive(Debug, Default)]
pub struct Vrrp {
    pub(crate) instances: Vec<Instance>,
    pub(crate) groups: Vec<Group>,
    pub(crate) scripts: Vec<Script>,
    pub(crate) verdicts: ScriptVerdicts,
    pub(crate) watched: Watched,
    pub(crate) delays: AllDelays,
    pub(crate) shared: Shared,
    pub(crate) deadlines: Deadlines,
    /// Who listens to what: interface, family, VRID. Without an interface: on every one. Several differ by the multicast
    /// group, the source or the peers.
    pub(crate) listeners: Listeners,
    pub(crate) memberships: BTreeSet<(IfIndex, IpAddr)>,
    pub(crate) clashes: Clashes,
    /// The virtual routers with a device of their own, by the interface below it.
    pub(crate) on_wire: BTreeSet<(IfIndex, Family, u8)>,
    /// Names of instances that were master when a predecessor of this process ended a moment ago.
    pub(crate) resuming: BTreeSet<String>,
    pub(crate) statics: Statics,
    pub(crate) started: bool,
    pub(crate) unknown_vrid: u64,
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
            let Some(front) = self.shared.queue.front() else {
                self.shared.give_back_room();
                return None;
            };
            if matches!(front, Queued::Block(_))
                && let Some(action) = self.next_of_block()
            {
                return Some(action);
            }
            if let Some(Queued::Action(action)) = self.shared.queue.pop_front() {
                let advert = matches!(action, Action::SendAdvert { .. });
                self.shared.adverts_waiting -= usize::from(advert);
                return Some(action);
            }
        }
    }

    /// How many of the actions to come send adverts. While there are some, nothing that takes long should be done: other
    /// routers wait for them.
    #[must_use]
    pub const fn adverts_waiting(&self) -> usize {
        self.shared.adverts_waiting
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
                Owner::Processes(id) => self.handle_process_timeout(at, id, now),
                Owner::Interface(index) => self.handle_link_timeout(at, index, now),
                Owner::Startup => {
                    if self.shared.startup.armed.popped(at) {
                        self.startup_may_be_over(now);
                    }
                }
                Owner::Pace => {
                    if self.shared.pace.armed.popped(at) {
                        self.send_paced(now);
                    }
                }
                Owner::Statics => {
                    if self.statics.armed.popped(at) {
                        self.retry_statics(now);
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

    /// The wall clock at `now`, as the time since the Unix epoch (1970-01-01 00:00 UTC). It may jump either way.
    ///
    /// Only `auth_hmac` asks for it. Tell it with each wake-up: between two words of the host the core takes it to run like
    /// the monotonic clock.
    pub fn handle_wall_clock(&mut self, now: Instant, since_epoch: Duration) {
        self.shared.clock = WallClock::new(now, since_epoch);
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
        // They do not stay, whatever else does (keepalived: --dont-release-vrrp).
        let statics = core::mem::take(&mut self.statics);
        self.release_statics(&statics);
        for group in &mut self.groups {
            group.state = StateName::Stop;
            self.shared.act(group.announcement(Announced::Stop));
        }
        if release == Release::Everything {
            let removals: Vec<Action> = self.shared.devices.removals().collect();
            for removal in removals {
                self.shared.act(removal);
            }
        }
        self.deadlines.clear();
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

    /// The instances, in the order of the file.
    pub fn instances(&self) -> impl Iterator<Item = InstanceView<'_>> {
        self.instances.iter().map(Instance::view)
    }

    /// The names of the instances, in the order of the file, and whether each is master.
    pub fn masters(&self) -> impl Iterator<Item = (&str, bool)> {
        self.instances
            .iter()
            .map(|instance| (&*instance.name, instance.is_master()))
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

    /// The devices of our own that are there.
    pub fn devices(&self) -> impl Iterator<Item = DeviceView<'_>> {
        self.shared.devices.there()
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
