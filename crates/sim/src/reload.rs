//! What a reload must not do: it does not concern who did not change, and leaves alone what is wanted before and after.

use std::collections::BTreeMap;

use types::{IfName, Instant, Prefix};
use vrrp::settings::InstanceSettings;
use vrrp::{InstanceView, StateName, Vrrp};

use crate::kernel::Kernel;
use crate::oracles::{Violation, Watch, virtual_addresses};

/// Unchanged masters neither speak, nor wait, nor leave.
pub const RELOAD_IS_INVISIBLE: &str = "a reload does not concern who did not change";
/// Addresses in both configurations stay where they are.
pub const ADDRESSES_STAY: &str =
    "a reload does not touch an address that is wanted before and after";

/// A process as it was before it was given new settings.
#[derive(Debug)]
pub(crate) struct Before {
    /// By VRID: an instance may have another name afterwards.
    instances: BTreeMap<u8, Old>,
    held: Vec<(IfName, Prefix)>,
}

#[derive(Debug)]
struct Old {
    settings: InstanceSettings,
    state: StateName,
    deadline: Option<Instant>,
    /// VRIDs of its group.
    group: Vec<u8>,
}

impl Before {
    /// Looks at everything.
    #[must_use]
    pub(crate) fn look(vrrp: &Vrrp, kernel: &Kernel) -> Self {
        let old = |view: InstanceView<'_>| Old {
            settings: view.settings.clone(),
            state: view.state,
            deadline: view.deadline,
            group: group_of(vrrp, &view),
        };
        let held = virtual_addresses(kernel).collect::<Vec<_>>();
        Self {
            instances: vrrp
                .instances()
                .map(|view| (view.settings.vrid.get(), old(view)))
                .collect(),
            held: kernel
                .nics()
                .flat_map(|nic| nic.addresses().map(|prefix| (nic.name, prefix)))
                .filter(|(_, prefix)| held.contains(prefix))
                .collect(),
        }
    }

    /// Looks again, after everything that the new settings brought about has been carried out.
    pub(crate) fn check(&self, watch: &Watch, vrrp: &Vrrp) -> Result<(), Violation> {
        // Who does not know what the kernel has may well be mistaken about what is there.
        if watch.behind || watch.reading {
            return Ok(());
        }
        for view in vrrp.instances() {
            if let Some(old) = self.unchanged(&view) {
                self.check_instance(old, &view, watch, vrrp)?;
            }
        }
        for view in vrrp
            .instances()
            .filter(|view| view.state == StateName::Master)
        {
            for address in view.settings.addresses() {
                let prefix = Vrrp::kernel_prefix(address);
                let was_held = self.held.contains(&(address.interface, prefix));
                if was_held && watch.was_touched(prefix) {
                    return Err(Violation::new(ADDRESSES_STAY, prefix.to_string()));
                }
            }
        }
        Ok(())
    }

    fn unchanged(&self, view: &InstanceView<'_>) -> Option<&Old> {
        let old = self.instances.get(&view.settings.vrid.get())?;
        let renamed = InstanceSettings {
            name: view.settings.name.clone(),
            ..old.settings.clone()
        };
        (renamed == *view.settings).then_some(old)
    }

    /// Who is called something else now: what it was, and what it is. The same router goes on.
    pub(crate) fn renamed<'a>(
        &'a self,
        vrrp: &'a Vrrp,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        vrrp.instances().filter_map(|view| {
            let old = self.instances.get(&view.settings.vrid.get())?;
            // With peers it is another router than without.
            let same = old.settings.unicast.is_some() == view.settings.unicast.is_some();
            let (before, after) = (&old.settings.name, &view.settings.name);
            (same && before != after).then_some((before.as_str(), after.as_str()))
        })
    }

    fn check_instance(
        &self,
        old: &Old,
        view: &InstanceView<'_>,
        watch: &Watch,
        vrrp: &Vrrp,
    ) -> Result<(), Violation> {
        let name = view.settings.name.as_str();
        let broken = |what: &str| {
            let (before, after) = (old.state.word(), view.state.word());
            let detail = format!("{name}, {before} before and {after} after: {what}");
            Err(Violation::new(RELOAD_IS_INVISIBLE, detail))
        };
        let group = group_of(vrrp, view);
        let is_member = |one: &InstanceView<'_>| group.contains(&one.settings.vrid.get());
        let members = || vrrp.instances().filter(is_member);
        // A faulty member is everybody's fault, whether a reload brought it or the time.
        if old.state == StateName::Fault || members().any(|one| is_faulty(&one)) {
            return Ok(());
        }
        if old.state == StateName::Master {
            if view.state != StateName::Master {
                return broken("it left MASTER");
            }
            if watch.has_advertised(name) {
                return broken("it sent an advert");
            }
            if view.deadline != old.deadline {
                return broken("its next advert has another time");
            }
        }
        let same_company =
            group == old.group && members().all(|one| self.unchanged(&one).is_some());
        if same_company && (view.state != old.state || view.deadline != old.deadline) {
            return broken("nothing about its group had changed");
        }
        Ok(())
    }
}

/// The VRIDs of an instance's group in the order of its list; its own if it is in none.
fn group_of(vrrp: &Vrrp, view: &InstanceView<'_>) -> Vec<u8> {
    let name = view.settings.name.as_str();
    let Some(group) = vrrp.groups().find(|group| group.members.contains(&name)) else {
        return vec![view.settings.vrid.get()];
    };
    let vrid_of = |member: &&str| {
        let mut all = vrrp.instances();
        let found = all.find(|one| one.settings.name == *member);
        found.map(|one| one.settings.vrid.get())
    };
    group.members.iter().filter_map(vrid_of).collect()
}

const fn is_faulty(view: &InstanceView<'_>) -> bool {
    view.tracker_faults > 0 || view.interface_down || view.no_source || view.config_error
}
