//! What tracked objects report, and whom it concerns.

use alloc::sync::Arc;

use types::Instant;

use crate::deadlines::Owner;
use crate::instance::Instance;
use crate::script::ScriptOutcome;
use crate::vrrp::Vrrp;

impl Vrrp {
    /// A script's run has ended, or could not begin.
    pub fn handle_script_exit(&mut self, now: Instant, script: &str, outcome: ScriptOutcome) {
        let Some(id) = self.scripts.iter().position(|known| &*known.name == script) else {
            return;
        };
        let Some(known) = self.scripts.get_mut(id) else {
            return;
        };
        let shared = &mut self.shared;
        let changed = known.handle_exit(now, outcome, |action| shared.act(action));
        self.script_served(id, changed, now);
    }

    pub(crate) fn handle_script_timeout(&mut self, id: usize, now: Instant) {
        let Some(script) = self.scripts.get_mut(id) else {
            return;
        };
        let shared = &mut self.shared;
        let changed = script.handle_timeout(now, |action| shared.act(action));
        self.script_served(id, changed, now);
    }

    fn script_served(&mut self, id: usize, changed: bool, now: Instant) {
        self.arm_script(id);
        let Some(script) = self.scripts.get(id) else {
            return;
        };
        if !changed {
            return;
        }
        self.verdicts
            .insert(Arc::clone(&script.name), script.verdict);
        let name = Arc::clone(&script.name);
        self.reassess_all(now, |instance| {
            instance
                .settings
                .track_script
                .iter()
                .any(|tracked| *tracked.script == *name)
        });
    }

    pub(crate) fn arm_script(&mut self, id: usize) {
        if let Some(script) = self.scripts.get_mut(id) {
            let deadline = script.deadline();
            self.deadlines
                .arm(Owner::Script(id), &mut script.armed, deadline);
        }
    }

    /// Reassesses all instances that something concerns.
    pub(crate) fn reassess_all(&mut self, now: Instant, concerns: impl Fn(&Instance) -> bool) {
        for id in 0..self.instances.len() {
            if self.instances.get(id).is_some_and(&concerns) {
                self.reassess(id, now);
            }
        }
    }
}
