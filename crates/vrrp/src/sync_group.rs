//! Instances that change state together (keepalived: `vrrp_sync_group`), and those that stand alone: a *unit* is either.
//!
//! | one member ... | then |
//! |---|---|
//! | times out | it waits until all members want to be MASTER; then all become it |
//! | gives way to a better router | all other masters of the group go to BACKUP, without a goodbye |
//! | is faulty | all others go to FAULT with it |
//! | recovers, the last one | all return together |
//! | gives up an address (`loss.rs`) | all leave and come back with it |
//!
//! Who caused it goes first, the others follow in the order of the list, the group speaks last. Only where all begin as
//! BACKUP it speaks first.
//!
//! A reload changes who belongs together, so the members of a group need not agree after it. No master pays for that: it
//! says no goodbye, misses no advert and does not wait for anybody. One rule, whose first line that applies counts, makes
//! the group whole again at once:
//!
//! | of the members after a reload ... | then |
//! |---|---|
//! | one is faulty | all go to FAULT, as ever |
//! | one waits for a script's first result | who is idle waits with it, who runs goes on |
//! | one is MASTER | all others become MASTER with it |
//! | none is | who is idle begins as BACKUP, who is BACKUP goes on waiting |
//!
//! | so ... | |
//! |---|---|
//! | a member is added to a MASTER group, or replaced by another router | it joins as MASTER, without a wait |
//! | a member leaves a group | it goes on as it is; from FAULT it recovers if the fault was another's |
//! | two groups are merged, one of them MASTER | all are MASTER |
//! | a group has another name | nobody hears of it: it says what it is when that changes |
//!
//! Joining does not ask who else is master: a group is one router, and it is MASTER already. If another router is better for
//! a joiner, the election among masters says so within a packet's time, and then all give way as ever. The other way
//! round, stepping back to BACKUP until all may be MASTER again, costs every address of the group three intervals; that is
//! what keepalived does.
//!
//! What a group announces is the state of all its members that run.

use alloc::sync::Arc;
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

/// Where a unit goes that is not in one state, or that something has happened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
enum Course {
    /// Nobody has to move.
    Stay,
    /// All go to FAULT.
    Fault,
    /// Whoever is idle waits silently for the first result of a script; whoever runs goes on running.
    Wait,
    /// All carry on as the masters that a predecessor of this process left.
    Resume,
    /// All begin as masters: owners that are told to.
    BeginAsMasters,
    /// Whoever is not master becomes it, because another one is.
    Join,
    /// Whoever is idle begins as BACKUP.
    Begin,
}

/// Not taking part in any election.
const fn is_idle(instance: &Instance) -> bool {
    matches!(instance.state, State::Init | State::Fault { .. })
}

/// Nobody has heard of its state yet.
pub(crate) const fn is_unheard_of(instance: &Instance) -> bool {
    matches!(
        instance.state,
        State::Init | State::Fault { announced: false }
    )
}

/// Judges a unit by its members; nothing is changed. `resumes` says whose mastership a predecessor left.
fn course<'a>(
    members: impl Iterator<Item = &'a Instance> + Clone,
    resumes: impl Fn(&Instance) -> bool,
) -> Course {
    let any = |is: &dyn Fn(&Instance) -> bool| members.clone().any(is);
    let all = |is: &dyn Fn(&Instance) -> bool| members.clone().all(is);
    if any(&|member| member.state == State::Stop) {
        return Course::Stay;
    }
    if any(&|member| member.faults.any()) {
        return Course::Fault;
    }
    if any(&|member| !member.faults.clear()) {
        return Course::Wait;
    }
    if any(&|member| member.is_master()) {
        return if all(&|member| member.is_master()) {
            Course::Stay
        } else {
            Course::Join
        };
    }
    if !any(&is_idle) {
        return Course::Stay;
    }
    let all_begin = all(&is_unheard_of);
    if all_begin && all(&resumes) {
        Course::Resume
    } else if all_begin && all(&Instance::begins_as_master) {
        Course::BeginAsMasters
    } else {
        Course::Begin
    }
}

/// The state of all members that run, if it is one; `None`, too, when none runs.
pub(crate) fn common_state<'a>(members: impl Iterator<Item = &'a Instance>) -> Option<StateName> {
    let mut states = members
        .filter(|member| !is_unheard_of(member))
        .map(Instance::state_name);
    let first = states.next()?;
    states.all(|state| state == first).then_some(first)
}

impl Vrrp {
    /// A backup's timer ran out.
    pub(crate) fn try_master(&mut self, id: usize, now: Instant) {
        let unit = self.unit_led_by(id);
        if let Some(instance) = self.instances.get_mut(id) {
            instance.wants = StateName::Master;
        }
        let all_want = self
            .members(&unit)
            .all(|member| member.wants == StateName::Master);
        if !all_want {
            if let Some(instance) = self.instances.get_mut(id) {
                instance.restart_backup_timer(now, BackupTimer::MasterDown);
            }
            return;
        }
        self.move_unit(&unit, |instance, shared| {
            if matches!(instance.state, State::Backup(_)) {
                instance.enter_master(now, Telling::Tell, shared);
            }
        });
    }

    /// A better router was heard by a master.
    pub(crate) fn give_way(&mut self, id: usize, entry: BackupEntry, now: Instant) {
        let unit = self.unit_led_by(id);
        let others = BackupEntry {
            farewell: Farewell::None,
            timer: BackupTimer::MasterDown,
            master: None,
        };
        self.move_unit(&unit, |instance, shared| {
            if instance.is_master() {
                let entry = if instance.id == id { entry } else { others };
                instance.enter_backup(now, entry, Telling::Tell, shared);
            }
        });
    }

