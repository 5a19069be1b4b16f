//! Instances that change state together (keepalived: `vrrp_sync_group`), and those that stand alone: a *unit* is either.
//!
//! | one member ... | then |
//! |---|---|
//! | times out | it waits until all members want to be MASTER; then all become it, in the order of the list |
//! | gives way to a better router | all other masters of the group go to BACKUP, without a goodbye |
//! | is faulty | all others go to FAULT with it |
//! | recovers, the last one | all return together |
//! | loses an address | all leave and come back with it |
//!
//! A member says nothing that its group has already said.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use types::Instant;

use crate::action::{Action, Announced, Announcement, Event, Subject};
use crate::instance::{Instance, Shared};
use crate::state::{BackupEntry, BackupTimer, Farewell, State, StateName, Telling};
use crate::vrrp::Vrrp;

/// A group and what it last announced.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: Arc<str>,
    pub(crate) members: Vec<usize>,
    pub(crate) state: StateName,
}

/// A group as dumps see it.
#[derive(Clone, Debug)]
pub struct GroupView<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it last announced.
    pub state: StateName,
    /// Names of its members, in the order of the file.
    pub members: Vec<&'a str>,
    /// How many members are faulty.
    pub faulty: usize,
    /// How many members wait for a script's first result.
    pub waiting: usize,
}

impl Group {
    pub(crate) fn announcement(&self, what: Announced) -> Action {
        Action::Announce(Announcement {
            subject: Subject::Group(Arc::clone(&self.name)),
            what,
            priority: 0,
        })
    }

    /// Whether a member announces a state that it enters with the group.
    fn telling(&self, state: StateName) -> Telling {
        if self.state == state {
            Telling::Silent
        } else {
            Telling::Tell
        }
    }

    pub(crate) fn view<'a>(&'a self, instances: &'a [Instance]) -> GroupView<'a> {
        let members = || self.members.iter().filter_map(|id| instances.get(*id));
        GroupView {
            name: &self.name,
            state: self.state,
            members: members().map(|instance| &*instance.name).collect(),
            faulty: members().filter(|instance| instance.faults.any()).count(),
            waiting: members()
                .filter(|instance| instance.faults.waiting())
                .count(),
        }
    }
}

impl Vrrp {
    /// A backup's timer ran out.
    pub(crate) fn try_master(&mut self, id: usize, now: Instant) {
        let unit = self.unit(id);
        if let Some(instance) = self.instances.get_mut(id) {
            instance.wants = StateName::Master;
        }
        let group_is_master = self
            .group_of(id)
            .is_some_and(|group| group.state == StateName::Master);
        let all_want = unit.iter().all(|member| {
            self.instances
                .get(*member)
                .is_some_and(|i| i.wants == StateName::Master)
        });
        if !group_is_master && !all_want {
            if let Some(instance) = self.instances.get_mut(id) {
                instance.restart_backup_timer(now, BackupTimer::MasterDown);
            }
            return;
        }
        self.move_unit(&unit, StateName::Master, |instance, telling, shared| {
            if matches!(instance.state, State::Backup(_)) {
                instance.enter_master(now, telling, shared);
            }
        });
    }

    /// A better router was heard by a master.
    pub(crate) fn give_way(&mut self, id: usize, entry: BackupEntry, now: Instant) {
        let unit = self.unit(id);
        let others = BackupEntry {
            farewell: Farewell::None,
            timer: BackupTimer::MasterDown,
            master: None,
        };
        self.move_unit(&unit, StateName::Backup, |instance, telling, shared| {
            if instance.is_master() {
                let entry = if instance.id == id { entry } else { others };
                instance.enter_backup(now, entry, telling, shared);
            }
        });
    }

    /// An address of a master was taken away: leave with a goodbye, and come back as soon as nobody else steps in.
    pub(crate) fn leave_after_loss(&mut self, id: usize, now: Instant) {
        let unit = self.unit(id);
        let entry = BackupEntry {
            farewell: Farewell::PriorityZero,
            timer: BackupTimer::Rest,
            master: None,
        };
        self.move_unit(&unit, StateName::Backup, |instance, telling, shared| {
            if instance.is_master() {
                instance.enter_backup(now, entry, telling, shared);
            }
        });
    }

