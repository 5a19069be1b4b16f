//! What an instance depends on, looked at as a whole: its interface, its source, its faults and its priority.

use core::net::IpAddr;

use types::{Family, IfIndex, IfName, Instant, Prefix, Priority};

use crate::action::{Announced, Culprit, Event};
use crate::devices::LINK_LOCAL_LENGTH;
use crate::instance::{Instance, Queued, Shared};
use crate::settings::{InstanceSettings, VirtualInterfaceKind};
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
        let tracking = track::look(
            &instance.settings,
            &shared.interfaces,
            &shared.devices,
            &self.verdicts,
            &self.watched,
        );
        let adjustment = tracking.adjustment;
        let was_good = instance.faults.trackers == 0;
        let culprit = tracking.culprit.filter(|_| was_good).map(Culprit::from);
        let settings = &instance.settings;
        let ground = Ground::of(settings, shared);
        instance.interface = ground.sends_on;
        instance.base = ground.base;
        instance.device = ground.device;
        let source = match settings.mcast_src_ip {
            Some(configured) => {
                let own = settings.interface.as_ref();
                (!settings.track_src_ip || shared.interfaces.is_source_somewhere(own, configured))
                    .then_some(configured)
            }
            None => Self::own_source(instance, shared),
        };
        let counts = !settings.dont_track_primary;
        let faults = Faults {
            trackers: tracking.failed,
            interface_down: ground.down && counts,
            base_down: ground.base_down.is_some() && counts,
            no_source: source.is_none() || (ground.sends_on.is_none() && !ground.anywhere),
            duplicate_vrid: self.clashes.concerns(id),
            config_error: config_error(settings, shared).is_some(),
            pending: tracking.pending + u32::from(ground.awaited),
        };
        let before = core::mem::replace(&mut instance.faults, faults);
        if source != instance.source {
            instance.source = source;
            instance.forget_message();
        }
        give_device_its_address(instance, shared);
        let name = &instance.name;
        if let Some(culprit) = culprit {
            shared.report(name, Event::TrackerFailed(culprit));
        }
        if let Some(event) = config_error(&instance.settings, shared)
            && !before.config_error
        {
            shared.report(name, event);
        }
        if let Some(interface) = ground.base_down
            && faults.base_down
            && !before.base_down
        {
            shared.report(name, Event::BaseDown { interface });
        }
        if let Some(address) = instance.settings.mcast_src_ip
            && source.is_none()
        {
            if !before.no_source {
                shared.report(name, Event::SourceGone { address });
            }
        } else if let Some(interface) = ground.named {
            let family = instance.settings.family;
            if faults.interface_down && !before.interface_down {
                shared.report(name, Event::InterfaceDown { interface });
            } else if faults.no_source && !faults.interface_down && !before.no_source {
                shared.report(name, Event::NoSourceAddress { interface, family });
            }
        }
        if !instance.owner_lowered {
            instance.set_priority(
                track::effective_priority(instance.settings.priority, adjustment),
                now,
                shared,
            );
        }
    }

    /// The address of its interface that an instance sends from.
    fn own_source(instance: &Instance, shared: &Shared) -> Option<IpAddr> {
        let settings = &instance.settings;
        let device = settings.virtual_interface.as_deref();
        let name = match device.map(|device| (device.kind, &device.name)) {
            // A macvlan speaks in the name of the interface below; an ipvlan in its own.
            Some((VirtualInterfaceKind::Ipvlan { .. }, own)) => own,
            Some((VirtualInterfaceKind::Macvlan { .. }, _)) | None => {
                settings.interface.as_ref()?
            }
        };
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

/// What an instance stands on.
struct Ground {
    /// The interface that it is configured on.
    base: Option<IfIndex>,
    /// Its own device.
    device: Option<IfIndex>,
    /// The interface that adverts leave by.
    sends_on: Option<IfIndex>,
    /// It has none of all that: adverts go wherever routes lead.
    anywhere: bool,
    /// What it runs on cannot be used.
    down: bool,
    /// The interface below that cannot be used.
    base_down: Option<IfName>,
    /// Its device is still being made.
    awaited: bool,
    /// What to call it in messages.
    named: Option<IfName>,
}

impl Ground {
    fn of(settings: &InstanceSettings, shared: &Shared) -> Self {
        let interfaces = &shared.interfaces;
        let index = |name: Option<&IfName>| Some(interfaces.by_name(name?)?.index);
        let unusable = |name: &&IfName| !interfaces.usable(name);
        let Some(configured) = &settings.interface else {
            let vrf = settings.vrf.as_ref();
            return Self {
                base: None,
                device: None,
                sends_on: index(vrf),
                anywhere: vrf.is_none(),
                down: vrf.filter(unusable).is_some(),
                base_down: None,
                awaited: false,
                named: vrf.cloned(),
            };
        };
        let base = index(Some(configured));
        let Some(own) = settings.virtual_interface.as_deref() else {
            let below = interfaces.below(configured);
            let below = below.filter(|below| !interfaces.usable(&below.name));
            return Self {
                base,
                device: None,
                sends_on: base,
                anywhere: false,
                down: !interfaces.usable(configured),
                base_down: below.map(|below| below.name),
                awaited: false,
                named: Some(*configured),
            };
        };
        let awaited = shared.devices.is_awaited(&own.name);
        let device = index(Some(&own.name)).filter(|_| !shared.devices.is_taken(&own.name));
        let sends_on = if own.transmit_on_base { base } else { device };
        Self {
            base,
            device,
            // Whoever waits for its device has a way out, and does not use it.
            sends_on: if awaited { sends_on.or(base) } else { sends_on },
            anywhere: false,
            down: !awaited && (device.is_none() || !interfaces.usable(&own.name)),
            base_down: Some(configured).filter(unusable).cloned(),
            awaited,
            named: Some(own.name),
        }
    }
}

/// What makes an instance useless whatever happens.
fn config_error(settings: &InstanceSettings, shared: &Shared) -> Option<Event> {
    if let Some(why) = &settings.unusable {
        return Some(Event::Unusable { why: why.clone() });
    }
    if let Some(own) = &settings.virtual_interface
        && shared.devices.is_taken(&own.name)
    {
        let device = own.name;
        return Some(Event::NameTaken { device });
    }
    let unicast = settings.unicast.as_deref();
    unicast
        .is_some_and(|unicast| unicast.peers.is_empty())
        .then_some(Event::NoPeers)
}

/// What leaves through a device needs its source there: an ipvlan has its own address, and over IPv6 a macvlan has the
/// link-local address that speaks for the interface below. Over IPv4 nobody asks.
fn give_device_its_address(instance: &Instance, shared: &mut Shared) {
    let Some(own) = instance.settings.virtual_interface.as_deref() else {
        return;
    };
    let address = match (own.kind, instance.source) {
        (VirtualInterfaceKind::Ipvlan { address, .. }, _) => address,
        (VirtualInterfaceKind::Macvlan { .. }, Some(IpAddr::V6(source)))
            if source.is_unicast_link_local() && !own.transmit_on_base =>
        {
            Prefix::new(source.into(), LINK_LOCAL_LENGTH).ok()
        }
        (VirtualInterfaceKind::Macvlan { .. }, _) => None,
    };
    let Shared {
        devices,
        interfaces,
        queue,
        ..
    } = shared;
    devices.carry(&own.name, address, interfaces, |action| {
        queue.push_back(Queued::Action(action));
    });
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
