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
    instances: BTreeMap<String, Old>,
    held: Vec<(IfName, Prefix)>,
}

#[derive(Debug)]
struct Old {
    settings: InstanceSettings,
    state: StateName,
    deadline: Option<Instant>,
    group: Vec<String>,
}

impl Before {
    /// Looks at everything.
    #[must_use]
    pub(crate) fn look(vrrp: &Vrrp, kernel: &Kernel) -> Self {
        let old = |view: InstanceView<'_>| Old {
            settings: view.settings.clone(),
            state: view.state,
            deadline: view.deadline,
            group: group_of(vrrp, &view.settings.name),
        };
        let held = virtual_addresses(kernel).collect::<Vec<_>>();
        Self {
            instances: vrrp
                .instances()
                .map(|view| (view.settings.name.clone(), old(view)))
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
        let old = self.instances.get(&view.settings.name)?;
        (old.settings == *view.settings).then_some(old)
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
        let group = group_of(vrrp, name);
        let members = || {
            vrrp.instances()
                .filter(|one| group.contains(&one.settings.name))
        };
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

/// The other members of an instance's group with it; it alone if it is in none.
fn group_of(vrrp: &Vrrp, name: &str) -> Vec<String> {
    let group = vrrp.groups().find(|group| group.members.contains(&name));
    let members = group.map_or_else(|| vec![name], |group| group.members);
    members.into_iter().map(str::to_owned).collect()
}

const fn is_faulty(view: &InstanceView<'_>) -> bool {
    view.tracker_faults > 0 || view.interface_down || view.no_source || view.config_error
}
