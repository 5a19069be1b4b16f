//! Which packets get which firewall mark, as a value: how a group of many addresses becomes one service of IPVS
//! (`nftables_ipvs`).
//!
//! The health core hands out the marks, `sys` has the packet filter set them; so the words are here. What is claimed twice
//! is settled here, too: the packet filter takes no map in which two entries meet.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::Family;
use crate::ipvs::Protocol;

/// Somebody wants packets to have a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkClaim {
    /// Packets of this protocol,
    pub protocol: Protocol,
    /// to this address
    pub first: IpAddr,
    /// up to this one, of the same family and not below; otherwise nothing is claimed.
    pub last: IpAddr,
    /// To this port; 0: to every one that nobody claims by its number, as IPVS has it.
    pub port: u16,
    /// The mark; not 0.
    pub mark: u32,
}

/// One entry: addresses and ports, of which each pair has the entry's mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MarkRange {
    /// Packets of this protocol,
    pub protocol: Protocol,
    /// to this address
    pub first: IpAddr,
    /// up to this one, of the same family and not below,
    pub last: IpAddr,
    /// to this port
    pub first_port: u16,
    /// up to this one, not below.
    pub last_port: u16,
}

impl MarkRange {
    /// Of which packets.
    pub const fn family(&self) -> Family {
        Family::of(self.first)
    }
}

/// Which packets get which mark. No two entries meet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    entries: BTreeMap<MarkRange, u32>,
}

/// What makes one value of another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct MarkChanges {
    /// First these go.
    pub remove: Vec<(MarkRange, u32)>,
    /// Then these come.
    pub add: Vec<(MarkRange, u32)>,
}

impl Marks {
    /// From what is claimed. Of two claims to the same packets the one of a port beats that of every port, else the first
    /// one beats the second.
    ///
    /// ```
    /// use evervip_types::ipvs::Protocol;
    /// use evervip_types::marks::{MarkClaim, Marks};
    ///
    /// let claim = |first: &str, last: &str, mark| MarkClaim {
    ///     protocol: Protocol::Tcp,
    ///     first: first.parse().unwrap(),
    ///     last: last.parse().unwrap(),
    ///     port: 80,
    ///     mark,
    /// };
    /// let marks = Marks::of([claim("10.0.0.2", "10.0.0.4", 1000), claim("10.0.0.1", "10.0.0.9", 1001)]);
    /// let entries: Vec<String> = marks
    ///     .iter()
    ///     .map(|(range, mark)| format!("{}-{} {mark}", range.first, range.last))
    ///     .collect();
    /// assert_eq!(entries, ["10.0.0.1-10.0.0.1 1001", "10.0.0.2-10.0.0.4 1000", "10.0.0.5-10.0.0.9 1001"]);
    /// ```
    pub fn of(claims: impl IntoIterator<Item = MarkClaim>) -> Self {
        let mut spaces: BTreeMap<(Protocol, Family), Space> = BTreeMap::new();
        for claim in claims {
            let family = Family::of(claim.first);
            if Family::of(claim.last) != family || claim.last < claim.first {
                continue;
            }
            let space = spaces.entry((claim.protocol, family)).or_default();
            let intervals = match claim.port {
                0 => &mut space.every,
                port => space.ports.entry(port).or_default(),
            };
            intervals.fill(number(claim.first), number(claim.last), claim.mark);
        }
        let mut entries = BTreeMap::new();
        for ((protocol, family), space) in &spaces {
            space.tell(|(first, last), (first_port, last_port), mark| {
                let range = MarkRange {
                    protocol: *protocol,
                    first: address(*family, first),
                    last: address(*family, last),
                    first_port,
                    last_port,
                };
                entries.insert(range, mark);
            });
        }
        Self { entries }
    }

    /// Whether no packet gets a mark.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All entries with their marks, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&MarkRange, u32)> {
        self.entries.iter().map(|(range, mark)| (range, *mark))
    }

    /// The protocols with an entry in this family.
    pub fn protocols(&self, family: Family) -> BTreeSet<Protocol> {
        let of_family = self.entries.keys().filter(|range| range.family() == family);
        of_family.map(|range| range.protocol).collect()
    }

    /// What is to be done in one family for this to become `wanted`: entries that stay are not touched.
    pub fn changes(&self, wanted: &Self, family: Family) -> MarkChanges {
        let missing = |there: &Self, here: &Self| {
            let entries = there.entries.iter();
            entries
                .filter(|(range, mark)| {
                    range.family() == family && here.entries.get(range) != Some(mark)
                })
                .map(|(range, mark)| (*range, *mark))
                .collect()
        };
        MarkChanges {
            remove: missing(self, wanted),
            add: missing(wanted, self),
        }
    }
}

