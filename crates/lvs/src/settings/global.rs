//! What concerns all virtual servers together: the LVS part of `global_defs`.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use types::IfName;

/// What concerns all virtual servers together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlobalSettings {
    /// `lvs_timeouts`.
    pub timeouts: Timeouts,
    /// `lvs_flush`: what IPVS holds at the start is removed, whoever put it there.
    pub flush: bool,
    /// `lvs_flush_on_stop`.
    pub flush_on_stop: FlushOnStop,
    /// `lvs_sync_daemon`: connections are shared with another director.
    pub sync_daemon: Option<SyncDaemon>,
    /// `nftables_ipvs`: groups of virtual servers go by firewall marks that nftables sets.
    pub nftables: Nftables,
    /// `rs_init_notifies`: a real server that comes up at the start runs its notify script.
    pub rs_init_notifies: bool,
    /// `checker_log_all_failures`: each failure of a check is logged, not only the last one that counts.
    pub log_all_failures: bool,
}

/// How long IPVS keeps idle connections; `None`: as the kernel has it. Whole seconds, 31 days at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeouts {
    /// Established TCP connections.
    pub tcp: Option<Duration>,
    /// TCP connections after a FIN.
    pub tcpfin: Option<Duration>,
    /// UDP.
    pub udp: Option<Duration>,
}

/// What is removed from IPVS at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FlushOnStop {
    /// Our real servers, then our virtual servers, one by one.
    #[default]
    No,
    /// Everything at once, whoever put it there.
    Everything,
    /// Our virtual servers as wholes (`VS`).
    VirtualServers,
}

/// The kernel's daemon that shares connections (`lvs_sync_daemon`). What is `None` is the kernel's to choose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncDaemon {
    /// Where it sends and listens.
    pub interface: IfName,
    /// The VRRP instance whose state decides whether it sends or listens; `None`: it does both.
    pub instance: Option<String>,
    /// Tells daemons on one link apart. When not given: the instance's virtual router id, without an instance 0.
    pub id: u8,
    /// `maxlen`: the longest datagram in bytes, 1 to 65507.
    pub maxlen: Option<u16>,
    /// The UDP port, not 0.
    pub port: Option<u16>,
    /// Of the datagrams, not 0.
    pub ttl: Option<u8>,
    /// The multicast group they go to.
    pub group: Option<IpAddr>,
}

/// Firewall marks for groups of virtual servers (`nftables_ipvs`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nftables {
    /// The table's name; `None`: marks are not used.
    pub table: Option<String>,
    /// `nftables_ipvs_priority`: of the chain.
    pub priority: i32,
    /// `nftables_ipvs_start_fwmark`: the first mark that is given out, not 0.
    pub start_fwmark: u32,
}

impl Default for Nftables {
    fn default() -> Self {
        Self {
            table: None,
            priority: -1,
            start_fwmark: 1000,
        }
    }
}
