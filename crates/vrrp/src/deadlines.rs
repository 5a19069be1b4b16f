//! One heap for every timer of the core.

use alloc::collections::BinaryHeap;
use core::cmp::Reverse;

use types::{IfIndex, Instant};

/// Whose deadline it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    /// The delay before the start; it ends before anybody begins.
    Startup,
    /// The instance with this index.
    Instance(usize),
    /// The script with this index.
    Script(usize),
    /// The tracked processes with this index.
    Processes(usize),
    /// The interface with this number: what counts of its link.
    Interface(IfIndex),
    /// The pacing of gratuitous ARPs and neighbour advertisements.
    Pace,
    /// The static entries that somebody removes again and again.
    Statics,
}

/// What an owner remembers: the earliest entry that the heap holds for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Armed(Option<Instant>);

/// The heap.
///
/// A backup's deadline moves later with every advert; nothing is done about that. Its old entry pops, the owner looks at
/// its own clock, finds that nothing is due, and is entered again. So receiving an advert costs no heap operation.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    heap: BinaryHeap<Reverse<(Instant, Owner)>>,
}

impl Deadlines {
    /// Makes sure that `owner` is woken no later than `deadline`.
    pub(crate) fn arm(&mut self, owner: Owner, armed: &mut Armed, deadline: Option<Instant>) {
        let Some(deadline) = deadline else { return };
        if armed.0.is_none_or(|already| deadline < already) {
            self.heap.push(Reverse((deadline, owner)));
            armed.0 = Some(deadline);
        }
    }

    /// The next owner to look at its clock. An entry is an invitation, not a fact: it may be out of date.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<(Instant, Owner)> {
        match self.heap.peek() {
            Some(Reverse((at, _))) if *at <= now => self.heap.pop().map(|Reverse(entry)| entry),
            _ => None,
        }
    }

    /// The earliest entry, due or not.
    pub(crate) fn first(&self) -> Option<(Instant, Owner)> {
        self.heap.peek().map(|Reverse(entry)| *entry)
    }

    /// Takes the earliest entry out.
    pub(crate) fn pop(&mut self) {
        self.heap.pop();
    }

    /// When to call again; never later than the earliest deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Forgets everything, when indices change their meaning.
    pub(crate) fn clear(&mut self) {
        self.heap.clear();
    }
}

impl Armed {
    /// Notes that the entry for `at` has been popped. False when it was superseded by an earlier one.
    pub(crate) fn popped(&mut self, at: Instant) -> bool {
        let current = self.0 == Some(at);
        if current {
            self.0 = None;
        }
        current
    }
}
