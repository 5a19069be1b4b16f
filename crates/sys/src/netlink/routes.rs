//! A route: as the kernel is told to make or remove one, and as much of the kernel's description as it takes to know one again.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use types::{Family, IfIndex, Prefix};

use super::message::{self, Attribute, Attributes, Malformed, Request, Writer};
use super::numbers;
use super::refusal::{Reason, Refusal};
use super::route_socket::{Ask, Changed};

/// A route as the kernel tells of it: what distinguishes it from others, not every option that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where to.
    pub destination: Prefix,
    /// Only for packets of this source; IPv6 only.
    pub from: Option<Prefix>,
    /// `rtm_type`: 1 unicast, 6 blackhole, ...
    pub kind: u8,
    /// Type of service; 0: any.
    pub tos: u8,
    /// The table that it is in.
    pub table: u32,
    /// Who made it; 18 is keepalived.
    pub protocol: u8,
    /// How far the destination is: 0 universe, 253 link, 254 host.
    pub scope: u8,
    /// Smaller ones win; 0 if the kernel does not name one.
    pub metric: u32,
    /// The next router and the way out, if there is one of them.
    pub via: Option<IpAddr>,
    /// Where packets leave, unless there are several ways.
    pub interface: Option<IfIndex>,
    /// The ways, if there are several.
    pub next_hops: Vec<Way>,
}

/// One of several ways: the next router and the interface.
pub type Way = (Option<IpAddr>, Option<IfIndex>);

impl Route {
    /// The protocol of a message, without reading the rest of it: most routes are not ours.
    pub(super) fn protocol(payload: &[u8]) -> Option<u8> {
        payload.get(PROTOCOL_AT).copied()
    }

    /// Reads the payload of `RTM_NEWROUTE` or `RTM_DELROUTE`; `None` for what is not in a table of IP routes.
    pub(super) fn decode(payload: &[u8]) -> Result<Option<Self>, Malformed> {
        let [
            family,
            to_length,
            from_length,
            tos,
            table,
            protocol,
            scope,
            kind,
            f0,
            f1,
            f2,
            f3,
        ] = *message::fixed::<FIXED>(payload, "a route message")?;
        let family = match family {
            numbers::FAMILY_V4 => Family::V4,
            numbers::FAMILY_V6 => Family::V6,
            _ => return Ok(None),
        };
        if u32::from_ne_bytes([f0, f1, f2, f3]) & numbers::CLONED != 0 {
            return Ok(None);
        }
        let (mut to, mut from) = (unspecified(family), unspecified(family));
        let mut route = Self {
            destination: Prefix::host(to),
            from: None,
            kind,
            tos,
            table: u32::from(table),
            protocol,
            scope,
            metric: 0,
            via: None,
            interface: None,
            next_hops: Vec::new(),
        };
        for attribute in Attributes::new(message::after(payload, FIXED)) {
            let attribute = attribute?;
            match attribute.kind {
                numbers::ROUTE_DESTINATION => to = address(family, attribute)?,
                numbers::ROUTE_FROM => from = address(family, attribute)?,
                numbers::ROUTE_INTERFACE => route.interface = IfIndex::new(attribute.u32()?),
                numbers::ROUTE_METRIC => route.metric = attribute.u32()?,
                numbers::ROUTE_TABLE => route.table = attribute.u32()?,
                numbers::ROUTE_HOPS => route.next_hops = decode_hops(family, attribute.value)?,
                kind => {
                    if let Some(via) = decode_via(family, kind, attribute)? {
                        route.via = Some(via);
                    }
                }
            }
        }
        route.destination = prefix(to, to_length)?;
        route.from = match from_length {
            0 => None,
            length => Some(prefix(from, length)?),
        };
        Ok(Some(route))
    }
}

/// Bytes in `struct rtmsg`.
const FIXED: usize = 12;

/// Where `rtm_protocol` is in it.
const PROTOCOL_AT: usize = 5;

/// Bytes in `struct rtnexthop`.
const HOP: usize = 8;

