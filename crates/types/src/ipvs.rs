//! The kernel's table of balanced services (IPVS), as a value: what it should hold and what it does hold are both one.
//!
//! The health core computes it, `sys` writes and reads it; so the words are here.

use alloc::string::String;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use crate::Family;

/// What tells services apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ServiceKey {
    /// Connections to an address.
    Address {
        /// The address.
        address: IpAddr,
        /// The port; 0: every port.
        port: u16,
        /// Of what.
        protocol: Protocol,
    },
    /// Packets with a firewall mark.
    Mark {
        /// The mark; never 0.
        mark: u32,
        /// Of which packets.
        family: Family,
    },
}

impl ServiceKey {
    /// The family of the service; a tunnelled destination may have another one.
    pub const fn family(&self) -> Family {
        match self {
            Self::Address { address, .. } => Family::of(*address),
            Self::Mark { family, .. } => *family,
        }
    }
}

impl fmt::Display for ServiceKey {
    /// As keepalived names one when the kernel refuses something: `10.0.0.1:tcp:80`, `Fwm 5`, `Fwm 5 inet6`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address {
                address,
                port,
                protocol,
            } => write!(f, "{address}:{}:{port}", protocol.name()),
            Self::Mark {
                mark,
                family: Family::V4,
            } => write!(f, "Fwm {mark}"),
            Self::Mark {
                mark,
                family: Family::V6,
            } => write!(f, "Fwm {mark} inet6"),
        }
    }
}

/// The protocols that IPVS balances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl Protocol {
    /// As keepalived's log has it: `tcp`, `udp` or `sctp`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }

    /// Its number in an IP header.
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
        }
    }
}

/// How a service is balanced: everything but its key and its destinations.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ServiceOptions {
    /// The name of the scheduler, at most 15 bytes.
    pub scheduler: String,
    /// Each packet is scheduled by itself (`ops`).
    pub one_packet: bool,
    /// Scheduler flags 1 to 3.
    pub scheduler_flags: [bool; 3],
    /// Clients stay with the server they had.
    pub persistence: Option<PersistenceOptions>,
}

/// Clients stay with the server they had.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PersistenceOptions {
    /// For so many seconds; not 0.
    pub timeout: u32,
    /// Which clients count as one.
    pub netmask: Netmask,
    /// The name of the persistence engine.
    pub engine: Option<String>,
}

/// Which clients count as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Netmask {
    /// IPv4: those that are equal under a mask, which need not be that of a prefix.
    V4(Ipv4Addr),
    /// IPv6: those that have so many first bits in common, 1..=128.
    V6(u8),
}

impl Netmask {
    /// Each address by itself.
    pub const fn single(family: Family) -> Self {
        match family {
            Family::V4 => Self::V4(Ipv4Addr::BROADCAST),
            Family::V6 => Self::V6(128),
        }
    }
}

/// What tells the destinations of one service apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DestinationKey {
    /// The address.
    pub address: IpAddr,
    /// The port; 0: that of the packet.
    pub port: u16,
}

impl fmt::Display for DestinationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.address, self.port)
    }
}

/// How packets get to a destination, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DestinationOptions {
    /// How they get there.
    pub forwarding: Forwarding,
    /// Its share, 0..=2147483647; 0: no new connections.
    pub weight: u32,
    /// From so many connections on it gets no more; 0: no limit.
    pub upper_threshold: u32,
    /// Below so many it gets connections again; 0: the kernel's choice.
    pub lower_threshold: u32,
}

/// How packets get to a real server (`lvs_method`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Forwarding {
    /// `NAT`: addresses are rewritten, answers come back through us.
    Nat,
    /// `DR`: to the server's hardware address, unchanged.
    DirectRouting,
    /// `TUN`: unchanged, within another packet. The server's family may differ from the service's.
    Tunnel(Tunnel),
}

/// How a tunnel wraps packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Tunnel {
    /// `type ipip`: directly.
    Ipip,
    /// `type gue`: in UDP.
    Gue {
        /// `port`: the server's; never 0.
        port: u16,
        /// `nocsum`, `csum` or `remcsum`.
        checksum: GueChecksum,
    },
    /// `type gre`.
    Gre {
        /// `csum`.
        checksum: bool,
    },
}

/// The checksum of a GUE tunnel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum GueChecksum {
    /// `nocsum`.
    #[default]
    None,
    /// `csum`.
    Full,
    /// `remcsum`: the receiver does it.
    Remote,
}

/// A change of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Make a service. "There already" is success.
    AddService(ServiceKey, ServiceOptions),
    /// Change how a service is balanced; its connections stay.
    EditService(ServiceKey, ServiceOptions),
    /// Remove a service and its destinations. "Not there" is success.
    RemoveService(ServiceKey),
    /// Add a destination to a service. "There already" is success.
    AddDestination(ServiceKey, DestinationKey, DestinationOptions),
    /// Change a destination; its connections stay.
    EditDestination(ServiceKey, DestinationKey, DestinationOptions),
    /// Take a destination out of a service. "Not there" is success.
    RemoveDestination(ServiceKey, DestinationKey),
    /// Remove everything, whoever made it.
    Flush,
}
