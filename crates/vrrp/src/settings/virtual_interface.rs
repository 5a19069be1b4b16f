//! Interfaces of our own, above the ones that are configured.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;

use serde::{Deserialize, Serialize};
use types::{Family, IfName, MacAddress, Prefix};

use super::{InstanceSettings, Settings};

/// The device that an instance makes for itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualInterface {
    /// Its name; no other instance makes one of that name.
    pub name: IfName,
    /// The device group it is put into (`IFLA_GROUP`); `None`: that of the interface below.
    pub group: Option<u32>,
    /// What it is.
    pub kind: VirtualInterfaceKind,
    /// Adverts use the interface below (`vmac_xmit_base`; forced for unicast).
    pub transmit_on_base: bool,
}

/// What kind of device an instance makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VirtualInterfaceKind {
    /// A macvlan in private mode (`use_vmac`; RFC 9568 section 7.3).
    Macvlan {
        /// Its address.
        address: MacAddress,
        /// The link state below is announced again when the macvlan was made (`netlink_notify_msg`).
        announce_link: bool,
    },
    /// An ipvlan at layer 2 (`use_ipvlan`): it shares the MAC address of the interface below.
    Ipvlan {
        /// The address put on it, which is the source of adverts. Over IPv4 an instance without one has a
        /// configuration fault; over IPv6 without one the kernel's link-local address is the source.
        address: Option<Prefix>,
        /// How the ipvlans of one interface reach each other.
        mode: IpvlanMode,
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

/// A macvlan that only holds virtual addresses: of an entry with `use_vmac`, or because of `use_vmac_addr`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressDevice {
    /// Its name; nothing else is called so.
    pub name: IfName,
    /// The interface below.
    pub base: IfName,
    /// The family of the addresses, which is that of its MAC address.
    pub family: Family,
    /// Its MAC address.
    pub address: MacAddress,
}

/// A device that we make, whoever wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its name.
    pub name: IfName,
    /// The interface below.
    pub base: IfName,
    /// The device group it is put into; `None`: that of the interface below.
    pub group: Option<u32>,
    /// What it is.
    pub kind: DeviceKind,
    /// The family of the adverts or the addresses that it is made for.
    pub family: Family,
    /// It carries IPv6, be it only for addresses of the other family.
    pub carries_v6: bool,
    /// It has the link-local address of the interface below, which instances without one on it do not provide.
    pub speaks_for_base: bool,
}

impl Device {
    /// What the kernel can have once only: a macvlan over an interface with a MAC address. `None` for others.
    pub const fn station(&self) -> Option<(IfName, MacAddress)> {
        match self.kind {
            DeviceKind::Macvlan { address, .. } => Some((self.base, address)),
            DeviceKind::Ipvlan { .. } => None,
        }
    }
}

/// What kind of device it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceKind {
    /// A macvlan in private mode.
    Macvlan {
        /// Its MAC address.
        address: MacAddress,
        /// The link state below is announced again when it was made.
        announce_link: bool,
    },
    /// An ipvlan at layer 2.
    Ipvlan {
        /// How the ipvlans of one interface reach each other.
        mode: IpvlanMode,
    },
}

impl InstanceSettings {
    /// The MAC address of a virtual router (RFC 9568 section 7.3): 00:00:5e:00:01:VRID over IPv4, 00:00:5e:00:02:VRID over
    /// IPv6.
    pub const fn virtual_mac(family: Family, vrid: types::Vrid) -> MacAddress {
        let of_family = match family {
            Family::V4 => 1,
            Family::V6 => 2,
        };
        MacAddress([0, 0, 0x5e, 0, of_family, vrid.get()])
    }
}

impl Settings {
    /// All devices that we are to make, each once.
    pub fn devices(&self) -> impl Iterator<Item = Arc<Device>> + '_ {
        let carry_v6: BTreeSet<&IfName> = self
            .instances
            .iter()
            .filter(|instance| instance.virtual_interface.is_some())
            .flat_map(InstanceSettings::addresses)
            .filter(|address| address.prefix.family() == Family::V6)
            .map(|address| &address.interface)
            .collect();
        let own = self.instances.iter().filter_map(|instance| {
            let device = instance.virtual_interface.as_deref()?;
            if instance.unusable.is_some() {
                return None;
            }
            let kind = match device.kind {
                VirtualInterfaceKind::Macvlan {
                    address,
                    announce_link,
                } => DeviceKind::Macvlan {
                    address,
                    announce_link,
                },
                VirtualInterfaceKind::Ipvlan { mode, .. } => DeviceKind::Ipvlan { mode },
            };
            Some(Device {
                name: device.name,
                base: instance.interface?,
                group: device.group,
                kind,
                family: instance.family,
                carries_v6: instance.family == Family::V6,
                speaks_for_base: false,
            })
        });
        let for_addresses = self.address_devices.iter().map(|device| Device {
            name: device.name,
            base: device.base,
            group: None,
            kind: DeviceKind::Macvlan {
                address: device.address,
                announce_link: false,
            },
            family: device.family,
            carries_v6: device.family == Family::V6,
            speaks_for_base: device.family == Family::V6,
        });
        own.chain(for_addresses).map(move |mut device| {
            device.carries_v6 |= carry_v6.contains(&device.name);
            Arc::new(device)
        })
    }
}
