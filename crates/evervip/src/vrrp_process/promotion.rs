//! `promote_secondaries`: with the first IPv4 address of a network on an interface the kernel removes the others, unless its
//! setting of that name tells it to make one of them the first. It is set on the interfaces of instances that ask for it, and
//! put back when none does any more.

use std::collections::BTreeSet;

use log::warn;
use sys::netlink::Event;
use sys::sysctl::{Overrides, Sysctl};
use types::{Family, IfName};
use vrrp::Vrrp;

/// The interfaces whose setting is ours.
#[derive(Debug, Default)]
pub(super) struct Promotion {
    wanted: BTreeSet<IfName>,
    held: BTreeSet<IfName>,
}

impl Promotion {
    /// New settings.
    pub(super) fn settings_change(&mut self, settings: &vrrp::Settings, sysctls: &mut Overrides) {
        // A VMAC sees to its own setting.
        let asking = settings.instances.iter().filter(|instance| {
            instance.promote_secondaries && instance.virtual_interface.is_none()
        });
        self.wanted = asking.filter_map(|instance| instance.interface).collect();
        let no_longer: Vec<IfName> = self.held.difference(&self.wanted).copied().collect();
        for interface in no_longer {
            self.held.remove(&interface);
            if let Err(problem) = sysctls.release(&setting(interface)) {
                warn!("promote_secondaries is not put back: {problem}");
            }
        }
    }

    /// Sets it on the wanted interfaces that are there and do not have it yet.
    pub(super) fn apply(&mut self, core: &Vrrp, sysctls: &mut Overrides) {
        let missing: Vec<IfName> = self.wanted.difference(&self.held).copied().collect();
        for interface in missing {
            if core.interface_index(&interface).is_none() {
                continue;
            }
            // Once for each time that the interface appears, whether it works or not.
            self.held.insert(interface);
            if let Err(problem) = sysctls.claim(&setting(interface), 1) {
                warn!(
                    "promote_secondaries is not set on {interface}, where addresses may go with the first of their network: \
                     {problem}"
                );
            }
        }
    }

    /// The kernel tells of something. A new interface begins with the defaults; [`Overrides`] is told by its owner.
    pub(super) fn hear(&mut self, event: &Event) {
        if let Event::LinkGone { name, .. } = event {
            self.held.remove(name);
        }
    }

    /// The daemon stops: everything is put back.
    pub(super) fn end(&mut self, sysctls: &mut Overrides) {
        self.settings_change(&vrrp::Settings::default(), sysctls);
    }
}

const fn setting(interface: IfName) -> Sysctl {
    Sysctl::of(Family::V4, interface, "promote_secondaries")
}