/// What is claimed of one protocol and family.
#[derive(Default)]
struct Space {
    ports: BTreeMap<u16, Intervals>,
    every: Intervals,
}

impl Space {
    /// Hands over each entry: addresses, ports, mark.
    fn tell(&self, mut entry: impl FnMut((u128, u128), (u16, u16), u32)) {
        for (port, intervals) in &self.ports {
            for (first, (last, mark)) in &intervals.0 {
                entry((*first, *last), (*port, *port), *mark);
            }
        }
        for (first, (last, mark)) in &self.every.0 {
            for (addresses, taken) in self.cut(*first, *last) {
                for ports in gaps(&taken) {
                    entry(addresses, ports, *mark);
                }
            }
        }
    }

    /// Cuts an interval where the set of ports that are claimed by their number changes.
    fn cut(&self, first: u128, last: u128) -> Vec<((u128, u128), BTreeSet<u16>)> {
        // Where a port is claimed from, and where no more.
        let mut edges: BTreeMap<u128, Vec<(u16, bool)>> = BTreeMap::new();
        for (port, intervals) in &self.ports {
            for (from, to, _) in intervals.meeting(first, last) {
                edges
                    .entry(from.max(first))
                    .or_default()
                    .push((*port, true));
                if to < last {
                    edges.entry(to + 1).or_default().push((*port, false));
                }
            }
        }
        let mut pieces = Vec::new();
        let (mut start, mut taken) = (first, BTreeSet::new());
        for (edge, changes) in edges {
            if edge > start {
                pieces.push(((start, edge - 1), taken.clone()));
                start = edge;
            }
            // One may end where the next one of the same port begins: ends first.
            for (port, _) in changes.iter().filter(|(_, begins)| !begins) {
                taken.remove(port);
            }
            taken.extend(
                changes
                    .iter()
                    .filter(|(_, begins)| *begins)
                    .map(|(p, _)| *p),
            );
        }
        pieces.push(((start, last), taken));
        pieces
    }
}

/// The runs of ports between those that are taken; port 0 belongs to the first run.
fn gaps(taken: &BTreeSet<u16>) -> Vec<(u16, u16)> {
    let mut gaps = Vec::new();
    let mut next = Some(0);
    for port in taken {
        if let Some(from) = next
            && from < *port
        {
            gaps.push((from, port - 1));
        }
        next = port.checked_add(1);
    }
    if let Some(from) = next {
        gaps.push((from, u16::MAX));
    }
    gaps
}

/// Intervals that do not meet: from the first number to the last one, and a mark.
#[derive(Default)]
struct Intervals(BTreeMap<u128, (u128, u32)>);

impl Intervals {
    /// Those that meet an interval, in order.
    fn meeting(&self, first: u128, last: u128) -> impl Iterator<Item = (u128, u128, u32)> {
        let before = self.0.range(..first).next_back();
        before
            .into_iter()
            .chain(self.0.range(first..=last))
            .map(|(from, (to, mark))| (*from, *to, *mark))
            .filter(move |(_, to, _)| *to >= first)
    }

    /// Puts a mark on what has none of the interval.
    fn fill(&mut self, first: u128, last: u128, mark: u32) {
        let taken: Vec<(u128, u128, u32)> = self.meeting(first, last).collect();
        let mut next = Some(first);
        for (from, to, _) in taken {
            if let Some(start) = next
                && start < from
            {
                self.0.insert(start, (from - 1, mark));
            }
            next = to.checked_add(1);
        }
        if let Some(start) = next
            && start <= last
        {
            self.0.insert(start, (last, mark));
        }
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The reverse; a number of an IPv4 address is never larger than one.
fn address(family: Family, number: u128) -> IpAddr {
    match family {
        Family::V4 => {
            let bits = u32::try_from(number).unwrap_or(u32::MAX);
            IpAddr::V4(Ipv4Addr::from_bits(bits))
        }
        Family::V6 => IpAddr::V6(Ipv6Addr::from_bits(number)),
    }
}

#[cfg(test)]
mod tests;
