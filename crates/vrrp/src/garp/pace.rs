//! Announcements that must keep a distance from one another: `vrrp_garp_interval`, `vrrp_gna_interval` and `garp_group`.
//!
//! A *line* is what one limit is for: the interfaces of a `garp_group` together, otherwise one interface; a macvlan or ipvlan
//! counts for the interface that it is built upon. What may not leave yet waits in its line, each address with the number
//! of its turns: at most those of one block. Every look-up and change is a search in a tree, however many addresses wait.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use types::{Family, IfIndex, IfName, Instant};

use crate::deadlines::Armed;
use crate::settings::GarpGroup;

/// One address of one instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AddressOf {
    pub(crate) instance: usize,
    pub(crate) address: usize,
}

/// What shares a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Among {
    /// The interfaces of a `garp_group`, by its place in the file.
    Group(usize),
    /// What leaves by one interface.
    Interface(IfIndex),
}

type Key = (Among, Family);

/// The limits, and what waits because of them.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    limits: Limits,
    lines: BTreeMap<Key, Line>,
    /// The lines in which something waits, by when the next of it may leave.
    due: BTreeSet<(Instant, Key)>,
    pub(crate) armed: Armed,
}

/// The least distances.
#[derive(Debug, Default, PartialEq, Eq)]
struct Limits {
    garp_interval: Duration,
    gna_interval: Duration,
    groups: Vec<GarpGroup>,
    group_of: BTreeMap<IfName, usize>,
}

#[derive(Debug)]
struct Line {
    next_at: Instant,
    interval: Duration,
    /// Who waits, in order: tickets are given out once.
    queue: BTreeMap<u64, AddressOf>,
    /// Ticket and turns of each.
    turns: BTreeMap<AddressOf, (u64, u32)>,
    next_ticket: u64,
}

impl Line {
    fn append(&mut self, address: AddressOf, turns: u32) {
        self.queue.insert(self.next_ticket, address);
        self.turns.insert(address, (self.next_ticket, turns));
        self.next_ticket += 1;
    }

    fn pop(&mut self) -> Option<AddressOf> {
        let (_, address) = self.queue.pop_first()?;
        let (_, turns) = self.turns.remove(&address)?;
        if turns > 1 {
            self.append(address, turns - 1);
        }
        Some(address)
    }

    fn forget(&mut self, instance: usize) {
        let first = AddressOf {
            instance,
            address: 0,
        };
        let last = AddressOf {
            instance,
            address: usize::MAX,
        };
        let gone: Vec<AddressOf> = self.turns.range(first..=last).map(|(of, _)| *of).collect();
        for of in gone {
            if let Some((ticket, _)) = self.turns.remove(&of) {
                self.queue.remove(&ticket);
            }
        }
    }
}

impl Limits {
    const fn of_all(&self, family: Family) -> Duration {
        match family {
            Family::V4 => self.garp_interval,
            Family::V6 => self.gna_interval,
        }
    }

    fn of_group(&self, group: usize, family: Family) -> Duration {
        let own = self.groups.get(group).and_then(|group| match family {
            Family::V4 => group.garp_interval,
            Family::V6 => group.gna_interval,
        });
        own.unwrap_or_else(|| self.of_all(family))
    }
}

impl Pace {
    /// New limits. What waits is dropped, for whom it stands for may change with them; the distances to what has left are
    /// kept where a line stays what it was.
    pub(crate) fn set_limits(
        &mut self,
        garp_interval: Duration,
        gna_interval: Duration,
        groups: Vec<GarpGroup>,
    ) {
        let members = groups.iter().enumerate().flat_map(|(number, group)| {
            let interfaces = group.interfaces.iter();
            interfaces.map(move |name| (*name, number))
        });
        let group_of = members.collect();
        if self.limits.groups != groups {
            self.lines
                .retain(|(among, _), _| matches!(among, Among::Interface(_)));
        }
        self.limits = Limits {
            garp_interval,
            gna_interval,
            groups,
            group_of,
        };
        for line in self.lines.values_mut() {
            line.queue.clear();
            line.turns.clear();
        }
        self.due.clear();
        self.armed = Armed::default();
    }

