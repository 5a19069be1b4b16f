//! The devices that we make: macvlans and ipvlans of instances, macvlans of addresses. Which are wanted, which are there, and
//! what there is to do about the difference.
//!
//! A device is made when the interface below it can be used, and made again when somebody has deleted it. One of its name that
//! is there already is taken over if it is of the kind that we would have made, over the same interface: a predecessor's.
//! Anything else of that name is somebody else's, and not touched.
//!
//! The core asks and goes on; the kernel's word about the interface says that it is there. Until then whoever needs a device
//! that has never been there waits without a word, so that a start is no fault.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use types::{Family, IfIndex, IfName, Prefix};

use crate::action::{Action, DeviceAction};
use crate::holdings::Holdings;
use crate::interfaces::{Interface, InterfaceAddress, InterfaceKind, Interfaces};
use crate::settings::{Device, DeviceKind, PreferredLifetime, VirtualAddress};

/// The prefix length of link-local addresses (RFC 4291 2.5.6).
pub(crate) const LINK_LOCAL_LENGTH: u8 = 64;

/// A device that is there.
#[derive(Clone, Copy, Debug)]
pub struct DeviceView<'a> {
    /// Its number.
    pub interface: IfIndex,
    /// What it is.
    pub device: &'a Device,
    /// The address that it has besides virtual ones. Over IPv6 it is that of the interface below.
    pub address: Option<Prefix>,
}

/// The wanted devices, by name.
#[derive(Debug, Default)]
pub(crate) struct Devices {
    entries: BTreeMap<IfName, Entry>,
    /// Those above each interface.
    above: BTreeMap<IfName, Vec<IfName>>,
}

#[derive(Debug)]
struct Entry {
    device: Arc<Device>,
    /// The address that the device itself has, apart from virtual ones.
    address: Option<Prefix>,
    /// What is known to be on it because of that.
    carried: Option<Prefix>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It is not there, and cannot be made: its base is missing or down.
    Impossible {
        /// It was there before.
        known: bool,
    },
    /// The host was asked to make it.
    Asked {
        /// It was there before.
        known: bool,
    },
    /// The kernel refused; something must change before the next attempt.
    Refused,
    /// Something of that name is there, and it is not ours.
    Taken,
    /// It is there and set up, as this number, in this VRF.
    There {
        index: IfIndex,
        vrf: Option<IfIndex>,
        /// Packets have passed, or could have.
        used: bool,
    },
}

impl Entry {
    const fn new(device: Arc<Device>) -> Self {
        Self {
            device,
            address: None,
            carried: None,
            state: State::Impossible { known: false },
        }
    }

    /// Whether an interface is what we would have made, or near enough to be made so.
    fn fits(&self, there: &Interface, base: &Interface) -> bool {
        // The kernel puts a macvlan on a macvlan beside it.
        let below =
            |lower| lower == base.index || (base.kind.is_macvlan() && Some(lower) == base.base);
        if !there.base.is_some_and(below) {
            return false;
        }
        match (self.device.kind, there.kind) {
            (DeviceKind::Macvlan { .. }, InterfaceKind::Macvlan { private }) => private,
            (
                DeviceKind::Ipvlan { mode },
                InterfaceKind::Ipvlan {
                    layer2,
                    mode: theirs,
                },
            ) => layer2 && mode == theirs,
            (DeviceKind::Macvlan { .. } | DeviceKind::Ipvlan { .. }, _) => false,
        }
    }

    /// Whether the host can make the new device out of the old one, without anything on it getting lost.
    fn can_become(&self, new: &Device) -> bool {
        let alike = match (self.device.kind, new.kind) {
            (DeviceKind::Macvlan { .. }, DeviceKind::Macvlan { .. }) => true,
            (DeviceKind::Ipvlan { mode }, DeviceKind::Ipvlan { mode: other }) => mode == other,
            (DeviceKind::Macvlan { .. } | DeviceKind::Ipvlan { .. }, _) => false,
        };
        alike && self.device.base == new.base
    }

    const fn index(&self) -> Option<IfIndex> {
        match self.state {
            State::There { index, .. } => Some(index),
            State::Impossible { .. } | State::Asked { .. } | State::Refused | State::Taken => None,
        }
    }

    fn removal(&self) -> Option<Action> {
        Some(Action::Device(DeviceAction::Remove {
            interface: self.index()?,
            device: Arc::clone(&self.device),
        }))
    }

