//! Settings: the first ones, and every later set.
//!
//! In order: scripts; who is gone says goodbye; who stays takes the new settings; what is wanted now is claimed; who is new
//! begins, and groups become whole; what was wanted before is released, so that an address in both is never touched;
//! left-overs of a predecessor are removed.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use types::Instant;

use crate::action::{Action, Announced, Signal};
use crate::clash::Clashes;
use crate::deadlines::Armed;
use crate::debounce;
use crate::firewall::Blocked;
use crate::instance::{Identity, Instance, Queued, Shared};
use crate::script::Script;
use crate::settings::{
    Device, InstanceSettings, Route, Rule, ScriptSettings, Settings, SyncGroupSettings,
    VirtualAddress,
};
use crate::state::{Farewell, State, StateName};
use crate::sync_group::{Group, common_state};
use crate::vrrp::Vrrp;

impl Vrrp {
    /// The first settings, or new ones: what did not change is not touched.
    pub fn handle_settings(&mut self, now: Instant, settings: Settings) {
        let devices: Vec<Arc<Device>> = settings.devices().collect();
        let Settings {
            global,
            instances,
            sync_groups,
            scripts,
            garp_interval,
            gna_interval,
            garp_groups,
            static_ipaddress,
            static_routes,
            static_rules,
            track_files,
            track_processes,
            bfd_sessions,
            track_groups,
            // The host asks; what it hears comes as the state of the interface.
            linkbeat: _,
            debounce,
            // They are among the devices.
            address_devices: _,
        } = settings;
        // Indices are about to change their meaning.
        self.deadlines.clear();
        self.settings_delay_start(&global, now);
        let waiting = self.waiting_announcements();
        self.shared
            .pace
            .set_limits(garp_interval, gna_interval, garp_groups);

        self.replace_scripts(scripts, now);
        self.watched
            .replace(track_files, track_processes, bfd_sessions);
        self.delays = debounce::delays(debounce);
        let old_statics =
            self.replace_statics(static_ipaddress, static_routes, static_rules, track_groups);
        let outgoing: Vec<Arc<VirtualAddress>> = self
            .instances
            .iter()
            .flat_map(|instance| instance.addresses().cloned())
            .collect();
        let mut changes = self.replace_instances(instances, now);
        self.replace_groups(sync_groups);
        self.delays_changed(now);
        let instances = &self.instances;
        // What is about to be released is still there, but no source of adverts.
        self.shared.holdings.manage(
            instances
                .iter()
                .flat_map(Instance::addresses)
                .chain(&outgoing),
        );
        let unwanted = self.replace_devices(devices);
        self.clashes = Clashes::new(global.allow_if_changes);
        self.find_clashes();
        for id in 0..self.instances.len() {
            self.assess(id, now);
        }
        self.update_listeners();
        let outgoing = self.apply(&mut changes, now);
        self.settle_all(now);
        self.shared
            .release_routing(&outgoing.routes, &outgoing.rules);
        Instance::release_addresses(outgoing.addresses.iter(), &mut self.shared);
        let unblocked = core::mem::take(&mut changes.unblocked);
        Instance::unblock_addresses(unblocked, &mut self.shared);
        if self.release_statics(&old_statics) {
            // Adverts may have left from one that is gone now.
            self.reassess_all(now, |_| true);
        }
        self.sweep(&changes);
        for removal in unwanted {
            self.shared.act(removal);
        }
        self.shared.holdings.let_go(now, outgoing.addresses.iter());
        let instances = &self.instances;
        self.shared
            .holdings
            .manage(instances.iter().flat_map(Instance::addresses));
        self.wait_again(waiting, now);
        for id in 0..self.instances.len() {
            self.arm(id);
        }
        for id in 0..self.scripts.len() {
            self.arm_script(id);
        }
        self.arm_all_processes();
        self.resuming.clear();
        self.started = true;
    }

    /// Takes the new devices; hands back the removal of those that nobody wants any more.
    fn replace_devices(&mut self, wanted: Vec<Arc<Device>>) -> Vec<Action> {
        let Shared {
            devices,
            interfaces,
            holdings,
            queue,
            ..
        } = &mut self.shared;
        let mut act = |action| queue.push_back(Queued::Action(action));
        let unwanted = devices.replace(wanted.into_iter(), interfaces, &mut act);
        devices.converge_all(interfaces, holdings, act);
        unwanted
    }

    fn replace_scripts(&mut self, settings: Vec<ScriptSettings>, now: Instant) {
        // Whoever starts waits for its scripts; a running or resumed router does not.
        let hold = !self.started && self.resuming.is_empty();
        let mut old: BTreeMap<Arc<str>, Script> = self
            .scripts
            .drain(..)
            .map(|script| (Arc::clone(&script.name), script))
            .collect();
        for settings in settings {
            let script = match old.remove(settings.name.as_str()) {
                Some(mut script) if script.settings.identity == settings.identity => {
                    script.update(settings, now);
                    script.armed = Armed::default();
                    script
                }
                Some(other) => {
                    self.end_run(&other);
                    Script::new(settings, now, hold)
                }
                None => Script::new(settings, now, hold),
            };
            self.scripts.push(script);
        }
        for script in old.values() {
            self.end_run(script);
        }
        self.verdicts = self
            .scripts
            .iter()
            .map(|script| (Arc::clone(&script.name), script.verdict))
            .collect();
    }

