//! What the kernel tells about interfaces and addresses, and what follows from it.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use types::{IfIndex, IfName, Instant, Prefix};

use crate::action::Event;
use crate::garp::Which;
use crate::holdings::kernel_prefix;
use crate::instance::{Queued, Shared};
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
        let mut renamed = Vec::new();
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
            let index = interface.index;
            if self.enter_interface(now, interface) {
                if let Some(before) = before.filter(|before| *before != name) {
                    renamed.push((index, before));
                    changed.push(before);
                }
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
        for (index, before) in renamed {
            self.leave_renamed(index, &before);
        }
        for name in changed {
            self.interface_changed(now, &name);
        }
        for (index, prefix) in lost {
            self.address_was_lost(now, index, prefix);
        }
        for (index, prefix) in found {
            self.address_is_ours(now, index, prefix);
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
        let (index, name) = (interface.index, interface.name);
        if !self.enter_interface(now, interface) {
            return;
        }
        if let Some(renamed) = before.filter(|before| *before != name) {
            self.leave_renamed(index, &renamed);
            self.interface_changed(now, &renamed);
        }
        self.interface_changed(now, &name);
    }

    /// Takes along what we hold on an interface that has another name now: to us, the one of the old name is gone.
    fn leave_renamed(&mut self, index: IfIndex, before: &IfName) {
        let shared = &mut self.shared;
        let removals = shared
            .holdings
            .leave_renamed(index, before, &mut shared.interfaces);
        for removal in removals {
            shared.act(removal);
        }
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

    pub(crate) fn interface_changed(&mut self, now: Instant, name: &IfName) {
        self.converge_devices(name);
        let leaning: BTreeSet<IfName> = self
            .shared
            .interfaces
            .all()
            .filter(|one| {
                let below = self.shared.interfaces.below(&one.name);
                below.is_some_and(|below| below.name == *name)
            })
            .map(|one| one.name)
            .collect();
        self.reassess_all(now, |instance| {
            instance.settings.is_on(name)
                || instance.settings.stands_on(name)
                || instance
                    .settings
                    .track_interface
                    .iter()
                    .any(|tracked| tracked.interface == *name)
                || instance.settings.track_src_ip
                || instance
                    .settings
                    .interface
                    .as_ref()
                    .is_some_and(|own| leaning.contains(own))
        });
        self.settle_clashes(now);
        self.restore_addresses(now, name);
        self.restore_static_addresses(name);
        self.restore_routes(name);
        self.update_listeners();
    }

    /// Looks at the devices that an interface concerns.
    fn converge_devices(&mut self, name: &IfName) {
        let Shared {
            devices,
            interfaces,
            holdings,
            queue,
            ..
        } = &mut self.shared;
        devices.converge_about(name, interfaces, holdings, |action| {
            queue.push_back(Queued::Action(action));
        });
    }

    /// The kernel refused a device that we asked for, or a part of it; the host has said why. It is tried again when
    /// something about the device, or the interface below, changes.
    pub fn handle_device_refused(&mut self, now: Instant, name: &IfName) {
        self.shared.devices.refused(name);
        self.reassess_all(now, |instance| {
            let mut tracked = instance.settings.track_interface.iter();
            instance.settings.stands_on(name) || tracked.any(|tracked| tracked.interface == *name)
        });
    }

    /// Puts back what masters hold on an interface that was re-created, or came up again, without it.
    fn restore_addresses(&mut self, now: Instant, name: &IfName) {
        let interfaces = &self.shared.interfaces;
        let Some(index) = interfaces.by_name(name).map(|interface| interface.index) else {
            return;
        };
        let masters = self.instances.iter().filter(|i| i.is_master());
        let missing: Vec<(usize, usize)> = masters
            .flat_map(|instance| {
                let places = instance.addresses().enumerate();
                let missing = places.filter(|(_, address)| {
                    address.interface == *name
                        && !interfaces.has_address(index, kernel_prefix(address))
                });
                missing.map(|(place, _)| (instance.id, place))
            })
            .collect();
        for (id, place) in missing {
            self.put_back(index, id, place, now);
        }
    }

    /// Somebody added an address, or it left the tentative state.
    ///
    /// What concerns a virtual address is ignored: it may be the echo of our own request, overtaken by our next one, and
    /// an address that is there when we add it is no error. Only [`handle_snapshot`](Self::handle_snapshot) is believed.
    /// One word counts: that it is no longer tentative (`-nodad`).
    pub fn handle_address(&mut self, now: Instant, address: InterfaceAddress) {
        let interface = self.shared.interfaces.by_index(address.interface);
        let managed = interface.is_some_and(|interface| {
            self.shared
                .holdings
                .may_be_echo(now, &interface.name, address.prefix)
        });
        if !managed {
            self.take_address(now, address);
        } else if !address.tentative
            && (self.shared.interfaces).is_tentative(address.interface, address.prefix)
        {
            self.shared.interfaces.address_present(address);
            self.address_is_ours(now, address.interface, address.prefix);
        }
    }

    /// Nobody else has this address: it is announced, if a master holds it.
    fn address_is_ours(&mut self, now: Instant, interface: IfIndex, prefix: Prefix) {
        let name = self.shared.interfaces.by_index(interface);
        let Some(name) = name.map(|interface| interface.name) else {
            return;
        };
        if let Some((id, place)) = self.master_with(&name, prefix)
            && let Some(instance) = self.instances.get(id)
        {
            let rounds = instance.settings.garp.master_repeat;
            instance.announce(Which::One(place), rounds, now, &mut self.shared);
            self.arm_pace();
        }
    }

    /// Duplicate address detection found that another host has this address, too. It stays on the interface, where the
    /// kernel does not use it, and is not announced.
    pub fn handle_duplicate_address(&mut self, now: Instant, address: InterfaceAddress) {
        let tentative = InterfaceAddress {
            tentative: true,
            ..address
        };
        self.handle_address(now, tentative);
        let (interface, prefix) = (address.interface, address.prefix);
        let name = self.shared.interfaces.by_index(interface);
        let Some(name) = name.map(|interface| interface.name) else {
            return;
        };
        if let Some((id, _)) = self.master_with(&name, prefix)
            && let Some(instance) = self.instances.get(id)
        {
            let event = Event::DuplicateAddress {
                address: prefix,
                interface: name,
            };
            self.shared.report(&instance.name, event);
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
            // Unless it was put back at once, adverts cannot leave from it.
            self.source_may_have_changed(now, interface, prefix);
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
        self.converge_devices(&name);
        self.reassess_all(now, |instance| {
            let settings = &instance.settings;
            settings.is_on(&name)
                || settings.stands_on(&name)
                || (settings.track_src_ip && settings.mcast_src_ip == Some(prefix.address()))
        });
    }
}
