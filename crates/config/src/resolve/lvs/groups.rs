//! Services of groups: what a group decides about them, once all groups are known.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use lvs::settings::{
    Forwarding, Group, GroupEntry, GroupId, Persistence, Protocol, Service, VirtualServer,
};
use types::Family;

use super::super::corrected;
use super::corrections::{
    defaults, every_port, idle_engine, no_one_packet, no_protocol, no_suspension, protocol_of_marks,
};
use crate::diagnostics::{Class, Diagnostic, Reporter, Span};
use crate::draft::lvs::{LvsDraft, Waiting};
use crate::keywords::DEFAULT_PERSISTENCE;

/// Brings services and groups together; services that come to nothing go, with a report. `by_marks`: nftables marks packets
/// of groups (`nftables_ipvs`).
pub(super) fn join(draft: &mut LvsDraft, by_marks: bool, report: &mut Reporter) {
    let facts: Vec<_> = draft.groups.iter().map(GroupFacts::of).collect();
    let mut ordinals = BTreeMap::new();
    let mut lost = BTreeSet::new();
    let servers = &mut draft.virtual_servers;
    for waiting in &draft.waiting {
        let id = draft.group_ids.get(&waiting.group).copied();
        let facts = id.and_then(|id| facts.get(usize::try_from(id.0).ok()?));
        let Some(server) = servers.get_mut(waiting.index) else {
            continue;
        };
        let service = match (id, facts) {
            (Some(_), Some(facts))
                if facts.count > MOST_ADDRESSES && (facts.marks || !by_marks) =>
            {
                let message = format!(
                    "virtual server group {} is left out: it stands for {} addresses, and each is a service of the kernel; \
                     {MOST_ADDRESSES} are possible",
                    waiting.group, facts.count
                );
                let diagnostic = Diagnostic::error(Class::Uncounted, message).help(
                    "global_defs { nftables_ipvs }: one service for all addresses of a group",
                );
                report.at(waiting.span, diagnostic);
                None
            }
            (Some(id), Some(facts)) => of_group(server, waiting, id, facts, &mut ordinals, report),
            _ => {
                let group = &waiting.group;
                let message = format!(
                    "virtual server group {group} is left out: no usable group of that name is defined"
                );
                let diagnostic = Diagnostic::error(Class::Uncounted, message)
                    .help(format!("virtual_server_group {group} {{ ... }}"));
                report.at(waiting.span, diagnostic);
                None
            }
        };
        match service {
            Some(service) => server.service = service,
            None => {
                lost.insert(waiting.index);
            }
        }
    }
    if !lost.is_empty() {
        let mut index = 0;
        servers.retain(|_| {
            index += 1;
            !lost.contains(&(index - 1))
        });
    }
}

/// A group of more addresses is refused, unless nftables marks their packets: IPVS would need gigabytes for it.
const MOST_ADDRESSES: u128 = 65_536;

/// What services need to know of a group.
struct GroupFacts {
    marks: bool,
    /// A mark has no family of its own.
    open_marks: bool,
    addresses: bool,
    /// How many addresses.
    count: u128,
    v4: bool,
    v6: bool,
    /// The ports of the addresses.
    ports: BTreeSet<u16>,
}

impl GroupFacts {
    fn of(group: &Group) -> Self {
        let entries = || group.entries.iter();
        let mark = |entry: &GroupEntry| matches!(entry, GroupEntry::Mark { .. });
        let family = |wanted| move |entry: &GroupEntry| entry.family() == wanted;
        Self {
            marks: entries().any(mark),
            open_marks: entries().any(family(None)),
            addresses: !entries().all(mark),
            count: entries().map(addresses_of).fold(0, u128::saturating_add),
            v4: entries().any(family(Some(Family::V4))),
            v6: entries().any(family(Some(Family::V6))),
            ports: entries()
                .filter_map(|entry| match entry {
                    GroupEntry::Addresses { port, .. } => Some(*port),
                    GroupEntry::Mark { .. } => None,
                })
                .collect(),
        }
    }
}

/// How many addresses an entry stands for.
fn addresses_of(entry: &GroupEntry) -> u128 {
    let number = |address| match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    };
    match *entry {
        GroupEntry::Addresses { first, last, .. } => {
            number(last).saturating_sub(number(first)).saturating_add(1)
        }
        GroupEntry::Mark { .. } => 0,
    }
}

/// The family of some addresses, if it is the same for all.
pub(super) fn common_family(addresses: impl Iterator<Item = IpAddr>) -> Option<Family> {
    let mut families = addresses.map(Family::of);
    let first = families.next()?;
    families.all(|family| family == first).then_some(first)
}

