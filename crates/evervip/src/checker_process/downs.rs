//! Which real servers are down, and how much of it the parent knows: should this process die, its successor begins with
//! that, and no dead server gets connections until its next check.

use std::collections::BTreeSet;
use std::time::Duration;

use lvs::Lvs;
use types::Instant;

use crate::child::line::Line;
use crate::child::names::Names;

/// When many servers turn at once, it is not looked at all of them for each.
const PACE: Duration = Duration::from_millis(100);

/// What the parent has been told.
pub(super) struct Downs {
    names: Names,
    /// The core's count of turns at the last look.
    read_at: Option<u64>,
    look_at: Instant,
}

impl Downs {
    /// `told`: what the parent handed us.
    pub(super) const fn new(told: BTreeSet<String>) -> Self {
        Self {
            names: Names::new("which servers are down", told),
            read_at: None,
            look_at: Instant::ZERO,
        }
    }

    /// When there is something to tell that had to wait.
    pub(super) fn next_wake(&self, core: &Lvs) -> Option<Instant> {
        (self.is_behind(core) || self.names.are_pending()).then_some(self.look_at)
    }

    fn is_behind(&self, core: &Lvs) -> bool {
        self.read_at != Some(core.turns())
    }

    /// Tells the parent what it does not know yet.
    pub(super) fn tell(&mut self, now: Instant, core: &Lvs, parent: &Line) {
        if now < self.look_at {
            return;
        }
        if self.is_behind(core) {
            self.read_at = Some(core.turns());
            self.names.change(core.down().collect());
            self.look_at = now + PACE;
        }
        self.names.tell(parent);
        if self.names.are_pending() {
            self.look_at = now + PACE;
        }
    }
}