    fn as_virtual(&self, prefix: Prefix) -> Arc<VirtualAddress> {
        Arc::new(VirtualAddress {
            // The kernel is not to choose it for anybody else.
            preferred_lft: match (self.device.kind, prefix.family()) {
                (DeviceKind::Macvlan { .. }, Family::V6) => PreferredLifetime::Seconds(0),
                (DeviceKind::Macvlan { .. }, Family::V4) | (DeviceKind::Ipvlan { .. }, _) => {
                    PreferredLifetime::Forever
                }
            },
            ..VirtualAddress::new(prefix, self.device.name)
        })
    }
}

impl Devices {
    /// Takes a new list. What is no longer wanted is handed back by its removal, to be carried out when nothing uses it any
    /// more; what must go first, because another device gets its name, is removed at once.
    pub(crate) fn replace(
        &mut self,
        wanted: impl Iterator<Item = Arc<Device>>,
        interfaces: &mut Interfaces,
        mut act: impl FnMut(Action),
    ) -> Vec<Action> {
        let mut old = core::mem::take(&mut self.entries);
        let wanted: Vec<Arc<Device>> = wanted.collect();
        // The kernel switches no second macvlan of one MAC address on: under another name it is a new one, and the old one
        // must go first.
        let names: BTreeSet<IfName> = wanted.iter().map(|device| device.name).collect();
        let stations: BTreeSet<_> = wanted.iter().filter_map(|it| it.station()).collect();
        old.retain(|name, entry| {
            let is_twin = |station| stations.contains(&station);
            if names.contains(name) || !entry.device.station().is_some_and(is_twin) {
                return true;
            }
            if let (Some(index), Some(removal)) = (entry.index(), entry.removal()) {
                act(removal);
                interfaces.gone(index);
            }
            false
        });
        for device in wanted {
            let entry = match old.remove(&device.name) {
                Some(kept) if kept.device == device => kept,
                Some(mut kept) if kept.can_become(&device) => {
                    kept.device = device;
                    // It is to be set up again.
                    if let State::There { .. } = kept.state {
                        kept.state = State::Impossible { known: true };
                    }
                    kept
                }
                Some(other) => {
                    if let (Some(index), Some(removal)) = (other.index(), other.removal()) {
                        act(removal);
                        interfaces.gone(index);
                    }
                    Entry::new(device)
                }
                None => Entry::new(device),
            };
            self.entries.insert(entry.device.name, entry);
        }
        self.above.clear();
        for (name, entry) in &self.entries {
            let above = self.above.entry(entry.device.base).or_default();
            above.push(*name);
        }
        old.values().filter_map(Entry::removal).collect()
    }

    /// What the daemon removes when it stops.
    pub(crate) fn removals(&self) -> impl Iterator<Item = Action> + '_ {
        self.entries.values().filter_map(Entry::removal)
    }

    /// Looks at all devices.
    pub(crate) fn converge_all(
        &mut self,
        interfaces: &mut Interfaces,
        holdings: &Holdings,
        mut act: impl FnMut(Action),
    ) {
        for entry in self.entries.values_mut() {
            converge(entry, interfaces, holdings, &mut act);
        }
    }

    /// Looks at the devices that an interface concerns: the one of that name, and those above it.
    pub(crate) fn converge_about(
        &mut self,
        name: &IfName,
        interfaces: &mut Interfaces,
        holdings: &Holdings,
        mut act: impl FnMut(Action),
    ) {
        let above = self.above.get(name).into_iter().flatten();
        for concerned in above.chain([name]) {
            let Some(entry) = self.entries.get_mut(concerned) else {
                continue;
            };
            if entry.state == State::Refused {
                entry.state = State::Impossible { known: false };
            }
            converge(entry, interfaces, holdings, &mut act);
        }
    }

    /// The address that a device itself has: the source of adverts that leave through it.
    pub(crate) fn carry(
        &mut self,
        name: &IfName,
        address: Option<Prefix>,
        interfaces: &mut Interfaces,
        mut act: impl FnMut(Action),
    ) {
        if let Some(entry) = self.entries.get_mut(name)
            && (entry.address != address || entry.carried != address)
        {
            entry.address = address;
            carry(entry, interfaces, &mut act);
        }
    }

    /// The kernel refused to make it.
    pub(crate) fn refused(&mut self, name: &IfName) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.state = State::Refused;
        }
    }

    /// The interface below a device of ours.
    pub(crate) fn base_of(&self, name: &IfName) -> Option<IfName> {
        self.entries.get(name).map(|entry| entry.device.base)
    }

    /// Whether a device is still to come, for the first time.
    pub(crate) fn is_awaited(&self, name: &IfName) -> bool {
        self.entries.get(name).is_some_and(|entry| {
            matches!(
                entry.state,
                State::Asked { known: false } | State::There { used: false, .. }
            )
        })
    }

    /// Whether the name of a device is somebody else's.
    pub(crate) fn is_taken(&self, name: &IfName) -> bool {
        self.entries
            .get(name)
            .is_some_and(|entry| entry.state == State::Taken)
    }

    /// Whether an interface is one of ours, or has one of ours above it.
    pub(crate) fn concern(&self, name: &IfName) -> bool {
        self.entries.contains_key(name) || self.above.contains_key(name)
    }

    /// All devices that are there.
    pub(crate) fn there(&self) -> impl Iterator<Item = DeviceView<'_>> {
        self.entries.values().filter_map(|entry| {
            Some(DeviceView {
                interface: entry.index()?,
                device: &entry.device,
                address: entry.carried,
            })
        })
    }
}

