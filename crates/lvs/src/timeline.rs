//! One heap for the timers of all checks.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use types::Instant;

use crate::action::CheckId;

/// The heap. An entry is an invitation, not a fact: whoever is called looks at its own clock. So a deadline that moves
/// leaves its old entry behind, and nobody searches for it.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    heap: BinaryHeap<Reverse<(Instant, CheckId)>>,
}

impl Timeline {
    /// Makes sure that a check is called at this moment.
    pub(crate) fn arm(&mut self, at: Instant, check: CheckId) {
        self.heap.push(Reverse((at, check)));
    }

    /// The next check that is to be called, if its moment has come.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<CheckId> {
        match self.heap.peek() {
            Some(Reverse((at, _))) if *at <= now => {
                self.heap.pop().map(|Reverse((_, check))| check)
            }
            _ => None,
        }
    }

    /// The next moment.
    pub(crate) fn first(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Forgets all: everybody is about to be armed anew.
    pub(crate) fn clear(&mut self) {
        self.heap.clear();
    }
}