    /// Whether nothing of this family is limited anywhere.
    pub(crate) fn is_free(&self, family: Family) -> bool {
        let limits = &self.limits;
        limits.of_all(family).is_zero() && limits.groups.is_empty()
    }

    /// Whether there is a limit on what leaves by an interface; `physical`: the one that it is built upon, or itself.
    pub(crate) fn limits(&self, physical: (IfIndex, &IfName), family: Family) -> bool {
        !self.is_free(family) && self.line_of(physical, family).is_some()
    }

    /// The line of an interface and its distance; `None`: there is no limit.
    fn line_of(&self, physical: (IfIndex, &IfName), family: Family) -> Option<(Key, Duration)> {
        let (index, name) = physical;
        let (among, interval) = match self.limits.group_of.get(name) {
            Some(group) => (Among::Group(*group), self.limits.of_group(*group, family)),
            None => (Among::Interface(index), self.limits.of_all(family)),
        };
        (!interval.is_zero()).then_some(((among, family), interval))
    }

    /// Lets an address wait for `rounds` turns; it never waits for more than the largest block that was asked for.
    pub(crate) fn enqueue(
        &mut self,
        physical: (IfIndex, &IfName),
        family: Family,
        address: AddressOf,
        rounds: u32,
        now: Instant,
    ) {
        let Some((key, interval)) = self.line_of(physical, family) else {
            return;
        };
        let line = self.lines.entry(key).or_insert_with(|| Line {
            next_at: now,
            interval,
            queue: BTreeMap::new(),
            turns: BTreeMap::new(),
            next_ticket: 0,
        });
        line.interval = interval;
        match line.turns.get_mut(&address) {
            Some((_, turns)) => *turns = rounds.max(*turns),
            None => line.append(address, rounds),
        }
        self.due.insert((line.next_at, key));
    }

    /// The next announcement that may leave now.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<AddressOf> {
        while let Some((at, key)) = self.due.first().copied()
            && at <= now
        {
            self.due.pop_first();
            let Some(line) = self.lines.get_mut(&key) else {
                continue;
            };
            let Some(address) = line.pop() else {
                continue;
            };
            line.next_at = now + line.interval;
            if !line.queue.is_empty() {
                self.due.insert((line.next_at, key));
            }
            return Some(address);
        }
        None
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// An instance is no longer master.
    pub(crate) fn forget(&mut self, instance: usize) {
        if self.due.is_empty() {
            return;
        }
        for (key, line) in &mut self.lines {
            line.forget(instance);
            if line.queue.is_empty() {
                self.due.remove(&(line.next_at, *key));
            }
        }
    }

    /// An interface is gone, and with it what waits to leave by it.
    pub(crate) fn forget_interface(&mut self, index: IfIndex) {
        let gone = Among::Interface(index);
        self.lines.retain(|(among, _), _| *among != gone);
        self.due.retain(|(_, (among, _))| *among != gone);
    }

