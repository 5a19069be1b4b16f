//! What goes wrong, and how it ends.

use std::time::Duration;

use types::Family;
use vrrp::{Release, StateName, Vrrp};

use crate::edits;
use crate::kernel::{Kernel, Notice};
use crate::network::{Lan, MOST_DELAY, Weather};
use crate::node::{Clock, DAY, Input, Manner, Node};
use crate::oracles::{Violation, virtual_addresses};
use crate::scenario::{LANS, own_address};
use crate::tracked::Facts;
use crate::world::{Happening, World};

/// A kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Loss, duplication and delay.
    BadWeather,
    /// A LAN falls into two parts.
    Partition,
    /// One node is not heard by another, but hears it.
    OneWay,
    /// A process is stopped and goes on.
    Pause,
    /// A process is gone; the kernel stays.
    Crash,
    /// A process is gone and comes back at once, to carry on.
    CrashAndResume,
    /// A process ends properly.
    Stop,
    /// A process ends and leaves everything.
    StopWithoutRelease,
    /// A cable is pulled.
    CarrierLost,
    /// An interface is taken down.
    InterfaceDown,
    /// An interface is deleted and made again.
    InterfaceGone,
    /// Somebody removes a virtual address.
    AddressDeleted,
    /// Somebody removes the address that adverts leave from.
    SourceDeleted,
    /// Notices are lost, a snapshot is taken.
    Resync,
    /// New settings.
    Reload,
    /// A script changes its mind.
    ScriptFlips,
    /// A file says something else, processes come or go, a BFD session changes its state.
    FactFlips,
    /// A wall clock jumps, either way.
    ClockStep,
}

impl Fault {
    /// Every kind.
    pub const ALL: [Self; 18] = [
        Self::BadWeather,
        Self::Partition,
        Self::OneWay,
        Self::Pause,
        Self::Crash,
        Self::CrashAndResume,
        Self::Stop,
        Self::StopWithoutRelease,
        Self::CarrierLost,
        Self::InterfaceDown,
        Self::InterfaceGone,
        Self::AddressDeleted,
        Self::SourceDeleted,
        Self::Resync,
        Self::Reload,
        Self::ScriptFlips,
        Self::FactFlips,
        Self::ClockStep,
    ];
}

/// How trouble ends. Each is harmless when there is nothing to end.
#[derive(Clone, Debug)]
pub(crate) enum Relief {
    FairWeather,
    Reconnect(Lan),
    Continue(usize),
    SetClock(usize),
    Start { node: usize, resume: Vec<String> },
    Repair { node: usize, lan: Lan },
}

