//! Effective priority and faults: what the tracked objects make of an instance.
//!
//! Both are functions of what is known now, computed afresh at every change. There is no counter to drift.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use types::{IfName, Priority};

use crate::action::Culprit;
use crate::devices::Devices;
use crate::file::{self, Effect};
use crate::interfaces::Interfaces;
use crate::script::Verdict;
use crate::settings::{InstanceSettings, Tracked};
use crate::watched::Watched;

/// Why an instance cannot take part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    /// How many unweighted trackers have failed.
    pub(crate) trackers: u32,
    /// Its own interface is down or missing, and that counts.
    pub(crate) interface_down: bool,
    /// The interface below its own is down or missing, and that counts.
    pub(crate) base_down: bool,
    /// It has no address to send from, or no interface at all.
    pub(crate) no_source: bool,
    /// Another instance has its VRID on its interface.
    pub(crate) duplicate_vrid: bool,
    /// Nothing that can happen makes it work: it is to talk to peers and has none.
    pub(crate) config_error: bool,
    /// How many unweighted scripts have not reported yet, and how many devices are still being made. No fault, but no taking
    /// part either.
    pub(crate) pending: u32,
}

impl Faults {
    /// Something is wrong.
    pub(crate) const fn any(self) -> bool {
        self.trackers > 0
            || self.interface_down
            || self.base_down
            || self.no_source
            || self.duplicate_vrid
            || self.config_error
    }

    /// Nothing is wrong, but not everything is known yet.
    pub(crate) const fn waiting(self) -> bool {
        !self.any() && self.pending > 0
    }

    /// Nothing is in the way.
    pub(crate) const fn clear(self) -> bool {
        !self.any() && self.pending == 0
    }
}

/// What a tracked object says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Observation {
    Good,
    Bad,
    NotYet,
}

impl Observation {
    const fn of(good: bool) -> Self {
        if good { Self::Good } else { Self::Bad }
    }

    const fn reversed_if(self, reverse: bool) -> Self {
        match (self, reverse) {
            (Self::Good, true) => Self::Bad,
            (Self::Bad, true) => Self::Good,
            (same, _) => same,
        }
    }
}

/// The verdict on every script, by name.
pub(crate) type ScriptVerdicts = BTreeMap<Arc<str>, Verdict>;

/// What trackers make of an instance, apart from its own interface and source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tracking<'a> {
    pub(crate) failed: u32,
    pub(crate) pending: u32,
    /// Sum of the weights that apply.
    pub(crate) adjustment: i32,
    /// The first one that has failed.
    pub(crate) culprit: Option<Object<'a>>,
}

