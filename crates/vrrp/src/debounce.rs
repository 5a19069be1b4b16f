//! Links whose changes must last before they count.
//!
//! keepalived: `interface_up_down_delays`. An interface that has never been up since it appeared is taken as it is.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use types::{IfIndex, IfName, Instant};

use crate::deadlines::{Armed, Owner};
use crate::interfaces::Interface;
use crate::settings::Debounce;
use crate::vrrp::Vrrp;

/// How long a change must last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Delays {
    pub(crate) down: Duration,
    pub(crate) up: Duration,
}

/// The delays of all interfaces that have any.
pub(crate) type AllDelays = BTreeMap<IfName, Delays>;

pub(crate) fn delays(settings: Vec<Debounce>) -> AllDelays {
    settings
        .into_iter()
        .map(
            |Debounce {
                 interface,
                 down,
                 up,
             }| (interface, Delays { down, up }),
        )
        .collect()
}

/// What counts of an interface's link.
#[derive(Debug, Default)]
pub(crate) struct Link {
    /// Whether it counts as usable.
    usable: bool,
    /// It has been, since it appeared.
    was_up: bool,
    /// When the opposite counts, which is what the kernel says.
    turns_at: Option<Instant>,
    pub(crate) armed: Armed,
}

impl Link {
    pub(crate) const fn usable(&self) -> bool {
        self.usable
    }

    pub(crate) const fn deadline(&self) -> Option<Instant> {
        self.turns_at
    }

    /// The kernel says that it is usable, or not. True when that counts, and changes what does.
    pub(crate) fn heard(&mut self, now: Instant, usable: bool, delays: Delays) -> bool {
        if usable == self.usable {
            self.turns_at = None;
            return false;
        }
        let delay = if usable { delays.up } else { delays.down };
        if delay.is_zero() || !self.was_up {
            self.turn();
            return true;
        }
        self.turns_at.get_or_insert(now + delay);
        false
    }

    /// Time has passed. True when that changes what counts.
    pub(crate) fn is_due(&mut self, now: Instant) -> bool {
        let due = self.turns_at.is_some_and(|at| at <= now);
        if due {
            self.turn();
        }
        due
    }

    /// Other delays: a change that waits, waits no longer than by these, counted from now.
    pub(crate) fn delays_changed(&mut self, now: Instant, usable: bool, delays: Delays) {
        self.armed = Armed::default();
        if let Some(at) = self.turns_at.take() {
            self.heard(now, usable, delays);
            self.turns_at = self.turns_at.map(|new| new.min(at));
        }
    }

    fn turn(&mut self) {
        self.turns_at = None;
        self.usable = !self.usable;
        self.was_up |= self.usable;
    }
}

impl Vrrp {
    /// The delays of an interface, within what its instances can bear: a master that keeps quiet about a dead link for
    /// longer than its backups wait would come back to another master (keepalived: limits of 3.17, and what is learnt from a
    /// master shortens them).
    pub(crate) fn delays_of(&self, interface: &IfName) -> Delays {
        // A device of ours loses its link with the interface below, and is given the same time.
        let base = self.shared.devices.base_of(interface);
        let own = self.delays.get(interface);
        let Some(delays) = own
            .or_else(|| self.delays.get(&base.unwrap_or(*interface)))
            .copied()
        else {
            return Delays::default();
        };
        let limit = self
            .instances
            .iter()
            .filter(|instance| instance.settings.is_on(&base.unwrap_or(*interface)))
            .map(|instance| {
                let own = instance.settings.advert_int.as_duration();
                let interval = own.min(instance.master_advert_int.as_duration());
                let adverts = u32::from(instance.settings.down_timer_adverts.saturating_sub(1));
                (interval * adverts).saturating_sub(interval / 256)
            })
            .min();
        match limit {
            Some(limit) => Delays {
                down: delays.down.min(limit),
                up: delays.up.min(limit),
            },
            None => delays,
        }
    }

    /// True when something that matters changed.
    pub(crate) fn enter_interface(&mut self, now: Instant, interface: Interface) -> bool {
        let (index, delays) = (interface.index, self.delays_of(&interface.name));
        let changed = self.shared.interfaces.present(now, interface, delays);
        self.arm_link(index);
        changed
    }

    fn arm_link(&mut self, index: IfIndex) {
        if let Some(link) = self.shared.interfaces.link(index) {
            let deadline = link.deadline();
            self.deadlines
                .arm(Owner::Interface(index), &mut link.armed, deadline);
        }
    }

    /// A change of a link has lasted long enough.
    pub(crate) fn handle_link_timeout(&mut self, at: Instant, index: IfIndex, now: Instant) {
        let Some(link) = self.shared.interfaces.link(index) else {
            return;
        };
        if !link.armed.popped(at) {
            return;
        }
        let due = link.is_due(now);
        self.arm_link(index);
        let name = self.shared.interfaces.by_index(index);
        if let Some(name) = name.map(|interface| interface.name).filter(|_| due) {
            self.interface_changed(now, &name);
        }
    }

