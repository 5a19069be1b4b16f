//! An interface of an instance's own, above the one that it is configured on.

use alloc::string::String;

use serde::{Deserialize, Serialize};
use types::{IfName, MacAddress, Prefix};

/// The device that an instance makes for itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualInterface {
    /// Its name; `None`: made of a prefix and the VRID (`vmac_prefix`).
    pub name: Option<IfName>,
    /// The device group it is put into; `None`: that of the interface below.
    pub group: Option<DeviceGroup>,
    /// What it is.
    pub kind: VirtualInterfaceKind,
}

/// What kind of device an instance makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VirtualInterfaceKind {
    /// A macvlan in private mode (`use_vmac`; RFC 9568 section 7.3).
    Macvlan {
        /// Its address; `None`: 00:00:5e:00:01:VRID over IPv4, 00:00:5e:00:02:VRID over IPv6.
        address: Option<MacAddress>,
        /// Adverts use the interface below (`vmac_xmit_base`).
        transmit_on_base: bool,
        /// The link state below is announced again when the macvlan changes (`netlink_notify_msg`).
        announce_link: bool,
    },
    /// An ipvlan at layer 2 (`use_ipvlan`): it shares the MAC address of the interface below.
    Ipvlan {
        /// The address put on it, which is the source of adverts. Over IPv4 an instance without
        /// one stays in FAULT.
        address: Option<Prefix>,
        /// How the ipvlans of one interface reach each other.
        mode: IpvlanMode,
        /// Adverts use the interface below (forced for unicast).
        transmit_on_base: bool,
    },
}

/// How the ipvlans of one interface reach each other (the kernel's `IPVLAN_F_*`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum IpvlanMode {
    /// Directly (no flag).
    #[default]
    Bridge,
    /// Not at all (`IPVLAN_F_PRIVATE`).
    Private,
    /// Through the switch outside (`IPVLAN_F_VEPA`).
    Vepa,
}

/// A device group (`IFLA_GROUP`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeviceGroup {
    /// By number.
    Number(u32),
    /// By the name that iproute2's `group` table has for it.
    Named(String),
}
