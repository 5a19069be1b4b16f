//! What the core asks its host to do, in order.

mod announcement;
mod report;

use alloc::sync::Arc;
use core::net::IpAddr;

use types::{IfIndex, MacAddress};

pub use self::announcement::{Announced, Announcement, Subject};
pub use self::report::{Culprit, Detail, Event, Report, Truce};
use crate::firewall::Blocked;
use crate::settings::{Device, Route, Rule, VirtualAddress};

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "an action that is not carried out is a router that does not do what it decided"]
pub enum Action {
    /// Send this message, encoded once and shared, in an IP packet.
    SendAdvert {
        /// Out of this interface; `None`: wherever the route to the destination leads.
        interface: Option<IfIndex>,
        /// From this address.
        source: IpAddr,
        /// To this group, or to this peer.
        destination: IpAddr,
        /// TTL or hop limit; `None`: the kernel's own.
        hop_limit: Option<u8>,
        /// As which IP protocol.
        carrier: Carrier,
        /// What follows the IP header. The checksum of an IPv6 message is for the kernel to fill in.
        message: Arc<[u8]>,
    },
    /// Put an address on an interface. "Already there" is success.
    AddAddress {
        /// The interface's number now.
        interface: IfIndex,
        /// The address.
        address: Arc<VirtualAddress>,
    },
    /// Take an address off an interface. "Not there" is success.
    RemoveAddress {
        /// The interface's number now.
        interface: IfIndex,
        /// The address.
        address: Arc<VirtualAddress>,
    },
    /// Make, replace or remove a route or a rule.
    ChangeRouting(RoutingChange),
    /// Drop what is sent to an address, or from it, but neighbour discovery. It comes before the address does.
    Block(Blocked),
    /// Let it through again.
    Unblock(Blocked),
    /// Send one gratuitous ARP, or one unsolicited neighbour advertisement for an IPv6 address.
    AnnounceAddress {
        /// Out of this interface.
        interface: IfIndex,
        /// Its Ethernet address.
        mac: MacAddress,
        /// The address that is announced.
        address: IpAddr,
    },
    /// Make, set up or remove a device of our own.
    Device(DeviceAction),
    /// Become a member of a multicast group on an interface.
    JoinGroup {
        /// The interface.
        interface: IfIndex,
        /// The group.
        group: IpAddr,
    },
    /// Stop being a member.
    LeaveGroup {
        /// The interface; it may be gone by now.
        interface: IfIndex,
        /// The group.
        group: IpAddr,
    },
    /// Start a check script; its end is reported by [`handle_script_exit`](crate::Vrrp::handle_script_exit).
    RunScript {
        /// Its name in the settings.
        script: Arc<str>,
    },
    /// Send a signal to the process group of a running check script.
    SignalScript {
        /// Its name in the settings.
        script: Arc<str>,
        /// Which signal.
        signal: Signal,
    },
    /// Something that others want to know: log it, run the notify scripts, tell every other listener.
    Announce(Announcement),
    /// Something for the log only.
    Report(Report),
}

/// What is to be done about a device of our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceAction {
    /// Make it, set it up and switch it on. The kernel's word about the new interface says that it is there; a failure is
    /// reported by [`handle_device_refused`](crate::Vrrp::handle_device_refused).
    Create {
        /// Above this interface.
        base: IfIndex,
        /// The VRF that it is to be in.
        vrf: Option<IfIndex>,
        /// The device.
        device: Arc<Device>,
    },
    /// It is there: give it its MAC address, its group, its VRF and the kernel's settings, and switch it on.
    SetUp {
        /// Its number.
        interface: IfIndex,
        /// The interface that it is above.
        base: IfIndex,
        /// The VRF that it is to be in.
        vrf: Option<IfIndex>,
        /// The device.
        device: Arc<Device>,
    },
    /// Remove it, and what was changed for it on the interface below.
    Remove {
        /// Its number.
        interface: IfIndex,
        /// The device.
        device: Arc<Device>,
    },
}

/// A change of the kernel's routes and rules. Interfaces and VRF tables go by their names: the host asks
/// [`interface_index`](crate::Vrrp::interface_index) and [`vrf_table`](crate::Vrrp::vrf_table).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoutingChange {
    /// Make a route. "Already there" is success.
    AddRoute {
        /// The route.
        route: Arc<Route>,
    },
    /// Give a route other options without a moment in which it is missing. If the kernel does not do that, remove the old one
    /// and make the new one; if they are the same, leave what is there.
    ReplaceRoute {
        /// As it is.
        old: Arc<Route>,
        /// As it is to be.
        new: Arc<Route>,
    },
    /// Remove a route. "Not there" is success.
    RemoveRoute {
        /// The route.
        route: Arc<Route>,
    },
    /// Make a rule. "Already there" is success.
    AddRule {
        /// The rule.
        rule: Arc<Rule>,
    },
    /// Remove a rule. "Not there" is success.
    RemoveRule {
        /// The rule.
        rule: Arc<Rule>,
    },
}

/// The IP protocol that a VRRP message travels as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// Protocol 112, VRRP itself.
    Vrrp,
    /// Protocol 51: the message follows an authentication header.
    Ah {
        /// The identification of the IP packet, never 0 in one to send: the header covers it.
        identification: u16,
    },
}

impl Carrier {
    /// Its number.
    #[must_use]
    pub const fn protocol(self) -> u8 {
        match self {
            Self::Vrrp => wire::vrrp::PROTOCOL,
            Self::Ah { .. } => wire::ah::PROTOCOL,
        }
    }
}

/// How a script is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM.
    Terminate,
    /// SIGKILL.
    Kill,
}
