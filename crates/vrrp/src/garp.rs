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
//! * With `vrrp_garp_interval` or `vrrp_gna_interval`: at most one packet per interval and interface; what does not fit
//!   waits its turn, an address at most one block's worth.
//!
//! Leaving MASTER ends all of it. (keepalived leaves refresh timers behind, one more with each mastership.)

use alloc::collections::{BTreeMap, VecDeque};
use core::time::Duration;

use types::{Family, IfIndex, Instant};

use crate::deadlines::Armed;
use crate::settings::GarpSettings;

/// The timers of one mastership.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Schedule {
    second_block_at: Option<Instant>,
    refresh_at: Option<Instant>,
    after_lower_prio_at: Option<Instant>,
}

impl Schedule {
    /// The timers after the first block.
    pub(crate) fn begin(settings: &GarpSettings, now: Instant) -> Self {
        let delay = Duration::from_secs(settings.master_delay.into());
        let refresh = Duration::from_secs(settings.master_refresh.into());
        Self {
            second_block_at: (!delay.is_zero()).then(|| now + delay),
            refresh_at: (!refresh.is_zero()).then(|| now + delay + refresh),
            after_lower_prio_at: None,
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

    /// How many rounds are due now, all reasons taken together.
    pub(crate) fn take_due(&mut self, settings: &GarpSettings, now: Instant) -> u32 {
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
        rounds
    }

    /// A reload changed the settings while we are master: only the refresh goes on, at its new pace.
    pub(crate) fn settings_changed(&mut self, settings: &GarpSettings, now: Instant) {
        let refresh = Duration::from_secs(settings.master_refresh.into());
        self.refresh_at = match self.refresh_at {
            _ if refresh.is_zero() => None,
            Some(at) => Some(at.min(now + refresh)),
            None => Some(now + refresh),
        };
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        [
            self.second_block_at,
            self.refresh_at,
            self.after_lower_prio_at,
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

/// One address of one instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AddressOf {
    pub(crate) instance: usize,
    pub(crate) address: usize,
}

/// Announcements that must keep a distance from one another.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// `vrrp_garp_interval` and `vrrp_gna_interval`.
    pub(crate) garp_interval: Duration,
    pub(crate) gna_interval: Duration,
    lines: BTreeMap<(IfIndex, Family), Line>,
    pub(crate) armed: Armed,
}

#[derive(Debug)]
struct Line {
    next_at: Instant,
    waiting: VecDeque<(AddressOf, u32)>,
}

impl Pace {
    /// Least distance between two announcements of a family.
    pub(crate) const fn interval(&self, family: Family) -> Duration {
        match family {
            Family::V4 => self.garp_interval,
            Family::V6 => self.gna_interval,
        }
    }

    /// Lets an address wait for `rounds` turns; it never waits for more than the largest block that was asked for.
    pub(crate) fn enqueue(
        &mut self,
        interface: IfIndex,
        family: Family,
        address: AddressOf,
        rounds: u32,
        now: Instant,
    ) {
        let line = self
            .lines
            .entry((interface, family))
            .or_insert_with(|| Line {
                next_at: now,
                waiting: VecDeque::new(),
            });
        match line
            .waiting
            .iter_mut()
            .find(|(waiting, _)| *waiting == address)
        {
            Some((_, turns)) => *turns = rounds.max(*turns),
            None => line.waiting.push_back((address, rounds)),
        }
    }

    /// The next announcement that may leave now.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<AddressOf> {
        let (garp, gna) = (self.garp_interval, self.gna_interval);
        let ((_, family), line) = self
            .lines
            .iter_mut()
            .find(|(_, line)| line.next_at <= now && !line.waiting.is_empty())?;
        let (address, turns) = line.waiting.pop_front()?;
        if turns > 1 {
            line.waiting.push_back((address, turns - 1));
        }
        line.next_at = now
            + match family {
                Family::V4 => garp,
                Family::V6 => gna,
            };
        Some(address)
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.lines
            .values()
            .filter(|line| !line.waiting.is_empty())
            .map(|line| line.next_at)
            .min()
    }

    /// An instance is no longer master.
    pub(crate) fn forget(&mut self, instance: usize) {
        for line in self.lines.values_mut() {
            line.waiting
                .retain(|(address, _)| address.instance != instance);
        }
    }

    /// An interface is gone, and with it what waits to leave by it.
    pub(crate) fn forget_interface(&mut self, index: IfIndex) {
        self.lines.retain(|(line, _), _| *line != index);
    }

    /// Indices change their meaning: what waits is dropped, the distances are kept.
    pub(crate) fn forget_all(&mut self) {
        for line in self.lines.values_mut() {
            line.waiting.clear();
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
        let mut schedule = Schedule::begin(settings, at(0));
        let mut seen = Vec::new();
        for second in 1..=60 {
            let mut rounds = schedule.take_due(settings, at(second));
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
    fn paced_announcements_take_turns_at_the_interval() {
        let interface = IfIndex::new(2).unwrap();
        let mut pace = Pace {
            garp_interval: Duration::from_secs(1),
            ..Pace::default()
        };
        for address in 0..2 {
            pace.enqueue(
                interface,
                Family::V4,
                AddressOf {
                    instance: 0,
                    address,
                },
                2,
                at(0),
            );
            pace.enqueue(
                interface,
                Family::V4,
                AddressOf {
                    instance: 0,
                    address,
                },
                2,
                at(0),
            );
        }
        let mut sent = Vec::new();
        for second in 0..10 {
            while let Some(of) = pace.take_due(at(second)) {
                sent.push((second, of.address));
            }
        }
        assert_eq!(sent, [(0, 0), (1, 1), (2, 0), (3, 1)]);
        assert_eq!(pace.deadline(), None);
        pace.enqueue(
            interface,
            Family::V4,
            AddressOf {
                instance: 0,
                address: 0,
            },
            2,
            at(10),
        );
        pace.forget(0);
        assert_eq!(pace.deadline(), None);
    }
}
