//! The devices of instances and of addresses: their names, and which address is put on which.
//!
//! A device that is not named is called by a prefix and its VRID: `vrrp.51`; where that is taken, over IPv6 `vrrp6.51`, and
//! then `vrrp1.51`, `vrrp2.51` ... (keepalived). Taken is what a line of the configuration names, what another device got, and an
//! interface that is there and no device of ours: a left-over of a predecessor is one, so a restart finds its devices.

use std::collections::{BTreeMap, BTreeSet};

use types::{Family, IfName, MacAddress, Vrid};
use vrrp::settings::{
    AddressDevice, InstanceSettings, VirtualAddress, VirtualInterface, VirtualInterfaceKind,
};

use crate::draft::{Draft, InstanceDraft};
use crate::machine::{DeviceFacts, Machine};
use crate::settings::global::VmacNames;

/// Numbers that are tried when a name is taken.
const MOST_NUMBERS: u32 = 65_535;

/// The devices that were given a name so far.
pub(super) struct Devices<'a> {
    machine: &'a dyn Machine,
    prefixes: VmacNames,
    /// Names that nothing else can have.
    taken: BTreeSet<IfName>,
    /// One base has one macvlan of an address: the kernel makes no second.
    macvlans: BTreeMap<(IfName, MacAddress), Macvlan>,
    /// Those of addresses.
    pub(super) of_addresses: Vec<AddressDevice>,
    /// Instances that put addresses on a device of another one: theirs, and whose the device is.
    pub(super) shared: Vec<(String, String)>,
}

struct Macvlan {
    name: IfName,
    /// The instance that it was made for.
    instance: String,
}

/// A name that was asked for cannot be had: an interface of that name is there, and no such device.
pub(super) struct Occupied;

impl<'a> Devices<'a> {
    pub(super) fn new(draft: &Draft, prefixes: VmacNames, machine: &'a dyn Machine) -> Self {
        let named = |instance: &InstanceDraft| {
            let vmac = instance.vmac.as_ref().and_then(|vmac| vmac.name);
            let ipvlan = instance.ipvlan.as_ref().and_then(|ipvlan| ipvlan.name);
            vmac.into_iter().chain(ipvlan)
        };
        let used = |instance: &InstanceDraft| instance.interface.as_ref().map(|at| at.value);
        Self {
            machine,
            prefixes,
            taken: draft
                .instances
                .iter()
                .flat_map(|instance| named(instance).chain(used(instance)))
                .collect(),
            macvlans: BTreeMap::new(),
            of_addresses: Vec::new(),
            shared: Vec::new(),
        }
    }

    /// The name of an instance's own device: the one that was asked for, if it can be had.
    pub(super) fn own_name(
        &mut self,
        wanted: Option<&IfName>,
        base: &IfName,
        kind: DeviceFacts,
        (family, vrid): (Family, Vrid),
    ) -> (IfName, Option<Occupied>) {
        let occupied = match wanted {
            Some(wanted) if self.is_free_for(wanted, base, kind) => return (*wanted, None),
            Some(_) => Some(Occupied),
            None => None,
        };
        let prefix = self.prefixes.instances.clone();
        let name = self.next_name(&prefix, base, kind, (family, vrid));
        (name, occupied)
    }

    /// Notes an instance's own macvlan. The instance that has one of that address on that base already, if there is one.
    pub(super) fn note_own(
        &mut self,
        base: &IfName,
        address: MacAddress,
        name: &IfName,
        instance: &str,
    ) -> Option<String> {
        let place = (*base, address);
        if let Some(other) = self.macvlans.get(&place) {
            return Some(other.instance.clone());
        }
        let macvlan = Macvlan {
            name: *name,
            instance: instance.to_owned(),
        };
        self.macvlans.insert(place, macvlan);
        None
    }