impl World {
    /// Something goes wrong.
    pub(crate) fn make_trouble(&mut self) -> Result<(), Violation> {
        let Some(fault) = self.random.one_of(&Fault::ALL).copied() else {
            return Ok(());
        };
        let Some(victim) = self.random.index(self.nodes.len()) else {
            return Ok(());
        };
        let lan = self.random.byte(0, LANS - 1);
        self.trace
            .note(self.now, format_args!("! {fault:?} n{victim} LAN {lan}"));
        *self.summary.faults.entry(fault).or_default() += 1;
        let lasting = self.random.span(self.unit / 4, self.unit * 12);
        match fault {
            Fault::BadWeather => {
                self.network.weather = Weather {
                    loss: self.random.between(0, 30),
                    duplication: self.random.between(0, 10),
                    jitter: self.random.span(Duration::ZERO, MOST_DELAY),
                };
                self.relief_after(lasting, Relief::FairWeather);
            }
            Fault::Partition => {
                self.partition(lan);
                self.relief_after(lasting, Relief::Reconnect(lan));
            }
            Fault::OneWay => {
                if let Some(other) = self.random.index(self.nodes.len()) {
                    self.network.cut(lan, victim, other);
                }
                self.relief_after(lasting, Relief::Reconnect(lan));
            }
            Fault::Pause => {
                if let Some(node) = self.nodes.get_mut(victim) {
                    node.paused = node.vrrp.is_some();
                }
                self.relief_after(lasting, Relief::Continue(victim));
            }
            Fault::ClockStep => {
                let by = if self.random.percent(50) {
                    DAY
                } else {
                    self.random.span(Duration::ZERO, Duration::from_secs(1))
                };
                let wrong = if self.random.percent(50) {
                    Clock::Ahead(by)
                } else {
                    Clock::Behind(by)
                };
                self.set_clock(victim, wrong);
                self.relief_after(lasting, Relief::SetClock(victim));
            }
            Fault::Crash => self.crash(victim, lasting, Vec::new()),
            Fault::CrashAndResume => {
                let masters = self.nodes.get(victim).map(masters_of).unwrap_or_default();
                // Nobody misses an advert in that time.
                let soon = self.random.span(Duration::ZERO, self.unit / 8);
                self.crash(victim, soon, masters);
            }
            Fault::Stop => self.stop(victim, Release::Everything, lasting)?,
            Fault::StopWithoutRelease => self.stop(victim, Release::Nothing, lasting)?,
            Fault::CarrierLost => {
                self.change_kernel(victim, |kernel| kernel.set_carrier(lan, false))?;
                self.relief_after(lasting, Relief::Repair { node: victim, lan });
            }
            Fault::InterfaceDown => {
                self.change_kernel(victim, |kernel| kernel.take_down(lan))?;
                self.relief_after(lasting, Relief::Repair { node: victim, lan });
            }
            Fault::InterfaceGone => {
                self.change_kernel(victim, |kernel| kernel.delete_interface(lan))?;
                self.relief_after(lasting, Relief::Repair { node: victim, lan });
            }
            Fault::AddressDeleted => self.delete_virtual_address(victim)?,
            Fault::SourceDeleted => {
                let family = self
                    .random
                    .one_of(&[Family::V4, Family::V6])
                    .copied()
                    .unwrap_or(Family::V4);
                let own = own_address(victim, lan, family);
                self.change_kernel(victim, |kernel| kernel.delete_address(lan, own))?;
                self.relief_after(lasting, Relief::Repair { node: victim, lan });
            }
            Fault::Resync => self.lose_notices(victim, lan)?,
            Fault::Reload => self.reload(victim)?,
            Fault::ScriptFlips => self.flip_script(victim),
            Fault::FactFlips => self.flip_fact(victim)?,
        }
        Ok(())
    }

    fn relief_after(&mut self, wait: Duration, relief: Relief) {
        self.after(wait, Happening::Relief(relief));
    }

    /// Trouble ends.
    pub(crate) fn relieve(&mut self, relief: Relief) -> Result<(), Violation> {
        self.trace.note(self.now, format_args!("! {relief:?}"));
        match relief {
            Relief::FairWeather => self.network.weather = Weather::default(),
            Relief::Reconnect(lan) => self.network.reconnect(lan),
            Relief::Continue(id) => self.with_node(id, Node::unpause)?,
            Relief::SetClock(id) => self.set_clock(id, Clock::Right),
            Relief::Start { node, resume } => self.start(node, resume)?,
            Relief::Repair { node, lan } => self.repair(node, lan)?,
        }
        Ok(())
    }

    fn set_clock(&mut self, id: usize, clock: Clock) {
        if let Some(node) = self.nodes.get_mut(id) {
            node.clock = clock;
        }
    }

    fn start(&mut self, id: usize, resume: Vec<String>) -> Result<(), Violation> {
        if self.nodes.get(id).is_none_or(|node| node.vrrp.is_some()) {
            return Ok(());
        }
        self.with_node(id, |node, now, outbox, trace| {
            node.start(now, resume, outbox, trace)
        })
    }

    fn repair(&mut self, id: usize, lan: Lan) -> Result<(), Violation> {
        self.change_kernel(id, |kernel| kernel.make_interface(lan))?;
        self.change_kernel(id, |kernel| kernel.set_carrier(lan, true))?;
        self.change_kernel(id, |kernel| kernel.bring_up(lan))?;
        for family in [Family::V4, Family::V6] {
            self.change_kernel(id, |kernel| kernel.restore_own_address(lan, family))?;
        }
        let wait = self.random.span(Duration::ZERO, self.unit);
        self.after(wait, Happening::DetectionFinished { node: id, lan });
        Ok(())
    }

