//! Services and the servers behind them.
//!
//! There are tens of thousands of real servers, so what is rare in one is boxed.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};
use types::Family;
use types::ipvs::Netmask;
pub use types::ipvs::{Forwarding, GueChecksum, Protocol, Tunnel};

use super::checkers::{Checker, CommandId, Microseconds};
use super::group::GroupId;
use super::octets::Octets;

/// A `virtual_server`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualServer {
    /// What is balanced.
    pub service: Service,
    /// `lvs_sched`: the name of an IPVS scheduler. The kernel knows whether there is one.
    pub scheduler: String,
    /// `ops`: every packet is scheduled by itself; only for UDP and marks.
    pub one_packet: bool,
    /// Scheduler flags 1 to 3 (`flag-1`, `flag-2`, `flag-3`); `sh-fallback` and `mh-fallback` are the first,
    /// `sh-port` and `mh-port` the second.
    pub scheduler_flags: [bool; 3],
    /// `persistence_timeout` and what goes with it; `None`: each connection is scheduled by itself.
    pub persistence: Option<Persistence>,
    /// `lvs_method`: what real servers without one of their own take.
    pub lvs_method: Forwarding,
    /// Weights of the living servers that it takes to be up (`quorum`); 0: all weights are 0, which never suffices.
    pub quorum: u32,
    /// `hysteresis`: so much more to gain the quorum, so much less to lose it; below the quorum, or 0 like it.
    pub hysteresis: u32,
    /// `alpha`, as far as the service itself has it: every server begins down unless it says otherwise.
    pub alpha: bool,
    /// `omega`: the down scripts run at shutdown.
    pub omega: bool,
    /// `inhibit_on_failure`: a failed server keeps its place with weight 0 unless it says otherwise.
    pub inhibit_on_failure: bool,
    /// `ha_suspend`: no checks while the address is on no interface of ours. Never with marks.
    pub ha_suspend: bool,
    /// `smtp_alert`, `smtp_alert_checker` or the global `smtp_alert`: mail when the quorum is gained or lost.
    pub smtp_alert: bool,
    /// `quorum_up`.
    pub quorum_up: Option<CommandId>,
    /// `quorum_down`.
    pub quorum_down: Option<CommandId>,
    /// `virtualhost`, already handed on to the checkers.
    pub virtualhost: Option<Octets>,
    /// `snmp_name`.
    pub snmp_name: Option<String>,
    /// Times that real servers without their own take, already handed on to the checkers.
    pub timing: Timing,
    /// `sorry_server`.
    pub sorry_server: Option<SorryServer>,
    /// The real servers, in the order of the file; at least one, no two with the same address and port.
    pub real_servers: Vec<RealServer>,
}

/// What a virtual server balances.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Service {
    /// Connections to an address.
    Address {
        /// The address.
        address: IpAddr,
        /// The port; 0: every port, of a persistent service.
        port: u16,
        /// `protocol`.
        protocol: Protocol,
    },
    /// Packets with a firewall mark.
    Mark {
        /// The mark; never 0.
        mark: u32,
        /// `ip_family`, else that of the servers.
        family: Family,
    },
    /// Everything that a `virtual_server_group` lists.
    Group {
        /// The group.
        group: GroupId,
        /// Which one of the services with this group it is, in the order of the file, counted from 0: its identity at a
        /// reload.
        ordinal: u32,
        /// `protocol`; `None` exactly if the group has marks only.
        protocol: Option<Protocol>,
        /// The family of the servers and of marks without one; `None`: the group has both families.
        family: Option<Family>,
    },
}

/// Clients stay with the server they had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Persistence {
    /// `persistence_timeout` in seconds, 1..=2678400.
    pub timeout: u32,
    /// `persistence_granularity`: which clients count as one; `None`: each address by itself.
    pub granularity: Option<Granularity>,
    /// `persistence_engine`: the name of an IPVS persistence engine, 16 bytes at most.
    pub engine: Option<String>,
}

