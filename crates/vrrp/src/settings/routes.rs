//! Routes that come and go with an instance (`virtual_routes`), or stand as long as the daemon runs (`static_routes`).
//!
//! The fields are what the kernel is told in `RTM_NEWROUTE` (rtnetlink(7), `linux/rtnetlink.h`); each says which
//! attribute it becomes. `Display` writes the entry of `keepalived.conf` that reads back as the same value.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};
use types::{Family, IfName, Prefix};

/// `RTPROT_KEEPALIVED`: how our routes and rules are told from everybody else's. Only those that carry it are watched.
pub const KEEPALIVED_PROTOCOL: u8 = 18;
/// `RT_TABLE_MAIN`.
pub const MAIN_TABLE: u32 = 254;

/// One route.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Route {
    /// Where to: `RTA_DST` and `rtm_dst_len`, and by its family `rtm_family`. The default route is `0.0.0.0/0` or `::/0`.
    pub destination: Prefix,
    /// `rtm_type`.
    pub kind: RouteType,
    /// `from`: only packets of this source: `RTA_SRC` and `rtm_src_len`. IPv6 only.
    pub from: Option<Prefix>,
    /// `src`: the source that our own packets get: `RTA_PREFSRC`.
    pub source: Option<IpAddr>,
    /// `via`: the next router: `RTA_GATEWAY`. Always of the destination's family.
    pub via: Option<IpAddr>,
    /// `dev`: `RTA_OIF`.
    pub interface: Option<IfName>,
    /// `onlink`: the next router is on the link, whatever the addresses say: `RTNH_F_ONLINK`.
    pub onlink: bool,
    /// `tos`: `rtm_tos`; 0: any.
    pub tos: u8,
    /// Where the route is kept: `RTA_TABLE`.
    pub table: Table,
    /// `protocol`: `rtm_protocol`; [`KEEPALIVED_PROTOCOL`] unless the route is not tracked.
    pub protocol: u8,
    /// `scope`: `rtm_scope`; 0 is global, 253 link, 254 host.
    pub scope: u8,
    /// `metric`: `RTA_PRIORITY`; `None`: the kernel's default, which is not 0 for IPv6.
    pub metric: Option<u32>,
    /// What packets are wrapped in: `RTA_ENCAP_TYPE` and `RTA_ENCAP`.
    pub encap: Option<Encap>,
    /// `expires`: seconds until the kernel removes it: `RTA_EXPIRES`. IPv6 only.
    pub expires: Option<u32>,
    /// The numbers of the `RTA_METRICS` nest.
    pub metrics: BTreeMap<Metric, MetricValue>,
    /// `congctl`: `RTAX_CC_ALGO` in the same nest.
    pub congestion: Option<CongestionControl>,
    /// `realms`: `RTA_FLOW`. IPv4 only.
    pub realms: Option<Realms>,
    /// `pref`: `RTA_PREF` (RFC 4191 section 2.1): 0 medium, 1 high, 3 low. IPv6 only.
    pub preference: Option<u8>,
    /// `ttl-propagate`: whether an MPLS router copies the TTL: `RTA_TTL_PROPAGATE`.
    pub ttl_propagate: Option<bool>,
    /// How it is put among routes of the same destination.
    pub insertion: Insertion,
    /// `nexthop`: several ways, used in proportion to their weights: `RTA_MULTIPATH`.
    pub next_hops: Vec<NextHop>,
    /// Its loss, or that of its interface, does not concern the instance.
    pub no_track: bool,
}

impl Route {
    /// A route to a destination that says nothing else: unicast, main table, protocol 18.
    pub const fn new(destination: Prefix) -> Self {
        Self {
            destination,
            kind: RouteType::UNICAST,
            from: None,
            source: None,
            via: None,
            interface: None,
            onlink: false,
            tos: 0,
            table: Table::Number(MAIN_TABLE),
            protocol: KEEPALIVED_PROTOCOL,
            scope: 0,
            metric: None,
            encap: None,
            expires: None,
            metrics: BTreeMap::new(),
            congestion: None,
            realms: None,
            preference: None,
            ttl_propagate: None,
            insertion: Insertion::Prepend,
            next_hops: Vec::new(),
            no_track: false,
        }
    }

    /// The family of the route.
    pub const fn family(&self) -> Family {
        self.destination.family()
    }

