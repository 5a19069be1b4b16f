//! What time it is in the middle of a turn of the loop: what begins after a long piece of work has all of its time, and yet the
//! clock is not read for every socket.

use types::Instant;

/// So many sockets served or opened, some tens of microseconds each, may have taken a while; so may anything else. Reading the
/// clock is as dear as what a check takes: after a few of these it is as late as before.
const MUCH: usize = 5;

/// What was done since the time was asked for.
#[derive(Debug, Default)]
pub(super) struct Effort(usize);

impl Effort {
    /// So many sockets were served or opened.
    pub(super) const fn sockets(&mut self, count: usize) {
        self.0 = self.0.saturating_add(count);
    }

    /// Something else was done, and nobody knows how long that took.
    pub(super) const fn something_else(&mut self) {
        self.sockets(MUCH);
    }

    /// What time it is, or was a moment ago, if it was `now` when the work began. `is_usual`: there was nothing to do but
    /// attempts. What was done is forgotten.
    pub(super) fn time_after(
        &mut self,
        now: Instant,
        is_usual: bool,
        clock: impl FnOnce() -> Instant,
    ) -> Instant {
        let done = std::mem::take(&mut self.0);
        if done >= MUCH || !is_usual {
            clock()
        } else {
            now
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const START: Instant = Instant::ZERO;

    fn never() -> Instant {
        panic!("the clock was read")
    }

    #[test]
    fn what_begins_after_a_long_turn_has_all_of_its_time() {
        let later = START + Duration::from_secs(3);
        let mut effort = Effort::default();
        // A dump, a reload, a look at a table.
        assert_eq!(effort.time_after(START, false, || later), later);
        // A command for IPVS among the actions of checks.
        effort.something_else();
        assert_eq!(effort.time_after(START, true, || later), later);
        // Many answers, each of which may have been deciphered and searched.
        effort.sockets(2);
        effort.sockets(3);
        assert_eq!(effort.time_after(START, true, || later), later);
        effort.sockets(usize::MAX);
        effort.something_else();
        assert_eq!(effort.time_after(START, true, || later), later);
    }

    #[test]
    fn a_few_sockets_are_not_worth_a_look_at_the_clock() {
        let mut effort = Effort::default();
        assert_eq!(effort.time_after(START, true, never), START);
        for _turn in 0..100 {
            effort.sockets(4);
            assert_eq!(effort.time_after(START, true, never), START);
        }
        // Nor is what came before the last look.
        effort.something_else();
        effort.time_after(START, false, || START);
        effort.sockets(4);
        assert_eq!(effort.time_after(START, true, never), START);
    }
}
