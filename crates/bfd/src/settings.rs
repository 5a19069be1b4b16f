//! What the BFD core is told: the resolved configuration, with every default applied.
//!
//! `config` builds these from the text of `keepalived.conf`. Field names are keepalived's keywords where there is one.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::num::NonZeroU8;
use core::time::Duration;

use serde::{Deserialize, Serialize};
use types::bfd::Port;

/// Everything the core is told at start and at every reload.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The sessions, in the order of the file. Names are unique, and so is what tells packets apart: no two have the same
    /// neighbour and number of hops unless both have a source and these differ.
    pub sessions: Vec<Session>,
}

/// One session with one neighbour (`bfd_instance`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its name in the file, at most [`Session::LONGEST_NAME`] bytes.
    pub name: String,
    /// The other end (`neighbor_ip`).
    pub neighbor: IpAddr,
    /// The own address, of the neighbour's family (`source_ip`); `None`: the kernel chooses.
    pub source: Option<IpAddr>,
    /// Least time between packets that we can take (RFC 5880 bfd.RequiredMinRxInterval), microseconds matter.
    pub min_rx: Duration,
    /// Least time between packets that we want to send while up (bfd.DesiredMinTxInterval).
    pub min_tx: Duration,
    /// The same while the session is not up; RFC 5880 section 6.8.3 demands at least 1 s.
    pub idle_tx: Duration,
    /// So many packets missing make the session down (bfd.DetectMult).
    pub multiplier: NonZeroU8,
    /// Wait for the neighbour to speak first (RFC 5880 section 6.1).
    pub passive: bool,
    /// TTL or hop limit of what we send, and what packets are to arrive with if there is no router between.
    pub ttl: NonZeroU8,
    /// How many routers may lie between.
    pub max_hops: MaxHops,
    /// Port 4784 instead of 3784 (RFC 5883).
    pub multihop: bool,
    /// Its state is told to the VRRP process.
    pub to_vrrp: bool,
    /// Its state is told to the checkers.
    pub to_checker: bool,
}

impl Session {
    /// Most bytes of a name; keepalived's buffer has 32.
    pub const LONGEST_NAME: usize = 31;

    /// The port that its packets go to and come to.
    pub const fn port(&self) -> Port {
        if self.multihop {
            Port::MultiHop
        } else {
            Port::SingleHop
        }
    }
}

/// How far a packet's TTL may have fallen (`max_hops`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MaxHops {
    /// By so much at most; not more than the session's `ttl`. 0 is RFC 5881's rule.
    AtMost(u8),
    /// As far as it likes: -1 or 255 in the file.
    Unlimited,
}