/// Completes a service, now that its group is known; `None`: they do not fit together, which is reported.
fn of_group(
    server: &mut VirtualServer,
    waiting: &Waiting,
    group: GroupId,
    facts: &GroupFacts,
    ordinals: &mut BTreeMap<GroupId, u32>,
    report: &mut Reporter,
) -> Option<Service> {
    let span = waiting.span;
    let family = match family_of_group(server, waiting, facts) {
        Ok(family) => family,
        Err(why) => {
            let message = format!("virtual server group {} is left out: {why}", waiting.group);
            let diagnostic = Diagnostic::error(Class::Uncounted, message)
                .help("make a group of each family, and a virtual_server for each group");
            report.at(span, diagnostic);
            return None;
        }
    };
    let next = ordinals.entry(group).or_default();
    let ordinal = *next;
    *next += 1;
    let name = format!("[{}]:{ordinal}", waiting.group);
    defaults(waiting.no_scheduler, waiting.no_method, &name, span, report);
    if facts.marks && std::mem::take(&mut server.ha_suspend) {
        no_suspension(&name, span, report);
    }
    let protocol = match (facts.addresses, waiting.protocol) {
        (true, Some(protocol)) => Some(protocol),
        (true, None) => {
            no_protocol(&name, span, report);
            Some(Protocol::Udp)
        }
        (false, given) => {
            if given.is_some() {
                protocol_of_marks(&name, span, report);
            }
            None
        }
    };
    if server.one_packet && protocol.is_some_and(|protocol| protocol != Protocol::Udp) {
        no_one_packet(&name, span, report);
        server.one_packet = false;
    }
    let engine = waiting.persistence_engine.as_ref();
    if facts.ports.contains(&0) && server.persistence.is_none() {
        every_port(&name, span, report);
        server.persistence = Some(Persistence {
            timeout: DEFAULT_PERSISTENCE,
            granularity: None,
            engine: engine.map(|engine| engine.value.clone()),
        });
    } else if let Some(engine) = engine {
        idle_engine(engine, report);
    }
    let reals = server.real_servers.iter().zip(&waiting.real_servers);
    for (real, place) in reals {
        let what = format_args!("virtual server {name}, real server {}", real.address);
        port_of_group(facts, real.port, real.lvs_method, &what, *place, report);
    }
    if let (Some(sorry), Some(place)) = (&server.sorry_server, waiting.sorry_server) {
        let what = format_args!("virtual server {name}, sorry server {}", sorry.address);
        port_of_group(facts, sorry.port, sorry.lvs_method, &what, place, report);
    }
    Some(Service::Group {
        group,
        ordinal,
        protocol,
        family,
    })
}

/// The family of a service with a group; `None`: both, each server behind a tunnel.
fn family_of_group(
    server: &VirtualServer,
    waiting: &Waiting,
    facts: &GroupFacts,
) -> Result<Option<Family>, String> {
    let only = match (facts.v4, facts.v6) {
        (true, true) => {
            let sorry = server.sorry_server.iter().map(|sorry| sorry.lvs_method);
            let tunnelled = server
                .real_servers
                .iter()
                .map(|real| real.lvs_method)
                .chain(sorry)
                .all(|method| matches!(method, Forwarding::Tunnel(_)));
            if !tunnelled || waiting.family.is_some() || facts.open_marks {
                return Err(
                    "its group has IPv4 and IPv6, which only lvs_method TUN for every server, without ip_family, can serve"
                        .to_owned(),
                );
            }
            return Ok(None);
        }
        (true, false) => Family::V4,
        (false, true) => Family::V6,
        (false, false) => {
            let addresses = server.real_servers.iter().map(|real| real.address);
            let family = waiting.family.or_else(|| common_family(addresses));
            return Ok(Some(family.unwrap_or(Family::V4)));
        }
    };
    match waiting.family {
        Some(own) if own != only => Err(format!("it is {own}, its group {only}")),
        _ => Ok(Some(only)),
    }
}

/// Says that a port has no effect: without address translation each packet keeps its own.
fn port_of_group(
    facts: &GroupFacts,
    port: u16,
    lvs_method: Forwarding,
    what: &impl fmt::Display,
    span: Span,
    report: &mut Reporter,
) {
    let differs = facts.marks || facts.ports.iter().any(|entry| *entry != port);
    if port == 0 || lvs_method == Forwarding::Nat || !differs {
        return;
    }
    corrected(
        report,
        span,
        format!(
            "{what}: port {port} is ignored, with lvs_method DR or TUN packets of the group keep theirs"
        ),
        format!("WARNING - {what} has port specified - port will be ignored"),
    );
}