    /// The interface whose failure is a failure of the instance; none with `no_track`.
    ///
    /// keepalived: only `dev` counts, the interfaces of next hops do not, for there are other hops.
    pub fn interfaces(&self) -> impl Iterator<Item = &IfName> {
        self.interface.iter().filter(|_| !self.no_track)
    }
}

/// A routing table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Table {
    /// By its number; not 0.
    Number(u32),
    /// `vrf`: the one that belongs to this device, looked up when the route is made.
    Vrf(IfName),
}

/// What becomes of packets that a route catches: `rtm_type`, one of the kernel's `RTN_*` numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RouteType(pub u8);

impl RouteType {
    /// `RTN_UNICAST`: they are sent on.
    pub const UNICAST: Self = Self(1);
    /// `RTN_BLACKHOLE`: they vanish.
    pub const BLACKHOLE: Self = Self(6);

    /// The names of `rtm_type`, by number; `brd` is another word for `broadcast`.
    pub const NAMES: [(&'static str, Self); 12] = [
        ("unicast", Self::UNICAST),
        ("local", Self(2)),
        ("broadcast", Self(3)),
        ("anycast", Self(4)),
        ("multicast", Self(5)),
        ("blackhole", Self::BLACKHOLE),
        ("unreachable", Self(7)),
        ("prohibit", Self(8)),
        ("throw", Self(9)),
        ("nat", Self(10)),
        ("xresolve", Self(11)),
        ("brd", Self(3)),
    ];

    /// The type of a name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, kind)| *kind)
    }
}

impl fmt::Display for RouteType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMES.iter().find(|(_, kind)| kind == self) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

/// Where a route goes among those of the same destination, TOS and metric: flags of `RTM_NEWROUTE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Insertion {
    /// `prepend`: before them (`NLM_F_CREATE` alone).
    Prepend,
    /// `add`: only if there is none (`NLM_F_CREATE | NLM_F_EXCL`).
    Add,
    /// `append`: behind them (`NLM_F_CREATE | NLM_F_APPEND`).
    Append,
}

/// One of several ways (`nexthop`): a `struct rtnexthop` with its attributes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NextHop {
    /// `via`: `RTA_GATEWAY`.
    pub via: Option<IpAddr>,
    /// `dev`: `rtnh_ifindex`.
    pub interface: Option<IfName>,
    /// `weight`, 1 to 256: `rtnh_hops` is one less.
    pub weight: u16,
    /// `onlink`: `RTNH_F_ONLINK`.
    pub onlink: bool,
    /// What packets are wrapped in on this way: `RTA_ENCAP_TYPE` and `RTA_ENCAP`.
    pub encap: Option<Encap>,
    /// `realms`: `RTA_FLOW`. IPv4 only.
    pub realms: Option<Realms>,
}

impl Default for NextHop {
    /// A way of weight 1 that says nothing yet.
    fn default() -> Self {
        Self {
            via: None,
            interface: None,
            weight: 1,
            onlink: false,
            encap: None,
            realms: None,
        }
    }
}

/// What packets are wrapped in (`encap`): the type and the nest of a lightweight tunnel (`linux/lwtunnel.h`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Encap {
    /// `ip`: `LWTUNNEL_ENCAP_IP`.
    Ip(IpEncap<Ipv4Addr>),
    /// `ip6`: `LWTUNNEL_ENCAP_IP6`.
    Ip6(IpEncap<Ipv6Addr>),
    /// `mpls`: `LWTUNNEL_ENCAP_MPLS`, the label stack of `MPLS_IPTUNNEL_DST`, outermost first; 20 bits each, never empty.
    Mpls(Vec<u32>),
    /// `ila`: `LWTUNNEL_ENCAP_ILA`, the locator of `ILA_ATTR_LOCATOR`.
    Ila(u64),
}

/// The outer header of an IP tunnel; `id` or `destination` is given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IpEncap<Address> {
    /// `id`: `LWTUNNEL_IP_ID`.
    pub id: Option<u64>,
    /// `dst`: `LWTUNNEL_IP_DST`.
    pub destination: Option<Address>,
    /// `src`: `LWTUNNEL_IP_SRC`.
    pub source: Option<Address>,
    /// `tos`, for IPv6 `tc`: `LWTUNNEL_IP_TOS`, `LWTUNNEL_IP6_TC`.
    pub traffic_class: Option<u8>,
    /// `ttl`, for IPv6 `hoplimit`: `LWTUNNEL_IP_TTL`, `LWTUNNEL_IP6_HOPLIMIT`.
    pub hop_limit: Option<u8>,
    /// `flags`: `LWTUNNEL_IP_FLAGS`.
    pub flags: Option<u16>,
}

