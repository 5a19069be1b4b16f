//! Waiting for something to become true.

use std::time::Duration;

use anyhow::{Result, bail};

/// How often a condition is looked at.
const PACE: Duration = Duration::from_millis(5);

/// Looks at `condition` until it holds.
///
/// # Errors
/// When it does not within `timeout`; the error says that `what` did not happen.
pub fn wait_until(
    timeout: Duration,
    what: &str,
    mut condition: impl FnMut() -> bool,
) -> Result<()> {
    let deadline = sys::clock::now() + timeout;
    loop {
        // The clock first: a condition that holds at the deadline is in time, however long this was held up.
        let late = sys::clock::now() >= deadline;
        if condition() {
            return Ok(());
        }
        if late {
            bail!(
                "within {} ms this did not happen: {what}",
                timeout.as_millis()
            );
        }
        pause(PACE);
    }
}

/// Lets time pass, where a scenario needs to see that nothing happens.
#[expect(
    clippy::disallowed_methods,
    reason = "a test host has no deadline to arm; it watches others keep theirs"
)]
pub fn pause(duration: Duration) {
    std::thread::sleep(duration);
}