    /// An address of a master was taken away: leave with a goodbye, and come back as soon as nobody else steps in.
    pub(crate) fn leave_after_loss(&mut self, id: usize, now: Instant) {
        let unit = self.unit_led_by(id);
        let entry = BackupEntry {
            farewell: Farewell::PriorityZero,
            timer: BackupTimer::Rest,
            master: None,
        };
        self.move_unit(&unit, |instance, shared| {
            if instance.is_master() {
                instance.enter_backup(now, entry, Telling::Tell, shared);
            }
        });
    }

    /// The other masters of the group announce their addresses, too.
    pub(crate) fn announce_rest_of_group(&mut self, id: usize, now: Instant) {
        for member in self.unit_led_by(id) {
            if member == id {
                continue;
            }
            if let Some(instance) = self.instances.get_mut(member) {
                instance.repeat_announcements(now, &mut self.shared);
            }
            self.arm(member);
        }
    }

    /// Brings the unit of an instance that something happened to into the state that its members' faults allow.
    pub(crate) fn settle(&mut self, id: usize, now: Instant) {
        let unit = self.unit_led_by(id);
        self.settle_unit(&unit, now);
    }

    /// The same for every unit, in the order of the file: at start and after a reload.
    pub(crate) fn settle_all(&mut self, now: Instant) {
        for id in 0..self.instances.len() {
            match self.group_of(id) {
                None => self.settle_unit(&[id], now),
                Some(group) if group.members.first() == Some(&id) => {
                    let unit = group.members.clone();
                    self.settle_unit(&unit, now);
                }
                Some(_) => {}
            }
        }
    }

    fn settle_unit(&mut self, unit: &[usize], now: Instant) {
        let resumes = |instance: &Instance| self.resuming.contains(&*instance.name);
        let backup = |timer| BackupEntry {
            farewell: Farewell::None,
            timer,
            master: None,
        };
        match course(self.members(unit), resumes) {
            Course::Stay => self.group_speaks(unit),
            Course::Fault => self.move_unit(unit, |instance, shared| {
                if instance.state != (State::Fault { announced: true }) {
                    instance.enter_fault(now, Telling::Tell, shared);
                }
            }),
            Course::Wait => self.move_unit(unit, |instance, _| {
                if instance.state == State::Init {
                    instance.state = State::Fault { announced: false };
                    instance.wants = StateName::Fault;
                }
            }),
            Course::Resume => {
                // Nobody has heard that there was no process for a moment.
                if let Some(group) = self.group_of_unit(unit) {
                    group.state = StateName::Master;
                }
                self.move_unit(unit, |instance, shared| {
                    shared.report(&instance.name, Event::Resumed);
                    instance.enter_master(now, Telling::Silent, shared);
                });
            }
            Course::BeginAsMasters => {
                // Master at once, by way of a timer that runs out immediately; nobody hears of BACKUP.
                for id in unit {
                    if let Some(instance) = self.instances.get_mut(*id) {
                        let entry = backup(BackupTimer::AtOnce);
                        instance.enter_backup(now, entry, Telling::Silent, &mut self.shared);
                        instance.wants = StateName::Master;
                    }
                    self.arm(*id);
                }
            }
            Course::Join => self.move_unit(unit, |instance, shared| {
                if !instance.is_master() {
                    instance.enter_master(now, Telling::Tell, shared);
                }
            }),
            Course::Begin => {
                if self.members(unit).all(is_unheard_of) {
                    self.group_announces(unit, StateName::Backup);
                }
                self.move_unit(unit, |instance, shared| {
                    if is_idle(instance) {
                        let entry = backup(BackupTimer::MasterDown);
                        instance.enter_backup(now, entry, Telling::Tell, shared);
                    }
                });
            }
        }
    }

    /// Applies a transition to each member, arms their timers, then lets the group speak.
    fn move_unit(
        &mut self,
        unit: &[usize],
        mut transition: impl FnMut(&mut Instance, &mut Shared),
    ) {
        for id in unit {
            if let Some(instance) = self.instances.get_mut(*id) {
                transition(instance, &mut self.shared);
            }
            self.arm(*id);
        }
        self.group_speaks(unit);
    }

    /// A group says what its members are, if it has not said so already.
    fn group_speaks(&mut self, unit: &[usize]) {
        if let Some(state) = common_state(self.members(unit)) {
            self.group_announces(unit, state);
        }
    }

    fn group_announces(&mut self, unit: &[usize], state: StateName) {
        let Some(group) = self.group_of_unit(unit) else {
            return;
        };
        if group.state != state {
            group.state = state;
            let announcement = group.announcement(Announced::from(state));
            self.shared.act(announcement);
        }
    }

    fn members<'a>(&'a self, unit: &'a [usize]) -> impl Iterator<Item = &'a Instance> + Clone {
        unit.iter().filter_map(|id| self.instances.get(*id))
    }

    fn group_of_unit(&mut self, unit: &[usize]) -> Option<&mut Group> {
        let group = self.instances.get(*unit.first()?)?.group?;
        self.groups.get_mut(group)
    }

    /// An instance, then the other members of its group in the order of the list.
    fn unit_led_by(&self, id: usize) -> Vec<usize> {
        let members = self
            .group_of(id)
            .map_or(&[][..], |group| group.members.as_slice());
        let others = members.iter().copied().filter(|member| *member != id);
        core::iter::once(id).chain(others).collect()
    }

    fn group_of(&self, id: usize) -> Option<&Group> {
        self.groups.get(self.instances.get(id)?.group?)
    }
}

#[cfg(test)]
mod tests;
