//! What an instance depends on, looked at as a whole: its interface, its source, its faults and its priority.

use core::net::IpAddr;

use types::{Family, Instant, Priority};

use crate::action::{Announced, Event};
use crate::instance::{Instance, Shared};
use crate::state::{State, Telling};
use crate::track::{self, Faults};
use crate::vrrp::Vrrp;

impl Vrrp {
    /// Looks at everything that an instance depends on, and draws the consequences.
    pub(crate) fn reassess(&mut self, id: usize, now: Instant) {
        self.assess(id, now);
        self.settle(id, now);
        self.arm(id);
    }

    /// Recomputes interface, source, faults and priority of an instance.
    pub(crate) fn assess(&mut self, id: usize, now: Instant) {
        let Some(instance) = self.instances.get_mut(id) else {
            return;
        };
        let shared = &mut self.shared;
        let tracking = track::look(&instance.settings, &shared.interfaces, &self.verdicts);
        let settings = &instance.settings;
        let interface = settings
            .interface
            .as_ref()
            .and_then(|name| shared.interfaces.by_name(name));
        let usable = interface.is_some_and(|interface| interface.usable);
        instance.interface = interface.map(|interface| interface.index);
        let source = match settings.mcast_src_ip {
            Some(configured) => {
                let own = settings.interface.as_ref();
                (!settings.track_src_ip || shared.interfaces.is_source_somewhere(own, configured))
                    .then_some(configured)
            }
            None => Self::own_source(instance, shared),
        };
        let elsewhere = settings.interface.is_none();
        let faults = Faults {
            trackers: tracking.failed,
            interface_down: !usable && !settings.dont_track_primary && !elsewhere,
            no_source: source.is_none() || (interface.is_none() && !elsewhere),
            duplicate_vrid: self.clashes.concerns(id),
            config_error: settings
                .unicast
                .as_deref()
                .is_some_and(|unicast| unicast.peers.is_empty()),
            scripts_pending: tracking.pending,
        };
        let before = core::mem::replace(&mut instance.faults, faults);
        if source != instance.source {
            instance.source = source;
            instance.forget_message();
        }
        let name = &instance.name;
        if faults.config_error && !before.config_error {
            shared.report(name, Event::NoPeers);
        }
        if let Some(address) = instance.settings.mcast_src_ip
            && source.is_none()
        {
            if !before.no_source {
                shared.report(name, Event::SourceGone { address });
            }
        } else if let Some(interface) = &instance.settings.interface {
            let (interface, family) = (*interface, instance.settings.family);
            if faults.interface_down && !before.interface_down {
                shared.report(name, Event::InterfaceDown { interface });
            } else if faults.no_source && !faults.interface_down && !before.no_source {
                shared.report(name, Event::NoSourceAddress { interface, family });
            }
        }
        if !instance.owner_lowered {
            instance.set_priority(
                track::effective_priority(instance.settings.priority, tracking.adjustment),
                now,
                shared,
            );
        }
    }

    /// The address of its interface that an instance sends from.
    fn own_source(instance: &Instance, shared: &Shared) -> Option<IpAddr> {
        let name = instance.settings.interface.as_ref()?;
        // A source that is still good is kept: the others know us by it. Over IPv6 the rule alone decides, so that a router
        // that starts anew is known by the same one.
        if let Some(current) = instance.source
            && instance.settings.family == Family::V4
            && shared.interfaces.is_usable_source(name, current)
            && !shared.holdings.is_managed_address(name, current)
        {
            return Some(current);
        }
        let managed = |prefix| shared.holdings.is_managed(name, prefix);
        let family = instance.settings.family;
        shared.interfaces.source(name, family, managed)
    }
}

impl Instance {
    /// A new effective priority: told, sent with the next advert, and taken into account by a backup's timer.
    fn set_priority(&mut self, priority: Priority, now: Instant, shared: &mut Shared) {
        if priority == self.effective {
            return;
        }
        let from = core::mem::replace(&mut self.effective, priority);
        self.forget_message();
        shared.report(&self.name, Event::PriorityChanged { from, to: priority });
        let master_down = self.master_down();
        if let State::Backup(backup) = &mut self.state {
            // The silence so far counts: only the end of the wait moves.
            let started = backup.master_down_at.before(backup.master_down);
            backup.master_down_at = (started + master_down).max(now);
            backup.master_down = master_down;
        }
        if self.settings.notify_priority_changes {
            let what = if self.is_master() {
                Announced::MasterPriority
            } else {
                Announced::BackupPriority
            };
            self.tell(what, Telling::Tell, shared);
        }
    }
}
