//! Which IPVS services a virtual server stands for, and how its servers appear in each.
//!
//! A virtual server of an address or a mark is one IPVS service. One of a group is a service for each address and mark of
//! the group, or, with `nftables_ipvs` and a group without marks, one mark for all of its addresses, which nftables sets.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};
use types::Family;
use types::ipvs::{
    DestinationKey, Forwarding, Netmask, PersistenceOptions, Protocol, ServiceKey, ServiceOptions,
};
use types::marks::MarkClaim;

use crate::settings::{Group, GroupEntry, Service, Settings, VirtualServer};

/// A firewall mark that stands for the addresses of a group (`nftables_ipvs`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GivenMark {
    /// The name of the group.
    pub group: String,
    /// For packets of this protocol.
    pub protocol: Protocol,
    /// The mark; not 0.
    pub mark: u32,
}

/// Firewall marks that were given out by `nftables_ipvs`, by group and protocol. A number is used once only: packets with it
/// may be under way while it changes its meaning.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    given: BTreeMap<(String, Protocol), u32>,
    /// The last number that was given out.
    last: Option<u32>,
}

impl Marks {
    /// The mark of a group; `None`: all numbers are used.
    fn of(&mut self, group: &str, protocol: Protocol, first: u32) -> Option<u32> {
        let key = (group.to_owned(), protocol);
        if let Some(mark) = self.given.get(&key) {
            return Some(*mark);
        }
        let mark = match self.last {
            Some(last) => last.checked_add(1)?,
            None => first,
        };
        self.last = Some(mark);
        self.given.insert(key, mark);
        Some(mark)
    }

    /// Takes the numbers that a predecessor has given out; to be called before any others are.
    pub(crate) fn inherit(&mut self, given: impl IntoIterator<Item = GivenMark>) {
        let given = given.into_iter();
        self.given
            .extend(given.map(|given| ((given.group, given.protocol), given.mark)));
        self.last = self.given.values().max().copied();
    }

    /// All that were ever given out.
    pub(crate) fn all(&self) -> impl Iterator<Item = GivenMark> {
        self.given
            .iter()
            .map(|((group, protocol), mark)| GivenMark {
                group: group.clone(),
                protocol: *protocol,
                mark: *mark,
            })
    }

    /// How many these are.
    pub(crate) fn count(&self) -> usize {
        self.given.len()
    }

    /// The mark that was given to a group.
    pub(crate) fn given(&self, group: &str, protocol: Protocol) -> Option<u32> {
        self.given.get(&(group.to_owned(), protocol)).copied()
    }
}

/// What a virtual server stands for.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    /// The IPVS services.
    pub(crate) keys: Vec<ServiceKey>,
    /// What nftables is to mark for them.
    pub(crate) marked: Vec<MarkClaim>,
}

/// What a virtual server stands for.
pub(crate) fn entries(server: &VirtualServer, settings: &Settings, marks: &mut Marks) -> Entries {
    let keys = match &server.service {
        Service::Address {
            address,
            port,
            protocol,
        } => vec![ServiceKey::Address {
            address: *address,
            port: *port,
            protocol: *protocol,
        }],
        Service::Mark { mark, family } => vec![ServiceKey::Mark {
            mark: *mark,
            family: *family,
        }],
        Service::Group {
            group,
            protocol,
            family,
            ..
        } => {
            let Some(group) = settings.group(*group) else {
                return Entries::default();
            };
            let automatic = &settings.global.nftables;
            if let (Some(_), Some(protocol)) = (&automatic.table, protocol)
                && let Some(marked) = marked(group, *protocol, marks, automatic.start_fwmark)
            {
                return marked;
            }
            of_group(group, *protocol, *family)
        }
    };
    Entries {
        keys,
        marked: Vec::new(),
    }
}

/// The services of a group that goes by a mark of its own: none if there is no number left. `None`: it has marks itself.
fn marked(group: &Group, protocol: Protocol, marks: &mut Marks, first: u32) -> Option<Entries> {
    let only_addresses = group
        .entries
        .iter()
        .all(|entry| matches!(entry, GroupEntry::Addresses { .. }));
    if !only_addresses {
        return None;
    }
    let mut result = Entries::default();
    let Some(mark) = marks.of(&group.name, protocol, first) else {
        return Some(result);
    };
    for entry in &group.entries {
        let GroupEntry::Addresses { first, last, port } = entry else {
            continue;
        };
        result.marked.push(MarkClaim {
            protocol,
            first: *first,
            last: *last,
            port: *port,
            mark,
        });
        let key = ServiceKey::Mark {
            mark,
            family: Family::of(*first),
        };
        if !result.keys.contains(&key) {
            result.keys.push(key);
        }
    }
    Some(result)
}