    /// Something happens in a kernel; the process is told of it.
    pub(crate) fn change_kernel(
        &mut self,
        id: usize,
        change: impl FnOnce(&mut Kernel) -> Vec<Notice>,
    ) -> Result<(), Violation> {
        let Some(node) = self.nodes.get_mut(id) else {
            return Ok(());
        };
        let notices = change(&mut node.kernel);
        // While several notices of one change are on their way, the process knows only half of it.
        let last = notices.len().saturating_sub(1);
        for (number, notice) in notices.into_iter().enumerate() {
            if let Some(node) = self.nodes.get_mut(id) {
                node.watch.behind = number < last;
            }
            self.tell(id, Input::Notice(notice))?;
        }
        Ok(())
    }

    fn partition(&mut self, lan: Lan) {
        let sides: Vec<bool> = self.nodes.iter().map(|_| self.random.percent(50)).collect();
        for (from, from_side) in sides.iter().enumerate() {
            for (to, to_side) in sides.iter().enumerate() {
                if from_side != to_side {
                    self.network.cut(lan, from, to);
                }
            }
        }
    }

    fn crash(&mut self, id: usize, wait: Duration, resume: Vec<String>) {
        let Some(node) = self.nodes.get_mut(id) else {
            return;
        };
        if node.vrrp.is_none() {
            return;
        }
        self.summary.changes += node.watch.changes;
        node.die();
        self.relief_after(wait, Relief::Start { node: id, resume });
    }

    fn stop(&mut self, id: usize, release: Release, wait: Duration) -> Result<(), Violation> {
        if !self.nodes.get(id).is_some_and(Node::is_running) {
            return Ok(());
        }
        self.tell(id, Input::Stop(release))?;
        self.crash(id, wait, Vec::new());
        Ok(())
    }

    fn delete_virtual_address(&mut self, id: usize) -> Result<(), Violation> {
        let Some(node) = self.nodes.get(id) else {
            return Ok(());
        };
        let routing = node.kernel.routing().len();
        if self.random.percent(40)
            && let Some(place) = self.random.index(routing)
        {
            return self.change_kernel(id, |kernel| kernel.delete_routing(place));
        }
        let held: Vec<_> = node
            .kernel
            .nics()
            .flat_map(|nic| nic.addresses().map(|prefix| (nic.lan, prefix)))
            .filter(|(_, prefix)| virtual_addresses(&node.kernel).any(|held| held == *prefix))
            .collect();
        let Some((lan, prefix)) = self.random.one_of(&held).copied() else {
            return Ok(());
        };
        self.change_kernel(id, |kernel| kernel.delete_address(lan, prefix))
    }

    /// A change that nobody is told of; then everything is read afresh.
    fn lose_notices(&mut self, id: usize, lan: Lan) -> Result<(), Violation> {
        let lasting = self.random.span(self.unit / 4, self.unit * 4);
        let what = self.random.below(5);
        let Some(node) = self.nodes.get_mut(id) else {
            return Ok(());
        };
        if node.paused {
            return Ok(());
        }
        let lost = match what {
            0 => node.kernel.take_down(lan),
            1 => node.kernel.delete_interface(lan),
            2 => {
                let first = virtual_addresses(&node.kernel).next();
                first.map_or_else(Vec::new, |prefix| node.kernel.delete_address(lan, prefix))
            }
            3 => node.kernel.delete_routing(0),
            _ => Vec::new(),
        };
        self.trace.note(self.now, format_args!("! lost: {lost:?}"));
        self.relief_after(lasting, Relief::Repair { node: id, lan });
        self.tell(id, Input::Resync)
    }

    fn reload(&mut self, id: usize) -> Result<(), Violation> {
        let Some(node) = self.nodes.get(id) else {
            return Ok(());
        };
        // A file that is edited while nobody runs it is another story: left-overs of unknown routers stay.
        if node.vrrp.is_none() {
            return Ok(());
        }
        let mut settings = node.settings.clone();
        let what = edits::edit(&mut settings, &node.first, self.unit, &mut self.random);
        self.trace
            .note(self.now, format_args!("! edit of n{id}: {what}"));
        self.tell(id, Input::Settings(Box::new(settings)))
    }