    /// Everything that waits, with its turns, in order.
    pub(crate) fn waiting(&self) -> Vec<(AddressOf, u32)> {
        let lines = self.lines.values();
        lines
            .flat_map(|line| {
                let waiting = line.queue.values();
                waiting.filter_map(|of| line.turns.get(of).map(|(_, turns)| (*of, *turns)))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec;

    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    fn name(number: u32) -> IfName {
        IfName::new(&format!("eth{number}")).unwrap()
    }

    fn of(instance: usize, address: usize) -> AddressOf {
        AddressOf { instance, address }
    }

    /// Limits of a second on every interface, and what `groups` say.
    fn pace(groups: Vec<GarpGroup>) -> Pace {
        let mut pace = Pace::default();
        pace.set_limits(Duration::from_secs(1), Duration::ZERO, groups);
        pace
    }

    fn group(interfaces: &[u32], millis: Option<u64>) -> GarpGroup {
        GarpGroup {
            interfaces: interfaces.iter().map(|number| name(*number)).collect(),
            garp_interval: millis.map(Duration::from_millis),
            gna_interval: None,
        }
    }

    fn wait(pace: &mut Pace, interface: u32, address: AddressOf, rounds: u32, now: Instant) {
        let index = IfIndex::new(interface + 1).unwrap();
        let physical = (index, &name(interface));
        assert!(pace.limits(physical, Family::V4));
        pace.enqueue(physical, Family::V4, address, rounds, now);
    }

    /// What leaves, each with the time in milliseconds.
    fn leaves(pace: &mut Pace) -> Vec<(u64, usize, usize)> {
        let mut sent = Vec::new();
        while let Some(deadline) = pace.deadline() {
            while let Some(of) = pace.take_due(deadline) {
                let at = deadline.as_nanos() / 1_000_000;
                sent.push((at, of.instance, of.address));
            }
        }
        sent
    }

    #[test]
    fn addresses_take_turns_at_the_interval() {
        let mut pace = pace(Vec::new());
        for address in 0..2 {
            wait(&mut pace, 0, of(0, address), 2, at(0));
            // Asked for twice, it waits for one block all the same.
            wait(&mut pace, 0, of(0, address), 2, at(0));
        }
        assert_eq!(
            leaves(&mut pace),
            [(0, 0, 0), (1000, 0, 1), (2000, 0, 0), (3000, 0, 1)]
        );
        assert_eq!(pace.deadline(), None);
        wait(&mut pace, 0, of(0, 0), 1, at(3_500));
        assert_eq!(
            leaves(&mut pace),
            [(4000, 0, 0)],
            "the distance to the last one"
        );
    }

    #[test]
    fn interfaces_have_lines_of_their_own_and_groups_have_one_together() {
        let mut pace = pace(vec![group(&[1, 2], Some(300)), group(&[3], Some(0))]);
        for interface in [0, 1, 2] {
            let interface_number = usize::try_from(interface).unwrap();
            wait(&mut pace, interface, of(0, interface_number), 2, at(0));
        }
        assert_eq!(
            leaves(&mut pace),
            [
                (0, 0, 1),
                (0, 0, 0),
                (300, 0, 2),
                (600, 0, 1),
                (900, 0, 2),
                (1000, 0, 0),
            ]
        );
        let unlimited = IfIndex::new(4).unwrap();
        assert!(!pace.limits((unlimited, &name(3)), Family::V4));
        assert!(
            !pace.limits((unlimited, &name(3)), Family::V6),
            "the limit of all"
        );
        assert!(!pace.is_free(Family::V6), "a group may limit it");
    }

    #[test]
    fn a_group_without_an_interval_has_that_of_all() {
        let mut pace = pace(vec![group(&[1, 2], None)]);
        wait(&mut pace, 1, of(0, 1), 1, at(0));
        wait(&mut pace, 2, of(0, 2), 1, at(0));
        assert_eq!(leaves(&mut pace), [(0, 0, 1), (1000, 0, 2)]);
    }

    #[test]
    fn who_is_no_longer_master_does_not_wait() {
        let mut pace = pace(Vec::new());
        for instance in 0..3 {
            wait(&mut pace, 0, of(instance, 0), 2, at(0));
            wait(&mut pace, 0, of(instance, 1), 1, at(0));
        }
        pace.forget(1);
        assert_eq!(
            pace.waiting(),
            [(of(0, 0), 2), (of(0, 1), 1), (of(2, 0), 2), (of(2, 1), 1)]
        );
        pace.forget(0);
        pace.forget(2);
        assert_eq!((pace.deadline(), pace.take_due(at(9_000))), (None, None));
        wait(&mut pace, 0, of(1, 0), 1, at(0));
        pace.forget_interface(IfIndex::new(1).unwrap());
        assert_eq!((pace.deadline(), pace.take_due(at(9_000))), (None, None));
    }
}
