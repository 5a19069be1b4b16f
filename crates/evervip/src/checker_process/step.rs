//! When a process with thousands of timers wakes: whose turns come within one step wake it once. With as much to do as comes
//! together by itself it does not wait for that: what is due at the end of a step would be late by the work of all of it.

use std::time::Duration;

use types::Instant;

/// A step. No multiple of a tick of any kernel (1, 4 or 10 ms): where CPU time is counted by ticks, who always begins with one
/// would seem to need none.
const STEP: Duration = Duration::from_micros(3_703);

/// How long it is counted what there is to do, and from how many sockets served or opened on in that time it is much.
const WINDOW: Duration = Duration::from_millis(100);
const MUCH: usize = 200;

/// The steps.
#[derive(Debug)]
pub(crate) struct Steps {
    since: Instant,
    done: usize,
    is_busy: bool,
}

impl Steps {
    /// There has been little to do.
    pub(crate) const fn new(now: Instant) -> Self {
        Self {
            since: now,
            done: 0,
            is_busy: false,
        }
    }

    /// So many sockets were served or opened in a turn.
    pub(crate) fn note(&mut self, now: Instant, done: usize) {
        self.done += done;
        if now.since(self.since) >= WINDOW {
            self.is_busy = self.done >= MUCH;
            self.since = now;
            self.done = 0;
        }
    }

    /// When to wake for what is due at `at`: at the end of its step, unless it is due already or there is much to do.
    pub(crate) fn end(&self, at: Instant, now: Instant) -> Instant {
        if at <= now || self.is_busy {
            return at;
        }
        let step = u64::try_from(STEP.as_nanos()).unwrap_or(u64::MAX);
        Instant::from_nanos(at.as_nanos().div_ceil(step).saturating_mul(step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_come_at_the_end_of_a_step_and_what_is_due_at_once() {
        let at = |micros: u64| Instant::from_nanos(micros * 1000);
        let steps = Steps::new(at(0));
        assert_eq!(steps.end(at(7_407), at(1)), at(3_703 * 3));
        assert_eq!(steps.end(at(7_406), at(1)), at(7_406));
        assert_eq!(steps.end(at(5), at(5)), at(5));
        assert_eq!(steps.end(at(5), at(9_000)), at(5));
    }

    #[test]
    fn with_much_to_do_there_are_none() {
        let at = |millis: u64| Instant::from_nanos(millis * 1_000_000);
        let mut steps = Steps::new(at(0));
        let is_exact = |steps: &Steps, now| steps.end(at(now + 1), at(now)) == at(now + 1);
        for turn in 1..=100 {
            assert!(!is_exact(&steps, turn), "not before somebody has counted");
            steps.note(at(turn), 2);
        }
        assert!(is_exact(&steps, 100));
        for turn in 101..=200 {
            assert!(is_exact(&steps, turn));
            steps.note(at(turn), 1);
        }
        assert!(!is_exact(&steps, 200), "there was little of late");
    }
}
