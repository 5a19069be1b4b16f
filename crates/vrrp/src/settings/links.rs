//! What is said about interfaces, apart from instances.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};
use types::IfName;

/// Interfaces that share a limit on gratuitous ARPs and neighbour advertisements (`garp_group`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GarpGroup {
    /// The interfaces, at least one; none is in two groups.
    pub interfaces: Vec<IfName>,
    /// Least time between two gratuitous ARPs on all of them together; `None`: as `vrrp_garp_interval` says.
    pub garp_interval: Option<Duration>,
    /// Least time between two unsolicited neighbour advertisements; `None`: as `vrrp_gna_interval` says.
    pub gna_interval: Option<Duration>,
}

/// An interface whose link is asked for every second (`linkbeat_interfaces`, `linkbeat_use_polling`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Linkbeat {
    /// Which.
    pub interface: IfName,
    /// How; `None`: the first way that works.
    pub method: Option<LinkbeatMethod>,
}

/// A way to ask for the state of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkbeatMethod {
    /// The register of the transceiver (`SIOCGMIIREG`).
    Mii,
    /// The driver (`ETHTOOL_GLINK`).
    Ethtool,
    /// The interface's flags (`SIOCGIFFLAGS`).
    Ioctl,
}

/// How long the state of an interface must last before it counts (`interface_up_down_delays`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Debounce {
    /// Which interface.
    pub interface: IfName,
    /// Down for so long; at most 255 s.
    pub down: Duration,
    /// Up for so long; at most 255 s.
    pub up: Duration,
}

/// Instances that a static address, route or rule depends on (`track_group`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackGroup {
    /// Its name; unique.
    pub name: String,
    /// Names of instances, at least one, all of them known.
    pub members: Vec<String>,
}

/// Gratuitous ARPs and neighbour advertisements on further interfaces (`garp_extra_if`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtraGarp {
    /// Time between two rounds, at least 1 s and at most a day.
    pub every: Duration,
    /// On all further interfaces; otherwise only on virtual ones.
    pub all: bool,
}