    fn end_run(&mut self, script: &Script) {
        if script.is_running() {
            self.shared
                .queue
                .push_back(Queued::Action(script.signal(Signal::Kill)));
        }
    }

    /// Puts the new list in place of the old one, and says what became of each.
    fn replace_instances(&mut self, settings: Vec<InstanceSettings>, now: Instant) -> Changes {
        let mut old = Incumbents::new(self.instances.drain(..), &settings);
        let mut changes = Changes::default();
        for (id, settings) in settings.into_iter().enumerate() {
            let kept = old.take(&settings);
            let instance = match kept {
                Some(mut instance) => {
                    instance.id = id;
                    instance.armed = Armed::default();
                    instance.take_name(&settings.name);
                    if instance.settings != settings {
                        changes
                            .unblocked
                            .extend(core::mem::take(&mut instance.blocked));
                        changes
                            .changed
                            .push(Changed::begin(&mut instance, settings));
                    }
                    instance
                }
                None => {
                    changes.new.push(id);
                    Instance::new(id, settings)
                }
            };
            self.instances.push(instance);
        }
        for mut instance in old.rest() {
            // The addresses are released after the new owners have claimed theirs.
            changes
                .unblocked
                .extend(core::mem::take(&mut instance.blocked));
            if instance.is_master() {
                instance.send_farewell(now, &mut self.shared);
                let (held, released) = (&mut instance.settings, &mut changes.released);
                released
                    .routes
                    .extend(core::mem::take(&mut held.virtual_routes));
                released
                    .rules
                    .extend(core::mem::take(&mut held.virtual_rules));
                released
                    .addresses
                    .extend(core::mem::take(&mut held.virtual_ipaddress));
                released
                    .addresses
                    .extend(core::mem::take(&mut held.virtual_ipaddress_excluded));
            }
            instance.enter_stop(now, Farewell::None, Announced::Deleted, &mut self.shared);
        }
        changes
    }

    fn replace_groups(&mut self, settings: Vec<SyncGroupSettings>) {
        let old: BTreeMap<Arc<str>, StateName> = self
            .groups
            .drain(..)
            .map(|group| (group.name, group.state))
            .collect();
        let by_name: BTreeMap<Arc<str>, usize> = self
            .instances
            .iter()
            .map(|instance| (Arc::clone(&instance.name), instance.id))
            .collect();
        for instance in &mut self.instances {
            instance.group = None;
        }
        for settings in settings {
            let members: Vec<usize> = settings
                .members
                .iter()
                .filter_map(|name| by_name.get(name.as_str()).copied())
                .collect();
            let group = self.groups.len();
            for id in &members {
                if let Some(instance) = self.instances.get_mut(*id) {
                    instance.group = Some(group);
                }
            }
            // A group that is new by its name only, or made of what is there, has nothing to say about that.
            let state = old.get(settings.name.as_str()).copied().unwrap_or_else(|| {
                let members = members.iter().filter_map(|id| self.instances.get(*id));
                common_state(members).unwrap_or(StateName::Init)
            });
            self.groups.push(Group {
                name: settings.name.as_str().into(),
                members,
                state,
            });
        }
    }

    /// Gives changed masters their new addresses. What masters held before is handed back, to be released when all who
    /// want an address have claimed it: those, too, who only become master because of the reload.
    fn apply(&mut self, changes: &mut Changes, now: Instant) -> Outgoing {
        let mut outgoing = core::mem::take(&mut changes.released);
        for changed in &changes.changed {
            let Some(instance) = self.instances.get_mut(changed.id) else {
                continue;
            };
            if instance.is_master() {
                instance.block_addresses(&mut self.shared);
                instance.hold_addresses(&mut self.shared);
                instance.hold_routing(&mut self.shared);
                let old = &changed.old;
                outgoing.addresses.extend(old.addresses().cloned());
                outgoing.routes.extend(old.virtual_routes.iter().cloned());
                outgoing.rules.extend(old.virtual_rules.iter().cloned());
            }
        }
        for changed in &changes.changed {
            let Some(instance) = self.instances.get_mut(changed.id) else {
                continue;
            };
            instance.settings_took_effect(changed, now, &mut self.shared);
        }
        outgoing
    }

    /// Removes the addresses of new instances that are there although nobody holds them.
    fn sweep(&mut self, changes: &Changes) {
        for id in &changes.new {
            let Some(instance) = self.instances.get(*id) else {
                continue;
            };
            self.shared.sweep_routing(&instance.settings);
            for address in instance.addresses() {
                if let Some(action) = self
                    .shared
                    .holdings
                    .sweep(address, &mut self.shared.interfaces)
                {
                    self.shared.queue.push_back(Queued::Action(action));
                }
            }
        }
    }
}