impl<Address> Default for IpEncap<Address> {
    fn default() -> Self {
        Self {
            id: None,
            destination: None,
            source: None,
            traffic_class: None,
            hop_limit: None,
            flags: None,
        }
    }
}

/// A number of the `RTA_METRICS` nest; the value of a variant is its `RTAX_*` number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(u8)]
pub enum Metric {
    /// `mtu`, bytes.
    Mtu = 2,
    /// `window`, bytes.
    Window = 3,
    /// `rtt`, eighths of a millisecond.
    Rtt = 4,
    /// `rttvar`, quarters of a millisecond.
    RttVar = 5,
    /// `ssthresh`, segments.
    SsThresh = 6,
    /// `cwnd`, segments.
    Cwnd = 7,
    /// `advmss`, bytes.
    AdvMss = 8,
    /// `reordering`, segments.
    Reordering = 9,
    /// `hoplimit`, 0 to 255.
    HopLimit = 10,
    /// `initcwnd`, segments.
    InitCwnd = 11,
    /// `features`: a set of bits; 1 is ECN.
    Features = 12,
    /// `rto_min`, milliseconds.
    RtoMin = 13,
    /// `initrwnd`, segments.
    InitRwnd = 14,
    /// `quickack`, 0 or 1.
    QuickAck = 15,
    /// `fastopen_no_cookie`, 0 or 1.
    FastOpenNoCookie = 17,
}

/// `RTAX_FEATURE_ECN`, the one bit of [`Metric::Features`] that the configuration knows.
pub const FEATURE_ECN: u32 = 1;

impl Metric {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 15] = [
        Self::Mtu,
        Self::Window,
        Self::Rtt,
        Self::RttVar,
        Self::SsThresh,
        Self::Cwnd,
        Self::AdvMss,
        Self::Reordering,
        Self::HopLimit,
        Self::InitCwnd,
        Self::Features,
        Self::RtoMin,
        Self::InitRwnd,
        Self::QuickAck,
        Self::FastOpenNoCookie,
    ];

    /// Its word in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mtu => "mtu",
            Self::Window => "window",
            Self::Rtt => "rtt",
            Self::RttVar => "rttvar",
            Self::SsThresh => "ssthresh",
            Self::Cwnd => "cwnd",
            Self::AdvMss => "advmss",
            Self::Reordering => "reordering",
            Self::HopLimit => "hoplimit",
            Self::InitCwnd => "initcwnd",
            Self::Features => "features",
            Self::RtoMin => "rto_min",
            Self::InitRwnd => "initrwnd",
            Self::QuickAck => "quickack",
            Self::FastOpenNoCookie => "fastopen_no_cookie",
        }
    }

    /// The metric of a word.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.name() == name)
    }
}

/// The value of a [`Metric`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MetricValue {
    /// In the metric's own unit.
    pub value: u32,
    /// `lock`: the kernel does not change it: its bit in `RTAX_LOCK`.
    pub locked: bool,
}

/// `congctl`: how TCP on this route reacts to congestion.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CongestionControl {
    /// The algorithm's name; the kernel refuses one that it does not know.
    pub name: String,
    /// `lock`: bit 16 of `RTAX_LOCK`.
    pub locked: bool,
}

/// Classes for accounting: `RTA_FLOW`, `FRA_FLOW` (`from` in the upper half, `to` in the lower).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Realms {
    /// The class of the source; 0: none.
    pub from: u8,
    /// The class of the destination.
    pub to: u8,
}

