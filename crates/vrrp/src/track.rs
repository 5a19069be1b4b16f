//! Effective priority and faults: what the tracked objects make of an instance.
//!
//! Both are functions of what is known now, computed afresh at every change. There is no counter to drift.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use types::{Priority, Weight};

use crate::interfaces::Interfaces;
use crate::script::Verdict;
use crate::settings::InstanceSettings;

/// Why an instance cannot take part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    /// How many unweighted trackers have failed.
    pub(crate) trackers: u32,
    /// Its own interface is down or missing, and that counts.
    pub(crate) interface_down: bool,
    /// It has no address to send from, or no interface at all.
    pub(crate) no_source: bool,
    /// Another instance has its VRID on its interface.
    pub(crate) duplicate_vrid: bool,
    /// Nothing that can happen makes it work: it is to talk to peers and has none.
    pub(crate) config_error: bool,
    /// How many unweighted scripts have not reported yet. No fault, but no taking part either.
    pub(crate) scripts_pending: u32,
}

impl Faults {
    /// Something is wrong.
    pub(crate) const fn any(self) -> bool {
        self.trackers > 0
            || self.interface_down
            || self.no_source
            || self.duplicate_vrid
            || self.config_error
    }

    /// Nothing is wrong, but not everything is known yet.
    pub(crate) const fn waiting(self) -> bool {
        !self.any() && self.scripts_pending > 0
    }

    /// Nothing is in the way.
    pub(crate) const fn clear(self) -> bool {
        !self.any() && self.scripts_pending == 0
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tracking {
    pub(crate) failed: u32,
    pub(crate) pending: u32,
    /// Sum of the weights that apply.
    pub(crate) adjustment: i32,
}

/// Looks at everything that the instance tracks.
pub(crate) fn look(
    settings: &InstanceSettings,
    interfaces: &Interfaces,
    scripts: &ScriptVerdicts,
) -> Tracking {
    let mut tracking = Tracking {
        failed: 0,
        pending: 0,
        adjustment: 0,
    };
    for tracked in &settings.track_interface {
        let up = if interfaces.usable(&tracked.interface) {
            Observation::Good
        } else {
            Observation::Bad
        };
        tracking.add(up.reversed_if(tracked.reverse), tracked.weight);
    }
    for tracked in &settings.track_script {
        let observation = match scripts.get(tracked.script.as_str()) {
            Some(Verdict::Good) => Observation::Good,
            Some(Verdict::Bad) => Observation::Bad,
            // A script that a reload brought in must not take a running master down before it has spoken.
            Some(Verdict::NotYet { hold: false }) => continue,
            Some(Verdict::NotYet { hold: true }) | None => Observation::NotYet,
        };
        tracking.add(observation.reversed_if(tracked.reverse), tracked.weight);
    }
    tracking
}

impl Tracking {
    fn add(&mut self, observation: Observation, weight: Weight) {
        let weight = i32::from(weight.get());
        match observation {
            Observation::Bad if weight == 0 => self.failed += 1,
            Observation::NotYet if weight == 0 => self.pending += 1,
            Observation::Good if weight > 0 => self.adjustment += weight,
            Observation::Bad if weight < 0 => self.adjustment += weight,
            Observation::Good | Observation::Bad | Observation::NotYet => {}
        }
    }
}

/// The priority that the election sees: 1 to 254, whatever the weights; an owner's never changes.
pub(crate) fn effective_priority(configured: Priority, adjustment: i32) -> Priority {
    if configured.is_owner() {
        return configured;
    }
    let total = (i32::from(configured.get()) + adjustment).clamp(1, 254);
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
            // observation, weight -> failed, pending, adjustment
            (Observation::Good, 0, (0, 0, 0)),
            (Observation::Bad, 0, (1, 0, 0)),
            (Observation::NotYet, 0, (0, 1, 0)),
            (Observation::Good, 20, (0, 0, 20)),
            (Observation::Bad, 20, (0, 0, 0)),
            (Observation::NotYet, 20, (0, 0, 0)),
            (Observation::Good, -20, (0, 0, 0)),
            (Observation::Bad, -20, (0, 0, -20)),
            (Observation::NotYet, -20, (0, 0, 0)),
        ];
        for (observation, weight, expected) in cases {
            let mut tracking = Tracking {
                failed: 0,
                pending: 0,
                adjustment: 0,
            };
            tracking.add(observation, Weight::new(weight).unwrap());
            assert_eq!(
                (tracking.failed, tracking.pending, tracking.adjustment),
                expected,
                "{observation:?} {weight}"
            );
            assert_eq!(observation.reversed_if(true).reversed_if(true), observation);
        }
    }
}
