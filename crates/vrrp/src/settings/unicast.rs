//! Adverts to single routers instead of a group.

use alloc::vec::Vec;
use core::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Adverts go to these routers, one by one (`unicast_peer`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unicast {
    /// The other routers, in the order of the file, all of the instance's family, none twice.
    ///
    /// Empty: there is nobody to talk to and multicast is not wanted, so the instance stays in FAULT
    /// (`unicast_fault_no_peer`).
    pub peers: Vec<UnicastPeer>,
    /// Adverts of anybody else are refused (`check_unicast_src`); always set when a peer has a limit.
    pub check_source: bool,
    /// TTL or hop limit of what we send (`unicast_ttl`); `None`: 255 over IPv4, the kernel's own over IPv6.
    pub ttl: Option<u8>,
    /// The checksum of version 3 over IPv4 that keepalived computed before release 1.3.7.
    pub old_checksum: OldChecksum,
}

impl Unicast {
    /// The peer with this address.
    pub fn peer(&self, address: IpAddr) -> Option<&UnicastPeer> {
        self.peers.iter().find(|peer| peer.address == address)
    }
}

/// One of the other routers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnicastPeer {
    /// Its address.
    pub address: IpAddr,
    /// The least TTL or hop limit that its adverts may arrive with.
    pub min_ttl: u8,
    /// The most.
    pub max_ttl: u8,
}

/// Whether a multicast group stands where the pseudo header has the destination (`old_unicast_checksum`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OldChecksum {
    /// Accepted from a peer that is found to compute it so; not sent.
    #[default]
    Detect,
    /// Sent and demanded.
    Always,
    /// Never accepted.
    Never,
}
