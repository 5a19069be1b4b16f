//! Groups of addresses and marks that one service is made for.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use types::Family;

/// The place of a group in [`super::Settings::groups`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupId(pub u32);

/// A `virtual_server_group`. It holds no IPv4 and IPv6 addresses together with a mark of no family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its name; unique.
    pub name: String,
    /// Its entries, in the order of the file; at least one.
    pub entries: Vec<GroupEntry>,
}

/// An entry: one or many IPVS services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GroupEntry {
    /// A service for each address from `first` to `last`, which are of one family and in this order.
    Addresses {
        /// The first one.
        first: IpAddr,
        /// The last one; equal to `first`: there is only one.
        last: IpAddr,
        /// 0: every port, of a persistent service.
        port: u16,
    },
    /// A service for packets with a firewall mark.
    Mark {
        /// The mark; never 0.
        mark: u32,
        /// `None`: the virtual server's, else IPv4.
        family: Option<Family>,
    },
}

impl GroupEntry {
    /// The family, if the entry says one.
    pub const fn family(&self) -> Option<Family> {
        match self {
            Self::Addresses { first, .. } => Some(Family::of(*first)),
            Self::Mark { family, .. } => *family,
        }
    }
}
