//! The addresses that we want the kernel to hold, and the difference to what it does hold.
//!
//! Wanted is a multiset: a reload claims for the new settings before it lets go of the old ones, so an address that
//! is in both, or moves from one instance to another, is never touched. What the kernel has is in
//! [`Interfaces`](crate::interfaces::Interfaces). Start, reload, take-over and clean-up all end in one of the two functions below.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use types::{Family, IfIndex, IfName, Instant, Prefix};

use crate::action::Action;
use crate::interfaces::{InterfaceAddress, Interfaces};
use crate::settings::VirtualAddress;

type Key = (IfName, Prefix);

/// The wanted addresses, and all that we are responsible for.
#[derive(Debug, Default)]
pub(crate) struct Holdings {
    wanted: BTreeMap<Key, Wanted>,
    /// Every address that some instance would hold as master: none of our host's own.
    managed: BTreeMap<IfName, BTreeSet<Prefix>>,
    /// Addresses that the last settings let go of, and how long the kernel may still tell of our adding them.
    let_go: BTreeSet<Key>,
    let_go_until: Option<Instant>,
}

/// The kernel tells of a new IPv6 address a little later. What we have removed since is not there, whatever it says.
const ECHO: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Wanted {
    claims: u32,
    address: Arc<VirtualAddress>,
}

/// The prefix that the kernel knows the address under: with a peer, the local address stands alone.
pub(crate) fn kernel_prefix(address: &VirtualAddress) -> Prefix {
    match address.peer {
        Some(peer) => {
            Prefix::new(address.prefix.address(), peer.length()).unwrap_or(address.prefix)
        }
        None => address.prefix,
    }
}

fn key(address: &VirtualAddress) -> Key {
    (address.interface, kernel_prefix(address))
}