/// The instances that there were, by what decides whether a reload means them. Most often name and identity agree; several
/// with one identity, which their peers tell apart, are told apart by their names.
struct Incumbents {
    all: Vec<Option<Instance>>,
    by_identity: BTreeMap<Identity, Vec<usize>>,
    /// Of each name in the new settings, the identity.
    claimed: BTreeMap<Arc<str>, Identity>,
}

impl Incumbents {
    fn new(instances: impl Iterator<Item = Instance>, settings: &[InstanceSettings]) -> Self {
        let all: Vec<Option<Instance>> = instances.map(Some).collect();
        let mut by_identity: BTreeMap<Identity, Vec<usize>> = BTreeMap::new();
        for (place, instance) in all.iter().flatten().enumerate() {
            let identity = Instance::identity(&instance.settings);
            by_identity.entry(identity).or_default().push(place);
        }
        let claim = |settings: &InstanceSettings| {
            let name = settings.name.as_str().into();
            (name, Instance::identity(settings))
        };
        Self {
            all,
            by_identity,
            claimed: settings.iter().map(claim).collect(),
        }
    }

    /// The one that these settings are for: of the same name, or else one whose name is in nobody's way.
    fn take(&mut self, settings: &InstanceSettings) -> Option<Instance> {
        let identity = Instance::identity(settings);
        let places = self.by_identity.get(&identity)?;
        let name_of = |place: &usize| Some(&*self.all.get(*place)?.as_ref()?.name);
        let same_name = |place: &&usize| name_of(place) == Some(settings.name.as_str());
        let other_name = |place: &&usize| {
            name_of(place).is_some_and(|name| self.claimed.get(name) != Some(&identity))
        };
        let place = places
            .iter()
            .find(same_name)
            .or_else(|| places.iter().find(other_name));
        let place = *place?;
        self.all.get_mut(place)?.take()
    }

    fn rest(self) -> impl Iterator<Item = Instance> {
        self.all.into_iter().flatten()
    }
}

/// What a new set of settings did to the list of instances.
#[derive(Debug, Default)]
struct Changes {
    new: Vec<usize>,
    changed: Vec<Changed>,
    /// What deleted masters held.
    released: Outgoing,
    /// What changed and deleted masters had blocked.
    unblocked: Vec<Blocked>,
}

/// What masters held by the old settings.
#[derive(Debug, Default)]
struct Outgoing {
    addresses: Vec<Arc<VirtualAddress>>,
    routes: Vec<Route>,
    rules: Vec<Rule>,
}

/// An instance that stays, with other settings.
#[derive(Debug)]
struct Changed {
    id: usize,
    old: InstanceSettings,
}

impl Changed {
    fn begin(instance: &mut Instance, settings: InstanceSettings) -> Self {
        let old = core::mem::replace(&mut instance.settings, settings);
        instance.forget_message();
        // Places in lists have changed their meaning.
        instance.losses = None;
        instance
            .proof
            .settings_changed(&old.authentication, &instance.settings.authentication);
        if instance.settings.priority != old.priority {
            instance.owner_lowered = false;
        }
        Self {
            id: instance.id,
            old,
        }
    }
}

impl Instance {
    /// A reload may call the same virtual router something else: nobody on the link knows its name.
    fn take_name(&mut self, name: &str) {
        if *self.name != *name {
            self.name = name.into();
            self.settings.name = name.into();
        }
    }

    fn settings_took_effect(&mut self, changed: &Changed, now: Instant, shared: &mut Shared) {
        let old = &changed.old;
        let new_interval = self.settings.advert_int != old.advert_int;
        if new_interval && self.master_advert_int == old.advert_int {
            self.master_advert_int = self.settings.advert_int;
        }
        if self.settings.version != old.version {
            // Version 2 does not learn: what version 3 has learnt would stay for ever.
            self.master_advert_int = self.settings.advert_int;
        }
        let master_down = self.master_down();
        match &mut self.state {
            State::Backup(backup) => {
                let started = backup.master_down_at.before(backup.master_down);
                backup.master_down_at = (started + master_down).max(now);
                backup.master_down = master_down;
                if self.settings.preempt != old.preempt {
                    backup.preempt_at = None;
                }
            }
            State::Master(master) => {
                let extra = self.settings.garp_extra_if;
                if (&self.settings.garp, extra) != (&old.garp, old.garp_extra_if) {
                    master
                        .garp
                        .settings_changed(&self.settings.garp, extra.as_ref(), now);
                }
                let added = self
                    .addresses()
                    .any(|address| old.addresses().all(|before| before != address));
                if added {
                    self.announce_addresses(self.settings.garp.master_repeat, now, shared);
                }
                // The others learn at once what changed in our adverts.
                self.send_advert(now, shared);
            }
            State::Init | State::Fault { .. } | State::Stop => {}
        }
    }
}

#[cfg(test)]
mod tests;