    /// There are new delays. A change that waits for an old one waits as long as it would have to by the new one.
    pub(crate) fn delays_changed(&mut self, now: Instant) {
        let all: Vec<Interface> = self.shared.interfaces.all().cloned().collect();
        for interface in all {
            let (index, delays) = (interface.index, self.delays_of(&interface.name));
            if let Some(link) = self.shared.interfaces.link(index) {
                link.delays_changed(now, interface.usable, delays);
            }
            self.arm_link(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec;

    use super::*;
    use crate::StateName;
    use crate::settings::{Settings, TrackInterface};
    use crate::testbench::{Bench, eth, instance};
    use types::{Centiseconds, Weight};

    fn settings(down: u64, up: u64) -> Settings {
        Settings {
            instances: vec![instance("VI")],
            debounce: vec![Debounce {
                interface: eth(0),
                down: Duration::from_millis(down),
                up: Duration::from_millis(up),
            }],
            ..Settings::default()
        }
    }

    fn master(down: u64, up: u64) -> Bench {
        let (mut bench, _) = Bench::with(settings(down, up));
        bench.run(5_000);
        assert_eq!(bench.state(0), StateName::Master);
        bench
    }

    fn faults(said: &[String]) -> usize {
        said.iter()
            .filter(|line| line.contains("FAULT STATE"))
            .count()
    }

    #[test]
    fn a_short_loss_does_not_count() {
        let mut bench = master(500, 300);
        assert_eq!(faults(&bench.link(0, false)), 0);
        assert_eq!(faults(&bench.run(400)), 0);
        assert_eq!(faults(&bench.link(0, true)), 0);
        assert_eq!(faults(&bench.run(5_000)), 0);
        assert_eq!(bench.state(0), StateName::Master);
    }

    #[test]
    fn a_long_one_does_and_the_return_waits_too() {
        let mut bench = master(500, 300);
        bench.link(0, false);
        assert_eq!(faults(&bench.run(499)), 0);
        assert_eq!(faults(&bench.run(2)), 1);
        bench.link(0, true);
        bench.run(299);
        assert_eq!(bench.state(0), StateName::Fault);
        // It goes down again in the meantime: from the beginning.
        bench.link(0, false);
        bench.run(100);
        bench.link(0, true);
        bench.run(299);
        assert_eq!(bench.state(0), StateName::Fault);
        bench.run(2);
        assert_eq!(bench.state(0), StateName::Backup);
    }

    #[test]
    fn an_interface_that_has_not_been_up_is_taken_as_it_is() {
        let (mut bench, _) = Bench::with(settings(500, 300));
        bench.link_gone(0);
        assert_eq!(
            bench.state(0),
            StateName::Fault,
            "a deletion counts at once"
        );
        bench.link(0, false);
        bench.link(0, true);
        assert!(
            !bench.view(0).interface_down,
            "the first time it is up counts at once"
        );
        bench.link(0, false);
        assert!(!bench.view(0).interface_down);
    }

    /// Three intervals of one second less their 256th part, however long the delay is: the backups wait longer.
    #[test]
    fn delays_are_limited() {
        let mut bench = master(200_000, 0);
        bench.link(0, false);
        assert_eq!(faults(&bench.run(1_990)), 0);
        assert_eq!(
            faults(&bench.run(10)),
            1,
            "(3 - 1) * 1 s - 1 s / 256 = 1.996 s"
        );

        let mut wanted = settings(200_000, 0);
        wanted.instances[0].down_timer_adverts = 1;
        let (mut bench, _) = Bench::with(wanted);
        assert_eq!(faults(&bench.link(0, false)), 1, "no delay at all");

        // A master that advertises faster makes it shorter.
        let (mut bench, _) = Bench::with(settings(200_000, 0));
        bench.advert_for(0, "198.18.0.9", 200, |bytes| {
            bytes[5] = 10;
            // The interval went from 100 to 10 hundredths, so the sum of the words went down by 90.
            let sum = u16::from_be_bytes([bytes[6], bytes[7]]) + 90;
            bytes[6..8].copy_from_slice(&sum.to_be_bytes());
        });
        assert_eq!(bench.view(0).master_advert_int, Centiseconds::new(10));
        bench.link(0, false);
        assert_eq!(faults(&bench.run(198)), 0);
        assert_eq!(faults(&bench.run(3)), 1);
    }

    /// The limit is for the interface that adverts leave by.
    #[test]
    fn a_tracked_interface_may_take_its_time() {
        let mut wanted = settings(10_000, 0);
        wanted.debounce[0].interface = eth(1);
        wanted.instances[0].track_interface = vec![TrackInterface {
            interface: eth(1),
            weight: Weight::FAULT,
            reverse: false,
        }]
        .into();
        let (mut bench, _) = Bench::with(wanted.clone());
        bench.link(1, false);
        assert_eq!(faults(&bench.run(9_999)), 0);
        assert_eq!(faults(&bench.run(2)), 1);
        bench.link(1, true);
        bench.link(1, false);
        bench.run(4_000);
        // A reload with a shorter delay shortens the wait.
        wanted.debounce[0].down = Duration::from_secs(1);
        assert_eq!(faults(&bench.settings(wanted.clone())), 0);
        assert_eq!(faults(&bench.run(999)), 0);
        assert_eq!(faults(&bench.run(2)), 1);
        bench.link(1, true);
        bench.link(1, false);
        wanted.debounce.clear();
        assert_eq!(
            faults(&bench.settings(wanted)),
            1,
            "without a delay it counts"
        );
    }
}