    /// The other masters of the group announce their addresses, too.
    pub(crate) fn announce_rest_of_group(&mut self, id: usize, now: Instant) {
        for member in self.unit(id) {
            if member == id {
                continue;
            }
            if let Some(instance) = self.instances.get_mut(member) {
                instance.repeat_announcements(now, &mut self.shared);
            }
            self.arm(member);
        }
    }

    /// Brings a unit into the state that its members' faults allow.
    pub(crate) fn settle(&mut self, id: usize, now: Instant) {
        let unit = self.unit(id);
        let members = || unit.iter().filter_map(|id| self.instances.get(*id));
        if members().any(|instance| instance.state == State::Stop) {
            return;
        }
        if members().any(|instance| instance.faults.any()) {
            self.move_unit(&unit, StateName::Fault, |instance, telling, shared| {
                if instance.state != (State::Fault { announced: true }) {
                    instance.enter_fault(now, telling, shared);
                }
            });
        } else if members().all(|instance| instance.faults.clear()) {
            self.begin_or_recover(&unit, now);
        } else {
            // Some script has not spoken yet. Nobody is told, and whoever runs already goes on running.
            for member in unit {
                if let Some(instance) = self.instances.get_mut(member)
                    && instance.state == State::Init
                {
                    instance.state = State::Fault { announced: false };
                    instance.wants = StateName::Fault;
                }
            }
        }
    }

    fn begin_or_recover(&mut self, unit: &[usize], now: Instant) {
        let is_idle =
            |instance: &Instance| matches!(instance.state, State::Init | State::Fault { .. });
        let members = || unit.iter().filter_map(|id| self.instances.get(*id));
        if !members().any(is_idle) {
            return;
        }
        let at_start =
            members().all(|i| matches!(i.state, State::Init | State::Fault { announced: false }));
        if at_start && members().all(|instance| self.resuming.contains(&*instance.name)) {
            self.move_unit(unit, StateName::Master, |instance, _, shared| {
                shared.report(&instance.name, Event::Resumed);
                instance.enter_master(now, Telling::Silent, shared);
            });
            return;
        }
        if at_start && members().all(Instance::begins_as_master) {
            // Master at once, by way of a timer that runs out immediately; nobody hears of BACKUP.
            let entry = BackupEntry {
                farewell: Farewell::None,
                timer: BackupTimer::AtOnce,
                master: None,
            };
            for id in unit {
                if let Some(instance) = self.instances.get_mut(*id) {
                    instance.enter_backup(now, entry, Telling::Silent, &mut self.shared);
                    instance.wants = StateName::Master;
                }
                self.arm(*id);
            }
            return;
        }
        let entry = BackupEntry {
            farewell: Farewell::None,
            timer: BackupTimer::MasterDown,
            master: None,
        };
        self.move_unit(unit, StateName::Backup, |instance, telling, shared| {
            if is_idle(instance) {
                instance.enter_backup(now, entry, telling, shared);
            }
        });
    }

    /// Applies a transition to each member, arms their timers, then lets the group speak.
    fn move_unit(
        &mut self,
        unit: &[usize],
        state: StateName,
        mut transition: impl FnMut(&mut Instance, Telling, &mut Shared),
    ) {
        let group = unit
            .first()
            .and_then(|id| self.instances.get(*id))
            .and_then(|instance| instance.group);
        let group = group.and_then(|group| self.groups.get(group));
        let telling = group.map_or(Telling::Tell, |group| group.telling(state));
        for id in unit {
            if let Some(instance) = self.instances.get_mut(*id) {
                transition(instance, telling, &mut self.shared);
            }
            self.arm(*id);
        }
        let first = unit
            .first()
            .and_then(|id| self.instances.get(*id))
            .and_then(|instance| instance.group);
        if let Some(group) = first.and_then(|group| self.groups.get_mut(group))
            && group.state != state
        {
            group.state = state;
            self.shared.act(group.announcement(Announced::from(state)));
        }
    }

    /// The members of an instance's group, or the instance alone.
    fn unit(&self, id: usize) -> Vec<usize> {
        self.group_of(id)
            .map_or_else(|| vec![id], |group| group.members.clone())
    }

    fn group_of(&self, id: usize) -> Option<&Group> {
        self.groups.get(self.instances.get(id)?.group?)
    }
}
