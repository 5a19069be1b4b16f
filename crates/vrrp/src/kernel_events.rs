//! What the kernel tells about interfaces and addresses, and what follows from it.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

use types::{IfIndex, IfName, Instant, Prefix};

use crate::action::{Action, Event};
use crate::holdings::kernel_prefix;
use crate::instance::Queued;
use crate::interfaces::{Interface, InterfaceAddress};
use crate::vrrp::Vrrp;

impl Vrrp {
    /// Everything that the kernel has, read afresh: at start, and after notifications were lost.
    pub fn handle_snapshot(
        &mut self,
        now: Instant,
        interfaces: Vec<Interface>,
        addresses: Vec<InterfaceAddress>,
    ) {
        // First all facts, then their consequences: what we do about one must not be undone by an older word about
        // another.
        let known: Vec<(IfIndex, IfName)> = self
            .shared
            .interfaces
            .all()
            .map(|interface| (interface.index, interface.name))
            .collect();
        let mut changed = Vec::new();
        for (index, name) in known {
            if !interfaces.iter().any(|interface| interface.index == index) {
                self.shared.interfaces.gone(index);
                self.shared.pace.forget_interface(index);
                changed.push(name);
            }
        }
        for interface in interfaces {
            let name = interface.name;
            let before = self
                .shared
                .interfaces
                .by_index(interface.index)
                .map(|known| known.name);
            if self.shared.interfaces.present(interface) {
                changed.extend(before.filter(|before| *before != name));
                changed.push(name);
            }
        }
        let there: BTreeSet<(IfIndex, Prefix)> = addresses
            .iter()
            .map(|address| (address.interface, address.prefix))
            .collect();
        let lost: Vec<(IfIndex, Prefix)> = self
            .shared
            .interfaces
            .all_addresses()
            .filter(|known| !there.contains(known))
            .collect();
        for (index, prefix) in &lost {
            self.shared.interfaces.address_gone(*index, *prefix);
        }
        let mut found = Vec::new();
        for address in addresses {
            if self.shared.interfaces.address_present(address) {
                found.push((address.interface, address.prefix));
            }
        }
        for name in changed {
            self.interface_changed(now, &name);
        }
        for (index, prefix) in lost {
            self.address_was_lost(now, index, prefix);
        }
        for (index, prefix) in found {
            self.source_may_have_changed(now, index, prefix);
        }
    }

    /// An interface appeared or changed.
    pub fn handle_interface(&mut self, now: Instant, interface: Interface) {
        let before = self
            .shared
            .interfaces
            .by_index(interface.index)
            .map(|known| known.name);
        let name = interface.name;
        if !self.shared.interfaces.present(interface) {
            return;
        }
        if let Some(renamed) = before.filter(|before| *before != name) {
            self.interface_changed(now, &renamed);
        }
        self.interface_changed(now, &name);
    }

    /// An interface was deleted. Its addresses went with it.
    pub fn handle_interface_gone(&mut self, now: Instant, index: IfIndex) {
        let Some(name) = self
            .shared
            .interfaces
            .by_index(index)
            .map(|interface| interface.name)
        else {
            return;
        };
        if self.shared.interfaces.gone(index) {
            self.shared.pace.forget_interface(index);
            self.interface_changed(now, &name);
        }
    }

    fn interface_changed(&mut self, now: Instant, name: &IfName) {
        self.reassess_all(now, |instance| {
            instance.settings.is_on(name)
                || instance
                    .settings
                    .track_interface
                    .iter()
                    .any(|tracked| tracked.interface == *name)
                || instance.settings.track_src_ip
        });
        self.restore_addresses(name);
        self.restore_static_addresses(name);
        self.restore_routes(name);
        self.update_listeners();
    }