    /// Puts the address of an instance on the device that it belongs on.
    ///
    /// On the instance's own device goes what is of its family and on its interface. On other interfaces, and of the other
    /// family, an address gets a macvlan if it says `use_vmac`, or the instance `use_vmac_addr`; else it is put on the
    /// interface itself (keepalived).
    pub(super) fn place(&mut self, address: &mut VirtualAddress, of: &Owner<'_>) {
        let family = address.prefix.family();
        let at_home = of.interface == Some(&address.interface) && family == of.family;
        if let Some(device) = of.device
            && at_home
        {
            address.interface.clone_from(&device.name);
            return;
        }
        let elsewhere = of.use_vmac_addr && !at_home;
        if !(address.use_vmac || elsewhere) || !self.carries_macvlans(&address.interface) {
            return;
        }
        // The device of another family or interface is as much the virtual router's as its own.
        let mac = match of.device.map(|device| device.kind) {
            Some(VirtualInterfaceKind::Macvlan { address, .. }) if family == of.family => address,
            _ => InstanceSettings::virtual_mac(family, of.vrid),
        };
        address.interface = self.for_address(&address.interface, mac, family, of);
    }

    fn for_address(
        &mut self,
        base: &IfName,
        mac: MacAddress,
        family: Family,
        of: &Owner<'_>,
    ) -> IfName {
        if let Some(known) = self.macvlans.get(&(*base, mac)) {
            if known.instance != of.name {
                self.shared
                    .push((of.name.to_owned(), known.instance.clone()));
            }
            return known.name;
        }
        let prefix = self.prefixes.addresses.clone();
        let kind = DeviceFacts::PrivateMacvlan;
        let name = self.next_name(&prefix, base, kind, (family, of.vrid));
        let macvlan = Macvlan {
            name,
            instance: of.name.to_owned(),
        };
        self.macvlans.insert((*base, mac), macvlan);
        self.of_addresses.push(AddressDevice {
            name,
            base: *base,
            family,
            address: mac,
        });
        name
    }

    /// Whether macvlans can stand on an interface; one that is not there yet is taken for Ethernet.
    pub(super) fn carries_macvlans(&self, base: &IfName) -> bool {
        let facts = self.machine.interface(base.as_str());
        facts.is_none_or(|facts| facts.ethernet)
    }

    fn next_name(
        &mut self,
        prefix: &str,
        base: &IfName,
        kind: DeviceFacts,
        (family, vrid): (Family, Vrid),
    ) -> IfName {
        let plain = shortened(prefix, "", vrid);
        let of_family = (family == Family::V6).then(|| shortened(prefix, "6", vrid));
        let numbered =
            (1..=MOST_NUMBERS).map(|number| shortened(prefix, &number.to_string(), vrid));
        let name = std::iter::once(plain)
            .chain(of_family)
            .chain(numbered)
            .flatten()
            .find(|name| !self.taken.contains(name) && self.is_free_for(name, base, kind))
            // More devices than numbers: the kernel will refuse this one, and the instance says so.
            .unwrap_or(*base);
        self.taken.insert(name);
        name
    }

    /// Whether there is no interface of that name, or a device of this kind over this base.
    fn is_free_for(&self, name: &IfName, base: &IfName, kind: DeviceFacts) -> bool {
        let Some(there) = self.machine.interface(name.as_str()) else {
            return true;
        };
        // Without its base it is gone with the next event of the kernel.
        let base = self.machine.interface(base.as_str());
        base.is_some_and(|base| there.is_over(&base, kind))
    }
}

/// The instance whose addresses are placed.
pub(super) struct Owner<'a> {
    pub(super) name: &'a str,
    pub(super) interface: Option<&'a IfName>,
    pub(super) family: Family,
    pub(super) vrid: Vrid,
    pub(super) device: Option<&'a VirtualInterface>,
    pub(super) use_vmac_addr: bool,
}

/// A name that the kernel takes: a prefix that is too long loses its end.
fn shortened(prefix: &str, number: &str, vrid: Vrid) -> Option<IfName> {
    let tail = format!("{number}.{vrid}");
    let room = IfName::MAX_LENGTH.checked_sub(tail.len())?;
    let mut end = prefix.len().min(room);
    while !prefix.is_char_boundary(end) {
        end -= 1;
    }
    IfName::new(&format!("{}{tail}", prefix.get(..end)?)).ok()
}

#[cfg(test)]
mod tests;