const fn unspecified(family: Family) -> IpAddr {
    match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Family::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

fn prefix(address: IpAddr, length: u8) -> Result<Prefix, Malformed> {
    Prefix::new(address, length).map_err(|_above| Malformed::Value {
        what: "a prefix length",
        value: u32::from(length),
    })
}

pub(super) fn address(family: Family, attribute: Attribute<'_>) -> Result<IpAddr, Malformed> {
    match family {
        Family::V4 => attribute
            .bytes::<4>()
            .map(|bytes| Ipv4Addr::from(bytes).into()),
        Family::V6 => attribute
            .bytes::<16>()
            .map(|bytes| Ipv6Addr::from(bytes).into()),
    }
}

/// The next router, of the route's family or (`struct rtvia`) of another; `None` for any other attribute.
fn decode_via(
    family: Family,
    kind: u16,
    attribute: Attribute<'_>,
) -> Result<Option<IpAddr>, Malformed> {
    match kind {
        numbers::ROUTE_VIA => address(family, attribute).map(Some),
        numbers::ROUTE_VIA_ANY => match *attribute.value {
            [f0, f1, ref rest @ ..] => {
                let family = match u16::from_ne_bytes([f0, f1]) {
                    2 => Family::V4,
                    10 => Family::V6,
                    _ => return Ok(None),
                };
                let value = rest;
                address(family, Attribute { kind, value }).map(Some)
            }
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}

fn decode_hops(family: Family, mut rest: &[u8]) -> Result<Vec<Way>, Malformed> {
    let mut hops = Vec::new();
    while !rest.is_empty() {
        let [l0, l1, _flags, _hops, i0, i1, i2, i3] = *message::fixed::<HOP>(rest, "a next hop")?;
        let claimed = usize::from(u16::from_ne_bytes([l0, l1]));
        let attributes = rest.get(HOP..claimed).ok_or(Malformed::Length {
            what: "a next hop",
            claimed,
            have: rest.len(),
        })?;
        let mut via = None;
        for attribute in Attributes::new(attributes) {
            let attribute = attribute?;
            if let Some(found) = decode_via(family, attribute.kind, attribute)? {
                via = Some(found);
            }
        }
        hops.push((via, IfIndex::new(u32::from_ne_bytes([i0, i1, i2, i3]))));
        rest = message::after(rest, claimed);
    }
    Ok(hops)
}

/// A route to be made, or to be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelRoute {
    /// Where to: `RTA_DST`, `rtm_dst_len`, and by its family `rtm_family`.
    pub destination: Prefix,
    /// Only packets of this source: `RTA_SRC`, `rtm_src_len`; IPv6 only.
    pub from: Option<Prefix>,
    /// `rtm_type`: 1 unicast, 6 blackhole, ...
    pub kind: u8,
    /// The source that our own packets get: `RTA_PREFSRC`.
    pub source: Option<IpAddr>,
    /// The next router: `RTA_GATEWAY`, or `RTA_VIA` when it is of another family.
    pub via: Option<IpAddr>,
    /// `RTA_OIF`.
    pub interface: Option<IfIndex>,
    /// `RTNH_F_ONLINK`.
    pub onlink: bool,
    /// `rtm_tos`.
    pub tos: u8,
    /// `RTA_TABLE`.
    pub table: u32,
    /// `rtm_protocol`.
    pub protocol: u8,
    /// `rtm_scope`; a removal asks for any.
    pub scope: u8,
    /// `RTA_PRIORITY`; `None`: the kernel's default.
    pub metric: Option<u32>,
    /// `RTA_ENCAP_TYPE` and `RTA_ENCAP`.
    pub encap: Option<Encap>,
    /// `RTA_EXPIRES`, in seconds; IPv6 only.
    pub expires: Option<u32>,
    /// `RTA_METRICS`: numbers by their `RTAX_*`.
    pub metrics: Vec<(u16, u32)>,
    /// Those of them that the kernel does not change: `RTAX_LOCK`, bit `1 << RTAX_*`.
    pub locks: u32,
    /// `RTAX_CC_ALGO`.
    pub congestion: Option<String>,
    /// `RTA_FLOW`: the source's realm in the upper half, the destination's in the lower.
    pub realms: Option<u32>,
    /// `RTA_PREF`.
    pub preference: Option<u8>,
    /// `RTA_TTL_PROPAGATE`.
    pub ttl_propagate: Option<bool>,
    /// `RTA_MULTIPATH`; empty: a single way.
    pub next_hops: Vec<KernelNextHop>,
}

/// One of several ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelNextHop {
    /// `RTA_GATEWAY`, or `RTA_VIA` when it is of another family.
    pub via: Option<IpAddr>,
    /// `rtnh_ifindex`.
    pub interface: Option<IfIndex>,
    /// `rtnh_hops`: the weight less one.
    pub hops: u8,
    /// `RTNH_F_ONLINK`.
    pub onlink: bool,
    /// `RTA_ENCAP_TYPE` and `RTA_ENCAP`.
    pub encap: Option<Encap>,
    /// `RTA_FLOW`.
    pub realms: Option<u32>,
}

/// What packets are wrapped in (`linux/lwtunnel.h`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encap {
    /// `LWTUNNEL_ENCAP_IP`.
    Ip(TunnelHeader<Ipv4Addr>),
    /// `LWTUNNEL_ENCAP_IP6`.
    Ip6(TunnelHeader<Ipv6Addr>),
    /// `LWTUNNEL_ENCAP_MPLS`: labels of 20 bits, the outermost first.
    Mpls(Vec<u32>),
    /// `LWTUNNEL_ENCAP_ILA`: the locator.
    Ila(u64),
}

