//! What the lints about virtual routers look at: the settings, and where they are written.

use vrrp::settings::{InstanceSettings, ScriptSettings, Static};

use crate::diagnostics::{Reporter, Span};
use crate::draft::{AddressDraft, GroupDraft, InstanceDraft, ScriptDraft};
use crate::machine::Machine;

use super::{addresses, passwords, priorities, reachability, scripts, sync_groups, vrids};

/// An instance that runs.
pub(crate) struct Router<'a> {
    pub(crate) settings: &'a InstanceSettings,
    pub(crate) draft: &'a InstanceDraft,
    /// Its sync group.
    pub(crate) group: Option<&'a GroupDraft>,
}

impl Router<'_> {
    pub(super) fn name(&self) -> &str {
        &self.settings.name
    }

    /// Where its priority is given, or at least the instance.
    pub(super) fn priority_span(&self) -> Span {
        let priority = self.draft.priority.as_ref();
        priority.map_or(self.draft.span, |at| at.span)
    }
}

/// Looks at everything that belongs to virtual routers. `running`: the scripts that can run and are tracked.
pub(crate) fn check(
    scripts: &[ScriptDraft],
    statics: &[Static<AddressDraft>],
    routers: &[Router<'_>],
    running: &[ScriptSettings],
    machine: &dyn Machine,
    report: &mut Reporter,
) {
    for router in routers {
        priorities::check(router, report);
        reachability::check(router, report);
    }
    passwords::check(routers, report);
    let subnets = addresses::Subnets::of(routers, machine);
    addresses::check(routers, statics, &subnets, report);
    vrids::check(routers, &subnets, report);
    sync_groups::check(routers, report);
    scripts::check_all(scripts, running, report);
}