/// Something that is tracked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Object<'a> {
    Interface(&'a IfName),
    Script(&'a str),
    File { name: &'a str, value: i32 },
    Processes(&'a str),
    Bfd(&'a str),
}

impl From<Object<'_>> for Culprit {
    fn from(object: Object<'_>) -> Self {
        match object {
            Object::Interface(name) => Self::Interface(*name),
            Object::Script(name) => Self::Script(name.into()),
            Object::File { name, value } => Self::File {
                name: name.into(),
                value,
            },
            Object::Processes(name) => Self::Processes(name.into()),
            Object::Bfd(name) => Self::Bfd(name.into()),
        }
    }
}

/// Looks at everything that the instance tracks.
pub(crate) fn look<'a>(
    settings: &'a InstanceSettings,
    interfaces: &Interfaces,
    devices: &Devices,
    scripts: &ScriptVerdicts,
    watched: &Watched,
) -> Tracking<'a> {
    let mut tracking = Tracking::default();
    for tracked in &settings.track_interface {
        let name = &tracked.interface;
        let up = if devices.is_awaited(name) {
            Observation::NotYet
        } else if interfaces.usable(name) && !devices.is_taken(name) {
            Observation::Good
        } else {
            Observation::Bad
        };
        let object = Object::Interface(&tracked.interface);
        tracking.add(object, up, tracked.weight.get(), tracked.reverse);
    }
    for tracked in &settings.track_script {
        let observation = match scripts.get(tracked.script.as_str()) {
            Some(Verdict::Good) => Observation::Good,
            Some(Verdict::Bad) => Observation::Bad,
            // A script that a reload brought in must not take a running master down before it has spoken.
            Some(Verdict::NotYet { hold: false }) => continue,
            Some(Verdict::NotYet { hold: true }) | None => Observation::NotYet,
        };
        let object = Object::Script(&tracked.script);
        tracking.add(object, observation, tracked.weight.get(), tracked.reverse);
    }
    for Tracked {
        name,
        weight,
        reverse,
    } in &settings.track_file
    {
        let value = watched.file(name);
        match file::effect(value, weight.get(), *reverse) {
            Effect::Fault => tracking.fail(Object::File { name, value }),
            Effect::Adds(amount) => tracking.adjust(amount),
        }
    }
    for tracked in &settings.track_process {
        // As a script that a reload brought in.
        let Some(enough) = watched.has_quorum(&tracked.name) else {
            continue;
        };
        let observation = Observation::of(enough);
        let object = Object::Processes(&tracked.name);
        tracking.add(object, observation, tracked.weight.get(), tracked.reverse);
    }
    for tracked in &settings.track_bfd {
        let observation = Observation::of(watched.is_up(&tracked.name));
        let object = Object::Bfd(&tracked.name);
        tracking.add(object, observation, tracked.weight.get(), tracked.reverse);
    }
    tracking
}

impl<'a> Tracking<'a> {
    /// `reverse` turns a verdict without a weight around. With a weight it turns the sign of what is added, not the occasion:
    /// 20 and `reverse` is 20 less as long as it is good (keepalived).
    fn add(&mut self, object: Object<'a>, observation: Observation, weight: i16, reverse: bool) {
        if weight == 0 {
            match observation.reversed_if(reverse) {
                Observation::Bad => self.fail(object),
                Observation::NotYet => self.pending += 1,
                Observation::Good => {}
            }
            return;
        }
        let amount = i32::from(weight);
        let amount = if reverse { -amount } else { amount };
        match observation {
            Observation::Good if weight > 0 => self.adjust(amount),
            Observation::Bad if weight < 0 => self.adjust(amount),
            Observation::Good | Observation::Bad | Observation::NotYet => {}
        }
    }

    fn fail(&mut self, object: Object<'a>) {
        self.failed += 1;
        self.culprit.get_or_insert(object);
    }

    /// Trackers without number cannot turn the sum around.
    const fn adjust(&mut self, amount: i32) {
        self.adjustment = self.adjustment.saturating_add(amount);
    }
}

/// The priority that the election sees: 1 to 254, whatever the weights; an owner's never changes.
pub(crate) fn effective_priority(configured: Priority, adjustment: i32) -> Priority {
    if configured.is_owner() {
        return configured;
    }
    let total = i32::from(configured.get())
        .saturating_add(adjustment)
        .clamp(1, 254);
    u8::try_from(total)
        .ok()
        .and_then(|total| Priority::new(total).ok())
        .unwrap_or(configured)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priority_stays_within_1_and_254() {
        let effective = |configured, adjustment| {
            effective_priority(Priority::new(configured).unwrap(), adjustment).get()
        };
        assert_eq!(effective(100, 0), 100);
        assert_eq!(effective(100, -10), 90);
        assert_eq!(effective(100, 200), 254);
        assert_eq!(effective(100, -200), 1);
        assert_eq!(effective(254, 1), 254);
        assert_eq!(effective(255, -100), 255, "an owner stays the owner");
    }

    #[test]
    fn weights() {
        let cases = [
            // observation, weight, reverse -> failed, pending, adjustment
            (Observation::Good, 0, false, (0, 0, 0)),
            (Observation::Bad, 0, false, (1, 0, 0)),
            (Observation::NotYet, 0, false, (0, 1, 0)),
            (Observation::Good, 0, true, (1, 0, 0)),
            (Observation::Bad, 0, true, (0, 0, 0)),
            (Observation::NotYet, 0, true, (0, 1, 0)),
            (Observation::Good, 20, false, (0, 0, 20)),
            (Observation::Bad, 20, false, (0, 0, 0)),
            (Observation::NotYet, 20, false, (0, 0, 0)),
            (Observation::Good, 20, true, (0, 0, -20)),
            (Observation::Bad, 20, true, (0, 0, 0)),
            (Observation::NotYet, 20, true, (0, 0, 0)),
            (Observation::Good, -20, false, (0, 0, 0)),
            (Observation::Bad, -20, false, (0, 0, -20)),
            (Observation::NotYet, -20, false, (0, 0, 0)),
            (Observation::Good, -20, true, (0, 0, 0)),
            (Observation::Bad, -20, true, (0, 0, 20)),
            (Observation::NotYet, -20, true, (0, 0, 0)),
        ];
        for (observation, weight, reverse, expected) in cases {
            let mut tracking = Tracking::default();
            tracking.add(Object::Script("check"), observation, weight, reverse);
            assert_eq!(
                (tracking.failed, tracking.pending, tracking.adjustment),
                expected,
                "{observation:?} {weight} {reverse}"
            );
            assert_eq!(observation.reversed_if(true).reversed_if(true), observation);
        }
    }
}