/// The outer header of an IP tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunnelHeader<Address> {
    /// `LWTUNNEL_IP_ID`.
    pub id: Option<u64>,
    /// `LWTUNNEL_IP_DST`.
    pub destination: Option<Address>,
    /// `LWTUNNEL_IP_SRC`.
    pub source: Option<Address>,
    /// `LWTUNNEL_IP_TOS`, `LWTUNNEL_IP6_TC`.
    pub traffic_class: Option<u8>,
    /// `LWTUNNEL_IP_TTL`, `LWTUNNEL_IP6_HOPLIMIT`.
    pub hop_limit: Option<u8>,
    /// `LWTUNNEL_IP_FLAGS`.
    pub flags: Option<u16>,
}

impl KernelRoute {
    /// A unicast route of the main table without options.
    pub const fn new(destination: Prefix, protocol: u8) -> Self {
        Self {
            destination,
            from: None,
            kind: 1,
            source: None,
            via: None,
            interface: None,
            onlink: false,
            tos: 0,
            table: 254,
            protocol,
            scope: 0,
            metric: None,
            encap: None,
            expires: None,
            metrics: Vec::new(),
            locks: 0,
            congestion: None,
            realms: None,
            preference: None,
            ttl_propagate: None,
            next_hops: Vec::new(),
        }
    }
}

/// How a route gets among others of the same destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Insert {
    /// Before them (`NLM_F_CREATE`).
    Before,
    /// Only if there is none (`NLM_F_CREATE | NLM_F_EXCL`).
    Alone,
    /// Behind them (`NLM_F_CREATE | NLM_F_APPEND`).
    Behind,
    /// Instead of the first one of the same TOS and metric (`NLM_F_CREATE | NLM_F_REPLACE`).
    Instead,
}

/// A change of the routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteChange {
    /// Make it. That it is there already is no error.
    Add {
        /// What.
        route: KernelRoute,
        /// Where among the others.
        insert: Insert,
    },
    /// Remove it. That it is not there is no error.
    Remove {
        /// What.
        route: KernelRoute,
    },
}

impl RouteChange {
    const fn parts(&self) -> (&'static str, &KernelRoute) {
        match self {
            Self::Add {
                route,
                insert: Insert::Instead,
            } => ("replace", route),
            Self::Add { route, .. } => ("add", route),
            Self::Remove { route } => ("remove", route),
        }
    }

    fn error(&self, refusal: Refusal) -> RouteError {
        let (doing, route) = self.parts();
        RouteError {
            doing,
            destination: route.destination,
            table: route.table,
            refusal,
        }
    }
}

impl Ask for RouteChange {
    type Error = RouteError;

    fn encode(&self, buffer: &mut Vec<u8>, sequence: u32) -> Result<(), RouteError> {
        let (kind, flags) = match self {
            Self::Add { insert, .. } => {
                let how = match insert {
                    Insert::Before => numbers::CREATE,
                    Insert::Alone => numbers::CREATE_NEW,
                    Insert::Behind => numbers::CREATE | numbers::APPEND,
                    Insert::Instead => numbers::CREATE | numbers::REPLACE,
                };
                (numbers::NEW_ROUTE, how)
            }
            Self::Remove { .. } => (numbers::DELETE_ROUTE, 0),
        };
        let mut writer = Writer::new(
            buffer,
            Request {
                kind,
                flags: flags | numbers::REQUEST | numbers::ACK,
                sequence,
            },
        );
        match self {
            Self::Add { route, .. } => {
                write_route(&mut writer, route, route.scope);
                write_options(&mut writer, route);
            }
            // keepalived: whatever its scope is.
            Self::Remove { route } => write_route(&mut writer, route, numbers::NOWHERE),
        }
        writer
            .finish()
            .map(|_length| ())
            .map_err(|_too_long| self.error(Refusal::new(libc::EMSGSIZE, None)))
    }