fn of_group(group: &Group, protocol: Option<Protocol>, family: Option<Family>) -> Vec<ServiceKey> {
    let mut keys = Vec::new();
    for entry in &group.entries {
        match (*entry, protocol) {
            (GroupEntry::Addresses { first, last, port }, Some(protocol)) => {
                keys.extend(addresses(first, last).map(|address| ServiceKey::Address {
                    address,
                    port,
                    protocol,
                }));
            }
            // A service without a protocol has no addresses.
            (GroupEntry::Addresses { .. }, None) => {}
            (GroupEntry::Mark { mark, family: own }, _) => keys.push(ServiceKey::Mark {
                mark,
                family: own.or(family).unwrap_or(Family::V4),
            }),
        }
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// All addresses from one to another; of different families: none.
pub(crate) fn addresses(first: IpAddr, last: IpAddr) -> Box<dyn Iterator<Item = IpAddr>> {
    match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => Box::new(
            (u32::from(first)..=u32::from(last)).map(|bits| IpAddr::V4(Ipv4Addr::from(bits))),
        ),
        (IpAddr::V6(first), IpAddr::V6(last)) => Box::new(
            (u128::from(first)..=u128::from(last)).map(|bits| IpAddr::V6(Ipv6Addr::from(bits))),
        ),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
            Box::new(std::iter::empty())
        }
    }
}

/// How a real or sorry server appears in a service: with its own port where addresses are rewritten, else with that of the
/// packet (keepalived).
pub(crate) const fn destination(
    key: &ServiceKey,
    (address, port): (IpAddr, u16),
    method: Forwarding,
) -> DestinationKey {
    let port = match (method, key) {
        (Forwarding::Nat, _) => port,
        (_, ServiceKey::Address { port, .. }) => *port,
        (_, ServiceKey::Mark { .. }) => 0,
    };
    DestinationKey { address, port }
}

/// How a virtual server wants a service of its to be balanced.
pub(crate) fn options(server: &VirtualServer, key: &ServiceKey) -> ServiceOptions {
    let family = key.family();
    ServiceOptions {
        scheduler: server.scheduler.clone(),
        one_packet: server.one_packet,
        scheduler_flags: server.scheduler_flags,
        persistence: server
            .persistence
            .as_ref()
            .map(|persistence| PersistenceOptions {
                timeout: persistence.timeout,
                netmask: persistence
                    .granularity
                    .filter(|granularity| granularity.family() == family)
                    .map_or_else(|| Netmask::single(family), Into::into),
                engine: persistence.engine.clone(),
            }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_given_once() {
        let mut marks = Marks::default();
        let first = u32::MAX - 1;
        assert_eq!(marks.of("a", Protocol::Tcp, first), Some(first));
        assert_eq!(marks.of("a", Protocol::Udp, 7), Some(u32::MAX));
        assert_eq!(marks.of("b", Protocol::Tcp, 7), None);
        assert_eq!(marks.of("b", Protocol::Tcp, 7), None);
        assert_eq!(marks.of("a", Protocol::Tcp, 7), Some(first));
    }

    #[test]
    fn a_successor_goes_on_where_its_predecessor_was() {
        let mut marks = Marks::default();
        for group in ["a", "b", "c"] {
            marks.of(group, Protocol::Tcp, 1000);
        }
        let mut heir = Marks::default();
        heir.inherit(marks.all());
        assert_eq!(heir.count(), 3);
        // Whatever it is asked for first, and wherever the settings begin by now.
        for (group, protocol, mark) in [
            ("c", Protocol::Tcp, 1002),
            ("d", Protocol::Tcp, 1003),
            ("c", Protocol::Udp, 1004),
            ("a", Protocol::Tcp, 1000),
        ] {
            assert_eq!(heir.of(group, protocol, 7), Some(mark), "{group}");
        }
        let mut nobody = Marks::default();
        nobody.inherit([]);
        assert_eq!(nobody.of("x", Protocol::Tcp, 7), Some(7));
    }
}