/// `persistence_granularity`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Granularity {
    /// IPv4: a mask, not necessarily of a prefix.
    Mask(Ipv4Addr),
    /// IPv6: a prefix length, 1..=128.
    Prefix(u8),
}

impl Granularity {
    /// The family it is for.
    pub const fn family(self) -> Family {
        match self {
            Self::Mask(_) => Family::V4,
            Self::Prefix(_) => Family::V6,
        }
    }
}

impl From<Granularity> for Netmask {
    fn from(granularity: Granularity) -> Self {
        match granularity {
            Granularity::Mask(mask) => Self::V4(mask),
            Granularity::Prefix(length) => Self::V6(length),
        }
    }
}

/// A `real_server`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RealServer {
    /// Its address.
    pub address: IpAddr,
    /// Its port; 0: that of the packet. Of a service with an address: the service's, unless the method is NAT.
    pub port: u16,
    /// `lvs_method`.
    pub lvs_method: Forwarding,
    /// `weight`, 0..=2147483647; 0: no new connections.
    pub weight: u32,
    /// `uthreshold`: from so many connections on it gets no more; 0: no limit.
    pub uthreshold: u32,
    /// `lthreshold`: below so many it gets connections again; 0: the kernel's choice.
    pub lthreshold: u32,
    /// `inhibit_on_failure`: when it fails it keeps its place, with weight 0.
    pub inhibit_on_failure: bool,
    /// `alpha`: down until its checks say otherwise.
    pub alpha: bool,
    /// `smtp_alert`, `smtp_alert_checker` or the global `smtp_alert`: mail when it goes up or down. Unlike that of a
    /// virtual server it is on when nobody says anything.
    pub smtp_alert: bool,
    /// `notify_up`.
    pub notify_up: Option<CommandId>,
    /// `notify_down`.
    pub notify_down: Option<CommandId>,
    /// What few servers have.
    pub rare: Option<Box<RareSettings>>,
    /// Its checks, in the order of the file; without any it is always up.
    pub checkers: Vec<Checker>,
}

impl RealServer {
    /// Its times: its own where they differ, else those of the service.
    pub fn timing<'a>(&'a self, service: &'a VirtualServer) -> &'a Timing {
        self.rare
            .as_ref()
            .and_then(|rare| rare.timing.as_ref())
            .unwrap_or(&service.timing)
    }
}

/// What few real servers have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RareSettings {
    /// `virtualhost`, already handed on to the checkers.
    pub virtualhost: Option<Octets>,
    /// `snmp_name`.
    pub snmp_name: Option<String>,
    /// Times that differ from the service's, already handed on to the checkers.
    pub timing: Option<Timing>,
}

/// A `sorry_server`: it serves while the quorum is lost. Its weight is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SorryServer {
    /// Its address.
    pub address: IpAddr,
    /// Its port; 0: that of the packet.
    pub port: u16,
    /// `sorry_server_lvs_method`, else that of the service.
    pub lvs_method: Forwarding,
    /// `sorry_server_inhibit`: it is always there, with weight 0 while it is not needed. Equal to the
    /// `inhibit_on_failure` of a real server at the same place.
    pub inhibit: bool,
}

/// When checks run, as far as a server and not each checker says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// `delay_loop`; never zero.
    pub delay_loop: Microseconds,
    /// `connect_timeout`; never zero.
    pub connect_timeout: Microseconds,
    /// `retry`, at least 1; `None`: as suits the kind of check.
    pub retry: Option<u32>,
    /// `delay_before_retry`; `None`: as suits the kind of check.
    pub delay_before_retry: Option<Microseconds>,
    /// `warmup`; `None`: the check's `delay_loop`.
    pub warmup: Option<Microseconds>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_server_with_one_check_is_small() {
        let size = size_of::<RealServer>() + size_of::<Checker>();
        assert!(size <= 240, "{size}");
    }
}