impl fmt::Display for Realms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.from {
            0 => write!(f, "{}", self.to),
            from => write!(f, "{from}/{}", self.to),
        }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind != RouteType::UNICAST {
            write!(f, "{} ", self.kind)?;
        }
        write!(f, "{}", self.destination)?;
        word(f, "from", self.from)?;
        word(f, "src", self.source)?;
        word(f, "via", self.via)?;
        word(f, "dev", self.interface.as_ref().map(Device))?;
        flag(f, "onlink", self.onlink)?;
        word(f, "tos", Some(self.tos).filter(|tos| *tos != 0))?;
        match &self.table {
            Table::Number(MAIN_TABLE) => {}
            Table::Number(number) => write!(f, " table {number}")?,
            Table::Vrf(device) => write!(f, " vrf {}", Device(device))?,
        }
        let protocol = Some(self.protocol).filter(|number| *number != KEEPALIVED_PROTOCOL);
        word(f, "protocol", protocol)?;
        word(f, "scope", Some(self.scope).filter(|scope| *scope != 0))?;
        word(f, "metric", self.metric)?;
        word(f, "expires", self.expires)?;
        for (metric, MetricValue { value, locked }) in &self.metrics {
            let lock = if *locked { "lock " } else { "" };
            match metric {
                Metric::Features => f.write_str(" features ecn")?,
                Metric::Mtu
                | Metric::Window
                | Metric::Rtt
                | Metric::RttVar
                | Metric::SsThresh
                | Metric::Cwnd
                | Metric::AdvMss
                | Metric::Reordering
                | Metric::HopLimit
                | Metric::InitCwnd
                | Metric::RtoMin
                | Metric::InitRwnd
                | Metric::QuickAck
                | Metric::FastOpenNoCookie => write!(f, " {} {lock}{value}", metric.name())?,
            }
        }
        // Behind the metrics: 'hoplimit' would be taken for the tunnel's.
        word(f, "encap", self.encap.as_ref())?;
        if let Some(CongestionControl { name, locked }) = &self.congestion {
            write!(
                f,
                " congctl {}\"{name}\"",
                if *locked { "lock " } else { "" }
            )?;
        }
        word(f, "realms", self.realms)?;
        word(f, "pref", self.preference)?;
        let propagate = |on| if on { "enabled" } else { "disabled" };
        word(f, "ttl-propagate", self.ttl_propagate.map(propagate))?;
        match self.insertion {
            Insertion::Prepend => {}
            Insertion::Add => f.write_str(" add")?,
            Insertion::Append => f.write_str(" append")?,
        }
        flag(f, "no_track", self.no_track)?;
        for hop in &self.next_hops {
            write!(f, " {hop}")?;
        }
        Ok(())
    }
}

impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nexthop")?;
        word(f, "via", self.via)?;
        word(f, "dev", self.interface.as_ref().map(Device))?;
        word(f, "weight", Some(self.weight).filter(|weight| *weight != 1))?;
        flag(f, "onlink", self.onlink)?;
        word(f, "encap", self.encap.as_ref())?;
        word(f, "realms", self.realms)
    }
}

impl fmt::Display for Encap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(header) => {
                f.write_str("ip")?;
                header.write(f, "tos", "ttl")
            }
            Self::Ip6(header) => {
                f.write_str("ip6")?;
                header.write(f, "tc", "hoplimit")
            }
            Self::Mpls(labels) => {
                f.write_str("mpls ")?;
                for (index, label) in labels.iter().enumerate() {
                    let slash = if index == 0 { "" } else { "/" };
                    write!(f, "{slash}{label}")?;
                }
                Ok(())
            }
            Self::Ila(locator) => {
                let group = |shift: u32| locator >> shift & 0xffff;
                let (a, b, c, d) = (group(48), group(32), group(16), group(0));
                write!(f, "ila {a:x}:{b:x}:{c:x}:{d:x}")
            }
        }
    }
}

impl<Address: fmt::Display + Copy> IpEncap<Address> {
    fn write(&self, f: &mut fmt::Formatter<'_>, class: &str, limit: &str) -> fmt::Result {
        word(f, "id", self.id)?;
        word(f, "dst", self.destination)?;
        word(f, "src", self.source)?;
        word(f, class, self.traffic_class)?;
        word(f, limit, self.hop_limit)?;
        word(f, "flags", self.flags)
    }
}

/// A word and its value, if there is one.
pub(super) fn word(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    value: Option<impl fmt::Display>,
) -> fmt::Result {
    match value {
        Some(value) => write!(f, " {name} {value}"),
        None => Ok(()),
    }
}

/// An interface, between quotes where its name would end the word or the line.
pub(super) struct Device<'a>(pub(super) &'a IfName);

impl fmt::Display for Device<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.as_str().contains(['#', '!', '{', '}']) {
            write!(f, "\"{}\"", self.0)
        } else {
            write!(f, "{}", self.0)
        }
    }
}

/// A word that says something by being there.
pub(super) fn flag(f: &mut fmt::Formatter<'_>, name: &str, given: bool) -> fmt::Result {
    if given { write!(f, " {name}") } else { Ok(()) }
}