    fn flip_script(&mut self, id: usize) {
        let manner = match self.random.below(10) {
            0..5 => Manner::Exits(0),
            5..8 => Manner::Exits(1),
            8 => Manner::Hangs,
            _ => Manner::Stubborn,
        };
        let Some(node) = self.nodes.get_mut(id) else {
            return;
        };
        let names: Vec<String> = node.manners.keys().cloned().collect();
        if let Some(name) = self.random.one_of(&names) {
            node.manners.insert(name.clone(), manner);
        }
    }

    fn flip_fact(&mut self, id: usize) -> Result<(), Violation> {
        let Some(node) = self.nodes.get_mut(id) else {
            return Ok(());
        };
        let fact = node.facts.flip(&mut self.random);
        self.tell(id, Input::Fact(fact))
    }

    /// All trouble ends; what stays wrong stays wrong for good.
    pub(crate) fn calm_down(&mut self) -> Result<(), Violation> {
        self.trace
            .note(self.now, format_args!("! all trouble ends"));
        self.forget_trouble();
        self.network.heal();
        for id in 0..self.nodes.len() {
            self.set_clock(id, Clock::Right);
            self.with_node(id, Node::unpause)?;
            for lan in 0..LANS {
                self.repair(id, lan)?;
            }
            self.settle_scripts(id);
            self.settle_facts(id)?;
            self.settle_process(id)?;
            self.settle_settings(id)?;
        }
        for id in 0..self.nodes.len() {
            self.leave_a_link_down(id)?;
        }
        Ok(())
    }

    /// From now on a script gives the same result for ever, and comes to an end.
    fn settle_scripts(&mut self, id: usize) {
        let good = self.random.percent(80);
        let Some(node) = self.nodes.get_mut(id) else {
            return;
        };
        for manner in node.manners.values_mut() {
            if !matches!(manner, Manner::Exits(_)) || good {
                *manner = Manner::Exits(0);
            }
        }
    }

    /// Most nodes are healthy in the end.
    fn settle_facts(&mut self, id: usize) -> Result<(), Violation> {
        let good = self.random.percent(70);
        let Some(node) = self.nodes.get_mut(id).filter(|_| good) else {
            return Ok(());
        };
        node.facts = Facts::GOOD;
        for fact in Facts::GOOD.all() {
            self.tell(id, Input::Fact(fact))?;
        }
        Ok(())
    }

    /// A process that is gone comes back, or its machine is switched off.
    fn settle_process(&mut self, id: usize) -> Result<(), Violation> {
        if self.nodes.get(id).is_none_or(|node| node.vrrp.is_some()) {
            return Ok(());
        }
        let survives =
            |node: &Node| node.sabotage == Some(crate::sabotage::Sabotage::SurvivesTheSwitch);
        if self.nodes.get(id).is_some_and(survives) {
            return Ok(());
        }
        if self.random.percent(75) {
            return self.start(id, Vec::new());
        }
        self.trace.note(self.now, format_args!("! n{id} is off"));
        if let Some(node) = self.nodes.get_mut(id) {
            node.kernel = Kernel::boot(id);
        }
        Ok(())
    }

    fn settle_settings(&mut self, id: usize) -> Result<(), Violation> {
        let Some(node) = self.nodes.get(id) else {
            return Ok(());
        };
        let mut settings = node.settings.clone();
        edits::make_lawful(&mut settings, &node.first);
        if settings != node.settings {
            self.tell(id, Input::Settings(Box::new(settings)))?;
        }
        Ok(())
    }

    /// One link in ten stays down. A router that is told not to care about its link would be master in the dark.
    fn leave_a_link_down(&mut self, id: usize) -> Result<(), Violation> {
        let careless = self.nodes.get(id).is_none_or(|node| {
            node.settings
                .instances
                .iter()
                .any(|instance| instance.dont_track_primary)
        });
        if careless || !self.random.percent(10) {
            return Ok(());
        }
        let lan = self.random.byte(0, LANS - 1);
        self.trace
            .note(self.now, format_args!("! n{id} LAN {lan} stays down"));
        self.change_kernel(id, |kernel| kernel.set_carrier(lan, false))
    }
}

fn masters_of(node: &Node) -> Vec<String> {
    node.vrrp
        .iter()
        .flat_map(Vrrp::instances)
        .filter(|view| view.state == StateName::Master)
        .map(|view| view.settings.name.clone())
        .collect()
}