    /// Puts back what a master holds on an interface that was re-created, or came up again, without it.
    fn restore_addresses(&mut self, name: &IfName) {
        let Some(index) = self
            .shared
            .interfaces
            .by_name(name)
            .map(|interface| interface.index)
        else {
            return;
        };
        for instance in self
            .instances
            .iter()
            .filter(|instance| instance.is_master())
        {
            for address in instance
                .addresses()
                .filter(|address| address.interface == *name)
            {
                if self
                    .shared
                    .interfaces
                    .has_address(index, kernel_prefix(address))
                {
                    continue;
                }
                self.shared.interfaces.address_present(InterfaceAddress {
                    interface: index,
                    prefix: kernel_prefix(address),
                    tentative: false,
                });
                self.shared
                    .queue
                    .push_back(Queued::Action(Action::AddAddress {
                        interface: index,
                        address: Arc::clone(address),
                    }));
            }
        }
    }

    /// Somebody added an address, or it left the tentative state.
    ///
    /// What concerns a virtual address is ignored: it may be the echo of our own request, overtaken by our next one, and
    /// an address that is there when we add it is no error. Only [`handle_snapshot`](Self::handle_snapshot) is believed.
    pub fn handle_address(&mut self, now: Instant, address: InterfaceAddress) {
        let interface = self.shared.interfaces.by_index(address.interface);
        let managed = interface.is_some_and(|interface| {
            self.shared
                .holdings
                .is_managed(&interface.name, address.prefix)
        });
        if !managed {
            self.take_address(now, address);
        }
    }

    fn take_address(&mut self, now: Instant, address: InterfaceAddress) {
        if self.shared.interfaces.address_present(address) {
            self.shared.address_is_there(address.prefix.address());
            self.source_may_have_changed(now, address.interface, address.prefix);
        }
    }

    /// Somebody, not we, removed an address. The host must leave out the echo of our own removals.
    pub fn handle_address_gone(&mut self, now: Instant, interface: IfIndex, prefix: Prefix) {
        if self.shared.interfaces.address_gone(interface, prefix) {
            self.address_was_lost(now, interface, prefix);
        }
    }

    fn address_was_lost(&mut self, now: Instant, interface: IfIndex, prefix: Prefix) {
        let Some(name) = self
            .shared
            .interfaces
            .by_index(interface)
            .map(|interface| interface.name)
        else {
            return;
        };
        self.shared.routing.address_went(prefix.address());
        if self.static_address_lost(now, &name, prefix) {
            return;
        }
        if self.shared.holdings.wanted(&name, prefix).is_some() {
            self.address_lost(now, &name, prefix);
        } else {
            self.source_may_have_changed(now, interface, prefix);
        }
    }

    /// The kernel refused an address that we asked it to add; the host has said why.
    pub fn handle_address_refused(&mut self, interface: IfIndex, prefix: Prefix) {
        self.shared.interfaces.address_gone(interface, prefix);
    }

    /// The prefix under which the kernel will speak of a virtual address.
    #[must_use]
    pub fn kernel_prefix(address: &crate::settings::VirtualAddress) -> Prefix {
        kernel_prefix(address)
    }

    fn address_lost(&mut self, now: Instant, interface: &IfName, prefix: Prefix) {
        let holder = self.instances.iter().position(|instance| {
            instance.is_master()
                && instance.addresses().any(|address| {
                    !address.no_track
                        && address.interface == *interface
                        && kernel_prefix(address) == prefix
                })
        });
        let Some(id) = holder else { return };
        if let Some(instance) = self.instances.get(id) {
            let name = Arc::clone(&instance.name);
            self.shared.report(
                &name,
                Event::AddressLost {
                    address: prefix,
                    interface: *interface,
                },
            );
        }
        self.leave_after_loss(id, now);
    }

    fn source_may_have_changed(&mut self, now: Instant, index: IfIndex, prefix: Prefix) {
        let Some(name) = self
            .shared
            .interfaces
            .by_index(index)
            .map(|interface| interface.name)
        else {
            return;
        };
        if self.shared.holdings.is_managed(&name, prefix) {
            return;
        }
        self.reassess_all(now, |instance| {
            let settings = &instance.settings;
            settings.is_on(&name)
                || (settings.track_src_ip && settings.mcast_src_ip == Some(prefix.address()))
        });
    }
}