impl Holdings {
    /// Declares which addresses are ours to add and remove.
    pub(crate) fn manage<'a>(&mut self, addresses: impl Iterator<Item = &'a Arc<VirtualAddress>>) {
        self.managed.clear();
        for address in addresses {
            self.managed
                .entry(address.interface)
                .or_default()
                .insert(kernel_prefix(address));
        }
    }

    /// New settings have no use for these any more.
    pub(crate) fn let_go<'a>(
        &mut self,
        now: Instant,
        addresses: impl Iterator<Item = &'a Arc<VirtualAddress>>,
    ) {
        self.let_go = addresses.map(|address| key(address)).collect();
        self.let_go_until = Some(now + ECHO);
    }

    /// Whether a word about an address may be the echo of our own request, overtaken by our next one.
    pub(crate) fn may_be_echo(&self, now: Instant, interface: &IfName, prefix: Prefix) -> bool {
        self.is_managed(interface, prefix)
            || (self.let_go_until.is_some_and(|until| now < until)
                && self.let_go.contains(&(*interface, prefix)))
    }

    /// Whether some instance would hold this address as master.
    pub(crate) fn is_managed(&self, interface: &IfName, prefix: Prefix) -> bool {
        self.managed
            .get(interface)
            .is_some_and(|prefixes| prefixes.contains(&prefix))
    }

    /// The same, whatever the prefix length.
    pub(crate) fn is_managed_address(&self, interface: &IfName, address: IpAddr) -> bool {
        let of_any_length = Prefix::shortest(address)..=Prefix::host(address);
        self.managed
            .get(interface)
            .is_some_and(|prefixes| prefixes.range(of_any_length).next().is_some())
    }

    /// The wanted address behind a kernel address, if there is one.
    pub(crate) fn wanted(
        &self,
        interface: &IfName,
        prefix: Prefix,
    ) -> Option<&Arc<VirtualAddress>> {
        self.wanted
            .get(&(*interface, prefix))
            .map(|wanted| &wanted.address)
    }

    /// Wants one more claim on an address; yields what there is to do for it.
    pub(crate) fn claim(
        &mut self,
        address: &Arc<VirtualAddress>,
        kernel: &mut Interfaces,
    ) -> AddressChanges {
        let wanted = self.wanted.entry(key(address)).or_insert_with(|| Wanted {
            claims: 0,
            address: Arc::clone(address),
        });
        wanted.claims += 1;
        let replaced = (wanted.address != *address)
            .then(|| core::mem::replace(&mut wanted.address, Arc::clone(address)));
        let Some(index) = kernel
            .by_name(&address.interface)
            .map(|interface| interface.index)
        else {
            return AddressChanges::NONE;
        };
        let prefix = kernel_prefix(address);
        // Adding does not change the label or the lifetime of an address that is there: it must go first.
        let remove = match replaced {
            Some(old) if kernel.address_gone(index, prefix) => Some(Action::RemoveAddress {
                interface: index,
                address: old,
            }),
            _ => None,
        };
        let add = (!kernel.has_address(index, prefix)).then(|| {
            note_present(kernel, index, address);
            Action::AddAddress {
                interface: index,
                address: Arc::clone(address),
            }
        });
        AddressChanges {
            first: remove,
            second: add,
        }
    }

    /// Adds a wanted address that the kernel has lost.
    pub(crate) fn put_back(
        &self,
        index: IfIndex,
        address: &Arc<VirtualAddress>,
        kernel: &mut Interfaces,
    ) -> Option<Action> {
        let address = &self.wanted.get(&key(address))?.address;
        if kernel.has_address(index, kernel_prefix(address)) {
            return None;
        }
        note_present(kernel, index, address);
        Some(Action::AddAddress {
            interface: index,
            address: Arc::clone(address),
        })
    }

    /// Withdraws one claim; yields the removal when it was the last one and the address is there.
    pub(crate) fn release(
        &mut self,
        address: &Arc<VirtualAddress>,
        kernel: &mut Interfaces,
    ) -> Option<Action> {
        let key = key(address);
        let wanted = self.wanted.get_mut(&key)?;
        wanted.claims -= 1;
        if wanted.claims > 0 {
            return None;
        }
        let held = self.wanted.remove(&key)?.address;
        remove_if_present(&held, kernel)
    }

    /// Removals of what we hold on an interface that has just got another name: it is not there that it is wanted.
    pub(crate) fn leave_renamed(
        &self,
        index: IfIndex,
        before: &IfName,
        kernel: &mut Interfaces,
    ) -> Vec<Action> {
        let there = self.wanted.iter().filter(|((name, _), _)| name == before);
        there
            .filter(|((_, prefix), _)| kernel.address_gone(index, *prefix))
            .map(|(_, wanted)| Action::RemoveAddress {
                interface: index,
                address: Arc::clone(&wanted.address),
            })
            .collect()
    }

    /// A removal for an address that is there although nobody wants it: what a dead predecessor left behind.
    pub(crate) fn sweep(
        &self,
        address: &Arc<VirtualAddress>,
        kernel: &mut Interfaces,
    ) -> Option<Action> {
        if self.wanted.contains_key(&key(address)) {
            return None;
        }
        remove_if_present(address, kernel)
    }
}

/// Up to two actions, in order.
#[derive(Debug)]
pub(crate) struct AddressChanges {
    first: Option<Action>,
    second: Option<Action>,
}

impl AddressChanges {
    const NONE: Self = Self {
        first: None,
        second: None,
    };
}

impl IntoIterator for AddressChanges {
    type Item = Action;
    type IntoIter =
        core::iter::Chain<core::option::IntoIter<Action>, core::option::IntoIter<Action>>;

    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter().chain(self.second)
    }
}

/// What we have asked the kernel for counts as there: it tells nobody else about our own changes before we have
/// asked for the next one. What the kernel is to look for on the link is not ours until it says so.
fn note_present(kernel: &mut Interfaces, interface: IfIndex, address: &VirtualAddress) {
    kernel.address_present(InterfaceAddress {
        interface,
        prefix: kernel_prefix(address),
        tentative: address.dad && address.prefix.family() == Family::V6,
    });
}

fn remove_if_present(address: &Arc<VirtualAddress>, kernel: &mut Interfaces) -> Option<Action> {
    let index = kernel.by_name(&address.interface)?.index;
    kernel
        .address_gone(index, kernel_prefix(address))
        .then(|| Action::RemoveAddress {
            interface: index,
            address: Arc::clone(address),
        })
}