    fn judge(&self, answer: Result<(), Refusal>) -> Result<Changed, RouteError> {
        match (self, answer) {
            (_, Ok(())) => Ok(Changed::Now),
            (Self::Add { .. }, Err(refusal)) if refusal.reason() == Reason::Exists => {
                Ok(Changed::Already)
            }
            // A route goes with its interface.
            (Self::Remove { .. }, Err(refusal))
                if matches!(refusal.reason(), Reason::Missing | Reason::NoInterface) =>
            {
                Ok(Changed::Already)
            }
            (_, Err(refusal)) => Err(self.error(refusal)),
        }
    }
}

/// What a route is known by.
fn write_route(writer: &mut Writer<'_>, route: &KernelRoute, scope: u8) {
    let family = route.destination.family();
    let number = match family {
        Family::V4 => numbers::FAMILY_V4,
        Family::V6 => numbers::FAMILY_V6,
    };
    let flags = if route.onlink { numbers::ON_LINK } else { 0 };
    let [f0, f1, f2, f3] = u32::from(flags).to_ne_bytes();
    writer.fixed(&[
        number,
        route.destination.length(),
        route.from.map_or(0, Prefix::length),
        route.tos,
        // RTA_TABLE has room for all numbers.
        0,
        route.protocol,
        scope,
        route.kind,
        f0,
        f1,
        f2,
        f3,
    ]);
    if route.destination.length() > 0 {
        write_address(
            writer,
            numbers::ROUTE_DESTINATION,
            route.destination.address(),
        );
    }
    if let Some(from) = route.from {
        write_address(writer, numbers::ROUTE_FROM, from.address());
    }
    writer.attribute(numbers::ROUTE_TABLE, &route.table.to_ne_bytes());
    // Named in each request, so that a removal does not hit a route of another metric.
    let default = match family {
        Family::V4 => None,
        Family::V6 => Some(numbers::DEFAULT_METRIC_V6),
    };
    if let Some(metric) = route.metric.or(default) {
        writer.attribute(numbers::ROUTE_METRIC, &metric.to_ne_bytes());
    }
    if let Some(source) = route.source {
        write_address(writer, numbers::ROUTE_SOURCE, source);
    }
    if let Some(interface) = route.interface {
        writer.attribute(numbers::ROUTE_INTERFACE, &interface.get().to_ne_bytes());
    }
    write_way(
        writer,
        family,
        route.via,
        route.encap.as_ref(),
        route.realms,
    );
    if !route.next_hops.is_empty() {
        writer.nested(numbers::ROUTE_HOPS, |hops| {
            for hop in &route.next_hops {
                let [i0, i1, i2, i3] = hop.interface.map_or(0, IfIndex::get).to_ne_bytes();
                let onlink = if hop.onlink { numbers::ON_LINK } else { 0 };
                hops.record(&[0, 0, onlink, hop.hops, i0, i1, i2, i3], |inner| {
                    write_way(inner, family, hop.via, hop.encap.as_ref(), hop.realms);
                });
            }
        });
    }
}

fn write_way(
    writer: &mut Writer<'_>,
    family: Family,
    via: Option<IpAddr>,
    encap: Option<&Encap>,
    realms: Option<u32>,
) {
    match via {
        Some(via) if Family::of(via) == family => write_address(writer, numbers::ROUTE_VIA, via),
        Some(via) => {
            let mut value = Vec::with_capacity(18);
            match via {
                IpAddr::V4(via) => {
                    value.extend(u16::from(numbers::FAMILY_V4).to_ne_bytes());
                    value.extend(via.octets());
                }
                IpAddr::V6(via) => {
                    value.extend(u16::from(numbers::FAMILY_V6).to_ne_bytes());
                    value.extend(via.octets());
                }
            }
            writer.attribute(numbers::ROUTE_VIA_ANY, &value);
        }
        None => {}
    }
    if let Some(encap) = encap {
        write_encap(writer, encap);
    }
    if let Some(realms) = realms {
        writer.attribute(numbers::ROUTE_REALMS, &realms.to_ne_bytes());
    }
}