/// Looks at one device.
fn converge(
    entry: &mut Entry,
    interfaces: &mut Interfaces,
    holdings: &Holdings,
    act: &mut impl FnMut(Action),
) {
    let before = entry.state;
    let known = match before {
        State::Impossible { known } | State::Asked { known } => known,
        State::There { used, .. } => used,
        State::Refused | State::Taken => false,
    };
    let base = interfaces.by_name(&entry.device.base).cloned();
    let there = interfaces.by_name(&entry.device.name).cloned();
    entry.state = match (base, there) {
        (Some(base), Some(there)) if entry.fits(&there, &base) => {
            let vrf = interfaces.vrf_of(&base);
            let set_up = match before {
                // It is what we asked for: the host has set it up, or is about to.
                State::Asked { .. } => true,
                State::There {
                    index, vrf: old, ..
                } => (index, old) == (there.index, vrf),
                State::Impossible { .. } | State::Refused | State::Taken => false,
            };
            if !set_up {
                act(Action::Device(DeviceAction::SetUp {
                    interface: there.index,
                    base: base.index,
                    vrf,
                    device: Arc::clone(&entry.device),
                }));
            }
            let used = known
                || there.usable
                // Without its base it is not ours to wait for.
                || !base.usable;
            State::There {
                index: there.index,
                vrf,
                used,
            }
        }
        (_, Some(_)) => State::Taken,
        (Some(base), None) if base.usable => match before {
            State::Asked { .. } | State::Refused => before,
            State::Impossible { .. } | State::There { .. } | State::Taken => {
                act(Action::Device(DeviceAction::Create {
                    base: base.index,
                    vrf: interfaces.vrf_of(&base),
                    device: Arc::clone(&entry.device),
                }));
                State::Asked { known }
            }
        },
        (_, None) => State::Impossible { known },
    };
    if entry.index().is_none() {
        entry.carried = None;
    } else if let (State::There { index, .. }, State::There { index: old, .. }) =
        (entry.state, before)
        && index != old
    {
        entry.carried = None;
    }
    if entry.device.speaks_for_base {
        let base = &entry.device.base;
        let managed = |prefix| holdings.is_managed(base, prefix);
        entry.address = interfaces
            .source(base, Family::V6, managed)
            .and_then(|source| Prefix::new(source, LINK_LOCAL_LENGTH).ok());
    }
    carry(entry, interfaces, act);
}

/// Puts the device's own address on it, in place of the one before.
fn carry(entry: &mut Entry, interfaces: &mut Interfaces, act: &mut impl FnMut(Action)) {
    let Some(interface) = entry.index() else {
        return;
    };
    if let Some(old) = entry.carried
        && entry.address != Some(old)
    {
        entry.carried = None;
        if interfaces.address_gone(interface, old) {
            act(Action::RemoveAddress {
                interface,
                address: entry.as_virtual(old),
            });
        }
    }
    let Some(prefix) = entry.address else { return };
    if !interfaces.has_address(interface, prefix) {
        interfaces.address_present(InterfaceAddress {
            interface,
            prefix,
            tentative: false,
        });
        act(Action::AddAddress {
            interface,
            address: entry.as_virtual(prefix),
        });
    }
    entry.carried = Some(prefix);
}

#[cfg(test)]
mod tests;
