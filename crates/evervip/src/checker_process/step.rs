//! When a process with thousands of timers wakes: whose turns come within one step wake it once.

use std::time::Duration;

use types::Instant;

/// A step. No multiple of a tick of any kernel (1, 4 or 10 ms): where CPU time is counted by ticks, who always begins with one
/// would seem to need none.
const STEP: Duration = Duration::from_micros(3_703);

/// When to wake for what is due at `at`: at the end of its step, unless it is due already.
pub(crate) fn step(at: Instant, now: Instant) -> Instant {
    if at <= now {
        return at;
    }
    let step = u64::try_from(STEP.as_nanos()).unwrap_or(u64::MAX);
    Instant::from_nanos(at.as_nanos().div_ceil(step).saturating_mul(step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_come_at_the_end_of_a_step_and_what_is_due_at_once() {
        let at = |micros: u64| Instant::from_nanos(micros * 1000);
        assert_eq!(step(at(7_407), at(1)), at(3_703 * 3));
        assert_eq!(step(at(7_406), at(1)), at(7_406));
        assert_eq!(step(at(5), at(5)), at(5));
        assert_eq!(step(at(5), at(9_000)), at(5));
    }
}