pub(super) fn write_address(writer: &mut Writer<'_>, kind: u16, address: IpAddr) {
    match address {
        IpAddr::V4(address) => writer.attribute(kind, &address.octets()),
        IpAddr::V6(address) => writer.attribute(kind, &address.octets()),
    }
}

/// What does not distinguish a route from another one.
fn write_options(writer: &mut Writer<'_>, route: &KernelRoute) {
    if let Some(seconds) = route.expires {
        writer.attribute(numbers::ROUTE_EXPIRES, &seconds.to_ne_bytes());
    }
    if let Some(preference) = route.preference {
        writer.attribute(numbers::ROUTE_PREFERENCE, &[preference]);
    }
    if let Some(propagate) = route.ttl_propagate {
        writer.attribute(numbers::ROUTE_TTL_PROPAGATE, &[u8::from(propagate)]);
    }
    if !route.metrics.is_empty() || route.locks != 0 || route.congestion.is_some() {
        writer.nested(numbers::ROUTE_METRICS, |metrics| {
            if route.locks != 0 {
                metrics.attribute(numbers::METRIC_LOCK, &route.locks.to_ne_bytes());
            }
            for (kind, value) in &route.metrics {
                metrics.attribute(*kind, &value.to_ne_bytes());
            }
            if let Some(name) = &route.congestion {
                metrics.text(numbers::METRIC_CONGESTION, name);
            }
        });
    }
}

fn write_encap(writer: &mut Writer<'_>, encap: &Encap) {
    let kind = match encap {
        Encap::Ip(_) => numbers::ENCAP_IP,
        Encap::Ip6(_) => numbers::ENCAP_IP6,
        Encap::Mpls(_) => numbers::ENCAP_MPLS,
        Encap::Ila(_) => numbers::ENCAP_ILA,
    };
    writer.attribute(numbers::ROUTE_ENCAP_TYPE, &kind.to_ne_bytes());
    writer.nested(numbers::ROUTE_ENCAP, |inner| match encap {
        Encap::Ip(header) => write_tunnel(inner, header),
        Encap::Ip6(header) => write_tunnel(inner, header),
        Encap::Mpls(labels) => inner.attribute(numbers::MPLS_LABELS, &label_stack(labels)),
        // The locator is the upper half of an address: as on the wire.
        Encap::Ila(locator) => inner.attribute(numbers::ILA_LOCATOR, &locator.to_be_bytes()),
    });
}

fn write_tunnel<Address: Copy + Into<IpAddr>>(
    writer: &mut Writer<'_>,
    header: &TunnelHeader<Address>,
) {
    if let Some(id) = header.id {
        writer.attribute(numbers::TUNNEL_ID, &id.to_be_bytes());
    }
    if let Some(destination) = header.destination {
        write_address(writer, numbers::TUNNEL_DESTINATION, destination.into());
    }
    if let Some(source) = header.source {
        write_address(writer, numbers::TUNNEL_SOURCE, source.into());
    }
    if let Some(class) = header.traffic_class {
        writer.attribute(numbers::TUNNEL_CLASS, &[class]);
    }
    if let Some(limit) = header.hop_limit {
        writer.attribute(numbers::TUNNEL_HOP_LIMIT, &[limit]);
    }
    if let Some(flags) = header.flags {
        writer.attribute(numbers::TUNNEL_FLAGS, &flags.to_be_bytes());
    }
}

/// Labels as on the wire (RFC 3032 2.1): 20 bits, class 0, the mark of the last one, TTL 0.
fn label_stack(labels: &[u32]) -> Vec<u8> {
    const BOTTOM: u32 = 1 << 8;
    let last = labels.len().saturating_sub(1);
    labels
        .iter()
        .enumerate()
        .flat_map(|(index, label)| {
            let bottom = if index == last { BOTTOM } else { 0 };
            (label << 12 | bottom).to_be_bytes()
        })
        .collect()
}

/// Why a route was not made or removed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} the route to {destination} in table {table}: {refusal}")]
pub struct RouteError {
    /// `add`, `replace` or `remove`.
    pub doing: &'static str,
    /// Where it leads.
    pub destination: Prefix,
    /// In which table.
    pub table: u32,
    /// The kernel's reason.
    pub refusal: Refusal,
}

#[cfg(test)]
mod tests;
